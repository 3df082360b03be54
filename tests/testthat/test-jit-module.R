test_that("parameters are live, with their flags, and changes are seen by the program", {
  skip_if_no_torch()
  loaded <- jit_load(saved_net())
  x <- torch_randn(4, 3)
  expect_true(loaded$two$bias$requires_grad)
  expect_false(loaded$norm$running_mean$requires_grad)
  with_no_grad(loaded$parameters[["two.weight"]]$zero_())
  with_no_grad(loaded$two$bias$fill_(2))
  expect_equal(as.numeric(loaded(x)), rep(2, 4))
  expect_equal(as.numeric(loaded[["two"]]$bias), 2)
})

test_that("children, parameters and buffers are listed as in a module of R", {
  skip_if_no_torch()
  net <- small_net()
  loaded <- jit_load(saved_net(net))
  expect_equal(names(loaded$children), names(net$children))
  expect_length(loaded$modules, 4)
  expect_setequal(names(loaded$parameters), names(net$parameters))
  expect_setequal(names(loaded$buffers), names(net$buffers))
  expect_equal(names(loaded$norm$named_buffers(recursive = FALSE)), c("running_mean", "running_var", "num_batches_tracked"))
  expect_length(loaded$named_parameters(recursive = FALSE), 0)
  expect_equal(as_array(loaded[[1]]$weight), as_array(net$one$weight))
  expect_null(loaded$nothing)
  expect_error(loaded$one(torch_ones(1, 3)), "no `forward` method", class = "runtime_error")
  expect_output(print(loaded), "containing 29 parameters")
})

test_that("state dicts go between a module and its loaded program", {
  skip_if_no_torch()
  net <- small_net()
  loaded <- jit_load(saved_net())
  state <- net$state_dict()
  expect_setequal(names(loaded$state_dict()), names(state))
  loaded$load_state_dict(state)
  expect_equal(lapply(loaded$state_dict()[names(state)], as_array), lapply(state, as_array))
  x <- torch_randn(4, 3)
  expect_equal(as_array(loaded$eval()(x)), as_array(net$eval()(x)))
  expect_error(loaded$load_state_dict(state[-1]), "has no entry", class = "value_error")
})

test_that("a loaded module is trained on", {
  skip_if_no_torch()
  file <- withr::local_tempfile()
  jit_save(jit_trace(nn_linear(2, 1), torch_ones(1, 2)), file)
  loaded <- jit_load(file)
  x <- torch_randn(50, 2)
  y <- x$matmul(torch_tensor(matrix(c(2, -1), 2))) + 0.5
  optimizer <- optim_sgd(loaded$parameters, lr = 0.3)
  for (epoch in 1:100) {
    optimizer$zero_grad()
    loss <- nnf_mse_loss(loaded(x), y)
    loss$backward()
    optimizer$step()
  }
  expect_equal(as.numeric(loaded$weight), c(2, -1), tolerance = 1e-3)
  expect_equal(as.numeric(loaded$bias), 0.5, tolerance = 1e-3)
  loaded$zero_grad()
  expect_equal(as.numeric(loaded$weight$grad), c(0, 0))
  # What was learnt is in the next file.
  jit_save(loaded, file)
  expect_equal(as.numeric(jit_load(file)$weight), c(2, -1), tolerance = 1e-3)
})

test_that("the mode survives the file and is set by field or method", {
  skip_if_no_torch()
  expect_true(jit_load(saved_net())$training)
  loaded <- jit_load(saved_net(small_net()$eval()))
  expect_false(loaded$training)
  expect_false(loaded$norm$training)
  loaded$training <- TRUE
  expect_true(loaded$is_training())
  expect_true(loaded$norm$training)
  loaded$eval()
  expect_false(loaded$is_training())
  loaded$train(TRUE)
  expect_true(loaded$training)
})

test_that("a file with two traces and no forward is called by its mode", {
  skip_if_no_torch()
  file <- withr::local_tempfile()
  python_eval("
class M(torch.nn.Module):
    @torch.jit.export
    def trainforward(self, x):
        return x + 1
    @torch.jit.export
    def evalforward(self, x):
        return x + 2
torch.jit.script(M()).save(file)
result = 0", file = file)
  loaded <- jit_load(file)
  expect_equal(as.numeric(loaded(torch_tensor(0))), 1)
  loaded$eval()
  expect_equal(as.numeric(loaded(torch_tensor(0))), 2)
})

test_that("attributes, buffers and children can be added", {
  skip_if_no_torch()
  traced <- jit_trace(nn_linear(1, 1), torch_ones(1, 1))
  traced$note <- "written by R"
  traced$offset <- torch_tensor(3)
  traced$extra <- jit_trace(nn_linear(2, 2), torch_ones(1, 2))
  traced$scale <- nn_parameter(torch_tensor(4))
  file <- withr::local_tempfile()
  jit_save(traced, file)
  loaded <- jit_load(file)
  expect_equal(loaded$note, "written by R")
  expect_equal(as.numeric(loaded$buffers$offset), 3)
  expect_equal(as.numeric(loaded$parameters$scale), 4)
  expect_equal(as_array(loaded$extra$weight), as_array(traced$extra$weight))
  expect_snapshot({
    show_error(traced$register_buffer("b", torch_ones(1), persistent = FALSE))
    show_error(traced$register_module("b", nn_linear(1, 1)))
  })
})

test_that("methods show their graphs", {
  skip_if_no_torch()
  traced <- jit_trace(small_net(), torch_randn(5, 3))
  expect_s3_class(traced$trainforward, "script_method", exact = TRUE)
  expect_output(print(traced$trainforward), "^<script_method>$")
  expect_match(as.character(traced$graph), "^graph\\(%self : __torch__.small_net")
  expect_match(as.character(traced$graph), "aten::batch_norm")
  expect_s3_class(traced$trainforward$graph, "script_method_graph")
  expect_match(as.character(traced$graph_for(torch_randn(5, 3))), "aten::_batch_norm_impl_index")
})

test_that("a script module that came out of saveRDS() is dead, not dangerous", {
  skip_if_no_torch()
  file <- withr::local_tempfile()
  saveRDS(jit_trace(nn_linear(1, 1), torch_ones(1, 1)), file)
  dead <- readRDS(file)
  expect_error(dead(torch_ones(1, 1)), "dead", class = "value_error")
  expect_error(dead$weight, "dead", class = "value_error")
  expect_error(print(dead), "dead", class = "value_error")
})
