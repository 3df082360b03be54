identity_of <- function(type) {
  jit_compile(sprintf("def f(x: %s) -> %s:\n  return x\n", type, type))$f
}

test_that("the schema tells what a value is read as", {
  skip_if_no_torch()
  unit <- unit_of_many()
  expect_equal(unit$or_minus_one(), -1)
  expect_equal(unit$or_minus_one(NULL), -1)
  for (four in list(4, 4L, jit_scalar(4L), jit_scalar(4), bit64::as.integer64(4))) {
    expect_equal(as.numeric(unit$or_minus_one(four)), 4)
  }
  expected <- list(4, 0.5, "z")
  expect_equal(unit$parts(1:3, list(k = 0.5), jit_tuple(list(1L, "z"))), expected)
  expect_equal(unit$parts(c(1, 2, 3), list(k = 0.5), list(jit_scalar(1L), "z")), expected)
  one <- jit_compile("def f(x: List[int]) -> int:\n  return len(x)\n")$f
  expect_equal(c(one(7L), one(integer()), one(list(1L, 2L))), c(1, 0, 2))
})

test_that("results are R values, exact as far as R has them", {
  skip_if_no_torch()
  result <- function(type, value, before = "") {
    jit_compile(sprintf("%sdef f() -> %s:\n  return %s\n", before, type, value))$f()
  }
  expect_identical(result("bool", "True"), TRUE)
  expect_identical(result("str", "'a\u00e9'"), "a\u00e9")
  expect_identical(result("float", "0.1"), 0.1)
  expect_identical(result("int", "2147483649"), 2^31 + 1)
  expect_identical(result("int", "9007199254740992"), 2^53)
  expect_identical(result("complex", "1 + 2j"), 1 + 2i)
  expect_identical(result("None", "None"), NULL)
  expect_identical(result("List[int]", "[1, 2]"), c(1, 2))
  expect_identical(result("List[bool]", "[True, False]"), c(TRUE, FALSE))
  expect_identical(result("Tuple[int, Tuple[str, float]]", "(1, ('a', 2.5))"), list(1, list("a", 2.5)))
  expect_identical(result("Dict[str, List[int]]", "{'b': [1], 'a': [2, 3]}"), list(b = 1, a = c(2, 3)))
  expect_identical(result("Dict[int, str]", "{3: 'a', 1: 'b'}"), jit_dict(c(3, 1), list("a", "b")))
  expect_identical(result("Device", "torch.device('cpu')"), torch_device("cpu"))
})

test_that("random nested values make the round trip, and TorchScript sees what PyTorch gives it", {
  skip_if_no_torch()
  withr::local_seed(20)
  cases <- lapply(1:100, function(i) {
    of <- random_type(sample(0:3, 1))
    c(of["type"], of$draw())
  })
  for (case in cases) expect_identical(identity_of(case$type)(case$r), case$back, info = case$type)

  program <- function(type) sprintf("def f(x: %s) -> str:\n  return str(x)\n", type)
  seen <- vapply(cases, function(case) jit_compile(program(case$type))$f(case$r), "")
  oracle <- python_eval(
    "result = [torch.jit.CompilationUnit(p).f(eval(v)) for p, v in zip(programs, values)]",
    programs = vapply(cases, function(case) program(case$type), ""), values = vapply(cases, `[[`, "", "python")
  )
  expect_identical(seen, oracle)
})

test_that("tensors keep their identity in lists, dicts and tuples", {
  skip_if_no_torch()
  x <- torch_tensor(1)
  y <- torch_tensor(2)
  f <- identity_of("Tuple[List[Tensor], Dict[str, Tensor], Tuple[Tensor, Optional[Tensor]]]")
  out <- f(list(list(x, y), list(a = x), list(y, NULL)))
  out[[2]]$a$add_(10)
  expect_equal(as.numeric(x), 11)
  expect_equal(as.numeric(out[[1]][[1]]), 11)
  expect_equal(out[[3]], list(y, NULL))
  expect_identical(identity_of("List[Tensor]")(list()), list())
  expect_length(identity_of("List[List[Tensor]]")(list(list(x), list())), 2)
})

test_that("lists of tensors and of lists fit a list of anything", {
  skip_if_no_torch()
  n <- jit_compile("def f(x: List[Any]) -> int:\n  return len(x)\n")$f
  expect_equal(c(n(1:3), n(letters), n(list(1, "a", NULL)), n(list())), c(3, 26, 3, 0))
})

test_that("of a union the alternative is taken that needs least", {
  skip_if_no_torch()
  f <- jit_compile("
    def f(x: Union[int, float, str, List[str], Dict[str, int]]) -> str:
      if isinstance(x, int):
        return 'int'
      if isinstance(x, float):
        return 'float'
      if isinstance(x, str):
        return 'str'
      if isinstance(x, List[str]):
        return 'List[str]'
      return 'Dict[str, int]'
  ")$f
  expect_equal(f(1L), "int")
  expect_equal(f(1.5), "float")
  expect_equal(f("a"), "str")
  expect_equal(f(c("a", "b")), "List[str]")
  expect_equal(f(list(a = 1)), "Dict[str, int]")
  same <- identity_of("Union[int, List[str]]")
  expect_equal(same(3), 3)
  expect_equal(same(c("a", "b")), list("a", "b"))
  expect_null(identity_of("Optional[Union[int, str]]")(NULL))
  expect_equal(identity_of("List[Union[int, str]]")(c("a", "b")), list("a", "b"))
  expect_equal(identity_of("List[Union[int, str]]")(list("a", 2)), list("a", 2))
  expect_equal(identity_of("List[Device]")(c("cpu", "cuda:1")), list(torch_device("cpu"), torch_device("cuda:1")))
})

test_that("what only has the class of a value does not kill R", {
  skip_if_no_torch()
  types <- c("Dict[int, int]", "List[int]", "Device", "Any", "Tuple[int]", "int", "str", "Dict[str, int]", "Union[int, str]")
  functions <- lapply(types, identity_of)
  tried <- 0
  for (class in c("torch_dict", "torch_enum", "torch_device", "torch_dtype", "script_module", "torch_script_object")) {
    for (x in list(list(), list(1), list(1, 2), 1, 1L, "a", character(), integer(), function() NULL)) {
      for (f in functions) {
        try(f(structure(x, class = class)), silent = TRUE)
        tried <- tried + 1
      }
    }
  }
  expect_equal(tried, 6 * 9 * 9)
})

test_that("a value that does not fit is found before LibTorch sees it", {
  skip_if_no_torch()
  withr::local_seed(21)
  types <- lapply(1:60, function(i) random_type(sample(0:3, 1)))
  values <- lapply(types, function(of) of$draw()$r)
  outcomes <- character()
  for (i in seq_along(types)) {
    f <- identity_of(types[[i]]$type)
    for (x in values[sample(length(values), 25)]) {
      outcome <- tryCatch({
        f(x)
        "fits"
      }, error = function(e) class(e)[1])
      outcomes <- c(outcomes, outcome)
    }
  }
  expect_setequal(outcomes, c("fits", "type_error"))
})

test_that("special values have a defined result", {
  skip_if_no_torch()
  int <- identity_of("int")
  float <- identity_of("float")
  floats <- identity_of("List[float]")
  expect_identical(floats(c(NA, NaN, Inf, -Inf, -0)), c(NA, NaN, Inf, -Inf, -0))
  expect_identical(float(NA), NA_real_)
  expect_identical(float(NA_integer_), NA_real_)
  expect_identical(Mod(identity_of("complex")(NA_real_)), NA_real_)
  expect_identical(identity_of("complex")(2L), 2 + 0i)
  expect_identical(int(TRUE), 1)
  expect_identical(identity_of("List[int]")(integer()), numeric())
  expect_identical(identity_of("List[int]")(list()), numeric())
  expect_identical(identity_of("List[float]")(character()[0] == ""), numeric())
  expect_identical(identity_of("List[bool]")(logical()), logical())
  expect_identical(identity_of("List[complex]")(complex()), complex())
  expect_identical(identity_of("List[complex]")(c(1i, NA)), c(1i, NA))
  expect_identical(identity_of("List[str]")(character()), list())
  expect_identical(identity_of("Dict[str, int]")(list()), structure(list(), names = character()))
  expect_identical(identity_of("Dict[int, int]")(list()), jit_dict(numeric(), list()))
  expect_identical(identity_of("Optional[List[int]]")(integer()), numeric())
  expect_identical(identity_of("Optional[List[int]]")(NULL), NULL)
  expect_identical(identity_of("Optional[Dict[str, int]]")(list()), structure(list(), names = character()))
  expect_identical(identity_of("Tuple[Optional[int], int]")(list(NULL, 1)), list(NULL, 1))
  expect_identical(identity_of("Any")(NULL), NULL)
  expect_identical(identity_of("Dict[str, float]")(c(a = 1, b = 2)), list(a = 1, b = 2))
  expect_identical(identity_of("Tuple[int, int]")(1:2), list(1, 2))
  expect_snapshot({
    show_error(int(NA))
    show_error(int(NaN))
    show_error(int(Inf))
    show_error(int(NULL))
    show_error(int(numeric()))
    show_error(int(2^63))
    show_error(int(bit64::NA_integer64_))
    show_error(float(bit64::as.integer64("9007199254740993")))
    show_error(float(Sys.Date()))
    show_error(float(as.difftime(1, units = "mins")))
    show_error(int(factor("a")))
    show_error(identity_of("bool")(NA))
    show_error(identity_of("bool")(1))
    show_error(identity_of("str")(NA_character_))
    show_error(identity_of("str")(factor("a")))
    show_error(identity_of("List[str]")(c("a", NA)))
    show_error(identity_of("List[bool]")(c(TRUE, NA)))
    show_error(identity_of("List[int]")(NULL))
    show_error(identity_of("List[int]")(c(1, 2.5)))
    show_error(identity_of("List[int]")(list(1, "a")))
    show_error(identity_of("Any")(environment()))
    show_error(identity_of("Any")(list(1, a = sum)))
    show_error(identity_of("Any")(c(1L, NA)))
  })
})

test_that("long vectors of every kind are read, deep and endless values refused", {
  skip_if_no_torch()
  n <- 1e5
  expect_identical(identity_of("List[float]")(rep(1L, n)), rep(1, n))
  expect_identical(identity_of("List[float]")(bit64::as.integer64(rep(2, n))), rep(2, n))
  expect_identical(identity_of("List[complex]")(rep(1, n)), rep(1 + 0i, n))
  expect_length(identity_of("List[str]")(rep("a", n)), n)
  expect_length(identity_of("List[Optional[int]]")(seq_len(n)), n)
  expect_length(identity_of("Dict[int, float]")(jit_dict(seq_len(n), rep(1, n))), n)
  expect_length(identity_of("Dict[str, float]")(structure(rep(1, n), names = paste0("k", seq_len(n)))), n)

  deep <- list()
  for (i in 1:1e5) deep <- list(deep)
  expect_error(identity_of("Any")(deep), "nested", class = "value_error")
  endless <- jit_compile("
    def f() -> List[Any]:
      x: List[Any] = []
      x.append(x)
      return x
  ")$f
  expect_error(endless(), "holds itself", class = "torch_runtime_error")
})

test_that("a data frame is a dict of its columns", {
  skip_if_no_torch()
  f <- jit_compile("
    def f(x: Dict[str, List[float]]) -> Dict[str, float]:
      sums: Dict[str, float] = {}
      for k in x.keys():
        sums[k] = sum(x[k])
      return sums
  ")$f
  expect_equal(f(mtcars), as.list(colSums(mtcars)))
})

test_that("strings that R can't hold are an error", {
  skip_if_no_torch()
  nul <- jit_compile("def f() -> str:\n  return chr(97) + chr(0)\n")$f
  expect_error(nul(), "NUL byte", class = "value_error")
  # Its arena is given back: the next call works.
  expect_error(nul(), "NUL byte", class = "value_error")
})

test_that("what does not fit is told with its place", {
  skip_if_no_torch()
  x <- torch_tensor(1)
  expect_snapshot({
    show_error(identity_of("Tensor")(1))
    show_error(identity_of("List[Tensor]")(c(1, 2)))
    show_error(identity_of("List[Tensor]")(list(x, 2)))
    show_error(identity_of("List[Tensor]")(x))
    show_error(identity_of("Dict[str, List[int]]")(list(a = 1:2, b = c(1, NA))))
    show_error(identity_of("Dict[str, int]")(list(1)))
    show_error(identity_of("Dict[int, str]")(list(a = "b")))
    show_error(identity_of("Dict[int, str]")(jit_dict(c(1, 1.5), c("a", "b"))))
    show_error(identity_of("List[Tuple[int, str]]")(list(list(1, "a"), list(2, 3))))
    show_error(identity_of("Tuple[int, str]")(list(1)))
    show_error(identity_of("Optional[Tuple[int, str]]")(3))
    show_error(identity_of("Union[int, str]")(1.5))
    show_error(identity_of("Device")(1))
    show_error(identity_of("Dict[str, int]")(list(a = 1, a = 2)))
  })
})

test_that("integers beyond 2^53 are integer64, both ways", {
  skip_if_no_torch()
  skip_if_not_installed("bit64")
  same <- identity_of("int")
  big <- bit64::as.integer64(c("9007199254740994", "-9007199254740995", "9223372036854775807"))
  for (i in 1:3) expect_identical(same(big[i]), big[i])
  plus <- jit_compile("def f() -> List[int]:\n  return [1, 9007199254740995]\n")$f
  expect_identical(as.character(plus()), c("1", "9007199254740995"))
  expect_identical(identity_of("List[int]")(big), big)
  dict <- identity_of("Dict[int, int]")(jit_dict(big, 1:3))
  expect_identical(dict$keys, big)
  expect_identical(dict[[big[2]]], 2)
  expect_identical(names(dict), as.character(big))
})

test_that("the first integer beyond 2^53 is not rounded", {
  skip_if_no_torch()
  skip_if_not_installed("bit64")
  first <- jit_compile("def f() -> int:\n  return 9007199254740993\n")$f
  expect_identical(as.character(first()), "9007199254740993")
})

test_that("an option fixes the type of integers", {
  skip_if_no_torch()
  skip_if_not_installed("bit64")
  f <- identity_of("List[int]")
  big <- bit64::as.integer64(c("1", "9007199254740993"))
  withr::with_options(list(torch.int64 = "integer64"), {
    expect_identical(f(1:2), bit64::as.integer64(1:2))
    expect_identical(jit_ops$aten$size(torch_ones(2, 3), 1), bit64::as.integer64(3))
    # Only TorchScript's values: what R users call keeps its type.
    expect_identical(torch_ones(2, 3)$shape, 2:3)
  })
  withr::with_options(list(torch.int64 = "double"), {
    expect_identical(f(1:2), c(1, 2))
    expect_silent(f(bit64::as.integer64("9007199254740994")))
    expect_warning(rounded <- f(big), "rounded", class = "torch_int64_warning")
    expect_identical(rounded, c(1, 2^53))
  })
  withr::with_options(list(torch.int64 = "float"), expect_snapshot(show_error(f(1))))
})

test_that("named tuples go by the names of their fields", {
  skip_if_no_torch()
  file <- withr::local_tempfile()
  python_eval("
from typing import NamedTuple, Dict
class Pair(NamedTuple):
    first: torch.Tensor
    second: int
class M(torch.nn.Module):
    def forward(self, x: Pair) -> Pair:
        return Pair(x.first + x.second, x.second + 1)
    @torch.jit.export
    def many(self, x: Dict[str, Pair]) -> Dict[str, Pair]:
        return x
torch.jit.script(M()).save(file)
result = 0", file = file)
  f <- jit_load(file)
  x <- torch_tensor(1)
  for (pair in list(jit_tuple(list(first = x, second = 2L)), list(second = 2, first = x), list(x, 2))) {
    out <- f(pair)
    expect_named(out, c("first", "second"))
    expect_equal(as.numeric(out$first), 3)
    expect_equal(out$second, 3)
  }
  expect_named(f$many(list(a = list(second = 1, first = x)))$a, c("first", "second"))
  expect_snapshot({
    show_error(f(list(first = x)))
    show_error(f(list(first = x, third = 2)))
    show_error(f(list(first = x, second = 2, third = 3)))
    show_error(f(list(x, "a")))
    show_error(f(list(x)))
    show_error(f$many(list(a = list(first = 1, second = 2))))
  })
})

test_that("fields of a named tuple that have a default may be missing", {
  skip_if_no_torch()
  source <- "
class P(NamedTuple):
  a: int
  b: float = 2.5
  c: str = 'd'
def f(p: P) -> Tuple[int, float, str]:
  return (p.a, p.b, p.c)
def g(ps: List[P]) -> float:
  return ps[0].b + ps[1].b
"
  unit <- jit_compile(source)
  # Python's own NamedTuple fills in the same.
  truth <- python_eval("
from typing import NamedTuple
class P(NamedTuple):
    a: int
    b: float = 2.5
    c: str = 'd'
result = dict(x=P(1)._asdict(), y=P(1, c='e')._asdict(), z=P(1, 3.0)._asdict())")
  expect_equal(unit$f(list(a = 1)), unname(truth$x))
  expect_equal(unit$f(list(c = "e", a = 1)), unname(truth$y))
  expect_equal(unit$f(list(1, 3)), unname(truth$z))
  expect_equal(unit$g(list(list(1), list(a = 1, b = 1))), 3.5)
  for (bad in list(list(), list(b = 1), list(a = 1, d = 2), list(a = 1, a = 2), list(1, 2, "a", 4))) {
    expect_error(unit$f(bad), "`p` must be a list with the fields `a`, `b`, `c`", class = "type_error")
  }
})

test_that("dicts of any key print, are looked up and go back", {
  skip_if_no_torch()
  ints <- jit_dict(c(3L, 1L), c("three", "one"))
  expect_length(ints, 2)
  expect_equal(names(ints), c("3", "1"))
  expect_equal(ints[[1]], "one")
  expect_equal(ints[[3L]], "three")
  expect_null(ints[[2]])
  expect_null(ints[["3"]])
  expect_equal(as.list(ints), list(`3` = "three", `1` = "one"))
  expect_equal(ints$values, list("three", "one"))
  expect_equal(lapply(ints, toupper), list(`3` = "THREE", `1` = "ONE"))
  ints[[2]] <- "two"
  ints[[1]] <- "ONE"
  expect_equal(ints$keys, c(3, 1, 2))
  expect_equal(ints$values, list("three", "ONE", "two"))
  back <- identity_of("Dict[int, str]")(ints)
  expect_equal(back, ints)
  expect_equal(identity_of("Dict[int, str]")(as.list(ints)), ints)
  expect_equal(identity_of("Dict[bool, int]")(list(`TRUE` = 1, `FALSE` = 0)), jit_dict(c(TRUE, FALSE), c(1, 0)))
  expect_equal(identity_of("Dict[float, int]")(list(`0.5` = 1, `1e3` = 2)), jit_dict(c(0.5, 1000), c(1, 2)))
  expect_equal(jit_dict(c(0.5, 1), list(1, NULL))[[1]], NULL)

  x <- torch_tensor(1)
  y <- torch_tensor(1)
  tensors <- identity_of("Dict[Tensor, int]")(jit_dict(list(x, y), c(1, 2)))
  expect_equal(c(tensors[[x]], tensors[[y]]), c(1, 2))
  expect_null(tensors[[torch_tensor(1)]])
  tensors[[y]] <- 5
  expect_length(tensors, 2)
  expect_equal(tensors[[y]], 5)

  empty <- identity_of("Dict[str, int]")(jit_dict(c("", "a"), 1:2))
  expect_equal(empty[[""]], 1)
  expect_snapshot({
    print(ints)
    print(empty)
    print(tensors)
    print(jit_dict(TRUE, list(c(1, 2))))
    show_error(jit_dict(c(1, 1), 1:2))
    show_error(jit_dict(c(1, NA), 1:2))
    show_error(jit_dict(1:3, 1:2))
    show_error(jit_dict(mtcars, 1))
    show_error(jit_dict(1, sum))
    show_error(ints[[c(1, 2)]])
    show_error(ints[[x]] <- 1)
    show_error(ints[1])
    show_error(ints$keys <- 1)
  })
})

test_that("enums are values with name and class", {
  skip_if_no_torch()
  file <- withr::local_tempfile()
  python_eval("
from enum import Enum
from typing import Any, List
class Color(Enum):
    RED = 1
    GREEN = 2
class Size(Enum):
    RED = 'small'
class M(torch.nn.Module):
    def forward(self, c: Color) -> Color:
        return Color.GREEN if c == Color.RED else Color.RED
    @torch.jit.export
    def size(self) -> Size:
        return Size.RED
    @torch.jit.export
    def any(self, x: Any) -> bool:
        return isinstance(x, Color)
    @torch.jit.export
    def value(self, x: List[Color]) -> int:
        return x[0].value
torch.jit.script(M()).save(file)
result = 0", file = file)
  f <- jit_load(file)
  green <- f("RED")
  expect_s3_class(green, "torch_enum")
  expect_equal(as.character(green), "GREEN")
  expect_equal(list(green$name, green$value, green$class), list("GREEN", 2, "Color"))
  expect_true(green == "GREEN")
  expect_true("GREEN" == green)
  expect_true(f(green) != green)
  expect_true(f(f(green)) == green)
  expect_false(f(green) == f$size())
  expect_true(f$any(green))
  expect_false(f$any("GREEN"))
  expect_equal(f$value(list(green)), 2)
  expect_equal(f$value(c("RED", "GREEN")), 1)
  expect_equal(f$value("GREEN"), 2)
  expect_snapshot({
    print(green)
    print(f$size())
    show_error(f("BLUE"))
    show_error(f(1))
    show_error(f(f$size()))
    show_error(identity_of("str")(green))
  })
})

test_that("modules are arguments, R's own only after tracing", {
  skip_if_no_torch()
  file <- withr::local_tempfile()
  python_eval("
from typing import Any
class M(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(2, 1)
    def forward(self, x: Any) -> bool:
        return isinstance(x, torch.Tensor)
torch.jit.script(M()).save(file)
result = 0", file = file)
  f <- jit_load(file)
  expect_false(f(f$linear))
  expect_true(f(torch_tensor(1)))
  expect_snapshot(show_error(f(nn_linear(1, 1))))
})

test_that("jit_scalar() and jit_tuple() add a class and refuse what they can't mark", {
  expect_equal(class(jit_scalar(1L)), c("integer", "jit_scalar"))
  expect_equal(class(jit_tuple(list(a = 1))), c("list", "jit_tuple"))
  expect_named(jit_tuple(list(a = 1)), "a")
  expect_snapshot({
    show_error(jit_scalar(1:2))
    show_error(jit_scalar(list(1)))
    show_error(jit_scalar(NULL))
    show_error(jit_tuple(1:2))
  })
})

test_that("where nothing tells, vectors are lists and lists are tuples", {
  skip_if_no_torch()
  # PyTorch says which type the value has.
  kind <- jit_compile("
    def f(x: Any) -> str:
      if isinstance(x, int):
        return 'int'
      if isinstance(x, float):
        return 'float'
      if isinstance(x, str):
        return 'str'
      if isinstance(x, List[int]):
        return 'List[int]'
      if isinstance(x, List[float]):
        return 'List[float]'
      if isinstance(x, List[bool]):
        return 'List[bool]'
      if isinstance(x, List[str]):
        return 'List[str]'
      if isinstance(x, Dict[str, Tensor]):
        return 'Dict[str, Tensor]'
      if isinstance(x, Dict[int, Tensor]):
        return 'Dict[int, Tensor]'
      if isinstance(x, List[Tensor]):
        return 'List[Tensor]'
      if isinstance(x, Tuple[List[int], str]):
        return 'tuple'
      if isinstance(x, Tuple[Tensor, Tensor]):
        return 'tensors'
      return 'other'
  ")$f
  x <- torch_tensor(1)
  expect_equal(kind(1L), "List[int]")
  expect_equal(kind(c(1, 2)), "List[float]")
  expect_equal(kind(TRUE), "List[bool]")
  expect_equal(kind("a"), "str")
  expect_equal(kind(c("a", "b")), "List[str]")
  expect_equal(kind(character()), "List[str]")
  expect_equal(kind(jit_scalar(1L)), "int")
  expect_equal(kind(jit_scalar(1)), "float")
  expect_equal(kind(bit64::as.integer64(1)), "List[int]")
  expect_equal(kind(torch_float()), "int")
  expect_equal(kind(list(a = x)), "Dict[str, Tensor]")
  expect_equal(kind(jit_dict(1:2, list(x, x))), "Dict[int, Tensor]")
  expect_equal(kind(list(x, x)), "List[Tensor]")
  expect_equal(kind(list()), "List[Tensor]")
  expect_equal(kind(jit_tuple(list(x, x))), "tensors")
  expect_equal(kind(list(1L, "a")), "tuple")
})
