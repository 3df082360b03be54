# Settings of layers: what their arguments must be, checked when a layer is made.

#' @include optim-step.R
NULL

whole_from <- function(from, what = "a whole number", words = character(), null = FALSE) {
  must <- sprintf("%s from %d on%s%s", what, from, paste(sprintf(", or \"%s\"", words), collapse = ""), if (null) ", or NULL" else "")
  must_be(must, function(x) {
    if (is.null(x)) return(null)
    if (is.character(x)) return(is_string(x) && x %in% words)
    if (is.list(x)) x <- unlist(x)
    is.numeric(x) && length(x) > 0L && !anyNA(x) && all(x >= from & x == floor(x))
  })
}
one_whole <- function(from) must_be(sprintf("a whole number from %d on", from), function(x) is_whole_number(x) && x >= from)
word_of <- function(...) {
  words <- c(...)
  must_be(paste("one of", toString(dQuote(words, FALSE))), function(x) is_string(x) && x %in% words)
}
optional <- function(check) must_be(paste0(check$must, ", or NULL"), function(x) is.null(x) || check$ok(x))
a_number <- must_be("a number", is_number)
a_dimension <- must_be("a whole number other than 0", function(x) is_whole_number(x) && x != 0)
probability <- must_be("a probability from 0 to 1", function(x) is_number(x) && x >= 0 && x <= 1)

# By the names of arguments, which mean the same in all layers. Sizes in space are one number or one for each dimension.
setting_checks <- list(
  in_features = one_whole(0), out_features = one_whole(0), in1_features = one_whole(0), in2_features = one_whole(0),
  in_channels = one_whole(0), out_channels = one_whole(0), groups = one_whole(1), num_features = one_whole(0),
  num_channels = one_whole(0), num_groups = one_whole(1), num_embeddings = one_whole(0), embedding_dim = one_whole(0),
  upscale_factor = one_whole(1), downscale_factor = one_whole(1), num_parameters = one_whole(1),
  kernel_size = whole_from(1, "whole numbers"), dilation = whole_from(1, "whole numbers"),
  stride = whole_from(1, "whole numbers", null = TRUE), padding = whole_from(0, "whole numbers"),
  output_padding = whole_from(0, "whole numbers"), normalized_shape = whole_from(0, "whole numbers"),
  padding_mode = word_of("zeros", "reflect", "replicate", "circular"), reduction = word_of("none", "mean", "sum"),
  eps = optional(not_negative), momentum = optional(a_number), max_norm = optional(a_number), norm_type = a_number, ceil_mode = true_or_false,
  return_indices = true_or_false, affine = true_or_false, elementwise_affine = true_or_false, track_running_stats = true_or_false,
  scale_grad_by_freq = true_or_false, sparse = true_or_false, include_last_offset = true_or_false, count_include_pad = true_or_false,
  bias = true_or_false, batch_first = true_or_false, bidirectional = true_or_false, inplace = true_or_false, keepdim = true_or_false, dim = a_dimension, start_dim = a_dimension, end_dim = a_dimension,
  margin = a_number, delta = a_number, beta = a_number, blank = one_whole(0), alpha = a_number, negative_slope = a_number, lower = a_number, upper = a_number,
  min_val = a_number, max_val = a_number, lambd = a_number, threshold = a_number, value = a_number, init = a_number,
  label_smoothing = probability, log_target = true_or_false, log_input = true_or_false, full = true_or_false, swap = true_or_false,
  zero_infinity = true_or_false, divisor_override = optional(a_number)
)

# Those that are tensors, by their names.
tensor_settings <- c("weight", "pos_weight", ".weight", "init")

# Numbers may be given as tensors or as integer64.
plain_setting <- function(value) {
  if (is_torch_tensor(value)) value <- if (value$numel() == 1L) value$item() else as.vector(as_array(value))
  if (inherits(value, "integer64")) as.double(value) else value
}

# Tensors stand for numbers in many places; what is wrong with them LibTorch says.
check_setting <- function(name, value, check = setting_checks[[name]], call = caller_env()) {
  if (is.null(check) || is_torch_tensor(value) || check$ok(value)) return(invisible())
  is <- if (is.numeric(value)) toString(value) else if (is.null(value)) "NULL" else describe_value(value)
  value_error(sprintf("`%s` must be %s, not %s.", name, check$must, is), call)
}
