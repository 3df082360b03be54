test_that("each expression is told with its line, what it became and its type", {
  skip_if_no_torch()
  f <- jit_script(eval(parse(text = "function(x, n = 3L) {
    for (i in seq_len(n)) x <- x * i
    y <- if (as.logical(sum(x) > 0)) torch_relu(x) else x
    list(y, n %/% 2L)
  }", keep.source = TRUE)[[1]]), torch_ones(2))
  table <- jit_explain_script(f)
  expect_s3_class(table, c("torch_script_explanation", "data.frame"), exact = TRUE)
  row <- function(expression) {
    found <- table[table$expression == expression, c("line", "became", "type")]
    unname(unlist(found[1, ]))
  }
  expect_equal(row("x * i"), c("2", "aten::mul", "Tensor"))
  expect_equal(row("torch_relu(x)"), c("3", "aten::relu", "Tensor"))
  expect_equal(row("n %/% 2L"), c("4", "aten::floordiv", "int"))
  loop <- table[grepl("^for", table$expression), ]
  expect_match(loop$became[1], "a loop")
  expect_match(table$became[grepl("^if", table$expression)][1], "a branch")
  expect_output(print(table), "aten::relu +Tensor")
})

test_that("functions that are called are told where they stand, and what is not compiled is refused", {
  skip_if_no_torch()
  double_it <- function(x) x + x
  table <- jit_explain_script(jit_script(function(x) double_it(x) - 1, torch_ones(1)))
  expect_true("x + x" %in% table$expression)
  layer <- nn_linear(2, 2)
  expect_true("aten::linear" %in% jit_explain_script(jit_script(layer, torch_ones(2)))$became)
  expect_equal(nrow(jit_explain_script(jit_compile("def f(x):\n  return x")$f)), 0)
  expect_snapshot(error = TRUE, jit_explain_script(sum))
})
