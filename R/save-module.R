# Modules in the files of torch_save(). R's serialization of a module holds the code of its classes, again for each
# module. So the environments that a module consists of are marks in the file, and beside the object lies a state of
# each module: its classes and its fields. A class of this package is a mark too, and the file holds its code once. A
# reader whose torch has the same code takes the installed class, and any other reader takes the code of the file.

#' @include save.R
NULL

# The environments of a module's R6 object; NULL if cpp_new_instance() did not make it. `frames` are those of each
# class, and `supers` those of each class but the last. The base class comes first.
frames_of_instance <- function(self) {
  own <- function(name, env) get0(name, env, inherits = FALSE)
  frame <- own(".__enclos_env__", self)
  private <- if (is.environment(frame)) own("private", frame)
  if (!is.environment(private) || !identical(own("self", frame), self)) return()
  frames <- list(frame)
  supers <- list()
  while (!is.null(super <- own("super", frames[[1L]]))) {
    frame <- if (is.environment(super)) own(".__enclos_env__", super)
    if (!is.environment(frame)) return()
    frames <- c(list(frame), frames)
    supers <- c(list(super), supers)
  }
  list(self = self, private = private, frames = frames, supers = supers)
}

# The R6 object that the environment `x` is a part of, if it is one.
instance_around <- function(x) {
  frame <- get0(".__enclos_env__", x, inherits = FALSE)
  if (is.environment(frame)) return(get0("self", frame, inherits = FALSE))
  if (exists("private", x, inherits = FALSE)) get0("self", x, inherits = FALSE)
}

class_of_frame <- function(frame) {
  scope <- parent.env(frame)
  if (identical(scope, topenv())) nn_Module else get0(".class", scope, inherits = FALSE)
}

# The classes of an instance, the base first. It is NULL if the instance holds more than these classes and its fields.
classes_of_instance <- function(it) {
  classes <- lapply(it$frames, class_of_frame)
  if (!all(vapply(classes, R6::is.R6Class, NA)) || length(it$supers) != length(it$frames) - 1L) return()
  levels <- instance_plan(classes[[length(classes)]])$parts[[1L]]
  if (length(levels) != length(classes)) return()
  homes <- list(it$self, it$private)
  for (which in 1:2) {
    for (name in ls(homes[[which]], all.names = TRUE, sorted = FALSE)) {
      if (bindingIsActive(as.symbol(name), homes[[which]])) {
        if (!is_known_active(name, it, levels, which == 1L)) return()
        next
      }
      is_method <- any(vapply(levels, function(level) name %in% names(level[[which + 1L]]), NA))
      if (is_method != bindingIsLocked(name, homes[[which]])) return()
      if (is_method && !has_code_of_method(name, homes[[which]][[name]], it, levels, which + 1L)) return()
    }
  }
  wanted <- unlist(lapply(levels, function(level) c(names(level[[2L]]), names(level[[4L]]))))
  if (all(wanted %in% ls(it$self, all.names = TRUE, sorted = FALSE))) classes
}

is_known_active <- function(name, it, levels, is_public) {
  if (!is_public) return(name %in% names(member_tables))
  name %in% names(it$private$.computed) || any(vapply(levels, function(level) name %in% names(level[[4L]]), NA))
}

has_code_of_method <- function(name, value, it, levels, part) {
  for (i in rev(seq_along(levels))) {
    method <- levels[[i]][[part]][[name]]
    if (is.null(method)) next
    return(identical(environment(value), it$frames[[i]]) && same_code(value, method))
  }
  FALSE
}

same_code <- function(f, g) identical(f, g, ignore.environment = TRUE, ignore.bytecode = TRUE, ignore.srcref = TRUE)

# The part of an instance that cpp_new_instance() and the methods do not make anew. `note` gets the children.
state_of_instance <- function(it, classes, note) {
  fields <- function(env, except = NULL) {
    names <- setdiff(ls(env, all.names = TRUE, sorted = FALSE), c(".__enclos_env__", except))
    is_field <- vapply(names, function(name) !bindingIsActive(as.symbol(name), env) && !bindingIsLocked(name, env), NA)
    lapply(mget(names[is_field], env), as_child_mark, note)
  }
  list(classes = classes, public = fields(it$self, it$private$.asked), private = fields(it$private))
}

# The mark of a child: the function that users hold, without its code.
as_child_mark <- function(x, note) {
  self <- if (is_nn_module(x)) attr(x, "module", exact = TRUE)
  frame <- if (is.environment(self)) get0(".__enclos_env__", self, inherits = FALSE)
  if (!is.environment(frame) || length(attributes(x)) != 2L || !identical(class(x), parent.env(frame)$.classes)) return(x)
  note(self)
  structure(list(self), class = "torch_child_mark")
}

# ---- classes of this package ----------------------------------------------------------------------------------------------

# The R6 classes of this package are in the namespace under their own names, except for the bases.
class_homes <- c(
  nn_module = "nn_Module", torch_optimizer = "Optimizer", dataset = "Dataset", iterable_dataset = "IterableDataset",
  utils_sampler = "Sampler"
)
installed_class <- function(name) {
  found <- get0(if (name %in% names(class_homes)) class_homes[[name]] else name, topenv(), inherits = FALSE)
  if (R6::is.R6Class(found)) found else attr(found, "r6_class", exact = TRUE)
}
name_of_installed <- function(class) {
  name <- class$classname
  if (is_string(name) && identical(installed_class(name), class)) name
}

code_of_class <- function(class) {
  list(
    public = class$public_methods, private = class$private_methods, active = class$active,
    classes = get0(".classes", class$parent_env, inherits = FALSE)
  )
}
hash_of_code <- function(code) {
  rlang::hash(lapply(code[1:3], function(functions) lapply(functions, function(f) list(formals(f), body(f)))))
}

# ---- writing --------------------------------------------------------------------------------------------------------------

# The marks of environments, for the `mark` of new_collection().
new_instance_marks <- function() {
  keys <- new_environment()
  instances <- list()
  classes <- list()
  add_instance <- function(it, instance_classes) {
    n <- length(instances) + 1L
    instances[[n]] <<- list(it = it, classes = instance_classes)
    note <- function(env, part) keys[[obj_address(env)]] <- sprintf("instance%d/%s", n, part)
    note(it$self, "self")
    note(it$private, "private")
    for (i in seq_along(it$frames)) note(it$frames[[i]], paste0("frame", i))
    for (i in seq_along(it$supers)) note(it$supers[[i]], paste0("super", i))
  }
  class_mark <- function(class) {
    name <- name_of_installed(class)
    if (is.null(name)) return()
    if (is.null(classes[[name]])) {
      code <- code_of_class(class)
      classes[[name]] <<- c(list(hash = hash_of_code(code)), code)
    }
    name
  }
  mark <- function(x) {
    address <- obj_address(x)
    key <- keys[[address]]
    if (!is.null(key)) return(key)
    if (R6::is.R6Class(x)) {
      name <- class_mark(x)
      return(if (!is.null(name)) paste0("class/", name))
    }
    class <- get0(".class", x, inherits = FALSE)
    if (R6::is.R6Class(class) && identical(class$parent_env, x)) {
      name <- class_mark(class)
      return(if (!is.null(name)) paste0("scope/", name))
    }
    self <- instance_around(x)
    # All parts of a known instance are in `keys`, so `x` is only near it.
    it <- if (is.environment(self) && is.null(keys[[obj_address(self)]])) frames_of_instance(self)
    instance_classes <- if (!is.null(it)) classes_of_instance(it)
    if (is.null(instance_classes)) return()
    add_instance(it, instance_classes)
    keys[[address]]
  }
  # The states of all instances, also of those that are found on the way. A class of the package is written as its
  # name.
  states <- function() {
    out <- list()
    while (length(out) < length(instances)) {
      instance <- instances[[length(out) + 1L]]
      classes <- lapply(instance$classes, function(class) class_mark(class) %||% class)
      out[[length(out) + 1L]] <- state_of_instance(instance$it, classes, mark)
    }
    out
  }
  environment()
}

# R's serialization of `obj`, with marks for the handles and the instances. The fields of an instance may hold further
# instances, so the object is gone through until no new one is found. NULL stands for a class whose code is not
# written.
serialize_with_states <- function(obj, found) {
  marks <- found$instances
  robj <- serialized(obj, found)
  n <- 0
  while (length(marks$instances) + length(marks$classes) > n) {
    saved <- list(object = as_child_mark(obj, marks$mark), states = marks$states(), classes = marks$classes)
    n <- length(marks$instances) + length(marks$classes)
    robj <- serialized(saved, found)
  }
  readable <- tryCatch(cpp_stream_check(robj), value_error = identity)
  if (inherits(readable, "value_error")) refuse_saving(found, sub(".*can't be read: ", "", conditionMessage(readable)))
  robj
}

# R's own serialize() needs the more of C's stack the deeper an object is nested, and may end the session where there is
# none left.
serialized <- function(x, found) {
  if (cpp_is_deep_list(x)) refuse_saving(found, too_deep)
  tryCatch(serialize(x, NULL, refhook = found$mark), stackOverflowError = function(e) refuse_saving(found, too_deep))
}

too_deep <- "it is nested too deeply."
refuse_saving <- function(found, why) value_error(sprintf("%s can't be saved: %s", found$what, why), found$call)

# ---- reading --------------------------------------------------------------------------------------------------------------

# Environments for the marks, filled by `revive()` when all that is in the file has been read.
new_instance_readers <- function() {
  parts <- new_environment()
  known <- "^(instance[1-9][0-9]{0,8}/(self|private|(frame|super)[1-9][0-9]{0,3})|(class|scope)/.+)$"
  is_mark <- function(key) is_string(key) && grepl(known, key)
  environment_of <- function(key) {
    if (is.null(parts[[key]])) {
      parts[[key]] <- if (startsWith(key, "instance")) {
        new.env(hash = endsWith(key, "/self"), parent = emptyenv())
      } else {
        class <- installed_class(sub("^[a-z]*/", "", key)) %||% list(parent_env = new_environment(module_scope, topenv()))
        if (startsWith(key, "scope/")) class$parent_env else if (is.environment(class)) class else class$parent_env
      }
    }
    parts[[key]]
  }
  revive <- function(saved) {
    if (!is.list(saved) || !is.list(saved$states) || !is_field_list(saved$classes)) damaged("it says that modules are in it, and has none")
    installed <- Map(level_in_file, names(saved$classes), saved$classes)
    selves <- lapply(seq_along(saved$states), function(i) {
      state <- saved$states[[i]]
      if (!is.list(state) || !is_field_list(state$public) || !is_field_list(state$private)) damaged("a module in it has no fields")
      levels <- lapply(state$classes, function(class) {
        level <- if (is_string(class)) installed[[class]] else if (is.environment(class)) checked_level(class)
        level %||% damaged("a module in it has no class")
      })
      fill_instance(i, levels)
    })
    asked <- grep("^instance", ls(parts, sorted = FALSE), value = TRUE)
    if (any(as.integer(sub("^instance([0-9]+)/.*", "\\1", asked)) > length(selves))) damaged("a module in it is not there")
    for (i in seq_along(selves)) fill_fields(selves[[i]], saved$states[[i]])
    for (self in selves) finish_instance(self)
    from_child_mark(saved$object)
  }
  fill_instance <- function(i, levels) {
    if (!length(levels)) damaged("a module in it has no class")
    part <- function(name) environment_of(sprintf("instance%d/%s", i, name))
    frames <- lapply(seq_along(levels), function(n) part(paste0("frame", n)))
    supers <- lapply(seq_len(length(levels) - 1L), function(n) part(paste0("super", n)))
    for (n in seq_along(levels)) parent.env(frames[[n]]) <- levels[[n]][[1L]]
    none <- set_names(list(), character())
    cpp_new_instance(levels, none, none, c(list(part("self"), part("private")), frames, supers))
  }
  environment()
}

is_field_list <- function(x) is.list(x) && !is.object(x) && (!length(x) || (!is.null(names(x)) && all(nzchar(names(x)))))

# A class out of a file, in the form that cpp_new_instance() wants. None of its code runs here.
checked_level <- function(class) {
  member <- function(name) if (is.environment(class)) get0(name, class, inherits = FALSE) else class[[name]]
  parts <- lapply(c("public_methods", "private_methods", "active"), member)
  ok <- function(functions) is_field_list(functions) && all(vapply(functions, typeof, "") == "closure")
  if (!is.environment(member("parent_env")) || !all(vapply(parts, function(x) is.null(x) || ok(x), NA))) {
    damaged("the class of a module in it is none")
  }
  class_level(list(parent_env = member("parent_env"), public_methods = parts[[1L]], private_methods = parts[[2L]], active = parts[[3L]]))
}

level_in_file <- function(name, code) {
  if (!is.list(code) || !is_string(code$hash)) damaged("the class of a module in it is none")
  class <- installed_class(name)
  if (R6::is.R6Class(class) && identical(hash_of_code(code_of_class(class)), code$hash)) return(class_level(class))
  scope <- if (R6::is.R6Class(class)) class$parent_env else new_environment(c(module_scope, list(.classes = code$classes)), topenv())
  checked_level(list(parent_env = scope, public_methods = code$public, private_methods = code$private, active = code$active))
}

fill_fields <- function(self, state) {
  private <- self$.__enclos_env__$private
  put <- function(fields, env) {
    fields <- lapply(fields, from_child_mark)
    taken <- c(".__enclos_env__", Filter(function(name) bindingIsLocked(name, env) || bindingIsActive(as.symbol(name), env), ls(env, all.names = TRUE)))
    if (any(names(fields) %in% taken)) damaged("a field of a module in it has the name of a method")
    list2env(fields, env)
  }
  put(state$public, self)
  put(state$private, private)
}

finish_instance <- function(self) {
  private <- self$.__enclos_env__$private
  if (!is.character(private$.asked) || !is.character(private$.registered) || !is.list(private$.computed) || !is.list(private$.hook_lists)) {
    damaged("a module in it lacks what every module has")
  }
  bind_computed(self)
  bind_asked(self, private$.asked)
  guard_calls(self)
}

from_child_mark <- function(x) {
  if (!inherits(x, "torch_child_mark")) return(x)
  self <- unclass(x)[[1L]]
  if (!is.environment(self) || !is.environment(get0(".__enclos_env__", self, inherits = FALSE))) damaged("a module in it is none")
  module_callable(self)
}
