# Runs the house lints and the whole suite, or the test files that are named without `test-` and `.R`, on the installed
# package. The last line is `N passed, N failed, N skipped`.

Sys.setenv(NOT_CRAN = "true", TESTTHAT_PARALLEL = "false")
library(testthat)
library(torch)

lint_failed <- system2("tools/lint.sh") != 0

files <- commandArgs(TRUE)

results <- test_dir(
  "tests/testthat", filter = if (length(files)) paste0("^(", paste(files, collapse = "|"), ")$"),
  package = "torch", load_package = "installed", stop_on_failure = FALSE,
  reporter = ProgressReporter$new(max_failures = Inf, show_praise = FALSE, update_interval = Inf)
)

expectations <- unlist(lapply(results, `[[`, "results"), recursive = FALSE)
count <- function(...) sum(vapply(expectations, inherits, NA, paste0("expectation_", c(...))))
failed <- count("failure", "error") + lint_failed
cat(sprintf("%d passed, %d failed, %d skipped\n", count("success") + !lint_failed, failed, count("skip")))
quit(status = if (failed > 0) 1 else 0)
