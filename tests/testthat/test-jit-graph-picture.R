two_convolutions <- nn_module(
  "two_convolutions",
  initialize = function() {
    self$conv1 <- nn_conv2d(1, 8, 3)
    self$features <- nn_sequential(nn_conv2d(8, 16, 3), nn_relu())
    self$fc <- nn_linear(400, 10)
  },
  forward = function(x) {
    x <- nnf_max_pool2d(nnf_relu(self$conv1(x)), 2)
    x <- nnf_max_pool2d(self$features(x), 2)
    nnf_log_softmax(self$fc(torch_flatten(x, start_dim = 2)), 2)
  }
)

branches <- "
def f(x, n: int):
  y = x
  for i in range(n):
    if i > 1:
      y = torch.cat([y, x * 2])
    else:
      y = torch.relu(y) + i
  return y, n
"

picture_of <- function(graph, detail) graph_picture(graph, detail)

test_that("a net shows its layers and operators with the shapes of what they give, and nothing else", {
  skip_if_no_torch()
  picture <- picture_of(jit_trace(two_convolutions(), torch_randn(2, 1, 28, 28))$graph, "operators")
  expect_equal(picture$nodes$text, c(
    "x", "conv1: convolution", "relu", "max_pool2d", "features.0: convolution", "relu", "max_pool2d", "flatten", "fc: linear",
    "log_softmax", "return"
  ))
  # By the arithmetic of convolutions and pools.
  expect_equal(picture$nodes$note[-11], c(
    "(2, 1, 28, 28)", "(2, 8, 26, 26)", "(2, 8, 26, 26)", "(2, 8, 13, 13)", "(2, 16, 11, 11)", "(2, 16, 11, 11)",
    "(2, 16, 5, 5)", "(2, 400)", "(2, 10)", "(2, 10)"
  ))
  expect_equal(which(picture$nodes$form == "layer"), c(2L, 5L, 9L))
  # One chain from the first to the last.
  expect_equal(picture$edges$from, 1:10)
  expect_equal(picture$edges$to, 2:11)
})

test_that("with all detail every node of the graph and every use of a value is there", {
  skip_if_no_torch()
  graph <- jit_trace(two_convolutions(), torch_randn(2, 1, 28, 28))$graph
  nodes <- graph$nodes()
  picture <- picture_of(graph, "all")
  kinds <- nodes$kind[nodes$kind != "prim::Constant"]
  expect_equal(setdiff(picture$nodes$text, kinds), setdiff(picture$nodes$text, nodes$kind))
  expect_equal(nrow(picture$nodes), nrow(nodes) + length(graph$inputs()) + 1)
  expect_equal(nrow(picture$edges), sum(lengths(lapply(nodes$inputs, unique))) + 1)
})

test_that("lists that only carry values are left out, with edges past them", {
  skip_if_no_torch()
  f <- jit_trace(function(x, y) list(torch_cat(list(x * 2, y)), torch_stack(list(x, x))), torch_ones(2), torch_ones(3))
  picture <- picture_of(f$graph, "layers")
  text <- picture$nodes$text
  edges <- paste(text[picture$edges$from], text[picture$edges$to])
  expect_setequal(edges, c("x mul", "mul cat", "y cat", "x stack", "cat return", "stack return"))
})

test_that("blocks hang below what holds them", {
  skip_if_no_torch()
  picture <- picture_of(jit_compile(branches)$f$graph, "operators")
  held <- picture$edges[picture$edges$name == "", ]
  text <- picture$nodes$text
  expect_setequal(unique(text[held$from]), c("loop", "if"))
  expect_equal(sum(text == "return"), 4)
  # What a block uses from outside comes from there.
  expect_true(any(text[picture$edges$from] == "x.1" & text[picture$edges$to] == "mul"))
})

test_that("calls of methods and functions have the names of what is called", {
  skip_if_no_torch()
  unit <- unit_of_many()
  expect_true("scale" %in% picture_of(unit$thrice$graph, "layers")$nodes$text)
  net <- jit_module("Outer")
  inner <- jit_module("Inner")
  inner$define("def forward(self, x):\n  return x * 2\ndef other(self, x):\n  return x + 1\n")
  net$inner <- inner
  net$define("def forward(self, x):\n  return self.inner.other(self.inner(x))\n")
  expect_equal(picture_of(net$graph, "layers")$nodes$text, c("x.1", "inner", "inner: other", "return"))
})

test_that("a graph of constants has one node", {
  skip_if_no_torch()
  alone <- jit_compile("def f():\n  return 1\n")$f$graph
  expect_equal(picture_of(alone, "layers")$nodes$text, "return")
  expect_equal(sort(picture_of(alone, "all")$nodes$text), c("1", "return"))
})

test_that("shapes are read from types", {
  expect_equal(type_shape(c(
    "Float(2, 8, strides=[8, 1], requires_grad=0, device=cpu)", "Long(requires_grad=0, device=cpu)", "Double(3)", "Tensor",
    "int[]", "Dict(str, int)", "Float(*, *, requires_grad=0, device=cpu)"
  )), c("(2, 8)", "()", "(3)", "", "", "", ""))
})

test_that("the layer is read from the place of a node", {
  expect_equal(
    vapply(c("net$head$2, nn_linear", "net$conv, nn_conv2d", "model.R", "net", NA, "my net$a b, odd"), layer_in_place, ""),
    c("head.2: nn_linear", "conv: nn_conv2d", "", "", "", "a b: odd"), ignore_attr = TRUE
  )
})

test_that("what a layer computes is one node, with what comes in and goes out", {
  # x -> [conv -> add] -> relu -> [conv -> add] -> return, and a way around the first layer.
  nodes <- data.frame(
    row = 1:7, text = c("x", "convolution", "add", "relu", "convolution", "add", "return"),
    form = c("input", "layer", "operator", "operator", "operator", "operator", "output"), group = "NA 1",
    layer = c("", "a: conv", "a: conv", "", "b: conv", "b: conv", ""), note = paste0("(", 1:7, ")")
  )
  edges <- data.frame(from = c(1:6, 1), to = c(2:7, 4), name = letters[1:7], note = "")
  folded <- fold_layers(list(nodes = nodes, edges = edges))
  expect_equal(folded$nodes$text, c("x", "a: conv", "relu", "b: conv", "return"))
  expect_equal(folded$nodes$form, c("input", "layer", "operator", "operator", "output"))
  # The shape is that of the last of its operators.
  expect_equal(folded$nodes$note[c(2, 4)], c("(3)", "(6)"))
  expect_setequal(paste(folded$edges$from, folded$edges$to), c("1 2", "2 3", "3 4", "4 5", "1 3"))
})
