# A module with parameters, buffers and children of these names, whose forward takes inputs of these names.
named_module <- function(parameters, buffers, children, inputs) {
  add_up <- quote({
    out <- 0
    for (i in seq_along(given)) out <- out + given[[i]] * i
    for (name in parameters) out <- out + self[[name]]
    for (name in buffers) out <- out * self[[name]]
    for (name in children) out <- self[[name]](out)
    out
  })
  arguments <- structure(rep(alist(x = ), length(inputs)), names = inputs)
  values <- as.call(c(quote(list), lapply(inputs, as.symbol)))
  body <- bquote({
    given <- .(values)
    .(add_up)
  })
  forward <- as.function(c(arguments, body), envir = list2env(list(parameters = parameters, buffers = buffers, children = children), parent = globalenv()))
  nn_module(
    initialize = function() {
      for (i in seq_along(parameters)) self[[parameters[i]]] <- nn_parameter(torch_full(3, i + 0))
      for (i in seq_along(buffers)) self[[buffers[i]]] <- nn_buffer(torch_full(3, i + 0.5))
      for (name in children) self[[name]] <- nn_linear(3, 3)
    },
    forward = forward
  )()
}

test_that("random names of members and arguments are traced, saved and read in R and in Python with the same answer", {
  skip_if_no_torch()
  withr::local_seed(7)
  folder <- withr::local_tempdir()
  cases <- lapply(1:25, function(k) {
    # Each kind has its names; a member can't be called as the module's own fields are.
    members <- sample(setdiff(odd_names, "_r_names"), 9)
    inputs <- sample(setdiff(odd_names, "self"), sample(1:4, 1))
    net <- named_module(members[1:3], members[4:6], members[7:9], inputs)
    values <- lapply(seq_along(inputs), function(i) torch_randn(2, 3))
    traced <- do.call(jit_trace, c(list(net), values))
    file <- file.path(folder, paste0(k, ".pt"))
    jit_save(traced, file)
    loaded <- jit_load(file)
    truth <- as_array(do.call(net, values))
    # By position and by R's names, in another order.
    for (program in list(traced, loaded)) {
      expect_equal(as_array(do.call(program, values)), truth, tolerance = 1e-5)
      expect_equal(as_array(do.call(program, rev(setNames(values, inputs)))), truth, tolerance = 1e-5)
      expect_identical(names(program$parameters), names(net$parameters))
      expect_identical(names(program$buffers), names(net$buffers))
      expect_identical(names(program$children), names(net$children))
      expect_setequal(names(program$state_dict()), names(net$state_dict()))
      for (name in members[1:6]) expect_equal(as_array(program[[name]]), as_array(net[[name]]))
      expect_identical(names(program$children[[members[7]]]$parameters), c("weight", "bias"))
    }
    state <- lapply(net$state_dict(), function(t) t * 2)
    loaded$load_state_dict(state, .refer_to_state_dict = k %% 2 == 0)
    expect_equal(lapply(loaded$state_dict()[names(state)], as_array), lapply(state, as_array))
    # What was loaded is saved again as it was.
    again <- jit_unserialize(jit_serialize(jit_load(file)))
    expect_identical(names(again$parameters), names(net$parameters))
    expect_equal(as_array(do.call(again, setNames(values, inputs))), truth, tolerance = 1e-5)
    list(file = file, inputs = lapply(values, as_array), truth = truth)
  })
  there <- python_eval("
result = []
for case in cases:
    m = torch.jit.load(case['file'])
    result.append(m(*[torch.tensor(x) for x in case['inputs']]).tolist())",
    cases = lapply(cases, function(case) list(file = case$file, inputs = lapply(case$inputs, function(x) x)))
  )
  truth <- aperm(simplify2array(lapply(cases, function(case) case$truth)), c(3, 1, 2))
  expect_equal(there, truth, tolerance = 1e-5)
})

test_that("methods have any name", {
  skip_if_no_torch()
  net <- nn_module(forward = function(x) x + 1, or = function(x) x * 2, `a b` = function(class) class * 3)()
  x <- torch_tensor(2)
  traced <- jit_trace_module(net, forward = list(x), or = list(x), `a b` = list(x))
  for (program in list(traced, jit_unserialize(jit_serialize(traced)))) {
    expect_equal(as.numeric(program(x)), 3)
    expect_equal(as.numeric(program$or(x)), 4)
    expect_equal(as.numeric(program[["a b"]](class = x)), 6)
    expect_true(all(c("or", "a b") %in% names(program)))
  }
})

test_that("a class may have any name", {
  skip_if_no_torch()
  for (name in c("class", "1net", "\u00e9", "a.b", "torch")) {
    net <- nn_module(name, initialize = function() self$l <- nn_linear(1, 1), forward = function(x) self$l(x))()
    traced <- jit_trace(net, torch_ones(1))
    expect_equal(as_array(jit_unserialize(jit_serialize(traced))(torch_ones(1))), as_array(net(torch_ones(1))))
  }
})

test_that("names that are no text are refused when they come", {
  skip_if_no_torch()
  x <- torch_ones(1)
  program <- jit_trace(nn_linear(1, 1), x)
  expect_snapshot(error = TRUE, {
    program$register_buffer("", x)
    program$register_parameter(NA_character_, x)
    program$add_constant("\xe9", 1)
    program$add_constant(c("a", "b"), 1)
  })
  # A name that stands for another is free again.
  program$register_buffer("or", x)
  program$register_buffer("or_", x + 1)
  program <- jit_unserialize(jit_serialize(program))
  expect_equal(as.numeric(program$or), 1)
  expect_equal(as.numeric(program$or_), 2)
})

test_that("a frozen module keeps R's names", {
  skip_if_no_torch()
  net <- nn_module(
    initialize = function() self$`fc.1` <- nn_linear(2, 2), forward = function(my.input) self$`fc.1`(my.input),
    `a b` = function(x) self$`fc.1`(x) + 1
  )()$eval()
  x <- torch_ones(1, 2)
  frozen <- jit_freeze(jit_trace_module(net, forward = list(x), `a b` = list(x)), preserved = "a b")
  expect_equal(as_array(frozen(my.input = x)), as_array(net(x)))
  expect_equal(as_array(frozen[["a b"]](x)), as_array(net(x)) + 1, tolerance = 1e-6)
})

test_that("whole numbers are written as what they are", {
  skip_if_no_torch()
  unit <- jit_compile("
def f(x: Tensor, y: float = 1e10, z: float = -3e15):
    return x * y + z * 1e16 + 1.5
")
  file <- withr::local_tempfile()
  jit_save(unit$f, file)
  x <- torch_tensor(2, dtype = "float64")
  truth <- 2 * 1e10 + -3e15 * 1e16 + 1.5
  expect_equal(as.numeric(jit_load(file)(x)), truth)
  expect_equal(python_eval("result = torch.jit.load(file)(torch.tensor(2., dtype=torch.float64)).item()", file = file), truth)
})
