# Reads files that were damaged at random, by all readers but jit_load()'s (see fuzz-files.R), in child processes: none may end
# the process, hang, take more memory than the file may need or leave some behind, or give an error that is not the package's.
# Run with the package installed: Rscript tools/fuzz-readers.R [files = 1e5] [seed = 1]

options <- commandArgs(TRUE)
n <- if (length(options) > 0) as.numeric(options[1]) else 1e5
seed <- if (length(options) > 1) as.integer(options[2]) else 1L
suppressMessages(library(torch))
# Half of the time would be spent on where errors come from.
options("rlang:::disable_trace_capture" = TRUE)
source("tools/fuzz-children.R")
home <- new.env(parent = asNamespace("torch"))
for (helper in c("save", "archive", "install", "fuzz-readers")) source(sprintf("tests/testthat/helper-%s.R", helper), local = home)
seeds <- if (nzchar(Sys.getenv("FUZZ_CHILD"))) home$reader_seeds("tests/testthat/fixtures/cran-torch-0.17")
tally <- Sys.getenv("FUZZ_TALLY")

fuzz_in_children(
  n, "tools/fuzz-readers.R", function(i, before) {
    said <- home$read_damaged(i, seed, seeds)
    if (nzchar(tally)) cat(names(seeds)[i %% length(seeds) + 1], said, "\n", file = tally, append = TRUE)
    if (!said %in% c("read", "refused")) said
  },
  function(i) sprintf("file %d of seed %d", as.integer(i), seed), each_child = 2000
)
