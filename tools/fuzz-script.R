# usage: Rscript tools/fuzz-script.R [N [FIRST]]
# Compiles N random R programs and compares what they give with what R gives, loops as machine code where they can be. Every
# second program is of numbers alone. A program that differs is printed with its seed.

library(torch)
library(rlang)
source("tests/testthat/helper-script-random.R")
arguments <- as.integer(commandArgs(TRUE))
n <- if (length(arguments)) arguments[1] else 10000L
first <- if (length(arguments) > 1) arguments[2] else 1L
wrong <- 0L
if (!is.null(torch:::kernel_compiler())) torch:::cpp_fuser_at_once(TRUE)
for (seed in first + seq_len(n) - 1L) {
  numbers <- seed %% 2L == 0L
  difference <- random_difference(seed, numbers)
  if (is.null(difference)) next
  wrong <- wrong + 1L
  cat("seed ", seed, ": ", difference, "\n", paste(deparse(if (numbers) random_number_program(seed) else random_program(seed)), collapse = "\n"), "\n\n", sep = "")
}
cat(n, "programs,", wrong, "differ\n")
if (wrong) quit(status = 1)
