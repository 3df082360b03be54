# Recording what an optimizer's step does with numbers. The shim records operators and sees numbers as they are. So
# while a step is recorded, learning rates and counts are numbers of a class that notes what is computed from them.
# The shim finds the results among the arguments of operators by their bits.

# Notes what the numbers of a recording were computed from, one row for each number, the given ones first. `open`
# holds comparisons whose purpose nobody has told: an `if` may have used them.
new_numbers <- function() {
  list2env(list(op = integer(), of = list(), value = numeric(), open = integer()), parent = emptyenv())
}

number_ops <- local({
  names <- c(
    "given", "constant", "+", "-", "*", "/", "^", "larger", "smaller", "negative", "sqrt", "exp", "log", "abs", "cos",
    "sin", "<", "<=", "choose"
  )
  set_names(seq_along(names) - 1L, names)
})

is_recorded <- function(x) inherits(x, "torch_recorded")

# A new number of the recording that runs. Its value may be a little off, because the results of the recorded code are
# thrown away. The true value might be whole, or equal to what it was computed from, and then be taken for another
# number.
record_number <- function(op, value, operands = list()) {
  numbers <- the$numbers
  of <- vapply(operands, number_place, 1L)
  place <- length(numbers$op) + 1L
  if (!op %in% c("given", "constant", "<", "<=")) value <- value + (abs(value) + 1e-3) * 1e-7 * (place + 0.3171828)
  numbers$op[place] <- number_ops[[op]]
  numbers$of[[place]] <- c(of, 0L, 0L, 0L)[1:3]
  numbers$value[place] <- as.numeric(value)
  if (op %in% c("<", "<=")) numbers$open <- c(numbers$open, place)
  structure(unclass(value), class = "torch_recorded", place = place)
}

number_place <- function(x) attr(if (is_recorded(x)) x else record_number("constant", x), "place")

plain_numbers <- function(x) {
  attributes(x) <- NULL
  x
}

# The result of an R operator or function of numbers, some of which are recorded. If it can't be followed it becomes a
# plain number. Where that matters, two recordings differ.
number_arithmetic <- function(operator, operands) {
  values <- lapply(operands, plain_numbers)
  value <- do.call(operator, values)
  if (is.null(the$numbers)) return(value)
  if (any(lengths(values) != 1L) || !all(vapply(values, function(x) is.numeric(x) || is.logical(x), NA))) {
    return(value)
  }
  if (length(operands) == 1L) {
    if (operator == "+") return(operands[[1L]])
    if (operator == "-") operator <- "negative"
  }
  if (operator %in% c(">", ">=")) {
    operator <- if (operator == ">") "<" else "<="
    operands <- rev(operands)
  }
  if (operator %in% names(number_ops)) record_number(operator, value, operands) else value
}

#' @export
Math.torch_recorded <- function(x, ...) number_arithmetic(.Generic, list(x, ...))

# `max()`, `min()` and `ifelse()` of numbers that may be recorded, for all their elements.
larger_of <- function(x, y) picked("larger", pmax, list(x, y))
smaller_of <- function(x, y) picked("smaller", pmin, list(x, y))
either <- function(test, yes, no) {
  if (is_recorded(test)) the$numbers$open <- setdiff(the$numbers$open, attr(test, "place"))
  picked("choose", ifelse, list(test, yes, no))
}

picked <- function(op, fn, operands) {
  if (!any(vapply(operands, is_recorded, NA))) return(do.call(fn, operands))
  value <- do.call(fn, lapply(operands, plain_numbers))
  if (is.null(the$numbers) || any(lengths(operands) != 1L)) value else record_number(op, value, operands)
}

# Records `code` on `inputs`. Afterwards `finish()` tells what is wanted (results, targets and the next numbers), or
# gives a string that says why nothing is. The result is the tape or such a string. With `undo`, tensors get back the
# values that `code` overwrote.
record_tape <- function(inputs, numbers, code, finish, undo = FALSE) {
  outer <- the$numbers
  the$numbers <- numbers
  cpp_record_begin(inputs)
  done <- FALSE
  on.exit({
    the$numbers <- outer
    if (!done) cpp_record_give_up()
  })
  force(code)
  wanted <- finish()
  if (is_string(wanted)) return(wanted)
  done <- TRUE
  tryCatch(
    cpp_record_end(
      wanted$results, wanted$targets %||% vector("list", length(wanted$results)),
      list(numbers$op, as.integer(unlist(numbers$of)), as.numeric(numbers$value)), as.integer(wanted$following),
      undo
    ),
    torch_error = conditionMessage
  )
}

#' @export
print.torch_tape <- function(x, ...) {
  cat("<torch_tape>\n", cpp_tape_text(x), sep = "")
  invisible(x)
}
