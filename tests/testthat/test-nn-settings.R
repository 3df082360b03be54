test_that("layers refuse settings that can't be, when they are made", {
  skip_if_no_torch()
  # An argument of a wrong value in each.
  mistakes <- expression(
    nn_linear(NA, 2), nn_linear(2, "a"), nn_bilinear(NA, 1, 1), nn_conv1d(NA, 1, 1), nn_conv1d("a", 1, 1), nn_conv1d(1.5, 1, 1),
    nn_conv1d(1, 1, NA), nn_conv1d(1, 1, -1), nn_conv1d(1, 1, 1, groups = 0), nn_conv1d(2, 2, 1, groups = NA),
    nn_conv1d(3, 2, 1, groups = 2), nn_conv1d(1, 1, 1, stride = 0), nn_conv1d(1, 1, 1, stride = NA), nn_conv1d(1, 1, 1, padding = "foo"),
    nn_conv1d(1, 1, 3, stride = 2, padding = "same"), nn_conv1d(1, 1, 1, padding_mode = "foo"), nn_conv2d(1, 1, c(1, 2, 3)),
    nn_conv2d(1, 1, 1, padding = c(1, 2, 3)), nn_conv_transpose1d(NA, 1, 1), nn_conv_transpose1d(1, 1, 1, padding = "same"),
    nn_dropout(2), nn_dropout(-1), nn_dropout(NA), nn_dropout("a"), nn_dropout(c(0.1, 0.2)), nn_dropout2d(2), nn_alpha_dropout(2),
    nn_feature_alpha_dropout(3), nn_max_pool2d(NA), nn_max_pool2d("a"), nn_max_pool2d(0), nn_max_pool2d(NULL), nn_max_pool2d(2, stride = NA),
    nn_avg_pool2d(NA), nn_avg_pool2d(2, padding = -1), nn_lp_pool2d(NA, 2), nn_fractional_max_pool2d(NA), nn_max_unpool2d(NA),
    nn_embedding(NA, 2), nn_embedding(5, -2), nn_embedding(5, 2, padding_idx = 6), nn_embedding(5, 2, padding_idx = 0),
    nn_embedding(5, 2, padding_idx = NA), nn_embedding_bag(5, 2, padding_idx = 6), nn_embedding_bag(5, 2, mode = "foo"),
    nn_batch_norm1d(NA), nn_batch_norm1d(-1), nn_batch_norm1d(2, affine = NA), nn_layer_norm(NA), nn_layer_norm("a"), nn_group_norm(2, 3),
    nn_group_norm(0, 2), nn_pixel_shuffle(0), nn_pixel_shuffle(NA), nn_channel_shuffle(0), nn_prelu(NA), nn_softmax(NA), nn_softmax(0),
    nn_flatten(NA), nn_glu("a"), nn_threshold("a", 2), nn_elu("a"), nn_hardtanh(min_val = NULL), nn_unfold(NA), nn_cosine_similarity(NA),
    nn_cross_entropy_loss(reduction = "foo"), nn_cross_entropy_loss(label_smoothing = 2), nn_mse_loss(3), nn_mse_loss("batchmean"),
    nn_triplet_margin_loss("a"), nn_ctc_loss("a"), nn_kl_div_loss(log_target = 1),
    nn_linear(1, 1, bias = NA), nn_conv2d(1, 1, 1, bias = "a"), nn_lstm(1, 1, batch_first = NA), nn_gru(1, 1, bidirectional = 2), nn_layer_norm(1, bias = NA)
  )
  told <- vapply(mistakes, function(call) {
    error <- tryCatch(eval(call), error = identity)
    if (!inherits(error, "value_error")) return(paste("no error of", deparse1(call)))
    expect_identical(conditionCall(error), call)
    sprintf("%s: %s", deparse1(call), conditionMessage(error))
  }, "")
  expect_snapshot(writeLines(told))
})

test_that("settings that can be are taken", {
  skip_if_no_torch()
  expect_s3_class(nn_conv2d(2, 2, list(3, 2), padding = list(1, 0)), "nn_conv2d")
  expect_s3_class(nn_conv1d(1, 1, 3, padding = "valid"), "nn_conv1d")
  expect_s3_class(nn_kl_div_loss("batchmean"), "nn_kl_div_loss")
  expect_s3_class(nn_embedding(5, 2, padding_idx = -1), "nn_embedding")
  expect_s3_class(nn_conv1d(0, 1, 1), "nn_conv1d")
  expect_s3_class(nn_batch_norm1d(2, momentum = NULL), "nn_batch_norm1d")
  expect_s3_class(nn_threshold(torch_tensor(0.1), 2), "nn_threshold")
  skip_if_not_installed("bit64")
  expect_identical(nn_linear(bit64::as.integer64(2), bit64::as.integer64(3))$weight$shape, c(3L, 2L))
  expect_identical(nn_conv2d(bit64::as.integer64(1), 2, bit64::as.integer64(3))$kernel_size, c(3, 3))
})

test_that("layers say which input they can't take", {
  skip_if_no_torch()
  x <- torch_ones(1, 2, 5, 6)
  expect_snapshot(error = TRUE, {
    nn_embedding(5, 2)(NA)
    nn_embedding(5, 2)(c(1, NA))
    nn_embedding(5, 2)("a")
    nn_embedding(5, 2)(1.5)
    nn_embedding(5, 2)(NULL)
    nn_lstm(3, 4)(NULL)
    nn_gru(3, 4)("a")
    nn_lstm_cell(3, 4)(NULL)
    nn_lazy_linear(2)(NULL)
    jit_trace(nn_lazy_linear(2), torch_ones(2, 3))
    jit_trace(nn_sequential(nn_lazy_conv1d(2, 1)), torch_ones(2, 3, 4))
    nn_adaptive_avg_pool2d(c(1, 2, 3))(x)
    nn_adaptive_avg_pool2d(list(1, NULL, NA))(x)
    nn_adaptive_max_pool2d(list("a", NULL))(x)
    nn_adaptive_avg_pool2d(list(1.5, NULL))(x)
  })
  expect_equal(nn_embedding(5, 2)(factor(c("b", "a")))$shape, c(2, 2))
  expect_equal(nn_embedding_bag(5, 2)(torch_tensor(matrix(1:4, 2)))$shape, c(2, 2))
})

test_that("adaptive pools keep the sizes that are left open, as in PyTorch", {
  skip_if_no_torch()
  cases <- list(
    list(nn_adaptive_avg_pool1d, list(NULL), 4), list(nn_adaptive_avg_pool2d, list(NULL, 3), c(5, 6)), list(nn_adaptive_avg_pool2d, c(3, NA), c(5, 6)),
    list(nn_adaptive_max_pool2d, list(3, NULL), c(5, 6)), list(nn_adaptive_max_pool3d, list(NULL, 2, NULL), c(3, 4, 5)),
    list(nn_adaptive_avg_pool3d, c(NA, 2, NA), c(3, 4, 5)), list(nn_adaptive_avg_pool2d, list(NULL, NULL), c(5, 6)), list(nn_adaptive_avg_pool2d, NULL, c(5, 6))
  )
  for (case in cases) {
    pool <- case[[1]](case[[2]])
    x <- torch_randn(c(1, 2, case[[3]]))
    sizes <- case[[2]] %||% list(NULL)
    open <- rep_len(vapply(sizes, function(s) is.null(s) || is.na(s), NA), length(case[[3]]))
    whole <- case[[3]]
    whole[!open] <- unlist(sizes)[!is.na(unlist(sizes))]
    expect_equal(pool(x)$shape, c(1, 2, whole))
    expect_equal(as_array(pool(x)), as_array(case[[1]](whole)(x)))
    # A trace follows the size.
    traced <- jit_trace(pool, x)
    larger <- torch_randn(c(1, 2, case[[3]] + 2))
    expect_equal(traced(larger)$shape, pool(larger)$shape)
  }
})

test_that("what norms and vectors of parameters can't take is told", {
  skip_if_no_torch()
  w <- torch_ones(2, requires_grad = TRUE)
  expect_snapshot(error = TRUE, {
    nn_utils_clip_grad_norm_(w, "a")
    nn_utils_clip_grad_norm_(w, NA)
    nn_utils_clip_grad_norm_(w, -1)
    nn_utils_clip_grad_norm_(w, 1, "a")
    nn_utils_clip_grad_value_(w, "a")
    nn_utils_clip_grad_value_(w, NA)
    nn_utils_get_total_norm("a")
    nn_utils_parameters_to_vector(3)
    nn_utils_vector_to_parameters(torch_ones(2), 3)
  })
  w$grad <- torch_tensor(c(3, 4))
  nn_utils_clip_grad_norm_(w, torch_tensor(1))
  expect_equal(as_array(w$grad), c(0.6, 0.8), tolerance = 1e-5)
})

test_that("weights of the wrong shape are an error of an LSTM, not the end of R", {
  skip_if_no_torch()
  x <- torch_randn(2, 1, 3)
  wrong <- function(name, ..., make = nn_lstm) {
    layer <- make(3, 4, num_layers = 2, bidirectional = TRUE)
    layer[[name]] <- nn_parameter(torch_randn(...))
    layer
  }
  expect_snapshot(error = TRUE, {
    wrong("weight_hh_l1", 16, 5)(x)
    wrong("weight_hh_l1", 16)(x)
    wrong("weight_ih_l1", 8, 3)(x)
    wrong("weight_hh_l2_reverse", 12, 4)(x)
    wrong("weight_ih_l2", 16, 4)(x)
    wrong("bias_ih_l1", 3)(x)
  })
  packed <- nn_utils_rnn_pack_padded_sequence(torch_randn(5, 2, 3), c(5, 3))
  expect_error(wrong("weight_hh_l1", 16, 5)(packed), "The hidden weight of layer 1")
  # The same in TorchScript, which LibTorch runs itself.
  layer <- nn_lstm(3, 4)
  traced <- jit_trace(nn_module(initialize = function() self$l <- layer, forward = function(x) self$l(x)[[1]])(), x)
  expect_error(traced(torch_randn(2, 1, 5)), "The input weight of layer 1")
  for (make in list(nn_gru, nn_rnn)) expect_error(wrong("weight_hh_l1", 16, 5, make = make)(x), class = "torch_error")
  for (make in list(nn_lstm_cell, nn_gru_cell, nn_rnn_cell)) {
    cell <- make(3, 4)
    cell$weight_hh <- nn_parameter(torch_randn(5, 7))
    expect_error(cell(torch_randn(2, 3)), class = "torch_error")
  }
  # With a projection, double precision and no bias all goes on.
  expect_equal(suppressWarnings(nn_lstm(3, 4, proj_size = 2)(x))[[1]]$shape, c(2, 1, 2))
  expect_equal(nn_lstm(3, 4, 2, bias = FALSE, bidirectional = TRUE)$double()(x$double())[[1]]$shape, c(2, 1, 8))
})

test_that("an argument of a layer that is missing is named", {
  skip_if_no_torch()
  expect_error(nn_linear(3), "^`out_features` is missing", class = "value_error")
  expect_error(nn_conv2d(3, kernel_size = 2), "^`out_channels` is missing", class = "value_error")
  expect_s3_class(nn_embedding(3, 2), "nn_module")
})

# Each number among the arguments of each layer, given as a tensor.
layers_of_tensors <- function() {
  out <- list()
  for (case in layer_cases) {
    call <- str2lang(case$r)
    # What a module prints as are its settings.
    plain <- tryCatch(eval(call), error = function(e) NULL)
    if (!is_nn_module(plain)) next
    for (i in seq_along(call)[-1]) {
      value <- tryCatch(eval(call[[i]]), error = function(e) NULL)
      if (!is.numeric(value)) next
      if (all(value == round(value))) value <- as.integer(value)
      given <- call
      given[[i]] <- bquote(torch_tensor(.(value)))
      made <- tryCatch(suppressWarnings(eval(given)), error = conditionMessage)
      shapes <- function(x) lapply(x$state_dict(), dim)
      same <- is_nn_module(made) && identical(format(made), format(plain)) && identical(shapes(made), shapes(plain))
      out[[deparse1(given)]] <- if (same) "same" else if (is.character(made)) made else format(made)
    }
  }
  out
}

test_that("what a tensor of one element or more holds is a setting like any other", {
  skip_if_no_torch()
  made <- layers_of_tensors()
  expect_gt(length(made), 150)
  expect_null(unlist(Filter(function(x) x != "same", made)))
  layer <- nn_linear(torch_tensor(3L), torch_tensor(2))
  expect_identical(layer$weight$shape, c(2L, 3L))
  expect_equal(nn_threshold(torch_tensor(0.5), 2)(torch_tensor(c(0.4, 0.6))), torch_tensor(c(2, 0.6)))
  expect_snapshot(error = TRUE, {
    nn_linear(torch_tensor(c(2, 3)), 2)
    nn_linear(torch_tensor(2.5), 2)
    nn_conv2d(1, 1, torch_tensor(c(1, 2, 3)))
    nn_linear(2, 2, bias = torch_tensor(1))
  })
})
