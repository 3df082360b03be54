# TorchScript programs in files, connections and raw vectors.

#' Save and load TorchScript programs
#'
#' `jit_save()` writes LibTorch's archive, which PyTorch reads with `torch.jit.load(file)` and C++ with
#' `torch::jit::load(file)`; the program is then called as `model(x)`. `jit_save_for_mobile()` adds the bytecode of the
#' lite interpreter. `jit_load()` reads what any LibTorch wrote, from 1.4 on, that is not newer. `jit_serialize()` and
#' `jit_unserialize()` do the same with a raw vector.
#'
#' @section Extra files:
#' Facts that belong to a model travel in its archive, as files of any content. In Python they are
#' `torch.jit.load(file, _extra_files = {"scaling.json": ""})`, in C++ the argument `extra_files` of
#' `torch::jit::load()`. A loaded module keeps them: `jit_extra_files()` shows them, and the next `jit_save()` writes
#' them again unless it is told otherwise.
#'
#' @section Positions:
#' A program counts positions as the R function did that it was traced from: from 1, also where Python or C++ calls it.
#' See the section of that name in [jit_trace()], and its argument `index_base`.
#'
#' @section Safety:
#' A file gets its name when it is whole and on the disk: a full disk, an error, a killed process or a power cut leaves an
#' old file as it was. What a killed process left beside it is removed by the next save. A file that is read is checked first, directory, sizes and
#' checksums, so that a damaged one is an error and not a wrong weight. So is a program in which calls, with the blocks
#' around them, or modules are nested more than 1,000 levels deep.
#'
#' @section What a program can do:
#' A program in a file can compute, hold tensors and text, draw random numbers, print, and change the tensors that it is
#' given. It can't call R or Python. It reaches files through few operators, `torch.save()` and `torch.from_file()` among
#' them, and other processes through those for distributed training: a program that holds one of these is refused unless
#' `allow_files = TRUE`. So is, always, one that takes values to be of types that they can't have, or calls operators
#' that trust their arguments blindly; where it says what a value of several types is, that is checked when it runs.
#' It can still take time and memory without end, so load only what you trust.
#'
#' @section Names:
#' Members, methods and arguments of a module of R have their names in R also after [jit_load()]. In Python, a name that
#' is none there has its closest identifier: `fc.1` is `fc_1`, `or` is `or_`.
#'
#' @param obj A `script_function` or `script_module`; for `jit_unserialize()` a raw vector. A function becomes the
#'   `forward` of a module.
#' @param path A file, or a connection, which is opened in binary mode if it is closed; for `jit_load()` also a raw
#'   vector.
#' @param ... Must be empty.
#' @param device Where the tensors go, a device or a string such as `"cuda:0"`; `NULL`: where they were saved. With
#'   `"cpu"` a model that was saved on a GPU loads on a machine without one.
#' @param extra_files To save: a named list of strings and raw vectors; `NULL`: those that `obj` came with. To load: the
#'   names of the extra files that must be there; `NULL`: whatever there is.
#' @param allow_files Whether the program may hold operators that reach files or other processes.
#' @param x A `script_module`.
#' @param raw Whether all are given as raw vectors. Else text (UTF-8 without zero bytes) comes as a string.
#' @returns `jit_save()` its `obj`, invisibly; `jit_load()` and `jit_unserialize()` a `script_module`;
#'   `jit_serialize()` a raw vector; `jit_extra_files()` a named list.
#'
#'   What cannot be written or read is a `torch_runtime_error` that names the file; arguments of a wrong kind are
#'   `type_error`s and `value_error`s. Source: LibTorch's `torch::jit::ExportModule` and `torch::jit::load`.
#' @examplesIf torch::torch_is_installed()
#' f <- jit_trace(function(x) torch_relu(x), torch_tensor(1))
#' file <- tempfile(fileext = ".pt")
#' jit_save(f, file)
#' jit_load(file)(torch_tensor(c(-1, 0, 1)))
#'
#' # The scaling of the inputs travels with the model.
#' speed <- scale(cars$speed)
#' net <- jit_trace(nn_linear(1, 1), torch_tensor(speed))
#' scaling <- c(mean = attr(speed, "scaled:center"), sd = attr(speed, "scaled:scale"))
#' lines <- paste(names(scaling), scaling, sep = ",", collapse = "\n")
#' jit_save(net, file, extra_files = list(scaling.csv = lines))
#'
#' net <- jit_load(file, extra_files = "scaling.csv")
#' scaling <- read.csv(text = jit_extra_files(net)$scaling.csv, header = FALSE, row.names = 1)
#' net(torch_tensor(matrix((21 - scaling["mean", ]) / scaling["sd", ])))
#' @export
jit_save <- function(obj, path, ..., extra_files = NULL) {
  check_no_dots(...)
  save_script(obj, path, mobile = FALSE, extra_files)
}

#' @rdname jit_save
#' @export
jit_save_for_mobile <- function(obj, path, ..., extra_files = NULL) {
  check_no_dots(...)
  save_script(obj, path, mobile = TRUE, extra_files)
}

save_script <- function(obj, path, mobile, extra_files = NULL, call = caller_env()) {
  handle <- script_to_save(obj, call)
  extra_files <- extra_files_to_save(obj, extra_files, call)
  if (inherits(path, "connection")) {
    bytes <- cpp_module_serialize(handle, mobile, extra_files)
    with_connection(path, "wb", writeBin(bytes, path))
    return(invisible(obj))
  }
  path <- path_to_write(path, call)
  about_script(cpp_module_save(handle, path, mobile, extra_files), sprintf("`%s` can't be written", path), call)
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

check_no_dots <- function(..., call = caller_env()) {
  if (...length() > 0) {
    value_error("Only the first arguments go by position: name the others, as in `device = \"cpu\"`.", call)
  }
}

# LibTorch's errors do not name the file, and take a bad program for a bug of LibTorch.
about_script <- function(expr, problem, call) {
  tryCatch(expr, torch_runtime_error = function(e) {
    # The reader writes a cast in a form of its own. Users know the form of the file.
    message <- gsub("ops.torchshim.cast(uninitialized(", "unchecked_cast((", conditionMessage(e), fixed = TRUE)
    if (is_inner_check(message)) {
      message <- "LibTorch finds no sense in the program."
    } else if (grepl("'CUDA' backend|CUDA device|NVIDIA driver", message)) {
      message <- "its tensors were saved on a CUDA device, and there is none. Use `device = \"cpu\"`."
    }
    torch_abort(paste0(problem, ": ", message), "torch_runtime_error", call, cpp_trace = e$cpp_trace)
  })
}

with_connection <- function(connection, mode, expr, call = caller_env()) {
  force(call)
  # What R itself says of a connection that is closed, or open for something else.
  tryCatch({
    if (!isOpen(connection)) {
      open(connection, mode)
      on.exit(close(connection))
    }
    expr
  }, simpleError = function(e) {
    runtime_error(sprintf("The connection can't be %s: %s.", if (mode == "rb") "read" else "written", conditionMessage(e)), call)
  })
}

# The extra files as a named list of raw vectors.
extra_files_to_save <- function(obj, files, call) {
  if (is.null(files)) return(attr(obj, "extra_files", exact = TRUE))
  if (is.character(files)) files <- as.list(files)
  names <- names2(files)
  if (!is.list(files) || any(names == "") || anyDuplicated(names)) {
    value_error("`extra_files` must be a list of strings and raw vectors with a name of its own for each.", call)
  }
  bad <- nchar(names, "bytes") > 255 | grepl("(^|/)[.]{0,2}(/|$)|\\\\", names)
  if (any(bad)) {
    value_error(sprintf(
      "`extra_files` must have names such as \"scaling.json\" or \"data/mean.csv\", not %s.",
      encodeString(names[bad][1], quote = "\"")
    ), call)
  }
  names(files) <- names
  Map(function(file, name) {
    if (is.raw(file)) return(as.vector(file))
    if (is_string(file)) return(charToRaw(enc2utf8(file)))
    value_error(sprintf("`extra_files$%s` must be a string or a raw vector, not %s.", name, friendly_type(file)), call)
  }, files, names)
}

#' @rdname jit_save
#' @export
jit_extra_files <- function(x, raw = FALSE) {
  if (!inherits(x, "script_module")) type_error(sprintf("`x` must be a script_module, not %s.", friendly_type(x)))
  files <- named_or_empty(attr(x, "extra_files", exact = TRUE))
  if (raw) files else lapply(files, text_or_raw)
}

text_or_raw <- function(bytes) {
  if (any(bytes == 0)) return(bytes)
  text <- rawToChar(bytes)
  if (!validUTF8(text)) return(bytes)
  Encoding(text) <- "UTF-8"
  text
}

#' @rdname jit_save
#' @export
jit_load <- function(path, ..., device = NULL, extra_files = NULL, allow_files = FALSE) {
  check_no_dots(...)
  if (inherits(path, "connection")) {
    bytes <- with_connection(path, "rb", read_to_end(path))
    return(load_script(bytes, "The connection", device, extra_files, allow_files))
  }
  if (is.raw(path)) return(load_script(path, "`path`", device, extra_files, allow_files))
  if (!is_string(path)) {
    type_error(sprintf("`path` must be the name of a file, a connection or a raw vector, not %s.", friendly_type(path)))
  }
  path <- path.expand(path)
  if (!file.exists(path) || dir.exists(path)) value_error(sprintf("There is no file `%s`.", path))
  load_script(path, sprintf("`%s`", path), device, extra_files, allow_files)
}

read_to_end <- function(connection) {
  pieces <- list()
  while (length(piece <- readBin(connection, "raw", 2^20))) pieces[[length(pieces) + 1]] <- piece
  do.call(c, pieces) %||% raw()
}

# What programs in files may hold (inst/ops/programs.tsv), and what R itself can't call.
read_program_rules <- function(file, notes) {
  rules <- utils::read.delim(file, comment.char = "#", colClasses = "character")
  unsafe <- names(notes)[vapply(notes, function(note) identical(note$unsafe, "yes"), NA)]
  rbind(rules, data.frame(operator = paste0("aten::", unsafe), rule = rep("refused", length(unsafe))))
}

set_program_rules <- function() {
  cpp_set_rules(program_rules$operator, match(program_rules$rule, c("named", "files", "refused")) - 1L)
}

load_script <- function(source, name, device, extra_files, allow_files, call = caller_env()) {
  if (!is.null(extra_files) && (!is.character(extra_files) || anyNA(extra_files))) {
    type_error(sprintf("`extra_files` must be the names of files, not %s.", friendly_type(extra_files)), call)
  }
  if (!is_bool(allow_files)) value_error("`allow_files` must be TRUE or FALSE.", call)
  device <- as_device(device, call)
  if (!is.null(device)) device <- as.character(device)
  loaded <- about_script(cpp_module_load(source, device, allow_files), paste(name, "can't be read as a TorchScript program"), call)
  files <- loaded[[2]]
  missing <- setdiff(extra_files, names(files))
  if (length(missing)) {
    value_error(sprintf(
      "%s holds no extra file \"%s\"; it holds %s.", name, missing[1],
      if (length(files)) paste0("\"", names(files), "\"", collapse = ", ") else "none"
    ), call)
  }
  module <- new_script_module(loaded[[1]])
  attr(module, "extra_files") <- if (is.null(extra_files)) files else files[extra_files]
  module
}

#' @rdname jit_save
#' @export
jit_serialize <- function(obj, ..., extra_files = NULL) {
  check_no_dots(...)
  handle <- script_to_save(obj)
  cpp_module_serialize(handle, FALSE, extra_files_to_save(obj, extra_files, environment()))
}

#' @rdname jit_save
#' @export
jit_unserialize <- function(obj, ..., device = NULL, extra_files = NULL, allow_files = FALSE) {
  check_no_dots(...)
  if (!is.raw(obj)) value_error(sprintf("`obj` must be a raw vector, not %s.", friendly_type(obj)))
  load_script(obj, "`obj`", device, extra_files, allow_files)
}
