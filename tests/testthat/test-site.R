# The site's index of the reference, _pkgdown.yml, and its list of articles.

config_file <- test_path("../../_pkgdown.yml")

# The topics that an entry of the index selects, as pkgdown reads it.
selected <- function(entry, topics) {
  by <- list(
    starts_with = function(x) topics[startsWith(topics, x)],
    contains = function(x) topics[grepl(x, topics, fixed = TRUE)]
  )
  call <- str2lang(entry)
  if (is.call(call) && as.character(call[[1]]) %in% names(by)) by[[as.character(call[[1]])]](call[[2]]) else entry
}

test_that("each exported name is in a topic of the site's reference, and each entry is a topic", {
  skip_if_not(file.exists(config_file), "the sources are not at hand")
  skip_if_not_installed("yaml")
  entries <- unlist(lapply(yaml::read_yaml(config_file)$reference, `[[`, "contents"))
  # Of each name the page that it is on. Names without a page are found by the tests of the pages.
  pages <- readRDS(system.file("help/aliases.rds", package = "torch"))
  topics <- union(names(pages), pages)
  chosen <- setNames(lapply(entries, selected, topics), entries)
  expect_identical(setdiff(unlist(chosen), topics), character())

  covered <- c(pages[intersect(unlist(chosen), names(pages))], intersect(unlist(chosen), pages))
  exports <- intersect(getNamespaceExports("torch"), names(pages))
  expect_identical(exports[!pages[exports] %in% c(covered, "reexports")], character())
})

test_that("each vignette is among the site's articles", {
  folder <- test_path("../../vignettes")
  skip_if_not(dir.exists(folder), "the sources are not at hand")
  skip_if_not_installed("yaml")
  articles <- unlist(lapply(yaml::read_yaml(config_file)$articles, `[[`, "contents"))
  expect_setequal(articles, sub("[.]Rmd$", "", list.files(folder, "[.]Rmd$")))
})
