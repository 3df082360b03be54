# Reads programs that lie about types, in child processes, and calls what could be read: none may end the process or
# hang. Run with the package installed: Rscript tools/fuzz-files.R [programs = 5000] [seed = 1]
# With FUZZ_CHILD set this is a child: it writes the number of each program before it reads it.

options <- commandArgs(TRUE)
n <- if (length(options) > 0) as.numeric(options[1]) else 5000
seed <- if (length(options) > 1) as.integer(options[2]) else 1L
suppressMessages(library(torch))
home <- new.env(parent = asNamespace("torch"))
for (file in c("helper-archive.R", "helper-fuzz-files.R")) source(file.path("tests/testthat", file), local = home)

child <- Sys.getenv("FUZZ_CHILD")
if (nzchar(child)) {
  torch_set_num_threads(1)
  archives <- home$lie_archives()
  for (k in seq(as.integer(Sys.getenv("FUZZ_FROM")), n)) {
    cat(k, "\n", file = child, append = TRUE)
    cat(k, home$run_lie(home$lie_file(k, seed, archives)), "\n", file = child, append = TRUE)
  }
  quit(status = 0)
}

log <- tempfile()
problems <- 0
from <- 1
outcomes <- character()
started <- Sys.time()
while (from <= n) {
  unlink(log)
  status <- suppressWarnings(system2(
    "timeout", c("-s", "KILL", "300", "sh", "-c", shQuote(paste("ulimit -v 20000000; exec Rscript tools/fuzz-files.R", paste(options, collapse = " ")))),
    env = c(paste0("FUZZ_CHILD=", log), paste0("FUZZ_FROM=", from)), stdout = FALSE, stderr = FALSE
  ))
  if (!file.exists(log)) stop("The child process did not start.")
  lines <- readLines(log, warn = FALSE)
  outcomes <- c(outcomes, sub("^[0-9]+ *", "", lines[grepl(" [a-z]", lines)]))
  last <- as.numeric(sub(" .*", "", utils::tail(lines, 1)))
  if (status == 0) break
  # A slow machine may not be through with so many in time.
  if (grepl(" [a-z]", utils::tail(lines, 1))) {
    from <- last + 1
    next
  }
  if (status == 1) stop(sprintf("Program %d of seed %d could not be made.", last, seed))
  problems <- problems + 1
  cat(sprintf("program %d of seed %d %s\n", last, seed, if (status == 137) "hangs" else "ends the process"))
  from <- last + 1
}
counts <- table(outcomes)
cat(sprintf("%d %s\n", counts, trimws(names(counts))), sep = "")
cat(sprintf("%d programs, %d problems, %.0f s\n", as.integer(n), problems, as.numeric(difftime(Sys.time(), started, units = "secs"))))
quit(status = if (problems) 1 else 0)
