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
  expect_identical(result("Dict[int, str]", "{3: 'a', 1: 'b'}"), torch:::new_torch_dict(list(3, 1), list("a", "b")))
})

test_that("integers beyond 2^53 are integer64, both ways", {
  skip_if_no_torch()
  skip_if_not_installed("bit64")
  same <- jit_compile("def f(x: int) -> int:\n  return x\n")$f
  big <- bit64::as.integer64(c("9007199254740994", "-9007199254740995", "9223372036854775807"))
  for (i in 1:3) expect_identical(same(big[i]), big[i])
  plus <- jit_compile("def f() -> List[int]:\n  return [1, 9007199254740995]\n")$f
  expect_identical(as.character(plus()), c("1", "9007199254740995"))
})

test_that("the first integer beyond 2^53 is not rounded", {
  skip_if_no_torch()
  skip_if_not_installed("bit64")
  first <- jit_compile("def f() -> int:\n  return 9007199254740993\n")$f
  expect_identical(as.character(first()), "9007199254740993")
})

test_that("named tuples keep their names", {
  skip_if_no_torch()
  file <- withr::local_tempfile()
  python_eval("
from typing import NamedTuple
class Pair(NamedTuple):
    first: torch.Tensor
    second: int
class M(torch.nn.Module):
    def forward(self, x: Pair) -> Pair:
        return Pair(x.first + x.second, x.second + 1)
torch.jit.script(M()).save(file)
result = 0", file = file)
  f <- jit_load(file)
  pair <- f(jit_tuple(list(first = torch_tensor(1), second = 2L)))
  expect_named(pair, c("first", "second"))
  expect_equal(as.numeric(pair$first), 3)
  expect_equal(pair$second, 3)
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
