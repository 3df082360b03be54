test_that("each formula gives what its operator gives, and the same gradients", {
  skip_if_no_torch()
  skip_if_no_fuser()
  # Some at a time are one kernel, with a result for each.
  together <- split(names(fused_functions), (seq_along(fused_functions) - 1) %/% 8)
  for (dtype in c("float", "double")) {
    torch_manual_seed(1)
    limit <- if (dtype == "float") 3e-5 else 1e-12
    for (names in together) {
      x <- torch_randn(5, 7, dtype = dtype)
      y <- torch_randn(5, 7, dtype = dtype)
      all <- jit_trace(function(x, y) lapply(unname(fused_functions[names]), function(f) f(x, y)), x, y)
      for (i in seq_along(names)) {
        found <- fused_distances(fused_functions[[names[i]]], x, y, trace = function(x, y) all(x, y)[[i]], groups = all)
        expect_lt(found$value, limit, label = paste(names[i], dtype, "values"))
        expect_lt(found$gradients, 20 * limit, label = paste(names[i], dtype, "gradients"))
        expect_equal(setdiff(found$why, ""), character(), label = paste(names[i], dtype, "runs as kernels"))
      }
    }
  }
})

test_that("what has no slope passes no gradient on, be it infinite", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  for (name in c("floor", "ceil", "trunc", "round", "sign")) {
    f <- eval(call("function", as.pairlist(alist(x = , y = )), call("*", call(paste0("torch_", name), quote(x)), quote(y))))
    x <- torch_tensor(c(0.3, -0.3, 2.6), requires_grad = TRUE)
    y <- torch_tensor(c(Inf, NaN, 1))
    fused <- jit_trace(f, x, y)
    fused(x, y)
    fused(x, y)$sum()$backward()
    expect_equal(as.numeric(x$grad), c(0, 0, 0), label = name)
    expect_equal(fused_groups(fused), "")
  }
})

test_that("elementary functions are as exact as a few units in the last place", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  functions <- list(
    list(function(x) torch_exp(x) + 0, exp, c(-87, 88)), list(function(x) torch_expm1(x) + 0, expm1, c(-10, 10)),
    list(function(x) torch_log(x) + 0, log, c(1e-3, 50)), list(function(x) torch_log1p(x) + 0, log1p, c(-0.9, 20)),
    list(function(x) torch_tanh(x) + 0, tanh, c(-10, 10)), list(function(x) torch_sigmoid(x) + 0, plogis, c(-20, 20)),
    list(function(x) torch_erf(x) + 0, function(x) 2 * pnorm(x * sqrt(2)) - 1, c(-4, 4)),
    list(function(x) torch_sin(x) + 0, sin, c(-30, 30)), list(function(x) torch_cos(x) + 0, cos, c(-30, 30))
  )
  for (one in functions) {
    x <- torch_linspace(one[[3]][1], one[[3]][2], 4001)
    fused <- jit_trace(one[[1]], x)
    actual <- as.numeric(fused(x))
    expect_equal(fused_groups(fused), "")
    expected <- one[[2]](as.numeric(x))
    # A unit in the last place of the float nearest to it.
    unit <- 2^(floor(log2(pmax(abs(expected), 2^-126))) - 23)
    expect_lt(max(abs(actual - expected) / unit), 4.5)
  }
  special <- c(NaN, Inf, -Inf, 0, -0, 1e-40, -1e-40, 1e30, -1e30)
  x <- torch_tensor(special)
  both <- function(x) {
    list(
      torch_exp(x) + 0, torch_expm1(x) + 0, torch_tanh(x) + 0, torch_sigmoid(x) + 0, torch_erf(x) + 0, torch_sqrt(x) + 0,
      nnf_relu(x) * 1, torch_log(x) + 0, torch_log1p(x) + 0, torch_sin(x) * 1, torch_clamp(x, -1, 1) * 1
    )
  }
  expect_equal(lapply(jit_trace(both, x)(x), as.numeric), lapply(both(x), as.numeric), tolerance = 1e-6)
  # Signs of zeros.
  zeros <- function(x) list(1 / (torch_tanh(x) * 1), 1 / (torch_expm1(x) * 1), 1 / (torch_sin(x) * 1), 1 / (-x * 1))
  x <- torch_tensor(c(0, -0))
  expect_equal(lapply(jit_trace(zeros, x)(x), as.numeric), lapply(zeros(x), as.numeric))
})

test_that("casts inside of a kernel are those of LibTorch", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  values <- function(f, x) {
    fused <- jit_trace(f, x)
    got <- as.numeric(fused(x)$to(dtype = "double"))
    expect_true(all(fused_groups(fused) == ""))
    expect_equal(got, as.numeric(f(x)$to(dtype = "double")))
  }
  numbers <- c(0.3, -0.3, 0.9, 7.7, -7.7, 300, -300, 70000, -70000, 0, 2e9)
  for (dtype in c("bool", "uint8", "int8", "int16", "int32", "int64", "half", "bfloat16", "float", "double")) {
    # The sign of zero too.
    through <- function(x) 1 / ((x * 1.5)$to(dtype = dtype)$to(dtype = "float") * 2)
    into <- function(x) (x * 1.5)$to(dtype = dtype)
    for (from in c("float", "double")) values(through, torch_tensor(numbers, dtype = from))
    values(into, torch_tensor(numbers))
    whole <- torch_tensor(c(3L, 0L, 300L, -1L, 70000L, 2L^30L))
    for (from in c("int32", "int64")) values(function(x) (x * 2L)$to(dtype = dtype)$to(dtype = "float") + 1, whole$to(dtype = from))
  }
  # What is no number is one, or the least one.
  special <- torch_tensor(c(NaN, Inf, -Inf, 1))
  for (dtype in c("bool", "int32", "int64")) values(function(x) (x * 2)$to(dtype = dtype)$to(dtype = "float") + 1, special)
  values(function(x) torch_where((x * 2)$to(dtype = "bool"), x, x + 5) * 1, special)
  values(function(x) (x * 2L)$to(dtype = "bool")$sum() + 1L, torch_tensor(c(3L, 0L, 300L, -1L, 70000L)))
  # Gradients go around what is no number with a fraction.
  found <- fused_distances(function(x, y) torch_where((x * 1.5)$to(dtype = "bool"), x * y, y)$tanh() * 2, torch_tensor(c(0.3, -0.2, 0)), torch_ones(3))
  expect_lt(max(found$value, found$gradients), 1e-6)
})

test_that("each operator of half precision is rounded", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  functions <- list(
    function(x) x * 1000 * 1000 / 1000, function(x) (x + 256) - 256, function(x) torch_exp(x) * 3 - x,
    function(x) nnf_softmax(x * 3, 2) * 1000 - 300, function(x) x$sum(2, keepdim = TRUE) * 1000 + x, function(x) torch_tanh(x)$mean(2) + 1
  )
  # Old versions of LibTorch lack operators of half precision on the CPU.
  computes <- function(f, x) tryCatch(is_torch_tensor(f(x)), torch_error = function(e) FALSE)
  torch_manual_seed(1)
  tried <- 0
  for (dtype in c("half", "bfloat16")) {
    x <- torch_randn(4, 50)$to(dtype = dtype)
    for (f in functions) {
      if (!computes(f, x)) next
      tried <- tried + 1
      # A rounding more or less where a sum lies between two numbers.
      expect_lt(distance_of(jit_trace(f, x)(x), f(x)), if (dtype == "half") 2e-3 else 2e-2)
    }
    f <- functions[[2]]
    if (computes(f, x)) expect_identical(as.numeric(jit_trace(f, x)(x)), as.numeric(f(x)))
  }
  expect_gt(tried, 5)
  one <- torch_ones(1, dtype = "half")
  if (computes(functions[[1]], one)) expect_identical(as.numeric(jit_trace(functions[[1]], one)(one)), Inf)
})

test_that("numbers far from one have variances, and powers their slopes at infinity", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  for (scale in c(1e20, 1e-25)) {
    x <- torch_tensor(matrix(c(1, 2, 4, -3, 5, 9), 2), dtype = "float") * scale
    for (f in list(function(x) torch_std(x) * 2, function(x) torch_std(x, 2) * 2, function(x) torch_std(x, 2, keepdim = TRUE) + x)) {
      fused <- jit_trace(f, x)
      expect_equal(as.numeric(fused(x)) / scale, as.numeric(f(x)) / scale, tolerance = 1e-5)
      expect_true(all(fused_groups(fused) == ""))
    }
  }
  for (power in c(1, 0, 2.5, 0.5, -1.5, 3)) {
    slope <- function(f) {
      x <- torch_tensor(c(Inf, NaN, 2, 0.5), requires_grad = TRUE)
      as.numeric(autograd_grad(f(x)$sum(), x)[[1]])
    }
    f <- function(x) x^power * 2
    expect_equal(slope(jit_trace(f, torch_ones(4))), slope(f), label = paste("the slope of power", power))
  }
})

test_that("random functions give what their operators give", {
  skip_if_no_torch()
  skip_if_no_fuser()
  for (seed in 1:25) expect_null(random_fusion_difference(seed), label = paste("what differs with seed", seed))
})

test_that("a kernel serves all sizes and strides without being compiled again", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  f <- function(x, y) torch_tanh(x * 2 + y) / 3
  fused <- jit_trace(f, torch_randn(3, 4), torch_randn(3, 4))
  # Fewer than 16 numbers are computed one by one, by a kernel of their own.
  for (n in c(3, 30)) fused(torch_randn(n, 4), torch_randn(n, 4))
  before <- cpp_fuser_counts()
  for (shape in list(c(3, 4), 100, c(2, 3, 4), 1, integer(), c(1000, 1000))) {
    x <- torch_randn(shape)
    y <- torch_randn(shape)
    expect_lt(distance_of(fused(x, y), f(x, y)), 1e-5)
    expect_equal(fused_groups(fused), "")
  }
  expect_equal(cpp_fuser_counts()[1:2], before[1:2])
  # More sizes than are remembered.
  for (n in 1:300) fused(torch_ones(n), torch_ones(n))
  expect_equal(fused_groups(fused), "")
  expect_equal(cpp_fuser_counts()[1:2], before[1:2])
  # A row, a column, one number, transposed, every second one, channels last.
  x <- torch_randn(6, 8)
  others <- list(
    torch_randn(8), torch_randn(6, 1), torch_randn(1), torch_tensor(2), torch_randn(8, 6)$t(), torch_randn(6, 16)[, seq(1, 16, 2)],
    torch_randn(12, 8)[seq(1, 12, 2), ], torch_randn(3, 6, 8)
  )
  for (y in others) {
    expect_lt(distance_of(fused(x, y), f(x, y)), 1e-5)
    expect_equal(fused_groups(fused), "")
    expect_lt(distance_of(fused(y, x), f(y, x)), 1e-5)
  }
  both <- torch_randn(8, 6)$t()
  expect_equal(fused(both, both)$stride(), f(both, both)$stride())
  nothing <- torch_randn(0, 4)
  expect_equal(fused(nothing, nothing)$shape, c(0, 4))
  expect_error(fused(torch_randn(3), torch_randn(4)), "size|match", class = "torch_error")
})

test_that("a plan made without gradients does not lose them", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  f <- function(x) torch_tanh(x * x + 1)
  fused <- jit_trace(f, torch_ones(3))
  with_no_grad(for (i in 1:3) fused(torch_ones(3)))
  x <- torch_tensor(c(1, 2, 3), dtype = "double", requires_grad = TRUE)
  y <- fused(x)
  expect_true(y$requires_grad)
  # Twice, with a graph, by another derivative, and once more.
  g <- autograd_grad(y$sum(), x, create_graph = TRUE)[[1]]
  slope <- function(v) 2 * v / cosh(v^2 + 1)^2
  expect_equal(as.numeric(g), slope(1:3))
  second <- autograd_grad(g$sum(), x)[[1]]
  expect_equal(as.numeric(second), (slope(1:3 + 1e-6) - slope(1:3 - 1e-6)) / 2e-6, tolerance = 1e-6)
  z <- fused(x)
  seen <- NULL
  z$register_hook(function(grad) {
    seen <<- as.numeric(grad)
    NULL
  })
  z$sum()$backward(retain_graph = TRUE)
  z$sum()$backward()
  expect_equal(seen, rep(1, 3))
  expect_equal(as.numeric(x$grad), 2 * slope(1:3))
  expect_error(z$sum()$backward(), "second time")
  # Only one of two arguments, and a result that no gradient reaches.
  two <- jit_trace(function(a, b) list(torch_exp(a * b), torch_sin(b * 2) + 1), torch_ones(2), torch_ones(2))
  a <- torch_tensor(c(1, 2), requires_grad = TRUE)
  b <- torch_tensor(c(0.5, 1))
  results <- two(a, b)
  results[[1]]$sum()$backward()
  expect_equal(as.numeric(a$grad), c(0.5, 1) * exp(c(0.5, 2)), tolerance = 1e-6)
  expect_false(results[[2]]$requires_grad)
  # What was changed since is told, not computed with.
  x <- torch_tensor(c(1, 2), requires_grad = TRUE)
  copy <- x * 1
  y <- fused(copy)
  with_no_grad(copy$add_(1))
  expect_error(y$sum()$backward(), "modified by an inplace operation")
})

test_that("what is no plain tensor on the CPU goes LibTorch's way", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  f <- function(x) torch_sigmoid(x * 2)
  fused <- jit_trace(f, torch_ones(3))
  complex <- torch_tensor(c(1 + 1i, 2 - 1i))
  expect_equal(as_array(fused(complex)), as_array(f(complex)))
  expect_match(fused_groups(fused), "a tensor has a dtype that kernels do not compute in", fixed = TRUE)
  expect_equal(as.numeric(fused(torch_ones(2, device = "meta"))$shape), 2)
  half <- torch_randn(50)$to(dtype = "bfloat16")
  expect_equal(as.numeric(fused(half)), as.numeric(f(half)), tolerance = 0.02)
  with_forward_ad({
    dual <- forward_ad_make_dual(torch_ones(2), torch_ones(2))
    expect_equal(as.numeric(forward_ad_unpack_dual(fused(dual))$tangent), rep(2 * dlogis(2), 2), tolerance = 1e-6)
  })
  with_autocast(device_type = "cpu", {
    expect_equal(as.numeric(fused(torch_ones(2))), rep(plogis(2), 2), tolerance = 1e-6)
    expect_match(fused_groups(fused), "autocast")
  })
  # Integer and logical tensors have kernels too.
  whole <- jit_trace(function(x, y) torch_where(x > 2L, x * y, x - y), torch_tensor(1:5), torch_tensor(5:1))
  expect_equal(as.integer(whole(torch_tensor(1:5), torch_tensor(5:1))), c(-4L, -2L, 9L, 8L, 5L))
  expect_equal(fused_groups(whole), "")
})

test_that("changes in place stay where they were", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  unit <- jit_compile("
    def f(x):
      y = torch.tanh(x * 2)
      y.add_(1)
      z = torch.exp(y) - y
      x.mul_(2)
      return z + x, y
    def alias(x):
      return torch.dropout(x, 0.5, False) * 1, x.to(torch.float32)
  ")
  for (i in 1:3) {
    x <- torch_tensor(c(0.5, 1))
    found <- unit$f(x)
    y <- tanh(c(1, 2)) + 1
    expect_equal(as.numeric(found[[2]]), y, tolerance = 1e-6)
    expect_equal(as.numeric(found[[1]]), exp(y) - y + c(1, 2), tolerance = 1e-6)
    expect_equal(as.numeric(x), c(1, 2))
  }
  # The same tensor, not a copy.
  x <- torch_ones(2)
  for (i in 1:3) unit$alias(x)[[2]]$add_(1)
  expect_equal(as.numeric(x), c(4, 4))
})

test_that("kernels are kept on disk, and a broken file is made again", {
  skip_if_no_torch()
  skip_if_no_fuser()
  cache <- withr::local_tempdir()
  session <- function() {
    callr::r(function() {
      library(torch)
      f <- jit_trace(function(x) torch_tanh(x * 2 + 1) * 3.25, torch_ones(4))
      jit_warmup(f, torch_ones(4))
      c(as.numeric(f(torch_zeros(1))), torch:::cpp_fuser_counts())
    }, env = c(callr::rcmd_safe_env(), TORCH_KERNEL_FOLDER = cache))
  }
  first <- session()
  expect_equal(first[1], tanh(1) * 3.25, tolerance = 1e-6)
  expect_gte(first[6], 1)
  files <- list.files(cache, full.names = TRUE)
  expect_match(files, "\\.(so|dll)(\\.sum)?$")
  # What a session left that ended while it was compiling.
  unfinished <- file.path(cache, "0fb8-247.c")
  file.create(unfinished)
  Sys.setFileTime(unfinished, Sys.time() - 7200)
  second <- session()
  expect_equal(second[c(2, 6)], c(0, 0))
  expect_equal(second[1], first[1])
  expect_false(file.exists(unfinished))
  # Cut off, and of other bytes.
  for (file in grep("sum$", files, invert = TRUE, value = TRUE)) writeBin(as.raw(1:100), file)
  third <- session()
  expect_gte(third[2], 1)
  expect_equal(third[1], first[1])
})

test_that("of very many kernels the older half goes", {
  folder <- withr::local_tempdir()
  files <- file.path(folder, paste0(letters[1:10], ".so"))
  file.create(files)
  Sys.setFileTime(files, as.POSIXct("2026-01-01", tz = "UTC") + 1:10)
  limit_kernels(folder, 10)
  expect_length(list.files(folder), 10)
  limit_kernels(folder, 9)
  expect_equal(list.files(folder), paste0(letters[6:10], ".so"))
})

test_that("without a compiler nothing changes but speed", {
  skip_if_no_torch()
  withr::local_envvar(TORCH_KERNEL_CC = "no-such-compiler")
  expect_null(kernel_compiler())
  expect_match(capture.output(install_torch_sitrep()), "^kernels +none", all = FALSE)
  expect_snapshot(show_error(set_jit_fusion(fuser = "own")))
})

test_that("fusers are switched, and what is bad is refused", {
  skip_if_no_torch()
  skip_if_no_fuser()
  before <- jit_options()
  expect_equal(before$own, "own")
  expect_equal(with_jit_fusion(fuser = "none", code = jit_options()$own), "none")
  expect_equal(with_jit_fusion(fuser = "exact", code = jit_options()$own), "exact")
  expect_equal(with_jit_fusion(fuser = "nnc", code = jit_options()[c("cpu", "own")]), list(cpu = TRUE, own = "none"))
  expect_equal(with_jit_fusion(cpu = TRUE, code = jit_options()$own), "none")
  expect_equal(jit_options(), before)
  f <- function(x) torch_tanh(x) * 2
  plain <- with_jit_fusion(fuser = "none", code = {
    traced <- jit_trace(f, torch_ones(2))
    jit_warmup(traced, torch_ones(2))
    traced
  })
  expect_length(fused_groups(plain), 0)
  fused <- jit_trace(f, torch_ones(2))
  jit_warmup(fused, torch_ones(2))
  expect_equal(fused_groups(fused), "")
  with_jit_fusion(fuser = "none", code = fused(torch_ones(2)))
  expect_match(fused_groups(fused), "off")
  expect_snapshot({
    show_error(set_jit_fusion(fuser = "llvm"))
    show_error(with_jit_fusion(code = 1, fuser = NA))
  })
})

test_that("exact kernels give bit for bit what single operators give", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_jit_fusion(fuser = "exact")
  local_at_once()
  f <- function(x, y) torch_clamp((x * y + y) / 3 - x * x, -1, 1) * torch_where(x > y, x, -y) - torch_abs(x) / y
  x <- torch_randn(1000)
  y <- torch_randn(1000)
  exact <- jit_trace(f, x, y)
  expect_identical(as.numeric(exact(x, y)), as.numeric(f(x, y)))
  expect_equal(fused_groups(exact), "")
  # What is rounded in another way is not joined, and gradients are LibTorch's.
  other <- jit_trace(function(x) torch_exp(x) * torch_tanh(x), x)
  other(x)
  expect_length(fused_groups(other), 0)
  leaf <- x$clone()$requires_grad_()
  exact(leaf, y)$sum()$backward()
  expect_match(fused_groups(exact), "gradients")
})

test_that("forks and threads run kernels", {
  skip_if_no_torch()
  skip_if_no_fuser()
  skip_on_os("windows")
  f <- jit_trace(function(x) torch_exp(x * 0.5) + 1, torch_ones(2))
  jit_warmup(f, torch_ones(2))
  job <- parallel::mcparallel(as.numeric(f(torch_tensor(c(0, 2)))))
  expect_equal(parallel::mccollect(job)[[1]], c(2, exp(1) + 1), tolerance = 1e-6)
  # A kernel that is not compiled yet.
  g <- jit_trace(function(x) torch_exp(x * 0.25) - 7, torch_ones(2))
  job <- parallel::mcparallel({
    jit_warmup(g, torch_ones(2))
    as.numeric(g(torch_tensor(c(0, 4))))
  })
  expect_equal(parallel::mccollect(job)[[1]], c(-6, exp(1) - 7), tolerance = 1e-6)
  withr::defer(torch_set_num_threads(1))
  torch_set_num_threads(2)
  x <- torch_randn(1000, 999)
  expect_equal(as.numeric(f(x)), as.numeric(torch_exp(x * 0.5) + 1), tolerance = 1e-6)
  rows <- jit_trace(function(x) nnf_softmax(x * 2, 2) + x$mean(), torch_ones(2, 2))
  jit_warmup(rows, x)
  expect_lt(distance_of(rows(x), nnf_softmax(x * 2, 2) + x$mean()), 1e-4)
})

test_that("modules that were loaded are fused, and files hold operators only", {
  skip_if_no_torch()
  skip_if_no_fuser()
  net <- nn_sequential(nn_linear(3, 4), nn_gelu(), nn_layer_norm(4), nn_linear(4, 1))
  net$eval()
  traced <- jit_trace(net, torch_randn(5, 3))
  jit_warmup(traced, torch_randn(5, 3))
  file <- withr::local_tempfile(fileext = ".pt")
  jit_save(traced, file)
  loaded <- jit_load(file)
  x <- torch_randn(6, 3)
  jit_warmup(loaded, x)
  expect_true(any(fused_groups(loaded) == ""))
  expect_equal(as.numeric(loaded(x)), as.numeric(net(x)), tolerance = 1e-5)
  expect_false(grepl("torchshim", loaded$code))
  python <- python_eval("result = torch.jit.load(file)(torch.tensor(x)).flatten().tolist()", file = file, x = as_array(x))
  expect_equal(python, as.numeric(net(x)), tolerance = 1e-5)
})

test_that("kernels come in the background", {
  skip_if_no_torch()
  skip_if_no_fuser()
  f <- jit_trace(function(x) torch_exp(torch_sin(x) * 0.5) + 3, torch_ones(2))
  for (i in 1:3) f(torch_ones(2))
  deadline <- Sys.time() + 60
  while (fused_groups(f) != "" && Sys.time() < deadline) {
    Sys.sleep(0.1)
    f(torch_ones(2))
  }
  expect_equal(fused_groups(f), "")
})

test_that("an interrupt ends a wait for the compiler, and the kernel comes all the same", {
  skip_if_no_torch()
  skip_if_no_fuser()
  skip_if_no_interrupts()
  slow <- withr::local_tempfile(fileext = ".sh")
  writeLines(c("#!/bin/sh", "sleep 4", paste("exec", kernel_compiler()[1], "\"$@\"")), slow)
  Sys.chmod(slow, "0700")
  seen <- callr::r(function() {
    library(torch)
    f <- jit_trace(function(x) torch_exp(torch_sin(x) * 0.25) + 5, torch_ones(2))
    f(torch_ones(2))
    system(sprintf("(sleep 1; kill -INT %d) >/dev/null 2>&1 &", Sys.getpid()))
    took <- system.time(how <- tryCatch({
      jit_warmup(f, torch_ones(2))
      "ended"
    }, interrupt = function(i) "interrupted"))[["elapsed"]]
    jit_warmup(f, torch_ones(2))
    list(how = how, took = took, why = torch:::cpp_fuser_groups(attr(f, "handle"))[[1]][[3]])
  }, env = c(callr::rcmd_safe_env(), TORCH_KERNEL_CC = slow, TORCH_KERNEL_FOLDER = withr::local_tempdir()), timeout = 60)
  expect_equal(seen$how, "interrupted")
  expect_lt(seen$took, 3)
  expect_equal(seen$why, "")
})

test_that("a mean that gets its dimension back, and what is expanded, are part of a kernel", {
  skip_if_no_torch()
  skip_if_no_fuser()
  functions <- list(
    unsqueeze = function(x, w) (x - x$mean(2)$unsqueeze(2)) / x$amax(-1)$unsqueeze(-1),
    expand = function(x, w) torch_exp(w * 2)$expand(c(6, 40)) * x + torch_tanh(x),
    expand_as = function(x, w) (w + 1)$expand_as(x) * torch_exp(x),
    # Of a dimension that was not reduced, and of other ones, the rest is fused still.
    others = function(x, w) torch_exp(x - x$mean(1)$unsqueeze(1)) * w$unsqueeze(1) + 1
  )
  for (name in names(functions)) {
    found <- fused_distances(functions[[name]], torch_randn(6, 40, requires_grad = TRUE), torch_rand(40, requires_grad = TRUE))
    expect_lt(found$value, 1e-5, label = name)
    expect_lt(found$gradients, 1e-4, label = name)
  }
  local_at_once()
  for (name in c("unsqueeze", "expand_as")) {
    fused <- jit_trace(functions[[name]], torch_randn(6, 40), torch_rand(40))
    fused(torch_randn(6, 40), torch_rand(40))
    expect_match(fused_operators(fused), paste0("aten::", name), label = name)
    expect_equal(fused_groups(fused), "", label = name)
  }
})

test_that("dropout in a program draws what the operator draws", {
  # Where gradients are wanted, programs of older ones draw in their own order, kernels or not.
  skip_if_older("2.0")
  skip_if_no_fuser()
  local_at_once()
  f <- function(x) torch_tanh(nnf_dropout(torch_exp(x), 0.3, training = TRUE)) + 1
  x <- torch_randn(20, 30, requires_grad = TRUE)
  fused <- jit_trace(f, x, check_trace = FALSE)
  for (x in list(x, torch_randn(30, 20)$t()$detach()$requires_grad_(TRUE))) {
    torch_manual_seed(7)
    expected <- f(x)
    torch_manual_seed(7)
    got <- fused(x)
    expect_equal(as_array(got), as_array(expected), tolerance = 1e-6)
    expect_equal(as_array(autograd_grad(got$sum(), x)[[1]]), as_array(autograd_grad(expected$sum(), x)[[1]]), tolerance = 1e-6)
  }
  expect_true(any(grepl("aten::div aten::mul", fused_operators(fused))))
})

test_that("rows of any length are computed by lanes of their own", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  f <- function(x) nnf_log_softmax(x * 2, -1) + x$amax(-1, keepdim = TRUE)
  fused <- jit_trace(f, torch_randn(3, 4))
  for (n in c(1:18, 31:33, 1023:1026, 5000)) {
    x <- torch_randn(3, n, dtype = if (n %% 2) "double" else "float")
    expect_equal(as_array(fused(x)), as_array(f(x)), tolerance = 1e-6, label = paste("rows of", n))
  }
  # One long row in pieces, the last of which may not be shorter than the lanes.
  total <- jit_trace(function(x) torch_sum(torch_exp(x)), torch_rand(4))
  for (n in c(4095:4113, 8200, 12300)) {
    x <- torch_rand(n, dtype = "double")
    expect_equal(as.numeric(total(x)), sum(exp(as.numeric(x))), tolerance = 1e-12, label = paste("one row of", n))
  }
})

test_that("a linear layer and what reads it are one group, but under autocast", {
  skip_if_no_torch()
  skip_if_no_fuser()
  net <- function(x, w, b, v) nnf_linear(nnf_gelu(nnf_linear(x, w, b)), v)
  arguments <- lapply(list(c(2, 5, 8), c(20, 8), 20, c(3, 20)), function(shape) torch_randn(shape, requires_grad = TRUE))
  found <- do.call(fused_distances, c(list(net), arguments))
  expect_lt(found$value, 1e-4)
  expect_lt(found$gradients, 1e-4)
  local_at_once()
  # A result that is wanted itself, one without a bias, and one that is multiplied again.
  f <- function(x, w, b) {
    y <- nnf_linear(x, w, b)
    list(y, nnf_relu(y) * 2, torch_tanh(nnf_linear(x, w)) + 1, torch_matmul(nnf_linear(x, w, b), torch_ones(20, 2)))
  }
  fused <- do.call(jit_trace, c(list(f), arguments[1:3]))
  got <- do.call(fused, arguments[1:3])
  expected <- do.call(f, arguments[1:3])
  for (i in seq_along(expected)) expect_lt(distance_of(got[[i]], expected[[i]]), 1e-5)
  fused <- do.call(jit_trace, c(list(net), arguments))
  do.call(fused, arguments)
  expect_match(fused_operators(fused), "aten::linear aten::gelu aten::linear")
  # Under autocast the layer casts its bias.
  cast <- with_autocast(do.call(net, arguments), device_type = "cpu")
  expect_equal(with_autocast(do.call(fused, arguments), device_type = "cpu")$dtype, cast$dtype)
  relu <- function(x, w, b) nnf_relu(nnf_linear(x, w, b))
  fused <- do.call(jit_trace, c(list(relu), arguments[1:3]))
  for (i in 1:2) expect_equal(with_autocast(do.call(fused, arguments[1:3]), device_type = "cpu")$dtype, torch_bfloat16())
  expect_equal(do.call(fused, arguments[1:3])$dtype, torch_float())
})

test_that("means and sums of rows that are reduced again have gradients in kernels", {
  skip_if_no_fuser()
  x <- torch_randn(6, 4, dtype = torch_double(), requires_grad = TRUE)
  y <- torch_randn(6, 4, dtype = torch_double())
  for (f in list(
    function(x, y) torch_mean(torch_sum(x * y, 2)), function(x, y) torch_sum(torch_mean(x * y, 2)^2),
    function(x, y) torch_mean(torch_mean(torch_tanh(x) * y, 2, TRUE) * 3), function(x, y) torch_var(torch_mean(x * y, 2) * 2)
  )) {
    traced <- jit_trace(f, x, y)
    jit_warmup(traced, x, y)
    for (i in 1:2) expect_equal(as_array(autograd_grad(traced(x, y), x)[[1]]), as_array(autograd_grad(f(x, y), x)[[1]]))
    expect_true(all(fused_groups(traced) == ""), info = deparse(f))
  }
})
