# What a module holds: assignment to `self`, from inside of methods and from outside, and the parameters, buffers and
# children that are found among its bindings.

# The methods of a module find these functions before those of base R. They note what is assigned to `self`, and pass on
# every other assignment.
module_scope <- list(
  `$<-` = function(x, name, value) {
    name <- as.character(substitute(name))
    if (is.object(x) || !(is.list(x) || is.environment(x))) {
      return(eval(as.call(list(base::`$<-`, quote(x), name, quote(value)))))
    }
    if (is_module_self(x)) {
      module_assign(x, name, value)
    } else {
      x[[name]] <- value
    }
    x
  },
  `[[<-` = function(x, i, ..., value) {
    if (is_module_self(x)) {
      module_assign(x, i, value)
      return(x)
    }
    base::`[[<-`(x, i, ..., value = value)
  }
)

is_module_self <- function(x) is.environment(x) && !is.object(x) && !is.null(x$.__enclos_env__$private$.registered)

module_assign <- function(self, name, value) {
  if (name == "training" && !is_bool(value)) {
    value_error(sprintf("`training` must be TRUE or FALSE, not %s.", friendly_type(value)), call = NULL)
  }
  if (is.function(value) && !is.object(value) && nzchar(name) && exists(name, self, inherits = FALSE) && bindingIsLocked(name, self)) {
    value_error(sprintf(
      "`%s` is a method, and a module has that of its class: write a class with another one, by `nn_module(inherit = )`, or register a hook.", name
    ), call = NULL)
  }
  assign(name, if (is.object(value)) noted_member(self, name, value) else value, envir = self)
}

check_member_name <- function(name, call = caller_env()) {
  if (is_string(name) && nzchar(name)) return(name)
  value_error(sprintf("`name` must be the name of a member, not %s.", friendly_type(name)), call)
}

# The value as the module keeps it, and its name among those of members if it is one.
noted_member <- function(self, name, value) {
  is_module <- is_nn_module(value)
  if (is_module) check_no_circle(self, name, value)
  if (is_module || inherits(value, c("nn_parameter", "nn_buffer"))) {
    private <- self$.__enclos_env__$private
    known <- private$.registered
    if (!name %in% known) {
      if (!nzchar(name)) value_error("A member must have a name.", call = NULL)
      if (exists(name, self, inherits = FALSE) && bindingIsLocked(name, self)) {
        value_error(sprintf("A member can't have the name `%s`: the module has a method of that name.", name), call = NULL)
      }
      private$.registered <- c(known, name)
    }
  } else if (is_torch_tensor(value)) {
    old <- get0(name, self, inherits = FALSE)
    # A new value for a buffer is a buffer. Without its parameter a module would be trained without a word.
    if (is_nn_buffer(old)) return(nn_buffer(value, is_persistent(old)))
    if (is_nn_parameter(old)) {
      type_error(sprintf(
        "`%s` is a parameter: assign an `nn_parameter()`, or NULL before another tensor takes its place.", name
      ), call = NULL)
    }
  }
  value
}

# Whoever goes through a tree of modules that is none never ends. A module that no other one holds can't be below its own
# child, so that building a tree from its leaves goes through none.
check_no_circle <- function(self, name, module) {
  inner <- attr(module, "module", exact = TRUE)
  if (identical(inner, self)) value_error("A module can't hold itself.", call = NULL)
  is_held <- !isFALSE(self$.__enclos_env__$private$.is_held)
  path <- if (is_held && !is.null(inner)) path_to_module(inner, self)
  if (!is.null(inner)) inner$.__enclos_env__$private$.is_held <- TRUE
  if (is.null(path)) return(invisible())
  value_error(sprintf(
    "`%s` can't be a child: it holds this module itself, as `%s`. A list, as in `self$%s <- list(module)`, refers to a module without holding it.",
    name, path, name
  ), call = NULL)
}

path_to_module <- function(self, wanted) {
  tree <- tree_of(self)
  for (i in which(!tree$apart)) if (identical(tree$module[[i]], wanted)) return(tree$path[i])
}

# What a module holds itself, of some kinds, one after the other. Names that came another way than by assignment in a method
# (fields given to nn_module(), assignments by a helper function) are found by their values and come last.
own_members <- function(self, kinds) cpp_own_members(self, self$.__enclos_env__$private$.registered, kinds)

own_tensors <- function(self) own_members(self, tensor_classes)

# Methods may ask for the members as `private$modules_`, `private$parameters_` and `private$buffers_`, and users for those of
# `more_members`. Only a class in which a method asks has these bindings: each would make every module dearer.
member_tables <- list(
  modules_ = function(self) own_members(self, "nn_module"), parameters_ = function(self) own_members(self, "nn_parameter"),
  buffers_ = function(self) own_members(self, "nn_buffer"), training_ = function(self) self$training,
  non_persistent_buffers_ = function(self) names(Filter(function(x) !is_persistent(x), own_members(self, "nn_buffer"))) %||% character()
)

# Names that the methods of a class read as `self$name` or `private$name`, of those that are bound where they are asked for; those
# that they read of the class above as "super$name".
asked_members <- function(chain) {
  own <- Filter(function(class) !identical(class, nn_Module), chain)
  methods <- unlist(lapply(own, function(class) c(class$public_methods, class$private_methods, class$active)))
  known <- c(names(member_tables), names(members_of_class(vapply(own, function(class) class$classname %||% "", ""))))
  asked <- unlist(lapply(methods, function(f) {
    # Looking for words is cheap, and seldom finds one.
    if (any(known %in% all.names(body(f), unique = TRUE))) members_read(body(f))
  }))
  own_names <- unlist(lapply(own, function(class) c(names(class$public_methods), names(class$public_fields), names(class$active))))
  c(setdiff(intersect(known, asked), own_names), intersect(paste0("super$", setdiff(known, names(member_tables))), asked))
}

members_read <- function(code) {
  if (!is.call(code)) return()
  if (identical(code[[1L]], quote(`$`)) && is.symbol(code[[2L]])) {
    of <- as.character(code[[2L]])
    if (of == "super") return(paste0("super$", as.character(code[[3L]])))
    if (of %in% c("self", "private")) return(as.character(code[[3L]]))
  }
  unlist(lapply(as.list(code), function(part) if (!is_missing(part)) members_read(part)))
}

bind_asked <- function(self, names) {
  private <- self$.__enclos_env__$private
  private$.asked <- names
  for (name in intersect(names, names(members_of(self)))) assign(name, bound_member(self, name), envir = self)
  for (name in intersect(names, names(member_tables))) bind_table(self, private, name)
  for (name in sub("super$", "", names[startsWith(names, "super$")], fixed = TRUE)) {
    frame <- self$.__enclos_env__
    while (is.environment(super <- frame$super)) {
      if (!exists(name, super, inherits = FALSE)) assign(name, bound_member(self, name), envir = super)
      frame <- super$.__enclos_env__
    }
  }
}

bind_table <- function(self, private, name) {
  if (exists(name, private, inherits = FALSE)) rm(list = name, envir = private)
  makeActiveBinding(name, function(value) {
    refuse_assignment(name, missing(value))
    member_tables[[name]](self)
  }, private)
}

# Members that are no bindings, by the classes of a module.
members_of_class <- function(classes) c(more_members, if ("nn_module_dict" %in% classes) dict_members)
members_of <- function(self) members_of_class(parent.env(self$.__enclos_env__)$.classes)

bound_member <- function(self, name) {
  member <- members_of(self)[[name]]
  environment(member) <- new_environment(list(self = self), parent = environment(member))
  member
}

self_of <- function(module, call = caller_env()) {
  self <- attr(module, "module", exact = TRUE)
  if (is.environment(self)) return(self)
  type_error("This object has the class of a module, but is none: `nn_module()` and its like make modules.", call)
}

# The children that were assigned in a method. This needs no search through all bindings, so that access in a loop is fast.
registered_children <- function(module) {
  self <- self_of(module, caller_env(2))
  members <- mget(self$.__enclos_env__$private$.registered, envir = self)
  members[vapply(members, is.function, NA)]
}

#' @export
`$.nn_module` <- function(x, name) {
  if (name == "clone") {
    return(function(deep = TRUE, ...) clone_module(x, deep = deep, ...))
  }
  self <- attr(x, "module", exact = TRUE)
  if (is.null(self)) return(generator_member(x, name))
  member <- .subset2(self, name)
  if (is.null(member) && !is.null(members_of(self)[[name]]) && !exists(name, self, inherits = FALSE)) bound_member(self, name) else member
}

#' @export
`[[.nn_module` <- function(x, i) {
  if (is_string(i)) `$.nn_module`(x, i) else pick_child(registered_children(x), i)
}

# One child by its position, from 1, where `[[` got something else than a name.
pick_child <- function(children, i, call = caller_env()) {
  if (!is.numeric(i) || length(i) != 1L) {
    value_error(sprintf("`[[` takes the name of a member or the position of a child, not %s.", friendly_type(i)), call)
  }
  if (!i %in% seq_along(children)) {
    value_error(sprintf("The module has %s: there is no child %s.", count_of(length(children), "child", "children"), toString(format(i))), call)
  }
  children[[i]]
}

#' @export
`$<-.nn_module` <- function(x, name, value) {
  module_assign(attr(x, "module", exact = TRUE), name, value)
  invisible(x)
}

#' @export
`[[<-.nn_module` <- function(x, i, value) {
  module_assign(attr(x, "module", exact = TRUE), if (is_string(i)) i else pick_child(names(x$children), i), value)
  invisible(x)
}

#' @export
names.nn_module <- function(x, ...) module_names(x)

module_names <- function(x) {
  self <- attr(x, "module", exact = TRUE)
  if (!is.null(self)) ls(self, all.names = TRUE)
}

#' @importFrom utils .DollarNames
#' @export
.DollarNames.nn_module <- function(x, pattern = "") {
  if (inherits(x, "nn_module_generator")) return(grep(pattern, "new", value = TRUE))
  names <- if (inherits(x, "script_module")) names(x) else c(module_names(x), names(members_of_class(class(x))))
  grep(pattern, grep("^[.]__", names, invert = TRUE, value = TRUE), value = TRUE)
}

# The children, so that lapply() and the like go over them; under their names, unless these only count them.
#' @export
as.list.nn_module <- function(x, ...) {
  children <- x$children
  if (is.null(child_names(children))) unname(children) else children
}

child_names <- function(children) {
  names <- names(children)
  if (!identical(names, as.character(seq_along(children) - 1L))) names
}
