test_that("every name that R users know is there, takes what they give, and is held against an oracle", {
  skip_if_no_torch()
  known <- coverage_table()
  wrong <- known[known$verdict == "wrong", c("name", "note")]
  expect_identical(wrong, wrong[0, ])
  counted <- known$verdict %in% c("works and agrees", "left out")
  expect_gt(sum(counted), 1000)
  expect_lt(mean(known$verdict[counted] == "left out"), 0.01)
})

test_that("a name that is missing, has other formals or has no test is found", {
  skip_if_no_torch()
  known <- data.frame(
    name = c("torch_nothing", "torch_abs", "torch_abs", "torch_tensor", "$nothing", "$sum", "$device", "nn_linear"),
    formals = c("(self)", "(self, other)", "(self)", "(data, dtype = NULL)", "()", "(dim, keepdim = TRUE)", "", "()"),
    area = c("pointwise", "pointwise", "pointwise", "tensor creation", "method", "method", "method", "nn")
  )
  oracle <- data.frame(name = "torch_abs", agree = TRUE, how = "error", difference = "")
  table <- coverage_table(known, oracle)
  expect_identical(table$verdict, c("wrong", "wrong", "wrong", "works and agrees", "wrong", "wrong", "wrong", "another family"))
  expect_match(table$note, "missing|other formals|gives values|test-tensor.R|a method is a field|^$")
  oracle <- data.frame(name = "torch_abs", agree = c(TRUE, FALSE), how = "values", difference = c("", "values 1, not 2"))
  expect_identical(coverage_table(known[3, ], oracle)$note, "values 1, not 2")
  expect_false(test_mentions("test-ops.R", "torch_no_such_function"))
  expect_false(test_mentions("test-no-such-file.R", "torch_abs"))
})

test_that("every name stands once, and none that nobody knows", {
  expect_false(anyDuplicated(coverage_names()$name) > 0)
  expect_identical(setdiff(fixture("coverage.tsv")$name, coverage_names()$name), character())
  expect_false(anyDuplicated(fixture("coverage.tsv")$name) > 0)
})
