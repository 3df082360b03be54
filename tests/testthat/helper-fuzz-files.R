# Programs in files that lie about types: well-formed code that a reader must refuse, check or survive. Each is made from
# a seed and its number, so that a child process makes the same ones again.

# The types that a program may name, up to a depth.
lie_type <- function(depth = 2) {
  leaves <- c("Tensor", "int", "float", "bool", "str", "complex", "Device", "number", "Any", "NoneType", "__torch__.P", "__torch__.Q")
  if (depth == 0 || runif(1) < 0.4) return(sample(leaves, 1))
  inner <- function() lie_type(depth - 1)
  switch(sample(6, 1),
    sprintf("List[%s]", inner()),
    sprintf("Optional[%s]", inner()),
    sprintf("Tuple[%s]", paste(vapply(seq_len(sample(3, 1)), function(i) inner(), ""), collapse = ", ")),
    sprintf("Dict[%s, %s]", sample(c("str", "int"), 1), inner()),
    sprintf("Future[%s]", inner()),
    sprintf("Union[%s, %s]", inner(), inner())
  )
}

lie_arguments <- function(type) {
  text <- sub("^[A-Za-z]+\\[(.*)\\]$", "\\1", type)
  letters <- strsplit(text, "")[[1]]
  depth <- cumsum((letters == "[") - (letters == "]"))
  cuts <- which(letters == "," & depth == 0)
  trimws(substring(text, c(1, cuts + 1), c(cuts - 1, nchar(text))))
}

# An expression of this type, or of what the reader makes of one.
lie_value <- function(type) {
  head <- sub("\\[.*", "", type)
  inner <- if (grepl("[", type, fixed = TRUE)) lie_arguments(type)
  switch(head,
    Tensor = sample(c("x", "self.weight", "torch.add(x, 1)"), 1), int = sample(c("3", "-1", "torch.len([x, x])"), 1),
    float = "1.5", bool = sample(c("True", "self.training"), 1), str = "\"abc\"", complex = "torch.complex(1., 2.)",
    Device = "torch.device(\"cpu\")", number = "1", NoneType = "None", Any = lie_value(lie_type(1)),
    "__torch__.P" = "self.p", "__torch__.Q" = "self.q",
    List = sprintf("annotate(%s, [%s])", type, paste(replicate(sample(0:3, 1), lie_value(inner)), collapse = ", ")),
    Optional = sprintf("annotate(%s, %s)", type, if (runif(1) < 0.5) "None" else lie_value(inner)),
    Tuple = sprintf("(%s,)", paste(vapply(inner, lie_value, ""), collapse = ", ")),
    Dict = sprintf("annotate(%s, {%s: %s})", type, if (inner[1] == "str") "\"a\"" else "1", lie_value(inner[2])),
    Future = sprintf("uninitialized(%s)", type),
    Union = sprintf("annotate(%s, %s)", type, lie_value(sample(inner, 1)))
  )
}

# What a program does with a value that it takes to be of this type.
lie_use <- function(y, type) {
  head <- sub("\\[.*", "", type)
  inner <- if (grepl("[", type, fixed = TRUE)) lie_arguments(type)
  then <- function(expression, type) lie_use(expression, type)
  out <- switch(head,
    Tensor = sprintf(c("torch.mul(torch.add(%1$s, %1$s), x)", "torch.relu(%1$s)", "torch.size(%1$s)", "torch.cat([%1$s, x])"), y),
    int = sprintf(c("torch.add(%s, 1)", "torch.zeros([%s])", "torch.select(x, 0, %s)"), y),
    float = sprintf(c("torch.add(%s, 1.5)", "torch.mul(x, %s)"), y),
    bool = sprintf(c("torch.__not__(%s)", "torch.sum(x, [0], %s)"), y),
    str = sprintf(c("torch.add(%s, \"a\")", "torch.len(%s)", "torch.upper(%s)"), y),
    complex = sprintf("torch.abs(%s)", y), Device = sprintf("torch.zeros([2], dtype=None, layout=None, device=%s)", y),
    number = sprintf("torch.add(x, %s)", y), Any = sprintf("torch.__is__(%s, None)", y), NoneType = sprintf("torch.__is__(%s, None)", y),
    "__torch__.P" = sprintf(c("(%s).e", "(%s).a", "(%s).f()"), y),
    "__torch__.Q" = sprintf(c("(%s).z", "(%s).g(x)"), y),
    List = c(sprintf(c("torch.len(%1$s)", "torch.append(%1$s, %1$s[0])", "torch.extend(%1$s, %1$s)"), y), then(sprintf("(%s)[0]", y), inner)),
    Optional = then(sprintf("unchecked_cast(%s, %s)", inner, y), inner),
    Tuple = { k <- sample(length(inner), 1); then(sprintf("(%s)[%d]", y, k - 1), inner[k]) },
    Dict = c(sprintf(c("torch.keys(%s)", "torch.len(%s)"), y), then(sprintf("(%s)[%s]", y, if (inner[1] == "str") "\"a\"" else "1"), inner[2])),
    Future = sprintf("torch.wait(%s)", y),
    Union = { k <- sample(length(inner), 1); then(sprintf("unchecked_cast(%s, %s)", inner[k], y), inner[k]) }
  )
  sample(out, 1)
}

lie_prim_names <- function() {
  schemas <- grep("^prim::", cpp_operator_schemas(1L), value = TRUE)
  unique(sub("^prim::([A-Za-z_0-9]+).*", "\\1", schemas))
}

# Statements that give `z`. Most lies are of a kind that only shows when the program runs.
lie_body <- function() {
  from <- lie_type()
  kind <- sample(10, 1, prob = c(1, 1, 4, 4, 2, 4, 2, 2, 4, 4))
  to <- if (kind == 10 || runif(1) < 0.3) from else lie_type()
  value <- lie_value(from)
  lie <- switch(kind,
    sprintf("y = unchecked_cast(%s, %s)", to, value),
    sprintf("v = %s\ny = unchecked_cast(%s, v)", value, to),
    sprintf("v = annotate(Any, %s)\ny = unchecked_cast(%s, v)", value, to),
    sprintf("l = annotate(List[Any], [%s])\ny = unchecked_cast(%s, l[0])", value, to),
    sprintf("y = uninitialized(%s)", to),
    sprintf("w = annotate(Any, %2$s)\nif self.training:\n  y = uninitialized(%1$s)\nelse:\n  y = unchecked_cast(%1$s, w)", to, value),
    sprintf("v = %s\ny = ops.prim.%s(%s)", value, sample(lie_prim_names(), 1), paste(rep("v", sample(0:3, 1)), collapse = ", ")),
    sprintf("p = __torch__.P.__new__(__torch__.P)\ny = unchecked_cast(%s, annotate(Any, p.%s))", to, sample(c("a", "e"), 1)),
    sprintf("v = annotate(Union[%s, %s], %s)\ny = unchecked_cast(%s, v)", from, to, value, to),
    sprintf("v = annotate(Optional[%1$s], %2$s)\ny = unchecked_cast(%1$s, v)", from, sample(c("None", value), 1))
  )
  paste(c(lie, sprintf("z = %s", lie_use("y", to))), collapse = "\n")
}

lie_indent <- function(text, by) paste0(by, strsplit(text, "\n", fixed = TRUE)[[1]], collapse = "\n")

# The code of a module with the attributes of lie_archives().
lie_code <- function(body, attribute) {
  paste0(
    "class P(Module):\n  __parameters__ = []\n  __buffers__ = []\n  training : bool\n  a : int\n  b : int\n  c : str\n  e : Tensor\n",
    "  def f(self: __torch__.P) -> Tensor:\n    return torch.add(self.e, self.b)\n",
    "class Q(Module):\n  __parameters__ = []\n  __buffers__ = []\n  training : bool\n  z : Tensor\n",
    "  def g(self: __torch__.Q, x: Tensor) -> Tensor:\n    return torch.mul(self.z, x)\n",
    "class Net(Module):\n  __parameters__ = [\"weight\", ]\n  __buffers__ = []\n  training : bool\n  weight : Tensor\n",
    "  p : ", sample(c("__torch__.P", "__torch__.Q"), 1, prob = c(19, 1)), "\n  q : __torch__.Q\n",
    "  v : ", attribute, "\n",
    "  def forward(self: __torch__.Net, x: Tensor) -> Any:\n", lie_indent(body, "    "), "\n    return z\n"
  )
}

# Files of one module, whose attribute `v` is one of many values.
lie_archives <- function() {
  part <- function(.name, ...) {
    handle <- cpp_module_new(.name, NULL)
    cpp_module_set_attribute(handle, "training", jit_scalar(FALSE))
    fields <- list(...)
    for (name in names(fields)) {
      if (is_torch_tensor(fields[[name]])) cpp_module_register(handle, name, fields[[name]], TRUE) else cpp_module_set_attribute(handle, name, fields[[name]])
    }
    handle
  }
  values <- list(
    int = jit_scalar(1L), float = jit_scalar(1.5), bool = jit_scalar(TRUE), str = jit_scalar("abc"), "List[int]" = c(1L, 2L),
    "List[float]" = c(1.5, 2), "List[str]" = c("a", "b"), "Tuple[int, str]" = jit_tuple(list(jit_scalar(1L), jit_scalar("a"))),
    "List[Tensor]" = list(torch_ones(2), torch_ones(2)), Tensor = torch_ones(2)
  )
  lapply(values, function(v) {
    net <- part("Net", weight = torch_ones(2, 2), v = v)
    cpp_module_add_child(net, "p", part("P", a = jit_scalar(1L), b = jit_scalar(2L), c = jit_scalar("c"), e = torch_ones(2)))
    cpp_module_add_child(net, "q", part("Q", z = torch_ones(2)))
    file <- withr::local_tempfile()
    cpp_module_save(net, file, FALSE, list())
    archive_files(file)
  })
}

lie_attribute_types <- c("int", "float", "str", "List[int]", "List[str]", "Tuple[int, str]", "List[Tensor]", "Dict[str, int]", "__torch__.P")

# Program `k` of a seed: the files of an archive.
lie_file <- function(k, seed, archives) {
  withr::local_seed(seed * 1e5 + k)
  attribute <- sample(names(archives), 1)
  files <- archives[[attribute]]
  if (runif(1) < 0.1) attribute <- sample(lie_attribute_types, 1)
  body <- if (runif(1) < 0.2) sprintf("y = self.v\nz = %s", lie_use("y", attribute)) else lie_body()
  code <- grep("/code/.*[.]py$", names(files))
  files[[code]] <- charToRaw(lie_code(body, attribute))
  files[!grepl("debug_pkl$", names(files))]
}

# What became of it: "refused", or how its calls ended.
run_lie <- function(files) {
  file <- withr::local_tempfile(fileext = ".pt")
  write_archive(files, file)
  module <- tryCatch(jit_load(file), error = function(e) NULL)
  if (is.null(module)) return("refused")
  ends <- vapply(1:3, function(i) {
    tryCatch({
      module(torch_ones(2, 2))
      "a value"
    }, error = function(e) "an error")
  }, "")
  paste(ends, collapse = ", ")
}
