# Modules compiled from their R code.

test_that("methods, children, fields, modes and buffers mean what they mean in R", {
  skip_if_no_torch()
  block <- nn_module(
    "block",
    initialize = function(n) {
      self$layer <- nn_linear(n, n)
      self$scale <- nn_parameter(torch_ones(1) * 2)
    },
    forward = function(x) {
      y <- self$layer(x) * self$scale
      if (as.logical(y$sum() > 0)) y else self$other(y)
    },
    other = function(y) -y
  )
  net <- nn_module(
    "net",
    initialize = function(n) {
      self$blocks <- nn_module_list(list(block(n), block(n)))
      self$head <- nn_sequential(nn_linear(n, 2), nn_relu())
      self$times <- 2L
      self$calls <- nn_buffer(torch_zeros(1))
    },
    forward = function(x, shift = 0) {
      for (i in seq_len(self$times)) for (one in as.list(self$blocks)) x <- one(x)
      self$calls <- self$calls + 1
      if (self$training) x <- x + 100
      self$head(x) + shift
    },
    encode = function(x) self$blocks[[2]](x)
  )
  torch_manual_seed(1)
  module <- net(3)
  x <- torch_randn(4, 3)
  program <- jit_script(module, x, methods = c("forward", "encode"))
  for (mode in c(TRUE, FALSE)) {
    module$train(mode)
    program$train(mode)
    expect_equal(as_array(program(x)$detach()), as_array(module(x)$detach()), tolerance = 1e-6)
    expect_equal(as_array(program(x, 1)$detach()), as_array(module(x, 1)$detach()), tolerance = 1e-6)
  }
  expect_equal(as_array(program$encode(x)$detach()), as_array(module$encode(x)$detach()), tolerance = 1e-6)
  # A buffer that the program gives another value is its own.
  expect_equal(as.numeric(program$calls), 4)
  # Gradients reach the module's own parameters.
  program(x)$sum()$backward()
  expect_false(is.null(module$head[[1]]$weight$grad))
  path <- withr::local_tempfile(fileext = ".pt")
  jit_save(program, path)
  program$eval()
  again <- jit_load(path)
  again$eval()
  expect_equal(as_array(again(x)$detach()), as_array(program(x)$detach()), tolerance = 1e-6)
  got <- python_eval("
m = torch.jit.load(path)
m.train()
trained = m(torch.tensor(x))
m.eval()
result = [trained.flatten().tolist(), m(torch.tensor(x)).flatten().tolist()]
", path = path, x = as_array(x))
  for (mode in 1:2) {
    program$train(mode == 1)
    expect_equal(got[mode, ], as.numeric(t(as_array(program(x)$detach()))), tolerance = 1e-6)
  }
})

test_that("what a module found outside is noticed when it changes", {
  skip_if_no_torch()
  scale <- 2
  net <- nn_module("net", initialize = function() NULL, forward = function(x) x * scale)
  program <- jit_script(net(), torch_ones(1))
  expect_silent(program(torch_ones(1)))
  scale <- 3
  expect_warning(expect_equal(as.numeric(program(torch_ones(1))), 2), "`scale`", class = "torch_script_changed_warning")
})

test_that("a traced child stays a call in a compiled parent", {
  skip_if_no_torch()
  x <- torch_randn(2, 3)
  traced <- jit_trace(nn_linear(3, 3), x)
  net <- nn_module(
    "net",
    initialize = function() self$child <- traced,
    forward = function(x) if (as.logical(x$sum() > 0)) self$child(x) else x
  )
  program <- jit_script(net(), x)
  for (input in list(x$abs(), -x$abs())) expect_equal(as_array(program(input)$detach()), as_array(net()(input)$detach()))
})

test_that("what a module can't give a program is told", {
  skip_if_no_torch()
  net <- nn_module("net", initialize = function() NULL, forward = function(x) self$nothing(x))
  expect_error(jit_script(net(), torch_ones(1)), "`nothing`", class = "torch_error")
  expect_snapshot(error = TRUE, jit_script(nn_linear(2, 2), torch_ones(2), methods = "other"))
  expect_snapshot(error = TRUE, jit_script(nn_linear(2, 2), torch_ones(2), methods = 1))
  expect_snapshot(error = TRUE, jit_script(nn_linear))
})

# Settings that are NULL in part, and numbers of dimensions that a program does not know.
more_layer_cases <- list(
  layer_case("nn_adaptive_max_pool2d(c(NA, 2))", NULL, "f 1,2,5,7"),
  layer_case("nn_adaptive_avg_pool3d(NULL)", NULL, "f 1,1,3,4,5"),
  layer_case("nn_adaptive_max_pool1d(3, return_indices = TRUE)", NULL, "f 1,2,7"),
  layer_case("nn_embedding_bag(5, 3, max_norm = 1)", NULL, "i5 2,4"),
  layer_case("nn_conv2d(2, 2, c(3, 2), padding = 'same', padding_mode = 'reflect')", NULL, "f 1,2,5,5"),
  layer_case("nn_upsample(size = c(3, 4), mode = 'bilinear')", NULL, "f 1,2,5,7"),
  layer_case("nn_lstm_cell(3, 4, bias = FALSE)", NULL, "f 3"),
  layer_case("nn_transformer_decoder(nn_transformer_decoder_layer(6, 2, 8, dropout = 0), 2, nn_layer_norm(6))", NULL, "f 4,2,6", "f 5,2,6")
)

test_that("layers are compiled from their R code, in both modes", {
  skip_if_older("2.0")
  flat <- function(x) if (is_torch_tensor(x)) list(as_array(x$detach())) else unlist(lapply(unname(x), flat), recursive = FALSE)
  for (case in c(layer_cases, more_layer_cases)) {
    module <- eval(parse(text = case$r)[[1]])$to(dtype = torch_double())
    inputs <- lapply(lapply(case$inputs, layer_input), `[[`, "tensor")
    program <- do.call(jit_script, c(list(module), inputs))
    for (mode in c(FALSE, if (!case$random) TRUE)) {
      state <- lapply(module$state_dict(), function(x) x$clone())
      module$train(mode)
      program$train(mode)
      wanted <- flat(do.call(module, inputs))
      module$load_state_dict(state)
      expect_equal(flat(do.call(program, inputs)), wanted, tolerance = 1e-6, info = case$r)
    }
  }
})

test_that("what is computed of other members is computed in the program too", {
  skip_if_older("2.0")
  x <- torch_randn(4, 3)
  norms <- list(
    nn_utils_parametrizations_weight_norm, nn_utils_parametrizations_spectral_norm, nn_utils_parametrizations_orthogonal,
    function(layer) nn_utils_parametrizations_orthogonal(layer, orthogonal_map = "cayley"),
    function(layer) nn_utils_weight_norm$new()$apply(layer),
    function(layer) nn_utils_parametrizations_spectral_norm(nn_utils_parametrizations_weight_norm(layer))
  )
  for (norm in norms) {
    layer <- norm(nn_linear(3, 2))
    program <- jit_script(layer, x)
    expect_setequal(names(program$parameters), names(layer$parameters))
    # A step of training is one of the program's.
    with_no_grad(for (p in layer$parameters) p$add_(0.1))
    layer$eval()
    program$eval()
    expect_equal(as_array(program(x)), as_array(layer(x)), tolerance = 1e-6)
  }
  # A child's weight.
  net <- nn_module(
    "net",
    initialize = function() self$layer <- nn_utils_parametrizations_weight_norm(nn_linear(3, 3)),
    forward = function(x) self$layer(x) + self$layer$weight$sum()
  )()
  program <- jit_script(net, x)
  expect_equal(as_array(program(x)), as_array(net(x)), tolerance = 1e-6)
  file <- withr::local_tempfile()
  jit_save(program, file)
  expect_equal(as_array(jit_load(file)(x)), as_array(net(x)), tolerance = 1e-6)
})

test_that("hooks, and members that go by variables, are no program", {
  skip_if_no_torch()
  hooked <- nn_linear(2, 2)
  hooked$register_forward_hook(function(module, input, output) output * 2)
  expect_snapshot(error = TRUE, {
    jit_script(hooked, torch_ones(2))
    jit_script(nn_utils_spectral_norm(nn_linear(2, 2)), torch_ones(2))
    jit_script(nn_utils_parametrizations_weight_norm(nn_lstm(2, 2), "weight_hh_l1"), torch_ones(3, 1, 2))
  })
})

test_that("a loop goes over the positions and names of children", {
  skip_if_no_torch()
  net <- nn_module(
    initialize = function() {
      self$layers <- nn_module_list(lapply(1:3, function(i) nn_linear(1, 1)))
      self$named <- nn_module_dict(list(a = nn_linear(1, 1), b = nn_tanh()))
      self$chain <- nn_sequential(nn_linear(1, 1), nn_relu())
    },
    forward = function(x) {
      for (i in seq_along(self$layers)) x <- self$layers[[i]](x)
      for (i in rev(seq_along(self$layers))) x <- self$layers[[i]](x) * i
      for (name in names(self$named)) x <- self$named[[name]](x)
      x + length(self$layers) + 10 * length(self$named) + 100 * length(self$chain)
    }
  )
  model <- net()
  program <- jit_script(model, torch_ones(1))
  expect_equal(as.numeric(program(torch_ones(1))), as.numeric(model(torch_ones(1))), tolerance = 1e-6)
})

test_that("errors show a module's own code, and members that run code are not run", {
  skip_if_no_torch()
  runs <- 0
  net <- nn_module(
    initialize = function() self$inner <- nn_module(forward = function(x) x$matmul(x))(), forward = function(x) self$inner(x) * 2, other = function() self$area,
    active = list(area = function() { runs <<- runs + 1; 5 })
  )
  program <- jit_script(net(), torch_ones(1, 2))
  message <- conditionMessage(rlang::catch_cnd(program(torch_ones(1, 2)), "error"))
  expect_match(message, "x$matmul(x)", fixed = TRUE)
  expect_no_match(message, ".hooks", fixed = TRUE)
  reading <- nn_module(forward = function(x) self$area * x, active = list(area = function() { runs <<- runs + 1; 5 }))
  expect_error(jit_script(reading(), torch_ones(1)), "a function, a tensor(.|\n)*self\\$area \\* x", class = "torch_error")
  expect_equal(runs, 0)
  layer <- nn_linear(1, 1)
  expect_error(jit_script(function(x) layer(x)), "`layer()` is a module, which a function's program can't hold", fixed = TRUE, class = "torch_error")
})

test_that("plain fields are what they are, or are refused by their names where they are read", {
  skip_if_no_torch()
  net <- nn_module(
    "net",
    initialize = function() {
      self$scale <- torch_ones(3) * 2
      self$low <- -Inf
      self$cfg <- list(a = 1, b = 2, more = list(u = 3L, v = "x"))
      self$table <- matrix(1:4, 2)
      self$unknown <- NA
    },
    forward = function(x) if (is.null(self$scale)) x else x * self$scale + self$cfg$a * self$cfg$more$u,
    lowest = function(x) torch_clamp(x, min = self$low), tabled = function(x) if (is.null(self$table)) x else x + 1,
    known = function(x) if (is.null(self$unknown)) x else x + 1
  )
  module <- net()
  module$later <- torch_ones(3)
  x <- torch_tensor(c(1, -2, 3))
  program <- jit_script(module, x, methods = c("forward", "lowest"))
  expect_equal(as_array(program(x)), as_array(module(x)))
  expect_equal(as_array(program$lowest(x)), as_array(module$lowest(x)))
  expect_error(jit_script(module, methods = "tabled"), "`table` is an integer matrix, which a program can't hold", class = "torch_error")
  expect_error(jit_script(module, methods = "known"), "`unknown` .*which a program can't", class = "torch_error")
  file <- withr::local_tempfile()
  jit_save(program, file)
  expect_equal(as_array(jit_load(file)(x)), as_array(module(x)))
  python <- python_eval("result = torch.jit.load(path)(torch.tensor(x)).tolist()", path = file, x = c(1, -2, 3))
  expect_equal(as.numeric(python), as.numeric(module(x)))
})

test_that("methods that call each other are compiled in any order, and constants are not changed without a word", {
  skip_if_no_torch()
  net <- nn_module(
    initialize = function() {
      self$eps <- 2
      self$count <- 0L
    },
    forward = function(x) {
      self$count <- self$count + 1L
      self$enc(x) * self$eps
    },
    enc = function(x) self$dec(x) + 1, dec = function(x) x * 3
  )
  x <- torch_ones(2)
  for (methods in list(c("forward", "enc"), c("enc", "forward", "dec"), c("dec", "forward", "enc"))) {
    program <- jit_script(net(), x, methods = methods)
    expect_equal(as_array(program(x)), as_array(net()(x)))
    expect_equal(as_array(program$enc(x)), as_array(net()$enc(x)))
  }
  expect_error(program$eps <- 5, "`eps` is a constant of the program", class = "torch_runtime_error")
  # The file tells it, of modules within as well.
  loaded <- jit_load(jit_serialize(jit_script(nn_sequential(net()), x)))
  child <- loaded$children[[1]]
  expect_error(child$eps <- 5, "`eps` is a constant of the program", class = "torch_runtime_error")
  child$count <- 9L
  loaded(x)
  expect_equal(child$count, 10)
  program$count <- 7L
  program(x)
  expect_equal(program$count, 8)
})

test_that("a variable may hold the module or function at a position that is computed", {
  skip_if_no_torch()
  net <- nn_module(
    initialize = function() self$layers <- nn_module_list(lapply(1:3, function(i) nn_linear(1, 1))),
    forward = function(x) {
      for (k in rev(seq_along(self$layers))) {
        layer <- self$layers[[k]]
        k <- 1L
        x <- layer(x) + k
      }
      x
    }
  )
  model <- net()
  expect_equal(as.numeric(jit_script(model, torch_ones(1))(torch_ones(1))), as.numeric(model(torch_ones(1))), tolerance = 1e-6)
  expect_same(function(x) {
    steps <- list(function(z) z + 1, function(z) z * 2)
    for (k in 1:2) {
      step <- steps[[k]]
      x <- step(x)
    }
    x
  }, 3)
})

test_that("members may have names that are words of Python", {
  skip_if_no_torch()
  net <- nn_module(
    initialize = function() {
      self$lambda <- nn_parameter(torch_full(1, 3))
      self$class <- nn_buffer(torch_full(1, 5))
      self$`from` <- nn_module_dict(list(`in` = nn_linear(1, 1), `if` = nn_relu()))
      self$layers <- nn_module_list(list(nn_relu()))
      self$or <- 2
      self$is <- 1
      self$`hidden units` <- 4L
    },
    count = function(by = 1) self$is <- self$is + by,
    forward = function(x) {
      self$count()
      for (name in names(self$`from`)) x <- self$`from`[[name]](x)
      x <- self$`from`[["in"]](x) + self$`from`$`in`(x)
      if (is.null(names(self$layers))) x <- x + 10
      if (self$or > 1) x * self$lambda + self$class + self$is else x$sum(self$`hidden units`)
    }
  )
  x <- torch_randn(2, 1)
  model <- net()
  program <- jit_script(model, x)
  got <- program(x)
  expect_equal(program$is, 2)
  expect_error(program$or <- 3, "`or` is a constant of the program", class = "torch_runtime_error")
  expect_equal(held(got), held(model(x)))
})
