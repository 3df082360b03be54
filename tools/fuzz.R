# Calls every operator of the table with random arguments, fitting and not, eagerly or inside a trace. Run with the
# package installed: Rscript tools/fuzz.R [calls = 1e5] [seed = 1] [operator ...]
# With FUZZ_TRACE set the calls are made inside jit_trace(), with sizes and tensors of the trace among the arguments.

options <- commandArgs(TRUE)
n_calls <- if (length(options) > 0) as.numeric(options[1]) else 1e5
seed <- if (length(options) > 1) as.integer(options[2]) else 1L
suppressMessages(library(torch))
source("tools/fuzz-children.R")
home <- new.env(parent = asNamespace("torch"))
for (helper in c("fuzz", "fuzz-trace")) source(sprintf("tests/testthat/helper-%s.R", helper), local = home)
operators <- if (length(options) > 2) options[-(1:2)] else home$fuzz_operators()
each <- max(1, round(n_calls / length(operators)))
call <- if (nzchar(Sys.getenv("FUZZ_TRACE"))) home$fuzz_traced else home$fuzz_operator

fuzz_in_children(
  length(operators), "tools/fuzz.R", function(i, before) call(operators[i], each, seed, before),
  function(i) sprintf("%s (seed %d)", operators[i], seed)
)
