# Prints for every name that R users know whether it works and agrees with an oracle, or why it is left out: the functions
# of exports.tsv and the methods and fields of tensor-methods.tsv, from ../shared/api where it is there, else from
# tests/testthat/fixtures. What is built on tensors (layers, optimisers, data, ...) comes in a block of its own and does not
# count. Run with the package installed: Rscript tools/coverage.R [seed]. Ends with status 1 if a name is wrong or 1 % are
# left out.
suppressMessages({
  library(testthat)
  library(torch)
})
home <- new.env(parent = asNamespace("torch"))
for (helper in c("python", "oracle-cases", "oracle-methods", "oracle", "coverage", "coverage-classes")) {
  source(sprintf("tests/testthat/helper-%s.R", helper), local = home)
}
options <- commandArgs(TRUE)
seed <- if (length(options)) as.integer(options[1]) else 1L
api <- normalizePath("../shared/api", mustWork = FALSE)
read <- function(name) {
  file <- file.path(api, name)
  if (!file.exists(file)) return(home$fixture(name))
  utils::read.delim(file, quote = "", comment.char = "", colClasses = "character")
}

# So that test_path() is this folder.
Sys.setenv(TESTTHAT = "true")
setwd("tests/testthat")
table <- home$coverage_table(
  home$coverage_names(read("exports.tsv"), read("tensor-methods.tsv")), home$oracle_compare(home$oracle_cases(seed))
)
other <- table$verdict %in% c("another family", "does not count")
print_rows <- function(rows) {
  for (i in seq_len(nrow(rows))) {
    row <- rows[i, ]
    cases <- if (row$tried) sprintf("%d of %d cases agree, %d with values", row$agree, row$tried, row$values) else ""
    cat(sprintf("%-36s %-25s %-17s %s\n", row$name, row$area, row$verdict, sub("^oracle", cases, row$note)))
  }
}
print_rows(table[!other, ])
cat("\nNot counted:\n")
print_rows(table[other, ])
counted <- table[!other, ]
cat("\nMembers of classes, and PyTorch's classes:\n")
members <- home$class_coverage(read("classes.tsv"))
classes <- tryCatch(home$python_coverage(), condition = function(c) NULL)
lines <- rbind(
  data.frame(where = members$class, what = members$member, members[c("verdict", "note")]),
  if (!is.null(classes)) data.frame(where = classes$module, what = classes$class, classes[c("verdict", "note")])
)
cat(sprintf("%-36s %-40s %-17s %s\n", lines$where, lines$what, lines$verdict, lines$note), sep = "")
print(table(lines$verdict))
cat("\n")
totals <- table(counted$area, factor(counted$verdict, c("works and agrees", "left out", "wrong")))
print(totals)
cat(sprintf(
  "%d names: %d work and agree (%d by %d cases of the oracle), %d left out (%.2f %%), %d wrong; %d others not counted\n",
  nrow(counted), sum(counted$verdict == "works and agrees"), sum(startsWith(counted$note, "oracle")), sum(counted$tried),
  sum(counted$verdict == "left out"), 100 * mean(counted$verdict == "left out"), sum(counted$verdict == "wrong"), sum(other)
))
quit(status = if (any(c(counted$verdict, lines$verdict) == "wrong") || mean(counted$verdict == "left out") >= 0.01) 1 else 0)
