test_that("initial values and dropout are PyTorch's for the same seed", {
  skip_if_no_torch()
  expected <- python_eval("
torch.manual_seed(3)
nets = [torch.nn.LSTM(2, 3, 2, bidirectional=True, proj_size=2), torch.nn.GRU(2, 3), torch.nn.GRUCell(2, 3), torch.nn.MultiheadAttention(4, 2),
  torch.nn.ConvTranspose2d(2, 3, 2), torch.nn.EmbeddingBag(3, 2), torch.nn.TransformerEncoderLayer(4, 2, 3)]
result = [p.detach().flatten().tolist() for n in nets for _, p in sorted(n.named_parameters())]
")
  torch_manual_seed(3)
  nets <- list(
    nn_lstm(2, 3, 2, bidirectional = TRUE, proj_size = 2), nn_gru(2, 3), nn_gru_cell(2, 3), nn_multihead_attention(4, 2),
    nn_conv_transpose2d(2, 3, 2), nn_embedding_bag(3, 2), nn_transformer_encoder_layer(4, 2, 3)
  )
  got <- lapply(nets, function(net) {
    parameters <- net$parameters
    lapply(unname(parameters[sort(names(parameters), method = "radix")]), function(p) as_array(torch_flatten(p$detach())))
  })
  expect_equal(unlist(got), unlist(expected), tolerance = 1e-6)
})

test_that("what does not fit is told", {
  skip_if_no_torch()
  net <- nn_lstm(3, 4, 2, batch_first = TRUE)
  expect_snapshot({
    net(torch_ones(2))
    net(torch_ones(2, 5, 4))
    net(torch_ones(2, 5, 3), torch_ones(2, 2, 4))
    net(torch_ones(2, 5, 3), list(torch_ones(2, 2, 4), torch_ones(2, 1, 4)))
    nn_gru(3, 4)(torch_ones(5, 3), torch_ones(2, 4))
    nn_lstm(3, 4, proj_size = 4)
    nn_gru(3, 0)
    nn_rnn(3, 4, nonlinearity = "sine")
    nn_gru(3, 4, dropout = 2)
  }, error = TRUE)
  expect_warning(nn_gru(3, 4, dropout = 0.5), "between layers")
})

test_that("dropout between layers acts in training only", {
  skip_if_no_torch()
  net <- nn_gru(3, 4, 2, dropout = 0.5)
  x <- torch_randn(5, 2, 3)
  expect_false(as.logical(torch_equal(net(x)[[1]], net(x)[[1]])))
  net$eval()
  expect_true(as.logical(torch_equal(net(x)[[1]], net(x)[[1]])))
})

test_that("a trace of a recurrent net takes sequences and batches of other sizes", {
  skip_if_no_torch()
  net <- nn_lstm(3, 4)
  program <- jit_trace(net, torch_randn(5, 2, 3))
  x <- torch_randn(7, 4, 3)
  expect_equal(as_array(program(x)[[1]]$detach()), as_array(net(x)[[1]]$detach()), tolerance = 1e-6)
})
