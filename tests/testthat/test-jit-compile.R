unit_with_classes <- function() {
  jit_compile("
    class Color(Enum):
      RED = 1
      BLUE = -2

    class Pair(NamedTuple):
      a: int
      b: Tensor
      c: float = 2.5

    def area(p: Point) -> float:
      \"\"\"Uses a class that stands below.\"\"\"
      return p.x * p.y

    class Point:
      '''Has a field that no argument gives.'''
      names: List[str]

      def __init__(self, x: float, y: float = 2.0):
        self.x = x
        self.y = y
        self.names: List[str] = ['p']

      def scaled(self, by: float) -> 'Point':
        return Point(self.x * by, self.y * by)

      def area(self) -> float:
        return area(self) + len(self.names)

    def value(c: Color) -> int:
      return 100 if c == Color.RED else c.value

    def pair(n: int) -> Pair:
      return Pair(n, torch.ones([n], dtype=torch.float64))

    def total(p: Pair) -> float:
      return float(p.b.sum()) + p.a + p.c

    def big(x: float, by: float = 10.0) -> float:
      return Point(x).scaled(by).area()
  ")
}

test_that("a unit holds all functions of its source", {
  skip_if_no_torch()
  unit <- unit_of_many()
  expect_s3_class(unit, "torch_compilation_unit")
  expect_equal(names(unit), c("scale", "or_minus_one", "parts", "thrice"))
  expect_equal(utils::.DollarNames(unit, "^th"), "thrice")
  expect_null(unit$missing)
  expect_s3_class(unit$scale, "script_function", exact = TRUE)
  expect_equal(as.numeric(unit[["thrice"]](torch_tensor(2))), 6)
  expect_equal(sub("\\(.*", "", lapply(unit, function(f) f$schema)), names(unit))
  # A function outlives its unit.
  f <- unit$thrice
  rm(unit)
  gc()
  expect_equal(as.numeric(f(torch_tensor(1))), 3)
})

test_that("a unit prints what it holds", {
  skip_if_no_torch()
  expect_snapshot({
    unit_of_many()
    unit_with_classes()
    jit_compile("")
  })
  expect_equal(names(unit_with_classes()), c("Color", "Pair", "area", "Point", "value", "pair", "total", "big"))
})

test_that("defaults and keywords are those of the source", {
  skip_if_no_torch()
  scale <- unit_of_many()$scale
  x <- torch_tensor(2)
  expect_equal(as.numeric(scale(x)), 4)
  expect_equal(as.numeric(scale(k = 5, x = x)), 10)
  expect_equal(as.numeric(scale(x, name = "q")), 4)
  expect_equal(unit_with_classes()$big(by = 1, x = 3), 3 * 2 + 1)
})

test_that("a NamedTuple shows its fields as they were written", {
  skip_if_no_torch()
  unit <- jit_compile("
    class Item(NamedTuple):
      parts: List[int]
      names: List[str]
      size: Tuple[int, List[float]]
      more: Optional[List[int]] = None
  ")
  expect_equal(unit$Item$schema, "Item(int[] parts, str[] names, (int, float[]) size, int[]? more=None) -> __torch__.Item")
  item <- unit$Item(1:2, "a", list(1, 0.5))
  expect_equal(item$parts, c(1, 2))
  expect_null(item$more)
})

test_that("classes, NamedTuples and enums are Python's", {
  skip_if_no_torch()
  unit <- unit_with_classes()
  python <- python_eval("
from typing import List, NamedTuple
from enum import Enum
class Color(Enum):
  RED = 1
  BLUE = -2
class Pair(NamedTuple):
  a: int
  b: torch.Tensor
  c: float = 2.5
@torch.jit.script
class Point:
  def __init__(self, x: float, y: float = 2.0):
    self.x = x
    self.y = y
    self.names: List[str] = ['p']
  def scaled(self, by: float) -> 'Point':
    return Point(self.x * by, self.y * by)
  def area(self) -> float:
    return self.x * self.y + len(self.names)
@torch.jit.script
def value(c: Color) -> int:
  return 100 if c == Color.RED else c.value
@torch.jit.script
def pair(n: int):
  return Pair(n, torch.ones([n], dtype=torch.float64))
@torch.jit.script
def total(p: Pair) -> float:
  return float(p.b.sum()) + p.a + p.c
@torch.jit.script
def big(x: float, by: float = 10.0) -> float:
  return Point(x).scaled(by).area()
p = pair(3)
result = dict(big=big(2.0), area=Point(3.0).area(), red=value(Color.RED), blue=value(Color.BLUE), pair=[p.a, p.b.tolist(), p.c],
  dtype=str(p.b.dtype), total=total(Pair(1, torch.ones(2))))
")
  expect_equal(unit$big(2), python$big)
  point <- unit$Point(3)
  expect_equal(unit$area(point) + 1, python$area)
  expect_equal(unit$value("RED"), python$red)
  expect_equal(unit$value("BLUE"), python$blue)
  expect_equal(lapply(unit$Color, function(member) member$value), list(RED = 1, BLUE = -2))
  pair <- unit$pair(3)
  expect_equal(list(pair$a, as.numeric(pair$b), pair$c), python$pair)
  expect_equal(python$dtype, "torch.float64")
  expect_true(pair$b$dtype == torch_float64())
  expect_equal(unit$total(list(a = 1L, b = torch_ones(2), c = 2.5)), python$total)
  # A maker of NamedTuples fills in what is not given, and refuses what does not fit.
  expect_equal(unit$Pair(1, torch_ones(2))$c, 2.5)
  expect_equal(unit$total(unit$Pair(1, torch_ones(2))), python$total)
  expect_error(unit$Pair("a", torch_ones(2)), class = "type_error")
})

test_that("instances live as long as they are used", {
  skip_if_no_torch()
  unit <- unit_with_classes()
  make <- unit$Point
  expect_output(print(make), "^<script_class> Point\\(x: float, y: float = 2\\)$")
  expect_equal(make$schema, "Point(float x, float y=2.) -> __torch__.Point")
  point <- make(2, y = 5)
  area <- unit$area
  rm(unit, make)
  gc()
  expect_equal(area(point), 10)
  # Each call makes a new one.
  unit <- jit_compile("
    class Box:
      def __init__(self):
        self.n = 0
      def add(self):
        self.n += 1
        return self.n
    def add(b: Box):
      return b.add()
  ")
  a <- unit$Box()
  b <- unit$Box()
  expect_equal(c(unit$add(a), unit$add(a), unit$add(b)), c(1, 2, 1))
})

test_that("units call each other, and functions that were traced", {
  skip_if_no_torch()
  one <- jit_compile("
    class Point:
      def __init__(self, x: float):
        self.x = x
    def twice(p: Point):
      return p.x * 2
  ")
  other <- jit_compile("
    class Point:
      def __init__(self, x: float):
        self.x = x
    def tenfold(p: Point):
      return p.x * 10
  ")
  traced <- jit_trace(function(x) x + 100, torch_zeros(1))
  unit <- jit_compile("
    def f(x: float):
      return twice(Point(x)) + o.tenfold(o.Point(x)) + float(shift(torch.zeros(1)))
    def named(p: o.Point):
      return o.tenfold(p)
  ", units = list(one, o = other, shift = traced))
  point <- other$Point(3)
  rm(one, other, traced)
  gc()
  expect_equal(unit$f(2), 4 + 20 + 100)
  expect_equal(unit$named(point), 30)
  # A single unit needs no list.
  expect_equal(as.numeric(jit_compile("def g(x):\n  return thrice(x)", units = unit_of_many())$g(torch_tensor(1))), 3)
  # What is saved holds what it calls.
  file <- withr::local_tempfile(fileext = ".pt")
  jit_save(unit$f, file)
  expect_equal(jit_load(file)(2), 124)
  expect_equal(python_eval("result = torch.jit.load(file)(2.0)", file = file), 124)
})

test_that("text finds torch's and math's names", {
  skip_if_no_torch()
  source <- "
def f(x):
  y = torch.zeros(2, dtype=torch.int16).to(torch.complex64)
  z = torch.empty_like(x, memory_format=torch.contiguous_format)
  return (int(y.dtype), x.to(torch.bfloat16).dtype, math.pi, math.sqrt(2.0), math.inf, torch.linalg.norm(x).item(),
          torch.special.expit(x), torch.fft.fft(x).abs(), torch.ops.aten.relu(x), torch.jit.annotate(List[int], []),
          float('nan'), torch.nan, torch.tau if False else 1.5)
"
  x <- c(-1, 2, 0.5)
  got <- jit_compile(sub("torch.tau", "math.tau", source, fixed = TRUE))$f(torch_tensor(x))
  python <- python_eval("
import math
from typing import List
@torch.jit.script
def f(x):
  y = torch.zeros(2, dtype=torch.int16).to(torch.complex64)
  return (math.pi, math.sqrt(2.0), torch.linalg.norm(x).item(), torch.special.expit(x), torch.fft.fft(x).abs(), torch.ops.aten.relu(x))
result = [v.tolist() if isinstance(v, torch.Tensor) else v for v in f(torch.tensor(x))]
", x = x)
  numbers <- lapply(got, function(value) if (is_torch_tensor(value)) as.numeric(value) else value)
  expect_equal(numbers[c(3, 4, 6, 7, 8, 9)], python, tolerance = 1e-6)
  expect_equal(numbers[[5]], Inf)
  expect_true(is.nan(numbers[[11]]) && is.nan(numbers[[12]]))
  expect_equal(length(numbers[[10]]), 0)
})

test_that("with torch.no_grad() and torch.autograd.grad train a model in text", {
  skip_if_no_torch()
  fit <- jit_compile("
    def fit(x, y, steps: int, rate: float):
      w = torch.zeros(1).requires_grad_()
      for i in range(steps):
        loss = ((x * w - y) ** 2).mean()
        g = torch.autograd.grad([loss], [w])[0]
        if g is not None:
          with torch.no_grad():
            w -= rate * g
      return w, torch.is_grad_enabled()
  ")$fit
  x <- c(1, 2, 3)
  w <- 0
  for (i in 1:20) w <- w - 0.1 * mean(2 * (x * w - 3 * x) * x)
  result <- fit(torch_tensor(x), torch_tensor(3 * x), 20, 0.1)
  expect_equal(as.numeric(result[[1]]), w, tolerance = 1e-5)
  expect_true(result[[2]])
  file <- withr::local_tempfile(fileext = ".pt")
  jit_save(fit, file)
  python <- python_eval("
x = torch.tensor(x)
result = torch.jit.load(file)(x, 3 * x, 20, 0.1)[0].item()
", x = x, file = file)
  expect_equal(python, w, tolerance = 1e-5)
})

test_that("pasted Python may import what is known anyway", {
  skip_if_no_torch()
  unit <- jit_compile("
    '''A module.'''
    import torch
    import math
    from typing import List, Optional
    from enum import Enum

    def f(x: Optional[int]) -> float:
      return math.pi if x is None else float(x)
  ")
  expect_equal(unit$f(NULL), pi)
  # Lines of Windows, and text that is indented by tabs.
  expect_equal(jit_compile("\tdef f(x: int):\r\n\t\treturn x + 1\r\n")$f(1), 2)
})

test_that("the source may be a connection or a file", {
  skip_if_no_torch()
  folder <- withr::local_tempdir()
  file <- file.path(folder, "model.py")
  writeLines(c("def f(x: int):", "  assert x > 0, 'must be positive: \u00e9'", "  return x + 1"), file, useBytes = TRUE)
  expect_equal(jit_compile(file = file)$f(1), 2)
  con <- file(file)
  unit <- jit_compile(con)
  close(con)
  expect_equal(unit$f(1), 2)
  expect_error(unit$f(-1), "model.py\", line 2, in f.*must be positive: \u00e9", class = "torch_error")
  text <- textConnection(c("def f(x: int):", "  return x + 2"))
  expect_equal(jit_compile(text)$f(1), 3)
  close(text)
})

test_that("errors in the source show the place", {
  skip_if_no_torch()
  withr::local_dir(withr::local_tempdir())
  writeLines("def f(x):\n  return y", "wrong.py")
  expect_snapshot({
    show_error(jit_compile("def f(x):\n  return y\n"))
    show_error(jit_compile("def f(x:\n  return x"))
    show_error(jit_compile(file = "wrong.py"))
    show_error(jit_compile("x = 3"))
    show_error(jit_compile("import numpy as np"))
    show_error(jit_compile("def f(x):\n  return x\ndef f(x):\n  return x"))
    show_error(jit_compile("def f(x):\n  return f(x)"))
    show_error(jit_compile("class A(Base):\n  def __init__(self):\n    pass"))
    show_error(jit_compile("class A:\n  def f(self):\n    return 1"))
    show_error(jit_compile("class A:\n  x = 3"))
    show_error(jit_compile("class A:\n  x: int = 3"))
    show_error(jit_compile("class A(NamedTuple):\n  x = 3"))
    show_error(jit_compile("class A(Enum):\n  B = 1\n  C = 'a'"))
    show_error(jit_compile("class A(Enum):\n  B = f(1)"))
    show_error(jit_compile("class A(Enum):\n  pass"))
    show_error(jit_compile("def f(x):\n  return u.g(x)", units = list(u = unit_of_many())))
  })
  expect_error(jit_compile("def f(x):\n  return torch.nope(x)\n"), "aten::nope.*line 2.*return torch.nope\\(x\\)\n +~+ <--- HERE")
})

test_that("what is no source and no unit is refused", {
  skip_if_no_torch()
  withr::local_dir(withr::local_tempdir())
  writeLines("def f(x):\n  return x", "model.py")
  traced <- jit_trace(function(x) x, torch_zeros(1))
  expect_snapshot({
    show_error(jit_compile())
    show_error(jit_compile(1))
    show_error(jit_compile(c("a", "b")))
    show_error(jit_compile("model.py"))
    show_error(jit_compile("def f(x):\n  return x", file = "model.py"))
    show_error(jit_compile(file = "nowhere.py"))
    show_error(jit_compile(file = 1))
    show_error(jit_compile("def f(x):\n  return x", units = 1))
    show_error(jit_compile("def f(x):\n  return x", units = list(a = "b")))
    show_error(jit_compile("def f(x):\n  return x", units = list(traced)))
  })
})

test_that("compile errors are those that PyTorch gives for the same source", {
  skip_if_no_torch()
  sources <- c(
    "def f(x):\n  return y\n", "def f(x:\n  return x\n", "def f(x):\n  return x + 'a'\n", "def f(x: Lust[int]):\n  return x\n",
    "def f(x):\n  if x:\n    y = 1\n  return y\n", "def f(x: int) -> str:\n  return x\n"
  )
  python <- python_eval("
def message(source):
  try:
    torch.jit.CompilationUnit(source)
  except Exception as e:
    return str(e)
result = [message(s).strip() for s in sources]
", sources = sources)
  ours <- vapply(sources, function(source) {
    trimws(conditionMessage(tryCatch(jit_compile(source), error = identity)))
  }, "", USE.NAMES = FALSE)
  expect_equal(gsub("<source>", "<string>", ours, fixed = TRUE), python)
})

test_that("a source in an R file is known by the file's name and line", {
  skip_if_no_torch()
  script <- withr::local_tempfile(fileext = ".R")
  writeLines(c(
    "make <- function() {",
    "  before <- 1",
    "  torch::jit_compile('",
    "    def f(x):",
    "      return x.view(7)",
    "    def g(x):",
    "      return WRONG(x)",
    "  ')",
    "}",
    "unit <- make()"
  ), script)
  where <- function(line) paste0("File \"", script, "\", line ", line)
  expect_error(source(script, local = TRUE, keep.source = TRUE), where(7), fixed = TRUE)
  writeLines(sub("WRONG", "f", readLines(script)), script)
  source(script, local = TRUE, keep.source = TRUE)
  expect_error(unit$g(torch_ones(2)), where(5), fixed = TRUE)
  source(script, local = TRUE, keep.source = FALSE)
  expect_error(unit$g(torch_ones(2)), "File \"<source>\", line 3", fixed = TRUE)
})

test_that("errors while the program runs show its line and its own message", {
  skip_if_no_torch()
  f <- jit_compile("def f(x):\n  assert bool(x.sum() > 0), 'must be positive'\n  return x.view(3)\n")$f
  expect_error(f(torch_zeros(1)), "^must be positive\nIn the TorchScript program:.*line 2, in f", class = "torch_error")
  expect_error(f(torch_ones(2)), "^shape '\\[3\\]' is invalid for input of size 2\n.*line 3, in f", class = "torch_error")
  expect_equal(as.numeric(f(torch_ones(3))), c(1, 1, 1))
})

test_that("print arrives in R's output, as Python prints it", {
  skip_if_no_torch()
  source <- "def f(n: int):\n  for i in range(n):\n    print('line', i, 2.5, [1, 2], {'a': True}, torch.ones(2), '\u00e9')\n"
  f <- jit_compile(source)$f
  out <- capture.output(f(2))
  file <- withr::local_tempfile()
  python_eval("
import contextlib, os, sys
f = torch.jit.CompilationUnit(source).f
old, new = os.dup(1), os.open(file, os.O_CREAT | os.O_WRONLY)
os.dup2(new, 1)
f(2)
sys.stdout.flush()
os.dup2(old, 1)
result = 0
", source = source, file = file)
  expect_equal(setdiff(out, "NULL"), unique(readLines(file, encoding = "UTF-8")))
})

test_that("print from other threads arrives too", {
  skip_if_no_torch()
  f <- jit_compile("
    def work(x, i: int):
      print('work', i)
      return x + i
    def f(x):
      all = [torch.jit.fork(work, x, i) for i in range(20)]
      for one in all:
        x = x + torch.jit.wait(one)
      return x
  ")$f
  out <- capture.output(result <- f(torch_zeros(1)))
  expect_equal(as.numeric(result), sum(0:19))
  expect_setequal(out, paste("work", 0:19))
})

test_that("an R error while TorchScript prints ends the program", {
  skip_if_no_torch()
  f <- jit_compile("def f(x):\n  print('a')\n  print('b')\n  return x\n")$f
  attempt <- function() {
    calls <- 0
    # The connection's first assignment is its opening, the second the first line.
    makeActiveBinding("lines", function(value) {
      if (!missing(value)) calls <<- calls + 1
      if (calls > 1) stop("no place for text")
      character()
    }, environment())
    con <- textConnection("lines", "w", local = TRUE)
    sink(con)
    on.exit({
      sink()
      calls <- -Inf
      close(con)
    })
    f(torch_ones(1))
  }
  expect_error(attempt(), "no place for text")
  # LibTorch was left in order.
  expect_equal(capture.output(result <- f(torch_ones(1))), c("a", "b"))
  expect_equal(as.numeric(result), 1)
})

test_that("methods of modules are written as text", {
  skip_if_no_torch()
  module <- jit_module("Affine")
  expect_error(module(torch_tensor(1)), "has no `forward`", class = "runtime_error")
  module$scale <- nn_parameter(torch_tensor(2))
  module$register_buffer("steps", torch_tensor(0))
  module$shift <- jit_scalar(1)
  expect_identical(module$define("
    def forward(self, x, times: int = 1):
      for i in range(times):
        x = self.once(x)
      return x
    def once(self, x):
      if self.training:
        self.steps += 1
      return x * self.scale + self.shift
  "), module)
  expect_equal(as.numeric(module(torch_tensor(3), times = 2)), (3 * 2 + 1) * 2 + 1)
  expect_equal(as.numeric(module$once(torch_tensor(3))), 7)
  expect_equal(as.numeric(module$steps), 3)
  module$eval()
  module(torch_tensor(3))
  expect_equal(as.numeric(module$steps), 3)
  # It is trained as any module.
  loss <- module(torch_tensor(3))
  loss$backward()
  expect_equal(as.numeric(module$scale$grad), 3)
  file <- withr::local_tempfile(fileext = ".pt")
  jit_save(module, file)
  expect_equal(python_eval("
m = torch.jit.load(file)
result = [m(torch.tensor([3.0]), 2).item(), m.once(torch.tensor([3.0])).item(), m.training]
", file = file), c(15, 7, 0))
})

test_that("methods as text call children, traced or written", {
  skip_if_no_torch()
  net <- jit_trace(nn_linear(3, 2), torch_randn(1, 3))
  layers <- jit_module("Layers")
  for (i in 1:3) layers$register_module(paste0("layer", i), jit_trace(nn_linear(2, 2), torch_randn(1, 2)))
  module <- jit_module("Net")
  module$first <- net
  module$layers <- layers
  module$define("
    def forward(self, x):
      x = self.first(x)
      for layer in self.layers:
        x = torch.relu(layer(x))
      n = 0
      for i, layer in enumerate(self.layers):
        n += i
      return self.layers[-1](x), n
  ")
  x <- torch_randn(4, 3)
  expected <- net(x)
  for (layer in layers$children) expected <- torch_relu(layer(expected))
  result <- module(x)
  expect_equal(as_array(result[[1]]), as_array(layers$children$layer3(expected)))
  expect_equal(result[[2]], 3)
  rm(net, layers)
  gc()
  expect_equal(dim(module(x)[[1]]), c(4, 2))
  # A traced module gets methods too.
  traced <- jit_trace(small_net(), torch_randn(5, 3))
  traced$eval()
  traced$define("def classify(self, x):\n  return self(x) > 0")
  x <- torch_randn(5, 3)
  expect_equal(as_array(traced$classify(x)), as_array(traced(x)) > 0)
})

test_that("methods that do not compile leave nothing behind", {
  skip_if_no_torch()
  module <- jit_module("Broken")
  expect_snapshot({
    show_error(module$define("def one(self, x):\n  return x\ndef forward(self, x):\n  return self.two(x)"))
    show_error(module$define("class A:\n  pass"))
    show_error(module$define(1))
    show_error(jit_module("a b"))
    show_error(jit_module(1))
  })
  expect_null(module$one)
  module$define("def one(self, x):\n  return x\ndef forward(self, x):\n  return self.one(x)")
  expect_equal(as.numeric(module(torch_tensor(1))), 1)
  expect_error(module$define("def one(self, x):\n  return x + 1"), "has a `one` already.*line 1", class = "torch_error")
  expect_equal(as.numeric(module$one(torch_tensor(1))), 1)
})
