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
  expect_output(print(traced$trainforward), "^<script_method> trainforward\\(x: Tensor\\)$")
  expect_match(as.character(traced$graph), "^graph\\(%self : __torch__.small_net")
  expect_match(as.character(traced$graph), "aten::batch_norm")
  expect_s3_class(traced$trainforward$graph, "script_method_graph")
  plain <- with_jit_fusion(fuser = "none", code = traced$graph_for(torch_randn(5, 3)))
  expect_match(as.character(plain), "aten::_batch_norm_impl_index")
})

test_that("a script module that came out of saveRDS() is dead, not dangerous", {
  skip_if_no_torch()
  file <- withr::local_tempfile()
  saveRDS(jit_trace(nn_linear(1, 1), torch_ones(1, 1)), file)
  dead <- readRDS(file)
  expect_error(dead(torch_ones(1, 1)), "dead", class = "value_error")
  expect_error(dead$weight, "dead", class = "value_error")
  expect_output(print(dead), "<script_module> dead", fixed = TRUE)
})

# What PyTorch's script() makes, in a file.
scripted_file <- function(code, env = parent.frame()) {
  file <- withr::local_tempfile(.local_envir = env)
  python_eval(paste0("import torch.nn as nn\nfrom typing import *\ntorch.manual_seed(1)\n", code, "\ntorch.jit.script(m).save(file)\nresult = 0"), file = file)
  file
}

test_that("tensors, modules and names are listed each once, children's before own", {
  skip_if_no_torch()
  loaded <- jit_load(scripted_file("
class M(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.a = nn.Linear(2, 2)
        self.b = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 1))
        self.tied = nn.Linear(2, 2)
        self.tied.weight = self.a.weight
        self.register_buffer('shift', torch.zeros(1))
        self.k = 3
    def forward(self, x):
        return self.b(self.a(x)) * self.scale + self.shift + self.tied(x).sum() * self.k
m = M()"))
  loaded$again <- loaded$a
  expect_equal(names(loaded$parameters), c("a.weight", "a.bias", "b.0.weight", "b.0.bias", "b.1.weight", "b.1.bias", "tied.bias", "scale"))
  expect_equal(names(loaded$buffers), c("b.0.running_mean", "b.0.running_var", "b.0.num_batches_tracked", "shift"))
  expect_equal(names(loaded$named_parameters(recursive = FALSE)), "scale")
  expect_equal(names(loaded$children), c("a", "b", "tied", "again"))
  # Itself, a, b, b.0, b.1, tied.
  expect_length(loaded$modules, 6)
  expect_s3_class(loaded$modules[[1]], "script_module")
  expect_equal(names(loaded$b$children), c("0", "1"))
  expect_equal(as_array(loaded$b[[2]]$weight), as_array(loaded$b[["1"]]$weight))
  expect_equal(loaded$k, 3)
  # Its state has all names.
  expect_true(all(c("again.weight", "tied.weight", "a.weight") %in% names(loaded$state_dict())))
  visited <- 0
  loaded$apply(function(module) visited <<- visited + 1)
  expect_equal(visited, 6)
  expect_true(all(c("a", "scale", "shift", "k", "forward", "parameters", "state_dict") %in% names(loaded)))
  expect_true(all(c("scale", "shift") %in% utils::.DollarNames(loaded, "^s")))
  expect_snapshot(print(loaded))
  expect_snapshot({
    show_error(loaded[[5]])
    show_error(loaded[[TRUE]])
    show_error(loaded[[NA_character_]])
    show_error(loaded[[5]] <- 1)
    show_error(loaded$train("yes"))
    show_error(loaded$register_buffer("a.b", torch_ones(1)))
    show_error(loaded$register_parameter("", torch_ones(1)))
  })
})

test_that("what a class holds as constants is there by name", {
  skip_if_no_torch()
  loaded <- jit_load(scripted_file("
class M(nn.Module):
    __constants__ = ['k']
    def __init__(self):
        super().__init__()
        self.k = 4
        self.conv = nn.Conv1d(1, 2, 3, stride=2)
    def forward(self, x):
        return self.conv(x) * self.k
m = M()"))
  expect_equal(loaded$k, 4)
  expect_equal(as.numeric(unlist(loaded$conv$stride)), 2)
  expect_null(loaded$conv$nothing)
})

test_that("an overloaded forward is called through the one whose types fit", {
  skip_if_no_torch()
  for (layer in c("LSTM", "GRU")) {
    file <- scripted_file(sprintf("m = nn.%s(3, 4)", layer))
    there <- python_eval(sprintf("
x = torch.arange(30, dtype=torch.float32).reshape(5, 2, 3) / 10
state = torch.arange(8, dtype=torch.float32).reshape(1, 2, 4) / 10
m = nn = torch.nn.%s(3, 4)
m.load_state_dict(torch.jit.load(file).state_dict())
state = (state, state + 1) if '%s' == 'LSTM' else state
packed = torch.nn.utils.rnn.pack_padded_sequence(x, torch.tensor([5, 2]))
result = dict(plain=m(x)[0].flatten().tolist(), state=m(x, state)[0].flatten().tolist(), packed=m(packed)[0].data.flatten().tolist(),
  data=packed.data.flatten().tolist(), sizes=packed.batch_sizes.tolist())", layer, layer), file = file)
    loaded <- jit_load(file)
    flat <- function(x) as.numeric(x$flatten())
    x <- (torch_arange(0, 29) / 10)$reshape(c(5, 2, 3))
    state <- (torch_arange(0, 7) / 10)$reshape(c(1, 2, 4))
    if (layer == "LSTM") state <- list(state, state + 1)
    expect_equal(flat(loaded(x)[[1]]), there$plain, tolerance = 1e-5)
    expect_equal(flat(loaded(x, state)[[1]]), there$state, tolerance = 1e-5)
    expect_equal(flat(loaded$forward(input = x, hx = state)[[1]]), there$state, tolerance = 1e-5)
    # A PackedSequence is a named tuple.
    packed <- jit_tuple(list(
      data = torch_tensor(there$data)$reshape(c(-1, 3)), batch_sizes = torch_tensor(there$sizes), sorted_indices = NULL, unsorted_indices = NULL
    ))
    expect_equal(flat(loaded(packed)[[1]]$data), there$packed, tolerance = 1e-5)
    expect_error(loaded("a"), "No overload of `forward` takes these arguments.*forward__0.*forward__1", class = "type_error")
    expect_error(loaded(), "No overload", class = "type_error")
    expect_match(as.character(loaded$forward$graph), "graph(", fixed = TRUE)
  }
})

test_that("a module is retrained as in PyTorch, number by number, and saved again", {
  skip_if_no_torch()
  file <- scripted_file("m = nn.Sequential(nn.Linear(2, 8, bias=False), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1))")
  again <- withr::local_tempfile()
  train <- "
x = (torch.arange(40, dtype=torch.float32).reshape(20, 2) / 7).sin()
y = x[:, :1] * 2 - x[:, 1:]
optimizer = torch.optim.SGD(m.parameters(), lr=0.05, momentum=0.9)
losses = []
m.train()
for epoch in range(20):
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(m(x), y)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
result = dict(losses=losses, state={k: v.flatten().tolist() for k, v in m.state_dict().items()})"
  there <- python_eval(paste0("m = torch.jit.load(file)", train), file = file)
  loaded <- jit_load(file)
  x <- (torch_arange(0, 39)$reshape(c(20, 2)) / 7)$sin()
  y <- x[, 1, drop = FALSE] * 2 - x[, 2, drop = FALSE]
  # Adam would divide what is rounding in the gradient of the first layer, whose scale has no effect, by its own size.
  optimizer <- optim_sgd(loaded$parameters, lr = 0.05, momentum = 0.9)
  loaded$train()
  losses <- vapply(1:20, function(epoch) {
    optimizer$zero_grad()
    loss <- nnf_mse_loss(loaded(x), y)
    loss$backward()
    optimizer$step()
    loss$item()
  }, 0)
  expect_equal(losses, there$losses, tolerance = 1e-4)
  expect_lt(losses[20], losses[1] / 2)
  jit_save(loaded, again)
  state <- python_eval("result = {k: v.flatten().tolist() for k, v in torch.jit.load(again).state_dict().items()}", again = again)
  expect_equal(names(state), names(there$state))
  expect_equal(state, there$state, tolerance = 1e-3)
})

test_that("a clone is a copy of its own", {
  skip_if_no_torch()
  loaded <- jit_load(saved_net())
  copy <- loaded$clone()
  x <- torch_randn(4, 3)
  expect_equal(as_array(copy$eval()(x)), as_array(loaded$eval()(x)))
  expect_equal(vapply(copy$parameters, function(p) p$requires_grad, NA), vapply(loaded$parameters, function(p) p$requires_grad, NA))
  before <- as_array(loaded$two$weight)
  with_no_grad(copy$two$weight$fill_(7))
  copy$train()
  expect_equal(as_array(loaded$two$weight), before)
  expect_false(loaded$training)
  copy(x)$sum()$backward()
  expect_equal(as.numeric(copy$two$bias$grad), 4)
  # Also by the function that copies modules, and by modules that hold one.
  expect_equal(as_array(clone_module(loaded, deep = TRUE)$two$weight), before)
})

test_that("siblings of one type stay whole when one of them grows", {
  skip_if_no_torch()
  file <- scripted_file("m = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))")
  loaded <- jit_load(file)
  x <- torch_ones(1, 2)
  before <- as_array(loaded(x))
  loaded[[1]]$register_buffer("extra", torch_tensor(5))
  loaded[[1]]$add_constant("note", "first")
  expect_equal(as.numeric(loaded[[1]]$extra), 5)
  expect_null(loaded[[2]]$extra)
  expect_null(loaded[[2]]$note)
  expect_equal(names(loaded$buffers), "0.extra")
  expect_length(loaded$modules, 3)
  loaded$train(FALSE)
  expect_equal(as_array(loaded$clone()(x)), before)
  again <- jit_load(jit_serialize(loaded))
  expect_equal(as_array(again(x)), before)
  expect_equal(as.numeric(again[["0"]]$extra), 5)
  expect_null(again[["1"]]$extra)
})

test_that("tensors change their type and place, and stay the same objects", {
  skip_if_no_torch()
  loaded <- jit_load(saved_net(small_net()$eval()))
  weight <- loaded$two$weight
  loaded(torch_ones(1, 3))$sum()$backward()
  expect_identical(withVisible(loaded$to(dtype = torch_float64()))$visible, FALSE)
  expect_equal(as.character(weight$dtype), "Double")
  expect_equal(as.character(weight$grad$dtype), "Double")
  expect_equal(as.character(loaded$norm$num_batches_tracked$dtype), "Long")
  expect_equal(loaded(torch_ones(1, 3, dtype = torch_float64()))$shape, c(1, 1))
  expect_error(loaded$to(dtype = "int"), "floating point", class = "value_error")
  expect_equal(loaded$cpu()$two$weight$device$type, "cpu")
  loaded$zero_grad()
  expect_equal(as.numeric(weight$grad), c(0, 0, 0, 0))
})

test_that("a state dict must fit, and may be taken over", {
  skip_if_no_torch()
  loaded <- jit_load(saved_net())
  state <- loaded$state_dict()
  expect_equal(names(loaded$state_dict(prefix = "net."))[1], paste0("net.", names(state)[1]))
  wrong <- replace(state, "two.bias", list(torch_ones(2)))
  expect_snapshot({
    show_error(loaded$load_state_dict(wrong))
    show_error(loaded$load_state_dict(replace(state, "two.bias", list("a"))))
    show_error(loaded$load_state_dict(state["one.bias"]))
  })
  taken <- lapply(state, function(x) x$clone())
  loaded$load_state_dict(taken, .refer_to_state_dict = TRUE)
  with_no_grad(taken[["two.bias"]]$fill_(9))
  expect_equal(as.numeric(loaded$two$bias), 9)
})

test_that("a module of R holds script modules as children", {
  skip_if_no_torch()
  inner <- jit_load(saved_net())
  outer <- nn_module(
    initialize = function() {
      self$inner <- inner
      self$same <- inner$clone(deep = FALSE)
      self$head <- nn_linear(1, 1)
    },
    forward = function(x) self$head(self$inner(x)) + self$same(x)
  )()
  expect_equal(names(outer$parameters), c(paste0("inner.", names(inner$parameters)), "head.weight", "head.bias"))
  # Itself, the inner one with its three, the head.
  expect_length(outer$modules, 6)
  expect_output(print(outer), "inner: small_net #29 parameters")
  outer$eval()
  expect_false(inner$norm$training)
  outer$train()
  expect_true(inner$norm$training)
  before <- as_array(inner$norm$running_mean)
  outer(torch_randn(4, 3))$sum()$backward()
  expect_false(isTRUE(all.equal(as_array(inner$norm$running_mean), before)))
  expect_equal(as.numeric(inner$two$bias$grad), 4 + 4 * as.numeric(outer$head$weight), tolerance = 1e-5)
  outer$to(dtype = torch_float64())
  expect_equal(as.character(inner$one$weight$dtype), "Double")
  outer$load_state_dict(lapply(outer$state_dict(), torch_zeros_like))
  expect_equal(as.numeric(inner$two$bias), 0)
  copy <- outer$clone()
  with_no_grad(copy$inner$two$bias$fill_(3))
  expect_equal(as.numeric(inner$two$bias), 0)
  # What was one is one in the copy.
  expect_equal(as.numeric(copy$same$two$bias), 3)
})

test_that("tensors that modules share are shared after loading too", {
  skip_if_no_torch()
  tied <- nn_module(
    initialize = function() {
      self$a <- nn_linear(2, 2)
      self$b <- nn_linear(2, 2)
      self$b$weight <- self$a$weight
    },
    forward = function(x) self$b(self$a(x))
  )
  loaded <- jit_load(jit_serialize(jit_trace(tied(), torch_ones(1, 2))))
  expect_equal(names(loaded$parameters), c("a.weight", "a.bias", "b.bias"))
  with_no_grad(loaded$a$weight$fill_(2))
  expect_equal(as.numeric(loaded$b$weight), rep(2, 4))
  expect_length(loaded$state_dict(), 4)
})
