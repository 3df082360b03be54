# Datasets made of what R users have: data frames, matrices, series, files, folders of images.

# Numbers of a column, NULL if it has codes.
column_numbers <- function(x) {
  if (inherits(x, "Date")) return(as.numeric(x))
  if (inherits(x, "POSIXt")) return(as.numeric(as.POSIXct(x)) / 86400)
  if (inherits(x, "difftime")) return(as.numeric(x, units = "days"))
  if (is.factor(x) || is.character(x)) return(NULL)
  if (inherits(x, "integer64") || is.numeric(x) || is.logical(x)) as.numeric(x)
}

# A factor's codes from 1; `name` is told where there are none.
column_codes <- function(x, name, call) {
  codes <- as.integer(x)
  if (anyNA(codes)) {
    value_error(sprintf(
      "`%s` has missing values, which have no code: make them a level of their own by `addNA()`.", name
    ), call)
  }
  codes
}

# Columns as list(numbers = a float32 matrix, codes = an int64 matrix, levels), NULL for what there is not.
column_tensors <- function(data, call) {
  kinds <- lapply(data, column_numbers)
  is_number <- !vapply(kinds, is.null, NA)
  for (name in names(data)[!is_number]) {
    if (!is.factor(data[[name]]) && !is.character(data[[name]])) {
      type_error(sprintf(
        "`%s` must be numbers, logicals, dates, strings or a factor, not %s.", name, friendly_type(data[[name]])
      ), call)
    }
  }
  factors <- lapply(data[!is_number], as.factor)
  codes <- lapply(names(factors), function(name) column_codes(factors[[name]], name, call))
  bind <- function(columns) if (length(columns)) matrix(unlist(columns, use.names = FALSE), ncol = length(columns))
  list(
    numbers = if (any(is_number)) torch_tensor(bind(kinds[is_number]), dtype = torch_float()),
    codes = if (!all(is_number)) torch_tensor(bind(codes), dtype = torch_long()),
    columns = names(data)[is_number], levels = lapply(factors, levels)
  )
}

#' Datasets of data frames, matrices, series and files
#'
#' `dataset_from_data_frame()` has an item for each row. Numbers and logicals become float32, dates and date-times the days
#' since 1970-01-01, factors and strings codes from 1, as embeddings take them. `dataset_from_matrix()` is the same for a
#' matrix, `dataset_from_arrow()` for Parquet and Arrow files and for tables of the package arrow. `dataset_from_series()`
#' has an item for each window of a series.
#'
#' @param data a data frame.
#' @param target names of the columns to predict, or NULL. Several must be of one kind.
#' @returns A [tensor_dataset()]. Its items are lists of
#'   * `x`: the numbers, float32 of shape (columns); left out if there are none. For a series (steps, variables).
#'   * `codes`: the codes of factors and strings, int64 of shape (factors); left out if there are none.
#'   * `y`: the target, float32, or int64 where it has codes; of shape () for one column, else (columns). For a series what
#'     comes next, (ahead, variables).
#'
#'   Fields tell what is where: `$columns`, the names of the columns of `x`; `$levels`, for each factor its levels, so that
#'   `lengths(d$levels)` are the sizes of embeddings; `$target_levels`.
#' @section Errors:
#' A missing value in a factor is a `value_error`, one of a number becomes NaN. A column that is none of these is a
#' `type_error`. Without the package arrow `dataset_from_arrow()` is a `runtime_error`.
#' @examplesIf torch::torch_is_installed()
#' d <- dataset_from_data_frame(warpbreaks, target = "breaks")
#' d[1]
#' d$levels
#' @export
dataset_from_data_frame <- dataset(
  "data_frame_dataset",
  tensor_dataset,
  initialize = function(data, target = NULL) {
    call <- entry_call(sys.nframe())
    if (!is.data.frame(data)) type_error(sprintf("`data` must be a data frame, not %s.", friendly_type(data)), call)
    unknown <- setdiff(target, names(data))
    if (!(is.null(target) || is.character(target)) || length(unknown)) {
      what <- if (length(unknown)) toString(unknown) else friendly_type(target)
      value_error(sprintf("`target` must name columns of `data`, not %s.", what), call)
    }
    data <- as.data.frame(data)
    if (!length(data)) value_error("`data` must have at least one column.", call)
    inputs <- column_tensors(data[setdiff(names(data), target)], call)
    outputs <- column_tensors(data[target], call)
    if (!is.null(outputs$numbers) && !is.null(outputs$codes)) value_error("`target` must name columns of one kind.", call)
    y <- outputs$numbers %||% outputs$codes
    if (length(target) == 1L) y <- y$squeeze(2)
    tensors <- list(x = inputs$numbers, codes = inputs$codes, y = y)
    inject(super$initialize(!!!tensors[!vapply(tensors, is.null, NA)]))
    self$columns <- inputs$columns
    self$levels <- inputs$levels
    self$target_levels <- if (length(target) == 1L) outputs$levels[[target]] else if (length(target)) outputs$levels
  }
)

#' @param x a matrix with a row for each item; a vector, `ts` or matrix with a row for each time; a file or an Arrow table.
#' @param y what to predict for each row: a vector, factor or matrix, or NULL.
#' @rdname dataset_from_data_frame
#' @export
dataset_from_matrix <- function(x, y = NULL) {
  if (!is.matrix(x) || !(is.numeric(x) || is.logical(x))) {
    type_error(sprintf("`x` must be a matrix of numbers, not %s.", friendly_type(x)))
  }
  rows <- NROW(y)
  if (!is.null(y) && rows != nrow(x)) {
    value_error(sprintf("`y` must have a value for each of the %d rows of `x`, not %d.", nrow(x), rows))
  }
  colnames(x) <- colnames(x) %||% sprintf("V%d", seq_len(ncol(x)))
  data <- as.data.frame(x)
  if (is.null(y)) return(dataset_from_data_frame(data))
  target <- if (is.matrix(y)) sprintf(".y%d", seq_len(ncol(y))) else ".y"
  data[target] <- if (is.matrix(y)) as.data.frame(y) else list(y)
  dataset_from_data_frame(data, target)
}

#' @rdname dataset_from_data_frame
#' @export
dataset_from_arrow <- function(x, target = NULL) {
  if (!is_installed("arrow")) runtime_error("`dataset_from_arrow()` needs the package arrow.")
  if (is_string(x)) {
    if (!file.exists(x)) value_error(sprintf("`x` must be a file: there is no `%s`.", x))
    read <- if (grepl("[.](feather|arrow|ipc)$", x)) "read_feather" else "read_parquet"
    x <- getExportedValue("arrow", read)(x)
  }
  dataset_from_data_frame(as.data.frame(x), target)
}

#' @param steps length of a window.
#' @param ahead how many values behind a window are predicted.
#' @rdname dataset_from_data_frame
#' @export
dataset_from_series <- dataset(
  "series_dataset",
  initialize = function(x, steps, ahead = 1) {
    call <- entry_call(sys.nframe())
    if (!is.numeric(x) || length(dim(x)) > 2L) {
      type_error(sprintf("`x` must be a vector or matrix of numbers, not %s.", friendly_type(x)), call)
    }
    steps <- as_count(steps, "steps", call = call)
    ahead <- as_count(ahead, "ahead", call = call)
    if (NROW(x) < steps + ahead) {
      value_error(sprintf("`x` must have at least %d times, `steps` and `ahead`, not %d.", steps + ahead, NROW(x)), call)
    }
    self$values <- torch_tensor(matrix(as.numeric(x), NROW(x)), dtype = torch_float())
    self$steps <- as.integer(steps)
    self$ahead <- as.integer(ahead)
  },
  .getitem = function(index) {
    window <- function(from, length) self$values$narrow(1, from, length)$clone()
    list(x = window(index, self$steps), y = window(index + self$steps, self$ahead))
  },
  .getbatch = function(index) {
    windows <- function(from, length) {
      at <- outer(seq_len(length) - 1L, index + from, `+`)
      self$values[as.integer(at), ]$view(c(length(index), length, -1))
    }
    list(x = windows(0L, self$steps), y = windows(self$steps, self$ahead))
  },
  .length = function() self$values$size(1) - self$steps - self$ahead + 1L
)

image_readers <- list(png = c("png", "readPNG"), jpg = c("jpeg", "readJPEG"), jpeg = c("jpeg", "readJPEG"))

#' A dataset of the images in a folder
#'
#' Reads PNG and JPEG files when they are asked for, so that workers of a [dataloader()] can share the work. Where the folder
#' has subfolders, these are the classes.
#'
#' @param folder a folder; its subfolders are searched whole.
#' @param size height and width to which images are scaled (bilinear, smoothed where they shrink); `NULL`: as they are.
#' @param channels 3 for red, green and blue, or 1 for grey, 0.299, 0.587 and 0.114 of these. An alpha channel is left out.
#' @param transform a function of the image, a tensor, or `NULL`.
#' @returns A dataset. Its items are lists of `x`, float32 of shape (channels, height, width) with values from 0 to 1, and, with
#'   classes, `y`, the class as an integer from 1. Fields: `$files`, `$classes`.
#' @section Errors:
#' A folder without images is a `value_error`; a file that can't be read, or a package (png, jpeg) that is missing, a
#' `runtime_error` that names it.
#' @examplesIf torch::torch_is_installed() && requireNamespace("png", quietly = TRUE)
#' folder <- file.path(tempdir(), "images")
#' for (class in c("dark", "light")) {
#'   dir.create(file.path(folder, class), recursive = TRUE, showWarnings = FALSE)
#'   png::writePNG(matrix(if (class == "dark") 0.1 else 0.9, 8, 8), file.path(folder, class, "1.png"))
#' }
#' d <- dataset_from_images(folder, channels = 1)
#' d$classes
#' d[[2]]$x$mean()
#' @export
dataset_from_images <- dataset(
  "image_folder_dataset",
  initialize = function(folder, size = NULL, channels = 3, transform = NULL) {
    call <- entry_call(sys.nframe())
    if (!is_string(folder) || !dir.exists(folder)) value_error("`folder` must be a folder that is there.", call)
    if (!is.null(size) && !(is_integerish(size, 2L) && all(size >= 1))) {
      value_error(sprintf("`size` must be height and width, two positive whole numbers, not %s.", friendly_type(size)), call)
    }
    if (!is_whole_number(channels) || !channels %in% c(1, 3)) {
      value_error(sprintf("`channels` must be 1 or 3, not %s.", friendly_type(channels)), call)
    }
    if (!is.null(transform) && !is.function(transform)) {
      type_error(sprintf("`transform` must be a function or NULL, not %s.", friendly_type(transform)), call)
    }
    pattern <- sprintf("[.](%s)$", paste(names(image_readers), collapse = "|"))
    # This order is the same on every system.
    found <- sort(list.files(folder, pattern, recursive = TRUE, ignore.case = TRUE), method = "radix")
    if (!length(found)) value_error("`folder` holds no PNG or JPEG files.", call)
    class <- ifelse(grepl("/", found), sub("/.*", "", found), "")
    if (any(class == "") && any(class != "")) found <- found[class != ""]
    class <- class[class != "" | all(class == "")]
    self$files <- file.path(folder, found)
    self$classes <- if (any(class != "")) sort(unique(class), method = "radix")
    self$size <- size
    self$channels <- as.integer(channels)
    self$transform <- transform
    self$.codes <- match(class, self$classes)
  },
  .getitem = function(index) {
    x <- read_image(self$files[[index]], self$channels)
    if (!is.null(self$size)) {
      x <- nnf_interpolate(x$unsqueeze(1), size = self$size, mode = "bilinear", antialias = TRUE)$squeeze(1)
    }
    if (is.function(self$transform)) x <- self$transform(x)
    if (is.null(self$classes)) list(x = x) else list(x = x, y = self$.codes[[index]])
  },
  .length = function() length(self$files)
)

read_image <- function(file, channels) {
  reader <- image_readers[[tolower(sub(".*[.]", "", file))]]
  if (!is_installed(reader[1L])) runtime_error(sprintf("`%s` needs the package %s.", basename(file), reader[1L]))
  pixels <- tryCatch(getExportedValue(reader[1L], reader[2L])(file), error = function(e) {
    runtime_error(sprintf("`%s` can't be read: %s.", file, sub("[.\n]*$", "", conditionMessage(e))), call = NULL)
  })
  dim(pixels) <- c(dim(pixels), 1L)[1:3]
  # Pixels are grey or coloured, each with an alpha channel or without.
  colours <- if (dim(pixels)[3L] < 3L) c(1L, 1L, 1L) else 1:3
  image <- if (channels == 3L) {
    aperm(pixels[, , colours, drop = FALSE], c(3, 1, 2))
  } else if (dim(pixels)[3L] < 3L) {
    aperm(pixels[, , 1L, drop = FALSE], c(3, 1, 2))
  } else {
    array(0.299 * pixels[, , 1L] + 0.587 * pixels[, , 2L] + 0.114 * pixels[, , 3L], c(1L, dim(pixels)[1:2]))
  }
  torch_tensor(image, dtype = torch_float())
}

#' Datasets for examples
#'
#' Made of data that comes with R, by [dataset_from_data_frame()] and [dataset_from_series()].
#'
#' * `dataset_iris()`: 150 flowers of [datasets::iris]; `x` four measures in cm, `y` the species, 1 to 3.
#' * `dataset_chick_weight()`: 578 weights of [datasets::ChickWeight]; `x` the day and, as `codes`, the diet, `y` the weight in g. A
#'   table with a factor.
#' * `dataset_sunspots()`: windows of the monthly sunspot numbers of [datasets::sunspot.month], square roots divided by 10; `x`
#'   `steps` months, `y` the `ahead` next ones.
#'
#' @inheritParams dataset_from_data_frame
#' @returns A dataset, as those functions give it.
#' @examplesIf torch::torch_is_installed()
#' loop(for (batch in dataloader(dataset_iris(), batch_size = 75)) print(batch$x$mean(dim = 1)))
#' @name example_datasets
NULL

#' @rdname example_datasets
#' @export
dataset_iris <- function() dataset_from_data_frame(datasets::iris, "Species")

#' @rdname example_datasets
#' @export
dataset_chick_weight <- function() {
  data <- as.data.frame(datasets::ChickWeight)
  dataset_from_data_frame(data.frame(Time = data$Time, Diet = data$Diet, weight = data$weight), "weight")
}

#' @rdname example_datasets
#' @export
dataset_sunspots <- function(steps = 24, ahead = 1) dataset_from_series(sqrt(datasets::sunspot.month) / 10, steps, ahead)

#' Split a dataset at random
#'
#' @param dataset a dataset.
#' @param lengths sizes of the parts, or shares that sum to 1. What is left over of shares goes to the first parts, one
#'   item each.
#' @param generator a [torch_generator()], or `NULL` for torch's own random numbers.
#' @returns A list of [dataset_subset()]s, with the names of `lengths`. Lengths that do not sum to the number of items are a
#'   `value_error`.
#' @source `torch.utils.data.random_split()`: with the same seed the same items.
#' @examplesIf torch::torch_is_installed()
#' parts <- random_split(dataset_iris(), c(train = 0.8, test = 0.2))
#' lengths(parts)
#' @export
random_split <- function(dataset, lengths, generator = NULL) {
  check_dataset(dataset)
  check_generator(generator)
  n <- length(dataset)
  lengths <- without_bit64(lengths)
  if (!is.numeric(lengths) || !length(lengths) || anyNA(lengths) || any(lengths < 0)) {
    value_error(sprintf("`lengths` must be numbers from 0 on, not %s.", friendly_type(lengths)))
  }
  sizes <- lengths
  if (all(lengths <= 1) && abs(sum(lengths) - 1) < 1e-8) {
    sizes <- floor(n * lengths)
    left <- n - sum(sizes)
    sizes[] <- sizes + (seq_along(sizes) <= left)
  }
  if (sum(sizes) != n || any(sizes != trunc(sizes))) {
    value_error(sprintf("`lengths` must sum to 1 or to the number of items, %d, not to %s.", n, format(sum(lengths))))
  }
  draw <- op_randperm(n, generator = generator)
  parts <- split(as.integer(draw) + 1L, factor(rep(seq_along(sizes), sizes), seq_along(sizes)))
  stats::setNames(lapply(parts, function(at) dataset_subset(dataset, at)), names(lengths))
}
