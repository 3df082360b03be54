# Prints for every exported operator how many cases were tried against PyTorch, how many agree, and how many of these gave
# values on both sides (the others errors), then what differs. Run with the package installed:
# Rscript tools/oracle.R [seed] [name ...]. A name that begins with $ is a method.
suppressMessages({
  library(testthat)
  library(torch)
})
home <- new.env(parent = asNamespace("torch"))
for (helper in c("helper-python.R", "helper-oracle.R")) source(file.path("tests/testthat", helper), local = home)
options <- commandArgs(TRUE)
seed <- if (length(options)) as.integer(options[1]) else 1L
names <- options[-1]

# So that test_path() is this folder.
Sys.setenv(TESTTHAT = "true")
setwd("tests/testthat")
known <- home$oracle_names()$name
all <- !length(names)
if (all) names <- known
table <- home$oracle_compare(home$oracle_cases(seed, names, methods = all))
if (all) {
  methods <- utils::read.delim("fixtures/tensor-methods.tsv", quote = "", colClasses = "character")
  names <- c(names, paste0("$", methods$name[methods$kind == "method" & !startsWith(methods$name, "_")]))
}
for (name in names) {
  rows <- table[table$name == name, ]
  note <- if (nrow(rows)) "" else if (startsWith(name, "$")) "test-tensor.R, test-ops.R" else home$oracle_left_out[name]
  cat(sprintf("%-40s %5d tried %5d agree %5d values  %s\n", name, nrow(rows), sum(rows$agree), sum(rows$agree & rows$how == "values"), note))
}
cat(sprintf("%d names, %d cases, %d agree\n", length(names), nrow(table), sum(table$agree)))
differ <- table[!table$agree, ]
differ <- differ[!duplicated(paste(differ$name, substr(differ$difference, 1, 40))), ]
for (i in seq_len(nrow(differ))) cat(differ$name[i], ": ", differ$difference[i], "\n", sep = "")
