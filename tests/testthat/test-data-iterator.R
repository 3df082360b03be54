up_to <- function(n) {
  i <- 0
  function() if (i < n) i <<- i + 1 else as.symbol(".__exhausted__.")
}

test_that("loop() runs over iterators, vectors and lists", {
  seen <- c()
  expect_invisible(loop(for (x in up_to(3)) seen <- c(seen, x)))
  expect_identical(seen, c(1, 2, 3))
  expect_identical(x, 3)
  seen <- list()
  loop(for (x in list(1, "a", NULL)) seen <- c(seen, list(x)))
  expect_identical(seen, list(1, "a", NULL))
  loop(for (x in integer()) stop("not reached"))
  total <- 0
  loop(for (i in 1:3) loop(for (j in up_to(i)) total <- total + j))
  expect_identical(total, 10)
})

test_that("break, next and return work in the body", {
  seen <- c()
  loop(for (x in up_to(10)) {
    if (x == 2) next
    if (x == 5) break
    seen <- c(seen, x)
  })
  expect_identical(seen, c(1, 3, 4))
  find <- function(limit) {
    loop(for (x in up_to(10)) if (x > limit) return(x))
    "none"
  }
  expect_identical(find(3), 4)
  expect_identical(find(30), "none")
})

test_that("errors in the body end the loop", {
  expect_error(loop(for (x in up_to(3)) stop("in the body")), "in the body")
})

test_that("wrong loops are told", {
  expect_error(loop(while (TRUE) 1), class = "value_error")
  expect_error(loop(for (x in new.env()) 1), class = "type_error")
  expect_error(yield(1), "coro")
  expect_snapshot(error = TRUE, {
    loop(while (TRUE) 1)
    loop(for (x in new.env()) 1)
    yield(1)
  })
})

test_that("coro's loops go over our loaders, and ours over its generators", {
  skip_if_no_torch()
  skip_if_not_installed("callr")
  library <- withr::local_tempdir()
  if (!is_installed("coro")) {
    # A stand-in with coro's protocol.
    source <- file.path(withr::local_tempdir(), "coro")
    dir.create(file.path(source, "R"), recursive = TRUE)
    writeLines(c("Package: coro", "Version: 1.0", "Title: T", "License: none", "Description: D."), file.path(source, "DESCRIPTION"))
    writeLines(c("export(as_iterator, loop, count_to)", "S3method(as_iterator, default)"), file.path(source, "NAMESPACE"))
    writeLines(c(
      "as_iterator <- function(x) UseMethod('as_iterator')",
      "as_iterator.default <- function(x) x",
      "loop <- function(loop) {",
      "  loop <- substitute(loop); env <- parent.frame(); it <- as_iterator(eval(loop[[3]], env))",
      "  while (!identical(x <- it(), as.symbol('.__exhausted__.'))) {",
      "    assign(as.character(loop[[2]]), x, env)",
      "    eval(loop[[4]], env)",
      "  }",
      "}",
      "count_to <- function(n) {",
      "  i <- 0",
      "  structure(function() if (i < n) i <<- i + 1 else as.symbol('.__exhausted__.'), class = 'coro_generator_instance')",
      "}"
    ), file.path(source, "R", "coro.R"))
    utils::install.packages(source, library, repos = NULL, type = "source", quiet = TRUE)
  }
  seen <- callr::r(function() {
    library(torch)
    seen <- c()
    loader <- dataloader(tensor_dataset(torch_arange(1, 4)), batch_size = 2)
    coro::loop(for (b in loader) seen <- c(seen, as.numeric(b[[1]]$sum())))
    coro::loop(for (b in dataloader(tensor_dataset(torch_arange(1, 4)), num_workers = 2)) seen <- c(seen, as.numeric(b[[1]])))
    numbers <- getExportedValue("coro", if (exists("count_to", asNamespace("coro"))) "count_to" else "seq_along")(2)
    loop(for (i in numbers) seen <- c(seen, i))
    seen
  }, libpath = c(library, .libPaths()))
  expect_identical(seen, c(3, 7, 1, 2, 3, 4, 1, 2))
})

test_that("a progress bar counts what is done, and goes with the loop", {
  withr::local_options(cli.progress_handlers_only = "logger", cli.progress_show_after = 0)
  end <- function(code) sub(".* ([0-9]+/[^ ]+ .*)", "\\1", tail(capture.output(code), 1))
  expect_identical(end(loop(for (i in 1:4) Sys.sleep(0.01), .progress = TRUE)), "4/4 terminated (done)")
  expect_identical(end(loop(for (i in 1:4) if (i == 3) break, .progress = "Work")), "2/4 terminated (done)")
  find <- function() loop(for (i in 1:4) if (i == 2) return("out"), .progress = TRUE)
  expect_match(end(expect_identical(find(), "out")), "^1/4 terminated")
  expect_match(end(try(loop(for (i in 1:4) stop("here"), .progress = TRUE), silent = TRUE)), "^0/4 terminated")
  expect_match(end(loop(for (i in up_to(3)) Sys.sleep(0.01), .progress = TRUE)), "^3/.* terminated")
  expect_identical(cli::cli_progress_num(), 0L)
  expect_snapshot(error = TRUE, loop(for (i in 1:4) i, .progress = 1))
})
