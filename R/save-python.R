# Files of Python's torch.save(): values and tensors in a pickle. The shim reads and writes the pickle as a table of values
# (ts_values_read() in torch_shim_functions.h); here the table becomes R values, and the other way round.

#' State dicts in files of Python's
#'
#' `load_state_dict()` reads what Python's `torch.save()` wrote, `save_state_dict()` writes what its `torch.load()` reads: state
#' dicts of modules, optimisers and schedulers, and dicts and lists of them with numbers, strings and other tensors.
#' [torch_load()] reads such files too.
#'
#' Tensors that share memory do so afterwards, also with other strides; parameters come back as parameters. Values are
#'
#' | Python | R |
#' |---|---|
#' | dict, OrderedDict, Counter, with strings or numbers as keys | list with names |
#' | list, tuple, set | vector if all are numbers, all bools or all strings, and more than one; else list |
#' | None, bool, str, float, complex | `NULL`, logical, character, double, complex |
#' | int | integer; double where it is larger; `integer64` where it is larger than doubles tell apart |
#' | bytes, torch.dtype, torch.device | raw, [torch_dtype], [torch_device()] |
#'
#' and when they are written a vector with names is a dict, one of another length than 1 a list, `list(1)` a list of one
#' number. In a module's place its state dict is written, and so for optimisers and schedulers. The parameters in the state dict
#' of an optimiser count from 1 in R and from 0 in a file, and so do the layers in the names of recurrent ones (`weight_ih_l1`
#' becomes `weight_ih_l0`); `$load_state_dict()` of optimisers and modules takes both. An optimiser that was given a module's
#' `$parameters` has them in a file in PyTorch's order, in which those of a module come before those of the modules in it.
#'
#' @section Safety:
#' A pickle is a program. Nothing in it is run. If it would call anything that does not make values or tensors, such
#' as the class of a whole Python module, it is refused before anything is read, and the error names what it would
#' call. Files from before PyTorch 1.6 are read too. All numbers in a file are checked before memory is used for them.
#'
#' @param path A file or a connection; to load also a raw vector.
#' @param ... Not used.
#' @param legacy_stream Not used: old files are recognised.
#' @param device Where the tensors go: a device or its name.
#' @param obj A state dict or a list; a module, an optimiser or a scheduler, or a list of these and of values.
#' @return `load_state_dict()` mostly a named list of tensors, in the order of the file; `save_state_dict()` its `obj`,
#'   invisibly.
#' @section Errors:
#' A file that can't be read or written is a `torch_runtime_error` that names it and says what is wrong. What Python has no
#' form for, such as functions, factors, `NA` and lists of which only some elements have names, is a `value_error` that tells
#' where it is.
#' @seealso [torch_save()] for any R objects, [save_safetensors()]
#' @source `torch.save()` and `torch.load(weights_only=True)` of PyTorch.
#' @examplesIf torch::torch_is_installed()
#' model <- nn_linear(2, 1)
#' opt <- optim_adam(model$parameters)
#' file <- tempfile(fileext = ".pth")
#' save_state_dict(list(model = model, opt = opt, epoch = 3L), file)
#' checkpoint <- load_state_dict(file)
#' model$load_state_dict(checkpoint$model)
#' opt$load_state_dict(checkpoint$opt)
#' @export
load_state_dict <- function(path, ..., legacy_stream = FALSE, device = "cpu") {
  device <- as_device(device)
  source <- source_to_read(path)
  about_file(read_object(source, device, foreign = TRUE), source_name(path), current_env())
}

#' @rdname load_state_dict
#' @export
save_state_dict <- function(obj, path, ...) {
  if (inherits(path, "connection")) {
    write_to_connection(cpp_values_write(NULL, values_table(obj, current_env())), path)
    return(invisible(obj))
  }
  path <- path_to_write(path)
  table <- values_table(obj, current_env())
  about_writing(cpp_values_write(path, table), path)
  invisible(obj)
}

pickled <- c(
  none = 0L, bool = 1L, int = 2L, long = 3L, float = 4L, complex = 5L, text = 6L, bytes = 7L, dtype = 8L, device = 9L, tensor = 10L,
  parameter = 11L, list = 12L, dict = 13L
)

# ---- reading -------------------------------------------------------------------------------------------------------------

is_python_file <- function(first) {
  is_archive <- identical(first[1:4], charToRaw("PK\003\004"))
  # Old files begin with this number, in a pickle of its own. Newer pickles have nine bytes before it.
  magic <- as.raw(c(0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e))
  is_archive || (identical(first[1], as.raw(0x80)) && (identical(first[3:15], magic) || identical(first[12:24], magic)))
}

read_values <- function(source, device) {
  table <- set_names(cpp_values_read(source, as.character(device)), c("kind", "n", "items", "numbers", "texts", "tensors"))
  kind <- table$kind
  n <- as_doubles(table$n)
  at <- lapply(pickled, function(number) which(kind == number))
  out <- vector("list", length(kind))
  # The names that dicts give to their values.
  key <- rep(NA_character_, length(kind))
  of <- function(which, values) values[n[at[[which]]] + 1]

  out[at$bool] <- as.list(n[at$bool] != 0)
  key[at$bool] <- ifelse(n[at$bool] != 0, "True", "False")
  key[at$none] <- "None"
  out[at$int] <- whole_numbers(table$n[at$int])
  key[at$int] <- sprintf("%.0f", n[at$int])
  out[at$float] <- as.list(of("float", table$numbers))
  key[at$float] <- as.character(of("float", table$numbers))
  out[at$complex] <- as.list(complex(real = of("complex", table$numbers), imaginary = of("complex", table$numbers[-1])))
  out[at$text] <- of("text", table$texts)
  key[at$text] <- as.character(unlist(of("text", table$texts)))
  out[at$bytes] <- lapply(of("bytes", table$texts), as.raw)
  out[at$dtype] <- lapply(as.integer(n[at$dtype]), new_dtype)
  out[at$device] <- lapply(unlist(of("device", table$texts)), device_of, "device", NULL)
  out[at$tensor] <- of("tensor", table$tensors)
  out[at$parameter] <- lapply(of("parameter", table$tensors), function(x) nn_parameter(x, x$requires_grad))
  holds <- kind == pickled[["list"]] | kind == pickled[["dict"]]
  ends <- cumsum(ifelse(holds, n, 0))
  for (i in which(holds)) {
    held <- table$items[ends[i] - n[i] + seq_len(n[i])]
    out[[i]] <- if (kind[i] == pickled[["list"]]) list_of_values(out[held], kind[held]) else dict_of_values(out, key, held)
  }
  out[[length(out)]]
}

# Large integers are rounded.
as_doubles <- function(x) if (inherits(x, "integer64")) suppressWarnings(bit64::as.double.integer64(x)) else x

# Gives integers where the numbers fit, and doubles where these tell them apart.
whole_numbers <- function(x) {
  doubles <- as_doubles(x)
  out <- as.list(doubles)
  small <- abs(doubles) <= .Machine$integer.max
  out[small] <- as.list(as.integer(doubles[small]))
  large <- which(abs(doubles) > 2^53)
  out[large] <- lapply(large, function(i) x[i])
  out
}

list_of_values <- function(values, kinds) {
  kinds <- unique(kinds)
  numbers <- pickled[c("int", "float")]
  plain <- length(kinds) == 1 && kinds %in% pickled[c("bool", "complex", "text")] || length(kinds) > 0 && all(kinds %in% numbers)
  if (!plain || length(values) < 2 || any(vapply(values, inherits, NA, "integer64"))) return(values)
  unlist(values)
}

dict_of_values <- function(values, key, held) {
  is_key <- seq_along(held) %% 2 == 1
  names <- key[held[is_key]]
  if (anyNA(names)) damaged("it holds a dict whose keys are no strings and no numbers")
  set_names(values[held[!is_key]], names)
}

# ---- writing -------------------------------------------------------------------------------------------------------------

# The table of an object, in the form that ts_values_write() takes.
values_table <- function(obj, call) {
  # The pieces of the table by their number, and what they point to.
  pieces <- list()
  texts <- new_pool()
  parts <- list()
  tensors <- new_tensor_pool(call)
  add <- function(kinds, numbers) pieces[[length(pieces) + 1L]] <<- list(kinds, numbers)
  refuse <- function(where, why) value_error(sprintf("`%s` can't be written to a file of Python's: %s.", where, why), call)

  add_value <- function(x, where, depth = 0L) {
    if (is.null(x)) return(add(pickled[["none"]], 0))
    if (is_torch_tensor(x)) {
      return(add(pickled[[if (is_nn_parameter(x)) "parameter" else "tensor"]], tensors$place_of(list(x), where)))
    }
    if (is_nn_module(x) || is_optimizer(x) || inherits(x, "LRScheduler")) return(add_value(x$state_dict(), where, depth))
    if (is_torch_dtype(x)) return(add(pickled[["dtype"]], as.double(unclass(x))))
    if (inherits(x, "torch_device")) return(add(pickled[["device"]], texts$add(as.character(x))))
    if (inherits(x, "integer64") && length(x) == 1L && is.null(names(x))) return(add(pickled[["long"]], as.double(unclass(x))))
    if (is.object(x) && !inherits(x, "torch_dict") || !(is.list(x) || is.atomic(x)) || !is.null(dim(x))) {
      refuse(where, sprintf("it is %s", friendly_type(x)))
    }
    if (is.raw(x) && is.null(names(x))) {
      parts[[length(parts) + 1L]] <<- x
      return(add(pickled[["bytes"]], length(parts) - 1))
    }
    if (is.atomic(x) && length(x) == 1L && is.null(names(x))) return(add_atoms(x, where))
    if (depth == deepest_tree) value_error("`obj` can't be written to a file of Python's: it is nested too deeply.", call)
    add_all(x, where, depth)
  }
  add_all <- function(x, where, depth) {
    if (is_optimizer_dict(x)) x <- positions_from_zero(x)
    if (is.list(x) && !is.null(x$last_epoch)) x <- numbers_of_groups(x)
    names <- names(x)
    if (!is.null(names) && (anyNA(names) || any(names == ""))) refuse(where, "only some of its elements have names")
    if (anyDuplicated(names)) refuse(where, "two of its elements have one name")
    add(pickled[[if (is.null(names)) "list" else "dict"]], length(x))
    if (!length(x)) return()
    if (any(grepl("weight_hh_l1", names, fixed = TRUE))) names <- count_layers(names, 1L, 0L)
    if (is.null(names) && is.atomic(x)) return(add_atoms(x, where))
    within <- paste0(where, if (is.null(names)) sprintf("[[%d]]", seq_along(x)) else paste0("$", names))
    keys <- if (is.null(names)) NULL else if (is_int_dict(x)) as.double(names) else texts$add(names)
    key_kind <- pickled[[if (is_int_dict(x)) "int" else "text"]]
    plain <- is.list(x) && all(vapply(x, is_torch_tensor, NA)) && !any(vapply(x, is_nn_parameter, NA))
    if (plain) {
      places <- tensors$place_of(unname(x), within)
      kinds <- rep(pickled[["tensor"]], length(x))
      if (is.null(names)) return(add(kinds, places))
      return(add(as.vector(rbind(key_kind, kinds)), as.vector(rbind(keys, places))))
    }
    for (i in seq_along(x)) {
      if (!is.null(keys)) add(key_kind, keys[[i]])
      add_value(if (is.list(x)) .subset2(x, i) else unname(x[i]), within[[i]], depth + 1L)
    }
  }
  add_atoms <- function(x, where) {
    if (!is.complex(x) && !is.double(x) && anyNA(x)) refuse(where, "it is NA")
    n <- length(x)
    switch(typeof(x),
      logical = add(rep(pickled[["bool"]], n), as.double(x)),
      integer = add(rep(pickled[["int"]], n), as.double(x)),
      double = add(rep(pickled[["float"]], n), as.double(x)),
      complex = add(rep(pickled[c("complex", "float")], n), as.vector(rbind(Re(x), Im(x)))),
      character = add(rep(pickled[["text"]], n), texts$add(x)),
      refuse(where, sprintf("it is %s", friendly_type(x)))
    )
  }
  add_value(obj, "obj")
  list(
    as.integer(unlist(lapply(pieces, `[[`, 1L))), as.double(unlist(lapply(pieces, `[[`, 2L))), texts$all(), parts, tensors$all()
  )
}

# A pool of texts. Their places count from 0.
new_pool <- function() {
  pieces <- list()
  n <- 0
  add <- function(x) {
    pieces[[length(pieces) + 1L]] <<- enc2utf8(x)
    n <<- n + length(x)
    n - length(x) + seq_along(x) - 1
  }
  all <- function() as.character(unlist(pieces))
  environment()
}

# A pool that holds each tensor once.
new_tensor_pool <- function(call) {
  places <- new_environment()
  tensors <- list()
  n <- 0
  place_of <- function(x, where) {
    facts <- cpp_tensor_facts(x)
    for (i in which(is.na(facts$key) | !facts$is_dense)) refuse_tensor(x[[i]], where[[i]], call)
    first <- which(!duplicated(facts$key))
    first <- first[lengths(mget(facts$key[first], places, ifnotfound = list(NULL))) == 0L]
    if (length(first)) {
      list2env(set_names(as.list(n + seq_along(first) - 1), facts$key[first]), places)
      tensors[n + seq_along(first)] <<- x[first]
      n <<- n + length(first)
    }
    vapply(mget(facts$key, places), identity, 0)
  }
  all <- function() tensors
  environment()
}

refuse_tensor <- function(x, where, call) {
  if (is_dead(x)) value_error(sprintf("`%s` is a dead tensor: it was saved and read back by R, without its memory.", where), call)
  if (is_undefined_tensor(x)) value_error(sprintf("`%s` is an undefined tensor.", where), call)
  value_error(sprintf("`%s` is a tensor that can't be saved: %s.", where, type_line(x)), call)
}

# Whether this is an optimiser's `$state_dict()`, from R or from Python.
is_optimizer_dict <- function(x) {
  is.list(x) && length(x) == 2L && setequal(names(x), c("param_groups", "state")) && is.list(x$state) && is.list(x$param_groups) &&
    all(vapply(x$param_groups, function(group) is.list(group) && is_whole_numbers(group$params), NA))
}
is_whole_numbers <- function(x) length(x) > 0L && is.numeric(x <- unlist(x)) && !is.object(x) && isTRUE(all(x == trunc(x)))

# In the state of a scheduler PyTorch goes through these, also where there is one group.
numbers_of_groups <- function(dict) {
  at <- intersect(names(dict), c("base_lrs", "max_lrs", "min_lrs", "base_momentums", "max_momentums", "_last_lr", "_milestones"))
  replace(dict, at, lapply(dict[at], as.list))
}

positions_from_zero <- function(dict) {
  there <- unlist(lapply(dict$param_groups, function(group) in_python_order(unlist(group$params), group$params)))
  dict$param_groups <- lapply(dict$param_groups, function(group) {
    group$params <- as.list(match(in_python_order(unlist(group$params), group$params), there) - 1L)
    group
  })
  if (length(dict$state)) names(dict$state) <- match(as.integer(names(dict$state)), there) - 1L
  attr(dict$state, "int_keys") <- TRUE
  dict
}
is_int_dict <- function(x) isTRUE(attr(x, "int_keys"))
