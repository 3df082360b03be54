# Script modules: what tracing a module, jit_load() and jit_unserialize() give. A closure over the module's `forward`.

new_script_module <- function(handle) {
  forward <- cpp_module_method(handle, "forward")
  # Files of other tools may hold two traces and no `forward`.
  if (is.null(forward)) {
    train <- cpp_module_method(handle, "trainforward")
    eval <- cpp_module_method(handle, "evalforward")
    f <- function(...) {
      method <- if (cpp_module_train(handle, NULL)) train else eval
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
  graph_for = function(x) function(...) script_method(x, "forward")$graph_for(...),
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
  define = function(x) function(source) {
    cpp_module_define(script_handle(x), dedent(source))
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

#' Save and load TorchScript programs
#'
#' `jit_save()` writes LibTorch's archive, which PyTorch reads with `torch.jit.load(file)` and C++ with
#' `torch::jit::load(file)`; the program is then called as `model(x)`. The file is written beside and renamed, so that a
#' failure leaves an old one whole. `jit_load()` reads files of any LibTorch that is not newer. `jit_serialize()` and
#' `jit_unserialize()` do the same with a raw vector.
#'
#' @param obj A `script_function` or `script_module`; for `jit_unserialize()` a raw vector.
#' @param path A file.
#' @param ... Not used.
#' @param device Where the tensors go; `NULL`: where they were saved.
#' @return `jit_save()` its `obj`, invisibly; `jit_load()` a `script_module`; `jit_serialize()` a raw vector.
#' @examplesIf torch::torch_is_installed()
#' f <- jit_trace(function(x) torch_relu(x), torch_tensor(1))
#' file <- tempfile(fileext = ".pt")
#' jit_save(f, file)
#' jit_load(file)(torch_tensor(c(-1, 0, 1)))
#' @export
jit_save <- function(obj, path, ...) save_script(obj, path, mobile = FALSE)

#' @rdname jit_save
#' @export
jit_save_for_mobile <- function(obj, path, ...) save_script(obj, path, mobile = TRUE)

save_script <- function(obj, path, mobile, call = caller_env()) {
  handle <- script_to_save(obj, call)
  if (!is_string(path)) type_error(sprintf("`path` must be the name of a file, not %s.", friendly_type(path)), call)
  path <- path.expand(path)
  if (dir.exists(path)) value_error(sprintf("`path` must be a file, but `%s` is a folder.", path), call)
  if (!dir.exists(dirname(path))) value_error(sprintf("`path` can't be written: there is no folder `%s`.", dirname(path)), call)
  # In a folder beside, under a name of its own: LibTorch names the archive's root after the file.
  folder <- tempfile(".jit_save-", dirname(path))
  dir.create(folder)
  on.exit(unlink(folder, recursive = TRUE))
  beside <- file.path(folder, "model.pt")
  cpp_module_save(handle, beside, mobile)
  if (!file.rename(beside, path)) runtime_error(sprintf("`%s` can't be written.", path), call)
  invisible(obj)
}

script_to_save <- function(obj, call = caller_env()) {
  if (inherits(obj, "script_module")) return(script_handle(obj))
  if (inherits(obj, "script_function")) return(cpp_module_from_function(attr(obj, "handle", exact = TRUE)))
  value_error(sprintf("`obj` must be a script_function or a script_module, not %s.", friendly_type(obj)), call)
}

#' @rdname jit_save
#' @export
jit_load <- function(path, ..., device = NULL) {
  if (!is_string(path)) type_error(sprintf("`path` must be the name of a file, not %s.", friendly_type(path)))
  path <- path.expand(path)
  if (!file.exists(path) || dir.exists(path)) value_error(sprintf("There is no file `%s`.", path))
  device <- as.character(as_device(device))[1] %|NA|% NULL
  new_script_module(read_script(cpp_module_load(path, device), sprintf("`%s` can't be read as a TorchScript program", path)))
}

# LibTorch's words on a broken archive do not say which.
read_script <- function(handle, problem, call = caller_env()) {
  tryCatch(handle, torch_runtime_error = function(e) {
    torch_abort(paste0(problem, ": ", conditionMessage(e)), "torch_runtime_error", call, cpp_trace = e$cpp_trace)
  })
}

`%|NA|%` <- function(x, y) if (length(x) == 0 || is.na(x)) y else x

#' @rdname jit_save
#' @export
jit_serialize <- function(obj) {
  if (!inherits(obj, "script_module")) {
    value_error(sprintf("`obj` must be a script_module, not %s.", friendly_type(obj)))
  }
  cpp_module_serialize(script_handle(obj))
}

#' @rdname jit_save
#' @export
jit_unserialize <- function(obj) {
  if (!is.raw(obj)) value_error(sprintf("`obj` must be a raw vector, not %s.", friendly_type(obj)))
  new_script_module(read_script(cpp_module_unserialize(obj, NULL), "`obj` can't be read as a TorchScript program"))
}
