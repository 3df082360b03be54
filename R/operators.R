# R's operators and functions on tensors: one operator of LibTorch each.

# Key of a record -> the operators behind it; unary minus and plus are further candidates of the same record.
r_operators <- list(
  "+" = c("add", "positive"), "-" = c("sub", "neg"), "*" = "mul", "/" = "div", "^" = "pow", "%%" = "fmod",
  "==" = "eq", "!=" = "ne", "<" = "lt", "<=" = "le", ">" = "gt", ">=" = "ge",
  "&" = "logical_and", "|" = "logical_or", "%*%" = "matmul"
)

#' @export
`+.torch_tensor` <- function(e1, e2) .External2(C_op, "+")
#' @export
`-.torch_tensor` <- function(e1, e2) .External2(C_op, "-")
#' @export
`*.torch_tensor` <- function(e1, e2) .External2(C_op, "*")
#' @export
`/.torch_tensor` <- function(e1, e2) .External2(C_op, "/")
#' @export
`^.torch_tensor` <- function(e1, e2) .External2(C_op, "^")
#' @export
`%%.torch_tensor` <- function(e1, e2) .External2(C_op, "%%")
#' @export
`%/%.torch_tensor` <- function(e1, e2) {
  if (!is_torch_tensor(e1) && !is_torch_tensor(e2)) return(size_arithmetic("%/%", list(e1, e2)))
  torch_div(e1, e2, rounding_mode = "trunc")
}
#' @export
`==.torch_tensor` <- function(e1, e2) .External2(C_op, "==")
#' @export
`!=.torch_tensor` <- function(e1, e2) .External2(C_op, "!=")
#' @export
`<.torch_tensor` <- function(e1, e2) .External2(C_op, "<")
#' @export
`<=.torch_tensor` <- function(e1, e2) .External2(C_op, "<=")
#' @export
`>.torch_tensor` <- function(e1, e2) .External2(C_op, ">")
#' @export
`>=.torch_tensor` <- function(e1, e2) .External2(C_op, ">=")
#' @export
`&.torch_tensor` <- function(e1, e2) .External2(C_op, "&")
#' @export
`|.torch_tensor` <- function(e1, e2) .External2(C_op, "|")
#' @export
`!.torch_tensor` <- function(x) torch_logical_not(x)

# R calls methods of %*% from 4.3 on; registered in zzz.R.
matmul_torch_tensor <- function(x, y) torch_matmul(x, y)

#' @export
abs.torch_tensor <- function(x) torch_abs(x)
#' @export
acos.torch_tensor <- function(x) torch_acos(x)
#' @export
asin.torch_tensor <- function(x) torch_asin(x)
#' @export
atan.torch_tensor <- function(x) torch_atan(x)
#' @export
ceiling.torch_tensor <- function(x) torch_ceil(x)
#' @export
cos.torch_tensor <- function(x) torch_cos(x)
#' @export
cosh.torch_tensor <- function(x) torch_cosh(x)
#' @export
cumsum.torch_tensor <- function(x) torch_cumsum(x, dim = 1)
#' @export
exp.torch_tensor <- function(x) torch_exp(x)
#' @export
expm1.torch_tensor <- function(x) torch_expm1(x)
#' @export
floor.torch_tensor <- function(x) torch_floor(x)
#' @export
log.torch_tensor <- function(x, base) if (missing(base)) torch_log(x) else torch_log(x) / log(base)
#' @method log10 torch_tensor
#' @export
log10.torch_tensor <- function(x) torch_log10(x)
#' @export
log1p.torch_tensor <- function(x) torch_log1p(x)
#' @method log2 torch_tensor
#' @export
log2.torch_tensor <- function(x) torch_log2(x)
#' @export
round.torch_tensor <- function(x, digits = 0) torch_round(x, decimals = digits)
#' @export
sign.torch_tensor <- function(x) torch_sign(x)
#' @export
sin.torch_tensor <- function(x) torch_sin(x)
#' @export
sinh.torch_tensor <- function(x) torch_sinh(x)
#' @export
sqrt.torch_tensor <- function(x) torch_sqrt(x)
#' @export
tan.torch_tensor <- function(x) torch_tan(x)
#' @export
tanh.torch_tensor <- function(x) torch_tanh(x)
#' @export
trunc.torch_tensor <- function(x, ...) torch_trunc(x)

refuse_na_rm <- function(na.rm, call = entry_call(sys.nframe() - 1L)) {
  if (!isFALSE(na.rm)) value_error("`na.rm` must be FALSE: tensors have NaN, but no NA.", call)
}

# Reduces each argument, then the results pairwise, as base R's Summary functions take several.
reduce_all <- function(tensors, reduce, combine) Reduce(combine, lapply(tensors, reduce))

#' @export
sum.torch_tensor <- function(..., dim, keepdim = FALSE, na.rm = FALSE) {
  refuse_na_rm(na.rm)
  if (missing(dim)) return(reduce_all(list(...), torch_sum, torch_add))
  reduce_all(list(...), function(x) torch_sum(x, dim = dim, keepdim = keepdim), torch_add)
}
#' @export
prod.torch_tensor <- function(..., dim, keepdim = FALSE, na.rm = FALSE) {
  refuse_na_rm(na.rm)
  if (missing(dim)) return(reduce_all(list(...), torch_prod, torch_mul))
  reduce_all(list(...), function(x) torch_prod(x, dim = dim, keepdim = keepdim), torch_mul)
}
#' @export
max.torch_tensor <- function(..., na.rm = FALSE) {
  refuse_na_rm(na.rm)
  reduce_all(list(...), torch_max, torch_maximum)
}
#' @export
min.torch_tensor <- function(..., na.rm = FALSE) {
  refuse_na_rm(na.rm)
  reduce_all(list(...), torch_min, torch_minimum)
}
#' @export
mean.torch_tensor <- function(x, dim, keepdim = FALSE, na.rm = FALSE, ...) {
  refuse_na_rm(na.rm)
  if (missing(dim)) torch_mean(x) else torch_mean(x, dim = dim, keepdim = keepdim)
}
