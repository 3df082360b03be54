# Random TorchScript text: programs by a grammar, most of them valid, and mutations of these.

fuzz_names <- c("x", "y", "z", "i", "f0", "f1", "self", "torch", "Node", "Pair", "Color", "_", "None")
fuzz_type_names <- c("int", "float", "bool", "str", "complex", "Tensor", "Any", "None", "Device", "Node", "Pair", "Color")

fuzz_bits <- c(
  "(", ")", "[", "]", "{", "}", ":", ",", ".", "=", "*", "@", "->", "\n", "\n  ", "  ", "\t", "'", "\"\"\"", "#", "\\", ";", "if", "else",
  "lambda x: x", "[]", "def", "class", "not", "$", "\u00e9", "!", "...", ":="
)

fuzz_type <- function(depth = 2) {
  if (depth == 0 || stats::runif(1) < 0.5) return(pick(fuzz_type_names))
  inner <- function() fuzz_type(depth - 1)
  switch(sample(7, 1),
    sprintf("List[%s]", inner()), sprintf("Optional[%s]", inner()), sprintf("Tuple[%s, %s]", inner(), inner()),
    sprintf("Dict[%s, %s]", inner(), inner()), sprintf("Union[%s, %s]", inner(), inner()), sprintf("Future[%s]", inner()),
    pick(c("Tuple[()]", "List", "Optional[]", "Dict[str]", "Tuple[]", "BroadcastingList2[int]", "List[int, int]"))
  )
}

fuzz_literal <- function() {
  pick(c("0", "1", "-1", "2", "7", "1.5", "1e10", "0.0", "True", "False", "None", "'a'", "\"b\"", "2j", "9223372036854775807",
         "[]", "()", "{}", "''", "[1, 2]", "(1, 'a')", "{'a': 1}", "torch.float", "float('nan')", "1_0", "0x1F", "..."))
}

fuzz_expression <- function(depth = 3) {
  if (depth == 0 || stats::runif(1) < 0.25) return(if (stats::runif(1) < 0.6) pick(c("x", "y", "i", "z")) else fuzz_literal())
  e <- function() fuzz_expression(depth - 1)
  switch(sample(20, 1),
    sprintf("%s %s %s", e(), pick(c("+", "-", "*", "/", "//", "%", "**", "@", "&", "|", "^", "<<", ">>")), e()),
    sprintf("(%s %s %s)", e(), pick(c("==", "!=", "<", "<=", ">", ">=", "is", "is not", "in", "not in", "and", "or")), e()),
    sprintf("%s%s", pick(c("-", "not ", "~", "+", "*")), e()),
    sprintf("%s[%s]", e(), e()),
    sprintf("%s[%s:%s]", e(), pick(c("", "0", "1", "-1", "i")), pick(c("", "2", "-1", ":0", ":-1", ":2", "None"))),
    sprintf("%s[%s]", e(), pick(c("", ":", "...", ", ", "0, 1", "None", "[0, 1]", "::", ":, 0", "x > 0", "()"))),
    sprintf("%s.%s", e(), pick(c("x", "shape", "T", "size", "dtype", "add", "append", "name", "value", "nxt", "__init__", "grad", "H"))),
    sprintf("%s.%s(%s)", e(), pick(c("add", "sum", "view", "size", "append", "pop", "keys", "items", "to", "relu_", "split", "format", "item", "copy", "new")), e()),
    sprintf("torch.%s(%s)", pick(c("relu", "zeros", "ones", "cat", "stack", "add", "tensor", "sum", "arange", "full", "jit.annotate", "jit.isinstance", "ops.aten.add", "linalg.norm", "no_grad", "nosuch")), e()),
    sprintf("torch.%s(%s, %s)", pick(c("matmul", "add", "div", "remainder", "full", "jit.annotate", "jit.fork", "jit.wait", "where", "reshape")), e(), e()),
    sprintf("%s(%s)", pick(c("f0", "f1", "len", "int", "float", "bool", "str", "print", "range", "enumerate", "zip", "list", "tuple", "dict", "abs", "min", "max", "sorted", "isinstance", "hasattr", "getattr", "ord", "chr", "hash", "Node", "Pair", "super", "type", "unchecked_cast", "annotate", "uninitialized")), e()),
    sprintf("%s(%s, %s)", pick(c("isinstance", "f0", "f1", "Pair", "range", "zip", "max", "divmod", "pow", "getattr", "torch.jit.isinstance", "annotate", "unchecked_cast")), e(), if (stats::runif(1) < 0.5) fuzz_type(1) else e()),
    sprintf("[%s for %s in %s]", e(), pick(c("i", "x", "i, j", "(i, j)")), e()),
    sprintf("[%s for i in %s if %s]", e(), e(), e()),
    sprintf("{%s: %s for i in %s}", e(), e(), e()),
    sprintf("(%s if %s else %s)", e(), e(), e()),
    sprintf("[%s, %s]", e(), e()), sprintf("(%s, %s)", e(), e()), sprintf("{%s: %s}", e(), e()),
    sprintf("f\"{%s}\"", e())
  )
}

fuzz_statements <- function(depth, indent) {
  pad <- strrep(" ", indent)
  e <- function() fuzz_expression(sample(3, 1))
  block <- function() fuzz_statements(depth - 1, indent + 2)
  one <- function() {
    kind <- sample(if (depth > 0) 16 else 10, 1)
    switch(kind,
      paste0(pad, pick(c("x", "y", "z")), " = ", e()),
      paste0(pad, pick(c("x", "y", "x.a", "x[0]", "x[]", "x[:, 0]", "(x, y)", "x, y", "x, *y", "[x, y]", "self.x", "f0()")), " = ", e()),
      paste0(pad, "y: ", fuzz_type(), " = ", e()),
      paste0(pad, pick(c("x", "y", "x[0]", "x.a", "x[]")), pick(c(" += ", " -= ", " *= ", " /= ", " //= ", " %= ", " |= ", " **= ", " @= ")), e()),
      paste0(pad, e()),
      paste0(pad, "assert ", e(), pick(c("", ", 'no'", ", x"))),
      paste0(pad, pick(c("pass", "break", "continue", "del x", "del x[0]", "del x[]", "return", "raise", "raise ValueError('a')", "raise x", "global x", "'''text'''", "import torch"))),
      paste0(pad, "return ", e()),
      paste0(pad, "return ", e(), ", ", e()),
      paste0(pad, "x = ", e()),
      c(paste0(pad, "if ", e(), ":"), block()),
      c(paste0(pad, "if ", e(), ":"), block(), paste0(pad, "else:"), block()),
      c(paste0(pad, "if ", e(), ":"), block(), paste0(pad, "elif ", e(), ":"), block()),
      c(paste0(pad, "while ", e(), ":"), block()),
      c(paste0(pad, "for ", pick(c("i", "i, j", "(i, j)", "x[0]", "i, (j, k)")), " in ", e(), ":"), block()),
      c(paste0(pad, "with ", pick(c("torch.no_grad()", "x", "torch.no_grad() as y", e())), ":"), block())
    )
  }
  unlist(lapply(seq_len(sample(3, 1)), function(k) one()))
}

fuzz_function <- function(name, indent = 0, first = NULL) {
  parameters <- vapply(seq_len(sample(0:3, 1)), function(k) {
    paste0(
      pick(c("x", "y", "z"))[1], if (stats::runif(1) < 0.6) paste0(": ", fuzz_type()), if (stats::runif(1) < 0.2) paste0("=", fuzz_literal())
    )
  }, "")
  parameters <- c(first, unique(parameters), if (stats::runif(1) < 0.05) pick(c("*args", "**kwargs", "*", "*, k: int = 1")))
  c(
    sprintf("%sdef %s(%s)%s:", strrep(" ", indent), name, paste(parameters, collapse = ", "), if (stats::runif(1) < 0.3) paste(" ->", fuzz_type()) else ""),
    fuzz_statements(2, indent + 2)
  )
}

fuzz_class <- function() {
  switch(sample(3, 1),
    c(
      "class Node:", if (stats::runif(1) < 0.6) sprintf("  nxt: %s", fuzz_type()),
      fuzz_function("__init__", 2, "self"), if (stats::runif(1) < 0.5) fuzz_function(pick(c("go", "__len__", "__getitem__", "__add__", "__enter__")), 2, "self")
    ),
    c("class Pair(NamedTuple):", sprintf("  x: %s", fuzz_type()), sprintf("  y: %s%s", fuzz_type(), pick(c("", paste(" =", fuzz_literal()))))),
    c(pick(c("class Color(Enum):", "class Color(enum.Enum):", "class Color(Node):")), paste("  RED =", fuzz_literal()), paste("  BLUE =", fuzz_literal()))
  )
}

# Valid ones, which mutations start from too.
fuzz_programs <- c(
  "def f0(x, y: int = 2):\n  for i in range(y):\n    if i % 2 == 0:\n      x = x + i\n    else:\n      x = x * 2\n  return x\n",
  "def f0(x: List[int]) -> Dict[str, int]:\n  d: Dict[str, int] = {}\n  for i, v in enumerate(x):\n    d[str(i)] = v // (i + 1)\n  del d['0']\n  return d\n",
  "def f1(x: Optional[Tensor], y: Tensor) -> Tensor:\n  if x is None:\n    return y\n  return torch.matmul(x, y.t())[0:1, ..., None]\ndef f0(y):\n  return f1(None, y)\n",
  "class Node:\n  n: int\n  def __init__(self, n: int, x: Tensor):\n    self.n = n\n    self.x = x\n  def __len__(self) -> int:\n    return self.n\n  def go(self, k: float = 0.5):\n    self.x = self.x * k\n    return self\ndef f0(x):\n  node = Node(3, x)\n  return node.go().x.sum() + len(node)\n",
  "class Pair(NamedTuple):\n  x: Tensor\n  y: int = 1\ndef f0(x) -> Pair:\n  p = Pair(x, 2)\n  a, b = p\n  return Pair(x=a + b, y=p.y)\n",
  "class Color(Enum):\n  RED = 1\n  BLUE = 2\ndef f0(c: Color, x: int):\n  if c == Color.RED and x > c.value:\n    return c.name\n  return 'other'\n",
  "def f0(x: Tensor, n: int):\n  y = torch.zeros([n, 2], dtype=torch.int64)\n  y[0] = 1\n  y[:, 1] += 3\n  z = [torch.relu(x), torch.sigmoid(x)]\n  z.append(x)\n  return torch.stack(z), y, (x.size(0), x.shape)\n",
  "def f0(x: str, n: int) -> List[str]:\n  out = [x[i] for i in range(len(x))]\n  s = str(n) + ' of ' + x\n  assert len(s) > 0, 'empty'\n  return out + s.split(' ') + [x[::-1], x[1:3], x.upper() + '%d' % n]\n",
  "def f0(x: Any) -> int:\n  if isinstance(x, int):\n    return x + 1\n  elif torch.jit.isinstance(x, List[int]):\n    return x[-1]\n  else:\n    assert False, 'no'\n  return 0\n",
  "def f0(x):\n  with torch.no_grad():\n    y = x * 2\n  future = torch.jit.fork(f1, y)\n  return torch.jit.wait(future) if bool(x.sum() > 0) else y\ndef f1(x):\n  return x - 1\n",
  "def f0(a: int, b: int, c: float, z: complex):\n  q = a // 3, b % 5, a ** 2, c / 2, -a, a << 1, a & b | 7 ^ b\n  w = max(a, b) + abs(a) if not a == b else min([a, b])\n  return q, w, z * 2j, int(c), float(a), math.pi, math.sqrt(abs(c)), round(c)\n",
  "def f0(x: Tuple[int, Tuple[float, str]], y: Dict[str, List[Tensor]]):\n  n, (v, s) = x\n  t = x[1][0]\n  if 'a' in y:\n    y['a'][0].add_(1)\n  keys = [k for k in y.keys()]\n  return n, v, t, keys, {k: len(k) for k in keys}\n",
  "def f0(n: int):\n  i = 0\n  total = 0\n  while i < min(n, 10):\n    i += 1\n    if i == 3:\n      continue\n    if i > 7:\n      break\n    total -= i\n  print('total', total)\n  return total\n",
  "def f0(x: Union[int, str, None] = None, *, k: float = 1.0) -> Optional[float]:\n  '''text'''\n  y: Optional[float] = None  # remark\n  if isinstance(x, int):\n    y = k * x\n  return y\n"
)

fuzz_text <- function(i, seed) {
  set.seed(seed * 1e6 + i)
  grown <- paste(unlist(lapply(seq_len(sample(2, 1)), function(k) {
    if (stats::runif(1) < 0.25) fuzz_class() else fuzz_function(pick(c("f2", "f3")))
  })), collapse = "\n")
  switch(sample(4, 1),
    paste0(grown, "\n"), fuzz_mutation(grown), fuzz_mutation(pick(fuzz_programs)),
    fuzz_mutation(paste0(pick(fuzz_programs), grown, "\n"))
  )
}

# Tokens removed, doubled, exchanged or put in, or single characters.
fuzz_mutation <- function(text) {
  for (k in seq_len(sample(2, 1))) {
    tokens <- regmatches(text, gregexpr("[A-Za-z_0-9.]+|\n *| +|[^A-Za-z_0-9. \n]", text))[[1]]
    n <- length(tokens)
    if (n < 2) return(text)
    at <- sample(n, 1)
    # As often as not by one of its own kind, so that many programs stay whole.
    kinds <- list("^[0-9.]+$", "^[A-Za-z_]", "^[-+*/%<>=&|^]$", "^ +$")
    kind <- Find(function(kind) grepl(kind, tokens[at]), kinds)
    if (!is.null(kind) && stats::runif(1) < 0.5) {
      tokens[at] <- pick(grep(kind, c(tokens, fuzz_names, fuzz_type_names, "0", "-1", "9223372036854775807", "%", "/"), value = TRUE))
    } else {
      tokens <- switch(sample(6, 1),
        tokens[-at], append(tokens, tokens[at], at), replace(tokens, c(at, at %% n + 1), tokens[c(at %% n + 1, at)]),
        append(tokens, pick(fuzz_bits), at), replace(tokens, at, pick(tokens)),
        replace(tokens, at, pick(c(fuzz_names, fuzz_type_names, fuzz_literal())))
      )
    }
    text <- paste(tokens, collapse = "")
  }
  text
}

# Compiles text number `i` and, where nothing in it can go on for ever, calls what it defines. TRUE: it compiled.
fuzz_compile <- function(i, seed) {
  text <- fuzz_text(i, seed)
  unit <- tryCatch(suppressWarnings(jit_compile(text)), error = function(e) NULL)
  if (is.null(unit)) return(FALSE)
  if (!grepl("\\b(for|while)\\b", text)) {
    for (name in names(unit)) {
      f <- unit[[name]]
      if (!is.function(f)) next
      n <- length(cpp_callable_argument_names(attr(f, "handle")))
      for (arguments in list(list(), rep(list(torch_ones(2, 3)), n), lapply(seq_len(n), function(k) fuzz_any()))) {
        utils::capture.output(tryCatch(suppressWarnings(do.call(f, arguments, quote = TRUE)), error = function(e) NULL))
      }
    }
  }
  TRUE
}
