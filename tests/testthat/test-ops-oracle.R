# A seeded share of the cases that tools/oracle.R runs whole.
test_that("operators agree with PyTorch on the same data", {
  skip_if_older("2.0")
  cases <- oracle_cases(1)
  # Of each operator some, so that none is left out.
  share <- withr::with_seed(2, unlist(tapply(seq_along(cases), vapply(cases, `[[`, "", "name"), function(i) i[sample(length(i), min(length(i), 5))])))
  table <- suppressWarnings(oracle_compare(cases[share]))
  expect_gt(nrow(table), 1400)
  expect_identical(table[!table$agree, c("name", "difference")], table[0, c("name", "difference")])
  # Most of them give values: an error on both sides tells little.
  expect_gt(mean(table$how == "values"), 0.8)
  expect_identical(setdiff(c(oracle_names()$name, paste0("$", oracle_members()$name)), table$name), character())
})
