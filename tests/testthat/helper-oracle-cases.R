# The table of cases of the oracle (helper-oracle.R): for each operator, expressions that make argument lists;
# those for methods are in helper-oracle-methods.R.

oracle_dtypes <- c(
  Float = "float32", Double = "float64", Half = "float16", BFloat16 = "bfloat16", Long = "int64", Int = "int32",
  Short = "int16", Char = "int8", Byte = "uint8", Bool = "bool", ComplexFloat = "complex64", ComplexDouble = "complex128",
  ComplexHalf = "complex32", QUInt8 = "quint8", QInt8 = "qint8", QInt32 = "qint32", Float8_e5m2 = "float8_e5m2",
  Float8_e4m3fn = "float8_e4m3fn"
)

# A tensor as data: row-major values, how it lies in memory, whether it wants a gradient, what kind of tensor is made of it
# (oracle_kinds).
spec <- function(values, shape, dtype, strided = FALSE, grad = FALSE, kind = "") {
  structure(
    list(values = values, shape = as.integer(shape), dtype = dtype, strided = strided, grad = grad, kind = kind),
    class = "oracle_tensor"
  )
}

# Kinds of tensors that are made of a dense one: how here, and how in Python.
oracle_kinds <- list(
  coo = list(\(t) t$to_sparse(), "t.to_sparse()"),
  uncoalesced = list(\(t) t$to_sparse()$`_coalesced_`(FALSE), "t.to_sparse()._coalesced_(False)"),
  csr = list(\(t) t$to_sparse_csr(), "t.to_sparse_csr()"),
  csc = list(\(t) t$to_sparse_csc(), "t.to_sparse_csc()"),
  bsr = list(\(t) t$to_sparse_bsr(c(1, 1)), "t.to_sparse_bsr((1, 1))"),
  bsc = list(\(t) t$to_sparse_bsc(c(1, 1)), "t.to_sparse_bsc((1, 1))"),
  quantized = list(
    \(t) torch_quantize_per_tensor(t, 0.25, 10L, "quint8"), "torch.quantize_per_tensor(t, 0.25, 10, torch.quint8)"
  ),
  channels = list(
    \(t) torch_quantize_per_channel(t, torch_tensor(c(0.25, 0.5), dtype = "float64"), torch_tensor(c(0L, 5L)), 1L, "quint8"),
    "torch.quantize_per_channel(t, torch.tensor([0.25, 0.5], dtype=torch.float64), torch.tensor([0, 5]), 0, torch.quint8)"
  ),
  conj = list(\(t) t$conj(), "t.conj()"),
  negated = list(\(t) t$conj()$imag, "t.conj().imag"),
  nested = list(
    \(t) call_torch_function("torch__nested_tensor_from_tensor_list", list(t[1], t[2, 1:2]), quiet = TRUE),
    "torch._nested_tensor_from_tensor_list([t[0], t[1, 0:2]])"
  )
)
of_kind <- function(kind, x) {
  x$kind <- kind
  x
}
coo <- function(...) of_kind("coo", floats(...))
csr <- function(...) of_kind("csr", floats(...))
quantized <- function(...) of_kind("quantized", floats(...))
channels <- function(...) of_kind("channels", floats(2L, ...))

# What varies while the arguments of a template are made.
variant <- new.env()
variant$dtype <- "float32"
variant$strided <- FALSE
variant$grad <- FALSE

# Quarters are exact in every floating dtype.
floats <- function(..., from = -3, to = 3) {
  shape <- c(...)
  # + 0: no negative zeros, which JSON does not keep.
  spec(round(stats::runif(prod(shape), from, to) * 4) / 4 + 0, shape, variant$dtype, variant$strided, variant$grad)
}
positive <- function(...) floats(..., from = 0.25, to = 3)
unit <- function(...) floats(..., from = 0, to = 1)
whole <- function(..., from = 0L, to = 5L, dtype = "int64") {
  spec(sample(from:to, prod(c(...)), TRUE), c(...), dtype, variant$strided)
}
flags <- function(...) spec(sample(c(TRUE, FALSE), prod(c(...)), TRUE), c(...), "bool", variant$strided)
complexes <- function(...) {
  n <- prod(c(...))
  spec(complex(n, round(stats::rnorm(n) * 4) / 4 + 0, round(stats::rnorm(n) * 4) / 4 + 0), c(...), "complex64", variant$strided)
}
# Values given, in row-major order.
values <- function(v, shape = length(v), dtype = variant$dtype) spec(v, shape, dtype)
# Symmetric and positive definite, so that everything that wants one can be had of it.
definite <- function(n, ...) {
  one <- function() crossprod(matrix(round(stats::rnorm(n * n) * 2) / 2, n)) + diag(n, n)
  copies <- prod(c(...))
  x <- spec(unlist(lapply(seq_len(copies), function(i) as.vector(one()))), c(..., n, n), variant$dtype, FALSE, variant$grad)
  x$symmetric <- TRUE
  x
}
triangle <- function(n) {
  m <- matrix(round(stats::runif(n * n, -2, 2) * 4) / 4, n)
  m[lower.tri(m)] <- 0
  diag(m) <- 2
  x <- spec(as.vector(t(m)), c(n, n), variant$dtype, FALSE, variant$grad)
  x$triangular <- TRUE
  x
}
sorted <- function(...) {
  shape <- c(...)
  rows <- replicate(prod(shape) / utils::tail(shape, 1), sort(round(stats::runif(utils::tail(shape, 1), -3, 3) * 4) / 4))
  spec(as.vector(rows), shape, variant$dtype)
}

pointwise_shapes <- list(integer(), 0L, 1L, 4L, c(2L, 3L), c(2L, 0L, 3L), c(2L, 1L, 3L))

unary_cases <- function() {
  out <- list()
  for (dtype in unname(oracle_dtypes[1:12])) {
    for (shape in pointwise_shapes) {
      for (strided in c(FALSE, length(shape) > 0)) {
        variant$strided <- strided
        x <- switch(substr(dtype, 1, 3),
          com = complexes(shape), boo = flags(shape), flo = , bfl = floats(shape),
          uin = whole(shape), whole(shape, from = -5L))
        x$dtype <- dtype
        x$strided <- strided
        x$grad <- dtype %in% c("float32", "float64", "complex64") && length(shape) == 2
        out <- c(out, list(list(self = x)))
      }
    }
  }
  out
}

binary_cases <- function(second) {
  out <- list()
  dtypes <- c("float32", "float64", "bfloat16", "int64", "int32", "uint8", "bool", "complex64")
  make <- function(dtype, shape) {
    x <- switch(substr(dtype, 1, 3), com = complexes(shape), boo = flags(shape), int = , uin = whole(shape), floats(shape))
    x$dtype <- dtype
    x
  }
  shapes <- list(
    list(c(2L, 3L), c(2L, 3L)), list(c(2L, 3L), 3L), list(c(2L, 1L), c(1L, 3L)), list(integer(), c(2L, 2L)),
    list(c(2L, 2L), integer()), list(integer(), integer()), list(0L, 1L), list(c(2L, 3L), c(3L, 2L))
  )
  add <- function(a, b) out <<- c(out, list(stats::setNames(list(a, b), c("self", second))))
  for (a in dtypes) for (b in dtypes) {
    for (pair in shapes[sample(length(shapes), 2)]) add(make(a, pair[[1]]), make(b, pair[[2]]))
  }
  for (pair in shapes) {
    x <- make("float32", pair[[1]])
    y <- make("float32", pair[[2]])
    x$grad <- TRUE
    y$strided <- TRUE
    add(x, y)
  }
  for (dtype in dtypes) for (number in list(2, -1.5, 3L, TRUE, 0)) add(make(dtype, c(2L, 3L)), number)
  out
}

# A tensor of each dtype, whatever else the call takes.
dtype_cases <- function(...) {
  lapply(unname(oracle_dtypes[1:12]), function(dtype) {
    x <- switch(substr(dtype, 1, 3), com = complexes(2L, 3L), boo = flags(2L, 3L), flo = , bfl = floats(2L, 3L), whole(2L, 3L))
    x$dtype <- dtype
    list(self = x, ...)
  })
}

# Every dim from both ends, with and without keepdim where there is one.
dim_cases <- function(make, ..., keepdim = TRUE, several = FALSE, none = TRUE) {
  out <- if (none) list(list(self = make(), ...)) else list()
  n <- length(make()$shape)
  dims <- c(seq_len(n), -seq_len(n), n + 1L)
  if (several) dims <- c(as.list(dims), list(c(1L, 2L), c(-1L, 1L), c(1L, 1L)))
  for (dim in dims) {
    out <- c(out, list(c(list(self = make(), dim = dim), list(...))))
    if (keepdim) out <- c(out, list(c(list(self = make(), dim = dim, keepdim = TRUE), list(...))))
  }
  out
}

# The templates: expressions that make argument lists, evaluated for each variant.
oracle_templates <- list(
  # indexing
  torch_diag = quote(list(list(self = floats(3)), list(self = floats(3, 4), diagonal = 1L), list(self = floats(4, 3), diagonal = -2L))),
  torch_diag_embed = quote(list(list(self = floats(2, 3)), list(self = floats(2, 3), offset = 1L, dim1 = 1L, dim2 = 3L), list(self = floats(3), dim1 = -1L, dim2 = -2L))),
  torch_diagflat = quote(list(list(self = floats(2, 2)), list(self = floats(3), offset = -1L))),
  torch_diagonal = quote(list(list(self = floats(3, 4)), list(self = floats(2, 3, 4), dim1 = 2L, dim2 = 3L, offset = 1L), list(self = floats(2, 3, 4), dim1 = -1L, dim2 = 1L))),
  torch_gather = quote(list(list(self = floats(3, 4), dim = 1L, index = whole(2, 4, from = 1L, to = 3L)), list(self = floats(3, 4), dim = -1L, index = whole(3, 2, from = 1L, to = 4L)), list(self = floats(3), dim = 1L, index = whole(2, from = 4L, to = 4L)))),
  torch_index = quote(list(list(self = floats(3, 4), indices = list(whole(2, from = 1L, to = 3L), whole(2, from = 1L, to = 4L))), list(self = floats(3, 4), indices = list(NULL, whole(2, from = -4L, to = -1L))), list(self = floats(3, 4), indices = list(flags(3, 4))))),
  torch_index_put = quote(list(list(self = floats(3, 4), indices = list(whole(2, from = 1L, to = 3L), whole(2, from = 1L, to = 4L)), values = floats(2)), list(self = floats(3, 4), indices = list(whole(2, from = 1L, to = 3L)), values = floats(4), accumulate = TRUE))),
  torch_index_put_ = quote(list(list(self = values(c(1, 2, 3)), indices = list(whole(2, from = 1L, to = 3L)), values = floats(2)))),
  torch_index_select = quote(list(list(self = floats(3, 4), dim = 2L, index = whole(3, from = 1L, to = 4L)), list(self = floats(3, 4), dim = -2L, index = whole(2, from = 1L, to = 3L)))),
  torch_masked_select = quote(list(list(self = floats(3, 4), mask = flags(3, 4)), list(self = floats(3, 4), mask = flags(4)))),
  torch_narrow = quote(list(list(self = floats(3, 4), dim = 1L, start = 2L, length = 2L), list(self = floats(3, 4), dim = -1L, start = -3L, length = 2L), list(self = floats(3), dim = 1L, start = 3L, length = 2L))),
  torch_nonzero = quote(list(list(self = flags(3, 4)), list(self = whole(2, 2, 2, to = 1L)), list(self = floats(0)), list(self = values(1, integer())))),
  torch_take = quote(list(list(self = floats(3, 4), index = whole(2, 2, from = 1L, to = 12L)), list(self = floats(3), index = whole(2, from = -3L, to = -1L)))),
  torch_take_along_dim = quote(list(list(self = floats(3, 4), indices = whole(3, 2, from = 1L, to = 4L), dim = 2L), list(self = floats(3, 4), indices = whole(5, from = 1L, to = 12L)))),
  torch_tril = quote(list(list(self = floats(3, 4)), list(self = floats(2, 3, 3), diagonal = -1L))),
  torch_triu = quote(list(list(self = floats(3, 4)), list(self = floats(2, 3, 3), diagonal = 1L))),
  torch_where = quote(list(list(condition = flags(2, 3), self = floats(2, 3), other = floats(3)), list(condition = flags(3), self = floats(2, 3), other = 1.5), list(condition = flags(3), self = -1, other = floats(3)), list(condition = flags(3), self = 1, other = 2), list(condition = flags(2, 3)))),
  # comparison
  torch_allclose = quote(list(list(self = values(c(1, 2)), other = values(c(1, 2.00001))), list(self = floats(3), other = floats(3)), list(self = values(NaN), other = values(NaN), equal_nan = TRUE))),
  torch_isclose = quote(list(list(self = floats(3), other = floats(3), atol = 1), list(self = values(c(1, NaN)), other = values(c(1.0000001, NaN)), rtol = 1e-3, equal_nan = TRUE))),
  torch_equal = quote(list(list(self = values(1:3, 3, "int64"), other = values(1:3, 3, "int64")), list(self = floats(3), other = floats(2, 3)))),
  torch_is_nonzero = quote(list(list(self = values(2)), list(self = values(0)), list(self = floats(3)))),
  # fft
  torch_fft_fft = quote(list(list(self = floats(5)), list(self = floats(2, 4), n = 6L, dim = 1L, norm = "ortho"), list(self = complexes(2, 3), dim = -1L))),
  torch_fft_ifft = quote(list(list(self = complexes(5)), list(self = complexes(2, 4), n = 3L, dim = 1L, norm = "forward"))),
  torch_fft_rfft = quote(list(list(self = floats(5)), list(self = floats(2, 4), n = 6L, dim = 1L, norm = "ortho"))),
  torch_fft_irfft = quote(list(list(self = complexes(4)), list(self = complexes(2, 4), n = 6L, dim = 2L))),
  torch_fft_fftfreq = quote(list(list(n = 5L), list(n = 4L, d = 0.5))),
  torch_stft = quote(list(list(input = floats(20), n_fft = 8L, return_complex = TRUE), list(input = floats(2, 20), n_fft = 8L, hop_length = 3L, window = positive(8), center = FALSE, return_complex = TRUE), list(input = floats(20), n_fft = 8L, pad_mode = "constant", normalized = TRUE, onesided = FALSE, return_complex = TRUE))),
  torch_istft = quote(list(list(self = complexes(5, 6), n_fft = 8L, window = values(rep(1, 8), dtype = "float32")))),
  # linear algebra
  linalg_cholesky = quote(list(list(A = definite(3)), list(A = definite(2, 3)), list(A = floats(2, 3)))),
  linalg_cholesky_ex = quote(list(list(A = definite(3)))),
  linalg_cond = quote(list(list(A = definite(3)), list(A = floats(3, 2)), list(A = definite(3), p = 1), list(A = definite(3), p = "fro"))),
  linalg_det = quote(list(list(A = floats(3, 3)), list(A = floats(2, 3, 3)), list(A = floats(2, 3)))),
  linalg_eig = quote(list(list(A = triangle(3)))),
  linalg_eigh = quote(list(list(A = definite(3)), list(A = definite(3), UPLO = "U"))),
  linalg_eigvals = quote(list(list(A = triangle(3)))),
  linalg_eigvalsh = quote(list(list(A = definite(3)), list(A = definite(3), UPLO = "U"))),
  linalg_householder_product = quote(list(list(A = floats(4, 3), tau = unit(3)))),
  linalg_inv = quote(list(list(A = definite(3)), list(A = values(rep(0, 4), c(2, 2))))),
  linalg_inv_ex = quote(list(list(A = definite(3)))),
  linalg_lstsq = quote(list(list(A = floats(5, 3), B = floats(5, 2)), list(A = floats(4, 4), B = floats(4), driver = "gelsd"))),
  linalg_matrix_norm = quote(c(list(list(A = floats(3, 4)), list(A = floats(3, 4), ord = 1), list(A = floats(3, 4), ord = Inf, keepdim = TRUE), list(A = floats(3, 4), ord = "nuc")), list(list(A = floats(2, 3, 4), ord = "fro", dim = c(1L, 3L))))),
  linalg_matrix_power = quote(list(list(A = definite(3), n = 3L), list(A = definite(3), n = -1L), list(A = definite(3), n = 0L))),
  linalg_matrix_rank = quote(list(list(A = definite(3)), list(A = floats(3, 4), tol = 0.5), list(A = definite(3), hermitian = TRUE), list(A = definite(2, 3), atol = 0.1, rtol = 0.1))),
  linalg_multi_dot = quote(list(list(tensors = list(floats(2, 3), floats(3, 4), floats(4, 2))), list(tensors = list(floats(3), floats(3, 2))))),
  linalg_norm = quote(list(list(A = floats(3, 4)), list(A = floats(5), ord = 1), list(A = floats(3, 4), ord = "fro", dim = c(1L, 2L)), list(A = floats(3, 4), ord = 2, dim = 1L, keepdim = TRUE), list(A = floats(3, 4), dim = -1L))),
  linalg_pinv = quote(list(list(A = floats(4, 3)), list(A = definite(3), hermitian = TRUE), list(A = floats(4, 3), rcond = 0.1), list(A = floats(4, 3), atol = 0.1))),
  linalg_qr = quote(list(list(A = floats(4, 3)), list(A = floats(4, 3), mode = "complete"), list(A = floats(4, 3), mode = "r"))),
  linalg_slogdet = quote(list(list(A = floats(3, 3)))),
  linalg_solve = quote(list(list(A = definite(3), B = floats(3, 2)), list(A = definite(2, 3), B = floats(2, 3)), list(A = definite(3), B = floats(4)))),
  linalg_solve_triangular = quote(list(list(A = triangle(3), B = floats(3, 2), upper = TRUE), list(A = triangle(3), B = floats(2, 3), upper = TRUE, left = FALSE, unitriangular = TRUE))),
  linalg_svd = quote(list(list(A = floats(4, 3)), list(A = floats(4, 3), full_matrices = FALSE))),
  linalg_svdvals = quote(list(list(A = floats(4, 3)))),
  linalg_tensorinv = quote(list(list(A = spec(as.vector(diag(6)), c(6, 2, 3), variant$dtype), ind = 2L), list(A = spec(as.vector(diag(4) + 1), c(2, 2, 2, 2), variant$dtype)))),
  linalg_tensorsolve = quote(list(list(A = spec(as.vector(diag(6) + 0.5), c(2, 3, 6), variant$dtype), B = floats(2, 3)))),
  linalg_vector_norm = quote(list(list(A = floats(3, 4)), list(A = floats(3, 4), ord = 3, dim = 2L), list(A = floats(3, 4), ord = Inf, dim = c(1L, 2L), keepdim = TRUE), list(A = floats(3, 4), dim = 1L, dtype = "float64"))),
  torch_addbmm = quote(list(list(self = floats(2, 4), batch1 = floats(5, 2, 3), batch2 = floats(5, 3, 4)), list(self = floats(4), batch1 = floats(5, 2, 3), batch2 = floats(5, 3, 4), beta = 2, alpha = 0.5))),
  torch_addmm = quote(list(list(self = floats(2, 4), mat1 = floats(2, 3), mat2 = floats(3, 4)), list(self = floats(4), mat1 = floats(2, 3), mat2 = floats(3, 4), beta = 0.5, alpha = 2))),
  torch_addmv = quote(list(list(self = floats(2), mat = floats(2, 3), vec = floats(3), beta = 2), list(self = floats(1), mat = floats(2, 3), vec = floats(3)))),
  torch_addr = quote(list(list(self = floats(2, 3), vec1 = floats(2), vec2 = floats(3), alpha = 2))),
  torch_baddbmm = quote(list(list(self = floats(2, 2, 4), batch1 = floats(2, 2, 3), batch2 = floats(2, 3, 4), beta = 2))),
  torch_bmm = quote(list(list(self = floats(2, 2, 3), mat2 = floats(2, 3, 4)), list(self = floats(2, 3), mat2 = floats(2, 3)))),
  torch_cdist = quote(list(list(x1 = floats(3, 2), x2 = floats(4, 2)), list(x1 = floats(2, 3, 2), x2 = floats(2, 4, 2), p = 1))),
  torch_chain_matmul = quote(list(list(matrices = list(floats(2, 3), floats(3, 4), floats(4, 2))))),
  torch_cholesky = quote(list(list(self = definite(3)), list(self = definite(3), upper = TRUE))),
  torch_cholesky_inverse = quote(list(list(self = triangle(3), upper = TRUE))),
  torch_cholesky_solve = quote(list(list(self = floats(3, 2), input2 = triangle(3), upper = TRUE))),
  torch_cross = quote(list(list(self = floats(4, 3), other = floats(4, 3), dim = 2L), list(self = floats(3, 4), other = floats(3, 4)), list(self = floats(3), other = floats(3), dim = -1L))),
  torch_det = quote(list(list(self = floats(3, 3)))),
  torch_dot = quote(list(list(self = floats(4), tensor = floats(4)), list(self = whole(4), tensor = whole(4)), list(self = floats(3), tensor = floats(4)))),
  torch_einsum = quote(list(list(equation = "ij,jk->ik", tensors = list(floats(2, 3), floats(3, 4))), list(equation = "bij,bjk", tensors = list(floats(2, 2, 3), floats(2, 3, 4))), list(equation = "ii->i", tensors = list(floats(3, 3))), list(equation = "...i->...", tensors = list(floats(2, 3, 4))))),
  torch_geqrf = quote(list(list(self = floats(4, 3)))),
  torch_ger = quote(list(list(self = floats(2), vec2 = floats(3)))),
  torch_inverse = quote(list(list(self = definite(3)), list(self = definite(2, 3)))),
  torch_kron = quote(list(list(self = floats(2, 2), other = floats(3)))),
  torch_logdet = quote(list(list(self = definite(3)))),
  torch_lu = quote(list(list(A = floats(3, 3)), list(A = floats(3, 3), get_infos = TRUE))),
  torch_lu_solve = quote(list(list(self = floats(3, 2), LU_data = triangle(3), LU_pivots = values(1:3, 3, "int32")))),
  torch_lu_unpack = quote(list(list(LU_data = floats(3, 3), LU_pivots = values(c(2L, 3L, 3L), 3, "int32")), list(LU_data = floats(3, 3), LU_pivots = values(c(2L, 3L, 3L), 3, "int32"), unpack_pivots = FALSE))),
  torch_matmul = quote(list(list(self = floats(3), other = floats(3)), list(self = floats(2, 3), other = floats(3)), list(self = floats(2, 3), other = floats(3, 4)), list(self = floats(5, 2, 3), other = floats(3, 4)), list(self = floats(2, 3), other = floats(2, 3)), list(self = whole(2, 3), other = whole(3, 2)))),
  torch_matrix_exp = quote(list(list(self = unit(3, 3)))),
  torch_matrix_power = quote(list(list(self = definite(3), n = 2L))),
  torch_mm = quote(list(list(self = floats(2, 3), mat2 = floats(3, 4)), list(self = floats(2, 3), mat2 = floats(2, 3)), list(self = floats(2, 0), mat2 = floats(0, 3)))),
  torch_mv = quote(list(list(self = floats(2, 3), vec = floats(3)))),
  torch_orgqr = quote(list(list(self = floats(4, 3), input2 = unit(3)))),
  torch_ormqr = quote(list(list(self = floats(4, 3), input2 = unit(3), input3 = floats(4, 2)), list(self = floats(4, 3), input2 = unit(3), input3 = floats(2, 4), left = FALSE, transpose = TRUE))),
  torch_outer = quote(list(list(self = floats(2), vec2 = floats(3)), list(self = whole(2), vec2 = floats(3)))),
  torch_pinverse = quote(list(list(self = floats(4, 3)))),
  torch_qr = quote(list(list(self = floats(4, 3)), list(self = floats(4, 3), some = FALSE))),
  torch_slogdet = quote(list(list(self = floats(3, 3)))),
  torch_svd = quote(list(list(self = floats(4, 3)), list(self = floats(4, 3), some = FALSE), list(self = floats(4, 3), compute_uv = FALSE))),
  torch_tensordot = quote(list(list(a = floats(2, 3, 4), b = floats(3, 4, 2)), list(a = floats(2, 3, 4), b = floats(4, 2), dims = 1L))),
  torch_trace = quote(list(list(self = floats(3, 3)), list(self = floats(3, 4)))),
  torch_triangular_solve = quote(list(list(self = floats(3, 2), A = triangle(3)), list(self = floats(3, 2), A = triangle(3), transpose = TRUE, unitriangular = TRUE))),
  torch_vdot = quote(list(list(self = complexes(3), other = complexes(3)), list(self = floats(3), other = floats(3)))),
  # neural networks
  torch_adaptive_avg_pool1d = quote(list(list(self = floats(2, 3, 8), output_size = 4L), list(self = floats(2, 3, 8), output_size = 3L))),
  torch_avg_pool1d = quote(list(list(self = floats(2, 3, 8), kernel_size = 2L), list(self = floats(2, 3, 8), kernel_size = 3L, stride = 2L, padding = 1L, count_include_pad = FALSE))),
  torch_conv_tbc = quote(list(list(self = floats(5, 2, 3), weight = floats(2, 3, 4), bias = floats(4)), list(self = floats(5, 2, 3), weight = floats(2, 3, 4), bias = floats(4), pad = 1L))),
  torch_conv1d = quote(list(list(input = floats(2, 3, 8), weight = floats(4, 3, 3)), list(input = floats(2, 4, 8), weight = floats(4, 2, 3), bias = floats(4), stride = 2L, padding = 1L, dilation = 2L, groups = 2L), list(input = floats(1, 3, 8), weight = floats(4, 3, 3), padding = "same"))),
  torch_conv2d = quote(list(list(input = floats(2, 3, 6, 6), weight = floats(4, 3, 3, 3)), list(input = floats(2, 3, 6, 6), weight = floats(4, 3, 3, 3), bias = floats(4), stride = c(1L, 2L), padding = 1L, dilation = 1L), list(input = floats(2, 3, 6), weight = floats(4, 3, 3)))),
  torch_conv3d = quote(list(list(input = floats(1, 2, 4, 4, 4), weight = floats(3, 2, 2, 2, 2)), list(input = floats(1, 2, 4, 4, 4), weight = floats(3, 2, 2, 2, 2), stride = 2L))),
  torch_conv_transpose1d = quote(list(list(input = floats(2, 3, 5), weight = floats(3, 4, 3)), list(input = floats(2, 3, 5), weight = floats(3, 4, 3), bias = floats(4), stride = 2L, padding = 1L, output_padding = 1L))),
  torch_conv_transpose2d = quote(list(list(input = floats(2, 3, 4, 4), weight = floats(3, 4, 3, 3), stride = 2L, dilation = 1L), list(input = floats(2, 4, 4, 4), weight = floats(4, 2, 3, 3), groups = 2L))),
  torch_conv_transpose3d = quote(list(list(input = floats(1, 2, 3, 3, 3), weight = floats(2, 3, 2, 2, 2)))),
  torch_cosine_similarity = quote(list(list(x1 = floats(3, 4), x2 = floats(3, 4)), list(x1 = floats(3, 4), x2 = floats(3, 4), dim = 1L), list(x1 = floats(3, 4), x2 = floats(3, 4), dim = -1L, eps = 0.1))),
  torch_pdist = quote(list(list(self = floats(4, 3)), list(self = floats(4, 3), p = 1))),
  torch_scaled_dot_product_attention = quote(list(list(query = floats(2, 3, 4), key = floats(2, 5, 4), value = floats(2, 5, 4)), list(query = floats(2, 3, 4), key = floats(2, 3, 4), value = floats(2, 3, 4), is_causal = TRUE), list(query = floats(2, 3, 4), key = floats(2, 5, 4), value = floats(2, 5, 4), attn_mask = flags(3, 5), scale = 0.5))),
  # pointwise
  torch_addcdiv = quote(list(list(self = floats(2, 3), tensor1 = floats(2, 3), tensor2 = positive(3)), list(self = floats(3), tensor1 = floats(2, 3), tensor2 = positive(1), value = 2))),
  torch_addcmul = quote(list(list(self = floats(2, 3), tensor1 = floats(2, 3), tensor2 = floats(3)), list(self = floats(3), tensor1 = floats(2, 3), tensor2 = floats(1), value = 0.5))),
  torch_celu = quote(list(list(self = floats(4)), list(self = floats(4), alpha = 0.5))),
  torch_celu_ = quote(list(list(self = values(c(-1, 2)), alpha = 2))),
  torch_clamp = quote(list(list(self = floats(2, 3), min = -1, max = 1), list(self = floats(2, 3), max = 0.5), list(self = floats(2, 3), min = floats(3)), list(self = whole(4), min = 2L), list(self = whole(4), max = 1.5), list(self = floats(3)))),
  torch_clip = quote(list(list(self = floats(2, 3), min = -1, max = 1), list(self = floats(2, 3), min = floats(2, 3), max = floats(3)))),
  torch_div = quote(list(list(self = floats(2, 3), other = floats(3), rounding_mode = "floor"), list(self = floats(2, 3), other = 2, rounding_mode = "trunc"), list(self = whole(4), other = 2L, rounding_mode = "floor"), list(self = whole(4), other = whole(4, from = 1L)))),
  torch_divide = quote(list(list(self = floats(2, 3), other = floats(3)), list(self = whole(4), other = 3L, rounding_mode = "trunc"))),
  torch_heaviside = quote(list(list(self = floats(4), values = floats(4)), list(self = whole(4, from = -2L), values = whole(1)))),
  torch_lerp = quote(list(list(self = floats(2, 3), end = floats(2, 3), weight = 0.25), list(self = floats(2, 3), end = floats(3), weight = floats(3)))),
  torch_logit = quote(list(list(self = unit(4)), list(self = unit(4), eps = 0.25))),
  torch_mvlgamma = quote(list(list(self = positive(4), p = 1L), list(self = values(c(3, 4.5)), p = 3L))),
  torch_polygamma = quote(list(list(n = 1L, input = positive(3)), list(n = 2L, input = positive(2, 2)))),
  torch_pow = quote(list(list(self = 2, exponent = floats(3)), list(self = positive(3), exponent = 0.5), list(self = whole(3), exponent = 2L), list(self = whole(3), exponent = -1L), list(self = 2L, exponent = whole(3)), list(self = positive(2, 1), exponent = floats(3)))),
  torch_round = quote(list(list(self = floats(4)), list(self = floats(4), decimals = 1L), list(self = values(c(12.5, 137)), decimals = -1L))),
  torch_rrelu_ = quote(list(list(self = values(c(-1, 2))), list(self = values(c(-1, -2, 2)), lower = 0.1, upper = 0.3, training = TRUE))),
  torch_threshold_ = quote(list(list(self = values(c(-1, 2)), threshold = 0, value = 5))),
  torch_view_as_real = quote(list(list(self = complexes(2, 3)), list(self = floats(2)))),
  torch_view_as_complex = quote(list(list(self = floats(3, 2)), list(self = floats(3)))),
  torch_relu_ = quote(list(list(self = values(c(-1, 2))))),
  torch_selu_ = quote(list(list(self = values(c(-1, 2))))),
  # quantization and dtypes
  torch_quantize_per_tensor = quote(list(list(self = floats(4), scale = 0.25, zero_point = 10L, dtype = "quint8"), list(self = floats(4), scale = 0.5, zero_point = 0L, dtype = "qint8"))),
  torch_quantize_per_channel = quote(list(list(self = floats(2, 3), scales = values(c(0.25, 0.5), dtype = "float64"), zero_points = values(c(0L, 5L), 2, "int64"), axis = 1L, dtype = "quint8"))),
  torch_can_cast = quote(list(list(from_ = "float32", to = "float64"), list(from_ = "float32", to = "int64"), list(from_ = "bool", to = "int8"))),
  torch_promote_types = quote(list(list(type1 = "float32", type2 = "int64"), list(type1 = "int8", type2 = "uint8"), list(type1 = "bool", type2 = "complex64"))),
  torch_result_type = quote(list(list(tensor1 = floats(2), tensor2 = whole(2)), list(tensor1 = whole(2), tensor2 = 1.5), list(tensor1 = 2, tensor2 = whole(2)), list(tensor1 = 1L, tensor2 = 2))),
  torch_is_complex = quote(list(list(self = floats(2)), list(self = complexes(2)))),
  torch_is_floating_point = quote(list(list(self = floats(2)), list(self = whole(2)))),
  # random numbers, of one seed
  torch_bernoulli = quote(list(list(self = unit(4)), list(self = floats(4), p = 0.25))),
  torch_multinomial = quote(list(list(self = positive(5), num_samples = 3L), list(self = positive(2, 5), num_samples = 8L, replacement = TRUE))),
  torch_normal = quote(list(list(mean = floats(3), std = positive(3)), list(mean = floats(3), std = 2), list(mean = 1, std = positive(3)), list(mean = 1, std = 2, size = c(2L, 3L)))),
  torch_poisson = quote(list(list(self = positive(5)))),
  torch_rand = quote(list(list(size = c(2L, 3L)), list(size = 0L), list(size = 3L, dtype = "float64"))),
  torch_randn = quote(list(list(size = c(2L, 3L)), list(size = 3L, dtype = "float64"))),
  torch_randint = quote(list(list(low = 2L, high = 9L, size = c(2L, 3L)))),
  torch_randperm = quote(list(list(n = 6L), list(n = 0L))),
  torch_rand_like = quote(list(list(input = floats(2, 3)), list(input = floats(2), dtype = "float64"))),
  torch_randn_like = quote(list(list(input = floats(2, 3)))),
  torch_randint_like = quote(list(list(input = floats(2, 3), low = 2L, high = 9L))),
  # reductions
  torch_amax = quote(dim_cases(\() floats(2, 3), several = TRUE)),
  torch_amin = quote(dim_cases(\() floats(2, 3), several = TRUE)),
  torch_argmax = quote(c(dim_cases(\() floats(2, 3, 2)), list(list(self = floats(0))))),
  torch_argmin = quote(dim_cases(\() floats(2, 3, 2))),
  torch_bincount = quote(list(list(self = whole(6, from = 1L)), list(self = whole(6, from = 1L), weights = floats(6), minlength = 9L), list(self = whole(0)))),
  torch_count_nonzero = quote(dim_cases(\() flags(2, 3), keepdim = FALSE, several = TRUE)),
  torch_cummax = quote(dim_cases(\() floats(2, 3), keepdim = FALSE, none = FALSE)),
  torch_cummin = quote(dim_cases(\() floats(2, 3), keepdim = FALSE, none = FALSE)),
  torch_cumprod = quote(c(dim_cases(\() floats(2, 3), keepdim = FALSE, none = FALSE), list(list(self = whole(3), dim = 1L, dtype = "float64")))),
  torch_cumsum = quote(c(dim_cases(\() floats(2, 3), keepdim = FALSE, none = FALSE), list(list(self = flags(3), dim = 1L)))),
  torch_diff = quote(c(dim_cases(\() floats(3, 4), keepdim = FALSE), list(list(self = floats(5), n = 2L), list(self = floats(4), prepend = floats(1), append = floats(2))))),
  torch_dist = quote(list(list(self = floats(3), other = floats(3)), list(self = floats(2, 3), other = floats(3), p = 1))),
  torch_histc = quote(list(list(self = unit(8), bins = 4L), list(self = floats(8), bins = 3L, min = -1, max = 1))),
  torch_logcumsumexp = quote(dim_cases(\() floats(2, 3), keepdim = FALSE, none = FALSE)),
  torch_logsumexp = quote(dim_cases(\() floats(2, 3), none = FALSE, several = TRUE)),
  torch_max = quote(c(dim_cases(\() floats(2, 3)), list(list(self = floats(3), other = floats(3)), list(self = whole(3)), list(self = floats(0))))),
  torch_min = quote(c(dim_cases(\() floats(2, 3)), list(list(self = floats(3), other = floats(2, 3))))),
  torch_mean = quote(c(dim_cases(\() floats(2, 3, 2), several = TRUE), list(list(self = whole(3)), list(self = whole(3), dtype = "float64"), list(self = floats(2, 0), dim = 2L)))),
  torch_median = quote(dim_cases(\() floats(2, 3))),
  torch_mode = quote(dim_cases(\() whole(3, 4, to = 2L))),
  torch_nanquantile = quote(list(list(self = floats(5), q = 0.25), list(self = values(c(1, NaN, 3)), q = 0.5), list(self = floats(3, 4), q = values(c(0.25, 0.75)), dim = 2L, keepdim = TRUE, interpolation = "lower"))),
  torch_nansum = quote(c(dim_cases(\() floats(2, 3), several = TRUE), list(list(self = values(c(1, NaN)))))),
  torch_norm = quote(list(list(self = floats(2, 3)), list(self = floats(2, 3), p = 1), list(self = floats(2, 3), p = 3, dim = 1L), list(self = floats(2, 3), p = 2, dim = c(1L, 2L), keepdim = TRUE), list(self = floats(2, 3), p = 2, dim = -1L, keepdim = FALSE, dtype = "float64"), list(self = floats(2, 3), p = 1, dtype = "float64"))),
  torch_prod = quote(c(dim_cases(\() floats(2, 3)), list(list(self = whole(3)), list(self = floats(0))))),
  torch_quantile = quote(list(list(self = floats(5), q = 0.25), list(self = floats(3, 4), q = values(c(0.25, 0.75)), dim = 1L), list(self = floats(3, 4), q = 0.5, dim = -1L, keepdim = TRUE, interpolation = "nearest"))),
  torch_renorm = quote(list(list(self = floats(3, 4), p = 2, dim = 1L, maxnorm = 1), list(self = floats(3, 4), p = 1, dim = -1L, maxnorm = 2))),
  torch_std = quote(c(dim_cases(\() floats(2, 3, 2), several = TRUE), dim_cases(\() floats(2, 3), unbiased = FALSE), list(list(self = floats(4), dim = 1L, correction = 2L), list(self = floats(1))))),
  torch_std_mean = quote(c(dim_cases(\() floats(2, 3), several = TRUE), dim_cases(\() floats(2, 3), unbiased = FALSE))),
  torch_var = quote(c(dim_cases(\() floats(2, 3, 2), several = TRUE), dim_cases(\() floats(2, 3), unbiased = FALSE))),
  torch_var_mean = quote(c(dim_cases(\() floats(2, 3), several = TRUE), dim_cases(\() floats(2, 3), unbiased = FALSE))),
  torch_sum = quote(c(dim_cases(\() floats(2, 3, 2), several = TRUE), list(list(self = flags(4)), list(self = whole(4), dtype = "float64"), list(self = floats(0)), list(self = floats(2, 0), dim = 2L)))),
  torch_trapz = quote(list(list(y = floats(4)), list(y = floats(4), dx = 0.5), list(y = floats(2, 4), x = floats(4)), list(y = floats(4, 2), dx = 2, dim = 1L))),
  # shapes
  torch_as_strided = quote(list(list(self = values(1:12 / 4, 12), size = c(2L, 2L), stride = c(1L, 2L)), list(self = values(1:12 / 4, 12), size = c(2L, 3L), stride = c(4L, 1L), storage_offset = 2L))),
  torch_atleast_1d = quote(list(list(self = values(2, integer())), list(self = floats(2, 3)), list(self = list(values(1, integer()), floats(2))))),
  torch_atleast_2d = quote(list(list(self = values(2, integer())), list(self = floats(3)), list(self = list(floats(2), floats(2, 3))))),
  torch_atleast_3d = quote(list(list(self = values(2, integer())), list(self = floats(2, 3)))),
  torch_block_diag = quote(list(list(tensors = list(floats(2, 2), floats(3), floats(1, 3))))),
  torch_broadcast_tensors = quote(list(list(tensors = list(floats(2, 1), floats(3))), list(tensors = list(floats(2), floats(3))))),
  torch_cat = quote(list(list(tensors = list(floats(2, 3), floats(1, 3))), list(tensors = list(floats(2, 3), floats(2, 1)), dim = 2L), list(tensors = list(floats(2), whole(3)), dim = -1L), list(tensors = list(floats(2, 3), floats(2, 2))), list(tensors = list(floats(0), floats(2, 3))))),
  torch_channel_shuffle = quote(list(list(self = floats(1, 4, 2, 2), groups = 2L))),
  torch_chunk = quote(list(list(self = floats(7), chunks = 3L), list(self = floats(2, 5), chunks = 2L, dim = 2L), list(self = floats(2, 5), chunks = 2L, dim = -1L))),
  torch_clone = quote(list(list(self = floats(2, 3)), list(self = floats(0)))),
  torch_dstack = quote(list(list(tensors = list(floats(2, 3), floats(2, 3))), list(tensors = list(floats(3), floats(3))))),
  torch_hstack = quote(list(list(tensors = list(floats(2, 3), floats(2, 1))), list(tensors = list(floats(3), floats(2))))),
  torch_vstack = quote(list(list(tensors = list(floats(2, 3), floats(3))), list(tensors = list(floats(3), floats(3))))),
  torch_flatten = quote(list(list(self = floats(2, 3, 2)), list(self = floats(2, 3, 2), start_dim = 2L), list(self = floats(2, 3, 2), start_dim = 1L, end_dim = 2L), list(self = floats(2, 3, 2), end_dim = -2L), list(self = values(1, integer())))),
  torch_flip = quote(list(list(self = floats(2, 3), dims = 1L), list(self = floats(2, 3), dims = c(1L, -1L)), list(self = floats(2, 3), dims = 3L))),
  torch_fliplr = quote(list(list(self = floats(2, 3)), list(self = floats(3)))),
  torch_flipud = quote(list(list(self = floats(2, 3)), list(self = floats(3)))),
  torch_movedim = quote(list(list(self = floats(2, 3, 4), source = 1L, destination = 3L), list(self = floats(2, 3, 4), source = c(1L, 2L), destination = c(-1L, 1L)))),
  torch_pixel_shuffle = quote(list(list(self = floats(1, 8, 2, 2), upscale_factor = 2L))),
  torch_repeat_interleave = quote(list(list(self = floats(3), repeats = 2L), list(self = floats(2, 3), repeats = 2L, dim = 2L), list(self = floats(2, 3), repeats = values(c(1L, 2L), 2, "int64"), dim = 1L))),
  torch_reshape = quote(list(list(self = floats(2, 6), shape = c(3L, 4L)), list(self = floats(2, 6), shape = c(-1L, 2L)), list(self = floats(2, 6), shape = -1L), list(self = floats(2, 6), shape = c(5L, 2L)))),
  torch_roll = quote(list(list(self = floats(5), shifts = 2L), list(self = floats(2, 3), shifts = 1L, dims = 2L), list(self = floats(2, 3), shifts = c(1L, -1L), dims = c(1L, 2L)))),
  torch_rot90 = quote(list(list(self = floats(2, 3)), list(self = floats(2, 3, 2), k = 2L, dims = c(2L, 3L)), list(self = floats(2, 3), k = -1L, dims = c(2L, 1L)))),
  torch_split = quote(list(list(self = floats(7), split_size = 3L), list(self = floats(2, 5), split_size = 2L, dim = 2L), list(self = floats(5, 2), split_size = c(1L, 4L)), list(self = floats(5, 2), split_size = c(1L, 3L)))),
  torch_squeeze = quote(list(list(self = floats(1, 2, 1)), list(self = floats(1, 2, 1), dim = 1L), list(self = floats(1, 2, 1), dim = c(1L, 3L)), list(self = floats(1, 2), dim = -1L))),
  torch_stack = quote(list(list(tensors = list(floats(2, 3), floats(2, 3))), list(tensors = list(floats(2, 3), floats(2, 3)), dim = 3L), list(tensors = list(floats(2, 3), floats(2, 3)), dim = -1L), list(tensors = list(floats(2), floats(3))))),
  torch_t = quote(list(list(self = floats(2, 3)), list(self = floats(3)), list(self = floats(2, 3, 4)))),
  torch_transpose = quote(list(list(self = floats(2, 3, 4), dim0 = 1L, dim1 = 3L), list(self = floats(2, 3), dim0 = -1L, dim1 = 1L))),
  torch_unbind = quote(list(list(self = floats(2, 3)), list(self = floats(2, 3), dim = 2L), list(self = floats(2, 3), dim = -2L))),
  torch_unsafe_chunk = quote(list(list(self = floats(2, 5), chunks = 2L, dim = 2L))),
  torch_unsafe_split = quote(list(list(self = floats(2, 5), split_size = 2L, dim = 2L))),
  torch_unsqueeze = quote(list(list(self = floats(2, 3), dim = 1L), list(self = floats(2, 3), dim = 3L), list(self = floats(2, 3), dim = -1L), list(self = floats(2, 3), dim = 4L))),
  # sorting and searching
  torch_argsort = quote(c(dim_cases(\() floats(3, 4), keepdim = FALSE), list(list(self = floats(5), descending = TRUE), list(self = whole(6, to = 2L), stable = TRUE)))),
  torch_bucketize = quote(list(list(self = floats(4), boundaries = sorted(5)), list(self = floats(4), boundaries = sorted(5), out_int32 = TRUE, right = TRUE), list(self = 0.5, boundaries = sorted(5)))),
  torch_kthvalue = quote(list(list(self = floats(5), k = 2L), list(self = floats(3, 4), k = 3L, dim = 1L, keepdim = TRUE), list(self = floats(3), k = 4L))),
  torch_searchsorted = quote(list(list(sorted_sequence = sorted(5), self = floats(3)), list(sorted_sequence = sorted(2, 4), self = floats(2, 3), right = TRUE), list(sorted_sequence = sorted(5), self = 0.5, side = "right"))),
  torch_sort = quote(c(dim_cases(\() floats(3, 4), keepdim = FALSE), list(list(self = floats(5), descending = TRUE), list(self = whole(6, to = 2L), stable = TRUE, descending = TRUE), list(self = floats(0))))),
  torch_topk = quote(list(list(self = floats(6), k = 3L), list(self = floats(3, 4), k = 2L, dim = 1L, largest = FALSE), list(self = floats(3), k = 4L))),
  torch_unique_consecutive = quote(list(list(self = whole(8, to = 1L)), list(self = whole(8, to = 1L), return_inverse = TRUE, return_counts = TRUE), list(self = whole(4, 2, to = 1L), dim = 1L))),
  # creation
  torch_arange = quote(list(list(start = 1L, end = 5L), list(start = 0, end = 1, step = 0.25), list(start = 5L, end = 1L, step = -2L), list(start = 1L, end = 4L, dtype = "float64"))),
  torch_bartlett_window = quote(list(list(window_length = 5L), list(window_length = 5L, periodic = FALSE))),
  torch_blackman_window = quote(list(list(window_length = 5L), list(window_length = 5L, periodic = FALSE))),
  torch_hann_window = quote(list(list(window_length = 5L), list(window_length = 5L, periodic = FALSE))),
  torch_hamming_window = quote(list(list(window_length = 5L), list(window_length = 5L, periodic = FALSE, alpha = 0.5, beta = 0.5))),
  torch_kaiser_window = quote(list(list(window_length = 5L, periodic = TRUE, beta = 4))),
  torch_cartesian_prod = quote(list(list(tensors = list(floats(2), floats(3))))),
  torch_combinations = quote(list(list(self = floats(4)), list(self = floats(4), r = 3L, with_replacement = TRUE))),
  torch_complex = quote(list(list(real = floats(3), imag = floats(3)), list(real = floats(2, 1), imag = floats(3)))),
  torch_polar = quote(list(list(abs = positive(3), angle = floats(3)))),
  torch_eye = quote(list(list(n = 3L), list(n = 2L, m = 4L), list(n = 2L, dtype = "int64"))),
  torch_full = quote(list(list(size = c(2L, 3L), fill_value = 1.5), list(size = 2L, fill_value = 3L), list(size = integer(), fill_value = TRUE))),
  torch_full_like = quote(list(list(input = floats(2, 3), fill_value = 2), list(input = floats(2), fill_value = 2L, dtype = "int64"))),
  torch_zeros = quote(list(list(size = c(2L, 3L)), list(size = 0L), list(size = 2L, dtype = "int64"))),
  torch_ones = quote(list(list(size = c(2L, 3L)), list(size = 2L, dtype = "bool"))),
  torch_zeros_like = quote(list(list(input = floats(2, 3)), list(input = whole(3), dtype = "float64"))),
  torch_ones_like = quote(list(list(input = floats(2, 3)), list(input = flags(3)))),
  torch_linspace = quote(list(list(start = 0, end = 1, steps = 5L), list(start = 3, end = -2, steps = 4L, dtype = "float64"))),
  torch_logspace = quote(list(list(start = 0, end = 2, steps = 5L), list(start = 0, end = 3, steps = 4L, base = 2))),
  torch_meshgrid = quote(list(list(tensors = list(floats(2), floats(3)), indexing = "ij"), list(tensors = list(floats(2), floats(3)), indexing = "xy"))),
  torch_scalar_tensor = quote(list(list(value = 2.5), list(value = 3.5, dtype = "float64"))),
  torch_sparse_coo_tensor = quote(list(list(indices = whole(2, 3, from = 1L, to = 3L), values = floats(3), size = c(4L, 5L)), list(indices = whole(1, 3, from = 1L, to = 3L), values = floats(3)))),
  torch_tril_indices = quote(list(list(row = 3L, col = 3L), list(row = 3L, col = 4L, offset = 1L))),
  torch_triu_indices = quote(list(list(row = 3L, col = 3L), list(row = 3L, col = 4L, offset = -1L))),
  torch_vander = quote(list(list(x = floats(3)), list(x = floats(3), N = 2L, increasing = TRUE)))
)

# Python that takes the same arguments, where torch.ops.aten has no such form.
python_cholesky <- "getattr(torch.ops.aten, 'cholesky', lambda self, upper=False: torch.linalg.cholesky(self, upper=upper))"
python_qr <- "getattr(torch.ops.aten, 'qr', lambda self, some=True: torch.linalg.qr(self, 'reduced' if some else 'complete'))"
oracle_python <- c(
  torch_tensordot = "torch.tensordot",
  # PyTorch 2.14 has neither any more.
  torch_cholesky = python_cholesky, "$cholesky" = python_cholesky, torch_qr = python_qr, "$qr" = python_qr,
  torch_lu = "lambda A, get_infos=False: list(torch.linalg.lu_factor_ex(A))[:3 if get_infos else 2]",
  torch_stft = "lambda input, n_fft, **k: torch.stft(input, n_fft, **k)",
  # In this order the shim numbers them.
  "$qscheme" = "lambda self: [torch.per_tensor_affine, torch.per_channel_affine, torch.per_tensor_symmetric, torch.per_channel_symmetric].index(self.qscheme())",
  "$length" = "lambda self: self.numel()", "$has_storage" = "lambda self: self.data_ptr() is not None",
  "$is_sparse" = "lambda self: self.is_sparse", "$is_sparse_csr" = "lambda self: self.layout == torch.sparse_csr",
  "$is_quantized" = "lambda self: self.is_quantized", "$data" = "lambda self: self.data", "$retains_grad" = "lambda self: self.retains_grad",
  "$output_nr" = "lambda self: self.output_nr", "$is_leaf" = "lambda self: self.is_leaf", "$item" = "lambda self: self.item()",
  "$set_" = "lambda self, **k: torch.ops.aten.set_(self, **k)", "$cpu" = "lambda self: self.cpu()", "$chalf" = "lambda self: self.chalf()",
  "$contiguous" = "lambda self: self.contiguous()", "$is_contiguous" = "lambda self: self.is_contiguous()",
  "$stft" = "lambda self, n_fft, **k: torch.stft(self, n_fft, **k)",
  torch_where = "lambda condition, **k: torch.where(condition, k['self'], k['other']) if k else list(t + 1 for t in torch.where(condition))",
  torch_randint = "lambda low, high, size: torch.randint(low, high, size, dtype=torch.float)",
  torch_randint_like = "lambda input, low, high: torch.randint_like(input, low, high)",
  torch_normal = "lambda mean, std, size=None: torch.normal(mean, std) if size is None else torch.normal(mean, std, size)",
  torch_rand_like = "lambda input, **k: torch.rand_like(input, **k)",
  torch_randn_like = "lambda input, **k: torch.randn_like(input, **k)",
  torch_zeros_like = "lambda input, **k: torch.zeros_like(input, **k)",
  torch_ones_like = "lambda input, **k: torch.ones_like(input, **k)",
  torch_full_like = "lambda input, fill_value, **k: torch.full_like(input, fill_value, **k)",
  torch_zeros = "lambda size, **k: torch.zeros(size, **k)",
  torch_ones = "lambda size, **k: torch.ones(size, **k)",
  torch_rand = "lambda size, **k: torch.rand(size, **k)",
  torch_randn = "lambda size, **k: torch.randn(size, **k)",
  torch_full = "lambda size, fill_value: torch.full([size] if isinstance(size, int) else size, fill_value)",
  torch_index = "lambda self, indices: self[tuple(slice(None) if i is None else i for i in indices)]",
  torch_atleast_1d = "lambda self: list(torch.atleast_1d(*self)) if isinstance(self, list) else torch.atleast_1d(self)",
  torch_atleast_2d = "lambda self: list(torch.atleast_2d(*self)) if isinstance(self, list) else torch.atleast_2d(self)",
  torch_quantize_per_tensor = "lambda self, **k: torch.quantize_per_tensor(self, **k)",
  torch_randperm = "torch.randperm",
  torch_eye = "lambda n, m=None, **k: torch.eye(n, n if m is None else m, **k)",
  torch_arange = "arange_to",
  torch_linspace = "torch.linspace", torch_logspace = "torch.logspace",
  torch_scalar_tensor = "lambda value, **k: torch.scalar_tensor(value, **k)",
  torch_sparse_coo_tensor = "lambda indices, values, size=None: torch.sparse_coo_tensor(indices, values, size) if size else torch.sparse_coo_tensor(indices, values)",
  torch_bartlett_window = "torch.bartlett_window", torch_blackman_window = "torch.blackman_window",
  torch_hann_window = "torch.hann_window", torch_hamming_window = "torch.hamming_window",
  torch_kaiser_window = "torch.kaiser_window", torch_fft_fftfreq = "lambda n, d=1.0: torch.fft.fftfreq(n, d)",
  torch_tril_indices = "torch.tril_indices", torch_triu_indices = "torch.triu_indices",
  torch_result_type = "lambda tensor1, tensor2: torch.result_type(tensor1, tensor2)", torch_can_cast = "lambda from_, to: torch.can_cast(from_, to)",
  torch_promote_types = "torch.promote_types",
  torch_trapz = "lambda y, x=None, dx=1.0, dim=-1: torch.trapz(y, dx=dx, dim=dim) if x is None else torch.trapz(y, x, dim=dim)"
)

# Functions without arguments that give a dtype; R's numbers of complex dtypes count the bits of one part.
dtype_names <- c(
  "bfloat16", "bool", "cdouble", "cfloat", "chalf", "double", "float", "float16", "float32", "float64", "float8_e4m3fn",
  "float8_e5m2", "half", "int", "int16", "int32", "int64", "int8", "long", "qint32", "qint8", "quint8", "short", "uint8"
)
oracle_dtype_names <- c(
  stats::setNames(dtype_names, paste0("torch_", dtype_names)),
  torch_cfloat32 = "complex32", torch_cfloat64 = "complex64", torch_cfloat128 = "complex128"
)

# What these give counts from 1: the first or second result, or all of a list.
oracle_positions <- c(
  torch_argmax = 1L, torch_argmin = 1L, torch_argsort = 1L, torch_max = 2L, torch_min = 2L, torch_sort = 2L,
  torch_topk = 2L, torch_cummax = 2L, torch_cummin = 2L, torch_kthvalue = 2L, torch_median = 2L, torch_nanmedian = 2L,
  torch_mode = 2L, torch_unique_consecutive = 2L, torch_adaptive_max_pool1d = 2L, torch_argwhere = 1L,
  torch_nonzero = 1L, torch_nonzero_static = 1L, torch_indices = 1L, torch__indices = 1L, torch_col_indices = 1L,
  torch_row_indices = 1L, torch_multinomial = 1L, torch_tril_indices = 1L, torch_triu_indices = 1L
)
