# A module that makes, takes and keeps instances of a class, saved by PyTorch.
counting_module <- function(env = parent.frame()) {
  file <- withr::local_tempfile(fileext = ".pt", .local_envir = env)
  python_eval("
from typing import Dict, List, Optional
from torch.futures import Future
@torch.jit.script
class Counter:
    def __init__(self, start: int):
        self.count = start
        self.names: List[str] = []
        self.scale = torch.jit.annotate(Optional[float], None)
    def add(self, by: int = 1) -> int:
        self.count += by
        self.names.append('add')
        return self.count
    def merge(self, other: 'Counter') -> 'Counter':
        return Counter(self.count + other.count)
@torch.jit.script
class Other:
    def __init__(self):
        self.count = 0
def slow(x: torch.Tensor) -> torch.Tensor:
    return torch.relu(x) + 1
def failing(x: torch.Tensor) -> torch.Tensor:
    assert bool((x > 0).all())
    return x
class M(torch.nn.Module):
    def forward(self, start: int) -> Counter:
        return Counter(start)
    @torch.jit.export
    def other(self) -> Other:
        return Other()
    @torch.jit.export
    def total(self, counters: List[Counter], named: Dict[str, Counter]) -> int:
        n = 0
        for c in counters:
            n += c.count
        for c in named.values():
            n += c.add(10)
        return n
    @torch.jit.export
    def go(self, x: torch.Tensor) -> Future[torch.Tensor]:
        return torch.jit.fork(slow, x)
    @torch.jit.export
    def fail(self, x: torch.Tensor) -> Future[torch.Tensor]:
        return torch.jit.fork(failing, x)
    @torch.jit.export
    def hold(self, f: Future[torch.Tensor]) -> torch.Tensor:
        return torch.jit.wait(f)
torch.jit.script(M()).save(file)
result = 0", file = file)
  jit_load(file)
}

test_that("instances of classes have attributes and methods", {
  skip_if_no_torch()
  m <- counting_module()
  counter <- m(5)
  expect_s3_class(counter, "torch_script_object")
  expect_equal(counter$count, 5)
  expect_equal(counter$add(), 6)
  expect_equal(counter$add(by = 4), 10)
  expect_equal(counter$count, 10)
  expect_equal(counter$names, list("add", "add"))
  counter$count <- 1L
  counter[["scale"]] <- 0.5
  expect_equal(counter$add(2), 3)
  expect_equal(counter[["scale"]], 0.5)
  counter$scale <- NULL
  expect_null(counter$scale)
  expect_equal(names(counter), c("count", "names", "scale", "add", "merge"))
  expect_equal(utils::.DollarNames(counter, "^m"), "merge")
  expect_s3_class(counter$add, "script_method")
  # It is the instance, not a copy.
  same <- counter
  same$add()
  expect_equal(counter$count, 4)
  rm(counter)
  gc()
  expect_equal(same$count, 4)
})

test_that("instances are arguments, alone and in containers", {
  skip_if_no_torch()
  m <- counting_module()
  a <- m(1)
  b <- m(2)
  expect_equal(a$merge(b)$count, 3)
  expect_equal(m$total(list(a, b), list(b = b)), 1 + 2 + 12)
  expect_equal(b$count, 12)
  expect_snapshot({
    print(a)
    print(m$other())
    show_error(a$merge(m$other()))
    show_error(a$merge(1))
    show_error(a$add("x"))
    show_error(a$nope)
    show_error(a$nope <- 1)
    show_error(a$add <- 1)
    show_error(a$count <- "x")
    show_error(m$total(list(a, 1), list()))
  })
})

test_that("futures are waited for, and handed back", {
  skip_if_no_torch()
  m <- counting_module()
  x <- torch_tensor(c(-1, 1))
  future <- m$go(x)
  expect_s3_class(future, "torch_future")
  expect_equal(as.numeric(future$wait()), c(1, 2))
  expect_true(future$done())
  expect_equal(as.numeric(m$hold(future)), c(1, 2))
  expect_equal(as.numeric(m$hold(x)), c(-1, 1))
  expect_output(print(future), "<torch_future> Future[Tensor], done", fixed = TRUE)
  failed <- m$fail(x)
  expect_error(failed$wait(), "AssertionError", class = "torch_runtime_error")
  expect_snapshot({
    show_error(m$hold(1))
    show_error(m$hold(m(1)))
    show_error(future$nope)
  })
})

test_that("an instance that came out of saveRDS() is dead, not dangerous", {
  skip_if_no_torch()
  dead <- unserialize(serialize(counting_module()(1), NULL))
  expect_error(dead$count, "dead", class = "value_error")
})
