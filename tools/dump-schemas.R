# Writes inst/ops/aten.txt: every aten schema of the dispatcher of the LibTorch at hand, one a line, sorted. Run with the
# package installed, when the pinned LibTorch changes: Rscript tools/dump-schemas.R
schemas <- torch:::operator_schemas("dispatcher")
writeLines(sort(unique(schemas[startsWith(schemas, "aten::")]), method = "radix"), "inst/ops/aten.txt")
