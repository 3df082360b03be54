# Prints for every exported operator how many cases were tried against PyTorch, how many agree, and how many of these gave
# values on both sides (the others errors), then what differs. Run with the package installed:
# Rscript tools/oracle.R [seed] [name ...]. A name that begins with $ is a method.
suppressMessages({
  library(testthat)
  library(torch)
})
home <- new.env(parent = asNamespace("torch"))
for (helper in c("helper-python.R", "helper-oracle-cases.R", "helper-oracle-methods.R", "helper-oracle.R")) source(file.path("tests/testthat", helper), local = home)
options <- commandArgs(TRUE)
seed <- if (length(options)) as.integer(options[1]) else 1L
names <- options[-1]

# So that test_path() is this folder.
Sys.setenv(TESTTHAT = "true")
setwd("tests/testthat")
all <- !length(names)
if (all) names <- c(home$oracle_names()$name, paste0("$", home$oracle_members()$name))
functions <- names[!startsWith(names, "$")]
cases <- home$oracle_cases(seed, functions, methods = length(functions) < length(names))
table <- home$oracle_compare(Filter(function(case) case$name %in% names, cases))
for (name in names) {
  rows <- table[table$name == name, ]
  cat(sprintf("%-40s %5d tried %5d agree %5d values\n", name, nrow(rows), sum(rows$agree), sum(rows$agree & rows$how == "values")))
}
cat(sprintf("%d names, %d cases, %d agree\n", length(names), nrow(table), sum(table$agree)))
differ <- table[!table$agree, ]
differ <- differ[!duplicated(paste(differ$name, substr(differ$difference, 1, 40))), ]
for (i in seq_len(nrow(differ))) cat(differ$name[i], ": ", differ$difference[i], "\n", sep = "")
