test_that("every exported function has a page", {
  aliases <- readRDS(system.file("help/aliases.rds", package = "torch"))
  # R's own tables of S4 methods have names that begin like this.
  exports <- grep("^[.]__", getNamespaceExports("torch"), value = TRUE, invert = TRUE)
  expect_identical(setdiff(exports, names(aliases)), character())
})

test_that("the table of titles holds the exported operators, each once", {
  titles <- torch:::read_titles()
  expect_identical(anyDuplicated(titles$operator), 0L)
  made <- Filter(function(name) torch:::is_op_function(get(name, asNamespace("torch"))), readLines(torch:::op_file("exports.txt")))
  named <- vapply(titles$operator, torch:::op_function_name, "", USE.NAMES = FALSE)
  expect_identical(sort(named), sort(made))
  expect_true(all(nzchar(titles$title) & !endsWith(titles$title, ".")))
})

test_that("a page tells signatures, arguments, what counts from 1 and schemas", {
  page <- torch:::op_page("sorting")
  expect_true(any(page == "torch_topk(self, k, dim = -1L, largest = TRUE, sorted = TRUE)"))
  expect_match(page, "`torch_topk()`: the k largest elements along `dim`, and their positions. From 1: `dim`, result 2.", fixed = TRUE, all = FALSE)
  expect_match(page, "topk(Tensor self, SymInt k", fixed = TRUE, all = FALSE)
  expect_no_match(page, "Tensor(a!) values", fixed = TRUE)
})
