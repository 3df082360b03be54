# Rows of compiled R functions. Most are against R itself: `other` is what R does for the same.

# The programs of the tests, against the same functions as R's byte code.
program_rows <- function() {
  here <- new.env(parent = asNamespace("torch"))
  sys.source(file.path(folder, "..", "tests", "testthat", "helper-script.R"), here)
  programs <- here$script_programs()
  # What takes R a few microseconds only is given more to do.
  more <- list(newton = list(1e60), slice_sampler = list(0.5, c(1e-200, 0.7, 0.95, 0.05, 0.5, 0.4)))
  rows <- lapply(names(programs), function(name) {
    f <- compiler::cmpfun(programs[[name]][[1]])
    arguments <- if (name %in% names(more)) more[[name]] else programs[[name]][[2]][[1]]
    compiled <- do.call(jit_script, c(list(programs[[name]][[1]]), lapply(arguments, here$example_of)))
    list(
      work = function() do.call(compiled, arguments), other = function() do.call(f, arguments),
      says = sprintf("compiled program `%s`, against R", name), n = 200, goal = 1
    )
  })
  setNames(rows, paste0("program_", names(programs)))
}

script_rows <- function() {
  # Collatz with a sum: whole numbers and numbers in each step.
  scalars <- function(steps) {
    n <- 27L
    total <- 0
    for (i in seq_len(steps)) {
      n <- if (n %% 2L == 0L) n %/% 2L else 3L * n + 1L
      if (n == 1L) n <- 27L
      total <- total * 0.5 + n / 3
    }
    total
  }
  byte_code <- compiler::cmpfun(scalars)
  scalars_compiled <- jit_script(scalars, steps = "int")
  tensors <- function(x, steps) {
    for (i in seq_len(steps)) x <- x * 0.5 + 1
    x
  }
  tensors_compiled <- jit_script(tensors, x = "Tensor", steps = "int")
  one <- torch_zeros(1)
  kalman <- function(y, transition, noise) {
    state <- torch_zeros(4, 1)
    spread <- torch_eye(4)
    for (t in seq_len(y$size(1))) {
      state <- transition$matmul(state)
      spread <- transition$matmul(spread)$matmul(transition$t()) + noise
      gain <- linalg_solve(spread + noise, spread)
      state <- state + gain$matmul(y[t, ]$unsqueeze(2) - state)
      spread <- spread - gain$matmul(spread)
    }
    state
  }
  kalman_matrices <- function(y, transition, noise) {
    state <- matrix(0, 4, 1)
    spread <- diag(4)
    for (t in seq_len(nrow(y))) {
      state <- transition %*% state
      spread <- transition %*% spread %*% t(transition) + noise
      gain <- solve(spread + noise, spread)
      state <- state + gain %*% (y[t, ] - state)
      spread <- spread - gain %*% spread
    }
    state
  }
  kalman_compiled <- jit_script(kalman)
  seen <- matrix(sin(seq_len(800)), 200)
  transition <- diag(4) * 0.9 + 0.01
  noise <- diag(4) * 0.1
  inputs <- lapply(list(seen, transition, noise), torch_tensor)
  recurrent <- function(x, w, u, b) {
    state <- torch_zeros(w$size(1))
    for (t in seq_len(x$size(1))) state <- torch_tanh(w$matmul(x[t, ]) + u$matmul(state) + b)
    state
  }
  recurrent_compiled <- jit_script(recurrent, torch_zeros(2, 8), torch_zeros(16, 8), torch_zeros(16, 16), torch_zeros(16))
  cell <- list(torch_randn(100, 8), torch_randn(16, 8), torch_randn(16, 16), torch_randn(16))
  # Fifty lines.
  lines <- c(
    "function(x, n) {", "  total <- 0", "  out <- list()",
    rep(c(
      "  for (i in seq_len(n)) {", "    y <- torch_relu(x * i + total)", "    if (i %% 2L == 0L) {", "      total <- total + i / 2",
      "    } else {", "      y <- y - 1", "    }", "    out[[i]] <- y", "  }"
    ), 5),
    "  torch_stack(out)", "}"
  )
  fifty <- eval(parse(text = lines, keep.source = TRUE)[[1]])
  c(list(
    script_scalars = list(
      work = function() scalars_compiled(1000000L), other = function() byte_code(1000000L),
      says = "compiled loop of 1e6 steps of numbers, against R's byte code", n = 1, goal = 1
    ),
    script_tensors = list(
      work = function() tensors_compiled(one, 100000L), other = function() tensors(one, 100000L),
      says = "compiled loop of 1e5 steps on tensors of size 1, against R on tensors", n = 1, goal = 0.1
    ),
    script_recurrent = list(
      work = function() do.call(recurrent_compiled, cell), says = "compiled recurrent cell, 100 steps", n = 50, goal = 1
    ),
    script_kalman = list(
      work = function() do.call(kalman_compiled, inputs), other = function() kalman_matrices(seen, transition, noise),
      says = "compiled Kalman filter, 200 steps of 4×4, against R's matrices", n = 10, goal = 1
    ),
    script_compile = list(
      work = function() jit_script(fifty, torch_zeros(2), 3L), other = 0.02, says = "`jit_script()` of 50 lines, against 20 ms",
      n = 5, goal = 1
    )
  ), program_rows())
}
