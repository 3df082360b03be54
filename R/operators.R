# R's operators and functions on tensors: one operator of LibTorch each.

# The key of a record, with the operators behind it. Unary minus and plus are further candidates of the same record.
r_operators <- list(
  "+" = c("add", "positive"), "-" = c("sub", "neg"), "*" = "mul", "/" = "div", "^" = "pow", "%%" = "remainder",
  "==" = "eq", "!=" = "ne", "<" = "lt", "<=" = "le", ">" = "gt", ">=" = "ge",
  "&" = "logical_and", "|" = "logical_or", "%*%" = "matmul"
)

# R's functions of one tensor, with the operator behind each.
r_functions <- c(
  "!" = "logical_not", abs = "abs", acos = "acos", asin = "asin", atan = "atan", ceiling = "ceil", cos = "cos",
  cosh = "cosh", exp = "exp", expm1 = "expm1", floor = "floor", log10 = "log10", log1p = "log1p", log2 = "log2",
  sign = "sign", sin = "sin", sinh = "sinh", sqrt = "sqrt", tan = "tan", tanh = "tanh", is.na = "isnan",
  is.nan = "isnan", is.finite = "isfinite", is.infinite = "isinf", t = "t"
)
# The key of such a function's record.
r_function_key <- function(name) paste0(name, "(x)")

# Makes the S3 methods of both tables when the package is installed.
make_r_methods <- function(env) {
  for (name in setdiff(names(r_operators), "%*%")) {
    assign(paste0(name, ".torch_tensor"), new_op_function(name, alist(e1 = , e2 = ), env), envir = env)
  }
  # A dtype is no number. For `x + dtype` R calls a method only if the methods of both classes are the same function.
  # These methods refuse dtypes.
  for (name in setdiff(names(r_operators), c("%*%", "==", "!="))) {
    assign(paste0(name, ".torch_dtype"), get(paste0(name, ".torch_tensor"), envir = env), envir = env)
  }
  for (name in names(r_functions)) {
    assign(paste0(name, ".torch_tensor"), new_op_function(r_function_key(name), alist(x = ), env), envir = env)
  }
}

#' @evalNamespace r_method_exports()
NULL

r_method_exports <- function() {
  operators <- setdiff(names(r_operators), "%*%")
  quoted <- function(names) ifelse(make.names(names) == names, names, dQuote(names, FALSE))
  c(
    paste0("S3method(", quoted(c(operators, names(r_functions))), ",torch_tensor)"),
    paste0("S3method(", quoted(setdiff(operators, c("==", "!="))), ",torch_dtype)")
  )
}

#' @export
`%/%.torch_tensor` <- function(e1, e2) {
  if (!is_torch_tensor(e1) && !is_torch_tensor(e2)) return(size_arithmetic("%/%", list(e1, e2)))
  torch_div(e1, e2, rounding_mode = "floor")
}

# R calls methods of %*% from 4.3 on (registered in zzz.R). Before, the package exports an operator of its own: that one
# multiplies tensors and hands everything else to base R.
matmul_torch_tensor <- function(x, y) torch_matmul(x, y)

#' Matrix products of tensors
#'
#' `x %*% y` is [torch_matmul()] if one of them is a tensor. R knows methods of `%*%` from 4.3 on; for R before that the
#' package exports the operator, which hands everything else to base R's.
#'
#' @param x,y Tensors, or one tensor and an R matrix.
#' @return A tensor.
#' @examplesIf torch::torch_is_installed()
#' torch_eye(2) %*% torch_tensor(matrix(1:4, 2), dtype = "float")
#' @name matrix_product
#' @aliases %*%
#' @usage NULL
#' @rawNamespace if (getRversion() < "4.3.0") export("%*%")
NULL

`%*%` <- function(x, y) {
  if (is_torch_tensor(x) || is_torch_tensor(y)) torch_matmul(x, y) else base::`%*%`(x, y)
}
if (getRversion() >= "4.3.0") rm(`%*%`)

#' @export
cumsum.torch_tensor <- function(x) torch_cumsum(x, dim = 1)
#' @export
log.torch_tensor <- function(x, base) if (missing(base)) torch_log(x) else torch_log(x) / log(base)
#' @export
round.torch_tensor <- function(x, digits = 0) torch_round(x, decimals = digits)
#' @export
trunc.torch_tensor <- function(x, ...) torch_trunc(x)

# The rest of R's Math group, for which LibTorch has no function of that name or one along a dimension.
#' @export
Math.torch_tensor <- function(x, ...) {
  switch(.Generic,
    acosh = torch_acosh(x), asinh = torch_asinh(x), atanh = torch_atanh(x),
    cospi = torch_cos(x * pi), sinpi = torch_sin(x * pi), tanpi = torch_tan(x * pi),
    lgamma = torch_lgamma(x), digamma = torch_digamma(x), trigamma = torch_polygamma(1L, x), gamma = tensor_gamma(x),
    cumprod = torch_cumprod(x, dim = 1), cummax = torch_cummax(x, dim = 1)[[1]], cummin = torch_cummin(x, dim = 1)[[1]],
    value_error(sprintf("`%s()` has no form for tensors. Use `torch_round(x, decimals = )`.", .Generic))
  )
}

# Below zero the sign changes at every whole number.
tensor_gamma <- function(x) {
  size <- torch_exp(torch_lgamma(x))
  torch_where((x < 0) & (torch_remainder(torch_floor(x), 2) != 0), -size, size)
}

refuse_na_rm <- function(na.rm, call = entry_call(sys.nframe() - 1L)) {
  if (!isFALSE(na.rm)) value_error("`na.rm` must be FALSE: tensors have NaN, but no NA.", call)
}

# Each takes several tensors, as base R's Summary functions do.
#' @export
sum.torch_tensor <- function(..., dim, keepdim = FALSE, na.rm = FALSE) (.External2(C_reduce, "sum", "add"))
#' @export
prod.torch_tensor <- function(..., dim, keepdim = FALSE, na.rm = FALSE) (.External2(C_reduce, "prod", "mul"))
#' @export
max.torch_tensor <- function(..., na.rm = FALSE) (.External2(C_reduce, "max", "maximum"))
#' @export
min.torch_tensor <- function(..., na.rm = FALSE) (.External2(C_reduce, "min", "minimum"))
#' @export
mean.torch_tensor <- function(x, dim, keepdim = FALSE, na.rm = FALSE, ...) {
  refuse_na_rm(na.rm)
  x <- as_real(x)
  if (missing(dim)) torch_mean(x) else torch_mean(x, dim = dim, keepdim = keepdim)
}
#' @export
range.torch_tensor <- function(..., na.rm = FALSE) {
  refuse_na_rm(na.rm)
  torch_stack(list(min.torch_tensor(...), max.torch_tensor(...)))
}
#' @export
any.torch_tensor <- function(..., na.rm = FALSE) (.External2(C_reduce, "any", "logical_or"))
#' @export
all.torch_tensor <- function(..., na.rm = FALSE) (.External2(C_reduce, "all", "logical_and"))
#' @importFrom stats median
#' @export
median.torch_tensor <- function(x, na.rm = FALSE, ...) {
  refuse_na_rm(na.rm)
  torch_quantile(as_floating(x), 0.5)
}

#' @importFrom stats quantile
#' @export
quantile.torch_tensor <- function(x, probs = seq(0, 1, 0.25), na.rm = FALSE, ...) {
  refuse_na_rm(na.rm)
  x <- as_floating(x)
  torch_quantile(x, torch_tensor(probs, dtype = x$dtype, device = x$device))
}
# LibTorch has quantiles for two dtypes only.
as_floating <- function(x) if (x$dtype == torch_double()) x else tensor_to(x, torch_float())


#' @export
aperm.torch_tensor <- function(a, perm = NULL, ...) torch_permute(a, if (is.null(perm)) rev(seq_along(dim(a))) else perm)
# head() and tail() go along the first dimension.
#' @export
rev.torch_tensor <- function(x) torch_flip(x, 1)
#' @export
sort.torch_tensor <- function(x, decreasing = FALSE, ...) torch_sort(x, dim = 1, descending = decreasing)[[1]]
#' @export
diff.torch_tensor <- function(x, lag = 1L, differences = 1L, ...) {
  if (lag != 1) value_error("`lag` must be 1 for tensors.")
  torch_diff(x, n = differences, dim = 1)
}
# For each element of a vector, the position of the first element that equals it. All NaN are equal, as in R.
first_positions <- function(x) {
  sorted <- torch_sort(x, stable = TRUE)
  counts <- torch_unique_consecutive(sorted[[1]], return_counts = TRUE)[[3]]
  first <- sorted[[2]][torch_cumsum(counts, 1) - counts + 1L]
  if (!x$is_floating_point()) return(first)
  is_nan <- torch_isnan(x[first])
  first[!is_nan | torch_cumsum(is_nan, 1) == 1]
}

#' @export
unique.torch_tensor <- function(x, incomparables = FALSE, ...) {
  x <- torch_flatten(x)
  x[torch_sort(first_positions(x))[[1]]]
}
#' @export
duplicated.torch_tensor <- function(x, incomparables = FALSE, ...) {
  x <- torch_flatten(x)
  out <- torch_ones_like(x, dtype = torch_bool())
  out[first_positions(x)] <- FALSE
  out
}
#' @export
scale.torch_tensor <- function(x, center = TRUE, scale = TRUE) {
  x <- as_real(as_columns(x, "x"))
  if (!isFALSE(center)) x <- x - if (isTRUE(center)) torch_mean(x, dim = 1) else center
  if (isFALSE(scale)) return(x)
  x / if (isTRUE(scale)) torch_sqrt(torch_sum(x^2, dim = 1) / max(1, dim(x)[1] - 1)) else scale
}
#' @export
solve.torch_tensor <- function(a, b, ...) if (missing(b)) linalg_inv(a) else linalg_solve(a, b)
# det() uses the list that this method gives.
#' @export
determinant.torch_tensor <- function(x, logarithm = TRUE, ...) {
  value_error("`det()` and `determinant()` have no form for tensors. Use `torch_det(x)` or `linalg_slogdet(x)`.")
}
#' @export
rep.torch_tensor <- function(x, ...) {
  value_error("`rep()` has no form for tensors. Use ``x$`repeat`(repeats)``, or `torch_repeat_interleave(x, repeats)`.")
}
#' @export
rbind.torch_tensor <- function(..., deparse.level = 1) torch_vstack(list(...))
#' @export
cbind.torch_tensor <- function(..., deparse.level = 1) torch_column_stack(list(...))

#' @export
`dim<-.torch_tensor` <- function(x, value) {
  value_error("The shape of a tensor can't be assigned. Use `x$reshape(shape)`, or `x$view(size)` for the same memory.")
}
#' @export
`length<-.torch_tensor` <- function(x, value) {
  value_error("The length of a tensor can't be assigned. Use `x$resize_(size)`, or `head(x, n)` for a part.")
}
