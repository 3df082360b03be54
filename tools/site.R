# Builds the site of the installed package:  Rscript tools/site.R [FOLDER], by default .make/site.

args <- commandArgs(trailingOnly = TRUE)
site <- if (length(args)) args[[1]] else ".make/site"
dir.create(site, recursive = TRUE, showWarnings = FALSE)
site <- normalizePath(site)

# From a copy of the sources: pkgdown runs the examples and shows what they give, which the pages of operators do as well.
sources <- file.path(tempfile(), "torch")
dir.create(sources, recursive = TRUE)
invisible(file.copy(
  c("DESCRIPTION", "NAMESPACE", "NEWS.md", "README.md", "LICENSE", "_pkgdown.yml", "pkgdown", "R", "man", "vignettes"),
  sources,
  recursive = TRUE
))
for (file in list.files(file.path(sources, "man"), full.names = TRUE)) {
  lines <- readLines(file, encoding = "UTF-8")
  writeLines(lines[!startsWith(lines, "#>")], file, useBytes = TRUE)
}

options(pkgdown.internet = FALSE)
pkgdown::build_site(
  sources,
  override = list(destination = site), install = FALSE, new_process = FALSE, preview = FALSE, devel = FALSE
)
# Debian's pkgdown names the MathJax of the machine on which the site is built. The script beside it tells where there is
# one for all.
for (file in list.files(site, "[.]html$", recursive = TRUE, full.names = TRUE)) {
  page <- paste(readLines(file, encoding = "UTF-8", warn = FALSE), collapse = "\n")
  base <- regmatches(page, regexec("src=\"(https:[^\"]*/mathjax/[0-9.]+/)config/", page))[[1]][2]
  if (is.na(base)) next
  page <- gsub("src=\"file:[^\"]*/MathJax[.]js\" integrity=\"[^\"]*\"", sprintf("src=\"%sMathJax.js\"", base), page)
  writeLines(page, file, useBytes = TRUE)
}
cat("The site: ", file.path(site, "index.html"), "\n", sep = "")
