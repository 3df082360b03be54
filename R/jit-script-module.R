# Modules as programs: their methods, fields and children, as the compiler gets them.

script_sequence <- function(input) {
  for (layer in self) input <- layer(input)
  input
}

script_module <- function(mod, given, methods, call = caller_env()) {
  if (inherits(mod, "script_module")) return(mod)
  if (!is.character(methods) || anyNA(methods) || !length(methods)) {
    type_error(sprintf("`methods` must be names of methods, not %s.", friendly_type(methods)), call)
  }
  load_torch()
  program <- new_program()
  program$call <- call
  program$has_computed <- any(lengths(lapply(mod$modules, function(part) if (!inherits(part, "script_module")) computed_by(part))) > 0L)
  handle <- script_module_handle(mod, NULL, function(mod, handle) {
    if (!inherits(mod, "script_module")) program$modules <- c(program$modules, list(scripted_module(mod, handle, program)))
  })
  unknown <- setdiff(methods, names(program$modules[[1]]$functions))
  if (length(unknown)) value_error(sprintf("`f` has no method `%s`.", unknown[1]), call)
  made <- as_program(program, methods)
  own <- made$modules[[1]]
  held <- list()
  for (method in callees_first(unique(methods), own, program)) {
    f <- program$functions[[own$closures[match(method, own$methods)]]]
    asked <- script_arguments(f, if (method == "forward") given else list(), call)
    held <- c(held, cpp_script_define(made, method, asked$types, asked$examples))
    add_r_names(handle, method, asked$names)
  }
  watching(new_script_module(handle), watched_of(program, held))
}

# The methods in an order in which each comes before those that call it: these then call it by a name that is free.
callees_first <- function(methods, own, program) {
  names <- lapply(program$functions, function(f) self_names(body(f)))
  calls <- lapply(set_names(own$methods), function(it) if (own$closures[match(it, own$methods)] > 0L) names[[own$closures[match(it, own$methods)]]])
  ordered <- seen <- character()
  visit <- function(method) {
    if (method %in% seen) return()
    seen <<- c(seen, method)
    for (other in intersect(calls[[method]], own$methods)) visit(other)
    if (method %in% methods) ordered <<- c(ordered, method)
  }
  for (method in methods) visit(method)
  ordered
}

# The methods of a module that are its classes' own, and the fields that they read.
scripted_module <- function(mod, handle, program) {
  self <- attr(mod, "module", exact = TRUE)
  refuse_hooks(mod, self, program$call)
  methods <- methods_of_module(mod, self)
  if (program$has_computed) methods <- c(asking_computed(methods, self, program$call), computed_methods(self))
  above <- methods_above(mod)
  fields <- fields_of_module(methods, above, self)
  is_held <- vapply(fields, is_constant_value, NA)
  for (name in names(fields)[is_held]) cpp_module_set_attribute(handle, name, script_value(fields[[name]]))
  for (name in names(fields)[!is_held]) {
    key <- sprintf("%d$%s", length(program$modules) + 1L, name)
    program$members[[key]] <- list(name = key, is_function = TRUE, refused = refused_value(fields[[name]]))
  }
  # What no method gives another value is a constant of the program.
  constants <- setdiff(names(fields)[is_held & !vapply(fields, is_torch_tensor, NA)], assigned_names(c(methods, above)))
  if (length(constants)) cpp_module_set_constants(handle, enc2utf8(constants))
  list(handle = handle, functions = methods, methods = character(), closures = integer(), constants = constants)
}

# The methods whose names are read somewhere, as parts of the program. One may be an operator itself: they count from -1 downwards.
take_methods <- function(module, program) {
  taken <- setdiff(intersect(names(module$functions), program$asked), module$methods)
  at <- vapply(taken, function(name) {
    operator <- operator_key(module$functions[[name]])
    if (is.null(operator)) script_closure_at(module$functions[[name]], name, program) else -script_operator_at(operator, program)
  }, 1L)
  module$methods <- c(module$methods, taken)
  module$closures <- c(module$closures, as.integer(unname(at)))
  module
}

# Names of members, of whatever, of which methods assign parts, or which they assign as a whole.
assigned_names <- function(methods) {
  # The member of which all others in `x$a[[1]]$b` are parts.
  whole <- function(code) {
    while (is.call(code) && length(code) > 1 && is.call(code[[2]])) code <- code[[2]]
    is_member <- is.call(code) && (identical(code[[1]], quote(`$`)) || (identical(code[[1]], quote(`[[`)) && is.character(code[[3]])))
    if (is_member) as.character(code[[3]])
  }
  names_of <- function(code) {
    if (!is.call(code)) return(character())
    is_assignment <- length(code) == 3 && (identical(code[[1]], quote(`<-`)) || identical(code[[1]], quote(`=`)))
    inner <- unlist(lapply(seq_along(code), function(i) if (!is_missing(code[[i]])) names_of(code[[i]])))
    c(if (is_assignment) whole(code[[2]]), inner)
  }
  unique(unlist(lapply(methods, function(f) names_of(body(f)))))
}

refuse_hooks <- function(mod, self, call) {
  if (!any(call_hooks %in% names(self$.__enclos_env__$private$.hook_lists))) return()
  old <- any(vapply(computed_by(mod), inherits, NA, "spectral_norm"))
  value_error(sprintf(
    "%s has hooks, which a program can't hold: %s, or `jit_trace()` it.", module_label(mod),
    if (old) "use `nn_utils_parametrizations_spectral_norm()`" else "remove them"
  ), call)
}

methods_of_module <- function(mod, self) {
  functions_of <- function(env) {
    names <- setdiff(ls(env, all.names = TRUE), base_members())
    is_active <- vapply(names, bindingIsActive, NA, env)
    found <- Filter(function(value) is.function(value) && !is_nn_module(value), mget(names[!is_active], env))
    # What the user's own give is not known before they are run. In a program they are functions, and so no values.
    replace(found, Filter(function(name) is_users_active(name, env, self), names), list(function() NULL))
  }
  private <- self$.__enclos_env__$private
  methods <- c(functions_of(self), if (is.environment(private)) functions_of(private))
  # Its own code goes by names that may hold something else than a layer.
  forward <- if (inherits(mod, "nn_sequential")) {
    script_sequence
  } else if (inherits(mod, "parametrization_list")) {
    script_parametrization(self)
  } else {
    unclass_function(self$forward)
  }
  environment(forward) <- environment(mod)
  c(list(forward = forward), methods)
}

# What all modules have.
base_members <- function() c(names(nn_Module$public_methods), names(nn_Module$active), "initialize", "clone", ".callable")

# What `super` reaches, but for what all modules have.
methods_above <- function(mod) {
  found <- list()
  env <- environment(mod)
  while (is.environment(above <- get0("super", env, inherits = FALSE))) {
    found <- c(found, Filter(is.function, mget(setdiff(ls(above, all.names = TRUE), setdiff(base_members(), "forward")), above)))
    env <- above$.__enclos_env__
  }
  found
}

unclass_function <- function(f) {
  f <- unclass(f)
  attributes(f) <- attributes(f)["srcref"]
  f
}

# What stands behind `self$` and `private$` and is neither a tensor nor a module nor a method, by its names.
fields_of_module <- function(methods, above, self) {
  names_in <- function(methods) unlist(lapply(methods, function(f) self_names(body(f))))
  names <- names_in(above)
  # A function that gets the module itself may read any field.
  if (any(vapply(c(methods, above), function(f) passes_self(body(f)), NA))) names <- c(names, ls(self))
  # A list of the buffers, say, which no method of its own reads, would hide those of the program.
  names <- c(names_in(methods), setdiff(names, names(nn_Module$active)))
  names <- setdiff(unique(names), "training")
  private <- self$.__enclos_env__$private
  fields <- list()
  for (name in names) {
    home <- Find(function(env) is.environment(env) && exists(name, env, inherits = FALSE), list(self, private))
    if (!is.null(home) && is_users_active(name, home, self)) next
    value <- if (!is.null(home)) home[[name]]
    # Parameters, buffers and children are there already, and functions are methods.
    is_member <- is_nn_module(value) || inherits(value, tensor_classes) || is.function(value)
    if (!is.null(home) && !is_member) fields[name] <- list(value)
  }
  fields
}

# Members that run code of the user's when they are read. The base class has others, and so have parametrizations.
is_users_active <- function(name, env, self) {
  ours <- c(names(nn_Module$active), names(member_tables), names(self$.__enclos_env__$private$.computed))
  bindingIsActive(name, env) && !name %in% ours
}

passes_self <- function(code) {
  if (!is.call(code)) return(FALSE)
  is_part <- is.symbol(code[[1]]) && as.character(code[[1]]) %in% c("$", "[[", "<-")
  arguments <- as.list(code)[-1]
  given <- Filter(Negate(is_missing), arguments)
  (!is_part && any(vapply(given, identical, NA, quote(self)))) || any(vapply(given, passes_self, NA))
}

self_names <- function(code) {
  if (!is.call(code)) return(character())
  is_part <- identical(code[[1]], quote(`$`)) || (identical(code[[1]], quote(`[[`)) && is.character(code[[3]]))
  if (is_part && (identical(code[[2]], quote(self)) || identical(code[[2]], quote(private)))) return(as.character(code[[3]]))
  unlist(lapply(seq_along(code), function(i) if (!is_missing(code[[i]])) self_names(code[[i]])))
}
