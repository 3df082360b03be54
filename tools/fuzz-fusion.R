# usage: Rscript tools/fuzz-fusion.R [N [FIRST]]
# Fuses N random functions and compares values and gradients with those of single operators. One that differs is printed with
# its seed.

library(torch)
here <- new.env(parent = asNamespace("torch"))
sys.source("tests/testthat/helper-fuser.R", here)
arguments <- as.integer(commandArgs(TRUE))
n <- if (length(arguments)) arguments[1] else 10000L
first <- if (length(arguments) > 1) arguments[2] else 1L
wrong <- 0L
for (seed in first + seq_len(n) - 1L) {
  difference <- here$random_fusion_difference(seed)
  if (is.null(difference)) next
  wrong <- wrong + 1L
  set.seed(seed)
  torch_manual_seed(seed)
  cat("seed ", seed, ": ", difference, "\n", paste(deparse(here$random_fused_function()), collapse = "\n"), "\n\n", sep = "")
}
cat(n, "functions,", wrong, "differ\n")
if (wrong) quit(status = 1)
