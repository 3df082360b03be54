# usage: Rscript tools/fuzz-script.R [N [FIRST]]
# Compiles N random R programs and compares what they give with what R gives. A program that differs is printed with its
# seed.

library(torch)
library(rlang)
source("tests/testthat/helper-script-random.R")
arguments <- as.integer(commandArgs(TRUE))
n <- if (length(arguments)) arguments[1] else 10000L
first <- if (length(arguments) > 1) arguments[2] else 1L
wrong <- 0L
for (seed in first + seq_len(n) - 1L) {
  difference <- random_difference(seed)
  if (is.null(difference)) next
  wrong <- wrong + 1L
  cat("seed ", seed, ": ", difference, "\n", paste(deparse(random_program(seed)), collapse = "\n"), "\n\n", sep = "")
}
cat(n, "programs,", wrong, "differ\n")
if (wrong) quit(status = 1)
