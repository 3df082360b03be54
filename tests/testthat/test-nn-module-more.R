nested <- function() {
  shared <- nn_linear(2, 2)
  body <- nn_sequential(nn_batch_norm1d(2), shared)
  nn_module("nested", initialize = function() {
    self$body <- body
    self$head <- nn_linear(2, 1)
    self$again <- shared
  }, forward = function(x) self$head(self$again(self$body(x))))()
}

test_that("every member of PyTorch's modules is there, or left out for a reason", {
  skip_if_no_torch()
  skip_if_older("2.5")
  left_out <- c(
    T_destination = "a type of Python's", call_super_init = "a switch of Python's classes", dump_patches = "does nothing any more",
    compile = "PyTorch's compiler works on Python's bytecode: jit_trace()", extra_repr = "labels show the settings of a module",
    ipu = "another device", mtia = "another device", xpu = "another device",
    register_backward_hook = "deprecated: it sees the gradients of the last operator, not of the module",
    share_memory = "workers get tensors another way", get_extra_state = "the user's to define", set_extra_state = "the user's to define"
  )
  theirs <- python_eval("result = [n for n in dir(torch.nn.Module) if not n.startswith('_')]")
  model <- nested()
  there <- Filter(function(name) !is.null(`$.nn_module`(model, name)), theirs)
  expect_setequal(setdiff(theirs, there), names(left_out))
  expect_true(all(setdiff(there, c("buffers", "children", "modules", "parameters", names(nn_Module$public_methods))) %in% names(more_members)))
})

test_that("modules and tensors are found by their paths, those that PyTorch finds", {
  skip_if_no_torch()
  skip_if_older("2.5")
  theirs <- python_eval(c(
    "from torch import nn", "class Nested(nn.Module):", "    def __init__(self):", "        super().__init__()",
    "        shared = nn.Linear(2, 2)", "        self.body = nn.Sequential(nn.BatchNorm1d(2), shared)",
    "        self.head = nn.Linear(2, 1)", "        self.again = shared", "m = Nested()",
    "result = dict(once=[n for n, _ in m.named_modules()], all=[n for n, _ in m.named_modules(remove_duplicate=False)],",
    "  children=[n for n, _ in m.named_children()], shape=list(m.get_parameter('body.1.weight').shape),",
    "  buffer=list(m.get_buffer('body.0.running_mean').shape), sub=type(m.get_submodule('body.1')).__name__)"
  ))
  model <- nested()
  expect_named(model$named_modules(), theirs$once)
  expect_named(model$named_modules(remove_duplicate = FALSE), theirs$all)
  expect_named(model$named_children(), theirs$children)
  expect_equal(model$get_parameter("body.1.weight")$shape, theirs$shape)
  expect_equal(model$get_buffer("body.0.running_mean")$shape, theirs$buffer)
  expect_s3_class(model$get_submodule("body.1"), "nn_linear")
  expect_identical(module_identity(model$get_submodule("")), module_identity(model))
  model$set_submodule("body.1", nn_tanh())
  expect_s3_class(model$body[[2]], "nn_tanh")
  expect_s3_class(model$again, "nn_linear")
  expect_snapshot(error = TRUE, {
    model$get_submodule("body.7")
    model$get_submodule("foot")
    model$get_submodule("head.x")
    model$get_submodule(1)
    model$get_parameter("body.0.running_mean")
    model$get_buffer("body")
    model$set_submodule("", nn_tanh())
    model$set_submodule("head", 1)
  })
})

test_that("a script module among the children is found as well", {
  skip_if_no_torch()
  model <- nn_sequential(a = jit_trace(nn_sequential(nn_linear(2, 1)), torch_ones(2)))
  expect_named(model$named_modules(), c("", "a", "a.0"))
  expect_equal(model$get_parameter("a.0.weight")$shape, c(1, 2))
})

test_that("dtypes, flags and devices of a whole tree are set at once", {
  skip_if_no_torch()
  model <- nested()
  dtypes <- list(double = torch_double(), half = torch_half(), bfloat16 = torch_bfloat16(), float = torch_float())
  for (name in names(dtypes)) {
    expect_identical(module_identity(`$.nn_module`(model, name)()), module_identity(model))
    expect_true(all(vapply(model$parameters, function(x) x$dtype == dtypes[[name]], NA)))
    expect_true(model$body[[1]]$num_batches_tracked$dtype == torch_long())
  }
  model$type(torch_double())
  # This one casts all.
  expect_true(model$body[[1]]$num_batches_tracked$dtype == torch_double())
  expect_invisible(model$requires_grad_(FALSE))
  expect_false(any(vapply(model$parameters, function(x) x$requires_grad, NA)))
  model$requires_grad_()
  expect_true(all(vapply(model$parameters, function(x) x$requires_grad, NA)))
  model$float()(torch_randn(3, 2))$sum()$backward()
  model$zero_grad(set_to_none = TRUE)
  expect_true(is_undefined_tensor(model$head$weight$grad))
  meta <- nested()$to(device = "meta")
  expect_equal(meta$to_empty("cpu")$head$weight$device$type, "cpu")
  expect_equal(meta$head$weight$shape, c(1, 2))
  expect_snapshot(error = TRUE, {
    model$type("float")
    model$requires_grad_(1)
  })
})

test_that("methods reach these members of self, and fields of the same names are the user's", {
  skip_if_no_torch()
  asking <- nn_module(
    "asking",
    initialize = function() {
      self$a <- nn_linear(1, 1)
      self$freeze()
    },
    freeze = function() self$requires_grad_(FALSE),
    forward = function(x) self$get_submodule("a")(x),
    paths = function() names(self$named_modules())
  )
  model <- asking()
  expect_false(model$a$weight$requires_grad)
  expect_identical(model$paths(), c("", "a"))
  copy <- model$clone(deep = TRUE)
  copy$a$requires_grad_()
  copy$freeze()
  expect_false(copy$a$weight$requires_grad)
  model$a$requires_grad_()
  copy$freeze()
  expect_true(model$a$weight$requires_grad)
  own <- nn_module("own", initialize = function() self$type <- "mine", forward = function(x) self$double, double = 3)()
  expect_identical(own$type, "mine")
  expect_identical(own(1), 3)
  expect_null(nn_linear(1, 1, bias = FALSE)$bias)
})
