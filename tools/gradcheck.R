# Compares the derivatives of every operator of the registry with central differences, first and second ones in reverse mode
# and those in forward mode, and prints a report. Run with the package installed:
# Rscript tools/gradcheck.R [seed [operator ...]]. Ends with status 1 if one differs for no known reason.
suppressMessages({
  library(testthat)
  library(torch)
})
home <- new.env(parent = asNamespace("torch"))
for (helper in c("oracle-cases", "oracle-methods", "oracle", "gradcheck")) source(sprintf("tests/testthat/helper-%s.R", helper), local = home)
options <- commandArgs(TRUE)
seed <- if (length(options)) as.integer(options[1]) else 1L
operators <- if (length(options) > 1) options[-1] else home$gradcheck_operators()
torch_set_num_threads(1)
started <- Sys.time()
table <- suppressWarnings(home$gradcheck(operators, seed))

tried <- table[table$first != "left out", ]
cat(sprintf("%-40s %-18s %-18s %-18s %s\n", "operator", "first", "second", "forward", "cases"))
for (i in seq_len(nrow(tried))) {
  cat(sprintf("%-40s %-18s %-18s %-18s %d\n", tried$operator[i], tried$first[i], tried$second[i], tried$forward[i], tried$cases[i]))
}
lines <- function(title, rows) {
  cat("\n", title, "\n", sep = "")
  for (i in seq_len(nrow(rows))) cat(sprintf("%-40s %s\n", rows$operator[i], rows$note[i]))
}
has <- function(verdict) table$first == verdict | table$second == verdict | table$forward == verdict
lines("Differ for no known reason:", table[has("differs"), ])
lines("Differ, and why:", table[has("explained"), ])
out <- table[table$first == "left out", ]
cat("\nLeft out:\n")
for (note in unique(out$note)) cat(strwrap(paste0(note, ": ", toString(out$operator[out$note == note])), 120, exdent = 2), sep = "\n")

verdicts <- c("agrees", "explained", "differs", "not differentiable", "left out")
cat("\n")
print(sapply(table[c("first", "second", "forward")], function(v) table(factor(v, verdicts))))
cat(sprintf(
  "%d operators of the registry, %d tried, %d cases agree, %.0f s\n", nrow(table), nrow(tried), sum(table$cases),
  as.numeric(difftime(Sys.time(), started, units = "secs"))
))
quit(status = if (any(has("differs"))) 1 else 0)
