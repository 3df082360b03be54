# The safetensors format: eight bytes with the length of a header, the header in JSON (for each tensor its dtype, its shape and
# where it lies; metadata), the tensors' memory.

# The names of dtypes in such files, with LibTorch's numbers, and the bytes of an element.
safetensors_dtypes <- c(
  U8 = 0L, I8 = 1L, I16 = 2L, I32 = 3L, I64 = 4L, F16 = 5L, F32 = 6L, F64 = 7L, C64 = 9L, BOOL = 11L, BF16 = 15L, F8_E5M2 = 23L,
  F8_E4M3 = 24L, U16 = 27L, U32 = 28L, U64 = 29L
)
safetensors_sizes <- c(
  U8 = 1, I8 = 1, I16 = 2, I32 = 4, I64 = 8, F16 = 2, F32 = 4, F64 = 8, C64 = 8, BOOL = 1, BF16 = 2, F8_E5M2 = 1, F8_E4M3 = 1,
  U16 = 2, U32 = 4, U64 = 8
)
# The format itself sets this limit.
longest_header <- 1e8

# Writes to the file `path`, or gives a raw vector. `tensors` is a named list of tensors and raw vectors, and
# `metadata` holds named strings.
write_safetensors <- function(tensors, metadata, path = NULL) {
  names <- names2(tensors)
  facts <- cpp_tensor_facts(tensors)
  dtypes <- names(safetensors_dtypes)[match(facts$dtype, safetensors_dtypes)]
  shapes <- facts$shape
  bytes <- which(vapply(tensors, is.raw, NA))
  dtypes[bytes] <- "U8"
  shapes[bytes] <- lapply(tensors[bytes], length)
  sizes <- vapply(shapes, prod, 0) * safetensors_sizes[dtypes]
  # Tensors with larger elements come first. Then each lies at a place that a pointer to its elements may have.
  order <- order(-safetensors_sizes[dtypes], method = "radix")
  ends <- cumsum(as.double(sizes[order]))
  starts <- ends - sizes[order]
  number <- function(x) sprintf("%.0f", x)
  entries <- sprintf(
    "%s:{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%s,%s]}",
    json_strings(names[order]), dtypes[order], vapply(shapes[order], function(shape) paste(number(shape), collapse = ","), ""),
    number(starts), number(ends)
  )
  if (length(metadata)) {
    entries <- c(sprintf("\"__metadata__\":{%s}", paste0(
      json_strings(names(metadata)), ":", json_strings(unlist(metadata)), collapse = ","
    )), entries)
  }
  header <- charToRaw(enc2utf8(paste0("{", paste(entries, collapse = ","), "}")))
  header <- c(header, rep(charToRaw(" "), -length(header) %% 8))
  length <- writeBin(as.integer(c(length(header), 0)), raw(), endian = "little")
  cpp_parts_write(path, c(list(length, header), unname(tensors[order])))
}

json_strings <- function(x) {
  plain <- !grepl("[^ !#-\\[\\]-~]", x, perl = TRUE)
  x[plain] <- paste0("\"", x[plain], "\"")
  x[!plain] <- vapply(x[!plain], function(text) as.character(jsonlite::toJSON(enc2utf8(text), auto_unbox = TRUE)), "")
  unname(x)
}

# The header of a file or a raw vector: a list with the columns `name`, `dtype`, `shape`, `start` and `end` (absolute), and
# `metadata`. A header that says what can't be is an error.
read_safetensors_header <- function(source) {
  size <- if (is.raw(source)) length(source) else file.size(source)
  begin <- function(n) if (is.raw(source)) source[seq_len(n)] else readBin(source, "raw", n)
  if (size < 8) damaged("it is too short")
  # Most headers are not longer than this, and then the file is opened only once.
  first <- begin(min(size, 4096))
  lengths <- readBin(first, "integer", 2, endian = "little")
  length <- lengths[1] %% 2^32 + lengths[2] %% 2^32 * 2^32
  if (is.na(length) || length > longest_header || length > size - 8) damaged("its header is longer than the file")
  text <- (if (8 + length > length(first)) begin(8 + length) else first)[8 + seq_len(length)]
  if (any(text == 0)) damaged("its header is no text")
  text <- rawToChar(text)
  if (!validUTF8(text)) damaged("its header is no text")
  Encoding(text) <- "UTF-8"
  header <- json_of(text, "its header is no JSON")
  if (!is.list(header) || (length(header) && is.null(names(header)))) damaged("its header has no names")
  metadata <- header[["__metadata__"]]
  header[["__metadata__"]] <- NULL
  if (anyDuplicated(names(header))) damaged("two tensors have one name")
  if (!is.null(metadata) && !all(vapply(metadata, is_string, NA))) damaged("its metadata is no text")
  entries <- lapply(header, read_safetensors_entry)
  start <- vapply(entries, `[[`, 0, "start") + 8 + length
  end <- vapply(entries, `[[`, 0, "end") + 8 + length
  if (any(end > size)) damaged("a tensor goes beyond the end of the file")
  # Bytes that belong to two tensors would be read twice, so a small file could fill the memory.
  by_place <- order(start, end)
  if (any(utils::head(end[by_place], -1) > start[by_place][-1])) damaged("two tensors lie in one place")
  list(
    name = names(header) %||% character(), dtype = vapply(entries, `[[`, "", "dtype"), shape = lapply(entries, `[[`, "shape"),
    start = start, end = end, metadata = unlist(metadata) %||% character()
  )
}

read_safetensors_entry <- function(entry) {
  if (!is.list(entry) || !is_string(entry$dtype)) damaged("it does not say of what dtype a tensor is")
  if (!entry$dtype %in% names(safetensors_dtypes)) damaged(sprintf("it has a dtype that is not known, \"%s\"", entry$dtype))
  numbers <- function(x) {
    if (!is.list(x) || !all(vapply(x, function(n) is.numeric(n) && length(n) == 1 && n >= 0 && n < 2^53 && n == trunc(n), NA))) {
      damaged("a shape or a place is no list of whole numbers")
    }
    as.double(unlist(x))
  }
  shape <- numbers(entry$shape)
  place <- numbers(entry$data_offsets)
  if (length(place) != 2 || place[2] - place[1] != prod(shape) * safetensors_sizes[[entry$dtype]]) {
    damaged("the place of a tensor is not of its size")
  }
  list(dtype = entry$dtype, shape = shape, start = place[1], end = place[2])
}

# Reads the text of a file as JSON. jsonlite puts the text into errors as a format of C's, in which a `%n` ends the
# process, so the text must hold no percent sign. fromJSON() would also open an address or a path that is given as
# text.
json_of <- function(text, why) {
  if (!validUTF8(text)) damaged(why)
  text <- gsub("%", "\\u0025", text, fixed = TRUE)
  tryCatch(jsonlite::parse_json(text), error = function(e) damaged(why))
}

damaged <- function(why) torch_abort(why, "torch_file_error", call = NULL)

# Adds the name of the file to what is wrong with it.
about_file <- function(expr, what, call) {
  tell <- function(e) {
    message <- sub("[.]$", "", sub("^The R object in the file can't be read: ", "", conditionMessage(e)))
    torch_abort(sprintf("%s can't be read: %s.", what, message), "torch_runtime_error", call)
  }
  tryCatch(expr, torch_error = tell, stackOverflowError = function(e) tell(simpleCondition(too_deep)))
}

# The tensors of a header by name, or `which` of them.
read_safetensors_tensors <- function(source, header, device = NULL, which = seq_along(header$name)) {
  tensors <- cpp_pieces_read(
    source, header$start[which], unname(safetensors_dtypes[header$dtype[which]]), header$shape[which],
    if (!is.null(device)) as.character(device)
  )
  set_names(tensors, header$name[which])
}

#' Tensors in safetensors files
#'
#' Models are passed on between programs in this format: named tensors and named strings, and nothing that runs.
#' `save_safetensors()` writes it, and `load_safetensors()` reads it, both also a model that is split over several files with
#' an index, `model.safetensors.index.json`. `safetensors_metadata()` reads the strings, and which tensors there are,
#' without reading the tensors.
#'
#' @param tensors A named list of tensors: parameters or buffers of a module, the `$state_dict()` of one.
#' @param path A file; to load also a raw vector or an index in JSON.
#' @param metadata A named list of strings.
#' @param max_shard_size Bytes of tensors that a file may hold, one tensor at least. More tensors go into files
#'   `model-00001-of-00003.safetensors`, ... beside `path`, `model.safetensors`, and `model.safetensors.index.json` tells which
#'   tensor is in which: that is the file to load.
#' @param device Where the tensors go: a device or its name.
#' @param names Names of those to load; `NULL`: all.
#' @return `save_safetensors()` its `tensors`, invisibly; `load_safetensors()` a named list of tensors;
#'   `safetensors_metadata()` a data frame with a row for each tensor (`name`, `dtype`, `shape`, `bytes`) and the metadata as
#'   the attribute `metadata`.
#' @section Errors:
#' A file that can't be written or read is a `torch_runtime_error` that names it and says what is wrong. A file gets its name
#' when it is whole. What is read is checked before memory is used for it.
#' @source The format: <https://github.com/huggingface/safetensors>.
#' @seealso [torch_save()] for any R objects with tensors in them.
#' @examplesIf torch::torch_is_installed()
#' file <- tempfile(fileext = ".safetensors")
#' save_safetensors(nn_linear(2, 1)$state_dict(), file, metadata = list(author = "me"))
#' load_safetensors(file)
#' @export
save_safetensors <- function(tensors, path, metadata = NULL, max_shard_size = Inf) {
  if (!is.list(tensors) || !all(vapply(tensors, is_torch_tensor, NA)) || (length(tensors) && !is_named(tensors))) {
    type_error(sprintf("`tensors` must be a list of tensors with names, not %s.", friendly_type(tensors)))
  }
  if (anyDuplicated(names(tensors)) || "__metadata__" %in% names(tensors)) {
    value_error("`tensors` must have a name of its own for each tensor, and none `__metadata__`.")
  }
  if (length(metadata) && (!is_named(metadata) || !all(vapply(metadata, is_string, NA)))) {
    type_error("`metadata` must be a list of strings with names.")
  }
  facts <- cpp_tensor_facts(tensors)
  unknown <- !facts$dtype %in% safetensors_dtypes | !facts$is_dense
  if (any(unknown)) {
    value_error(sprintf("The format has no form for `%s`, %s.", names(tensors)[unknown][1], type_line(tensors[unknown][[1]])))
  }
  if (!is_number(max_shard_size) || max_shard_size <= 0) {
    value_error(sprintf("`max_shard_size` must be a number of bytes, not %s.", describe_value(max_shard_size)))
  }
  path <- path_to_write(path)
  sizes <- vapply(facts$shape, prod, 0) * safetensors_sizes[match(facts$dtype, safetensors_dtypes)]
  shard <- shards(sizes, max_shard_size)
  n <- max(shard, 1L)
  if (n == 1L) {
    about_writing(write_safetensors(tensors, as.list(metadata), path), path)
    return(invisible(tensors))
  }
  files <- sprintf("%s-%05d-of-%05d.safetensors", sub("[.]safetensors$", "", path), seq_len(n), n)
  for (i in seq_len(n)) {
    about_writing(write_safetensors(tensors[shard == i], as.list(metadata), files[i]), files[i])
  }
  # It is there once all that it names is.
  index <- paste0(path, ".index.json")
  text <- jsonlite::toJSON(list(
    metadata = list(total_size = sum(sizes)), weight_map = as.list(set_names(basename(files)[shard], names(tensors)))
  ), auto_unbox = TRUE, digits = NA)
  about_writing(cpp_parts_write(index, list(charToRaw(enc2utf8(text)))), index)
  invisible(tensors)
}

# The file of each tensor, in their order: the next one begins where it would become too large.
shards <- function(sizes, most) {
  shard <- integer(length(sizes))
  n <- 1L
  held <- 0
  for (i in seq_along(sizes)) {
    if (held > 0 && held + sizes[i] > most) {
      n <- n + 1L
      held <- 0
    }
    held <- held + sizes[i]
    shard[i] <- n
  }
  shard
}

is_special_layout <- function(x) layout_names[unclass(x$layout) + 1L] != "strided" || x$is_quantized()

#' @rdname save_safetensors
#' @export
load_safetensors <- function(path, device = "cpu", names = NULL) {
  device <- as_device(device)
  source <- source_to_read(path)
  what <- source_name(path)
  if (!is.raw(source) && grepl("[.]json$", source)) return(load_sharded(source, device, names))
  about_file({
    header <- read_safetensors_header(source)
    read_safetensors_tensors(source, header, device, wanted_tensors(header$name, names, what))
  }, what, current_env())
}

wanted_tensors <- function(there, names, what) {
  if (is.null(names)) return(seq_along(there))
  missing <- setdiff(names, there)
  if (length(missing)) damaged(sprintf("it has no tensor `%s`", missing[1]))
  match(names, there)
}

load_sharded <- function(index, device, names, call = caller_env()) {
  about_file({
    if (file.size(index) > longest_header) damaged("it is too long for an index")
    text <- readBin(index, "raw", file.size(index))
    parsed <- json_of(if (any(text == 0)) "" else rawToChar(text), "it is no JSON")
    map <- if (is.list(parsed)) parsed$weight_map
    if (!is.list(map) || !all(vapply(map, is_string, NA))) damaged("it has no `weight_map`")
  }, source_name(index), call)
  if (!length(map)) return(list())
  files <- unlist(map)
  # An index names files in its own folder.
  if (any(files != basename(files))) value_error(sprintf("`%s` names a file in another folder.", index), call)
  if (any(grepl("[.]json$", files))) value_error(sprintf("`%s` names another index.", index), call)
  if (!is.null(names)) files <- files[about_file(wanted_tensors(names(files), names, index), source_name(index), call)]
  out <- list()
  for (file in unique(files)) {
    out <- c(out, load_safetensors(file.path(dirname(index), file), device, names(files)[files == file]))
  }
  out[names(files)]
}

#' @rdname save_safetensors
#' @export
safetensors_metadata <- function(path) {
  source <- source_to_read(path)
  header <- about_file(read_safetensors_header(source), source_name(path), current_env())
  structure(
    data.frame(
      name = header$name, dtype = unname(header$dtype), shape = I(lapply(unname(header$shape), as.integer)),
      bytes = unname(header$end - header$start)
    ),
    metadata = header$metadata
  )
}

path_to_write <- function(path, call = caller_env()) {
  if (!is_string(path)) {
    type_error(sprintf("`path` must be the name of a file or a connection, not %s.", friendly_type(path)), call)
  }
  path <- path.expand(path)
  if (dir.exists(path)) value_error(sprintf("`path` must be a file, but `%s` is a folder.", path), call)
  if (!dir.exists(dirname(path))) {
    value_error(sprintf("`path` can't be written: there is no folder `%s`.", dirname(path)), call)
  }
  path
}

about_writing <- function(expr, path, call = caller_env()) {
  tryCatch(expr, torch_runtime_error = function(e) {
    torch_abort(sprintf("`%s` can't be written: %s", path, conditionMessage(e)), "torch_runtime_error", call)
  })
}

# The source is the name of a file, or its bytes.
source_to_read <- function(path, call = caller_env()) {
  if (is.raw(path)) return(path)
  if (inherits(path, "connection")) return(with_connection(path, "rb", read_to_end(path)))
  if (!is_string(path)) {
    type_error(sprintf("`path` must be the name of a file, a connection or a raw vector, not %s.", friendly_type(path)), call)
  }
  path <- path.expand(path)
  if (!file.exists(path) || dir.exists(path)) value_error(sprintf("There is no file `%s`.", path), call)
  path
}
source_name <- function(path) if (is.raw(path)) "`path`" else if (inherits(path, "connection")) "The connection" else sprintf("`%s`", path)
