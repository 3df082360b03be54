# How R6 objects, functions and handles of the package show themselves: what they are and how much of it there is,
# then their fields, one a line. Tensors, modules and graphs have files of their own.

# `lines` are texts by their names.
print_object <- function(x, title, lines = describe_fields(public_fields(x))) {
  # A class's own method comes first, as in R6.
  if (is.environment(x) && is.function(x$print)) return(x$print())
  cat(title, "\n", sep = "")
  if (length(lines) > 0L) cat(sprintf("%s %s: %s\n", cli::symbol$bullet, names(lines), lines), sep = "")
  invisible(x)
}

# The fields of an R6 object that hold data. A field that is NULL has nothing to show.
public_fields <- function(x) {
  names <- ls(x)
  names <- names[!vapply(names, bindingIsActive, NA, env = x)]
  fields <- mget(names, envir = x)
  fields[!vapply(fields, function(field) is.null(field) || is.function(field), NA)]
}

describe_fields <- function(fields) vapply(fields, describe_value, "")

# Describes a value in one line of at most some 60 characters.
describe_value <- function(x) {
  text <- if (is_torch_tensor(x)) {
    tryCatch(describe_tensor(x), error = function(e) "<dead tensor>")
  } else if (is_nn_module(x)) {
    module_label(x)
  } else if (inherits(x, c("dataset", "iterable_dataset"))) {
    dataset_title(x)
  } else if (inherits(x, "dataloader")) {
    dataloader_title(x)
  } else if (inherits(x, "utils_sampler")) {
    sampler_title(x)
  } else if (is.function(x)) {
    paste0("function(", paste(names(formals(args(x))), collapse = ", "), ")")
  } else if (is.environment(x)) {
    paste0("<", class(x)[[1L]], ">")
  } else if (is_bare_list(x)) {
    describe_list(x)
  } else if (is.atomic(x) && !is.object(x) && is.null(dim(x)) && length(x) <= 8L) {
    text <- deparse1(unname(x))
    if (is.integer(x)) gsub("L", "", text, fixed = TRUE) else text
  } else {
    trimws(utils::capture.output(utils::str(x, max.level = 0L, give.attr = FALSE))[1L])
  }
  if (nchar(text) > 60L) paste0(substr(text, 1L, 57L), "...") else text
}

describe_list <- function(x) {
  if (length(x) == 0L || length(x) > 4L) return(sprintf("a list of %d", length(x)))
  names <- ifelse(names2(x) == "", "", paste(names2(x), "= "))
  sprintf("list(%s)", paste0(names, vapply(x, describe_value, ""), collapse = ", "))
}

count_of <- function(n, one, many = paste0(one, "s")) {
  if (!is.numeric(n) || length(n) != 1L || is.na(n)) return(paste("an unknown number of", many))
  paste(format_count(n), if (n == 1) one else many)
}

# A generator of R6 objects.
print_class <- function(x, kind) {
  cat("<", kind, ">\n", sep = "")
  print(class(x))
  invisible(x)
}

length_or_na <- function(x) tryCatch(length(x), error = function(e) NA)

dataset_title <- function(x) sprintf("<%s> of %s", class(x)[[1L]], count_of(length_or_na(x), "item"))

sampler_title <- function(x) {
  n <- length_or_na(x)
  what <- if (is.null(x$batch_size)) count_of(n, "position") else count_of(n, "batch", "batches")
  sprintf("<%s> of %s", class(x)[[1L]], what)
}
