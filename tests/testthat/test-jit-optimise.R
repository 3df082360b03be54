default_options <- list(
  strategy = list(c("DYNAMIC", "10")), cpu = FALSE, cuda = FALSE, executor = "profiling", profiling = TRUE, profiled_runs = 1L,
  optimize = TRUE
)

test_that("dynamic kernels are the default, all else is as LibTorch has it", {
  skip_if_no_torch()
  expect_equal(jit_fuser_enabled("cpu"), jit_options()$own != "none" || jit_options()$cpu)
  local_jit_fusion(fuser = "none")
  options <- jit_options()
  expect_equal(options[c("strategy", "executor", "profiling", "profiled_runs", "optimize")],
    default_options[c("strategy", "executor", "profiling", "profiled_runs", "optimize")])
  python <- python_eval("
result = [torch._C._jit_can_fuse_on_gpu(), torch._C._jit_get_num_profiled_runs(), torch._C._get_graph_executor_optimize()]
")
  expect_equal(c(jit_fuser_enabled(torch_device("cuda")), options$profiled_runs, options$optimize), python)
  expect_false(jit_fuser_enabled("cpu"))
  expect_false(jit_fuser_enabled("meta"))
})

test_that("with_ and local_ restore the switches, also after errors", {
  skip_if_no_torch()
  before <- jit_options()
  inside <- with_jit_fusion(list(c("STATIC", 2), c("DYNAMIC", 3)), cpu = TRUE, jit_options())
  expect_equal(inside$strategy, list(c("STATIC", "2"), c("DYNAMIC", "3")))
  expect_true(inside$cpu)
  expect_equal(jit_options(), before)
  inside <- with_jit_executor(jit_options(), executor = "simple", profiling = FALSE, profiled_runs = 4, optimize = FALSE)
  expect_equal(inside[c("executor", "profiling", "profiled_runs", "optimize")],
    list(executor = "simple", profiling = FALSE, profiled_runs = 4L, optimize = FALSE))
  expect_equal(inside$strategy, before$strategy)
  expect_equal(jit_options(), before)

  expect_error(with_jit_fusion(list(c("STATIC", 2)), cpu = TRUE, stop("inside")), "inside")
  expect_error(with_jit_executor(stop("inside"), executor = "simple", optimize = FALSE), "inside")
  expect_equal(jit_options(), before)

  local_function <- function(fail) {
    local_jit_fusion(list(c("STATIC", 1)), cpu = TRUE)
    local_jit_executor(profiled_runs = 7)
    expect_equal(jit_options()$strategy, list(c("STATIC", "1")))
    expect_equal(jit_options()$profiled_runs, 7L)
    if (fail) stop("inside")
  }
  local_function(FALSE)
  expect_equal(jit_options(), before)
  expect_error(local_function(TRUE), "inside")
  expect_equal(jit_options(), before)

  was <- set_jit_fusion(list(c("STATIC", 5)))
  expect_equal(was, list(strategy = before$strategy))
  expect_equal(jit_options()$strategy, list(c("STATIC", "5")))
  set_jit_fusion(was$strategy)
  was <- set_jit_executor(profiled_runs = 2)
  set_jit_executor(profiled_runs = was$profiled_runs)
  expect_equal(jit_options(), before)
})

test_that("bad switches are refused and change nothing", {
  skip_if_no_torch()
  before <- jit_options()
  expect_snapshot({
    show_error(set_jit_fusion("DYNAMIC"))
    show_error(set_jit_fusion(list()))
    show_error(set_jit_fusion(list(c("SOMETIMES", 10))))
    show_error(set_jit_fusion(list(c("DYNAMIC", -1))))
    show_error(set_jit_fusion(list(c("DYNAMIC", "many"))))
    show_error(set_jit_fusion(cpu = "yes"))
    show_error(with_jit_fusion(list("DYNAMIC"), 1))
    show_error(set_jit_executor(executor = "fast"))
    show_error(set_jit_executor(profiled_runs = 0))
    show_error(set_jit_executor(profiled_runs = 1.5))
    show_error(with_jit_executor(1, optimize = NA))
    show_error(jit_warmup(function(x) x, 1))
    show_error(jit_warmup(jit_module("Empty"), 1))
  })
  expect_equal(jit_options(), before)
})

test_that("the executors make the plans that PyTorch's make", {
  skip_if_no_torch()
  source <- "def f(x):\n  return torch.relu(x * 2 + 1).tanh()\n"
  python <- python_eval("
torch.jit.set_fusion_strategy([('DYNAMIC', 10)])
# Builds with LLVM fuse.
torch._C._jit_override_can_fuse_on_cpu(False)
x = torch.ones(3)
def plan():
  f = torch.jit.CompilationUnit(source).f
  for i in range(6):
    f(x)
  return str(f.graph_for(x))
result = {}
torch._C._jit_set_profiling_executor(False)
result['simple'] = plan()
torch._C._jit_set_profiling_executor(True)
torch._C._jit_set_profiling_mode(False)
result['unwatched'] = plan()
torch._C._jit_set_profiling_mode(True)
torch._C._jit_set_num_profiled_runs(4)
result['four'] = plan()
", source = source)
  local_jit_fusion(fuser = "none")
  plan <- function(...) {
    with_jit_executor(gsub("<source>", "<string>", as.character(jit_compile(source)$f$graph_for(torch_ones(3)))), ...)
  }
  expect_equal(plan_lines(plan(profiling = FALSE)), plan_lines(python$unwatched))
  expect_equal(plan_lines(plan(profiled_runs = 4)), plan_lines(python$four))
  expect_equal(plan_lines(plan(executor = "simple")), plan_lines(python$simple))
  # What is computed twice stays so where nothing is optimised.
  source <- "def f(x):\n  return torch.exp(x) * torch.exp(x)\n"
  count <- function(text) lengths(regmatches(text, gregexpr("aten::exp", text)))
  expect_equal(count(plan(optimize = FALSE)), 2)
  expect_equal(count(plan()), 1)
})

test_that("warming up runs until the plan is final and no longer", {
  skip_if_no_torch()
  count <- function(...) {
    with_jit_executor(..., code = {
      f <- jit_compile("def f(x):\n  print('run')\n  return x + 1\n")$f
      list(f = f, runs = length(capture.output(jit_warmup(f, torch_ones(1)))))
    })
  }
  for (runs in c(1, 3)) {
    warm <- count(profiled_runs = runs)
    expect_equal(warm$runs, runs + 1)
    expect_true(cpp_callable_is_optimised(attr(warm$f, "handle")))
    # A second time there is nothing left to do.
    expect_equal(length(capture.output(jit_warmup(warm$f, torch_ones(1)))), 1)
  }
  traced <- jit_trace(small_net(), torch_randn(5, 3))
  traced$eval()
  expect_identical(jit_warmup(traced, torch_randn(5, 3)), traced)
  expect_true(cpp_callable_is_optimised(attr(traced$forward, "handle")))
})

test_that("freezing is PyTorch's", {
  skip_if_no_torch()
  net <- nn_sequential(nn_linear(3, 8), nn_batch_norm1d(8), nn_relu(), nn_dropout(0.5), nn_linear(8, 1))
  # Statistics that do something.
  for (i in 1:3) net(torch_randn(16, 3) + 1)
  traced <- jit_trace(net, torch_randn(4, 3))
  traced$scale <- jit_scalar(3)
  traced$define("def scaled(self, x):\n  return self.evalforward(x) * self.scale")
  traced$eval()
  x <- torch_randn(4, 3)
  file <- withr::local_tempfile(fileext = ".pt")
  jit_save(traced, file)
  python <- python_eval("
m = torch.jit.load(file).eval()
kinds = lambda g: [n.kind() for n in g.nodes()]
frozen = torch.jit.freeze(m)
fast = torch.jit.optimize_for_inference(torch.jit.load(file).eval())
kept = torch.jit.freeze(m, preserved_attrs=['scaled', 'scale'])
result = dict(frozen=kinds(frozen.graph), fast=kinds(fast.graph), kept=kinds(kept.scaled.graph), value=frozen(torch.tensor(x)).flatten().tolist())
", file = file, x = as_array(x))

  frozen <- jit_freeze(traced)
  expect_equal(frozen$graph$nodes()$kind, python$frozen)
  folded <- if (numeric_version(libtorch_find()$version) < "2.0") "dropout|GetAttr" else "batch_norm|dropout|GetAttr"
  expect_false(any(grepl(folded, python$frozen)))
  expect_equal(as.numeric(frozen(x)), python$value, tolerance = 1e-5)
  expect_equal(as.numeric(frozen(x)), as.numeric(traced(x)), tolerance = 1e-5)
  expect_length(frozen$parameters, 0)
  expect_length(traced$parameters, 6)
  expect_null(frozen$scaled)

  kept <- jit_freeze(traced, preserved = c("scaled", "scale"))
  expect_equal(kept$scaled$graph$nodes()$kind, python$kept)
  expect_equal(kept$scale, 3)
  expect_equal(as.numeric(kept$scaled(x)), 3 * python$value, tolerance = 1e-5)

  fast <- jit_optimize_for_inference(traced)
  expect_equal(fast$graph$nodes()$kind, python$fast)
  expect_equal(as.numeric(fast(x)), python$value, tolerance = 1e-5)
  expect_false(is.null(jit_optimize_for_inference(traced, other_methods = "scaled")$scaled))

  # Later changes of the module reach neither copy.
  with_no_grad(for (parameter in traced$parameters) parameter$zero_())
  expect_equal(as.numeric(frozen(x)), python$value, tolerance = 1e-5)
  expect_equal(as.numeric(fast(x)), python$value, tolerance = 1e-5)
  expect_equal(as.numeric(kept$scaled(x)), 3 * python$value, tolerance = 1e-5)
  # A frozen module is saved as any, and may be frozen once more.
  expect_equal(as.numeric(jit_freeze(frozen)(x)), python$value, tolerance = 1e-5)
  again <- withr::local_tempfile(fileext = ".pt")
  jit_save(frozen, again)
  expect_equal(as.numeric(jit_load(again)(x)), python$value, tolerance = 1e-5)
})

test_that("what can't be frozen is told", {
  skip_if_no_torch()
  traced <- jit_trace(small_net(), torch_randn(5, 3))
  empty <- jit_module("Empty")
  expect_snapshot({
    show_error(jit_freeze(nn_linear(1, 1)))
    show_error(jit_freeze(traced))
    show_error(jit_optimize_for_inference(traced))
    show_error(jit_freeze(empty))
    show_error(jit_freeze(traced$eval(), preserved = 1))
    show_error(jit_freeze(traced$eval(), preserved = "nothing"))
  })
})

test_that("fused kernels give what the operators give, and their gradients", {
  skip_if_no_torch()
  source <- "
def f(x, y):
  a = torch.tanh(x * 2 + y)
  b = torch.sigmoid(a) * torch.exp(-x.abs())
  return torch.where(x > 0, a + b, a * y - b) / (1 + y * y)
"
  values <- function(x, y) {
    a <- tanh(x * 2 + y)
    b <- plogis(a) * exp(-abs(x))
    ifelse(x > 0, a + b, a * y - b) / (1 + y * y)
  }
  # Central differences.
  slope <- function(x, y, h = 1e-5) (values(x + h, y) - values(x - h, y)) / (2 * h)
  with_jit_fusion(cpu = TRUE, code = {
    f <- jit_compile(source)$f
    for (n in c(3, 3, 3, 7, 64)) {
      x <- seq(-2, 2, length.out = n)
      y <- cos(seq_len(n))
      expect_equal(as.numeric(f(torch_tensor(x, dtype = "double"), torch_tensor(y, dtype = "double"))), values(x, y))
    }
    expect_match(as.character(f$graph_for(torch_randn(3), torch_randn(3))), "TensorExpr")
    g <- jit_compile(source)$f
    for (n in c(4, 4, 4, 9)) {
      x <- torch_tensor(seq(-2, 2.1, length.out = n), dtype = "double", requires_grad = TRUE)
      y <- torch_tensor(cos(seq_len(n)), dtype = "double")
      g(x, y)$sum()$backward()
      expect_equal(as.numeric(x$grad), slope(as.numeric(x), as.numeric(y)), tolerance = 1e-7)
    }
    # A number of rows that changes, and one that broadcasts.
    h <- jit_compile(source)$f
    for (n in c(2, 2, 2, 5, 1)) {
      x <- outer(seq_len(n) / 3 - 1, 1:4 / 2 - 1.2)
      y <- 1:4 / 4
      expect_equal(
        as_array(h(torch_tensor(x, dtype = "double"), torch_tensor(y, dtype = "double"))),
        values(x, rep(y, each = n))
      )
    }
  })
})

test_that("a long chain of operators becomes no kernel", {
  skip_if_no_torch()
  chain <- function(n) jit_compile(paste0("def f(x):\n", strrep("  x = x * 1.0001 + 0.5\n", n / 2), "  return x\n"))$f
  plan <- function(f, x) {
    for (i in 1:3) out <- f(x)
    list(out = out, kernel = grepl("TensorExprGroup", as.character(f$graph_for(x))))
  }
  x <- torch_tensor(c(1, 2), dtype = "double")
  truth <- Reduce(function(v, i) v * 1.0001 + 0.5, seq_len(1000), c(1, 2))
  with_jit_fusion(cpu = TRUE, code = {
    expect_true(plan(chain(40), x)$kernel)
    long <- plan(chain(2000), x)
    expect_false(long$kernel)
    expect_equal(as.numeric(long$out), truth)
    # Nor do its gradients.
    f <- chain(2000)
    for (i in 1:3) {
      leaf <- x$clone()$requires_grad_()
      seconds <- system.time(f(leaf)$sum()$backward())[["user.self"]]
      expect_lt(seconds, 10)
      expect_equal(as.numeric(leaf$grad), rep(1.0001^1000, 2))
    }
    # What is short beside what is long is fused: pieces that other operators keep apart.
    pieces <- jit_compile(paste0(
      "def f(x):\n", strrep(paste0(strrep("  x = x * 1.01 + 0.5\n", 20), "  x = torch.cumsum(x, 0)\n"), 12), "  return x\n"
    ))$f
    expect_true(plan(pieces, x)$kernel)
    # The switch says what was asked for, not what became of the last program.
    expect_true(jit_fuser_enabled("cpu"))
  })
})
