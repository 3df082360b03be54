two_layers <- function() {
  model <- nn_sequential(nn_linear(2, 3), nn_tanh(), nn_linear(3, 1))
  with_no_grad(for (x in model$parameters) x$copy_(torch_arange(1, x$numel())$view_as(x) / 10))
  model
}

# What a model of these weights and hooks does in PyTorch, for one input.
torch_answers <- function(hooks, input_needs = TRUE) {
  python_eval(c(
    "from torch import nn", "m = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))",
    "for p in m.parameters():",
    "    p.data = torch.arange(1, p.numel() + 1, dtype=torch.float).view_as(p) / 10", "log = []",
    hooks,
    sprintf("x = torch.tensor([[1., -1.], [0.5, 2.]], requires_grad=%s)", if (input_needs) "True" else "False"),
    "y = m(x)", "y.sum().backward()",
    "result = dict(log=log, y=y.tolist(), grads=[p.grad.flatten().tolist() for p in m.parameters()], x=None if x.grad is None else x.grad.tolist())"
  ))
}

answers <- function(model, input_needs = TRUE) {
  x <- torch_tensor(rbind(c(1, -1), c(0.5, 2)), requires_grad = input_needs)
  y <- model(x)
  y$sum()$backward()
  list(y = as_array(y), grads = lapply(unname(model$parameters), function(p) as.numeric(as_array(p$grad$flatten()))), x = if (input_needs) as_array(x$grad))
}

expect_answers <- function(mine, theirs, log) {
  # The log is written meanwhile.
  force(mine)
  expect_equal(log, theirs$log)
  expect_equal(mine$y, theirs$y, tolerance = 1e-5)
  expect_equal(mine$grads, theirs$grads, tolerance = 1e-5)
  expect_equal(mine$x, theirs$x, tolerance = 1e-5)
}

test_that("forward hooks see and replace what PyTorch's do, in the same order", {
  skip_if_no_torch()
  theirs <- torch_answers(c(
    "def pre(name, f):",
    "    def hook(m, a):", "        log.append(name)", "        return f(a)", "    return hook",
    "def post(name, f):",
    "    def hook(m, a, o):", "        log.append(name)", "        return f(o)", "    return hook",
    "m[0].register_forward_pre_hook(pre('pre 1', lambda a: a[0] * 2))",
    "m[0].register_forward_pre_hook(pre('pre 2', lambda a: (a[0] + 1,)))",
    "m[0].register_forward_pre_hook(pre('pre 0', lambda a: None), prepend=True)",
    "m[0].register_forward_hook(post('post 1', lambda o: o * 3))",
    "m[0].register_forward_hook(post('post 0', lambda o: o - 1), prepend=True)",
    "m.register_forward_hook(post('whole', lambda o: None))",
    "gone = m[2].register_forward_hook(post('gone', lambda o: o * 0))", "gone.remove()"
  ))
  log <- character()
  pre <- function(name, f) function(module, inputs) {
    log <<- c(log, name)
    f(inputs)
  }
  post <- function(name, f) function(module, inputs, output) {
    log <<- c(log, name)
    f(output)
  }
  model <- two_layers()
  model[[1]]$register_forward_pre_hook(pre("pre 1", function(inputs) inputs[[1]] * 2))
  model[[1]]$register_forward_pre_hook(pre("pre 2", function(inputs) list(inputs$input + 1)))
  model[[1]]$register_forward_pre_hook(pre("pre 0", function(inputs) NULL), prepend = TRUE)
  model[[1]]$register_forward_hook(post("post 1", function(output) output * 3))
  model[[1]]$register_forward_hook(post("post 0", function(output) output - 1), prepend = TRUE)
  model$register_forward_hook(post("whole", function(output) NULL))
  gone <- model[[3]]$register_forward_hook(post("gone", function(output) output * 0))
  expect_invisible(gone$remove())
  gone$remove()
  expect_answers(answers(model), theirs, log)
  # `$forward()` calls none.
  expect_equal(as_array(model[[1]]$forward(torch_zeros(2))), c(0.1, 0.2, 0.3), tolerance = 1e-6)
})

test_that("backward hooks see and replace what PyTorch's do", {
  skip_if_no_torch()
  skip_if_older("2.0")
  for (input_needs in c(TRUE, FALSE)) {
    theirs <- torch_answers(c(
      "def show(gs):", "    return ' '.join('None' if g is None else '%.4f' % g.sum() for g in gs)",
      "def back(name, f):",
      "    def hook(m, gi, go):", "        log.append(name + ': ' + show(gi) + ' | ' + show(go))", "        return f(gi)", "    return hook",
      "m[2].register_full_backward_pre_hook(lambda m, go: (go[0] * 2,))",
      "m[2].register_full_backward_hook(back('last', lambda gi: (gi[0] * 3,)))",
      "m[0].register_full_backward_hook(back('first', lambda gi: None))",
      "m[0].register_full_backward_hook(back('before', lambda gi: None), prepend=True)",
      "m.register_full_backward_hook(back('whole', lambda gi: None))"
    ), input_needs)
    log <- character()
    show <- function(grads) paste(vapply(grads, function(g) if (is.null(g)) "None" else sprintf("%.4f", as.numeric(g$sum())), ""), collapse = " ")
    back <- function(name, f) function(module, grad_input, grad_output) {
      log <<- c(log, paste0(name, ": ", show(grad_input), " | ", show(grad_output)))
      f(grad_input)
    }
    model <- two_layers()
    model[[3]]$register_full_backward_pre_hook(function(module, grad_output) list(grad_output[[1]] * 2))
    model[[3]]$register_full_backward_hook(back("last", function(grads) grads[[1]] * 3))
    model[[1]]$register_full_backward_hook(back("first", function(grads) NULL))
    model[[1]]$register_full_backward_hook(back("before", function(grads) NULL), prepend = TRUE)
    model$register_full_backward_hook(back("whole", function(grads) NULL))
    expect_answers(answers(model, input_needs), theirs, log)
  }
})

test_that("backward hooks go through lists of outputs, and not through what needs no gradient", {
  skip_if_no_torch()
  layer <- nn_lstm(2, 3)
  seen <- list()
  layer$register_full_backward_hook(function(module, grad_input, grad_output) {
    seen <<- list(vapply(grad_input, is.null, NA), vapply(grad_output, is.null, NA))
    NULL
  })
  out <- layer(torch_randn(4, 1, 2, requires_grad = TRUE))
  out[[2]][[2]]$sum()$backward()
  # A gradient for the input and one of three outputs.
  expect_identical(seen, list(FALSE, c(TRUE, TRUE, FALSE)))
  with_no_grad(expect_false(layer(torch_randn(4, 1, 2))[[1]]$requires_grad))
})

test_that("the graph of a module with backward hooks is freed", {
  skip_if_no_torch()
  model <- two_layers()
  model$register_full_backward_hook(function(module, grad_input, grad_output) NULL)
  alive <- function() {
    gc()
    gc()
    cpp_memory_stats(FALSE)[["live"]]
  }
  run <- function() {
    x <- torch_ones(1000, 2, requires_grad = TRUE)
    for (i in 1:20) model(x)$sum()$backward()
    model(x)
    invisible()
  }
  run()
  before <- alive()
  for (i in 1:3) run()
  expect_lt(alive() - before, 8000)
})

test_that("a hook that is always called sees a failure, once", {
  skip_if_no_torch()
  layer <- nn_linear(2, 1)
  seen <- list()
  hook <- function(module, inputs, output) {
    seen <<- c(seen, list(is.null(output)))
    NULL
  }
  layer$register_forward_hook(hook, always_call = TRUE)
  layer$register_forward_hook(function(module, inputs, output) if (as.numeric(output$sum()) > 1e6) stop("too large"))
  layer$register_forward_hook(hook, always_call = TRUE)
  expect_error(layer(torch_ones(3)), "mat1 and mat2|size mismatch")
  expect_identical(seen, list(TRUE, TRUE))
  seen <- list()
  layer(torch_ones(2))
  expect_identical(seen, list(FALSE, FALSE))
  seen <- list()
  with_no_grad(layer$bias$fill_(1e7))
  expect_error(layer(torch_ones(2)), class = "runtime_error")
  expect_identical(seen, list(FALSE, TRUE))
})

test_that("arguments reach the hooks by their names, and forward as they were given", {
  skip_if_no_torch()
  echo <- nn_module("echo", forward = function(x, scale = 2, ...) list(x = x, scale = scale, missing = missing(scale), more = list(...)))
  model <- echo()
  seen <- NULL
  model$register_forward_pre_hook(function(module, inputs) {
    seen <<- inputs
    NULL
  })
  expect_equal(model(NULL), list(x = NULL, scale = 2, missing = TRUE, more = list()))
  expect_equal(seen, list(x = NULL))
  expect_equal(model(1, 3, 4, k = 5), list(x = 1, scale = 3, missing = FALSE, more = list(4, k = 5)))
  expect_equal(seen, list(x = 1, scale = 3, 4, k = 5))
  model$register_forward_pre_hook(function(module, inputs) 7)
  expect_equal(model(1, scale = 3)[1:2], list(x = 7, scale = 3))
})

test_that("every R object of a module has its hooks, and a copy has its own", {
  skip_if_no_torch()
  model <- net(3)
  held <- model$hidden
  count <- 0
  handle <- model$hidden$register_forward_hook(function(module, inputs, output) {
    count <<- count + 1
    NULL
  })
  x <- torch_ones(1, 3)
  model(x)
  held(x)
  model$modules[[2]](x)
  expect_identical(count, 3)
  copies <- list(model$clone(deep = TRUE), clone_module(model$hidden))
  handle$remove()
  model(x)
  expect_identical(count, 3)
  copies[[1]](x)
  copies[[2]](x)
  expect_identical(count, 5)
  # In the copy the hook gets the copy.
  hook <- function(module, inputs, output) output * 0 + module$bias
  layer <- nn_linear(3, 1)
  layer$register_forward_hook(hook)
  copy <- layer$clone(deep = TRUE)
  with_no_grad(copy$bias$fill_(5))
  expect_equal(as_array(copy(torch_ones(3))), 5)
})

test_that("a class that inherits, and forward of the class below, call the hooks once", {
  skip_if_no_torch()
  child <- nn_module("child", inherit = nn_linear, forward = function(input) super$forward(input) + 1)
  model <- child(2, 1)
  count <- 0
  model$register_forward_hook(function(module, inputs, output) {
    count <<- count + 1
    NULL
  })
  model(torch_ones(2))
  expect_identical(count, 1)
  # A class of which R6 itself makes the objects.
  odd <- nn_module("odd", forward = function(x) x + self$ready, active = list(ready = function() 1, ready2 = function() 2))
  attr(odd, "r6_class")$debug("forward")
  attr(odd, "r6_class")$undebug("forward")
  model <- odd()
  model$register_forward_hook(function(module, inputs, output) output * 10)
  expect_identical(model(1), 20)
})

test_that("a trace records what forward hooks do, and holds no backward hooks", {
  skip_if_no_torch()
  model <- two_layers()
  model[[1]]$register_forward_pre_hook(function(module, inputs) list(inputs[[1]] * 2))
  model$register_forward_hook(function(module, inputs, output) output + inputs[[1]]$sum())
  x <- torch_randn(4, 2)
  traced <- jit_trace(model, x)
  expect_equal(as_array(traced(x * 3)), as_array(model(x * 3)), tolerance = 1e-6)
  skip_if_older("2.0")
  theirs <- python_eval(c(
    "m = torch.nn.Sequential(torch.nn.Linear(1, 1))", "m[0].register_full_backward_hook(lambda m, i, o: None)",
    "try:", "    torch.jit.trace(m, torch.ones(1))", "    result = 'traced'", "except ValueError as e:", "    result = 'refused'"
  ))
  expect_identical(theirs, "refused")
  handle <- model[[3]]$register_full_backward_hook(function(module, grad_input, grad_output) NULL)
  expect_snapshot(error = TRUE, jit_trace(model, x))
  handle$remove()
  expect_s3_class(jit_trace(model, x), "script_module")
})

test_that("state dict hooks change what is saved and loaded", {
  skip_if_no_torch()
  model <- net(3)
  seen <- character()
  model$register_state_dict_pre_hook(function(module, prefix, keepvars) seen <<- c(seen, paste0("pre", prefix, keepvars)))
  model$hidden$register_state_dict_post_hook(function(module, state_dict, prefix) {
    seen <<- c(seen, names(state_dict))
    setNames(state_dict, sub("weight", "kernel", names(state_dict)))
  })
  state <- model$state_dict()
  expect_named(state, c("offset", "scale", "hidden.kernel", "hidden.bias", "output.weight", "output.bias"))
  expect_identical(seen, c("preFALSE", "hidden.weight", "hidden.bias"))
  other <- net(3)
  expect_error(other$load_state_dict(state), "`hidden.weight`")
  other$hidden$register_load_state_dict_pre_hook(function(module, state_dict, prefix) {
    setNames(state_dict, sub(paste0(prefix, "kernel"), paste0(prefix, "weight"), names(state_dict)))
  })
  other$load_state_dict(state)
  expect_equal(as_array(other$hidden$weight), as_array(model$hidden$weight))

  lenient <- net(3)
  keys <- NULL
  lenient$register_load_state_dict_post_hook(function(module, found) {
    keys <<- found
    found$missing_keys <- character()
    found
  })
  lenient$load_state_dict(c(state, list(extra = torch_ones(1))))
  expect_identical(keys, list(missing_keys = "hidden.weight", unexpected_keys = c("hidden.kernel", "extra")))
})

test_that("a module keeps more than tensors in its state, as it says", {
  skip_if_no_torch()
  counter <- nn_module(
    "counter", initialize = function() self$n <- 0, forward = function(x) x,
    get_extra_state = function() list(n = self$n), set_extra_state = function(state) self$n <- state$n
  )
  model <- nn_sequential(a = counter(), b = nn_linear(1, 1))
  model$a$n <- 5
  state <- model$state_dict()
  expect_named(state, c("a._extra_state", "b.weight", "b.bias"))
  other <- nn_sequential(a = counter(), b = nn_linear(1, 1))
  other$load_state_dict(state)
  expect_identical(other$a$n, 5)
  expect_error(other$load_state_dict(state[-1]), "a._extra_state")
})

test_that("errors say which hook", {
  skip_if_no_torch()
  layer <- nn_linear(2, 1)
  expect_snapshot(error = TRUE, {
    layer$register_forward_hook("print")
    layer$register_forward_hook(print, prepend = NA)
    handle <- layer$register_forward_hook(function(module, inputs, output) NULL)
    handle2 <- layer$register_forward_hook(function(module, inputs, output) stop("no good"))
    layer(torch_ones(2))
    handle2$remove()
    layer$register_full_backward_hook(function(module, grad_input, grad_output) list(1, 2))
    layer(torch_ones(2, requires_grad = TRUE))$backward()
    layer(torch_ones(2))$backward()
    layer$register_state_dict_post_hook(function(module, state_dict) state_dict)
    layer$state_dict()
  })
})

test_that("a module without hooks is called at next to no cost", {
  skip_if_no_torch()
  layer <- nn_identity()
  plain <- layer$forward
  linear <- nn_linear(2, 2)
  x <- torch_ones(2)
  time <- function(f) min(replicate(10, system.time(for (i in 1:3000) f(x))[[1]]))
  expect_lt(time(layer) - time(plain), 0.2 * time(linear))
})

test_that("hooks that assign or print only look", {
  skip_if_no_torch()
  plain <- answers(two_layers())
  model <- two_layers()
  seen <- list()
  model[[1]]$register_forward_pre_hook(function(module, inputs) seen$inputs <<- list(inputs[[1]] * 2))
  model[[1]]$register_forward_hook(function(module, inputs, output) seen$output <<- output$detach())
  model[[2]]$register_forward_hook(function(module, inputs, output) print(output$shape))
  model[[3]]$register_full_backward_hook(function(module, grad_input, grad_output) seen$norm <<- grad_output[[1]]$norm())
  expect_output(looked <- answers(model), "2 3")
  expect_equal(looked, plain)
  expect_setequal(names(seen), c("inputs", "output", "norm"))
})
