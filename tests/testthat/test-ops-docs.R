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
  page <- torch:::op_page("reductions")
  expect_true(any(page == "torch_cummax(self, dim)"))
  expect_match(page, "`torch_cummax()`: largest element so far, and its position. From 1: `dim`, result 2.", fixed = TRUE, all = FALSE)
  expect_match(page, "cummax(Tensor self, int dim)", fixed = TRUE, all = FALSE)
  expect_no_match(page, "Tensor(a!) values", fixed = TRUE)
})

test_that("an operator with a page of its own is linked from its family's, and described there alone", {
  page <- torch:::op_page("sorting")
  expect_match(page, "[`torch_topk()`][torch_topk]: the k largest", fixed = TRUE, all = FALSE)
  # A line of one word after a bare link would be the definition of that link.
  for (family in unique(torch:::read_titles()$family)) {
    expect_no_match(torch:::op_page(family), "^[*] \\[[^]]*\\]: ", info = family)
  }
  expect_false(any(grepl("@usage|@aliases", page)))
})

test_that("pages of one operator name what exists, and their examples run", {
  skip_if_no_torch()
  aliases <- names(readRDS(system.file("help/aliases.rds", package = "torch")))
  pages <- torch:::read_pages()
  names <- vapply(pages, `[[`, "", "Page")
  expect_identical(anyDuplicated(names), 0L)
  expect_identical(setdiff(names, aliases), character())
  see <- unlist(lapply(pages, function(page) strsplit(page$See, ", *")))
  expect_identical(setdiff(see, aliases), character())
  for (page in pages) {
    expect_no_error(capture.output(withr::with_preserve_seed(eval(parse(text = page$Example), new.env()))))
  }
})
