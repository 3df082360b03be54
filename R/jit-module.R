# Script modules: what tracing a module, jit_load() and jit_unserialize() give. A closure over the module's `forward`.

new_script_module <- function(handle) {
  forward <- cpp_module_method(handle, "forward")
  # Files of other tools may hold two traces and no `forward`.
  if (is.null(forward)) {
    train <- cpp_module_method(handle, "trainforward")
    eval <- cpp_module_method(handle, "evalforward")
    f <- function(...) {
      method <- if (cpp_module_train(handle, NULL)) train else eval
      # It may have been defined since.
      if (is.null(method)) method <- cpp_module_method(handle, "forward")
      if (is.null(method)) runtime_error("This script module has no `forward` method.")
      .External2(C_call, method, ...)
    }
  } else {
    f <- function(...) .External2(C_call, forward, ...)
  }
  structure(f, class = c("script_module", "nn_module"), handle = handle)
}

named_or_empty <- function(x) if (length(x)) x else structure(list(), names = character())

script_tensors <- function(handle, what, recursive) named_or_empty(cpp_module_list(handle, what, recursive))

script_children <- function(handle) named_or_empty(cpp_module_list(handle, 2L, FALSE))

script_modules <- function(x) {
  c(list(x), unlist(lapply(unname(script_children(script_handle(x))), script_modules), recursive = FALSE))
}

script_handle <- function(x) attr(x, "handle", exact = TRUE)

script_method <- function(x, name) {
  method <- cpp_module_method(script_handle(x), name)
  if (!is.null(method)) new_script_function(method, "script_method")
}

# The trace of the current mode, or `forward`.
script_trace <- function(x) {
  mode <- if (cpp_module_train(script_handle(x), NULL)) "trainforward" else "evalforward"
  method <- script_method(x, mode)
  if (is.null(method)) script_method(x, "forward") else method
}

# Fields and methods of a script module: functions of the module.
script_fields <- list(
  parameters = function(x) script_tensors(script_handle(x), 0L, TRUE),
  buffers = function(x) script_tensors(script_handle(x), 1L, TRUE),
  children = function(x) script_children(script_handle(x)),
  modules = function(x) script_modules(x),
  training = function(x) cpp_module_train(script_handle(x), NULL),
  is_training = function(x) function() cpp_module_train(script_handle(x), NULL),
  train = function(x) function(mode = TRUE) {
    cpp_module_train(script_handle(x), isTRUE(mode))
    invisible(x)
  },
  eval = function(x) function() {
    cpp_module_train(script_handle(x), FALSE)
    invisible(x)
  },
  graph = function(x) script_trace(x)$graph,
  inlined_graph = function(x) script_trace(x)$inlined_graph,
  code = function(x) script_trace(x)$code,
  schema = function(x) script_trace(x)$schema,
  graph_for = function(x) function(...) script_trace(x)$graph_for(...),
  named_parameters = function(x) function(recursive = TRUE) script_tensors(script_handle(x), 0L, recursive),
  named_buffers = function(x) function(recursive = TRUE) script_tensors(script_handle(x), 1L, recursive),
  register_parameter = function(x) function(name, param) {
    cpp_module_register(script_handle(x), name, param, FALSE)
    invisible(x)
  },
  register_buffer = function(x) function(name, tensor, persistent = TRUE) {
    if (!isTRUE(persistent)) runtime_error("`persistent` must be TRUE: buffers of a script module are always saved.")
    cpp_module_register(script_handle(x), name, tensor, TRUE)
    invisible(x)
  },
  register_module = function(x) function(name, module) {
    if (!inherits(module, "script_module")) {
      runtime_error(sprintf("`module` must be a script module, not %s.", friendly_type(module)))
    }
    cpp_module_add_child(script_handle(x), as.character(name), script_handle(module))
    invisible(x)
  },
  add_constant = function(x) function(name, value) {
    cpp_module_set_attribute(script_handle(x), name, value)
    invisible(x)
  },
  define = function(x) function(source, file = NULL) {
    text <- script_text(source, file, sys.call())
    cpp_module_define(script_handle(x), text$text, text$file, text$line)
    invisible(x)
  },
  state_dict = function(x) function(prefix = "", keepvars = FALSE) {
    all <- c(script_tensors(script_handle(x), 0L, TRUE), script_tensors(script_handle(x), 1L, TRUE))
    names(all) <- paste0(prefix, names(all))
    if (keepvars) all else lapply(all, function(t) t$detach())
  },
  load_state_dict = function(x) function(state_dict, ..., .refer_to_state_dict = FALSE) {
    own <- c(script_tensors(script_handle(x), 0L, TRUE), script_tensors(script_handle(x), 1L, TRUE))
    missing <- setdiff(names(own), names(state_dict))
    if (length(missing)) value_error(sprintf("`state_dict` has no entry `%s`.", missing[1]))
    with_no_grad(for (name in names(own)) own[[name]]$copy_(state_dict[[name]]))
    invisible(x)
  },
  zero_grad = function(x) function() tensors_zero_grad(unname(script_tensors(script_handle(x), 0L, TRUE)), FALSE),
  apply = function(x) function(fn) {
    for (child in script_children(script_handle(x))) child$apply(fn)
    fn(x)
    invisible(x)
  },
  .apply = function(x) function(fn) {
    for (tensor in c(x$parameters, x$buffers)) with_no_grad(tensor$set_data(fn(tensor$detach())))
    invisible(x)
  },
  to = function(x) function(dtype = NULL, device = NULL, ...) {
    x$.apply(function(t) t$to(dtype = if (t$is_floating_point()) dtype, device = device))
  },
  cuda = function(x) function(device = NULL) x$.apply(function(t) t$cuda(device)),
  cpu = function(x) function() x$.apply(function(t) t$cpu())
)

#' @export
`$.script_module` <- function(x, y) {
  handle <- script_handle(x)
  # A number, string or logical that a traced or scripted module holds.
  if (y %in% setdiff(cpp_module_list(handle, 4L, FALSE), "training")) return(cpp_module_attribute(handle, y))
  for (what in 0:2) {
    own <- cpp_module_list(handle, what, FALSE)
    if (y %in% names(own)) return(own[[y]])
  }
  method <- script_method(x, y)
  if (!is.null(method)) return(method)
  field <- script_fields[[y]]
  if (is.null(field)) NULL else field(x)
}

#' @export
`[[.script_module` <- function(x, y) {
  if (is.numeric(y)) return(script_children(script_handle(x))[[y]])
  `$.script_module`(x, y)
}

#' @export
`$<-.script_module` <- function(x, name, value) {
  if (name == "training") {
    cpp_module_train(script_handle(x), isTRUE(value))
  } else if (inherits(value, "script_module")) {
    x$register_module(name, value)
  } else if (is_nn_parameter(value)) {
    x$register_parameter(name, value)
  } else if (is_torch_tensor(value)) {
    x$register_buffer(name, value)
  } else {
    x$add_constant(name, value)
  }
  x
}
#' @export
`[[<-.script_module` <- function(x, name, value) `$<-.script_module`(x, name, value)
