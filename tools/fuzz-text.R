# Compiles random TorchScript text, most of it nearly right, and calls what compiles. Run with the package installed:
# Rscript tools/fuzz-text.R [texts = 20000] [seed = 1] [number of one text, which is printed first]

options <- commandArgs(TRUE)
n <- if (length(options) > 0) as.numeric(options[1]) else 20000
seed <- if (length(options) > 1) as.integer(options[2]) else 1L
suppressMessages(library(torch))
source("tools/fuzz-children.R")
home <- new.env(parent = asNamespace("torch"))
for (helper in c("fuzz", "fuzz-text")) source(sprintf("tests/testthat/helper-%s.R", helper), local = home)

if (length(options) > 2) {
  cat(home$fuzz_text(as.integer(options[3]), seed))
  print(home$fuzz_compile(as.integer(options[3]), seed))
} else {
  fuzz_in_children(
    n, "tools/fuzz-text.R", function(i, before) home$fuzz_compile(i, seed),
    function(i) sprintf("text %d of seed %d", i, seed), each_child = 1000
  )
}
