# Calls every operator of the table with random arguments, fitting and not, in child processes, and reports what no call
# may do: end the process, hang, or leave memory behind. Run with the package installed:
# Rscript tools/fuzz.R [calls = 1e5] [seed = 1] [operator ...]
# With FUZZ_CHILD set this is a child: it writes the number of each call before it makes it.

options <- commandArgs(TRUE)
n_calls <- if (length(options) > 0) as.numeric(options[1]) else 1e5
seed <- if (length(options) > 1) as.integer(options[2]) else 1L
suppressMessages(library(torch))
home <- new.env(parent = asNamespace("torch"))
source("tests/testthat/helper-fuzz.R", local = home)
operators <- if (length(options) > 2) options[-(1:2)] else home$fuzz_operators()
each <- max(1, round(n_calls / length(operators)))

child <- Sys.getenv("FUZZ_CHILD")
if (nzchar(child)) {
  torch_set_num_threads(1)
  live <- function() {
    gc()
    torch:::cpp_memory_stats(FALSE)[["live"]]
  }
  before <- live()
  for (i in seq(as.integer(Sys.getenv("FUZZ_FROM")), as.integer(Sys.getenv("FUZZ_TO")))) {
    home$fuzz_operator(operators[i], each, seed, function(k) cat(i, k, "\n", file = child, append = TRUE))
  }
  cat("done", live() - before, "\n", file = child, append = TRUE)
  quit(status = 0)
}

log <- tempfile()
from <- 1
problems <- 0
started <- Sys.time()
report <- function(...) {
  problems <<- problems + 1
  cat(sprintf(...), "\n", sep = "")
}
# A slow machine may not be through with so many in time: the last one is called alone before it counts as hanging.
alone <- FALSE
while (from <= length(operators)) {
  to <- if (alone) from else min(from + 99, length(operators))
  unlink(log)
  status <- suppressWarnings(system2(
    "timeout", c("300", "sh", "-c", shQuote(paste("ulimit -v 20000000; exec Rscript tools/fuzz.R", paste(options, collapse = " ")))),
    env = c(paste0("FUZZ_CHILD=", log), paste0("FUZZ_FROM=", from), paste0("FUZZ_TO=", to)), stdout = FALSE, stderr = FALSE
  ))
  if (!file.exists(log)) stop("The child process did not start.")
  last <- strsplit(utils::tail(readLines(log, warn = FALSE), 1), " ")[[1]]
  if (last[1] == "done") {
    # What LibTorch keeps for itself, such as caches and singletons, is small.
    if (as.numeric(last[2]) > 2^20) report("%s to %s: %s bytes are left behind", operators[from], operators[to], last[2])
    from <- to + 1
    alone <- FALSE
  } else if (status == 124 && !alone) {
    from <- as.numeric(last[1])
    alone <- TRUE
  } else {
    at <- as.numeric(last)
    alone <- FALSE
    if (status == 1) stop(sprintf("The arguments of call %s of %s could not be made.", at[2], operators[at[1]]))
    report("%s: call %s of seed %d %s", operators[at[1]], at[2], seed, if (status == 124) "hangs" else "ends the process")
    from <- at[1] + 1
  }
}
cat(sprintf(
  "%d operators, %d calls each, %d problems, %.0f s\n", length(operators), each, problems,
  as.numeric(difftime(Sys.time(), started, units = "secs"))
))
quit(status = if (problems) 1 else 0)
