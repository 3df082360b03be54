# Batches of sequences of different lengths.

#' Sequences of different lengths
#'
#' A batch of sequences is padded or packed. Padded, all sequences are as long as the longest one. Packed, the
#' elements of all sequences are in one tensor, step by step, with the longest sequence first, so that [nn_lstm()] and
#' its like compute no step that is padding.
#'
#' * `nn_utils_rnn_pad_sequence()`: from a list of tensors to a padded tensor; `nn_utils_rnn_unpad_sequence()` goes back.
#' * `nn_utils_rnn_pack_padded_sequence()`: from a padded tensor to a packed sequence; `nn_utils_rnn_pad_packed_sequence()`
#'   goes back.
#' * `nn_utils_rnn_pack_sequence()`: from a list to a packed sequence; `nn_utils_rnn_unpack_sequence()` goes back.
#'
#' @param input,padded_sequences a tensor of shape `(L, N, ...)`, L the longest length and N the number of sequences; with
#'   `batch_first` `(N, L, ...)`.
#' @param sequences a list of tensors of shape `(length, ...)`.
#' @param sequence,packed_sequences a packed sequence.
#' @param lengths lengths of the sequences, a vector or an int64 tensor on the CPU.
#' @param batch_first whether the batch is the first dimension of padded tensors.
#' @param enforce_sorted whether the sequences must come with the longest first; else they are sorted, and come back in the
#'   order in which they came. A program that is exported to others needs `TRUE`.
#' @param padding_value the element to pad with.
#' @param padding_side `"right"`, or `"left"` for sequences that end together.
#' @param total_length pad to this length instead of that of the longest sequence.
#' @returns * `nn_utils_rnn_pack_*()`: a packed sequence, a list of class `PackedSequence` with the fields `data`, of shape
#'   `(sum of lengths, ...)`, `batch_sizes`, how many sequences have such a step, and, where they were sorted,
#'   `sorted_indices` and `unsorted_indices`, which count from 1.
#' * `nn_utils_rnn_pad_packed_sequence()`: a list of the padded tensor and the lengths, an int64 tensor.
#' * `nn_utils_rnn_pad_sequence()`: a tensor; `nn_utils_rnn_unpad_sequence()`, `nn_utils_rnn_unpack_sequence()`: a list.
#' @source LibTorch's `_pack_padded_sequence`, `_pad_packed_sequence` and `pad_sequence`.
#' @examplesIf torch::torch_is_installed()
#' packed <- nn_utils_rnn_pack_sequence(list(torch_tensor(c(1, 2, 3)), torch_tensor(c(4, 5))))
#' packed
#' nn_utils_rnn_pad_packed_sequence(packed, batch_first = TRUE)
#' @export
nn_utils_rnn_pack_padded_sequence <- function(input, lengths, batch_first = FALSE, enforce_sorted = TRUE) {
  check_tensor(input, "input")
  check_lengths(lengths, input, batch_first)
  lengths <- as_lengths(lengths)
  order <- NULL
  if (!enforce_sorted) {
    sorted <- torch_sort(lengths, dim = 1L, descending = TRUE)
    lengths <- sorted[[1]]
    order <- sorted[[2]]$to(device = input$device)
    input <- torch_index_select(input, if (batch_first) 1L else 2L, order)
  }
  out <- torch__pack_padded_sequence(input, lengths, batch_first)
  new_packed_sequence(out[[1]], out[[2]], order, if (!is.null(order)) torch_argsort(order))
}

# LibTorch trusts them, and reads past the end of the input.
check_lengths <- function(lengths, input, batch_first, call = caller_env()) {
  if (cpp_is_tracing()) return()
  shape <- .Call(C_shape, input)
  if (length(shape) < 2L) value_error(sprintf("`input` must have 2 dimensions at least, not %d.", length(shape)), call)
  longest <- shape[if (batch_first) 2L else 1L]
  n <- shape[if (batch_first) 1L else 2L]
  given <- if (is_torch_tensor(lengths)) as.numeric(lengths$cpu()) else lengths
  if (is.numeric(given) && length(given) == n && is_integerish(as.numeric(given), finite = TRUE) && all(given >= 1 & given <= longest)) return()
  value_error(sprintf(
    "`lengths` must be %s, whole numbers from 1 to %d, not %s.", count_of(n, "length"), longest,
    if (is.numeric(given)) toString(given, width = 60) else friendly_type(given)
  ), call)
}

as_lengths <- function(lengths) {
  if (is_torch_tensor(lengths)) lengths$to(dtype = torch_long(), device = "cpu") else torch_tensor(as.integer(lengths), dtype = torch_long())
}

new_packed_sequence <- function(data, batch_sizes, sorted_indices = NULL, unsorted_indices = NULL) {
  structure(
    list(data = data, batch_sizes = batch_sizes, sorted_indices = sorted_indices, unsorted_indices = unsorted_indices),
    class = "PackedSequence"
  )
}

is_packed_sequence <- function(x) inherits(x, "PackedSequence")

check_packed <- function(x, arg, call = caller_env()) {
  if (!is_packed_sequence(x)) {
    type_error(sprintf("`%s` must be a packed sequence, as `nn_utils_rnn_pack_sequence()` makes, not %s.", arg, friendly_type(x)), call)
  }
}

#' @export
print.PackedSequence <- function(x, ...) {
  cat(sprintf(
    "<PackedSequence> of %d sequences, the longest of %d steps: %s\n",
    max(0L, as_array(x$batch_sizes)), x$batch_sizes$numel(), describe_tensor(x$data)
  ))
  invisible(x)
}

#' @rdname nn_utils_rnn_pack_padded_sequence
#' @export
nn_utils_rnn_pad_packed_sequence <- function(sequence, batch_first = FALSE, padding_value = 0, total_length = NULL) {
  check_packed(sequence, "sequence")
  out <- torch__pad_packed_sequence(
    sequence$data, sequence$batch_sizes, batch_first, padding_value, if (is.null(total_length)) -1L else total_length
  )
  if (is.null(sequence$unsorted_indices)) return(list(out[[1]], out[[2]]))
  list(
    torch_index_select(out[[1]], if (batch_first) 1L else 2L, sequence$unsorted_indices),
    torch_index_select(out[[2]], 1L, sequence$unsorted_indices$cpu())
  )
}

#' @rdname nn_utils_rnn_pack_padded_sequence
#' @export
nn_utils_rnn_pack_sequence <- function(sequences, enforce_sorted = TRUE) {
  lengths <- vapply(sequences, function(x) as.integer(.Call(C_shape, x)[1]), 1L)
  nn_utils_rnn_pack_padded_sequence(nn_utils_rnn_pad_sequence(sequences), lengths, enforce_sorted = enforce_sorted)
}

#' @rdname nn_utils_rnn_pack_padded_sequence
#' @export
nn_utils_rnn_pad_sequence <- function(sequences, batch_first = FALSE, padding_value = 0, padding_side = "right") {
  if (padding_side == "right") return(torch_pad_sequence(sequences, batch_first, padding_value))
  torch_pad_sequence(sequences, batch_first, padding_value, padding_side)
}

#' @rdname nn_utils_rnn_pack_padded_sequence
#' @export
nn_utils_rnn_unpad_sequence <- function(padded_sequences, lengths, batch_first = FALSE) {
  rows <- torch_unbind(padded_sequences, if (batch_first) 1L else 2L)
  Map(function(row, length) torch_narrow(row, 1L, 1L, length), rows, as_array(as_lengths(lengths)))
}

#' @rdname nn_utils_rnn_pack_padded_sequence
#' @export
nn_utils_rnn_unpack_sequence <- function(packed_sequences) {
  padded <- nn_utils_rnn_pad_packed_sequence(packed_sequences, batch_first = TRUE)
  nn_utils_rnn_unpad_sequence(padded[[1]], padded[[2]], batch_first = TRUE)
}
