unit_of_many <- function() {
  jit_compile("
    def scale(x, k: int = 2, name: str = 'p'):
      return x * k
    def or_minus_one(x: Optional[int] = None) -> int:
      if x is None:
        return -1
      return x
    def parts(x: List[int], d: Dict[str, float], t: Tuple[int, str]) -> Tuple[int, float, str]:
      return (x[0] + len(x), d['k'], t[1])
    def thrice(x):
      return scale(x, 3)
  ")
}

test_that("a unit holds all functions of its source", {
  skip_if_no_torch()
  unit <- unit_of_many()
  expect_s3_class(unit, "torch_compilation_unit")
  expect_output(print(unit), "^<torch_compilation_unit>$")
  expect_equal(names(unit), c("scale", "or_minus_one", "parts", "thrice"))
  expect_equal(utils::.DollarNames(unit, "^th"), "thrice")
  expect_null(unit$missing)
  expect_s3_class(unit$scale, "script_function", exact = TRUE)
  expect_equal(as.numeric(unit[["thrice"]](torch_tensor(2))), 6)
  # A function outlives its unit.
  f <- unit$thrice
  rm(unit)
  gc()
  expect_equal(as.numeric(f(torch_tensor(1))), 3)
})

test_that("arguments go by position or name, others have their defaults", {
  skip_if_no_torch()
  f <- unit_of_many()$scale
  x <- torch_tensor(5)
  expect_equal(as.numeric(f(x)), 10)
  expect_equal(as.numeric(f(x, 3L)), 15)
  expect_equal(as.numeric(f(k = 4L, x = x)), 20)
  expect_equal(as.numeric(f(k = 4L, x)), 20)
  keyword_only <- jit_compile("def f(x, *, k: int):\n  return x * k\n")$f
  expect_equal(as.numeric(keyword_only(x, k = 2L)), 10)
})

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

test_that("errors in the source show the place", {
  skip_if_no_torch()
  expect_snapshot({
    show_error(jit_compile("def f(x):\n  return y\n"))
    show_error(jit_compile("def f(x:\n  return x"))
    show_error(jit_compile(1))
    show_error(jit_compile(c("a", "b")))
  })
  expect_error(jit_compile("def f(x):\n  return torch.nope(x)\n"), "aten::nope.*line 2.*return torch.nope\\(x\\)\n +~+ <--- HERE")
  expect_error(jit_compile("class A:\n  pass\n"), class = "torch_error")
})

test_that("errors while the program runs show its line and its own message", {
  skip_if_no_torch()
  f <- jit_compile("def f(x):\n  assert bool(x.sum() > 0), 'must be positive'\n  return x.view(3)\n")$f
  expect_error(f(torch_zeros(1)), "line 2, in f.*must be positive", class = "torch_error")
  expect_error(f(torch_ones(2)), "line 3, in f.*shape '\\[3\\]' is invalid for input of size 2", class = "torch_error")
  expect_equal(as.numeric(f(torch_ones(3))), c(1, 1, 1))
})

test_that("wrong arguments are refused by name", {
  skip_if_no_torch()
  unit <- unit_of_many()
  scale <- unit$scale
  parts <- unit$parts
  x <- torch_tensor(1)
  expect_snapshot({
    show_error(scale())
    show_error(scale(1))
    show_error(scale(x, 2.5))
    show_error(scale(x, NA))
    show_error(scale(x, q = 2))
    show_error(scale(x, 1, "a", 3))
    show_error(scale(mtcars))
    show_error(unit$or_minus_one("a"))
    show_error(parts(1:3, list(k = "a"), list(1L, "z")))
    show_error(parts(1:3, list(1), list(1L, "z")))
    show_error(parts(NA_integer_, list(k = 1), list(1L, "z")))
    show_error(parts(1:3, list(k = 1), list(1L)))
  })
})

test_that("functions show their graph, plan, code and schema", {
  skip_if_no_torch()
  f <- unit_of_many()$thrice
  expect_s3_class(f$graph, "graph_function")
  expect_output(print(f$graph), "^graph\\(%x")
  expect_match(as.character(f$graph), "prim::CallFunction")
  expect_no_match(as.character(f$inlined_graph), "prim::CallFunction")
  expect_match(as.character(f$graph_for(torch_tensor(1))), "^graph\\(.*aten::mul")
  expect_equal(f$schema, "thrice(Tensor x) -> Tensor")
  expect_null(f$nothing)
  # The code compiles to the same function.
  code <- unit_of_many()$scale$code
  expect_equal(as.numeric(jit_compile(code)$scale(torch_tensor(1), 5L)), 5)
  expect_output(print(f), "^<script_function>$")
})

test_that("a function is saved as a module with forward", {
  skip_if_no_torch()
  folder <- withr::local_tempdir()
  # It calls another function of its unit, which must get into the file.
  f <- unit_of_many()$thrice
  f$save(file.path(folder, "f.pt"))
  f$save_for_mobile(file.path(folder, "mobile.pt"))
  x <- torch_tensor(c(1, 2))
  expect_equal(as.numeric(jit_load(file.path(folder, "f.pt"))(x)), c(3, 6))
  expect_equal(as.numeric(jit_load(file.path(folder, "mobile.pt"))(x)), c(3, 6))
  expect_equal(
    python_eval("result = torch.jit.load(folder + '/f.pt')(torch.tensor([1., 2.])).tolist()", folder = folder),
    c(3, 6)
  )
})

test_that("a function that came out of saveRDS() is dead, not dangerous", {
  skip_if_no_torch()
  dead <- unserialize(serialize(unit_of_many()$thrice, NULL))
  expect_error(dead(torch_tensor(1)), "dead", class = "value_error")
  expect_error(dead$graph, "dead", class = "value_error")
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

test_that("jit_ops calls any registered operator", {
  skip_if_no_torch()
  x <- torch_tensor(matrix(c(1, 2, 3, -4, 5, 6), 2))
  expect_equal(as_array(jit_ops$aten$relu(x)), pmax(as_array(x), 0))
  expect_equal(as.numeric(jit_ops$aten$add(torch_tensor(1), torch_tensor(2), alpha = 3)), 7)
  expect_equal(as.numeric(jit_ops$aten$sub(other = torch_tensor(1), self = torch_tensor(5))), 4)
  # Positions count from 0.
  expect_equal(jit_ops$aten$size(x, 1L), 3)
  expect_equal(as.numeric(jit_ops$aten$sum(x, 1L)), rowSums(as_array(x)))
  top <- jit_ops$aten$max(x, 1L)
  expect_equal(as.numeric(top[[2]]), max.col(as_array(x)) - 1)
  # Registered with the JIT alone.
  expect_equal(jit_ops$aten$len(list(torch_tensor(1), torch_tensor(2))), 2)
})

test_that("jit_ops prints and completes", {
  skip_if_no_torch()
  expect_output(print(jit_ops), "^Object of class <torch_ops>$")
  expect_output(print(jit_ops$aten), "^<torch_ops>: Handle to namespace  aten $")
  expect_output(print(jit_ops$aten$relu), "^function_schema \\(name = aten::relu\\)")
  expect_output(print(jit_ops$aten$relu), "aten::relu(Tensor self) -> Tensor", fixed = TRUE)
  expect_equal(attr(jit_ops$aten$relu, "opname"), "aten::relu")
  expect_true(all(c("aten", "prim") %in% utils::.DollarNames(jit_ops, "")))
  expect_equal(utils::.DollarNames(jit_ops$aten, "^relu_?$"), c("relu", "relu_"))
  expect_snapshot({
    show_error(jit_ops$aten$nope)
    show_error(jit_ops$aten$relu())
    show_error(jit_ops$aten$relu("a"))
  })
})
