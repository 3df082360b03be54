# What a module costs: a table of its layers, with what they hold, return and multiply.

#' @include nn-print.R
NULL

#' Layers of a module as a table
#'
#' @param object A module.
#' @param ... Example inputs, as the module is called. It is run on them once, without gradients, and left as it was.
#' @return A data frame with a row for the module and for each module in it, in the order in which they are held: `layer`
#'   (its path, empty for the module itself), `module` (the call that makes it), `output` (the shape of what it returned,
#'   `NA` where it was not called or no inputs are given), `parameters` and `trainable` (how many numbers it holds itself,
#'   and how many of these have gradients), `multiply_adds` (those that its own code did for the inputs, without the modules
#'   below it; `NA` without inputs, and in script modules) and `bytes` (of its own parameters and buffers). Printing adds the
#'   totals.
#' @section Multiply-adds:
#' Counted are the products of matrices: linear layers, convolutions, recurrent layers, attention, `%*%` and the like, each
#' product with its addition as one. PyTorch's `FlopCounterMode` says twice that number. What is done element by element
#' (activations, norms, biases) is not counted.
#' @section Errors:
#' Those of the module's `forward`, for inputs that do not fit.
#' @seealso [nn_module()], [plot.nn_module()]
#' @examplesIf torch::torch_is_installed()
#' model <- nn_sequential(nn_linear(3, 8), nn_relu(), nn_linear(8, 1))
#' summary(model, torch_randn(5, 3))
#' @name summary.nn_module
#' @export
summary.nn_module <- function(object, ...) {
  if (inherits(object, "nn_module_generator")) {
    value_error("`object` must be a module: call the generator first, as in `summary(nn_linear(3, 8))`.")
  }
  if (!inherits(object, "script_module")) self_of(object)
  layers <- module_tree(object)
  run <- if (...length() > 0L) watched_run(object, list(...))
  own <- lapply(layers, function(layer) layer$named_parameters(recursive = FALSE))
  trainable <- lapply(own, function(tensors) Filter(function(x) x$requires_grad, tensors))
  bytes <- vapply(layers, function(layer) bytes_of(c(layer$named_parameters(recursive = FALSE), layer$named_buffers(recursive = FALSE))), 0)
  keys <- paste0("/", names(layers))
  seen <- function(what, none) unname(vapply(keys, function(key) run[[what]][[key]] %||% none, none))
  products <- seen("products", if (is.null(run)) NA_real_ else 0)
  products[vapply(layers, inherits, NA, "script_module")] <- NA
  table <- data.frame(
    layer = names(layers), module = vapply(layers, module_label, ""), output = seen("shapes", NA_character_),
    parameters = vapply(own, number_of_values, 0), trainable = vapply(trainable, number_of_values, 0), multiply_adds = products,
    bytes = bytes, row.names = NULL
  )
  structure(
    table, class = c("nn_module_summary", "data.frame"),
    total = number_of_values(object$parameters), bytes = bytes_of(c(object$parameters, object$buffers))
  )
}

bytes_of <- function(tensors) sum(0, vapply(tensors, function(x) if (is_dead(x)) NA_real_ else x$numel() * x$element_size(), 0))

# Calls the module. Gives the shapes that the modules of the tree returned, and the multiply-adds that they did, by
# "/" and their paths.
watched_run <- function(module, inputs) {
  shapes <- new_environment()
  products <- new_environment()
  running <- "/"
  call <- function(path, code) {
    key <- paste0("/", path)
    outer <- running
    running <<- key
    on.exit(running <<- outer)
    value <- code
    if (is.null(shapes[[key]])) shapes[[key]] <- shape_of_value(value)
    value
  }
  if (inherits(module, "nn_module") && !inherits(module, "script_module")) {
    restore <- keep_module(module)
    on.exit(restore())
  }
  unwatch <- watch_children(module, call)
  on.exit(unwatch(), add = TRUE, after = FALSE)
  before <- cpp_observe_operators(function(name, arguments, result) {
    rule <- product_rules[[sub("^.*::", "", name)]]
    if (is.null(rule)) return()
    products[[running]] <- (products[[running]] %||% 0) + rule(result, arguments)
  })
  on.exit(cpp_observe_operators(before), add = TRUE, after = FALSE)
  call("", with_no_grad(do.call(module, inputs)))
  list(shapes = shapes, products = products)
}

# Replaces each child by one that `call(path, code)` calls. Gives the function that puts the children back.
watch_children <- function(module, call) {
  self <- attr(module, "module", exact = TRUE)
  if (is.null(self)) return(function() NULL)
  tree <- tree_of(self)
  names <- names_in_tree(tree)
  undo <- lapply(seq_along(names)[-1L], function(i) {
    parent <- tree$module[[tree$parent[i]]]
    child <- parent[[names[i]]]
    watched <- function(...) call(tree$path[i], child(...))
    attributes(watched) <- attributes(child)
    assign(names[i], watched, envir = parent)
    function() assign(names[i], child, envir = parent)
  })
  function() for (one in rev(undo)) one()
}

shape_of_value <- function(value) {
  if (is_torch_tensor(value)) return(paste0("(", paste(.Call(C_shape, value), collapse = ", "), ")"))
  if (is.list(value)) paste(vapply(value, shape_of_value, ""), collapse = ", ") else class(value)[[1L]]
}

# ---- multiply-adds ------------------------------------------------------------------------------------------------------

# How many multiply-adds each operator that multiplies matrices does, from its result and its arguments.
size_of <- function(x) prod(.Call(C_shape, x))
last_of <- function(x) {
  shape <- .Call(C_shape, x)
  if (length(shape)) shape[length(shape)] else 1
}
# Each element of the result is a sum over the last dimension of `argument`.
sums_over <- function(argument) function(result, arguments) size_of(result) * last_of(arguments[[argument]])
convolution <- function(result, arguments) size_of(result) * size_of(arguments$weight) / dim(arguments$weight)[1]
# Each element of the input goes to all that its filter reaches.
transposed_convolution <- function(result, arguments) size_of(arguments[[1]]) * size_of(arguments$weight) / dim(arguments$weight)[1]
# Each row of the input meets all weights once; vectors among them are biases.
recurrence <- function(result, arguments) {
  input <- arguments$input %||% arguments$data
  weights <- Filter(function(x) length(dim(x)) == 2L, arguments$params)
  size_of(input) / last_of(input) * sum(vapply(weights, size_of, 0))
}
recurrent_cell <- function(result, arguments) {
  size_of(arguments$input) / last_of(arguments$input) * (size_of(arguments$w_ih) + size_of(arguments$w_hh))
}

product_rules <- list(
  linear = sums_over("input"), matmul = sums_over("self"), mm = sums_over("self"), bmm = sums_over("self"), mv = sums_over("self"),
  dot = sums_over("self"), vdot = sums_over("self"), inner = sums_over("self"), linalg_vecdot = sums_over("x"),
  addmm = sums_over("mat1"), addmv = sums_over("mat"), baddbmm = sums_over("batch1"), addbmm = function(result, arguments) {
    size_of(arguments$batch1) * last_of(arguments$batch2)
  },
  outer = function(result, arguments) size_of(result), ger = function(result, arguments) size_of(result),
  addr = function(result, arguments) size_of(result),
  bilinear = function(result, arguments) size_of(result) * last_of(arguments$input1) * last_of(arguments$input2),
  tensordot = function(result, arguments) {
    # Both arguments have the sizes that are summed over, and one of them has each size of the result.
    size_of(result) * sqrt(size_of(arguments$self) * size_of(arguments$other) / max(size_of(result), 1))
  },
  einsum = function(result, arguments) {
    letters <- strsplit(gsub("->.*$|[^A-Za-z,]", "", arguments$equation), ",")[[1]]
    sizes <- unlist(Map(function(word, x) set_names(utils::tail(.Call(C_shape, x), nchar(word)), strsplit(word, "")[[1]]), letters, unname(arguments$tensors)))
    # An ellipsis stands for dimensions that all arguments share.
    rest <- max(mapply(function(word, x) prod(utils::head(.Call(C_shape, x), -nchar(word))), letters, unname(arguments$tensors)))
    if (length(letters) < 2L) 0 else rest * prod(sizes[!duplicated(sub("^.*[.]", "", names(sizes)))])
  },
  conv1d = convolution, conv2d = convolution, conv3d = convolution,
  convolution = function(result, arguments) if (isTRUE(arguments$transposed)) transposed_convolution(result, arguments) else convolution(result, arguments),
  conv_transpose1d = transposed_convolution, conv_transpose2d = transposed_convolution, conv_transpose3d = transposed_convolution,
  lstm = recurrence, gru = recurrence, rnn_tanh = recurrence, rnn_relu = recurrence,
  lstm_cell = recurrent_cell, gru_cell = recurrent_cell, rnn_tanh_cell = recurrent_cell, rnn_relu_cell = recurrent_cell,
  scaled_dot_product_attention = function(result, arguments) {
    keys <- dim(arguments$key)
    size_of(arguments$query) * keys[length(keys) - 1L] + size_of(result) * keys[length(keys) - 1L]
  },
  # The layer does the projections of three inputs, the scores, their products, a projection, and two linear layers.
  `_transformer_encoder_layer_fwd` = function(result, arguments) {
    tokens <- size_of(arguments$src) / last_of(arguments$src)
    weights <- arguments[c("qkv_weight", "proj_weight", "ffn_weight_1", "ffn_weight_2")]
    tokens * sum(vapply(weights, size_of, 0)) + 2 * size_of(arguments$src) * dim(arguments$src)[2]
  }
)

# ---- print --------------------------------------------------------------------------------------------------------------

#' @export
print.nn_module_summary <- function(x, ...) {
  depth <- nchar(gsub("[^.]", "", x$layer)) + (x$layer != "")
  shown <- data.frame(
    layer = paste0(strrep("  ", pmax(depth - 1, 0)), ifelse(x$layer == "", "(all)", sub("^.*[.]", "", x$layer))),
    module = x$module, output = x$output, parameters = format_count(x$parameters), `multiply-adds` = format_count(x$multiply_adds),
    bytes = format_count(x$bytes), check.names = FALSE
  )
  shown$output[is.na(x$output)] <- ""
  was_run <- !all(is.na(x$output))
  if (!was_run) shown[c("output", "multiply-adds")] <- NULL
  cells <- rbind(names(shown), as.matrix(shown))
  right <- names(shown) %in% c("parameters", "multiply-adds", "bytes")
  width <- apply(nchar(cells), 2L, max)
  text <- vapply(seq_along(width), function(i) formatC(cells[, i], width = if (right[i]) width[i] else -width[i]), cells[, 1L])
  cat(trimws(apply(text, 1L, paste, collapse = "  "), "right"), sep = "\n")
  cat(sprintf(
    "\n%s parameters, of which %s are trained; %s bytes with the buffers.\n", format_count(attr(x, "total")),
    format_count(sum(x$trainable)), format_count(attr(x, "bytes"))
  ))
  if (was_run && !all(is.na(x$multiply_adds))) {
    known <- sum(x$multiply_adds, na.rm = TRUE)
    cat(sprintf("%s%s multiply-adds for these inputs.\n", if (anyNA(x$multiply_adds)) "At least " else "", format_count(known)))
  }
  invisible(x)
}
