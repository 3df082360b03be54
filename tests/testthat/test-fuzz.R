# A seeded share of what tools/fuzz.R does, in a process of its own, which a crash would end.
test_that("random calls of the exported operators end no process and leave no memory", {
  skip_if_no_torch()
  result <- callr::r(function(helper) {
    library(torch)
    home <- new.env(parent = asNamespace("torch"))
    sys.source(helper, home)
    torch_set_num_threads(1)
    operators <- intersect(home$fuzz_operators(), sub("^torch_", "", readLines(torch:::op_file("exports.txt"))))
    live <- function() {
      gc()
      torch:::cpp_memory_stats(FALSE)[["live"]]
    }
    invisible(live())
    before <- live()
    values <- vapply(operators, function(operator) home$fuzz_operator(operator, 4, 5), 1)
    list(operators = length(operators), values = sum(values), left = live() - before)
  }, list(normalizePath(test_path("helper-fuzz.R"))), timeout = 120)
  expect_gt(result$operators, 300)
  # Many calls must fit, else nothing was tried.
  expect_gt(result$values, 300)
  expect_lt(result$left, 2^20)
})

test_that("an operator that would end the process is refused", {
  skip_if_no_torch()
  expect_error(call_torch_function("torch_embedding_backward", quiet = TRUE), "does not check", class = "not_implemented_error")
  expect_error(jit_ops$aten$embedding_backward(), "does not check", class = "not_implemented_error")
})

test_that("random calls inside traces and random text end no process, and a trace goes on after what failed", {
  skip_if_no_torch()
  result <- callr::r(function(helpers) {
    library(torch)
    home <- new.env(parent = asNamespace("torch"))
    for (helper in helpers) sys.source(helper, home)
    torch_set_num_threads(1)
    operators <- intersect(home$fuzz_operators(), sub("^torch_", "", readLines(torch:::op_file("exports.txt"))))
    operators <- operators[seq(1, length(operators), 4)]
    wrong <- lapply(operators, home$fuzz_traced, 1, 5)
    list(wrong = unlist(wrong), compiled = sum(vapply(1:200, home$fuzz_compile, NA, 5)))
  }, list(normalizePath(test_path(sprintf("helper-fuzz%s.R", c("", "-trace", "-text"))))), timeout = 180)
  expect_equal(result$wrong, character())
  # Some of it must be right, else only the parser was tried.
  expect_gt(result$compiled, 5)
})
