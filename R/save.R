# R objects with tensors in them, in files. The file is a safetensors file: its tensors are those of the object, and the object
# itself, by R's serialize(), lies beside them with a mark in the place of each tensor.

#' Save and load R objects that hold tensors
#'
#' `torch_save()` writes tensors, modules, optimisers, generators, lists of them and any other R objects in which they
#' are; `torch_load()` reads them back. `torch_serialize()` gives the same bytes as a raw vector.
#'
#' A tensor that stands in several places is one tensor afterwards too; parameters stay parameters, and keep whether they need
#' gradients, but not their graph. Sparse tensors keep their layout. The values of a generator, script modules and script functions are saved with it.
#'
#' The file is in safetensors format: other programs read its tensors, [load_safetensors()] does too. `torch_load()` also
#' reads what the CRAN package torch wrote (both versions of its format, of modules the tensors), safetensors files of other programs
#' and, as [load_state_dict()], files of Python's `torch.save()`.
#'
#' @section Tensors in R's own files:
#' `saveRDS()`, saved workspaces, caches of knitr and Quarto, and packages that send R objects to other processes, such as
#' parallel, callr, future and mirai, carry tensors, modules, optimisers and generators too. The memory is written where the
#' tensor is, and read when it is first used; a tensor on a device is put there again if there is one. An object that stands in
#' several places is one object afterwards; tensors that share memory under different sizes (views) are tensors of their own.
#' `options(torch.serialize_in_rds = FALSE)` leaves the memory out, for sessions with large tensors that save their workspace:
#' what is read is then a dead tensor, which says so when it is used. Script functions and modules are dead in any case: use
#' [jit_save()] or `torch_save()`.
#'
#' @section Safety:
#' A file gets its name when it is whole and on the disk. What is read is checked before R makes an object of it: a damaged
#' file is an error, and reading one runs no code. The functions that an object holds, the methods of a module for example, are in the
#' file as well, and run when they are called: load only what you trust, or [load_safetensors()] of it.
#'
#' @param obj An R object.
#' @param path A file or a connection; to load also a raw vector. A connection that is closed is opened in binary mode.
#' @param ... Not used.
#' @param compress Not used: tensors hardly get smaller.
#' @param device Where the tensors go: a device or its name.
#' @return `torch_save()` its `obj`, invisibly; `torch_load()` the object; `torch_serialize()` a raw vector.
#' @section Errors:
#' A file that can't be written or read is a `torch_runtime_error` that names it; an object with handles in it that can't be
#' saved, such as graphs, is a `value_error`, and so is one that could not be read back, such as lists nested 5,000 deep.
#' @seealso [save_state_dict()] for files that Python reads, [jit_save()] for programs that run without R, [save_safetensors()].
#' @examplesIf torch::torch_is_installed()
#' file <- tempfile(fileext = ".pt")
#' model <- nn_linear(2, 1)
#' torch_save(list(model = model, epoch = 3), file)
#' torch_load(file)$model
#' @export
torch_save <- function(obj, path, ..., compress = TRUE) {
  if (inherits(path, "connection")) {
    write_to_connection(write_object(obj), path)
    return(invisible(obj))
  }
  path <- path_to_write(path)
  about_writing(write_object(obj, path), path)
  invisible(obj)
}

write_to_connection <- function(bytes, connection, call = caller_env()) {
  tryCatch(with_connection(connection, "wb", writeBin(bytes, connection), call), warning = function(w) {
    runtime_error(sprintf("The connection can't be written: %s.", conditionMessage(w)), call)
  })
}

#' @rdname torch_save
#' @export
torch_serialize <- function(obj, ...) {
  write_object(obj)
}

# The name in the file of a tensor that is saved alone.
only_tensor <- "...unnamed..."

write_object <- function(obj, path = NULL, call = caller_env()) {
  found <- new_collection(call)
  if (is_torch_tensor(obj) && is_plain(obj) && !is_sparse_tensor(obj)) {
    found$key_of(obj, only_tensor)
    return(write_collection(found, "tensor", NULL, path))
  }
  # Lists are as the CRAN package has them, which has no marks but these strings; everything else has R's own.
  marked <- if (is_bare_tree(obj)) mark_tensors(obj, found) else obj
  robj <- serialize_with_states(marked, found)
  write_collection(found, if (is_nn_module(obj)) "module" else "list", robj, path)
}

# A tensor without a class or attributes of its own.
is_plain <- function(x) length(attributes(x)) == 1L && length(class(x)) == 2L

# Whether `x` is a list of lists, values and tensors, nested no deeper than R functions can safely call each other.
deepest_tree <- 100L
is_bare_tree <- function(x, depth = 0L) {
  if (is_torch_tensor(x)) return(TRUE)
  if (!is.list(x) || is.environment(x)) return(is.atomic(x) || is.null(x))
  depth < deepest_tree && all(vapply(unclass(x), is_bare_tree, NA, depth + 1L))
}

mark_tensors <- function(x, found) {
  if (is_torch_tensor(x)) return(address_mark(found$key_of(x)))
  if (!is.list(x)) return(x)
  like <- x
  x <- unclass(x)
  keys <- found$keys_of(x)
  known <- !is.na(keys)
  x[known] <- lapply(keys[known], address_mark)
  x[!known] <- lapply(x[!known], mark_tensors, found = found)
  with_attributes(x, like)
}

with_attributes <- function(x, like) {
  attributes(x) <- attributes(like)
  if (isS4(like)) asS4(x) else x
}

address_mark <- function(key) `class<-`(key, "torch_tensor_address")

# Collects the handles that an object holds: each tensor once, what else it takes to make the handle again, and the
# marks. Without `instances` R writes objects of installed classes whole, with their methods, because what reads them has
# the same packages.
new_collection <- function(call, what = "`obj`", instances = new_instance_marks()) {
  # These are tables by key, because a list takes longer the more it holds.
  tensors <- new_environment()
  order <- character()
  n <- 0L
  extra <- list()
  keys <- new_environment()
  kept <- new_environment()
  # One tensor may have several R objects, each with attributes of its own.
  key_of <- function(x, key = NULL) {
    if (is_dead(x)) value_error(sprintf("%s holds a dead tensor: it was saved and read back by R, without its memory.", what), call)
    if (is_undefined_tensor(x)) value_error(sprintf("%s holds an undefined tensor.", what), call)
    if (is_sparse_tensor(x)) return(sparse_key(x))
    address <- tensor_address(x)
    if (is.null(keys[[address]])) {
      key <- key %||% address
      keys[[address]] <- key
      tensors[[key]] <- x
      n <<- n + 1L
      order[n] <<- key
    }
    key <- keys[[address]]
    if (!is_plain(x)) {
      key <- paste0(key, "/", sum(startsWith(names2(extra), paste0(key, "/"))) + 1L)
      extra[[key]] <<- list(kind = "tensor", attributes = attributes(x))
    }
    key
  }
  # The keys of those elements of a list that are plain tensors, all at once; NA for the others.
  keys_of <- function(x) {
    facts <- cpp_tensor_facts(x)
    addresses <- facts$key
    addresses[!facts$is_dense] <- NA
    addresses[!is.na(addresses)] <- ifelse(vapply(x[!is.na(addresses)], is_plain, NA), addresses[!is.na(addresses)], NA)
    known <- which(!is.na(addresses))
    first <- known[!duplicated(addresses[known])]
    first <- first[lengths(mget(addresses[first], keys, ifnotfound = list(NULL))) == 0L]
    if (length(first)) {
      list2env(set_names(as.list(addresses[first]), addresses[first]), keys)
      list2env(set_names(x[first], addresses[first]), tensors)
      order[n + seq_along(first)] <<- addresses[first]
      n <<- n + length(first)
    }
    addresses[known] <- vapply(mget(addresses[known], keys), identity, "")
    addresses
  }
  # A sparse tensor is a handle that is made of other tensors.
  sparse_key <- function(x) {
    address <- obj_address(x)
    if (is.null(keys[[address]])) {
      parts <- vapply(sparse_parts(x$detach()), key_of, "")
      key <- paste0("sparse", length(extra) + 1L)
      extra[[key]] <<- list(
        kind = "sparse", layout = layout_of(x), parts = parts, size = x$shape, requires_grad = x$requires_grad,
        attributes = if (!is_plain(x)) attributes(x)
      )
      keys[[address]] <- key
      # The object is kept, so that no other one gets its address.
      kept[[key]] <- x
    }
    keys[[address]]
  }
  # Notes another handle once.
  noted <- function(x, entry) {
    address <- obj_address(x)
    if (is.null(keys[[address]])) {
      key <- paste0(if (entry$kind == "environment") "environment" else "handle", length(extra) + 1L)
      extra[[key]] <<- entry
      keys[[address]] <- key
    }
    keys[[address]]
  }
  handle_key <- function(x) {
    if (is_dead(x)) return(NULL)
    if (!is.null(keys[[obj_address(x)]])) return(keys[[obj_address(x)]])
    if (inherits(x, "torch_generator")) {
      return(noted(x, list(kind = "generator", state = as_array(x$get_state()))))
    }
    program <- if (inherits(x, "torch_script_module_handle")) x else if (inherits(x, "torch_callable")) {
      tryCatch(cpp_module_from_function(x), torch_runtime_error = function(e) NULL)
    }
    if (is.null(program)) value_error(sprintf("%s holds %s, which can't be saved.", what, friendly_type(x)), call)
    kind <- if (inherits(x, "torch_callable")) "function" else "module"
    noted(x, list(kind = kind, program = cpp_module_serialize(program, FALSE, NULL)))
  }
  # serialize() calls this. Gives the string that stands for a pointer or an environment, or NULL for what R writes
  # itself.
  mark <- function(x) {
    if (is.environment(x)) {
      # The environment of a script module, which holds handles of its methods.
      handle <- if (identical(parent.env(x), topenv())) get0("handle", x, inherits = FALSE)
      if (!inherits(handle, "torch_script_module_handle") || is_dead(handle)) {
        return(if (!is.null(instances)) instances$mark(x))
      }
      return(noted(x, list(kind = "environment", of = handle_key(handle))))
    }
    if (typeof(x) != "externalptr") return(NULL)
    if (is_torch_tensor(x)) return(key_of(x))
    if (inherits(x, saved_handles)) handle_key(x)
  }
  environment()
}

# The functions that give the places of the values, by layout.
sparse_layouts <- list(
  sparse_coo = "indices", sparse_csr = c("crow_indices", "col_indices"), sparse_csc = c("ccol_indices", "row_indices"),
  sparse_bsr = c("crow_indices", "col_indices"), sparse_bsc = c("ccol_indices", "row_indices")
)
layout_of <- function(x) sub("^torch_", "", format(x$layout))
is_sparse_tensor <- function(x) !cpp_tensor_facts(list(x))$is_dense && layout_of(x) %in% names(sparse_layouts)
sparse_parts <- function(x) {
  layout <- layout_of(x)
  if (layout == "sparse_coo") x <- x$coalesce()
  parts <- lapply(set_names(sparse_layouts[[layout]]), function(name) eval(call("$", x, as.name(name)))())
  c(parts, list(values = x$values()))
}

saved_handles <- c(
  "torch_generator", "torch_script_module_handle", "torch_callable", "torch_graph_handle", "torch_unit_handle", "torch_script_object",
  "autograd_node"
)

write_collection <- function(found, type, robj, path) {
  tensors <- mget(found$order, found$tensors)
  special <- list()
  needs_grad <- list()
  facts <- cpp_tensor_facts(tensors)
  unknown <- !facts$dtype %in% c(safetensors_dtypes, 8L, 10L) | !facts$is_dense
  if (any(unknown)) value_error(sprintf("%s holds a tensor that can't be saved: %s.", found$what, type_line(tensors[unknown][[1]])), found$call)
  needs_grad[found$order[facts$requires_grad]] <- TRUE
  for (i in which(facts$dtype %in% 8:10)) {
    # The format holds these tensors as bytes.
    special[[found$order[[i]]]] <- list(shape = facts$shape[[i]], dtype = special_dtypes[[as.character(facts$dtype[[i]])]])
    tensors[[i]] <- buffer_from_torch_tensor(tensors[[i]]$resolve_conj())
  }
  as_object <- function(x) if (length(x)) x else structure(list(), names = character())
  about <- list(
    type = type, version = 3L, requires_grad = as_object(needs_grad), special_dtype = as_object(special),
    writer = paste0("torch ", package_version_text()), states = length(found$instances$instances) + length(found$instances$classes) > 0
  )
  if (length(found$extra)) tensors[["__handles__"]] <- serialize(found$extra, NULL)
  if (!is.null(robj)) tensors[["__robj__"]] <- robj
  write_safetensors(tensors, list(`__r__` = as.character(jsonlite::toJSON(about, auto_unbox = TRUE))), path)
}

special_dtypes <- c("8" = "chalf", "9" = "cfloat", "10" = "cdouble")

# The version of this package that wrote a file. The CRAN package writes none.
package_version_text <- function() getNamespaceVersion(topenv())[[1L]]

#' @rdname torch_save
#' @export
torch_load <- function(path, device = "cpu") {
  if (is.null(device)) value_error("Unexpected device: `device` must be a device or its name, not NULL.")
  device <- as_device(device)
  source <- source_to_read(path)
  about_file(read_object(source, device), source_name(path), current_env())
}

# How marks of environments begin (see strings() in src/stream.cpp).
environment_marks <- "^(instance|class/|scope/|environment)"

# `foreign` says whether the caller asks for a file that R has not written.
read_object <- function(source, device, foreign = FALSE) {
  first <- if (is.raw(source)) utils::head(source, 262) else readBin(source, "raw", 262)
  if (is_rds(first)) return(read_version_2(source, device))
  if (is_python_file(first)) return(read_values(source, device))
  if (identical(first[258:262], charToRaw("ustar"))) {
    damaged("it was written by a PyTorch before 0.1.10: load and save it with one between that and 2.5")
  }
  header <- read_safetensors_header(source)
  about <- header$metadata["__r__"]
  if (is.na(about)) {
    if (!foreign) warning("The file was not written by R: its tensors are given as a list.", call. = FALSE)
    return(read_safetensors_tensors(source, header, device))
  }
  about <- json_of(about, "what it says of itself is no JSON")
  if (!is.list(about) || !is_string(about$type)) damaged("it does not say what it holds")
  inner <- c("__robj__", "__handles__")
  tensors <- read_safetensors_tensors(source, header, device, which(!header$name %in% inner))
  tensors <- as_they_were(tensors, about)
  if (about$type == "tensor") {
    if (length(tensors) != 1) damaged("it holds no tensor")
    return(tensors[[1]])
  }
  if (about$type == "state_dict") return(tensors)
  foreign <- is.null(about$writer)
  if (about$type == "module" && foreign) {
    warning("The file holds a module of another package, with its R code: its tensors are given as a state dict.", call. = FALSE)
    return(tensors)
  }
  bytes <- function(name) as_array(read_safetensors_tensors(source, header, NULL, which(header$name == name))[[1]])
  handles <- list()
  if ("__handles__" %in% header$name) {
    packed <- bytes("__handles__")
    if (cpp_stream_check(packed)) damaged("what it says of its handles is code")
    handles <- revive_handles(read_stream(packed), tensors, device)
  }
  if (!"__robj__" %in% header$name) damaged("it holds no R object")
  robj <- bytes("__robj__")
  cpp_stream_check(robj)
  if (any(names2(c(tensors, handles)) == "")) damaged("a tensor in it has no name")
  # R takes these marks for environments, so they must be environments.
  are_environments <- grepl(environment_marks, c(names(tensors), names(handles)))
  if (any(are_environments != vapply(c(tensors, handles), is.environment, NA))) damaged("a mark in it is that of something else")
  known <- list2env(c(tensors, handles), new_environment())
  instances <- if (isTRUE(about$states)) new_instance_readers()
  handle_of_key <- function(key) {
    if (!is.null(instances) && instances$is_mark(key)) return(instances$environment_of(key))
    if (!is_string(key) || is.null(known[[key]])) damaged("it holds a mark of a tensor that is not there")
    known[[key]]
  }
  object <- read_stream(robj, handle_of_key)
  if (is.null(instances)) unmark(object, handle_of_key) else instances$revive(object)
}

# cpp_stream_check() has checked the stream. R may still find something wrong.
read_stream <- function(bytes, refhook = NULL) {
  tryCatch(unserialize(bytes, refhook = refhook), error = function(e) {
    if (inherits(e, "torch_error")) cnd_signal(e)
    damaged(paste("the R object in it is damaged:", conditionMessage(e)))
  })
}

# Makes complex tensors and those that need gradients what they were.
as_they_were <- function(tensors, about) {
  for (key in intersect(names(about$special_dtype), names(tensors))) {
    facts <- about$special_dtype[[key]]
    shape <- as.double(unlist(facts$shape))
    if (!is_string(facts$dtype) || !facts$dtype %in% special_dtypes || anyNA(shape)) damaged("a tensor has a dtype that is not known")
    x <- tensors[[key]]
    dtype <- as_dtype(facts$dtype)
    if (x$numel() != prod(shape) * dtype$itemsize) damaged("a tensor is not of the size that it says")
    tensors[[key]] <- x$view(dtype = dtype)$reshape(shape)
  }
  for (key in intersect(names(about$requires_grad), names(tensors))) {
    x <- tensors[[key]]
    if (isTRUE(about$requires_grad[[key]]) && (x$is_floating_point() || x$is_complex())) x$requires_grad_(TRUE)
  }
  tensors
}

revive_handles <- function(entries, tensors, device) {
  if (!is.list(entries) || (length(entries) && is.null(names(entries)))) damaged("what it says of its handles has no names")
  out <- list()
  programs <- list()
  for (key in names(entries)) {
    entry <- entries[[key]]
    if (!is.list(entry) || !is_string(entry$kind)) damaged("it has a handle of no kind")
    out[[key]] <- switch(entry$kind,
      tensor = {
        x <- tensors[[sub("/[0-9]+$", "", key)]]
        if (is.null(x)) damaged("it holds a mark of a tensor that is not there")
        marked_tensor(x, entry$attributes)
      },
      generator = revive_generator(entry),
      sparse = revive_sparse(entry, tensors),
      module = {
        programs[[key]] <- jit_load(entry$program, device = device)
        script_handle(programs[[key]])
      },
      environment = {
        program <- if (is_string(entry$of)) programs[[entry$of]]
        if (is.null(program)) damaged("it has a script module without a program")
        environment(program)
      },
      `function` = attr(jit_load(entry$program, device = device)$forward, "handle", exact = TRUE),
      damaged("it has a handle of a kind that is not known")
    )
  }
  out
}

# Another R object of the same tensor, with the marks of parameters and buffers.
marked_tensor <- function(x, attributes) {
  ok <- is.list(attributes) && is.character(attributes$class) && all(c("torch_tensor", "R7") %in% attributes$class)
  if (!ok) damaged("a tensor has a class that is none")
  attributes(x) <- attributes
  x
}

# LibTorch checks that the places fit the size.
revive_sparse <- function(entry, tensors) {
  parts <- if (is.character(entry$parts)) tensors[entry$parts]
  ok <- is_string(entry$layout) && identical(names(entry$parts), c(sparse_layouts[[entry$layout]], "values")) &&
    all(vapply(parts, is_torch_tensor, NA)) && is.numeric(entry$size) && is_bool(entry$requires_grad)
  if (!ok) damaged("it has a sparse tensor that is none")
  x <- tryCatch(
    if (entry$layout == "sparse_coo") {
      torch_sparse_coo_tensor(parts[[1L]], parts[[2L]], entry$size)$coalesce()
    } else {
      layout <- new_layout(match(entry$layout, layout_names) - 1L)
      call_torch_function(
        "torch_sparse_compressed_tensor", parts[[1L]], parts[[2L]], parts[[3L]], entry$size, layout = layout, quiet = TRUE
      )
    },
    torch_error = function(e) damaged("it has a sparse tensor that is none")
  )
  x$requires_grad_(entry$requires_grad && (x$is_floating_point() || x$is_complex()))
  if (is.null(entry$attributes)) x else marked_tensor(x, entry$attributes)
}

revive_generator <- function(entry) {
  if (!is.raw(entry$state)) damaged("it has a generator without a state")
  generator <- torch_generator()
  generator$set_state(torch_tensor(entry$state))
  generator
}

# Deeper lists have no such marks, see is_bare_tree().
unmark <- function(x, handle_of_key, depth = 0L) {
  if (inherits(x, "torch_tensor_address")) return(handle_of_key(as.vector(unclass(x))))
  if (!is.list(x) || is.environment(x) || depth > deepest_tree) return(x)
  marked <- vapply(unclass(x), function(element) is.list(element) || inherits(element, "torch_tensor_address"), NA)
  if (!any(marked)) return(x)
  like <- x
  x <- unclass(x)
  x[marked] <- lapply(x[marked], unmark, handle_of_key = handle_of_key, depth = depth + 1L)
  tryCatch(with_attributes(x, like), error = function(e) damaged("a list in it has attributes that no list can have"))
}

# ---- in R's own serialization ---------------------------------------------------------------------------------------------

# The glue calls this. Gives what R writes of a tensor or a generator, or NULL for nothing. No error may leave this
# function.
state_of_handle <- function(x) {
  if (isFALSE(getOption("torch.serialize_in_rds"))) return(NULL)
  tryCatch({
    if (inherits(x, "torch_generator")) return(list(kind = "generator", state = as_array(x$get_state())))
    if (is_undefined_tensor(x)) return(NULL)
    list(kind = "tensor", bytes = write_object(x), device = as.character(x$device))
  }, error = function(e) NULL)
}

# The glue calls this to make the handle again.
revive_handle <- function(state) {
  about_file({
    if (!is.list(state) || !is_string(state$kind)) damaged("it is not what torch writes")
    if (state$kind == "generator") return(revive_generator(state))
    if (!is.raw(state$bytes) || !is_string(state$device)) damaged("it is not what torch writes")
    x <- read_object(state$bytes, as_device("cpu"))
    if (!is_torch_tensor(x)) damaged("it is not what torch writes")
    # The tensor goes to the device where it was, if this machine has it.
    if (state$device == "cpu") x else tryCatch(torch_device_moved(x, state$device), error = function(e) x)
  }, "A tensor that R has saved", NULL)
}

torch_device_moved <- function(x, device) {
  with_no_grad(x$to(device = device))$requires_grad_(x$requires_grad)
}

# ---- the older format of the CRAN package --------------------------------------------------------------------------------

# A gzipped or plain RDS with the bytes of LibTorch's own archives.
is_rds <- function(first) {
  identical(first[1:2], as.raw(c(0x1f, 0x8b))) || identical(first[1:2], charToRaw("X\n")) || identical(first[1:3], charToRaw("BZh"))
}

read_version_2 <- function(source, device) {
  bytes <- if (is.raw(source)) source else readBin(source, "raw", file.size(source))
  if (identical(bytes[1:2], charToRaw("BZh"))) damaged("it is an RDS of a kind that torch has not written")
  if (identical(bytes[1:2], as.raw(c(0x1f, 0x8b)))) bytes <- unpacked(bytes)
  cpp_stream_check(bytes)
  stored <- read_stream(bytes)
  if (!is.list(stored) || is.object(stored) || !is_string(stored$type) || is.null(stored$values)) damaged("it is an RDS that torch has not written")
  if (!identical(as.numeric(stored$version), 2)) damaged("it has an older format than this version of torch reads")
  values <- stored$values
  if (stored$type == "module") {
    warning("The file holds a module of another package, with its R code: its tensors are given as a state dict.", call. = FALSE)
    values <- if (is.list(values)) values$state_dict
  }
  revive_version_2(values, device)
}

# Compression makes tensors hardly smaller. A file whose contents would become very much larger holds no tensors.
unpacked <- function(bytes) {
  most <- 2^26 + 50 * length(bytes)
  connection <- gzcon(rawConnection(bytes))
  # R reports a wrong checksum on the error output and gives what there is.
  said <- textConnection(NULL, "w")
  before <- sink.number(type = "message")
  sink(said, type = "message")
  on.exit({
    if (before == 2L) sink(type = "message") else sink(getConnection(before), type = "message")
    close(said)
    close(connection)
  })
  pieces <- list(raw())
  size <- 0
  while (length(piece <- readBin(connection, "raw", 2^22))) {
    size <- size + length(piece)
    if (size > most) damaged("it is packed too tightly to be a file of tensors")
    pieces[[length(pieces) + 1L]] <- piece
  }
  if (length(textConnectionValue(said))) damaged("it is cut short or damaged: its checksum is wrong")
  do.call(c, pieces)
}

revive_version_2 <- function(x, device) {
  if (is.raw(x)) {
    x <- as.vector(unclass(x))
    if (is_rds(x)) return(read_version_2(x, device))
    tensors <- jit_load(x, device = device)$state_dict()
    if (length(tensors) != 1) damaged("it holds something else than a tensor where it says one")
    return(marked_as_plain(tensors[[1]]))
  }
  if (!is.list(x)) return(x)
  x[] <- lapply(x, revive_version_2, device = device)
  x
}

# A tensor without the marks of a parameter or a buffer.
marked_as_plain <- function(x) {
  class(x) <- c("torch_tensor", "R7")
  attr(x, "persistent") <- NULL
  x
}
