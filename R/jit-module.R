# Script modules: what tracing a module, jit_load() and jit_unserialize() give. A closure over the module's `forward`.

new_script_module <- function(handle) {
  structure(script_forward(handle), class = c("script_module", "nn_module"), handle = handle)
}

script_forward <- function(handle) {
  forward <- named_method(handle, "forward")
  if (!is.null(forward)) return(function(...) (.External2(C_call, forward, ...)))
  overloads <- method_overloads(handle, "forward")
  if (length(overloads)) return(overloaded_call(overloads, "forward"))
  # Files of other tools may hold the two traces without a `forward`.
  train <- named_method(handle, "trainforward")
  eval <- named_method(handle, "evalforward")
  function(...) {
    method <- if (cpp_module_train(handle, NULL)) train else eval
    # `forward` may have been defined after this function was made.
    if (is.null(method)) method <- named_method(handle, "forward")
    if (is.null(method)) runtime_error("This script module has no `forward` method.")
    (.External2(C_call, method, ...))
  }
}

# TorchScript writes the overloads of a method as name__0, name__1, ...
method_overloads <- function(handle, name) {
  found <- list()
  repeat {
    one <- named_method(handle, paste0(name, "__", length(found)))
    if (is.null(one)) return(found)
    found[[length(found) + 1]] <- one
  }
}

overloaded_call <- function(methods, name) {
  function(...) {
    best <- cpp_choose_method(methods, list(...))
    if (best == 0) {
      type_error(paste0(
        "No overload of `", name, "` takes these arguments. There are:",
        paste0("\n* ", vapply(methods, cpp_callable_schema, ""), collapse = "")
      ))
    }
    (.External2(C_call, methods[[best]], ...))
  }
}

named_or_empty <- function(x) if (length(x)) x else structure(list(), names = character())

module_part <- function(handle, part, recursive = FALSE) cpp_module_list(handle, module_parts[[part]], recursive)

script_tensors <- function(handle, part, recursive) named_or_empty(module_part(handle, part, recursive))

script_children <- function(handle) named_or_empty(module_part(handle, "children"))

script_handle <- function(x) attr(x, "handle", exact = TRUE)

script_method <- function(x, name) {
  handle <- script_handle(x)
  method <- named_method(handle, name)
  if (!is.null(method)) return(new_script_function(method, "script_method"))
  overloads <- method_overloads(handle, name)
  if (length(overloads)) structure(overloaded_call(overloads, name), class = "script_method", handle = overloads[[1]])
}

# The trace of the current mode, or `forward`.
script_trace <- function(x) {
  mode <- if (cpp_module_train(script_handle(x), NULL)) "trainforward" else "evalforward"
  method <- script_method(x, mode)
  if (is.null(method)) script_method(x, "forward") else method
}

# A name for a member of a module.
script_name <- function(name, call = caller_env()) {
  if (is.numeric(name) && length(name) == 1) name <- as.character(name)
  if (!is_string(name)) value_error(sprintf("`name` must be a string, not %s.", friendly_type(name)), call)
  check_names(name, call)
  name
}

# Fields and methods of a script module: functions of the module.
script_fields <- list(
  parameters = function(x) script_tensors(script_handle(x), "parameters", TRUE),
  buffers = function(x) script_tensors(script_handle(x), "buffers", TRUE),
  children = function(x) script_children(script_handle(x)),
  modules = function(x) c(list(x), unname(as.list(module_part(script_handle(x), "modules", TRUE)))[-1]),
  training = function(x) cpp_module_train(script_handle(x), NULL),
  is_training = function(x) function() cpp_module_train(script_handle(x), NULL),
  train = function(x) function(mode = TRUE) {
    if (!is_bool(mode)) value_error(sprintf("`mode` must be TRUE or FALSE, not %s.", friendly_type(mode)))
    cpp_module_train(script_handle(x), mode)
    invisible(x)
  },
  eval = function(x) function() {
    cpp_module_train(script_handle(x), FALSE)
    invisible(x)
  },
  forward = function(x) {
    attributes(x) <- NULL
    x
  },
  graph = function(x) script_trace(x)$graph,
  inlined_graph = function(x) script_trace(x)$inlined_graph,
  code = function(x) script_trace(x)$code,
  schema = function(x) script_trace(x)$schema,
  graph_for = function(x) function(...) script_trace(x)$graph_for(...),
  named_parameters = function(x) function(recursive = TRUE) script_tensors(script_handle(x), "parameters", recursive),
  named_buffers = function(x) function(recursive = TRUE) script_tensors(script_handle(x), "buffers", recursive),
  register_parameter = function(x) function(name, param) {
    cpp_module_register(script_handle(x), script_name(name), param, FALSE)
    invisible(x)
  },
  register_buffer = function(x) function(name, tensor, persistent = TRUE) {
    if (!isTRUE(persistent)) runtime_error("`persistent` must be TRUE: buffers of a script module are always saved.")
    cpp_module_register(script_handle(x), script_name(name), tensor, TRUE)
    invisible(x)
  },
  register_module = function(x) function(name, module) {
    if (!inherits(module, "script_module")) {
      runtime_error(sprintf("`module` must be a script module, not %s.", friendly_type(module)))
    }
    cpp_module_add_child(script_handle(x), script_name(name), script_handle(module))
    invisible(x)
  },
  add_module = function(x) function(name, module) x$register_module(name, module),
  add_constant = function(x) function(name, value) {
    cpp_module_set_attribute(script_handle(x), script_name(name), value)
    invisible(x)
  },
  define = function(x) function(source, file = NULL) {
    text <- script_text(if (!missing(source)) source, file, sys.call())
    cpp_module_define(script_handle(x), text$text, text$file, text$line)
    invisible(x)
  },
  state_dict = function(x) function(prefix = "", keepvars = FALSE) {
    state <- script_tensors(script_handle(x), "tensors", TRUE)
    names(state) <- paste0(prefix, names(state), recycle0 = TRUE)
    if (keepvars) state else lapply(state, function(t) t$detach()$requires_grad_(t$requires_grad))
  },
  load_state_dict = function(x) function(state_dict, ..., .refer_to_state_dict = FALSE) {
    load_script_state(script_handle(x), state_dict, .refer_to_state_dict)
    invisible(x)
  },
  zero_grad = function(x) function() {
    tensors_zero_grad(unname(script_tensors(script_handle(x), "parameters", TRUE)), FALSE)
    invisible(x)
  },
  apply = function(x) function(fn) {
    for (module in rev(x$modules)) fn(module)
    invisible(x)
  },
  .apply = function(x) function(fn) {
    for (tensor in c(x$parameters, x$buffers)) tensor_apply(tensor, fn)
    invisible(x)
  },
  to = function(x) function(dtype = NULL, device = NULL, tensor = NULL, non_blocking = FALSE, copy = FALSE,
                            memory_format = torch_preserve_format()) {
    if (is_place(dtype)) return(x$to(device, dtype, tensor, non_blocking, copy, memory_format))
    x$.apply(tensor_mover(dtype %||% tensor$dtype, device %||% tensor$device, non_blocking, copy, memory_format))
  },
  cuda = function(x) function(device = NULL) x$to(device = as_cuda_device(device)),
  cpu = function(x) function() x$to(device = "cpu"),
  find_method = function(x) function(name) script_method(x, script_name(name)),
  find_constant = function(x) function(name) cpp_module_get(script_handle(x), script_name(name)),
  save = function(x) function(path) jit_save(x, path),
  save_for_mobile = function(x) function(path) jit_save_for_mobile(x, path),
  serialize = function(x) function(path = NULL) if (is.null(path)) jit_serialize(x) else jit_save(x, path),
  clone = function(x) function(deep = TRUE, ...) {
    if (!isTRUE(deep)) return(new_script_module(script_handle(x)))
    copy <- new_script_module(cpp_module_clone(script_handle(x)))
    attr(copy, "extra_files") <- attr(x, "extra_files", exact = TRUE)
    copy
  }
)

load_script_state <- function(handle, state, refer, call = caller_env()) {
  own <- script_tensors(handle, "tensors", TRUE)
  missing <- setdiff(names(own), names(state))
  if (length(missing)) value_error(sprintf("`state_dict` has no entry `%s`, which the module needs.", missing[1]), call)
  for (name in names(own)) {
    value <- state[[name]]
    if (!is_torch_tensor(value)) {
      type_error(sprintf("`state_dict$%s` must be a tensor, not %s.", name, friendly_type(value)), call)
    }
    if (!identical(value$shape, own[[name]]$shape)) {
      value_error(sprintf(
        "`state_dict$%s` must have the shape (%s) of the module's, not (%s).", name, toString(own[[name]]$shape),
        toString(value$shape)
      ), call)
    }
    if (refer) {
      cpp_module_refer(handle, name, value)
    } else {
      with_no_grad(own[[name]]$copy_(value))
    }
  }
}

#' @export
`$.script_module` <- function(x, y) {
  # Programs of the CRAN package have methods of these names, which return a flag.
  if (y == "eval" || y == "train") return(script_fields[[y]](x))
  handle <- script_handle(x)
  found <- cpp_module_get(handle, y)
  if (!is.null(found)) return(found)
  method <- script_method(x, y)
  if (!is.null(method)) return(method)
  field <- script_fields[[y]]
  if (is.null(field)) NULL else field(x)
}

#' @export
`[[.script_module` <- function(x, i) {
  if (is_string(i)) `$.script_module`(x, i) else pick_child(script_children(script_handle(x)), i)
}

#' @export
`$<-.script_module` <- function(x, name, value) {
  if (name == "training") {
    x$train(value)
  } else if (inherits(value, "script_module")) {
    x$register_module(name, value)
  } else if (is_nn_parameter(value)) {
    x$register_parameter(name, value)
  } else if (is_torch_tensor(value)) {
    x$register_buffer(name, value)
  } else {
    x$add_constant(name, script_value(value))
  }
  x
}
#' @export
`[[<-.script_module` <- function(x, i, value) {
  `$<-.script_module`(x, if (is_string(i)) i else pick_child(names(x$children), i), value)
}

#' @export
names.script_module <- function(x) {
  handle <- script_handle(x)
  # Parameters, buffers and children by their names, then those of other attributes and of methods.
  own <- c(
    lapply(c("parameters", "buffers", "children"), function(part) names(module_part(handle, part))),
    lapply(c("attributes", "methods"), function(part) module_part(handle, part))
  )
  unique(c(as.character(unlist(own)), names(script_fields)))
}
