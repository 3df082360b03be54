# Runs the house lints and the whole suite, or the test files that are named without `test-` and `.R`, on the installed
# package, in two processes side by side: test files wait for children and compilers more than they compute. The last
# line is `N passed, N failed, N skipped`. `--result FILE` before the names: in this process, the counts go into a file.

suite <- "tests/testthat"
shards <- 2

run <- function(names, result) {
  Sys.setenv(NOT_CRAN = "true", TESTTHAT_PARALLEL = "false")
  library(testthat)
  library(torch)
  results <- test_dir(
    suite,
    filter = paste0("^(", paste(names, collapse = "|"), ")$"), package = "torch", load_package = "installed",
    stop_on_failure = FALSE, reporter = ProgressReporter$new(max_failures = Inf, show_praise = FALSE, update_interval = Inf)
  )
  expectations <- unlist(lapply(results, `[[`, "results"), recursive = FALSE)
  count <- function(...) sum(vapply(expectations, inherits, NA, paste0("expectation_", c(...))))
  writeLines(as.character(c(count("success"), count("failure", "error"), count("skip"))), result)
}

arguments <- commandArgs(TRUE)
if (identical(arguments[1], "--result")) {
  run(arguments[-(1:2)], arguments[2])
  quit(status = 0)
}

lint_failed <- system2("tools/lint.sh") != 0
files <- list.files(suite, "^test-.*[.]R$", full.names = TRUE)
names <- sub("^test-(.*)[.]R$", "\\1", basename(files))
if (length(arguments)) {
  files <- files[names %in% arguments]
  names <- names[names %in% arguments]
}
# The shards take turns: first the files that wait for children or call every operator, then by size.
slow <- grepl("^(jit-depth|jit-archive|fuzz|ops-oracle|gradcheck|install|interrupt|examples)$", names)
names <- names[order(!slow, -file.size(files))]
shard <- split(names, seq_along(names) %% shards)

folder <- tempfile("shards-")
dir.create(folder)
result <- file.path(folder, seq_along(shard))
running <- Map(function(names, result) {
  processx::process$new(
    file.path(R.home("bin"), "Rscript"), c("tools/test.R", "--result", result, names),
    stdout = paste0(result, ".log"), stderr = "2>&1", cleanup_tree = TRUE
  )
}, shard, result)
for (i in seq_along(running)) {
  running[[i]]$wait()
  writeLines(readLines(paste0(result[i], ".log"), warn = FALSE))
}
# A shard that ended before it counted is a failure that nobody counted.
counts <- vapply(result, function(file) if (file.exists(file)) as.integer(readLines(file)) else c(0L, 1L, 0L), integer(3))
total <- rowSums(counts) + c(!lint_failed, lint_failed, 0)
cat(sprintf("%d passed, %d failed, %d skipped\n", total[1], total[2], total[3]))
quit(status = if (total[2] > 0) 1 else 0)
