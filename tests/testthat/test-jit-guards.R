# Operators of programs that trust their arguments: what would end the process, or never end, is an error or a value. All
# that could do so runs in a child.

guarded_child <- function(code, ..., timeout = 120) {
  skip_if_no_torch()
  skip_if_not_installed("callr")
  callr::r(code, list(...), libpath = .libPaths(), timeout = timeout)
}
# What each expression of R gives: its value, or the first line of its error.
outcomes <- function(texts, before = "") {
  guarded_child(function(texts, before) {
    library(torch)
    eval(parse(text = before), globalenv())
    vapply(texts, function(text) {
      tryCatch(paste(format(eval(parse(text = text), globalenv())), collapse = " "),
               torch_error = function(e) paste("error:", strsplit(conditionMessage(e), "\n")[[1]][1]))
    }, "", USE.NAMES = FALSE)
  }, texts, before)
}

test_that("a dtype, layout or memory format that is none is an error, at the call", {
  programs <- 'unit <- jit_compile("
def promote(d: int) -> int:
  return torch.promote_types(d, 6)
def make(d: int):
  return torch.zeros([2], dtype=d)
def layout(d: int):
  return torch.zeros([2], layout=d)
def copied(x, d: int):
  return x.to(torch.float64, False, False, d)
def converted(x, d: int):
  return x.to(d)
def list(d: int):
  return torch.tensor([1, 2], dtype=d)
def filled(d: int):
  return torch.full([2], 1.5, dtype=d)
def task(d: int):
  return torch.jit.wait(torch.jit.fork(make, d))
")
  file <- jit_unserialize(jit_serialize(unit$make))
  '
  bad <- "`%s` is %d, which is no %s"
  expect_equal(
    outcomes(c(
      "unit$promote(99L)", "unit$promote(-1L)", "unit$promote(7L)", "unit$make(-1L)", "unit$make(1000L)", "sum(unit$make(6L))$item()",
      "unit$layout(99L)", "unit$copied(torch_ones(2), 77L)", "unit$converted(torch_ones(2), 99L)", "unit$list(-5L)",
      "unit$filled(99L)", "file(-1L)", "jit_ops$aten$zeros(2L, dtype = -1L)"
    ), programs),
    c(
      sprintf("error: %s", sprintf(bad, "type1", c(99L, -1L), "dtype")), "7",
      sprintf("error: %s", sprintf(bad, "dtype", c(-1L, 1000L), "dtype")), "0",
      sprintf("error: %s", sprintf(bad, "layout", 99L, "layout")), sprintf("error: %s", sprintf(bad, "memory_format", 77L, "memory format")),
      sprintf("error: %s", sprintf(bad, "dtype", c(99L, -5L, 99L, -1L), "dtype")), "error: Tried all schemas; none matched."
    )
  )
  expect_match(outcomes("unit$task(-1L)", programs), "`dtype` is -1, which is no dtype")
})

test_that("a constant that stands for no dtype is refused where text is compiled, and in files", {
  skip_if_no_torch()
  expect_snapshot(error = TRUE, {
    jit_compile("def f():\n  return torch.zeros([2], dtype=99)\n")
    jit_compile("def f():\n  return torch.promote_types(99, 3)\n")
  })
  expect_error(jit_module("M")$define("def f(self, x):\n  return x.to(-1)\n"), "`dtype` is -1, which is no dtype", class = "torch_error")
  file <- withr::local_tempfile(fileext = ".pt")
  jit_save(jit_trace(function(x) torch_zeros(2, dtype = "int") + x, torch_ones(2)), file)
  files <- archive_files(file)
  at <- grep("code/__torch__.*[.]py$", names(files))[1]
  code <- rawToChar(files[[at]])
  files[[at]] <- charToRaw(sub("dtype=3", "dtype=99", code, fixed = TRUE))
  expect_false(identical(code, rawToChar(files[[at]])))
  expect_error(jit_load(write_archive(files, withr::local_tempfile(fileext = ".pt"))), "`dtype` is 99, which is no dtype", class = "torch_error")
})

test_that("TorchScript's strings count and replace nothing as Python does", {
  skip_if_no_torch()
  texts <- c("", "abc", "a b\u00e9\u00e9")
  program <- "
def count(s: str, start: int, end: int) -> int:
  return s.count('', start, end)
def replace(s: str, by: str, most: int) -> str:
  return s.replace('', by, most)
"
  ours <- guarded_child(function(program, texts) {
    library(torch)
    unit <- jit_compile(program)
    lapply(texts, function(s) {
      list(
        whole = unit$count(s, 0L, -1L), part = unit$count(s, 1L, 2L), none = unit$count(s, 9L, 3L),
        all = unit$replace(s, "x", -1L), two = unit$replace(s, "\u00e9-", 2L), zero = unit$replace(s, "x", 0L)
      )
    })
  }, program, texts)
  theirs <- python_eval(
    "result = [dict(whole=s.count(''), part=s.count('', 1, 2), none=s.count('', 9, 3), all=s.replace('', 'x'), two=s.replace('', '\u00e9-', 2), zero=s.replace('', 'x', 0)) for s in texts]",
    texts = texts
  )
  expect_equal(do.call(rbind, lapply(ours, as.data.frame)), theirs)
})

test_that("strings are filled up as PyTorch does it", {
  skip_if_no_torch()
  program <- "
def f(s: str, n: int) -> List[str]:
  return [s.center(n), s.center(n, '*'), s.ljust(n), s.ljust(n, '*'), s.rjust(n), s.rjust(n, '*'), s.zfill(n), s.expandtabs(n), s.expandtabs()]
"
  texts <- c("", "a", "ab", "-12", "+", "a\tbc\t\td")
  widths <- 0:9
  unit <- jit_compile(program)
  ours <- lapply(texts, function(s) lapply(widths, function(n) unlist(unit$f(s, n))))
  # Python's zfill and tabs differ from TorchScript's, whose own operators PyTorch runs here.
  theirs <- python_eval("f = torch.jit.CompilationUnit(program).f\nresult = [[f(s, n) for n in widths] for s in texts]", program = program, texts = texts, widths = widths)
  for (i in seq_along(texts)) for (j in seq_along(widths)) expect_equal(ours[[i]][[j]], theirs[i, j, ])
  expect_equal(unlist(unit$f("ab", -5L))[-8], rep("ab", 8))
})

test_that("what strings hold is told in words where it is wrong, and else as in Python", {
  skip_if_no_torch()
  unit <- jit_compile("
def int_of(s: str) -> int:
  return int(s)
def float_of(s: str) -> float:
  return float(s)
def at(s: str, i: int) -> str:
  return s[i]
def places(s: str, t: str, i: int):
  return s.find(t, i, 9), s.rfind(t, i, 9), s.startswith(t, i, 9), s.endswith(t, i, 9)
def first(s: str, i: int) -> int:
  return s.index('a', i, 9)
def last(s: str, i: int) -> int:
  return s.rindex('a', i, 9)
def key(x: Dict[str, int], key: str) -> int:
  return x[key]
def popped(x: Dict[str, int], key: str) -> int:
  return x.pop(key)
def deleted(x: Dict[int, int], key: int):
  del x[key]
def folded() -> int:
  return int('x')
")
  floats <- c("1e999", "-1e999", "1e-320", "5e-1", "Infinity", "007")
  expect_identical(vapply(floats, unit$float_of, 0), c(Inf, -Inf, 1e-320, 0.5, Inf, 7), ignore_attr = TRUE)
  texts <- c("abc", "", "bcab")
  starts <- c(0L, 2L, 4L, 10L, -1L, -10L)
  theirs <- python_eval(
    "result = [[[s.find('a', i, 9), s.rfind('a', i, 9), int(s.startswith('a', i, 9)), int(s.endswith('a', i, 9))] for i in starts] for s in texts]",
    texts = texts, starts = starts
  )
  for (i in seq_along(texts)) for (j in seq_along(starts)) {
    expect_equal(as.integer(unlist(unit$places(texts[i], "a", starts[j]))), theirs[i, j, ], info = paste(texts[i], starts[j]))
  }
  wrong <- function(call) sub("\n.*", "", conditionMessage(expect_error(call, class = "torch_runtime_error")))
  expect_snapshot({
    wrong(unit$int_of("x"))
    wrong(unit$int_of(""))
    wrong(unit$int_of("99999999999999999999"))
    wrong(unit$float_of("x"))
    wrong(unit$float_of("1e999x"))
    wrong(unit$at("abc", 3L))
    wrong(unit$at("abc", -4L))
    wrong(unit$first("abc", 10L))
    wrong(unit$last("abc", 10L))
    wrong(unit$key(list(a = 1L), "b"))
    wrong(unit$popped(list(a = 1L), "b"))
    wrong(unit$deleted(jit_dict(1L, 2L), 3L))
    wrong(unit$folded())
  })
})

test_that("TorchScript's builtins end, whatever the numbers", {
  programs <- 'unit <- jit_compile("
def left(s: str, n: int) -> int:
  return len(s.ljust(n))
def right(s: str, n: int) -> int:
  return len(s.rjust(n))
def center(s: str, n: int) -> int:
  return len(s.center(n))
def zfill(s: str, n: int) -> int:
  return len(s.zfill(n))
def tabs(s: str, n: int) -> int:
  return len(s.expandtabs(n))
def factorial(n: int) -> int:
  return math.factorial(n)
def split(s: str) -> List[str]:
  return s.rsplit(s[0:0])
def gcd(a: int, b: int) -> int:
  return math.gcd(a, b)
def gcd_of_smallest(b: int) -> int:
  return math.gcd(-9223372036854775807 - 1, b) + math.gcd(b, -9223372036854775807 - 1)
def many(n: int) -> int:
  return len([0, 1] * n)
def none(n: int) -> int:
  x: List[int] = []
  return len(x * n)
def grown(n: int) -> int:
  x = [1, 2]
  x *= n
  return len(x)
def ranged(n: int) -> int:
  return len([i for i in range(3)]) + len(list(range(n)))
")
  big <- bit64::as.integer64("10000000000000")'
  no_memory <- "error: There is not enough memory"
  got <- outcomes(c(
    "unit$left(\"a\", big)", "unit$right(\"a\", big)", "unit$center(\"a\", big)", "unit$zfill(\"a\", big)", "unit$tabs(\"a\\tb\", big)",
    "unit$many(big)", "unit$grown(big)", "unit$left(\"a\", 3L)", "unit$center(\"a\", -3L)", "unit$tabs(\"a\\tb\", 4L)", "unit$many(3L)", "unit$grown(3L)",
    "unit$many(-1L)", "unit$none(big)", "unit$factorial(5L)", "unit$factorial(big)", "unit$gcd(12L, 18L)", "unit$gcd(7L, 0L)",
    "unit$gcd_of_smallest(-1L)", "unit$split(\"ab\")"
  ), programs)
  expect_match(got[1:7], no_memory, fixed = TRUE)
  expect_equal(got[-(1:7)], c("3", "1", "5", "6", "6", "0", "0", "120", "error: the factorial of 10000000000000 is greater than any int", "6", "7", "2", "error: empty separator"))
})

test_that("instances are sorted whatever their comparison says, and stay in order where it calls them equal", {
  programs <- 'unit <- jit_compile("
class Item:
  def __init__(self, key: int, place: int):
    self.key = key
    self.place = place
  def __lt__(self, other: Item) -> bool:
    return self.key < other.key
class Liar:
  def __init__(self, x: int):
    self.x = x
  def __lt__(self, other: Liar) -> bool:
    return True
def places(keys: List[int], reverse: bool) -> List[int]:
  items = [Item(keys[i], i) for i in range(len(keys))]
  copied = sorted(items)
  items.sort(reverse=reverse)
  if not reverse:
    for i in range(len(keys)):
      assert copied[i].place == items[i].place
  return [item.place for item in items]
def lies(n: int) -> int:
  items = [Liar(i) for i in range(n)]
  items.sort()
  return len(sorted(items))
def none() -> int:
  items = [Liar(1)]
  items.pop()
  items.sort()
  return len(items)
def pairs() -> List[Tuple[int, str]]:
  x = [(2, chr(98)), (1, chr(122)), (2, chr(97))]
  x.sort()
  return x
")
  set.seed(1)
  keys <- sample(0:20, 300, TRUE)'
  expect_equal(
    outcomes(c(
      "identical(as.numeric(unlist(unit$places(keys, FALSE))), order(keys) - 1)",
      "identical(keys[unlist(unit$places(keys, TRUE)) + 1], sort(keys, decreasing = TRUE))",
      "unit$lies(3000L)", "unit$none()", "toString(unlist(unit$pairs()))"
    ), programs),
    c("TRUE", "TRUE", "3000", "0", "1, z, 2, a, 2, b")
  )
})

test_that("a program without memory for what it makes gives the error that an operator gives", {
  skip_if_no_torch()
  make <- jit_compile("def f(n: int):\n  return torch.zeros([n])\n")$f
  error <- tryCatch(make(1e14), error = identity)
  expect_s3_class(error, c("torch_memory_error", "torch_error"))
  expect_match(conditionMessage(error), "^There is not enough memory: 363.8 TiB were asked for, and tensors hold [0-9.]+ [KMGT]?i?B\\. ")
  expect_lt(nchar(conditionMessage(error)), 500)
})

test_that("a copy in a program has the dtype of what is copied", {
  skip_if_no_torch()
  unit <- jit_compile("
def f(x):
  return x.to(False, True)
def g(x):
  return x.to(None, False, True)
def h(x, d: Optional[Device]):
  return x.to(d, None, False, True)
")
  for (dtype in c("float", "double", "int64", "bool")) {
    x <- torch_tensor(c(1, 0), dtype = dtype)
    for (y in list(unit$f(x), unit$g(x), unit$h(x, NULL), unit$h(x, "cpu"))) {
      expect_true(torch_equal(x, y))
      expect_equal(y$dtype, x$dtype)
      y$zero_()
      expect_equal(as.numeric(x), c(1, 0))
    }
  }
})

test_that("normed weights and quantised cells look at their arguments, called from R and in programs", {
  skip_if_no_torch()
  expected <- c(
    "error: `v` holds no values", "error: `g` must hold a number for each of the 3 slices of `v`, not 1",
    "error: `dim` is 7, but `v` has 2 dimensions", "error: `hx` must hold two tensors, not 0"
  )
  programs <- 'unit <- jit_compile("
def f(v, g, dim: int):
  return torch._weight_norm(v, g, dim)
def cell(x, hx: List[Tensor]):
  return torch.quantized_lstm_cell(x, hx, x, x, x, x, x, x, x, x, 1, 1, 0, 0)
")
  x <- torch_ones(3, 2)'
  calls <- c("%s(torch_ones(0, 2), x, 0L)", "%s(x, torch_ones(1, 1), 0L)", "%s(x, x, 7L)")
  expect_equal(outcomes(c(sprintf(calls, "unit$f"), "unit$cell(x, list())"), programs), expected)
  expect_equal(
    outcomes(c(sprintf(calls, "jit_ops$aten$`_weight_norm`"), "jit_ops$aten$quantized_lstm_cell(x, list(), x, x, x, x, x, x, x, x, 1, 1, 0, 0)"), programs),
    expected
  )
  v <- torch_randn(3, 2)
  g <- torch_ones(3, 1)
  expect_equal(as.array(jit_ops$aten$`_weight_norm`(v, g, 0L)), as.array(v / v$norm(dim = 2, keepdim = TRUE, p = 2)), tolerance = 1e-6)
})

test_that("the number of a device is looked at", {
  skip_if_no_torch()
  skip_if_older("2.0")
  expect_error(jit_ops$aten$device("cuda", 1000L), "there is no device with the number 1000", class = "torch_runtime_error")
})

test_that("text may reach files, but not name operators that read memory which their arguments point to", {
  skip_if_no_torch()
  skip_if_older("2.6")
  expect_snapshot(error = TRUE, {
    jit_compile("def f(x, i: List[Optional[Tensor]]):\n  return torch._unsafe_masked_index(x, x, i, 0)\n")
    jit_ops$static_runtime$permute_copy(torch_ones(1), 5L)
  })
  expect_error(jit_compile("def f(x):\n  return torch.ops.static_runtime.permute_copy(x, [5])\n"), "trusts its arguments", class = "torch_error")
  expect_type(jit_compile("def f(x: str):\n  return torch.from_file(x, True, 1)\n")$f, "closure")
})
