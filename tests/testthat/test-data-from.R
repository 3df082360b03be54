test_that("columns of a data frame become what models take", {
  skip_if_no_torch()
  data <- data.frame(
    number = c(1.5, NA, 3), whole = 1:3, flag = c(TRUE, FALSE, NA), day = as.Date("1970-01-03") + 0:2,
    time = as.POSIXct("1970-01-02 12:00", tz = "UTC") + 0:2, gap = as.difftime(c(24, 48, 72), units = "hours"),
    kind = factor(c("b", "a", "b"), levels = c("b", "c", "a")), word = c("x", "y", "x"), y = c(1, 2, 3)
  )
  d <- dataset_from_data_frame(data, "y")
  expect_s3_class(d, c("data_frame_dataset", "tensor_dataset", "dataset"), exact = FALSE)
  all <- d[1:3]
  expect_named(all, c("x", "codes", "y"))
  expect_true(all$x$dtype == torch_float() && all$codes$dtype == torch_long() && all$y$dtype == torch_float())
  expect_equal(as_array(all$x), unname(cbind(
    c(1.5, NaN, 3), 1:3, c(1, 0, NaN), 2:4, 1.5 + 0:2 / 86400, 1:3
  )), tolerance = 1e-6)
  expect_equal(as_array(all$codes), cbind(c(1, 3, 1), c(1, 2, 1)))
  expect_identical(d$levels, list(kind = c("b", "c", "a"), word = c("x", "y")))
  expect_identical(d$columns, c("number", "whole", "flag", "day", "time", "gap"))
  expect_identical(lapply(d[[2]], function(x) x$shape), list(x = 6L, codes = 2L, y = integer()))
  coded <- dataset_from_data_frame(data[c("number", "kind")], "kind")
  expect_identical(as_array(coded[1:3]$y), c(1L, 3L, 1L))
  expect_identical(coded$target_levels, c("b", "c", "a"))
  expect_named(coded[1], c("x", "y"))
  expect_identical(dataset_from_data_frame(data, c("y", "whole"))[1]$y$shape, c(1L, 2L))
  expect_named(dataset_from_data_frame(data["kind"])[1], "codes")
  data$list <- list(1, 2, 3)
  data$kind[2] <- NA
  expect_snapshot(error = TRUE, {
    dataset_from_data_frame(data["list"])
    dataset_from_data_frame(data["kind"])
    dataset_from_data_frame(data, "z")
    dataset_from_data_frame(data[c("y", "word")], c("y", "word"))
    dataset_from_data_frame(1)
  })
})

test_that("matrices have an item for each row", {
  skip_if_no_torch()
  m <- matrix(1:6, 3)
  d <- dataset_from_matrix(m, factor(c("u", "v", "u")))
  expect_equal(as_array(d[1:3]$x), m)
  expect_identical(as_array(d[1:3]$y), c(1L, 2L, 1L))
  expect_equal(as_array(dataset_from_matrix(m, m * 2)[2]$y), rbind(c(4, 10)))
  expect_named(dataset_from_matrix(m)[1], "x")
  expect_error(dataset_from_matrix(m, 1:2), "each of the 3 rows", class = "value_error")
  expect_error(dataset_from_matrix(letters), "`x` must be a matrix", class = "type_error")
})

test_that("a series gives windows and what follows", {
  skip_if_no_torch()
  d <- dataset_from_series(ts(1:6), steps = 3, ahead = 2)
  expect_length(d, 2)
  expect_equal(as_array(d[[2]]$x), cbind(2:4))
  expect_equal(as_array(d[[2]]$y), cbind(5:6))
  m <- cbind(1:6, 11:16)
  batch <- dataset_from_series(m, 2)[c(4, 1)]
  expect_equal(as_array(batch$x[1, , ]), m[4:5, ])
  expect_equal(as_array(batch$x[2, , ]), m[1:2, ])
  expect_equal(as_array(batch$y[, 1, ]), m[c(6, 3), ])
  expect_error(dataset_from_series(1:3, 3), "at least 4 times", class = "value_error")
})

test_that("Arrow's tables and files are read by the package arrow", {
  skip_if_no_torch()
  if (!is_installed("arrow")) {
    expect_error(dataset_from_arrow("x.parquet"), "needs the package arrow", class = "runtime_error")
    skip_if_not_installed("callr")
    # A stand-in with the functions that are called.
    library <- withr::local_tempdir()
    source <- file.path(withr::local_tempdir(), "arrow")
    dir.create(file.path(source, "R"), recursive = TRUE)
    writeLines(c("Package: arrow", "Version: 1.0", "Title: T", "License: none", "Description: D."), file.path(source, "DESCRIPTION"))
    writeLines(c("export(read_parquet)", "export(read_feather)"), file.path(source, "NAMESPACE"))
    writeLines(c(
      "read_parquet <- function(file) data.frame(a = c(1, 2), from = 'parquet')",
      "read_feather <- function(file) data.frame(a = c(1, 2), from = 'feather')"
    ), file.path(source, "R", "read.R"))
    utils::install.packages(source, library, repos = NULL, type = "source", quiet = TRUE)
    read <- callr::r(function() {
      library(torch)
      files <- tempfile(fileext = c(".parquet", ".feather"))
      file.create(files)
      unlist(c(lapply(files, function(file) dataset_from_arrow(file, "a")$levels$from), as.numeric(dataset_from_arrow(files[1])[2]$x)))
    }, libpath = c(library, .libPaths()))
    expect_identical(read, c("parquet", "feather", "2"))
  } else {
    file <- withr::local_tempfile(fileext = ".parquet")
    getExportedValue("arrow", "write_parquet")(data.frame(a = c(1, 2), b = c("u", "v")), file)
    d <- dataset_from_arrow(file, "a")
    expect_identical(as_array(d[1:2]$y), c(1, 2))
    expect_identical(d$levels, list(b = c("u", "v")))
  }
})

test_that("images of a folder are read, scaled and classed", {
  skip_if_no_torch()
  skip_if_not_installed("png")
  skip_if_not_installed("jpeg")
  folder <- withr::local_tempdir()
  for (class in c("b", "a")) dir.create(file.path(folder, class))
  colours <- array((0:23) / 23, c(2, 4, 3))
  grey <- matrix((0:7) / 7, 2)
  png::writePNG(colours, file.path(folder, "a", "1.png"))
  png::writePNG(grey, file.path(folder, "a", "2.PNG"))
  png::writePNG(array(c(colours, rep(0.5, 8)), c(2, 4, 4)), file.path(folder, "b", "3.png"))
  jpeg::writeJPEG(array(0.25, c(2, 4, 3)), file.path(folder, "b", "4.jpg"))
  d <- dataset_from_images(folder)
  expect_length(d, 4)
  expect_identical(d$classes, c("a", "b"))
  expect_identical(basename(d$files), c("1.png", "2.PNG", "3.png", "4.jpg"))
  expect_identical(vapply(as.list(d), `[[`, 0L, "y"), c(1L, 1L, 2L, 2L))
  near <- function(x, y, tolerance = 1 / 255) expect_lt(max(abs(as_array(x) - y)), tolerance)
  near(d[[1]]$x, aperm(colours, c(3, 1, 2)))
  near(d[[2]]$x, aperm(array(grey, c(2, 4, 3)), c(3, 1, 2)))
  near(d[[3]]$x, aperm(colours, c(3, 1, 2)))
  near(d[[4]]$x, 0.25, 3 / 255)
  mixed <- dataset_from_images(folder, channels = 1)
  expect_identical(mixed[[1]]$x$shape, c(1L, 2L, 4L))
  near(mixed[[1]]$x[1, , ], 0.299 * colours[, , 1] + 0.587 * colours[, , 2] + 0.114 * colours[, , 3])
  near(mixed[[2]]$x[1, , ], grey)
  scaled <- dataset_from_images(folder, size = c(6, 5), transform = function(x) x * 2)
  loader <- dataloader(scaled, batch_size = 4, num_workers = if (.Platform$OS.type == "unix") 2 else 0)
  batch <- batches_of(loader)[[1]]
  expect_identical(batch$x$shape, c(4L, 3L, 6L, 5L))
  near(batch$x[4, ..], 0.5, 6 / 255)
  # As Python has it.
  python <- python_eval("
x = torch.tensor(colours).permute(2, 0, 1).unsqueeze(0)
result = torch.nn.functional.interpolate(x, size=(6, 5), mode='bilinear', antialias=True)[0].tolist()
", colours = colours)
  near(batch$x[1, ..], 2 * python, 3 / 255)
  flat <- dataset_from_images(file.path(folder, "a"))
  expect_null(flat$classes)
  expect_named(flat[[1]], "x")
  writeLines("no image", file.path(folder, "a", "1.png"))
  expect_error(d[[1]], "1.png` can't be read", class = "runtime_error")
  empty <- withr::local_tempdir()
  expect_snapshot(error = TRUE, {
    dataset_from_images("no such folder")
    dataset_from_images(empty)
    dataset_from_images(folder, channels = 4)
    dataset_from_images(folder, size = 3)
  })
})

test_that("the datasets for examples hold R's data", {
  skip_if_no_torch()
  flowers <- dataset_iris()
  expect_equal(as_array(flowers[1:150]$x), unname(as.matrix(iris[1:4])), tolerance = 1e-6)
  expect_identical(as_array(flowers[1:150]$y), as.integer(iris$Species))
  expect_identical(flowers$target_levels, levels(iris$Species))
  chicks <- dataset_chick_weight()
  expect_identical(as_array(chicks[1:578]$codes)[, 1], as.integer(ChickWeight$Diet))
  expect_equal(as_array(chicks[1:578]$y), ChickWeight$weight)
  spots <- dataset_sunspots()
  expect_length(spots, length(sunspot.month) - 24)
  expect_equal(as.numeric(spots[[7]]$y), sqrt(sunspot.month[31]) / 10, tolerance = 1e-6)
})

test_that("datasets are split as PyTorch splits them", {
  skip_if_no_torch()
  split_of <- function(lengths) {
    torch_manual_seed(3)
    lapply(random_split(tensor_dataset(torch_arange(0, 9)), lengths), function(d) as_array(d[seq_along(d$indices)][[1]]))
  }
  cases <- list(c(7, 3), c(0.5, 0.25, 0.25), c(0.33, 0.67))
  python <- python_eval("
def split(lengths):
    torch.manual_seed(3)
    return [[d[i] for i in range(len(d))] for d in torch.utils.data.random_split(range(10), lengths)]
result = [split(lengths) for lengths in [[7, 3], [0.5, 0.25, 0.25], [0.33, 0.67]]]
")
  for (i in 1:3) expect_equal(lapply(split_of(cases[[i]]), as.numeric), lapply(python[[i]], as.numeric))
  expect_named(random_split(numbers(4), c(train = 0.5, test = 0.5)), c("train", "test"))
  expect_error(random_split(numbers(4), c(1, 2)), "must sum to 1 or to the number of items, 4", class = "value_error")
})
