sequences <- function() list(torch_tensor(matrix(c(1, 2, 3, 4), 2)), torch_tensor(matrix(c(5, 6, 7, 8, 9, 10), 3)), torch_tensor(matrix(11:12, 1) / 1))

test_that("sequences are packed and padded as in PyTorch", {
  skip_if_no_torch()
  expected <- python_eval("
from torch.nn.utils import rnn
xs = [torch.tensor(x).double() for x in xs]
packed = rnn.pack_sequence(xs, enforce_sorted=False)
padded, lengths = rnn.pad_packed_sequence(packed, batch_first=True, padding_value=-1.0, total_length=4)
result = [packed.data.tolist(), packed.batch_sizes.tolist(), packed.sorted_indices.tolist(), packed.unsorted_indices.tolist(),
  padded.flatten().tolist(), lengths.tolist(), rnn.pad_sequence(xs, padding_value=7.0).flatten().tolist()]
", xs = lapply(sequences(), function(x) apply(as_array(x), 1, as.list)))
  packed <- nn_utils_rnn_pack_sequence(sequences(), enforce_sorted = FALSE)
  expect_identical(as_array(packed$data), expected[[1]])
  expect_identical(as_array(packed$batch_sizes), expected[[2]])
  expect_identical(as_array(packed$sorted_indices), expected[[3]] + 1L)
  expect_identical(as_array(packed$unsorted_indices), expected[[4]] + 1L)
  back <- nn_utils_rnn_pad_packed_sequence(packed, batch_first = TRUE, padding_value = -1, total_length = 4)
  expect_identical(as_array(torch_flatten(back[[1]])), expected[[5]])
  expect_identical(as_array(back[[2]]), expected[[6]])
  expect_identical(as_array(torch_flatten(nn_utils_rnn_pad_sequence(sequences(), padding_value = 7))), expected[[7]])
  left <- nn_utils_rnn_pad_sequence(sequences(), batch_first = TRUE, padding_side = "left")
  expect_identical(as_array(left[3, , 1]), c(0, 0, 11))
  expect_identical(lapply(nn_utils_rnn_unpack_sequence(packed), as_array), lapply(sequences(), as_array))
  expect_error(nn_utils_rnn_pack_sequence(sequences()), class = "torch_error")
  expect_error(nn_utils_rnn_pad_packed_sequence(torch_ones(2)), "must be a packed sequence", class = "type_error")
  expect_output(print(packed), "<PackedSequence> of 3 sequences, the longest of 3 steps: Float [1:6, 1:2]", fixed = TRUE)
})

test_that("a recurrent net over packed sequences sees each to its end, and no further", {
  skip_if_no_torch()
  for (make in list(nn_lstm, nn_gru, nn_rnn)) for (both in c(FALSE, TRUE)) {
    net <- make(2, 3, num_layers = 2, bidirectional = both)
    packed <- nn_utils_rnn_pack_sequence(sequences(), enforce_sorted = FALSE)
    out <- net(packed)
    outputs <- nn_utils_rnn_unpack_sequence(out[[1]])
    for (i in 1:3) {
      alone <- net(sequences()[[i]]$unsqueeze(2))
      expect_equal(as_array(outputs[[i]]$detach()), as_array(alone[[1]]$squeeze(2)$detach()), tolerance = 1e-5)
      last <- if (is.list(out[[2]])) out[[2]][[1]] else out[[2]]
      last_alone <- if (is.list(alone[[2]])) alone[[2]][[1]] else alone[[2]]
      expect_equal(as_array(last[, i, ]$detach()), as_array(last_alone[, 1, ]$detach()), tolerance = 1e-5)
    }
    # A state that is given goes to the sequence that it is for.
    h <- torch_randn(if (both) 4 else 2, 3, 3)
    state <- if (is.list(out[[2]])) list(h, h) else h
    given <- nn_utils_rnn_unpack_sequence(net(packed, state)[[1]])
    one <- h[, 1, ]$unsqueeze(2)
    alone <- net(sequences()[[1]]$unsqueeze(2), if (is.list(out[[2]])) list(one, one) else one)
    expect_equal(as_array(given[[1]]$detach()), as_array(alone[[1]]$squeeze(2)$detach()), tolerance = 1e-5)
  }
})

test_that("lengths are whole numbers that the input has", {
  skip_if_no_torch()
  x <- torch_randn(5, 2, 3)
  for (lengths in list(c(6, 2), c(4.9, 2), c(5, 0), 5, c(5, NA), "a", torch_tensor(c(6L, 1L)), NULL, c(5, 2, 1))) {
    expect_error(nn_utils_rnn_pack_padded_sequence(x, lengths), "`lengths` must be 2 lengths, whole numbers from 1 to 5", class = "value_error")
  }
  expect_error(nn_utils_rnn_pack_padded_sequence(x, c(3, 1), batch_first = TRUE), "5 lengths, whole numbers from 1 to 2", class = "value_error")
  for (lengths in list(c(5L, 2L), torch_tensor(c(5L, 2L)), bit64::as.integer64(c(5, 2)))) {
    expect_identical(nn_utils_rnn_pack_padded_sequence(x, lengths)$data$shape, c(7L, 3L))
  }
})

test_that("a traced net over packed sequences takes batches of any size, in Python too", {
  skip_if_no_torch()
  for (sorted in c(FALSE, TRUE)) for (make in list(nn_lstm, nn_gru)) {
    net <- nn_module(
      initialize = function() self$rnn <- make(3, 4, batch_first = TRUE, bidirectional = TRUE),
      forward = function(x, n) {
        packed <- nn_utils_rnn_pack_padded_sequence(x, n, batch_first = TRUE, enforce_sorted = sorted)
        nn_utils_rnn_pad_packed_sequence(self$rnn(packed)[[1]], batch_first = TRUE)[[1]]
      }
    )()
    lengths <- function(n) torch_tensor(if (sorted) sort(n, decreasing = TRUE) else n)
    expect_no_warning(traced <- jit_trace(net, torch_randn(2, 5, 3), lengths(c(3L, 5L))))
    x <- torch_randn(3, 6, 3)
    expect_identical(held(traced(x, lengths(c(1L, 6L, 4L)))), held(net(x, lengths(c(1L, 6L, 4L)))))
    file <- withr::local_tempfile()
    jit_save(traced, file)
    shape <- python_eval("result = list(torch.jit.load(file)(torch.randn(4, 7, 3), torch.tensor([7, 5, 5, 2])).shape)", file = file)
    expect_identical(shape, c(4L, 7L, 8L))
  }
})
