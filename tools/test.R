# Runs the house lints and the whole suite, or the test files that are named without `test-` and `.R`, on the installed
# package, in two processes side by side: test files wait for children and compilers more than they compute. Both take
# files from one queue. The last line is `N passed, N failed, N skipped`; the lines before it name what failed, and the
# file at which a process ended. `--queue FOLDER RESULT` before the names: those that no other process with this FOLDER
# took, in this process; RESULT is a file that gets a line for each file begun and done, and for each expectation.

suite <- "tests/testthat"
processes <- 2

run <- function(names, queue, result) {
  Sys.setenv(NOT_CRAN = "true", TESTTHAT_PARALLEL = "false")
  library(testthat)
  library(torch)
  say <- function(...) cat(..., "\n", file = result, sep = "", append = TRUE)
  # Written as the tests run: what a test that ends the process leaves behind tells which file that was. The summary of
  # all files is made by the process that reads the results.
  reporter <- R6::R6Class(inherit = ProgressReporter, public = list(
    start_reporter = function(context) self$start_time <- proc.time(),
    end_reporter = function() NULL,
    add_result = function(context, test, result) {
      say(outcome(result, test, self$file_name))
      super$add_result(context, test, result)
    }
  ))
  environment <- test_env("torch")
  source_test_helpers(suite, environment)
  for (name in names) {
    # Only one process can make the folder.
    if (!dir.create(file.path(queue, name), showWarnings = FALSE)) next
    say("file test-", name, ".R")
    took <- system.time(test_file(
      file.path(suite, paste0("test-", name, ".R")),
      reporter = reporter$new(max_failures = Inf, show_praise = FALSE, update_interval = Inf),
      package = "torch", load_package = "installed", load_helpers = FALSE, env = new.env(parent = environment)
    ))
    say(sprintf("took %.1f %s", took[["elapsed"]], name))
  }
  say("end")
}

# An expectation in one line.
outcome <- function(expectation, test, file) {
  kind <- sub("^expectation_", "", class(expectation)[1])
  message <- gsub("[[:space:]]+", " ", cli::ansi_strip(conditionMessage(expectation)))
  if (kind == "skip") return(paste("skip:", sub("^Reason: ", "", message)))
  if (!kind %in% c("failure", "error")) return(kind)
  line <- if (is.null(expectation$srcref)) "?" else expectation$srcref[1]
  sprintf("failed: %s:%s (%s): %s", file, line, test, substr(message, 1, 200))
}

arguments <- commandArgs(TRUE)
if (identical(arguments[1], "--queue")) {
  run(arguments[-(1:3)], arguments[2], arguments[3])
  quit(status = 0)
}

lint_failed <- system2("tools/lint.sh") != 0
files <- list.files(suite, "^test-.*[.]R$", full.names = TRUE)
names <- sub("^test-(.*)[.]R$", "\\1", basename(files))
if (length(arguments)) {
  files <- files[names %in% arguments]
  names <- names[names %in% arguments]
}
# The longest first, so that no process has a long one left at the end: those that wait for children or call every
# operator as they were measured, then by size.
slow <- c(
  "jit-depth", "examples", "jit-archive", "memory", "jit-ops", "ops-oracle", "jit-lies", "interrupt", "fuzz", "data-worker",
  "gradcheck", "install"
)
names <- names[order(match(names, slow, nomatch = length(slow) + 1), -file.size(files))]

folder <- tempfile("queue-")
queue <- file.path(folder, "taken")
dir.create(queue, recursive = TRUE)
result <- file.path(folder, seq_len(min(processes, length(names))))
# Threads that wait for each other take turns on a core that is busy with something else, hundreds of times slower than one thread.
threads <- max(1, parallel::detectCores() %/% length(result), na.rm = TRUE)
running <- lapply(result, function(result) {
  processx::process$new(
    file.path(R.home("bin"), "Rscript"), c("tools/test.R", "--queue", queue, result, names),
    stdout = paste0(result, ".log"), stderr = "2>&1", cleanup_tree = TRUE,
    env = c("current", OMP_NUM_THREADS = threads)
  )
})
for (i in seq_along(running)) {
  running[[i]]$wait()
  writeLines(readLines(paste0(result[i], ".log"), warn = FALSE))
}
said <- lapply(result, function(file) if (file.exists(file)) readLines(file, warn = FALSE))
failed <- unlist(lapply(said, function(lines) {
  at <- tail(c("R ended before the first file", sub("^file ", "R ended in ", grep("^file ", lines, value = TRUE))), 1)
  c(grep("^failed: ", lines, value = TRUE), if (!"end" %in% lines) paste("failed:", at))
}))
never <- setdiff(names, list.files(queue))
failed <- c(
  if (lint_failed) "failed: tools/lint.sh", failed, sprintf("failed: test-%s.R was not reached", never)
)
said <- unlist(said)
took <- sub("^took ", "", grep("^took ", said, value = TRUE))
took <- took[order(-as.numeric(sub(" .*", "", took)))]
cat("seconds: ", paste(head(took, 12), collapse = ", "), "\n", sep = "")
skipped <- sub("^skip: ", "", grep("^skip: ", said, value = TRUE))
for (reason in unique(skipped)) cat("skipped ", sum(skipped == reason), ": ", reason, "\n", sep = "")
writeLines(as.character(failed))
cat(sprintf(
  "%d passed, %d failed, %d skipped\n", sum(said == "success") + !lint_failed, length(failed), length(skipped)
))
quit(status = if (length(failed)) 1 else 0)
