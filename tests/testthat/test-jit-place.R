# Functions in a file of their own, so that they have lines.
from_file <- function(code, name = "model.R", env = parent.frame()) {
  folder <- withr::local_tempdir(.local_envir = env)
  file <- file.path(folder, name)
  writeLines(code, file)
  scope <- new.env(parent = env)
  source(file, local = scope, keep.source = TRUE)
  scope
}

test_that("nodes carry the file and line of the R code, constants and lists too", {
  skip_if_no_torch()
  scope <- from_file(c(
    "# the first line", "f <- function(x) {", "  y <- torch_relu(x)", "  z <- y$view(c(x$size(1), -1)) +", "    20",
    "  z %>%", "    torch_exp() %>%", "    torch_log()", "}"
  ))
  text <- jit_trace(scope$f, torch_randn(2, 3))$graph$text
  nodes <- grep(" = ", strsplit(text, "\n", fixed = TRUE)[[1]], value = TRUE)
  line_of <- function(operator) unique(sub(".*# model.R:([0-9]+):.*", "\\1", grep(operator, nodes, value = TRUE, fixed = TRUE)))
  expect_true(all(grepl("# model.R:", nodes, fixed = TRUE)))
  expect_equal(line_of("aten::relu"), "3")
  expect_equal(line_of("aten::add"), "4")
  expect_equal(line_of("value=20."), "4")
  expect_equal(line_of("prim::ListConstruct"), "4")
  expect_equal(line_of("aten::exp"), "7")
  expect_equal(line_of("aten::log"), "8")
})

# The place of each operator of a trace of `f`: list("exp" = "model.R:7", ...).
operator_places <- function(f, x = torch_randn(2, 3)) {
  text <- strsplit(jit_trace(f, x, check_trace = FALSE)$graph$text, "\n", fixed = TRUE)[[1]]
  nodes <- regmatches(text, regexec("aten::(\\w+)\\(.* # (.*):[0-9]+$", text))
  nodes <- Filter(length, nodes)
  setNames(vapply(nodes, `[`, "", 3), vapply(nodes, `[`, "", 2))
}

test_that("steps of pipes have lines of their own", {
  skip_if_no_torch()
  scope <- from_file(c(
    "helper <- function(a, b) {", "  a * b", "}",
    "piped <- function(x) {", "  x %>% nnf_relu() %>%", "    torch_exp() %>%", "    helper(2) %>%", "    nnf_relu() %>%",
    "    { . + 1 } %>%", "    torch_matmul(torch_ones(3, 2)) %>% sqrt()", "}",
    "sequence <- . %>% torch_exp() %>%", "  torch_log()", "calling <- function(x) {", "  x <- torch_sin(x)", "  sequence(x)", "}",
    "nested <- function(x) {", "  y <- torch_relu(helper('\u00e4' %in% 'b',", "    torch_exp(x)))", "  lapply(list(y), . %>%",
    "    torch_sin() %>%", "    torch_cos())[[1]]", "}",
    "plain <- function(x) lapply(list(x), function(y) {", "  torch_exp(y)", "})[[1]]"
  ))
  expect_equal(operator_places(scope$piped), c(
    relu = "model.R:5", exp = "model.R:6", mul = "model.R:2", relu = "model.R:8", add = "model.R:9", ones = "model.R:10",
    matmul = "model.R:10", sqrt = "model.R:10"
  ))
  expect_equal(operator_places(scope$calling), c(sin = "model.R:15", exp = "model.R:16", log = "model.R:16"))
  expect_equal(
    operator_places(scope$nested), c(exp = "model.R:20", mul = "model.R:2", relu = "model.R:19", sin = "model.R:22", cos = "model.R:23")
  )
  expect_equal(operator_places(scope$plain), c(exp = "model.R:26"))
})

test_that("R's own pipe has a line for each step", {
  skip_if_no_torch()
  scope <- from_file(c("f <- function(x) {", "  x |>", "    torch_exp() |>", "    torch_log()", "}"))
  expect_equal(operator_places(scope$f), c(exp = "model.R:3", log = "model.R:4"))
})

test_that("without source references steps of pipes are calls of the function that has the pipe", {
  skip_if_no_torch()
  scope <- new.env()
  eval(parse(text = "
    f <- function(x) x %>% torch_exp() %>% { torch_log(.) } %>% torch_matmul(torch_ones(3, 2))
    g <- . %>% torch_exp() %>% torch_matmul(torch_ones(3, 2))
    h <- function(x) lapply(list(x), . %>% torch_matmul(torch_ones(3, 2)))[[1]]
    k <- function(x) lapply(list(x), torch_exp)[[1]]
    outer <- function(x) inner(x)
    u <- function(x) x + vapply(1:2, function(i) as.numeric(x[i]), 1)[1]
    v <- function(x) x %>% as.numeric() %>% torch_tensor() + x$sum()", keep.source = FALSE), scope)
  expect_equal(operator_places(scope$f), c(exp = "f:1", log = "f:1", ones = "f:1", matmul = "f:1"))
  expect_equal(operator_places(scope$k), c(exp = "f:1"))
  for (name in c("f", "g", "h")) {
    scope$inner <- scope[[name]]
    outer <- scope$outer
    traced <- jit_trace(outer, torch_randn(2, 3))
    expect_snapshot(traced(torch_randn(2, 4)), error = TRUE)
  }
  expect_warning(
    jit_trace(scope$u, torch_randn(2), check_trace = FALSE), "^`as.numeric\\(x\\[i\\]\\)` takes a value", class = "torch_tracer_warning"
  )
  expect_warning(
    jit_trace(scope$v, torch_randn(2), check_trace = FALSE), "^`as.numeric\\(\\)` takes a value", class = "torch_tracer_warning"
  )
})

test_that("the lines of layers are those of the user's forward", {
  skip_if_no_torch()
  scope <- from_file(c(
    "net <- nn_module(", "  initialize = function() {", "    self$l <- nn_linear(2, 2)", "  },", "  forward = function(x) {",
    "    y <- self$l(x)", "    nnf_relu(y)", "  }", ")"
  ))
  text <- jit_trace(scope$net(), torch_randn(1, 2))$graph$text
  expect_match(text, "aten::linear\\(.*# model.R:6:")
  expect_match(text, "aten::relu\\(.*# model.R:7:")
})

test_that("a run-time error shows the line, in R and in Python, also after a file", {
  skip_if_no_torch()
  scope <- from_file(c("f <- function(x, y) {", "  z <- x + 1", "  torch_matmul(z, y)", "}"), "broken.R")
  f <- jit_trace(scope$f, torch_randn(2, 3), torch_randn(3, 2))
  file <- withr::local_tempfile(fileext = ".pt")
  jit_save(f, file)
  for (program in list(f, jit_load(file))) {
    error <- expect_error(program(torch_randn(2, 3), torch_randn(4, 2)), class = "torch_error")
    lines <- strsplit(conditionMessage(error), "\n", fixed = TRUE)[[1]]
    # The problem comes first.
    expect_match(lines[1], "shapes cannot be multiplied")
    expect_match(conditionMessage(error), "File \"broken.R\", line 3", fixed = TRUE)
    expect_match(conditionMessage(error), "torch_matmul\\(z, y\\)\n *~+ <--- HERE")
  }
  message <- python_eval("
try:
  torch.jit.load(file)(torch.randn(2, 3), torch.randn(4, 2))
except Exception as e:
  result = str(e)", file = file)
  expect_match(message, "File \"broken.R\", line 3", fixed = TRUE)
})

test_that("without a file the text of the function stands for it", {
  skip_if_no_torch()
  f <- eval(parse(text = "function(x) {\n  y <- x * 2\n  torch_matmul(y, y)\n}", keep.source = FALSE))
  traced <- jit_trace(f, torch_randn(2, 2))
  error <- expect_error(traced(torch_randn(2, 3)), class = "torch_error")
  expect_match(conditionMessage(error), "torch_matmul\\(y, y\\)\n *~+ <--- HERE")
})

test_that("where a value leaves the trace one warning names the call, the file and the line", {
  skip_if_no_torch()
  scope <- from_file(c(
    "f <- function(x) {", "  a <- as.numeric(x$sum())", "  b <- x$mean()$item()", "  if (as.logical(x$sum() > 0)) x <- x + a",
    "  for (i in 1:2) x <- x * as.numeric(x$max())", "  n <- length(x)", "  x + b + n", "}"
  ))
  seen <- list()
  withCallingHandlers(traced <- jit_trace(scope$f, torch_tensor(c(1, 2))), warning = function(w) {
    seen <<- c(seen, list(w))
    invokeRestart("muffleWarning")
  })
  expect_length(seen, 5)
  for (w in seen) expect_s3_class(w, "torch_tracer_warning")
  expect_snapshot(writeLines(vapply(seen, conditionMessage, "")))
  # The values are those of the example.
  expect_equal(as.numeric(traced(torch_tensor(c(1, 2)))), as.numeric(scope$f(torch_tensor(c(1, 2)))))
})

test_that("looking at a value that does not go back into the graph by itself, as printing does, warns of nothing", {
  skip_if_no_torch()
  expect_no_warning(jit_trace(function(x) {
    utils::capture.output(print(x))
    utils::capture.output(str(x))
    x + as.numeric(torch_tensor(1))
  }, torch_tensor(1)))
})

test_that("a warning that becomes an error leaves the tracer closed", {
  skip_if_no_torch()
  f <- function(x) x + as.numeric(x)
  expect_error(tryCatch(jit_trace(f, torch_tensor(1)), torch_tracer_warning = function(w) stop("stopped")), "stopped")
  g <- function(x) x * sqrt(x$size(1))
  expect_error(tryCatch(jit_trace(g, torch_tensor(1)), torch_tracer_warning = function(w) stop("stopped")), "stopped")
  gc()
  expect_equal(as.numeric(jit_trace(function(x) x + 1, torch_tensor(1))(torch_tensor(2))), 3)
})

test_that("places are looked for frame by frame once, and made once", {
  skip_if_no_torch()
  # How often these were called.
  counted <- function(f) {
    calls <- c(trace_place = 0, new_place = 0)
    for (name in names(calls)) {
      tell <- local({
        name <- name
        function() calls[name] <<- calls[name] + 1
      })
      suppressMessages(trace(name, bquote(.(tell)()), where = asNamespace("torch"), print = FALSE))
    }
    on.exit(suppressMessages(untrace(names(calls), where = asNamespace("torch"))))
    jit_trace(f, torch_randn(2), check_trace = FALSE)
    calls
  }
  without <- eval(parse(text = "function(x) { for (i in 1:50) x <- nnf_relu(x) + 1; x }", keep.source = FALSE))
  scope <- from_file(c("f <- function(x) {", "  for (i in 1:50) {", "    x <- nnf_relu(x) +", "      1", "  }", "  x", "}"))
  for (f in list(without, scope$f)) {
    calls <- counted(f)
    expect_lte(max(calls), 6)
    expect_gt(min(calls), 0)
  }
})

test_that("modules that are called from one place are told apart", {
  skip_if_no_torch()
  net <- eval(parse(text = "nn_module('pair', initialize = function() {
    self$first <- nn_linear(2, 2)
    self$second <- nn_linear(2, 2)
  }, forward = function(x) {
    for (part in list(self$first, self$second)) x <- part(x)
    torch_exp(x)
  })", keep.source = FALSE))()
  text <- jit_trace(net, torch_randn(1, 2), respect_mode = FALSE)$graph$text
  nodes <- strsplit(text, "\n", fixed = TRUE)[[1]]
  linear <- grep("aten::linear(", nodes, value = TRUE, fixed = TRUE)
  expect_match(linear[1], "net$first", fixed = TRUE)
  expect_match(linear[2], "net$second", fixed = TRUE)
  expect_match(grep("aten::exp(", nodes, value = TRUE, fixed = TRUE), "# net, pair")
})
