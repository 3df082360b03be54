# R's functions of vectors and matrices that dispatch on no class by themselves. An S4 method makes a generic of each,
# the one that every package with methods of it shares, so that attaching torch masks nothing: R values go on to R's own
# function.

#' R's functions of vectors and matrices
#'
#' These mean of tensors what they mean of R's vectors and matrices, and give tensors, with gradients.
#'
#' | function | of a tensor |
#' |---|---|
#' | `diag(x)`, `diag(x) <- value` | the diagonal of a matrix, or a matrix with this diagonal; assigned in place |
#' | `rowSums()`, `rowMeans()`, `colSums()`, `colMeans()` | over the last or over the first dimensions, as `dims` says |
#' | `crossprod(x, y)`, `tcrossprod(x, y)` | `t(x) %*% y`, `x %*% t(y)` |
#' | `outer(X, Y, FUN)`, `X %o% Y` | `FUN` of all pairs; the shape is that of `X` followed by that of `Y` |
#' | `kronecker(X, Y)` | [torch_kron()] |
#' | `norm(x, type)` | of a matrix; `type` as R has it |
#' | `var()`, `sd()`, `cov()`, `cor()` | of a vector, or between the columns of matrices; `sd()` of all elements |
#' | `scale(x, center, scale)` | columns less their means, by their standard deviations, or what is given instead |
#' | `unique(x)`, `duplicated(x)` | of all elements, in the order in which they first occur |
#' | `which(x)`, `which.max(x)`, `which.min(x)` | positions in a vector; with `arr.ind = TRUE` in any tensor, a row for each |
#' | `ifelse(test, yes, no)` | [torch_where()]: both `yes` and `no` are computed |
#' | `Re()`, `Im()`, `Mod()`, `Arg()`, `Conj()` | [torch_real()] and so on |
#' | `hist()`, `boxplot()`, `barplot()`, `image()`, `density()` | of the values |
#'
#' R's other functions that make a matrix or an array of their argument, such as `apply()`, `svd()` and `lapply()`,
#' see `as.array(x)`: they give R values, without gradients. Some of R's functions take no tensors. Write `for (row in
#' torch_unbind(x))` and `if (as.logical(x > 0))`, use [torch_minimum()] and [torch_maximum()] for `pmin()` and
#' `pmax()`, and `jit_ops$aten$isin(x, values)` for `%in%`.
#'
#' @param x,X,y,Y,test A tensor.
#' @param nrow,ncol,names,useNames,use,na.rm Must be left out: tensors have neither names nor NA.
#' @param dims How many dimensions are rows.
#' @param value A tensor or number.
#' @param type One of "O" (or "1"), "I", "F" (or "E"), "M", "2".
#' @param FUN A function of two tensors that broadcasts, or its name.
#' @param arr.ind Whether positions are rows of a matrix.
#' @param yes,no Tensors or numbers.
#' @param ... Further arguments of `FUN`.
#' @return A tensor; from the plots what R's own functions give.
#' @section Errors:
#' A shape for which the function has no meaning is a `value_error` that names what has.
#' @examplesIf torch::torch_is_installed()
#' x <- torch_tensor(matrix(c(1, 2, 3, 4, 5, 7), 2))
#' colMeans(x)
#' var(x)
#' outer(torch_arange(1, 3), torch_arange(1, 2), "+")
#' ifelse(x > 2, x, 0)
#' which(x[1, ] > 2)
#' @name r_functions
#' @aliases diag diag<- rowSums rowMeans colSums colMeans var cov cor sd which which.max which.min crossprod tcrossprod outer %o% kronecker norm ifelse
#' @eval tensor_method_aliases()
#' @exportClass torch_tensor
#' @exportMethod diag "diag<-" rowSums rowMeans colSums colMeans outer "%o%" kronecker norm var sd cov cor which which.max which.min ifelse
#' @rawNamespace if (getRversion() < "4.4.0") exportMethods(crossprod, tcrossprod)
#' @importFrom methods kronecker
#' @importFrom stats cor cov sd var
NULL

methods::setOldClass("torch_tensor")

# How R's documentation names the class and its S4 methods.
tensor_method_aliases <- function() {
  here <- topenv()
  methods <- lapply(unname(methods::getGenerics(here)@.Data), function(generic) {
    signatures <- names(methods::findMethods(generic, where = here))
    paste0(generic, ",", gsub("#", ",", grep("torch_tensor", signatures, value = TRUE)), "-method", recycle0 = TRUE)
  })
  paste("@aliases torch_tensor-class", paste(unlist(methods), collapse = " "))
}

# ---- sums over rows and columns -----------------------------------------------------------------------------------------

# The dimensions that a sum runs over. The first `dims` dimensions are the rows.
summed_dims <- function(x, dims, columns, na.rm, call = caller_env()) {
  if (!isFALSE(na.rm)) value_error("`na.rm` must be FALSE: tensors have NaN, but no NA.", call)
  n <- length(dim(x))
  if (n < 2) value_error("`x` must have at least two dimensions. Use `sum(x)` or `mean(x)`.", call)
  if (!is_scalar_integerish(dims, finite = TRUE) || dims < 1 || dims >= n) {
    value_error(sprintf("`dims` must be a whole number from 1 to %d, not %s.", n - 1L, friendly_type(dims)), call)
  }
  if (columns) seq_len(dims) else seq(dims + 1, n)
}

# Means and variances of whole numbers are no whole numbers, so whole numbers become floating-point ones.
as_real <- function(x) if (x$is_floating_point() || x$is_complex()) x else tensor_to(x, torch_get_default_dtype())

methods::setMethod("colSums", "torch_tensor", function(x, na.rm = FALSE, dims = 1L, ...) {
  torch_sum(x, dim = summed_dims(x, dims, TRUE, na.rm))
})
methods::setMethod("rowSums", "torch_tensor", function(x, na.rm = FALSE, dims = 1L, ...) {
  torch_sum(x, dim = summed_dims(x, dims, FALSE, na.rm))
})
methods::setMethod("colMeans", "torch_tensor", function(x, na.rm = FALSE, dims = 1L, ...) {
  torch_mean(as_real(x), dim = summed_dims(x, dims, TRUE, na.rm))
})
methods::setMethod("rowMeans", "torch_tensor", function(x, na.rm = FALSE, dims = 1L, ...) {
  torch_mean(as_real(x), dim = summed_dims(x, dims, FALSE, na.rm))
})

# ---- matrices -----------------------------------------------------------------------------------------------------------

methods::setMethod("diag", "torch_tensor", function(x = 1, nrow, ncol, names = TRUE) {
  if (!missing(nrow) || !missing(ncol)) value_error("`nrow` and `ncol` must be left out: a tensor has its own size.")
  check_dimensions(x, "x", 1:2, "`torch_diagonal(x, dim1 = , dim2 = )`")
  torch_diag(x)
})

methods::setMethod("diag<-", "torch_tensor", function(x, value) {
  check_dimensions(x, "x", 2, "`torch_diagonal(x, dim1 = , dim2 = )$copy_(value)`")
  size <- min(dim(x))
  if (!is_torch_tensor(value)) value <- torch_tensor(value, dtype = x$dtype, device = x$device)
  if (!value$numel() %in% c(1, size)) {
    value_error(sprintf("`value` must have 1 or %d elements, as the diagonal has, not %d.", size, value$numel()))
  }
  torch_diagonal(x)$copy_(value$flatten())
  x
})

check_dimensions <- function(x, arg, allowed, instead, call = caller_env()) {
  n <- length(dim(x))
  if (!n %in% allowed) {
    value_error(sprintf(
      "`%s` must have %s dimension%s, not %d. Use %s.", arg, paste(allowed, collapse = " or "),
      if (identical(max(allowed), 1)) "" else "s", n, instead
    ), call)
  }
}

# A vector is a matrix with one column.
as_columns <- function(x, arg, call = caller_env()) {
  if (!is_torch_tensor(x)) x <- torch_tensor(x)
  check_dimensions(x, arg, 1:2, "`x$flatten()` or operators such as `torch_matmul()`", call)
  if (length(dim(x)) == 1) x$unsqueeze(2) else x
}

cross_product <- function(x, y = NULL, ...) {
  x <- as_columns(x, "x")
  torch_matmul(torch_t(x), if (is.null(y)) x else as_columns(y, "y"))
}
cross_product_of_rows <- function(x, y = NULL, ...) {
  x <- as_columns(x, "x")
  torch_matmul(x, torch_t(if (is.null(y)) x else as_columns(y, "y")))
}
# From R 4.4 on these are S3 generics, see .onLoad().
if (getRversion() < "4.4.0") {
  methods::setMethod("crossprod", "torch_tensor", cross_product)
  methods::setMethod("tcrossprod", "torch_tensor", cross_product_of_rows)
}

outer_tensors <- function(X, Y, FUN = "*", ...) {
  if (!is_torch_tensor(X)) X <- torch_tensor(X)
  if (!is_torch_tensor(Y)) Y <- torch_tensor(Y)
  X <- X$reshape(c(dim(X), rep(1L, length(dim(Y)))))
  # In programs of `jit_script()` a name is no function.
  if (identical(FUN, "*")) return(X * Y)
  FUN <- match.fun(FUN)
  FUN(X, Y, ...)
}
methods::setMethod("outer", c("torch_tensor", "torch_tensor"), outer_tensors)
methods::setMethod("outer", c("torch_tensor", "ANY"), outer_tensors)
methods::setMethod("outer", c("ANY", "torch_tensor"), outer_tensors)
product_of_pairs <- function(X, Y) outer_tensors(X, Y)
methods::setMethod("%o%", c("torch_tensor", "torch_tensor"), product_of_pairs)
methods::setMethod("%o%", c("torch_tensor", "ANY"), product_of_pairs)
methods::setMethod("%o%", c("ANY", "torch_tensor"), product_of_pairs)

product_of_blocks <- function(X, Y, FUN = "*", make.dimnames = FALSE, ...) {
  if (!identical(FUN, "*")) value_error("`FUN` must be \"*\" for tensors.")
  if (!is_torch_tensor(X)) X <- torch_tensor(X, dtype = Y$dtype, device = Y$device)
  if (!is_torch_tensor(Y)) Y <- torch_tensor(Y, dtype = X$dtype, device = X$device)
  # R adds dimensions at the end, and LibTorch at the front.
  filled <- function(x, n) x$reshape(c(dim(x), rep(1L, max(0, n - length(dim(x))))))
  torch_kron(filled(X, length(dim(Y))), filled(Y, length(dim(X))))
}
methods::setMethod("kronecker", c("torch_tensor", "torch_tensor"), product_of_blocks)
methods::setMethod("kronecker", c("torch_tensor", "ANY"), product_of_blocks)
methods::setMethod("kronecker", c("ANY", "torch_tensor"), product_of_blocks)

matrix_norm <- function(x, type = "O", ...) {
  check_dimensions(x, "x", 2, "`linalg_norm(x, ord = )`")
  switch(toupper(type[1]),
    O = , "1" = linalg_norm(x, ord = 1), I = linalg_norm(x, ord = Inf), F = , E = linalg_norm(x, ord = "fro"),
    "2" = linalg_norm(x, ord = 2), M = torch_max(torch_abs(x)),
    value_error(sprintf("`type` must be one of \"O\", \"I\", \"F\", \"M\" and \"2\", not %s.", friendly_type(type)))
  )
}
methods::setMethod("norm", c("torch_tensor", "missing"), function(x, type, ...) matrix_norm(x))
methods::setMethod("norm", c("torch_tensor", "character"), matrix_norm)

# ---- variances ----------------------------------------------------------------------------------------------------------

# The covariances between the columns of `x` and `y`; one number for two vectors.
covariance <- function(x, y, as_correlation = FALSE, call = caller_env()) {
  centred <- function(x, arg) {
    x <- as_real(as_columns(x, arg, call))
    x - torch_mean(x, dim = 1, keepdim = TRUE)
  }
  is_number <- length(dim(x)) == 1 && (is.null(y) || length(dim(y)) < 2)
  x <- centred(x, "x")
  y <- if (is.null(y)) x else centred(y, "y")
  n <- dim(x)[1]
  if (dim(y)[1] != n) value_error(sprintf("`y` must have as many rows as `x`, %d, not %d.", n, dim(y)[1]), call)
  out <- torch_matmul(torch_t(x), y)
  out <- if (as_correlation) out / torch_outer(x$norm(dim = 1), y$norm(dim = 1)) else out / (n - 1)
  if (is_number) out$reshape(integer()) else out
}

refuse_choices <- function(na.rm = FALSE, use = "everything", method = "pearson", call = caller_env()) {
  if (!isFALSE(na.rm)) value_error("`na.rm` must be FALSE: tensors have NaN, but no NA.", call)
  if (use[1] != "everything") value_error("`use` must be \"everything\": tensors have NaN, but no NA.", call)
  if (method[1] != "pearson") value_error("`method` must be \"pearson\" for tensors.", call)
}

methods::setMethod("var", "torch_tensor", function(x, y = NULL, na.rm = FALSE, use) {
  refuse_choices(na.rm, if (missing(use)) "everything" else use)
  covariance(x, y)
})
methods::setMethod("cov", "torch_tensor", function(x, y = NULL, use = "everything", method = "pearson") {
  refuse_choices(use = use, method = method)
  covariance(x, y)
})
methods::setMethod("cor", "torch_tensor", function(x, y = NULL, use = "everything", method = "pearson") {
  refuse_choices(use = use, method = method)
  covariance(x, y, as_correlation = TRUE)
})
methods::setMethod("sd", "torch_tensor", function(x, na.rm = FALSE) {
  refuse_choices(na.rm)
  torch_std(as_real(x))
})

# ---- positions and choices ----------------------------------------------------------------------------------------------

# R counts positions in a matrix down its columns, and LibTorch along its rows. So none of these functions takes the
# one for the other.

methods::setMethod("which", "torch_tensor", function(x, arr.ind = FALSE, useNames = TRUE) {
  if (x$dtype != torch_bool()) value_error(sprintf("`x` must be a bool tensor, not of dtype %s.", format(x$dtype)))
  if (isTRUE(arr.ind)) return(torch_nonzero(x))
  check_dimensions(x, "x", 1, "`arr.ind = TRUE`, or the condition itself as an index: `x[condition]`")
  torch_nonzero(x)$squeeze(2)
})
methods::setMethod("which.max", "torch_tensor", function(x) {
  check_dimensions(x, "x", 1, "`torch_argmax(x, dim = )`")
  torch_argmax(x)
})
methods::setMethod("which.min", "torch_tensor", function(x) {
  check_dimensions(x, "x", 1, "`torch_argmin(x, dim = )`")
  torch_argmin(x)
})

methods::setMethod("ifelse", "torch_tensor", function(test, yes, no) torch_where(test, yes, no))

#' @export
Complex.torch_tensor <- function(z) {
  switch(.Generic,
    Re = if (z$is_complex()) torch_real(z) else z, Im = if (z$is_complex()) torch_imag(z) else torch_zeros_like(z),
    Mod = torch_abs(z), Arg = torch_angle(z), Conj = torch_conj(z)
  )
}

# ---- plots --------------------------------------------------------------------------------------------------------------

#' @rawNamespace S3method(graphics::hist,torch_tensor)
hist.torch_tensor <- function(x, ...) {
  name <- deparse1(substitute(x))
  titles <- list(main = paste("Histogram of", name), xlab = name)
  do.call(graphics::hist, c(list(as.vector(x)), utils::modifyList(titles, list(...), keep.null = TRUE)))
}
#' @rawNamespace S3method(graphics::boxplot,torch_tensor)
boxplot.torch_tensor <- function(x, ...) graphics::boxplot(as_array(x), ...)
#' @rawNamespace S3method(graphics::barplot,torch_tensor)
barplot.torch_tensor <- function(height, ...) graphics::barplot(as_array(height), ...)
#' @rawNamespace S3method(graphics::image,torch_tensor)
image.torch_tensor <- function(x, ...) graphics::image(as_array(x), ...)
#' @rawNamespace S3method(stats::density,torch_tensor)
density.torch_tensor <- function(x, ...) stats::density(as.vector(x), ...)
