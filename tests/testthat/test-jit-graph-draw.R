# Places and sizes of the boxes of a picture, and the number of its lines, as another program reads them.
svg_of <- function(svg) {
  file <- withr::local_tempfile(lines = svg)
  python_eval("
import xml.etree.ElementTree as tree
root = tree.parse(file).getroot()
texts = [e for e in root.iter() if e.tag.endswith('text') and e.get('stroke') is None]
lines = [e for e in root.iter() if e.tag.endswith('polyline')]
boxes = [[float(e.get(k)) for k in ('x', 'y', 'width', 'height')] for e in root.iter() if e.tag.endswith('rect')]
size = [float(v) for v in root.get('viewBox').split()]
inside = all(0 <= b[0] and b[0] + b[2] <= size[2] and 0 <= b[1] and b[1] + b[3] <= size[3] for b in boxes)
apart = all(a is b or a[0] + a[2] <= b[0] or b[0] + b[2] <= a[0] or a[1] + a[3] <= b[1] or b[1] + b[3] <= a[1] for a in boxes for b in boxes)
y = {t.text: float(t.get('y')) for t in texts}
result = dict(texts=[t.text for t in texts], lines=len(lines), inside=inside, apart=apart, y=y)
", file = file)
}

test_that("a graph is drawn, with and without Graphviz", {
  skip_if_no_torch()
  graph <- jit_compile("def f(x):\n  return (torch.relu(x * 2) + x).sum(), '<&>'\n")$f$graph
  plan <- with_jit_fusion(cpu = TRUE, code = jit_compile("def f(x):\n  return torch.relu(x * 2 + 1)\n")$f$graph_for(torch_ones(3)))
  path <- Sys.getenv("PATH")
  drawn <- list(none = "", dot = path)
  for (name in names(drawn)) {
    # The test needs Python, which does not need the path.
    picture <- withr::with_envvar(c(PATH = drawn[[name]]), list(as_svg(graph, detail = "all"), as_svg(plan, detail = "all")))
    one <- svg_of(picture[[1]])
    expect_true(all(c("aten::relu", "aten::mul", "aten::add", "aten::sum", "return", "x.1") %in% one$texts))
    expect_true(any(grepl("<&>", one$texts, fixed = TRUE)))
    edges <- sum(lengths(graph$nodes()$inputs)) + 1
    expect_equal(one$lines, edges)
    expect_true(one$inside && one$apart)
    expect_true(all(diff(unlist(one$y[c("aten::mul", "aten::relu", "aten::add", "aten::sum", "return")])) > 0))
    expect_true(svg_of(picture[[2]])$apart)
    short <- svg_of(withr::with_envvar(c(PATH = drawn[[name]]), as_svg(graph)))
    expect_setequal(unlist(short$texts), c("x.1", "mul", "relu", "add", "sum", "return"))
    file <- withr::local_tempfile(fileext = ".pdf")
    grDevices::pdf(file)
    withr::with_envvar(c(PATH = drawn[[name]]), expect_invisible(plot(graph)))
    withr::with_envvar(c(PATH = drawn[[name]]), plot(plan, detail = "all"))
    withr::with_envvar(c(PATH = drawn[[name]]), plot(jit_compile("def f():\n  return 1\n")$f$graph))
    grDevices::dev.off()
    expect_gt(file.size(file), 1000)
  }
})

test_that("functions, modules and networks are drawn too", {
  skip_if_no_torch()
  net <- nn_sequential(nn_linear(3, 8), nn_relu(), nn_dropout(0.5), nn_linear(8, 1))
  x <- torch_randn(5, 3)
  drawn <- svg_of(as_svg(net, x, detail = "operators"))
  expect_true(all(c("0: linear", "relu", "3: linear", "(5, 8)", "(5, 1)") %in% drawn$texts))
  traced <- jit_trace(net, x)
  traced$eval()
  net$eval()
  # Names of values differ, what is computed does not.
  expect_equal(svg_of(as_svg(traced))$texts, svg_of(as_svg(net, x))$texts)
  expect_equal(as_dot(jit_trace(function(x) x * 2, x)), as_dot(jit_trace(function(x) x * 2, x)$graph))
  file <- withr::local_tempfile(fileext = ".pdf")
  grDevices::pdf(file)
  expect_invisible(plot(net, x))
  expect_invisible(plot(traced))
  expect_invisible(plot(jit_trace(function(x) x * 2, x)))
  expect_invisible(plot(traced$forward))
  grDevices::dev.off()
  # Drawing leaves the module as it was.
  expect_false(net$training)
  expect_snapshot(error = TRUE, {
    plot(net)
    plot(net, x, detail = "some")
    as_svg(1)
  })
  expect_error(plot(net, torch_ones(2, 2)), "cannot be multiplied", class = "torch_runtime_error")
})

test_that("a graph is written as DOT", {
  skip_if_no_torch()
  graph <- jit_trace(function(x) torch_relu(x + 20), torch_tensor(0))$graph
  expect_snapshot(cat(as_dot(graph), as_dot(graph, detail = "all")))
  # Each node once, boxes for blocks.
  dot <- as_dot(jit_compile("
    def f(x, n: int):
      for i in range(n):
        if i > 1:
          x = x * 2
        else:
          x = torch.relu(x) + i
      return x
  ")$f$graph)
  expect_equal(lengths(regmatches(dot, gregexpr("label=\"relu\"", dot))), 1)
  expect_equal(lengths(regmatches(dot, gregexpr("subgraph", dot))), 3)
  expect_equal(lengths(regmatches(dot, gregexpr("{", dot, fixed = TRUE))), lengths(regmatches(dot, gregexpr("}", dot, fixed = TRUE))))
})

test_that("Graphviz reads our DOT", {
  skip_if_no_torch()
  skip_if_not(nzchar(Sys.which("dot")), "Graphviz is not installed")
  plan <- with_jit_fusion(cpu = TRUE, code = jit_compile("def f(x):\n  return torch.relu(x * 2 + 1), \"a\\\"b\"\n")$f$graph_for(torch_ones(3)))
  file <- withr::local_tempfile(lines = as_dot(plan, detail = "all"))
  svg <- system2("dot", c("-Tsvg", shQuote(file)), stdout = TRUE)
  expect_null(attr(svg, "status"))
  expect_true(any(grepl("prim::TensorExprGroup", svg)))
})
