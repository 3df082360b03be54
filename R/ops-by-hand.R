# Operators that R users call in another way than the schema has it: these take their arguments, and call the operator's
# own function op_<name>(). Those without a page here have one of their own (inst/ops/pages.dcf).

#' Operators with arguments of R's own
#'
#' `torch_lu()` factors matrices into one packed matrix and the pivots, `torch_lu_unpack()` takes them apart.
#' `torch_cholesky()` and `torch_qr()` are [linalg_cholesky()] and [linalg_qr()]. `linalg_eigvals()` gives the eigenvalues
#' of matrices, complex and in no order. `torch_stft()` is the Fourier transform of overlapping windows.
#'
#' @param self,A,input Tensors.
#' @param upper Whether to give the upper triangle instead of the lower one.
#' @param some Whether to give the reduced form, not the complete one.
#' @param pivot Whether rows are exchanged.
#' @param get_infos Whether a third element tells for each matrix if it could be factored (0).
#' @param out Must be `NULL`.
#' @param LU_data,LU_pivots The two elements that `torch_lu()` gives.
#' @param unpack_data,unpack_pivots Whether L and U, and whether P is wanted.
#' @param n_fft Size of the Fourier transform.
#' @param hop_length Distance of neighbouring windows, `n_fft / 4` if it is `NULL`.
#' @param win_length,window Length of the window, and the window as a tensor; without one all is weighted alike.
#' @param center Whether the input is padded on both ends, so that the window at time t is centred there.
#' @param pad_mode How it is padded: `"reflect"`, `"constant"`, `"replicate"` or `"circular"`.
#' @param normalized Whether to divide by the square root of the window's length.
#' @param onesided Whether to give only the non-negative frequencies; the default for real input.
#' @param return_complex Whether to give a complex tensor; must be given for real input.
#' @return A tensor, or a list of tensors.
#' @examplesIf torch::torch_is_installed()
#' x <- torch_tensor(matrix(c(4, 2, 2, 3), 2))
#' parts <- torch_lu(x)
#' torch_lu_unpack(parts[[1]], parts[[2]])
#' linalg_eigvals(x)
#' torch_stft(torch_ones(16), n_fft = 8, window = torch_hann_window(8), return_complex = TRUE)$shape
#' @name torch_lu
NULL

#' @noRd
#' @export
torch_where <- function(condition, self = NULL, other = NULL) {
  if (is.null(self) != is.null(other)) value_error("`self` and `other` must be given both or not at all.")
  if (is.null(self)) torch_nonzero(condition, as_list = TRUE) else op_where(condition, self, other)
}

#' @noRd
#' @export
torch_nonzero <- function(self, as_list = FALSE) if (isTRUE(as_list)) torch_nonzero_numpy(self) else op_nonzero(self)

#' @noRd
#' @export
torch_narrow <- function(self, dim, start, length) {
  # LibTorch takes a 0-d integer tensor.
  if (is_torch_tensor(start)) start <- torch_reshape(start, integer())$to(dtype = torch_long())
  op_narrow(self, dim, start, length)
}

#' @noRd
#' @export
torch_tensordot <- function(a, b, dims = 2) {
  if (is.list(dims)) {
    if (length(dims) != 2) {
      value_error(sprintf("`dims` must be a number or a list of two vectors, not %s.", friendly_type(dims)))
    }
    return(op_tensordot(a, b, dims[[1]], dims[[2]]))
  }
  if (!is_whole_number(dims) || dims < 0) {
    value_error(sprintf("`dims` must be a number or a list of two vectors, not %s.", friendly_type(dims)))
  }
  op_tensordot(a, b, -rev(seq_len(dims)), seq_len(dims))
}

# LibTorch 2.14 no longer has these two operators. The newer operators give the same.

#' @rdname torch_lu
#' @export
torch_cholesky <- function(self, upper = FALSE) linalg_cholesky(self, upper = upper)

#' @rdname torch_lu
#' @export
torch_qr <- function(self, some = TRUE) {
  if (!is_bool(some)) value_error(sprintf("`some` must be TRUE or FALSE, not %s.", friendly_type(some)))
  linalg_qr(self, mode = if (some) "reduced" else "complete")
}

#' @rdname torch_lu
#' @export
torch_lu <- function(A, pivot = TRUE, get_infos = FALSE, out = NULL) {
  if (!is.null(out)) value_error("`out` must be NULL: results are new tensors.")
  result <- linalg_lu_factor_ex(A, pivot = pivot, check_errors = !get_infos)
  if (get_infos) result else result[1:2]
}

#' @rdname torch_lu
#' @export
torch_lu_unpack <- function(LU_data, LU_pivots, unpack_data = TRUE, unpack_pivots = TRUE) {
  check_tensor(LU_data, "LU_data")
  check_tensor(LU_pivots, "LU_pivots")
  # LibTorch reads as many pivots as the matrix needs, even if there are fewer.
  size <- dim(LU_data)
  last <- length(size) - 1:0
  if (length(size) > 1 && !identical(dim(LU_pivots), c(size[-last], min(size[last])))) {
    value_error(sprintf(
      "`LU_pivots` must have shape (%s), not (%s).", toString(c(size[-last], min(size[last]))), toString(dim(LU_pivots))
    ))
  }
  op_lu_unpack(LU_data, LU_pivots, unpack_data, unpack_pivots)
}

#' @rdname torch_lu
#' @export
torch_stft <- function(input, n_fft, hop_length = NULL, win_length = NULL, window = NULL, center = TRUE,
                       pad_mode = "reflect", normalized = FALSE, onesided = NULL, return_complex = NULL) {
  # Without `center` this is an operator of its own, which does not pad.
  op_stft(
    input, n_fft, hop_length = hop_length, win_length = win_length, window = window, center = center, pad_mode = pad_mode,
    normalized = normalized, onesided = onesided, return_complex = return_complex
  )
}

#' @rdname torch_lu
#' @export
linalg_eigvals <- function(A) {
  # On NaN and infinite numbers LAPACK's iteration never ends.
  if (!cpp_is_tracing() && !with_no_grad(torch_all(torch_isfinite(A)))$item()) {
    value_error("`A` must hold finite numbers, without NaN.")
  }
  op_linalg_eigvals(A)
}

# An argument that is no name goes on to the operator with the frame unchanged.
#' @noRd
#' @export
torch_norm <- function(self, p = 2L, dim, keepdim = FALSE, dtype) {
  if (!is.character(p)) return((.External2(C_op, "norm")))
  (named_norm(self, p, if (!missing(dim)) dim, keepdim, if (!missing(dtype)) dtype))
}

# LibTorch has other operators for these norms.
named_norm <- function(self, p, dim, keepdim, dtype, call = caller_env()) {
  if (identical(p, "fro")) return(linalg_vector_norm(self, 2, dim, keepdim, dtype = dtype))
  if (!identical(p, "nuc")) value_error(sprintf("`p` must be a number, \"fro\" or \"nuc\", not %s.", friendly_type(p)), call)
  linalg_matrix_norm(self, "nuc", if (is.null(dim)) c(-2L, -1L) else dim, keepdim, dtype = dtype)
}
