# Sizes of traced tensors: integers (src/size.cpp) that an operator takes as what the trace has recorded, so that the
# program works for other sizes. What can be followed is followed here: taking parts, putting together, and whole-number
# arithmetic. Any other use sees plain numbers, and the trace warns that they are frozen.
#
# The class is S4 because that is how c() finds a method when its first argument is a plain number. Its methods of the
# arithmetic operators are those of tensors, since R wants one method for both operands of `x * size`; see .onLoad().

#' Sizes of traced tensors
#'
#' While a trace runs, `x$size(1)`, `x$shape`, `dim(x)` and `x$numel()` of a tensor that the trace knows are integers of
#' class `torch_size`: an operator takes them as what the trace has recorded, so that the program works for other sizes.
#' `c()`, `[`, `rep()`, `sum()`, `prod()` and whole-number arithmetic keep that; any other use sees plain numbers, and a
#' warning of class `torch_tracer_warning` says that they are constants of the program. Outside of traces sizes are plain
#' integers.
#'
#' `identical()` looks at the class too: `identical(x$shape, c(2L, 3L))` is `FALSE` while a trace runs, whatever the shape. Write
#' `all(x$shape == c(2, 3))`.
#'
#' @seealso [jit_trace()]
#' @examplesIf torch::torch_is_installed()
#' f <- jit_trace(function(x) x$view(c(x$size(1), -1)), torch_randn(2, 3, 4))
#' f(torch_randn(5, 3, 2))$shape
#' @name torch_size
#' @aliases torch_size-class torch_number-class c,torch_size-method c,torch_number-method show,torch_size-method
NULL

methods::setClass("torch_size", contains = "integer")
# The classes that a size may be put together with. R allows no methods for the basic classes themselves.
methods::setClassUnion("torch_number", c("numeric", "NULL"))
# Of a class that contains integers R notes here that the methods of `Ops` known so far are to be forgotten when the package is
# loaded, which takes a third of loading it. Nothing can be known of a class before it is there.
rm(.requireCachedGenerics)

is_size <- function(x) !is.null(cpp_size_parts(x))

# The numbers of a size and the tensors behind them, as list(numbers, tensors). Plain numbers have no tensors behind
# them.
size_parts <- function(x) {
  parts <- cpp_size_parts(x)
  if (is.null(parts)) {
    if (inherits(x, "torch_size")) x <- unclass(x)
    return(list(numbers = x, tensors = vector("list", length(x))))
  }
  names(parts) <- c("numbers", "tensors")
  parts
}

is_whole <- function(x) is.numeric(x) && all(is.finite(x)) && all(x == trunc(x)) && all(abs(x) <= .Machine$integer.max)

# Makes a size of the numbers if there is a tensor behind any of them; else they stay plain numbers.
as_size <- function(numbers, tensors) {
  if (!cpp_is_tracing() || all(vapply(tensors, is.null, NA))) return(numbers)
  cpp_new_size(as.integer(numbers), tensors)
}

combine_sizes <- function(items) {
  parts <- lapply(items, size_parts)
  numbers <- unlist(lapply(parts, `[[`, "numbers"), use.names = FALSE)
  if (!is_whole(numbers)) {
    trace_leaves()
    return(numbers)
  }
  as_size(numbers, unlist(lapply(parts, `[[`, "tensors"), recursive = FALSE, use.names = FALSE))
}

c_with_sizes <- function(x, ...) {
  items <- list(x, ...)
  plain <- function(x) is.null(x) || is_size(x) || (is.numeric(x) && !is.object(x))
  if (any(vapply(items, is_size, NA)) && all(vapply(items, plain, NA))) return(combine_sizes(items))
  methods::callNextMethod()
}
methods::setMethod("c", "torch_size", c_with_sizes)
methods::setMethod("c", "torch_number", c_with_sizes)
methods::setMethod("show", "torch_size", function(object) print.torch_size(object))

#' @export
`[.torch_size` <- function(x, i) {
  parts <- size_parts(x)
  if (missing(i)) i <- TRUE
  as_size(parts$numbers[i], parts$tensors[i])
}
#' @export
`[[.torch_size` <- function(x, i) {
  parts <- size_parts(x)
  as_size(parts$numbers[[i]], list(parts$tensors[[i]]))
}
#' @export
`[<-.torch_size` <- function(x, i, value) {
  parts <- size_parts(x)
  new <- size_parts(value)
  if (missing(i)) i <- TRUE
  parts$numbers[i] <- new$numbers
  parts$tensors[i] <- new$tensors
  if (is_whole(parts$numbers)) as_size(parts$numbers, parts$tensors) else parts$numbers
}
#' @export
`[[<-.torch_size` <- `[<-.torch_size`
#' @export
rep.torch_size <- function(x, ...) x[rep(seq_along(x), ...)]
#' @export
as.list.torch_size <- function(x, ...) lapply(seq_along(x), function(i) x[[i]])
#' @export
format.torch_size <- function(x, ...) format(size_parts(x)$numbers, ...)
#' @export
as.character.torch_size <- function(x, ...) as.character(size_parts(x)$numbers)
#' @export
print.torch_size <- function(x, ...) {
  print(size_parts(x)$numbers)
  invisible(x)
}

#' @export
prod.torch_size <- function(..., na.rm = FALSE) Reduce(`*`, as.list(c(...)))
#' @export
sum.torch_size <- function(..., na.rm = FALSE) Reduce(`+`, as.list(c(...)))

# Operators that compute whole numbers from whole numbers. The trace records them on 0-d tensors.
size_operators <- list(
  "+" = function(a, b) torch_add(a, b), "-" = function(a, b) torch_sub(a, b), "*" = function(a, b) torch_mul(a, b),
  "%/%" = function(a, b) torch_div(a, b, rounding_mode = "floor"), "%%" = function(a, b) torch_remainder(a, b)
)

size_operands <- c("+", "-", "*", "/", "^", "%%", "%/%", "==", "!=", "<", "<=", ">", ">=")

# The glue calls this for an arithmetic operator of R if an operand is a size or a recorded number.
size_arithmetic <- function(operator, operands) {
  if (any(vapply(operands, is_recorded, NA))) return(number_arithmetic(operator, operands))
  for (operand in operands) {
    if (inherits(operand, c("R7", "torch_dtype"))) type_error(sprintf("`%s` has no form for %s.", operator, friendly_type(operand)))
  }
  parts <- lapply(operands, size_parts)
  numbers <- lapply(parts, `[[`, "numbers")
  value <- do.call(operator, numbers)
  record <- size_operators[[operator]]
  if (!cpp_is_tracing()) return(value)
  if (is.null(record) || !is_whole(value) || !all(vapply(numbers, is_whole, NA))) {
    trace_leaves()
    return(value)
  }
  if (length(parts) == 1) parts <- list(list(numbers = 0L, tensors = list(NULL)), parts[[1]])
  item <- function(part, i) {
    at <- (i - 1) %% length(part$numbers) + 1
    part$tensors[[at]] %||% as.integer(part$numbers[[at]])
  }
  tensors <- lapply(seq_along(value), function(i) {
    pair <- lapply(parts, item, i)
    if (any(vapply(pair, is_torch_tensor, NA))) record(pair[[1]], pair[[2]])
  })
  as_size(value, tensors)
}
