# Loops over numbers as machine code: R itself and LibTorch's interpreter are the oracles.

# What became of a function's loops: "" for each that runs as machine code.
loops_of <- function(f) vapply(cpp_fuser_groups(attr(f, "handle")), function(one) one[[3]], "")

test_that("a loop over numbers runs as machine code and gives what R gives", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  f <- function(steps) {
    n <- 27L
    total <- 0
    for (i in seq_len(steps)) {
      n <- if (n %% 2L == 0L) n %/% 2L else 3L * n + 1L
      if (n == 1L) n <- 27L
      total <- total * 0.5 + n / 3
    }
    total
  }
  compiled <- jit_script(f, steps = "int")
  expect_identical(compiled(1000L), f(1000L))
  expect_identical(compiled(0L), 0)
  expect_equal(loops_of(compiled), "")
  # Loops in loops, `while`, `break`, `next`, several results, numbers that a branch may leave unset.
  g <- function(n, x) {
    primes <- 0L
    last <- -1L
    k <- 1L
    while (TRUE) {
      k <- k + 1L
      if (k > n) break
      if (k > 2L && k %% 2L == 0L) next
      prime <- TRUE
      d <- 3L
      while (d * d <= k) {
        if (k %% d == 0L) {
          prime <- FALSE
          break
        }
        d <- d + 2L
      }
      if (prime) {
        primes <- primes + 1L
        last <- k
        x <- x + log(k) * sin(x)^2
      }
    }
    list(primes, last, x, prime)
  }
  compiled <- jit_script(g, n = "int", x = "float")
  expect_equal(compiled(2000L, 0.5), g(2000L, 0.5), tolerance = 1e-14)
  expect_equal(unique(loops_of(compiled)), "")
})

test_that("each formula gives exactly what LibTorch's operator gives, also for special numbers", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  values <- list(
    float = c(0, -0, 1, -1, 2, 0.5, -2.5, 7, 1e-320, 3e9, 1e300, -1e300, Inf, -Inf, NaN, 9.3e18),
    int = c(0, 1, -1, 2, 3, -7, 64, 5, 2^62, -2^62), bool = c(TRUE, FALSE)
  )
  types <- list(
    c("float", "float"), c("int", "int"), c("float", "int"), c("int", "float"), c("bool", "bool"), "float", "int", "bool"
  )
  operators <- c(
    "a + b", "a - b", "a * b", "a / b", "a // b", "a % b", "-a", "a ** b", "a & b", "a | b", "a ^ b", "a << b", "a >> b", "not a",
    "a == b", "a != b", "a < b", "a > b", "a <= b", "a >= b", "int(a)", "float(a)", "bool(a)", "abs(a)", "max(a, b)", "min(a, b)",
    "round(a)", "math.gcd(a, b)", sprintf("math.%s(a, b)", c("fmod", "atan2", "copysign", "log")),
    sprintf("math.%s(a)", c(
      "floor", "ceil", "isnan", "isinf", "isfinite", "sqrt", "exp", "expm1", "log", "log1p", "log10", "sin", "cos", "tan", "asin", "acos",
      "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc", "gamma", "lgamma", "fabs"
    ))
  )
  may_fail <- grepl("//|%|\\*\\*|<<|>>|int|floor|ceil|log\\(a, b", operators)
  arguments_of <- function(type) paste(sprintf("%s: %s, ", c("a", "b")[seq_along(type)], type), collapse = "")
  # LibTorch 1.13 makes a list of two logicals to find the larger one, which a loop does not hold.
  by_list <- numeric_version(libtorch_find()$version) < "2.0" & grepl("^(max|min)", operators)
  # The result is of one of three types: the one with which it compiles.
  start_of <- function(operator, type) {
    if ("bool" %in% type && by_list[operators == operator]) return(NA_character_)
    for (start in c("0.0", "0", "False")) {
      code <- sprintf("def f(%sn: int):\n  r = %s\n  for i in range(n):\n    r = %s\n  return r", arguments_of(type), start, operator)
      if (!is.null(tryCatch(jit_compile(code), error = function(e) NULL))) return(start)
    }
    NA_character_
  }
  compared <- 0
  for (type in types) {
    starts <- vapply(operators, start_of, "", type = type)
    here <- which(!is.na(starts) & grepl("\\bb\\b", operators) == (length(type) == 2))
    grid <- expand.grid(values[type])
    # Those that never fail share a loop.
    for (group in c(list(here[!may_fail[here]]), as.list(here[may_fail[here]]))) {
      if (length(group) == 0) next
      names <- paste0("r", seq_along(group))
      code <- c(
        sprintf("def f(%sn: int):", arguments_of(type)), sprintf("  %s = %s", names, starts[group]), "  for i in range(n):",
        sprintf("    %s = %s", names, operators[group]), sprintf("  return [%s]", paste(sprintf("float(%s)", names), collapse = ", "))
      )
      f <- jit_compile(paste(code, collapse = "\n"))$f
      outcome <- function(row) tryCatch(unlist(do.call(f, c(row, 1L))), error = conditionMessage)
      for (k in seq_len(nrow(grid))) {
        row <- unname(as.list(grid[k, , drop = FALSE]))
        by_kernel <- outcome(row)
        plainly <- with_jit_fusion(fuser = "none", code = outcome(row))
        same <- identical(by_kernel, plainly, num.eq = FALSE)
        if (!same) fail(paste(operators[group], collapse = "; "), info = paste(type, row, by_kernel, plainly))
        compared <- compared + length(group)
      }
      outcome(row)
      expect_equal(loops_of(f), "", label = paste(operators[group], collapse = "; "))
    }
  }
  expect_gt(compared, 5000)
})

test_that("errors of a loop are those of the program, with the line", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  divide <- function(n, k) {
    s <- 0L
    for (i in seq_len(n)) s <- s + 10L %/% (k - i)
    s
  }
  limited <- function(n, k) {
    s <- 0L
    for (i in seq_len(n)) {
      if (i > k) stop("too many: ", i, " of ", n)
      s <- s + i
    }
    s
  }
  for (f in list(divide, limited)) {
    compiled <- jit_script(f, n = "int", k = "int")
    expect_equal(compiled(3L, 10L), f(3L, 10L))
    expect_equal(loops_of(compiled), "")
    message <- tryCatch(compiled(20L, 10L), error = conditionMessage)
    expect_equal(message, with_jit_fusion(fuser = "none", code = tryCatch(compiled(20L, 10L), error = conditionMessage)))
    expect_match(message, "divided by 0|too many: 11 of 20")
    expect_match(message, "line ")
    expect_equal(compiled(3L, 10L), f(3L, 10L))
  }
})

test_that("elements of vectors are read and written where they are", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  sieve <- function(n) {
    prime <- rep(TRUE, n)
    count <- numeric(n)
    total <- 0L
    for (i in 2:n) {
      if (prime[i]) {
        total <- total + i
        j <- i * i
        while (j <= n) {
          prime[j] <- FALSE
          j <- j + i
        }
      }
      count[i] <- count[i - 1L] + prime[i] / 2
    }
    list(total, count, prime)
  }
  compiled <- jit_script(sieve, n = "int")
  got <- compiled(500L)
  wanted <- sieve(500L)
  expect_equal(got[[1]], sum(which(wanted[[3]])[-1]))
  expect_equal(unlist(got[[2]]), wanted[[2]])
  expect_equal(unlist(got[[3]]), wanted[[3]])
  expect_equal(unique(loops_of(compiled)), "")
  # What is outside fails as it does else, after what was written before.
  out <- jit_compile("def f(v: List[int], n: int):\n  for i in range(n):\n    v[i] = v[i - 1] + i\n  return v[-1]")$f
  expect_equal(out(list(1L, 2L, 3L), 3L), 6L)
  expect_equal(loops_of(out), "")
  expect_error(out(list(1L, 2L, 3L), 4L), "list index out of range")
})

test_that("an interrupt ends a loop", {
  skip_if_no_torch()
  skip_if_no_fuser()
  skip_if_no_interrupts()
  seen <- callr::r(function(...) {
    library(torch)
    f <- jit_script(function(n) {
      x <- 0
      while (n > 0L) x <- x * 0.5 + 1
      x
    }, n = "int")
    torch:::cpp_fuser_at_once(TRUE)
    f(0L)
    pid <- Sys.getpid()
    system(sprintf("(sleep 1; kill -INT %d) &", pid))
    took <- system.time(how <- tryCatch({
      f(1L)
      "ended"
    }, interrupt = function(i) "interrupted"))[["elapsed"]]
    list(how = how, took = took, why = torch:::cpp_fuser_groups(attr(f, "handle"))[[1]][[3]], after = f(0L))
  })
  expect_equal(seen$how, "interrupted")
  expect_lt(seen$took, 3)
  expect_equal(seen$why, "")
  expect_equal(seen$after, 0)
})

# Functions of a matrix and a vector, by elements.
element_functions <- list(
  item = function(x, y, n) {
    s <- 0
    for (i in seq_len(n)) s <- s + x[i, 2]$item() * as.numeric(y[-i]) + as.integer(y[i] > 0)
    s
  },
  write = function(x, y, n) {
    s <- 0
    for (i in seq_len(n)) {
      s <- 0.5 * s + x[i, 1]$item()
      x[i, 1] <- s
      y[i] <- y[i] * 0.5 + x[i, -1]
      if ((y[i] > 0.5)$item()) s <- s - 1
    }
    list(s, x, y)
  },
  carried = function(x, y, n) {
    s <- y[1]
    most <- y[2]
    count <- 0L
    for (i in seq_len(n)) {
      s <- torch_maximum(s * 0.9, x[i, 1]) - torch_abs(y[i]) / 3 + 1
      if ((x[i, 2] > most)$item()) {
        most <- x[i, 2]
        count <- count + 1L
      } else {
        s <- s + torch_tanh(y[i])
      }
    }
    list(s, most, count)
  },
  inner = function(x, y, n) {
    for (i in seq_len(n)) {
      total <- y[i] * 0
      for (j in seq_len(x$size(2))) total <- total + x[i, j]^2 * torch_exp(-x[i, j])
      y[i] <- torch_sqrt(total)
    }
    y
  },
  distance = function(x, y, n) {
    table <- torch_zeros(n + 1L, n + 1L)
    for (i in seq_len(n)) {
      table[i + 1L, 1] <- i
      table[1, i + 1L] <- i
    }
    for (i in seq_len(n)) for (j in seq_len(n)) {
      cost <- if (torch_round(y[i])$item() == torch_round(x[j, 1])$item()) 0 else 1
      here <- torch_minimum(table[i, j + 1L] + 1, table[i + 1L, j] + 1)
      table[i + 1L, j + 1L] <- torch_minimum(here, table[i, j] + cost)
    }
    table[n + 1L, n + 1L]
  }
)

test_that("loops over elements of tensors are machine code that gives what R gives with tensors", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  torch_manual_seed(1)
  for (name in names(element_functions)) for (dtype in c("float", "double", "strides")) {
    f <- element_functions[[name]]
    x <- torch_randn(12, 2, dtype = if (dtype == "double") "double" else "float")
    y <- torch_randn(12, dtype = x$dtype)
    if (dtype == "strides") {
      x <- torch_randn(2, 12)$t()
      y <- torch_randn(12, 3)[, 2]
    }
    kept <- list(x$clone(), y$clone())
    compiled <- jit_script(f, x = "Tensor", y = "Tensor", n = "int")
    got <- compiled(x, y, 12L)
    flat <- function(value) lapply(if (is.list(value)) value else list(value), function(one) as_array(one))
    expect_equal(flat(got), flat(f(x$clone(), y$clone(), 12L)), tolerance = if (dtype == "double") 1e-14 else 1e-6, label = paste(name, dtype))
    expect_equal(unique(loops_of(compiled)), "", label = paste(name, dtype, "is machine code"))
    expect_equal(as_array(x), as_array(kept[[1]]))
    expect_equal(as_array(y), as_array(kept[[2]]))
    plainly <- with_jit_fusion(fuser = "none", code = compiled(x, y, 12L))
    expect_equal(flat(got), flat(plainly), tolerance = if (dtype == "double") 1e-14 else 1e-6)
    # Gradients go LibTorch's way.
    if (name %in% c("carried", "inner")) {
      leaf <- x$detach()$clone()$requires_grad_()
      other <- x$detach()$clone()$requires_grad_()
      first <- function(value) if (is.list(value)) value[[1]] else value
      first(compiled(leaf, y, 12L))$sum()$backward()
      first(f(other, y$clone(), 12L))$sum()$backward()
      expect_equal(as_array(leaf$grad), as_array(other$grad), tolerance = 1e-5)
      expect_equal(unique(loops_of(compiled)), "gradients go the way of single operators")
    }
    # One position more than there are.
    expect_error(compiled(x, y, 13L), "out of range|out of bounds")
  }
})

test_that("a loop over whole tensors goes on as before, its operators in kernels", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  f <- jit_script(function(x, n) {
    s <- x[1]
    for (i in seq_len(n)) s <- torch_tanh(s * 0.5 + x[i]) * 2
    s
  }, x = "Tensor", n = "int")
  x <- torch_randn(4, 5)
  expected <- x[1]
  for (i in 1:4) expected <- torch_tanh(expected * 0.5 + x[i, ]) * 2
  expect_equal(as_array(f(x, 4L)), as_array(expected), tolerance = 1e-6)
  expect_match(loops_of(f)[1], "have dimensions")
  y <- torch_randn(4)
  expected <- y[1]
  for (i in 1:4) expected <- torch_tanh(expected * 0.5 + y[i]) * 2
  expect_equal(as_array(f(y, 4L)), as_array(expected), tolerance = 1e-6)
  expect_equal(loops_of(f)[1], "")
})

test_that("elements written by machine code count as changes for gradients", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  f <- jit_compile("def f(x, n: int):\n  for i in range(n):\n    x[i].fill_(float(i))\n  return x")$f
  x <- torch_zeros(3)
  w <- torch_ones(3, requires_grad = TRUE)
  loss <- (w * x)$sum()
  f(x, 3L)
  expect_equal(as_array(x), c(0, 1, 2))
  expect_equal(loops_of(f), "")
  expect_error(loss$backward(), "modified by an inplace operation")
})

test_that("random programs of numbers give what R gives when their loops are machine code", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  for (seed in 1:8) expect_null(random_difference(seed, numbers = TRUE), info = seed)
})

test_that("a loop goes on as machine code where the interpreter has come to when that is ready", {
  skip_if_no_torch()
  skip_if_no_fuser()
  # A constant of its own, so that no session has had this kernel.
  mark <- as.numeric(Sys.time())
  f <- function(n, x) {
    s <- 0
    k <- 0L
    most <- -Inf
    for (i in seq_len(n)) {
      if (i %% 3L == 0L) k <- k + 1L
      s <- s * 0.999 + sin(i) * x
      most <- max(most, s)
    }
    c(s, k, most)
  }
  body(f)[[2]] <- call("<-", quote(s), mark)
  expect_same <- function(compiled, n) expect_equal(unlist(compiled(n, 0.5)), f(n, 0.5), tolerance = 1e-13)
  compiled <- jit_script(f, n = "int", x = "float")
  for (n in c(0L, 1L, 15L, 16L, 17L, 1000L, 200000L, 1000L, 0L)) expect_same(compiled, n)
  local_at_once()
  for (n in c(0L, 1L, 1000L)) expect_same(compiled, n)
  expect_equal(loops_of(compiled), "")
  limited <- function(n, x) {
    s <- 0
    for (i in seq_len(n)) {
      if (i > 150000L) stop("enough")
      s <- s + x / i
    }
    s
  }
  cpp_fuser_at_once(FALSE)
  expect_error(jit_script(limited, n = "int", x = "float")(200000L, mark), "enough")
})

test_that("a second session compiles no loop again, and without a compiler all goes on as before", {
  skip_if_no_torch()
  skip_if_no_fuser()
  session <- function() {
    library(torch)
    f <- jit_script(function(n) {
      s <- 0
      for (i in seq_len(n)) s <- s + 1 / i^2
      s
    }, n = "int")
    jit_warmup(f, 10L)
    list(f(1000L), torch:::cpp_fuser_counts())
  }
  folder <- withr::local_tempdir()
  run <- function(...) callr::r(session, env = c(callr::rcmd_safe_env(), TORCH_KERNEL_FOLDER = folder, ...), timeout = 60)
  expected <- sum(1 / seq_len(1000)^2)
  first <- run()
  second <- run()
  without <- run(TORCH_KERNEL_CC = "no-such-compiler")
  for (one in list(first, second, without)) expect_equal(one[[1]], expected, tolerance = 1e-14)
  expect_equal(first[[2]][1:2], c(1, 0))
  expect_equal(second[[2]][1:2], c(0, 1))
  expect_equal(without[[2]], numeric(5))
})

test_that("several turns of a loop on tensors run as one kernel, with gradients", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  functions <- list(
    one = function(x, n) {
      for (i in seq_len(n)) x <- x * 0.5 + 1
      x
    },
    counting = function(x, n) {
      for (i in seq_len(n)) x <- x * 0.9 + i
      x
    },
    from_three = function(x, n) {
      for (i in 3:(n + 3L)) x <- torch_tanh(x) * i
      x
    },
    several = function(x, n) {
      speed <- torch_zeros_like(x)
      for (i in seq_len(n)) {
        speed <- speed * 0.9 - x * 0.1
        x <- x + speed
      }
      list(x, speed)
    },
    # The state grows by broadcasting in the first turn, or gets another dtype.
    grows = function(x, n) {
      state <- torch_zeros(1)
      for (i in seq_len(n)) state <- state * 0.5 + x
      state
    },
    turns_float = function(x, n) {
      state <- torch_ones(3, dtype = "long")
      for (i in seq_len(n)) state <- state * 2L + x
      state
    },
    # What the turn before was is handed on; a state that no turn changes.
    swapped = function(x, n) {
      before <- x
      fixed <- x * 3
      for (i in seq_len(n)) {
        kept <- x
        x <- x * 0.5 + before
        before <- kept
      }
      x + before + fixed
    },
    nested = function(x, n) {
      for (i in seq_len(n)) {
        for (j in seq_len(i)) x <- torch_sin(x) + j * 0.1
        x <- x * 1.5
      }
      x
    }
  )
  plain_of <- function(value) if (is.list(value)) lapply(value, function(one) as_array(one$detach())) else as_array(value$detach())
  for (name in names(functions)) {
    f <- functions[[name]]
    compiled <- jit_script(f, torch_ones(3), 1L)
    for (n in c(0:9, 16, 17, 31)) {
      x <- torch_tensor(c(-1.5, 0.25, 2))
      leaves <- list(x$clone()$requires_grad_(), x$clone()$requires_grad_())
      wanted <- f(leaves[[1]], as.integer(n))
      got <- compiled(leaves[[2]], as.integer(n))
      expect_equal(plain_of(got), plain_of(wanted), tolerance = 1e-5, info = paste(name, n))
      expect_equal(plain_of(compiled(x, as.integer(n))), plain_of(wanted), tolerance = 1e-5, info = paste(name, n))
      if (n == 0 && name %in% c("grows", "turns_float")) next
      total <- function(value) if (is.list(value)) Reduce(`+`, lapply(value, function(one) one$sum())) else value$sum()
      total(wanted)$backward()
      total(got)$backward()
      expect_equal(as_array(leaves[[2]]$grad), as_array(leaves[[1]]$grad), tolerance = 1e-5, info = paste(name, n))
    }
  }
  # Eight turns of two operators are one group.
  one <- jit_script(functions$one, torch_ones(3), 1L)
  for (i in 1:3) one(torch_ones(3), 20L)
  groups <- vapply(cpp_fuser_groups(attr(one, "handle")), function(group) length(gregexpr("aten::", group[[2]])[[1]]), 1L)
  expect_equal(max(groups), 16L)
  # Python's `range()` of a negative number has no turns.
  counted <- jit_compile("def f(x: Tensor, n: int):\n  for i in range(n):\n    x = x * 2.0\n  return x")
  for (n in c(3L, 3L, 11L, -3L, -9L, 0L)) expect_equal(as_array(counted$f(torch_ones(2), n)), rep(2^max(n, 0), 2))
  # A turn that draws numbers, changes something in place, or is long, stays as it is.
  plain <- jit_script(function(x, n) {
    for (i in seq_len(n)) x <- torch_rand_like(x) + x
    x
  }, torch_ones(3), 1L)
  torch_manual_seed(1)
  first <- as_array(plain(torch_zeros(3), 20L))
  torch_manual_seed(1)
  x <- torch_zeros(3)
  for (i in 1:20) x <- torch_rand_like(x) + x
  expect_equal(first, as_array(x), tolerance = 1e-6)
})
