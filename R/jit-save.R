# TorchScript programs in files and raw vectors.

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
  if (inherits(obj, "script_function")) {
    handle <- attr(obj, "handle", exact = TRUE)
    module <- cpp_module_from_function(handle)
    names <- attr(handle, "r_names", exact = TRUE)
    if (!is.null(names)) add_r_names(module, "forward", names)
    return(module)
  }
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
