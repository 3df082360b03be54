test_that("masks mean what they mean in PyTorch", {
  skip_if_no_torch()
  withr::local_seed(5)
  state <- nn_multihead_attention(4, 2, batch_first = TRUE)
  x <- array(round(rnorm(2 * 3 * 4), 3), c(2, 3, 4))
  bools <- matrix(c(FALSE, FALSE, FALSE, TRUE, FALSE, FALSE, TRUE, TRUE, FALSE), 3)
  padding <- matrix(c(FALSE, FALSE, FALSE, FALSE, TRUE, FALSE), 2)
  added <- array(round(rnorm(4 * 3 * 3), 3), c(4, 3, 3))
  expected <- python_eval("
m = torch.nn.MultiheadAttention(4, 2, batch_first=True).double()
m.load_state_dict({k: torch.tensor(v).double().reshape(m.state_dict()[k].shape) for k, v in state.items()})
x = torch.tensor(x).double(); bools = torch.tensor(bools); padding = torch.tensor(padding); added = torch.tensor(added).double()
result = []
for kw in [dict(attn_mask=bools), dict(key_padding_mask=padding), dict(attn_mask=added, key_padding_mask=padding),
           dict(attn_mask=bools, need_weights=False), dict(average_attn_weights=False), dict(attn_mask=bools, is_causal=True, need_weights=False)]:
  out, w = m(x, x, x, **kw)
  result.append([out.flatten().tolist(), [] if w is None else w.flatten().tolist()])
result = json.dumps(result)
",
    state = lapply(state$state_dict(), function(p) as.list(as.double(as_array(torch_flatten(p))))), x = x, bools = bools,
    padding = padding, added = added
  )
  expected <- jsonlite::fromJSON(expected, simplifyVector = FALSE)
  module <- state$to(dtype = torch_double())
  x <- torch_tensor(x, dtype = "double")
  bools <- torch_tensor(bools)
  padding <- torch_tensor(padding)
  added <- torch_tensor(added, dtype = "double")
  calls <- list(
    list(attn_mask = bools), list(key_padding_mask = padding), list(attn_mask = added, key_padding_mask = padding),
    list(attn_mask = bools, need_weights = FALSE), list(avg_weights = FALSE), list(need_weights = FALSE, is_causal = TRUE)
  )
  for (i in seq_along(calls)) {
    out <- do.call(module, c(list(x, x, x), calls[[i]]))
    expect_equal(as_array(torch_flatten(out[[1]]$detach())), unlist(expected[[i]][[1]]), tolerance = 1e-6, info = i)
    expect_identical(is.null(out[[2]]), isFALSE(calls[[i]]$need_weights))
    if (!is.null(out[[2]])) {
      expect_equal(as_array(torch_flatten(out[[2]]$detach())), unlist(expected[[i]][[2]]), tolerance = 1e-6, info = i)
    }
  }
})

test_that("the fused layer of an encoder gives what the layer gives", {
  skip_if_older("2.0")
  for (activation in c("relu", "gelu")) for (norm_first in c(FALSE, TRUE)) {
    layer <- nn_transformer_encoder_layer(8, 2, 16, activation = activation, norm_first = norm_first, batch_first = TRUE)$eval()
    x <- torch_randn(3, 5, 8)
    expect_equal(as_array(with_no_grad(layer(x))), as_array(layer(x)$detach()), tolerance = 1e-5)
  }
  encoder <- nn_transformer_encoder(layer, 2)
  expect_length(encoder$parameters, 2 * length(layer$parameters))
  expect_false(identical(encoder$layers[[1]]$linear1$weight, encoder$layers[[2]]$linear1$weight))
})

test_that("a transformer learns from the past only, if it is told so", {
  skip_if_older("2.0")
  net <- nn_transformer(8, 2, 1, 1, 16, dropout = 0, batch_first = TRUE)
  src <- torch_randn(1, 4, 8)
  tgt <- torch_randn(1, 3, 8)
  mask <- net$generate_square_subsequent_mask(3)
  expect_identical(as_array(mask), matrix(c(0, 0, 0, -Inf, 0, 0, -Inf, -Inf, 0), 3))
  first <- net(src, tgt, tgt_mask = mask)[, 1, ]
  tgt[1, 3, ] <- 0
  expect_equal(as_array(net(src, tgt, tgt_mask = mask)[, 1, ]$detach()), as_array(first$detach()), tolerance = 1e-5)
})

test_that("what does not fit is told", {
  skip_if_no_torch()
  expect_error(nn_multihead_attention(5, 2), "must divide `embed_dim`, 5", class = "value_error")
  expect_error(nn_multihead_attention(4, 2)(torch_ones(3, 1, 5), torch_ones(3, 1, 5), torch_ones(3, 1, 5)), "must be 4, not 5", class = "value_error")
  expect_error(nn_transformer_encoder_layer(4, 2, activation = "tanh"), "`activation` must be", class = "value_error")
  expect_error(nn_transformer_encoder(nn_transformer_encoder_layer(4, 2, 4), 0), "`num_layers`", class = "value_error")
})

test_that("masks of other shapes and dtypes are refused", {
  skip_if_no_torch()
  attention <- nn_multihead_attention(4, 2, batch_first = TRUE)
  x <- torch_randn(2, 3, 4)
  expect_error(attention(x, x, x, key_padding_mask = torch_zeros(2, 3, dtype = "int")), "A mask must be of bools", class = "value_error")
  expect_error(attention(x, x, x, attn_mask = torch_zeros(1, 1)), "`attn_mask` must have the shape \\(3, 3\\) or \\(4, 3, 3\\), not \\(1, 1\\)", class = "value_error")
  expect_error(attention(x, x, x, key_padding_mask = torch_zeros(2, 1)), "`key_padding_mask` must have the shape \\(2, 3\\)", class = "value_error")
  expect_error(attention(x, x, x, attn_mask = matrix(FALSE, 3, 3)), "must be a tensor", class = "type_error")
})

test_that("the future is hidden beside a mask of the padding, and beside keys that are added", {
  skip_if_no_torch()
  skip_if_older("2.0")
  x <- torch_randn(2, 4, 4)
  padding <- torch_tensor(rbind(c(FALSE, FALSE, FALSE, TRUE), FALSE))
  future <- torch_ones(4, 4, dtype = "bool")$triu(1)
  for (attention in list(
    nn_multihead_attention(4, 2, batch_first = TRUE), nn_multihead_attention(4, 2, batch_first = TRUE, add_bias_kv = TRUE, add_zero_attn = TRUE)
  )) for (weights in c(TRUE, FALSE)) for (mask in list(NULL, padding)) {
    causal <- attention(x, x, x, key_padding_mask = mask, need_weights = weights, is_causal = TRUE)
    masked <- attention(x, x, x, key_padding_mask = mask, need_weights = weights, attn_mask = future)
    expect_equal(as_array(causal[[1]]$detach()), as_array(masked[[1]]$detach()), tolerance = 1e-6)
  }
})
