# Text that LibTorch's compiler would read past its end or without one.

test_that("an index with nothing in it is refused, in text and in a file", {
  skip_if_no_torch()
  expect_snapshot(error = TRUE, {
    jit_compile("def f(x):\n  x[] = 1\n  return x\n")
    jit_compile("def f(x: Optional[]):\n  return x\n")
  })
  for (statement in c("return x[]", "del x[]", "x[] += 1", "return x [ ]", "return (x)[\n  ]", "return x[ # remark\n  ]", "return 'a'[]", "return [1][]", "return f(x)[]", "y: List[] = []")) {
    text <- sprintf("def f(x):\n  %s\n", statement)
    expect_error(jit_compile(text), "index with nothing in it", class = "torch_error")
    expect_error(jit_module("M")$define(sub("x", "self, x", text)), "index with nothing in it", class = "torch_error")
  }
  # Empty lists are something else.
  f <- jit_compile("
def f(x: int) -> List[int]:
  y: List[int] = []
  if x in []:
    return []
  z = (torch.jit.annotate(List[int], []), [])
  for i in []:
    y.append(1)
  return y + torch.jit.annotate(List[int], [])  # x[]
def g(x: str) -> str:
  return x + '[]x[]'
")
  expect_length(f$f(1L), 0)
  expect_equal(f$g("a"), "a[]x[]")

  file <- saved_net()
  files <- archive_files(file)
  at <- grep("code/__torch__.*\\.py$", names(files))[1]
  code <- rawToChar(files[[at]])
  files[[at]] <- charToRaw(sub("return ([A-Za-z0-9_]+)", "return \\1[]", code))
  expect_false(identical(code, rawToChar(files[[at]])))
  expect_error(jit_load(write_archive(files, withr::local_tempfile(fileext = ".pt"))), "index with nothing in it", class = "torch_error")
})

test_that("classes that hold themselves are refused, in text and in a file", {
  skip_if_no_torch()
  expect_snapshot(error = TRUE, {
    jit_compile("class Node:\n  nxt: Optional[Node]\n  def __init__(self):\n    self.nxt = None\n")
    jit_compile("class A:\n  b: List[B]\n  def __init__(self):\n    self.b = []\nclass B:\n  a: Optional[A]\n  def __init__(self):\n    self.a = None\n")
  })
  for (field in c("me: Node", "next : Dict[str, Node]", "many: Tuple[int, Optional[List[Node]]]")) {
    text <- sprintf("class Node:\n  %s\n  def __init__(self):\n    pass\n", field)
    expect_error(jit_compile(text), "hold each other without end", class = "torch_error")
  }
  # What LibTorch finds itself.
  for (value in c("self", "torch.jit.annotate(List[Node], [])")) {
    text <- sprintf("class Node:\n  def __init__(self):\n    self.x = %s\n", value)
    expect_error(jit_compile(text), "recursively contain", class = "torch_error")
  }
  # Methods may take and give what they are of, and a field may have a class's name.
  unit <- jit_compile("
class Node:
  n: int
  Leaf: int
  def __init__(self, n: int):
    self.n = n
    self.Leaf = 2
  def more(self, other: Node) -> Node:
    return Node(self.n + other.n)
class Leaf:
  Node: int
  node: Node
  def __init__(self):
    self.Node = 1
    self.node = Node(3)
")
  expect_equal(unit$Node(1L)$more(unit$Node(2L))$n, 3L)
  expect_equal(unit$Leaf()$node$n, 3L)

  python_eval("
class Child(torch.nn.Module):
  def forward(self, x):
    return x
class Net(torch.nn.Module):
  def __init__(self):
    super().__init__()
    self.child = Child()
  def forward(self, x):
    return self.child(x)
torch.jit.script(Net()).save(file)
result = 0", file = file <- withr::local_tempfile(fileext = ".pt"))
  files <- archive_files(file)
  at <- grep("code/__torch__.*\\.py$", names(files))
  changed <- FALSE
  for (i in at) {
    code <- rawToChar(files[[i]])
    new <- gsub("(class Child\\(Module\\):\n  __parameters__ = \\[\\]\n  __buffers__ = \\[\\]\n)", "\\1  net : __torch__.Net\n", code)
    changed <- changed || new != code
    files[[i]] <- charToRaw(new)
  }
  expect_true(changed)
  expect_error(jit_load(write_archive(files, withr::local_tempfile(fileext = ".pt"))), "hold each other without end", class = "torch_error")
})
