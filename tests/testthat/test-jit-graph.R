# mul, add and relu can be joined, the product of matrices stands alone.
fused_function <- function(device) {
  force(device)
  function(x) {
    m1 <- torch_eye(5, device = device)
    x <- x$mul(m1)
    m2 <- torch_arange(start = 1, end = 25, device = device)$view(c(5, 5))
    x <- x$add(m2)
    x <- torch_relu(x)
    x$matmul(m2)
  }
}

branches <- "
def f(x, n: int):
  y = x
  for i in range(n):
    if i > 1:
      y = y * 2
    else:
      y = torch.relu(y) + i
  return y, n
"

test_that("functions show their graph, plan, code and schema", {
  skip_if_no_torch()
  f <- unit_of_many()$thrice
  expect_s3_class(f$graph, c("graph_function", "torch_graph"), exact = TRUE)
  expect_output(print(f$graph), "^graph\\(%x")
  expect_match(as.character(f$graph), "prim::CallFunction")
  expect_no_match(as.character(f$inlined_graph), "prim::CallFunction")
  expect_match(as.character(f$graph_for(torch_tensor(1))), "^graph\\(.*aten::mul")
  expect_equal(f$schema, "thrice(Tensor x) -> Tensor")
  expect_null(f$nothing)
  expect_null(f$graph$nothing)
  expect_equal(f$graph$text, as.character(f$graph))
  expect_equal(utils::.DollarNames(f, "^graph"), c("graph", "graph_for"))
  expect_equal(utils::.DollarNames(f$graph, "^n"), "nodes")
  # The code compiles to the same function.
  code <- unit_of_many()$scale$code
  expect_equal(as.numeric(jit_compile(code)$scale(torch_tensor(1), 5L)), 5)
  expect_output(print(f), "^<script_function> thrice\\(x: Tensor\\)$")
})

test_that("the blog's graph holds two constants and one addition", {
  skip_if_no_torch()
  graph <- jit_trace(blog_function, torch_tensor(0))$graph
  expect_equal(sub("#.*", "", strsplit(as.character(graph), "\n")[[1]]) |> trimws(), c(
    "graph(%x : Float(1, strides=[1], requires_grad=0, device=cpu)):",
    "%1 : float = prim::Constant[value=20.]()",
    "%2 : int = prim::Constant[value=1]()",
    "%3 : Float(1, strides=[1], requires_grad=0, device=cpu) = aten::add(%x, %1, %2)",
    "return (%3)"
  ))
  nodes <- graph$nodes()
  expect_equal(nodes$kind, c("prim::Constant", "prim::Constant", "aten::add"))
  expect_equal(lapply(nodes$attributes, `[[`, "value"), list(20, 1, NULL))
  expect_equal(nodes$inputs[[3]], c("x", nodes$outputs[[1]], nodes$outputs[[2]]))
  expect_equal(nodes$types[[1]], "float")
  expect_equal(graph$inputs(), "x")
  expect_equal(graph$outputs(), nodes$outputs[[3]])
  expect_equal(nodes$parent, rep(NA_integer_, 3))
})

test_that("nodes are those that PyTorch walks over", {
  skip_if_no_torch()
  graph <- jit_compile(branches)$f$graph
  python <- python_eval("
rows = []
def walk(block, depth):
  for node in block.nodes():
    where = node.sourceRange()
    rows.append([node.kind(), [i.debugName() for i in node.inputs()], [o.debugName() for o in node.outputs()],
      [str(o.type()) for o in node.outputs()], depth])
    for inner in node.blocks():
      walk(inner, depth + 1)
graph = torch.jit.CompilationUnit(source).f.graph
walk(graph, 0)
result = dict(text=str(graph), kind=[r[0] for r in rows], inputs=[' '.join(r[1]) for r in rows], outputs=[' '.join(r[2]) for r in rows],
  types=[' '.join(r[3]).replace('Tuple[Tensor, int]', '(Tensor, int)') for r in rows], depth=[r[4] for r in rows])
", source = branches)
  nodes <- graph$nodes()
  joined <- function(column) vapply(nodes[[column]], paste, "", collapse = " ")
  expect_equal(gsub("<source>", "<string>", as.character(graph)), python$text)
  expect_equal(nodes$kind, python$kind)
  expect_equal(joined("inputs"), python$inputs)
  expect_equal(joined("outputs"), python$outputs)
  expect_equal(joined("types"), python$types)
  expect_equal(nodes$depth, python$depth)
  # The tree of blocks.
  conditional <- which(nodes$kind == "prim::If")
  expect_equal(nodes$kind[nodes$parent[conditional]], "prim::Loop")
  expect_equal(nodes$kind[which(nodes$parent == conditional & nodes$block == 2)], c("aten::relu", "aten::add"))
})

test_that("nodes know the line of the source, also after saving", {
  skip_if_no_torch()
  folder <- withr::local_tempdir()
  file <- file.path(folder, "model.py")
  writeLines(c("# a remark", "def f(x):", "  y = torch.relu(x)", "  return y * 2"), file)
  f <- jit_compile(file = file)$f
  place <- function(nodes, kind) as.list(nodes[nodes$kind == kind, c("file", "line", "source")])
  nodes <- f$graph$nodes()
  expect_equal(place(nodes, "aten::relu"), list(file = file, line = 3L, source = "torch.relu"))
  expect_equal(place(nodes, "aten::mul"), list(file = file, line = 4L, source = "y * 2"))
  saved <- file.path(folder, "f.pt")
  jit_save(f, saved)
  nodes <- jit_load(saved)$inlined_graph$nodes()
  expect_equal(place(nodes, "aten::mul"), list(file = file, line = 4L, source = "y * 2"))
})

test_that("a graph outlives what it is of", {
  skip_if_no_torch()
  graph <- jit_compile("
    class A:
      def __init__(self, x: int):
        self.x = x
    def g(x):
      return x * A(2).x
    def f(x):
      return g(x)
  ")$f$graph
  gc()
  expect_match(as.character(graph), "prim::CallFunction")
  expect_equal(tail(graph$nodes()$kind, 1), "prim::CallFunction")
  # Constants of a plan name functions of the executor.
  plan <- with_jit_fusion(cpu = TRUE, code = jit_compile("def f(x):\n  return torch.relu(x * 2 + 1)\n")$f$graph_for(torch_ones(3)))
  gc()
  expect_match(as.character(plan), "fallback_function")
})

test_that("graphs of modules are of the present mode, the wrapper is forward's", {
  skip_if_no_torch()
  net <- nn_module(
    initialize = function() NULL,
    forward = function(x) if (self$training) x * 2 else x + 2
  )
  traced <- jit_trace(net(), torch_ones(2, 2))
  x <- torch_ones(2, 2)
  operator <- function(graph) setdiff(graph$nodes()$kind, "prim::Constant")
  expect_equal(operator(traced$graph), "aten::mul")
  expect_equal(operator(traced$graph_for(x)), "aten::mul")
  expect_match(traced$code, "torch.mul")
  expect_match(traced$schema, "^trainforward\\(")
  traced$eval()
  expect_equal(operator(traced$graph), "aten::add")
  expect_equal(operator(traced$graph_for(x)), "aten::add")
  expect_match(traced$schema, "^evalforward\\(")
  expect_match(as.character(traced$graph), "^graph\\(%self : __torch__\\.")
  expect_s3_class(traced$graph, c("script_method_graph", "torch_graph"), exact = TRUE)
  wrapper <- traced$forward$graph$nodes()
  expect_equal(wrapper$kind[is.na(wrapper$parent)], c("prim::GetAttr", "prim::If"))
  expect_equal(
    vapply(wrapper$attributes[wrapper$kind == "prim::CallMethod"], `[[`, "", "name"), c("trainforward", "evalforward")
  )
  expect_false("prim::CallMethod" %in% traced$forward$inlined_graph$nodes()$kind)
})

test_that("graph_for shows the plan that PyTorch shows", {
  skip_if_no_torch()
  sources <- list(plain = "def f(x):\n  return torch.relu(x * 2 + 1).tanh()\n", branches = branches)
  arguments <- list(plain = list(torch_ones(2, 3)), branches = list(torch_ones(2, 3), 3))
  python <- python_eval("
torch.jit.set_fusion_strategy([('DYNAMIC', 10)])
torch._C._jit_override_can_fuse_on_cpu(False)
x = torch.ones(2, 3)
def plan(source, *args):
  f = torch.jit.CompilationUnit(source).f
  f(*args)
  f(*args)
  return str(f.graph_for(*args))
result = dict(plain=plan(plain, x), branches=plan(branches, x, 3), grad=plan(plain, torch.ones(2, 3, requires_grad=True)))
", plain = sources$plain, branches = sources$branches)
  local_jit_fusion(fuser = "none")
  plan <- function(name, ...) gsub("<source>", "<string>", as.character(jit_compile(sources[[name]])$f$graph_for(...)))
  expect_equal(plan_lines(plan("plain", torch_ones(2, 3))), plan_lines(python$plain))
  expect_equal(plan_lines(plan("branches", torch_ones(2, 3), 3)), plan_lines(python$branches))
  expect_equal(plan_lines(plan("plain", torch_ones(2, 3, requires_grad = TRUE))), plan_lines(python$grad))
  expect_match(python$grad, "prim::DifferentiableGraph")
})

test_that("the blog's chain is fused as PyTorch fuses it on the CPU", {
  skip_if_no_torch()
  program <- "
torch.jit.set_fusion_strategy([(kind, 10)])
torch._C._jit_override_can_fuse_on_cpu(True)
torch._C._jit_set_te_must_use_llvm_cpu(False)
def f(x):
  x = x.mul(torch.eye(5))
  m2 = torch.arange(1., 26.).view(5, 5)
  return torch.relu(x.add(m2)).matmul(m2)
x = torch.eye(5)
v = torch.jit.trace(f, x)
for i in range(3):
  v(x)
def kinds(block):
  found = []
  for node in block.nodes():
    found.append(node.kind())
    for inner in node.blocks():
      found += kinds(inner)
    if node.hasAttribute('Subgraph'):
      found += kinds(node.g('Subgraph'))
  return found
result = dict(kinds=kinds(v.graph_for(x)), value=v(x).tolist())
"
  for (kind in c("STATIC", "DYNAMIC")) {
    python <- python_eval(program, kind = kind)
    local({
      local_jit_fusion(list(c(kind, 10)), cpu = TRUE)
      f <- jit_trace(fused_function("cpu"), torch_eye(5))
      nodes <- f$graph_for(torch_eye(5))$nodes()
      expect_setequal(nodes$kind, python$kinds)
      group <- which(nodes$kind == "prim::TensorExprGroup")
      expect_true(all(c("aten::mul", "aten::add", "aten::relu") %in% nodes$kind[nodes$parent %in% group]))
      expect_equal(as_array(f(torch_eye(5))), python$value, tolerance = 1e-5)
    })
  }
  # Without the switch LibTorch joins nothing where it has no compiler, nor what this package's own fuser takes.
  nodes <- jit_trace(fused_function("cpu"), torch_eye(5))$graph_for(torch_eye(5))$nodes()
  expect_equal("prim::TensorExprGroup" %in% nodes$kind, jit_options()$cpu && jit_options()$own == "none")
})

test_that("the blog's chain is fused on CUDA", {
  skip_if_no_torch()
  skip_if_not(cuda_is_available(), "There is no CUDA device")
  f <- jit_trace(fused_function("cuda"), torch_eye(5, device = "cuda"))
  nodes <- f$graph_for(torch_eye(5, device = "cuda"))$nodes()
  group <- which(nodes$kind == "prim::TensorExprGroup")
  expect_setequal(setdiff(nodes$kind[nodes$parent %in% group], "prim::Constant"), c("aten::mul", "aten::add", "aten::relu"))
  expect_true("aten::matmul" %in% nodes$kind[is.na(nodes$parent)])
})

test_that("a graph is a data frame of its nodes", {
  skip_if_no_torch()
  graph <- jit_trace(function(x) torch_relu(x * 2), torch_ones(2))$graph
  expect_equal(as.data.frame(graph), graph$nodes())
  expect_equal(as.data.frame(graph)$kind, c("prim::Constant", "aten::mul", "aten::relu"))
})
