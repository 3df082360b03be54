# Ctrl-C in what LibTorch computes for long. Each piece of work would take hours: the child ends early or not at all.

interrupted <- function(work) {
  skip_if_no_torch()
  skip_on_os("windows")
  skip_if_not_installed("callr")
  callr::r(libpath = .libPaths(), timeout = 120, args = list(work), function(work) {
    library(torch)
    torch_ones(1)
    run <- work()
    system(sprintf("(sleep 1; kill -INT %d) >/dev/null 2>&1 &", Sys.getpid()))
    began <- Sys.time()
    how <- tryCatch({
      run()
      "ended"
    }, interrupt = function(i) "interrupted", error = conditionMessage)
    # Nothing goes on behind it.
    before <- sum(proc.time()[1:2])
    Sys.sleep(1)
    busy <- sum(proc.time()[1:2]) - before
    # LibTorch is whole afterwards.
    list(how = how, sum = as.numeric(sum(torch_ones(3) + 1)), idle = busy < 0.5)
  })
}
expect_interrupted <- function(work) expect_equal(interrupted(work), list(how = "interrupted", sum = 6, idle = TRUE))

test_that("loops over numbers in TorchScript are interrupted", {
  expect_interrupted(function() {
    f <- jit_compile("def f(n: int) -> int:\n  x = 0\n  for i in range(n):\n    x = x + i\n  return x\n")$f
    f(10L)
    function() f(1e14)
  })
  expect_interrupted(function() {
    f <- jit_compile("def g(x: int) -> int:\n  while x > 0:\n    pass\n  return x\ndef f(n: int) -> int:\n  return g(n)\n")$f
    function() f(1L)
  })
})

test_that("loops over tensors in TorchScript are interrupted, with and without autocast", {
  expect_interrupted(function() {
    f <- jit_compile("def f(x: Tensor, n: int) -> Tensor:\n  for i in range(n):\n    x = (x @ x) / 30.0\n  return x\n")$f
    x <- torch_ones(c(300, 300))
    function() f(x, 1e12)
  })
  expect_interrupted(function() {
    f <- jit_compile("def f(n: int) -> int:\n  x = 0\n  for i in range(n):\n    x = x + i\n  return x\n")$f
    f(10L)
    function() with_autocast(f(1e14), device_type = "cpu")
  })
})

test_that("methods of loaded modules are interrupted", {
  expect_interrupted(function() {
    file <- tempfile(fileext = ".pt")
    m <- jit_module()
    m$define("def forward(self, n: int) -> int:\n  x = 0\n  while x >= 0:\n    x = (x + n) % 7\n  return x\n")
    jit_save(m, file)
    f <- jit_load(file)
    function() f(3L)
  })
})

test_that("backward is interrupted, and gradients are computed afterwards", {
  expect_interrupted(function() {
    x <- torch_ones(c(250, 250), requires_grad = TRUE)
    y <- x
    for (i in 1:300) y <- torch_matmul(y, x) / 250
    y <- y$sum()
    function() repeat y$backward(retain_graph = TRUE)
  })
})

test_that("the poll of a loop is in no graph that is shown or saved", {
  skip_if_no_torch()
  unit <- jit_compile("def f(n: int) -> int:\n  x = 0\n  for i in range(n):\n    x = x + i\n  return x\n")
  expect_equal(unit$f(5L), 10)
  expect_no_match(paste(capture.output(print(unit$f$graph)), collapse = "\n"), "poll")
  bytes <- jit_serialize(unit$f)
  expect_equal(jit_unserialize(bytes)(5L), 10)
})

test_that("tasks are interrupted where they are waited for, and end", {
  program <- "
def spin(n: int) -> int:
  x = 0
  for i in range(n):
    x = (x + i) % 7
  return x
def inner(n: int) -> int:
  return spin(n)
def f(n: int) -> int:
  a = torch.jit.fork(inner, n)
  b = torch.jit.fork(spin, n)
  return torch.jit.wait(a) + torch.jit.wait(b)
def nested(n: int) -> int:
  return torch.jit.wait(torch.jit.fork(f, n))
def begin(n: int) -> Future[int]:
  return torch.jit.fork(spin, n)
"
  source <- sprintf("
    unit <- jit_compile(%s)
    stopifnot(unit$f(10L) == 0 + unit$spin(10L) * 2, unit$nested(10L) == unit$f(10L))
  ", encodeString(program, quote = "\""))
  for (call in c("unit$f(1e14)", "unit$nested(1e14)", "unit$begin(1e14)$wait()", "{unit$begin(1e14); unit$spin(1e14)}")) {
    expect_interrupted(eval(bquote(function() {
      eval(parse(text = .(source)), globalenv())
      function() eval(parse(text = .(call)), globalenv())
    })))
  }
})

test_that("methods that an interface calls are interrupted", {
  skip_if_no_torch()
  file <- withr::local_tempfile(fileext = ".pt")
  python_eval("
@torch.jit.interface
class Worker(torch.nn.Module):
    def go(self, n: int) -> int:
        pass
class Spinner(torch.nn.Module):
    @torch.jit.export
    def go(self, n: int) -> int:
        x = 0
        for i in range(n):
            x = (x + i) % 7
        return x
    def forward(self, x):
        return x
class Net(torch.nn.Module):
    worker: Worker
    def __init__(self):
        super().__init__()
        self.worker = Spinner()
    def forward(self, n: int) -> int:
        return self.worker.go(n)
torch.jit.script(Net()).save(path)
result = 1
", path = file)
  expect_equal(jit_load(file)(4L), (((0 + 0) %% 7 + 1) %% 7 + 2 + 3) %% 7)
  expect_interrupted(eval(bquote(function() {
    f <- jit_load(.(file))
    function() f(1e14)
  })))
})
