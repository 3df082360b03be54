# Code in files that lies about types, and values that are not what the code says.

# The files of an archive: a module Net with these attributes, whose code is `code`.
net_files <- function(code, ...) {
  handle <- cpp_module_new("Net", NULL)
  cpp_module_set_attribute(handle, "training", jit_scalar(FALSE))
  fields <- list(...)
  for (name in names(fields)) cpp_module_set_attribute(handle, name, fields[[name]])
  file <- withr::local_tempfile()
  cpp_module_save(handle, file, FALSE, list())
  files <- archive_files(file)
  files[[grep("/code/.*[.]py$", names(files))]] <- charToRaw(code)
  files[!grepl("debug_pkl$", names(files))]
}

net_code <- function(body, x = "Any", result = "Any", fields = character(), before = "") {
  paste0(
    before, "class Net(Module):\n  __parameters__ = []\n  __buffers__ = []\n  training : bool\n",
    paste0("  ", fields, "\n", recycle0 = TRUE, collapse = ""),
    "  def forward(self: __torch__.Net, x: ", x, ") -> ", result, ":\n", paste0("    ", body, "\n", collapse = "")
  )
}

net_file <- function(files, env = parent.frame()) write_archive(files, withr::local_tempfile(.local_envir = env))

load_code <- function(..., values = list()) jit_load(net_file(do.call(net_files, c(list(net_code(...)), values))))

why_not <- function(expr) {
  message <- tryCatch({
    expr
    "it was read"
  }, torch_error = conditionMessage)
  sub("^.* can't be read as a TorchScript program: ", "", message)
}

test_that("a cast that refines a type holds for what fits and is an error for what does not", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, 2))
  f <- load_code(c("y = unchecked_cast(Tensor, x)", "return torch.add(y, 1)"), x = "Optional[Tensor]")
  g <- load_code(c("y = unchecked_cast(List[int], x)", "return torch.add(y[0], 1)"))
  h <- load_code(c("y = unchecked_cast(Tuple[int, str], x)", "a, b, = y", "return b"))
  k <- load_code(c("y = unchecked_cast(int, x)", "return torch.mul(y, 2)"), x = "Union[int, str]")
  nested <- load_code(c("l = unchecked_cast(List[Any], x)", "return torch.add(unchecked_cast(Tensor, unchecked_cast(Optional[Tensor], l[0])), 1)"))
  # The plan of the first run is not that of the later ones.
  for (i in 1:3) {
    expect_equal(as.numeric(f(x)), c(2, 3))
    expect_error(f(NULL), "None|Optional|null", class = "torch_error")
    expect_equal(g(jit_tuple(list(c(3L, 4L)))[[1]]), 4)
    expect_error(g(c(3.5, 4)), "Expected a value of type List\\[int\\]", class = "torch_error")
    expect_error(g("a"), "Expected a value of type List\\[int\\]", class = "torch_error")
    expect_equal(h(jit_tuple(list(jit_scalar(1L), jit_scalar("b")))), "b")
    expect_error(h(jit_tuple(list(jit_scalar(1L), jit_scalar(2L)))), "Expected a value of type Tuple\\[int, str\\]", class = "torch_error")
    expect_error(h(jit_tuple(list(jit_scalar(1L)))), "Expected a value of type Tuple\\[int, str\\]", class = "torch_error")
    expect_equal(k(3L), 6)
    expect_error(k("a"), "Expected a value of type int", class = "torch_error")
  }
  expect_match(f$code, "unwrap_optional")
})

test_that("a cast to what a value can't be is refused", {
  skip_if_no_torch()
  pairs <- list(
    c("List[float]", "3"), c("Tensor", "None"), c("Tensor", "3"), c("int", "1.5"), c("Tuple[int, int]", "(1,)"), c("List[int]", "[1.5]"),
    c("__torch__.Net", "(1, 2)"), c("str", "[\"a\"]"), c("Dict[str, int]", "{1: 2}"), c("Future[int]", "3"), c("Optional[int]", "1.5")
  )
  for (pair in pairs) {
    expect_match(why_not(load_code(sprintf("return unchecked_cast(%s, %s)", pair[1], pair[2]))), "which it can't be$", info = pair)
  }
  expect_snapshot(cat(why_not(load_code(c("y = unchecked_cast(List[float], x)", "return y"), x = "int"))))
  # What widens a type needs no check.
  f <- load_code(c("y = unchecked_cast(Optional[int], x)", "return torch.__is__(y, None)"), x = "int")
  expect_identical(f(3L), FALSE)
})

test_that("the names by which files could lie are used as LibTorch writes them or not at all", {
  skip_if_no_torch()
  lines <- list(
    c("u = unchecked_cast", "return u(List[float], 3)"), c("o = ops", "return o.prim.TupleUnpack((1, 2))"),
    c("o = ops.prim", "return o.TupleUnpack((1, 2))"), "return getattr(ops.prim, \"TupleUnpack\")((1, 2))",
    c("ops.prim.TupleUnpack((1, 2))", "return x"), "return ops.prim.unchecked_unwrap_optional(x)", "return ops.torchshim.cast(1, x)",
    "return (ops).prim.TupleIndex((1, 2), 5)", c("u = uninitialized", "return u(Tensor)"), "return unchecked_cast(List[int])",
    "return torch._fft_c2c(unchecked_cast(Tensor, x), [9], 0, True)"
  )
  expect_snapshot(for (code in lines) cat(why_not(load_code(code)), "\n"))
  if (numeric_version(libtorch_find()$version) >= "2.1") {
    code <- "return ops.inductor._reinterpret_tensor(unchecked_cast(Tensor, x), [1000], [1], 0)"
    expect_match(why_not(load_code(code)), "holds the operator `inductor::_reinterpret_tensor`, which trusts its arguments", fixed = TRUE)
  }
  # A member may have such a name, as modules of PyTorch have.
  file <- withr::local_tempfile()
  there <- python_eval("
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.ops = torch.nn.Linear(1, 1)
        self.unchecked_cast = 2.5
    def forward(self, x):
        return self.ops(x) * self.unchecked_cast
m = torch.jit.script(Net())
m.save(file)
result = m(torch.ones(1)).item()", file = file)
  expect_equal(as.numeric(jit_load(file)(torch_ones(1))), there)
  # Text of one's own goes by the same table.
  expect_error(jit_compile("def f(x: Tuple[int, int]):\n  return torch.ops.prim.TupleUnpack(x)"), "trusts its arguments", class = "torch_error")
  expect_identical(jit_compile("def f(x):\n  return torch.ops.prim.is_cuda(x)")$f(torch_ones(1)), FALSE)
})

test_that("places in messages are those of the file", {
  skip_if_no_torch()
  f <- load_code(c("y = unchecked_cast(Tensor, unchecked_cast(Optional[Tensor], x))", "return torch.matmul(y, torch.ones([7, 7]))"))
  expect_snapshot(error = TRUE, f(torch_ones(2, 3)))
  expect_no_match(why_not(load_code("return unchecked_cast(int, unchecked_cast(str, y))")), "torchshim")
})

test_that("values of another type than the code says are refused", {
  skip_if_no_torch()
  values <- list(
    int = jit_scalar(1L), float = jit_scalar(1.5), bool = jit_scalar(TRUE), str = jit_scalar("abc"), "List[int]" = c(1L, 2L),
    "List[float]" = c(1.5, 2), "List[str]" = c("a", "b"), "Tuple[int, str]" = jit_tuple(list(jit_scalar(1L), jit_scalar("a"))),
    "List[Tensor]" = list(torch_ones(2), torch_ones(1)), Tensor = torch_ones(2)
  )
  for (type in names(values)) {
    code <- net_code("return self.v", fields = paste("v :", type))
    for (value in names(values)) {
      why <- why_not(jit_load(net_file(net_files(code, v = values[[value]]))))
      expect_match(why, if (type == value) "^it was read$" else "is not of the type|has no field", info = paste(type, value))
    }
  }
  for (value in names(values)) {
    read <- function(type) why_not(jit_load(net_file(net_files(net_code("return x", fields = paste("v :", type)), v = values[[value]]))))
    expect_match(read("Any"), "it was read")
    expect_match(read(sprintf("Union[%s, Dict[int, int]]", value)), "it was read")
    expect_match(read("Dict[str, int]"), "is not of the type")
  }
})

test_that("what makes an instance from its state is looked at before it runs", {
  skip_if_no_torch()
  folder <- withr::local_tempdir()
  there <- python_eval("
from typing import Tuple, List, Any, Optional
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.n = 1
        self.w = torch.ones(2)
        self.training = False
    @torch.jit.export
    def __getstate__(self):
        return (self.n, self.w, self.training)
    @torch.jit.export
    def __setstate__(self, state: Tuple[int, torch.Tensor, bool]):
        self.n = state[0] + 1
        self.w = state[1]
        self.training = state[2]
    def forward(self, x):
        return x * self.n + self.w
m = torch.jit.script(Net())
m.save(folder + '/net.pt')
result = torch.jit.load(folder + '/net.pt')(torch.tensor([1., 2.])).tolist()", folder = folder)
  file <- file.path(folder, "net.pt")
  expect_equal(as.numeric(jit_load(file)(torch_tensor(c(1, 2)))), there)
  files <- archive_files(file)
  files <- files[!grepl("debug_pkl$", names(files))]
  at <- grep("/code/.*[.]py$", names(files))
  change <- function(from, to) {
    text <- rawToChar(files[[at]])
    stopifnot(grepl(from, text, fixed = TRUE))
    files[[at]] <- charToRaw(sub(from, to, text, fixed = TRUE))
    why_not(jit_load(net_file(files)))
  }
  expect_match(change("state: Tuple[int, Tensor, bool]", "state: Tuple[int, Tensor, bool]"), "it was read")
  expect_match(change("state: Tuple[int, Tensor, bool]", "state: Tuple[Tensor, int, bool]"), "is not of the type|Expected|expected|match")
  expect_match(change("state: Tuple[int, Tensor, bool]", "state: Tuple[int, Tensor]"), "is not of the type|Expected|range|unpack")
  expect_match(change("  def __setstate__", "  def other(self) -> Tuple[int, int]:\n    return unchecked_cast(Tuple[int, int], self.n)\n  def __setstate__"), "which it can't be")
})

test_that("a program that reaches files is refused unless it may", {
  skip_if_no_torch()
  secret <- withr::local_tempfile()
  writeBin(c(1, 2, 3), secret)
  written <- withr::local_tempfile()
  reader <- jit_compile(sprintf("def f(n: int):\n  return torch.from_file('%s', False, n, dtype=torch.float64)", secret))$f
  writer <- jit_compile(sprintf("def f(x):\n  if x.sum() > 0:\n    torch.save(x, '%s')\n  return x", written))$f
  # Text of one's own may do so.
  expect_equal(as.numeric(reader(3L)), 1:3)
  file <- withr::local_tempfile()
  connection <- rawConnection(jit_serialize(writer))
  withr::defer(close(connection))
  expect_snapshot(error = TRUE, transform = function(lines) gsub("`/[^`]*`", "`FILE`", lines), {
    jit_save(reader, file)
    jit_load(file)
    jit_load(jit_serialize(writer))
    jit_unserialize(jit_serialize(writer))
    jit_load(connection)
    jit_load(file, allow_files = NA)
  })
  expect_equal(as.numeric(jit_load(file, allow_files = TRUE)(3L)), 1:3)
  jit_unserialize(jit_serialize(writer), allow_files = TRUE)(torch_ones(1))
  expect_true(file.exists(written))
})

test_that("messages are text whatever a file holds", {
  skip_if_no_torch()
  bytes <- as.raw(c(0x22, 0xe9, 0xff, 0x80, 0x22))
  code <- charToRaw(net_code("raise AssertionError(TEXT)\n    return x"))
  at <- grepRaw("TEXT", code, fixed = TRUE)
  files <- net_files("")
  files[[grep("/code/.*[.]py$", names(files))]] <- c(code[seq_len(at - 1)], bytes, code[-seq_len(at + 3)])
  message <- tryCatch(jit_load(net_file(files))(1), error = conditionMessage)
  expect_true(validUTF8(message))
  expect_match(message, "\\xe9\\xff\\x80", fixed = TRUE)
})

test_that("no program of some hundred that lie ends the process", {
  skip_if_no_torch()
  skip_on_cran()
  archives <- lie_archives()
  outcomes <- vapply(1:300, function(k) run_lie(lie_file(k, 3, archives)), "")
  expect_gt(sum(outcomes == "refused"), 60)
  expect_gt(sum(outcomes == "a value, a value, a value"), 30)
})
