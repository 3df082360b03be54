# Programs whose calls go so deep that LibTorch's recursion would end the process. What may end it runs in another one.

# Of each call, the error's message or the value as a number.
in_child <- function(calls, ...) {
  skip_if_not_installed("callr")
  callr::r(function(calls, arguments) {
    library(torch)
    lapply(calls, function(f) tryCatch(as.numeric(do.call(f, arguments)), torch_error = conditionMessage))
  }, list(calls, list(...)))
}

test_that("files whose functions call each other 5,000 deep are refused, from wherever they come", {
  skip_if_no_torch()
  withr::local_dir(withr::local_tempdir())
  for (kind in c("methods", "submodules", "functions")) {
    path <- normalizePath(chain_archive(paste0(kind, ".pt"), 5000, kind))
    outcome <- in_child(list(
      function(path) jit_load(path)(torch_tensor(1)),
      function(path) jit_load(readBin(path, "raw", file.size(path)))(torch_tensor(1)),
      function(path) jit_unserialize(readBin(path, "raw", file.size(path)))(torch_tensor(1)),
      function(path) jit_load(file(path))(torch_tensor(1))
    ), path)
    problem <- sprintf(
      "can't be read as a TorchScript program: its %s too deeply: more than 1000 levels",
      if (kind == "submodules") "classes hold each other" else "functions call each other"
    )
    expect_length(outcome, 4)
    expect_match(as.character(outcome), problem)
  }
})

test_that("text of that shape is refused, in whatever order", {
  skip_if_no_torch()
  reversed <- function(text) {
    paste0(rev(paste0("def ", strsplit(text, "(^|\n)def ")[[1]][-1], "\n")), collapse = "")
  }
  for (shape in c(identity, reversed)) {
    outcome <- in_child(list(
      function(functions, methods) jit_compile(functions)$f1(torch_tensor(1)),
      function(functions, methods) jit_module("M")$define(methods)(torch_tensor(1))
    ), shape(chain_of_functions(10000)), shape(chain_of_methods(5000)))
    expect_match(as.character(outcome), "^The source's functions call each other too deeply: more than 1000 levels")
  }
  expect_equal(in_child(list(
    function(functions, methods) jit_compile(functions)$f1(torch_tensor(1)),
    function(functions, methods) jit_module("M")$define(methods)(torch_tensor(1))
  ), chain_of_functions(900), chain_of_methods(900)), list(2, 2))
})

test_that("calls that grow deep step by step are refused when they are too deep, and what was there stays", {
  skip_if_no_torch()
  # k1 calls k2 calls ... calls `last`.
  methods <- function(n, name, last) {
    sub("x + 1", last, gsub("m(\\d+)", paste0(name, "\\1"), sub("forward", "m1", chain_of_methods(n))), fixed = TRUE)
  }
  module <- jit_module("M")$define(chain_of_methods(900))
  module$define(methods(450, "n", "self.m500(x)"))
  expect_equal(as.numeric(module$n1(torch_tensor(1))), 2)
  expect_error(module$define(methods(300, "k", "self.n2(x)")), "call each other too deeply", class = "torch_error")
  expect_null(module$k1)
  expect_equal(as.numeric(module(torch_tensor(1))), 2)
  # Blocks count as calls do.
  blocks <- function(name) paste0("def ", name, "(self, x):\n  for i in range(2):\n    if i > 0:\n      x = self.forward(x)\n  return x\n")
  module$define(paste0(methods(95, "a", "self.b(x)"), blocks("b")))
  expect_error(module$define(paste0(methods(98, "c", "self.d(x)"), blocks("d"))), "call each other too deeply", class = "torch_error")
  unit <- jit_compile(chain_of_functions(700))
  more <- sub("x + 1", "base.f1(x)", chain_of_functions(700), fixed = TRUE)
  expect_error(jit_compile(more, units = list(base = unit)), "call each other too deeply", class = "torch_error")
})

test_that("each expression goes as deep as it is let, in each function of a chain", {
  skip_if_no_torch()
  wraps <- list(
    function(x) paste0(strrep("-", 90), x), function(x) paste0(strrep("torch.neg(", 90), x, strrep(")", 90)),
    function(x) paste0(strrep("[", 40), x, strrep("][0]", 40)), function(x) paste0(x, strrep(" + x", 100), strrep(" - x", 100)),
    function(x) paste0(strrep("x if False else ", 45), x)
  )
  deep <- function(n) {
    calls <- c(sprintf("f%d(x)", seq_len(n - 1) + 1), "(x + 1)")
    lapply(wraps, function(wrap) paste0("def f", seq_len(n), "(x):\n  return ", wrap(calls), "\n", collapse = ""))
  }
  run <- list(function(...) sapply(list(...), function(text) as.numeric(jit_compile(text)$f1(torch_tensor(1)))))
  expect_equal(do.call(in_child, c(list(run), deep(10))), list(rep(2, 5)))
  messages <- list(function(...) sapply(list(...), function(text) grepl("call each other", tryCatch(jit_compile(text), error = conditionMessage))))
  expect_equal(do.call(in_child, c(list(messages), deep(1010))), list(rep(1, 5)))
  expect_snapshot({
    show_error(jit_compile(paste0("def f(x):\n  return ", strrep("(", 1e5), "x", strrep(")", 1e5))))
    show_error(jit_module("M")$define(paste0("def f(self, x):\n  return ", strrep("-", 1e5), "x")))
    show_error(jit_compile(chain_of_functions(1001)))
    show_error(jit_compile(paste0("class C", 1:1001, ":\n  c : ", c(paste0("C", 2:1001), "int"), "\n  def __init__(self):\n    pass\n", collapse = "")))
  })
})

test_that("functions that call themselves are refused", {
  skip_if_no_torch()
  expect_snapshot({
    show_error(jit_compile("def f(x):\n  return f(x)"))
    show_error(jit_compile("def f(x):\n  return g(x)\ndef g(x):\n  return f(x)"))
    show_error(jit_module("M")$define("def forward(self, x):\n  return self.other(x)\ndef other(self, x):\n  return self.forward(x)"))
  })
  file <- chain_archive(withr::local_tempfile(), 3, "functions")
  files <- archive_files(file)
  at <- grep("code/__torch__.py$", names(files))
  files[[at]] <- charToRaw(sub("  return torch.add(x, 1)", "  return __torch__.f1(x, )", rawToChar(files[[at]]), fixed = TRUE))
  expect_error(jit_load(write_archive(files, file)), "called recursively", class = "torch_error")
})

test_that("programs that are 500 deep load, run, and give PyTorch's answer", {
  skip_if_no_torch()
  file <- withr::local_tempfile()
  for (kind in c("methods", "functions")) {
    chain_archive(file, 500, kind)
    x <- c(1, 2.5)
    expect_equal(as.numeric(jit_load(file)(torch_tensor(x))), python_eval("result = torch.jit.load(file)(torch.tensor(x)).tolist()", file = file, x = x))
  }
  # Modules: those with methods take LibTorch time that grows with the cube of the depth.
  python <- "
import sys, threading
sys.setrecursionlimit(10**6)
threading.stack_size(512 * 1024 * 1024)
class Holder(torch.nn.Module):
    def __init__(self, child):
        super().__init__()
        self.child = child
result = []
def work():
    torch.manual_seed(1)
    m = torch.nn.Linear(3, 1)
    for i in range(n):
        m = torch.nn.Sequential(m) if calls else Holder(m)
    s = torch.jit.script(m)
    s.save(file)
    result.extend(s(torch.tensor([[1., 2., 3.]])).flatten().tolist() if calls else [sum(1 for _ in s.modules())])
thread = threading.Thread(target=work)
thread.start()
thread.join()"
  answer <- python_eval(python, file = file, n = 60, calls = TRUE)
  expect_equal(as.numeric(jit_load(file)(torch_tensor(matrix(c(1, 2, 3), 1)))), answer, tolerance = 1e-6)
  answer <- python_eval(python, file = file, n = 500, calls = FALSE)
  expect_length(jit_unserialize(jit_serialize(jit_load(file)))$modules, answer)
})

test_that("a line of 15,000 operators, each on the result of the one before, runs and has gradients", {
  skip_if_no_torch()
  outcome <- in_child(list(function(n) {
    f <- jit_trace(function(x) {
      for (i in seq_len(n)) x <- x + 0.5
      x
    }, torch_zeros(1), check_trace = FALSE)
    x <- torch_zeros(1, requires_grad = TRUE)
    seen <- 0
    x$register_hook(function(grad) seen <<- seen + 1)
    values <- vapply(1:3, function(i) {
      y <- f(x)
      y$sum()$backward()
      y$item()
    }, 0)
    c(values, x$grad$item(), seen)
  }), 15000L)
  expect_equal(outcome[[1]], c(rep(7500, 3), 3, 3))
})

test_that("a long program that computes gradients itself comes to hooks in R", {
  # Before, hooks of a tensor do not see the gradient that is taken for it.
  skip_if_older("2.0")
  unit <- jit_compile(paste(c(
    "def f(x):", "    y = x", rep("    y = y * 1.001", 2000), "    return torch.autograd.grad([y.sum()], [x])"
  ), collapse = "\n"))
  x <- torch_tensor(1, requires_grad = TRUE)
  seen <- 0
  hook <- x$register_hook(function(grad) {
    seen <<- seen + 1
    grad * 2
  })
  expect_equal(as_array(unit$f(x)[[1]]), 2 * 1.001^2000, tolerance = 1e-3)
  expect_equal(seen, 1)
  hook$remove()
  x$register_hook(function(grad) stop("from R"))
  expect_error(unit$f(x), "from R")
})
