# What the fuzzers share: cases run in child processes, which write the number of each before they come to it, and what no
# case may do is reported: end the process, hang, leave memory behind, or answer wrongly.

# Case `i` of `n` is run(i, before): it calls before(k) ahead of each of its steps and gives a text where an answer was
# wrong. `script` is the script that runs, which is started again for each child; name(i) says what case `i` is.
fuzz_in_children <- function(n, script, run, name, each_child = 100) {
  options <- commandArgs(TRUE)
  child <- Sys.getenv("FUZZ_CHILD")
  if (nzchar(child)) {
    torch_set_num_threads(1)
    live <- function() {
      gc()
      torch:::cpp_memory_stats(FALSE)[["live"]]
    }
    before <- live()
    say <- function(...) cat(..., "\n", file = child, append = TRUE)
    for (i in seq(as.integer(Sys.getenv("FUZZ_FROM")), as.integer(Sys.getenv("FUZZ_TO")))) {
      say(i, 0)
      wrong <- run(i, function(k) say(i, k))
      if (is.character(wrong)) for (text in wrong) say("wrong", i, gsub("\n", " | ", text))
    }
    say("done", live() - before)
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
  # A slow machine may not be through with so many in time: the last one is run alone before it counts as hanging.
  alone <- FALSE
  while (from <= n) {
    to <- if (alone) from else min(from + each_child - 1, n)
    unlink(log)
    status <- suppressWarnings(system2(
      "timeout", c("300", "sh", "-c", shQuote(paste("ulimit -v 20000000; exec Rscript", script, paste(options, collapse = " ")))),
      env = c(paste0("FUZZ_CHILD=", log), paste0("FUZZ_FROM=", from), paste0("FUZZ_TO=", to)), stdout = FALSE, stderr = FALSE
    ))
    if (!file.exists(log)) stop("The child process did not start.")
    lines <- readLines(log, warn = FALSE)
    for (line in grep("^wrong ", lines, value = TRUE)) {
      report("%s: %s", name(as.integer(sub("^wrong (\\d+) .*", "\\1", line))), sub("^wrong \\d+ ", "", line))
    }
    last <- strsplit(utils::tail(grep("^wrong ", lines, value = TRUE, invert = TRUE), 1), " ")[[1]]
    if (last[1] == "done") {
      # What LibTorch keeps for itself, such as caches and singletons, is small.
      if (as.numeric(last[2]) > 2^20) report("%s to %s: %s bytes are left behind", name(from), name(to), last[2])
      from <- to + 1
      alone <- FALSE
    } else if (status == 124 && !alone) {
      from <- as.numeric(last[1])
      alone <- TRUE
    } else {
      at <- as.numeric(last)
      alone <- FALSE
      if (status == 1) stop(sprintf("Step %s of %s could not be made.", at[2], name(at[1])))
      report("%s: step %s %s", name(at[1]), at[2], if (status == 124) "hangs" else "ends the process")
      from <- at[1] + 1
    }
  }
  cat(sprintf("%d cases, %d problems, %.0f s\n", n, problems, as.numeric(difftime(Sys.time(), started, units = "secs"))))
  quit(status = if (problems) 1 else 0)
}
