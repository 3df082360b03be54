# Where the contract between R and the shim is, and the files on both sides of it.

shim_include <- function() system.file("shim/include", package = "torch", mustWork = TRUE)

# The files of the source tree in `folder` that match, where the tests run in it.
source_files <- function(folder, pattern) {
  root <- testthat::test_path("../..")
  skip_if_not(
    dir.exists(file.path(root, "src")) && dir.exists(file.path(root, "inst/shim")), "The source tree is not beside the tests"
  )
  list.files(file.path(root, folder), pattern, recursive = TRUE, full.names = TRUE)
}
