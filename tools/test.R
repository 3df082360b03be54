# Runs the house lints and the whole suite, or the test files that are named without `test-` and `.R`, on the installed
# package, in two processes side by side: test files wait for children and compilers more than they compute. The last
# line is `N passed, N failed, N skipped`, the lines before it name what failed. `--result FILE` before the names: in this
# process, with a line in FILE for each file begun and each expectation.

suite <- "tests/testthat"
shards <- 2

run <- function(names, result) {
  Sys.setenv(NOT_CRAN = "true", TESTTHAT_PARALLEL = "false")
  library(testthat)
  library(torch)
  say <- function(...) cat(..., "\n", file = result, sep = "", append = TRUE)
  # Written as the tests run: what a test that ends the process leaves behind tells which file that was.
  reporter <- R6::R6Class(inherit = ProgressReporter, public = list(
    start_file = function(file) {
      say("file ", file)
      super$start_file(file)
    },
    add_result = function(context, test, result) {
      say(outcome(result, test, self$file_name))
      super$add_result(context, test, result)
    }
  ))
  test_dir(
    suite,
    filter = paste0("^(", paste(names, collapse = "|"), ")$"), package = "torch", load_package = "installed",
    stop_on_failure = FALSE, reporter = reporter$new(max_failures = Inf, show_praise = FALSE, update_interval = Inf)
  )
  say("end")
}

# An expectation in one line.
outcome <- function(expectation, test, file) {
  kind <- sub("^expectation_", "", class(expectation)[1])
  if (!kind %in% c("failure", "error")) return(kind)
  line <- if (is.null(expectation$srcref)) "?" else expectation$srcref[1]
  message <- gsub("[[:space:]]+", " ", cli::ansi_strip(conditionMessage(expectation)))
  sprintf("failed: %s:%s (%s): %s", file, line, test, substr(message, 1, 200))
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
said <- lapply(result, function(file) if (file.exists(file)) readLines(file, warn = FALSE))
failed <- unlist(lapply(said, function(lines) {
  at <- tail(c("R ended before the first file", sub("^file ", "R ended in ", grep("^file ", lines, value = TRUE))), 1)
  c(grep("^failed: ", lines, value = TRUE), if (!"end" %in% lines) paste("failed:", at))
}))
failed <- c(if (lint_failed) "failed: tools/lint.sh", failed)
said <- unlist(said)
writeLines(as.character(failed))
cat(sprintf(
  "%d passed, %d failed, %d skipped\n", sum(said == "success") + !lint_failed, length(failed), sum(said == "skip")
))
quit(status = if (length(failed)) 1 else 0)
