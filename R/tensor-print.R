# Tensors on the console.

#' Print tensors
#'
#' The values, then dtype, shape and what is known of the gradient.
#'
#' @param x A tensor.
#' @param n How many lines of values are shown; -1: all.
#' @param digits How many significant digits numbers have at least, as for R's own `print()`. `NULL`: four decimals where
#'   that tells the numbers apart, as LibTorch has it.
#' @param ... Not used.
#' @return `x`, invisibly.
#' @examplesIf torch::torch_is_installed()
#' print(torch_tensor(c(pi, 2)), digits = 7)
#' @export
print.torch_tensor <- function(x, n = 30, digits = NULL, ...) {
  if (!is.null(digits) && !(is_scalar_integerish(digits, finite = TRUE) && digits >= 1 && digits <= 22)) {
    value_error(sprintf("`digits` must be a whole number from 1 to 22 or NULL, not %s.", friendly_type(digits)))
  }
  cat(tensor_text(x, n, digits), sep = "\n")
  invisible(x)
}

tensor_text <- function(x, n = 30, digits = NULL) {
  if (is.null(attr(x, "class")) || is_dead(x)) return(c("torch_tensor", "<dead: it holds no tensor>"))
  if (is_undefined_tensor(x)) return(c("torch_tensor", "[ Tensor (undefined) ]"))
  # A trace does not record that somebody looks at a tensor.
  local_suspended_trace()
  values <- if (startsWith(unclass(x$device), "meta")) "..." else with_no_grad(value_lines(x, n, digits))
  if (n >= 0 && length(values) > n) {
    values <- c(values[seq_len(n)], "... [the output was truncated (use n=-1 to disable)]")
  }
  c("torch_tensor", values, wrap_type_line(type_line(x)))
}

# A line that is too long for the console is broken after a comma, or before the note on the gradient.
wrap_type_line <- function(line) {
  if (nchar(line) <= getOption("width")) return(line)
  parts <- strsplit(line, "(?<=, )|(?<=\\])(?=\\[)", perl = TRUE)[[1]]
  fill <- function(lines, part) {
    last <- length(lines)
    if (nchar(trimws(paste0(lines[last], part), "right")) > getOption("width")) return(c(lines, part))
    lines[last] <- paste0(lines[last], part)
    lines
  }
  trimws(Reduce(fill, parts), "right")
}

value_lines <- function(x, n, digits) {
  layout <- layout_names[unclass(x$layout) + 1L]
  switch(layout,
    strided = tensor_lines(first_rows(x, n), digits),
    sparse_coo = parts_lines(x$coalesce(), c("indices", "values"), n, digits),
    sparse_csr = , sparse_bsr = parts_lines(x, c("crow_indices", "col_indices", "values"), n, digits),
    sparse_csc = , sparse_bsc = parts_lines(x, c("ccol_indices", "row_indices", "values"), n, digits),
    "..."
  )
}

# Takes no more values than can be seen. Of a long tensor these are the first rows, and the format of the numbers is
# made for these.
first_rows <- function(x, n) {
  size <- dim(x)
  if (n < 0 || !length(size) || size[1] <= n + 1 || x$is_quantized() || cpp_is_tracing()) x else torch_narrow(x, 1, 1, n + 1)
}

parts_lines <- function(x, parts, n, digits) {
  unlist(lapply(parts, function(part) c(paste0(part, ":"), tensor_lines(first_rows(x[[part]](), n), digits))))
}

# The smallest int64 number is NA where R has integer64.
tensor_lines <- function(x, digits) {
  if (x$is_floating_point()) return(array_lines(as_array(x), digits))
  suppressWarnings(array_lines(as_array(x), digits, !x$is_complex()), classes = "torch_int64_warning")
}

# Shows an R vector or array by rows, in blocks of columns if it is too wide for the console. More than two dimensions
# are shown as matrices one after the other. The last of their leading subscripts runs fastest.
array_lines <- function(a, digits = NULL, whole = FALSE) {
  if (length(a) == 0) return(character())
  size <- dim(a)
  text <- cell_text(a, digits, whole)
  if (is.null(size)) return(text)
  rows <- size[length(size) - 1]
  columns <- size[length(size)]
  fit <- max(1, (getOption("width") + 1) %/% (nchar(text[1]) + 1))
  starts <- seq.int(1, columns, by = fit)
  block <- function(m) {
    lines <- lapply(starts, function(start) {
      end <- min(columns, start + fit - 1)
      rows <- do.call(paste, lapply(start:end, function(column) m[, column]))
      if (length(starts) > 1) c(if (start > 1) "", sprintf("Columns %d to %d", start, end), rows) else rows
    })
    unlist(lines)
  }
  if (length(size) == 2) return(block(matrix(text, rows)))
  leading <- as.matrix(rev(expand.grid(rev(lapply(size[seq_len(length(size) - 2)], seq_len)))))
  text <- aperm(array(text, size), c(length(size) - 1, length(size), rev(seq_len(length(size) - 2))))
  matrices <- matrix(text, rows * columns)
  unlist(lapply(seq_len(nrow(leading)), function(i) {
    c(if (i > 1) "", paste0("(", paste(leading[i, ], collapse = ","), ",.,.) ="), block(matrix(matrices[, i], rows)))
  }))
}

# Makes all cells equally wide, with room for a sign.
cell_text <- function(a, digits = NULL, whole = FALSE) {
  if (is.complex(a)) {
    imaginary <- number_text(Im(a), digits)
    text <- paste0(number_text(Re(a), digits), ifelse(startsWith(imaginary, "-"), "", "+"), imaginary, "i")
  } else if (inherits(a, "integer64")) {
    text <- as.character(a)
    text[is.na(a)] <- "-9223372036854775808"
  } else {
    text <- number_text(as.double(a), digits, whole)
  }
  sprintf(paste0("%", max(nchar(text) - startsWith(text, "-")) + 1, "s"), text)
}

# Numbers in one format: whole numbers without a point, others with four decimals if these tell them apart, and else
# with an exponent. `digits` is as in R, and `whole` is for numbers of an integer dtype.
number_text <- function(v, digits = NULL, whole = FALSE) {
  if (!is.null(digits) && !whole) {
    text <- trimws(format(v, digits = digits))
    text[!is.finite(v)] <- tolower(text[!is.finite(v)])
    return(text)
  }
  finite <- if (all(is.finite(v))) v else v[is.finite(v)]
  size <- abs(finite[finite != 0])
  before <- if (length(size)) floor(log10(range(size))) + 1 else c(1, 1)
  whole <- whole || (all(finite == trunc(finite)) && before[2] <= 10)
  wide <- before[2] > 5 || before[2] < 0 || before[2] - before[1] > 4
  text <- sprintf(if (whole) "%.0f" else if (wide) "%.4e" else "%.4f", v)
  if (length(finite) < length(v)) {
    text[is.nan(v)] <- "nan"
    text[is.infinite(v)] <- ifelse(v[is.infinite(v)] > 0, "inf", "-inf")
  }
  text
}

is_dead <- function(x) identical(cpp_is_dead(x), TRUE)

type_line <- function(x) {
  layout <- layout_names[unclass(x$layout) + 1L]
  # "sparse_coo" is "Sparse", "sparse_csr" "SparseCsr".
  kind <- if (layout == "strided") "" else sub("Coo", "", gsub("(?:^|_)(.)", "\\U\\1", layout, perl = TRUE))
  quantized <- x$is_quantized()
  paste0(
    "[ ", kind, if (quantized) "Quantized", toupper(x$device$type), dtype_name(x$dtype), "Type{",
    paste(.Call(C_shape, x), collapse = ","), "}", if (quantized) quantizer_note(x), " ]", grad_note(x)
  )
}

quantizer_note <- function(x) {
  scheme <- x$qscheme()
  note <- paste0(", qscheme: ", qscheme_names[unclass(scheme) + 1L])
  if (unclass(scheme) %in% c(0L, 2L)) sprintf("%s, scale: %g, zero_point: %g", note, x$q_scale(), x$q_zero_point()) else note
}

grad_note <- function(x) {
  if (!is.null(x$grad_fn)) return(sprintf("[ grad_fn = <%s> ]", x$grad_fn$name))
  if (x$requires_grad) "[ requires_grad = TRUE ]" else ""
}

#' @export
str.torch_tensor <- function(object, ...) {
  if (is_dead(object)) return(cat("<dead tensor>\n"))
  if (is_undefined_tensor(object)) return(cat("<undefined tensor>\n"))
  shape <- .Call(C_shape, object)
  cat(as.character(object$dtype), " [", if (length(shape)) paste0("1:", shape, collapse = ", "), "]\n", sep = "")
}

#' @export
format.torch_tensor <- function(x, ...) if (is_dead(x)) "<dead tensor>" else type_line(x)
