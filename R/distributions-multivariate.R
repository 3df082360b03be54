# Distributions of vectors and matrices.

#' @include distributions.R distributions-composed.R distributions-continuous.R
NULL

# ---- Matrices ----

# The product of the matrix with each vector along the last dimension. One matrix takes all vectors at once.
times_vectors <- function(matrix, vectors) {
  if (matrix$ndim == 2L) return(torch_matmul(vectors, matrix$mT()))
  torch_squeeze(torch_matmul(matrix, torch_unsqueeze(vectors, -1L)), -1L)
}

# Squared lengths of `solve(factor, x)`, for each vector x. Vectors that share a factor are the columns of one right side.
squared_distance <- function(factor, vectors) {
  batch <- leading_sizes(factor$shape, 2L)
  own <- leading_sizes(vectors$shape, 1L)
  if (!identical(plain_sizes(trailing_sizes(own, min(length(own), length(batch)))), plain_sizes(batch))) {
    solved <- linalg_solve_triangular(factor, torch_unsqueeze(vectors, -1L), upper = FALSE)
    return(torch_sum(torch_squeeze(solved, -1L)^2, dim = -1L))
  }
  n <- vectors$size(-1L)
  columns <- torch_movedim(vectors$reshape(c(-1L, batch, n)), 1L, -1L)
  lengths <- torch_sum(linalg_solve_triangular(factor, columns, upper = FALSE)^2, dim = -2L)
  torch_movedim(lengths, -1L, 1L)$reshape(own)
}

diagonal_of <- function(x) torch_diagonal(x, dim1 = -2L, dim2 = -1L)
# Half of the logarithm of the determinant of the matrix that has `factor` as its Cholesky factor.
half_log_det <- function(factor) torch_sum(torch_log(diagonal_of(factor)), dim = -1L)

# The factor of the inverse of a matrix. Turning round both orders makes the factor a lower one.
factor_of_inverse <- function(x) {
  flipped <- torch_flip(linalg_cholesky(torch_flip(x, c(-2L, -1L))), c(-2L, -1L))
  unit <- torch_eye(x$size(-1L), dtype = x$dtype, device = x$device)
  linalg_solve_triangular(flipped$mT(), unit, upper = FALSE)
}

# The three ways to give a positive definite matrix. `factor` is not expanded.
matrix_ways <- c("covariance_matrix", "precision_matrix", "scale_tril")
matrix_parameters <- list(
  covariance_matrix = constraint_positive_definite, precision_matrix = constraint_positive_definite,
  scale_tril = constraint_lower_cholesky
)
matrix_derived <- list(
  factor = function() {
    own <- private$.unexpanded
    own$scale_tril %||% if (is.null(own$covariance_matrix)) {
      factor_of_inverse(own$precision_matrix)
    } else {
      linalg_cholesky(own$covariance_matrix)
    }
  },
  n = function() event_size(factor, -1L),
  scale_tril = function() factor$expand(c(private$batch_shape(), n, n)),
  covariance_matrix = function() torch_matmul(factor, factor$mT())$expand(c(private$batch_shape(), n, n)),
  precision_matrix = function() torch_cholesky_inverse(factor)$expand(c(private$batch_shape(), n, n))
)

# ---- Gradients of Dirichlet draws ----

draw_dirichlet_recorded <- autograd_function(
  forward = function(ctx, concentration) {
    draw <- torch__sample_dirichlet(concentration)
    ctx$save_for_backward(draw = draw, concentration = concentration)
    draw
  },
  backward = function(ctx, grad) {
    saved <- ctx$saved_variables
    total <- torch_sum(saved$concentration, dim = -1L, keepdim = TRUE)$expand_as(saved$concentration)
    rate <- torch__dirichlet_grad(saved$draw, saved$concentration, total)
    list(concentration = rate * (grad - torch_sum(saved$draw * grad, dim = -1L, keepdim = TRUE)))
  }
)

draw_dirichlet <- function(concentration) {
  if (concentration$requires_grad) {
    draw_dirichlet_recorded(concentration)
  } else {
    torch__sample_dirichlet(concentration)
  }
}

#' Distributions of vectors and matrices
#'
#' One draw is a vector along the last dimension, or a matrix in the last two; the dimensions before are the batch.
#' [distribution()] tells what a distribution can do.
#'
#' | distribution | parameters | a draw |
#' |---|---|---|
#' | `distr_multivariate_normal` | `loc`, a vector; one of three matrices | a vector, normal around `loc` |
#' | `distr_low_rank_multivariate_normal` | `loc`; `cov_factor` W, `cov_diag` D > 0 | normal with covariance \eqn{W W^T + diag(D)} |
#' | `distr_dirichlet` | `concentration` > 0, a vector | a vector of numbers that are not negative and sum to 1 |
#' | `distr_logistic_normal` | `loc`, `scale` > 0, vectors of n | stick breaking ([transform_stick_breaking()]) of a normal vector: n + 1 numbers that sum to 1 |
#' | `distr_wishart` | `df` > n - 1; one of three matrices | an n x n positive definite matrix, with mean `df` times the covariance matrix |
#' | `distr_lkj_cholesky` | `dim` = n; `concentration` > 0 | the Cholesky factor L of a correlation matrix, whose density is \eqn{\propto \det(L L^T)^{concentration - 1}} |
#'
#' @param loc mean, a vector.
#' @param covariance_matrix,precision_matrix a positive definite matrix, and its inverse.
#' @param scale_tril the lower Cholesky factor of the covariance matrix. It costs least: the others are factored.
#' @param cov_factor matrix of as many rows as `loc` has values, and few columns.
#' @param cov_diag,scale vector of positive numbers; of `distr_logistic_normal` one number will do.
#' @param concentration positive numbers: of `distr_dirichlet` a vector; of `distr_lkj_cholesky` 1 makes all correlation
#'   matrices equally likely, and more prefers those close to the identity.
#' @param df degrees of freedom, a number.
#' @param dim number of rows, an R number from 2 on.
#' @param validate_args whether parameters and values are checked; `NULL` is the option `torch.validate_args`, else `TRUE`.
#' @returns A distribution, see [distribution()]. Those with a covariance matrix have `$covariance_matrix`,
#'   `$precision_matrix` and `$scale_tril`, whichever of them was given.
#' @section Errors:
#' A parameter that is not what the table says, and not exactly one of the three matrices, are `value_error`s.
#' @source Names and parameters are those of `torch.distributions`. Wishart draws are by Bartlett's decomposition, and so not
#'   those that PyTorch gives for a seed, which draws twice. Lewandowski, Kurowicka and Joe (2009), Generating random
#'   correlation matrices based on vines and extended onion method.
#' @seealso [distr_normal()] and its page, [distr_transformed()] and [distr_independent()], [kl_divergence()]
#' @examplesIf torch::torch_is_installed()
#' d <- distr_multivariate_normal(c(0, 1), covariance_matrix = matrix(c(2, 0.5, 0.5, 1), 2))
#' d$log_prob(c(0, 0))
#' d$sample(3)
#' distr_dirichlet(c(1, 2, 3))$mean
#' @export
distr_multivariate_normal <- distribution(
  "MultivariateNormal",
  parameters = c(list(loc = constraint_real_vector), matrix_parameters),
  one_of = matrix_ways,
  prepare = function(values, call) {
    loc <- as_numbers(values$loc, "loc", call = call)
    way <- intersect(matrix_ways, names(values))
    matrix <- as_numbers(values[[way]], way, call = call)
    # A single number stands for a vector as long as the matrix has rows.
    if (loc$ndim == 0L && matrix$ndim > 0L) values$loc <- loc <- loc$expand(matrix$size(-1L))
    check_square(matrix, way, loc$size(-1L), "as many rows as `loc` has values", call)
    values
  },
  support = constraint_real_vector,
  derived = matrix_derived,
  event_shape = function() n,
  log_prob = function(value) {
    -squared_distance(factor, value - loc) / 2 - half_log_det(factor) - n * log(2 * pi) / 2
  },
  entropy = function() {
    (n * (1 + log(2 * pi)) / 2 + half_log_det(factor))$expand(private$batch_shape())
  },
  mean = function() loc,
  mode = function() loc,
  variance = function() torch_sum(factor^2, dim = -1L)$expand(c(private$batch_shape(), n)),
  rsample = function(shape) loc + times_vectors(factor, standard_normal(shape, loc))
)

check_square <- function(matrix, name, n, words, call) {
  shape <- plain_sizes(matrix$shape)
  n <- plain_sizes(n)
  if (length(shape) < 2L || any(trailing_sizes(shape, 2L) != n)) {
    value_error(sprintf(
      "`%s` must be a matrix with %s, %s, in its last two dimensions, but its shape is (%s).", name, words, format(n),
      toString(shape)
    ), call)
  }
}

#' @rdname distr_multivariate_normal
#' @export
distr_low_rank_multivariate_normal <- distribution(
  "LowRankMultivariateNormal",
  parameters = list(
    loc = constraint_real_vector, cov_factor = constraint_independent(constraint_real, 2), cov_diag = positive_vector
  ),
  prepare = function(values, call) {
    sizes <- lapply(set_names(names(values)), function(name) {
      plain_sizes(as_numbers(values[[name]], name, call = call)$shape)
    })
    n <- trailing_sizes(sizes$loc, 1L)
    if (length(sizes$cov_factor) < 2L || sizes$cov_factor[length(sizes$cov_factor) - 1L] != n) {
      value_error(sprintf(
        "`cov_factor` must be a matrix with as many rows as `loc` has values, %s, but its shape is (%s).",
        format(n), toString(sizes$cov_factor)
      ), call)
    }
    if (length(sizes$cov_diag) < 1L || trailing_sizes(sizes$cov_diag, 1L) != n) {
      value_error(sprintf(
        "`cov_diag` must be a vector with as many values as `loc`, %s, but its shape is (%s).",
        format(n), toString(sizes$cov_diag)
      ), call)
    }
    values
  },
  support = constraint_real_vector,
  # By Woodbury's identity, everything but the matrices themselves costs as much as a matrix of the size of the rank.
  derived = list(
    W = function() private$.unexpanded$cov_factor,
    D = function() private$.unexpanded$cov_diag,
    n = function() event_size(W, -2L),
    W_by_D = function() W$mT() / torch_unsqueeze(D, -2L),
    capacitance = function() {
      linalg_cholesky(torch_matmul(W_by_D, W) + torch_eye(W$size(-1L), dtype = W$dtype, device = W$device))
    },
    log_det = function() 2 * half_log_det(capacitance) + torch_sum(torch_log(D), dim = -1L),
    covariance = function() torch_matmul(W, W$mT()) + torch_diag_embed(D),
    covariance_matrix = function() covariance$expand(c(private$batch_shape(), n, n)),
    precision_matrix = function() {
      half <- linalg_solve_triangular(capacitance, W_by_D, upper = FALSE)
      (torch_diag_embed(1 / D) - torch_matmul(half$mT(), half))$expand(c(private$batch_shape(), n, n))
    },
    scale_tril = function() linalg_cholesky(covariance)$expand(c(private$batch_shape(), n, n))
  ),
  event_shape = function() n,
  log_prob = function(value) {
    off <- value - loc
    distance <- torch_sum(off^2 / D, dim = -1L) - squared_distance(capacitance, times_vectors(W_by_D, off))
    -(n * log(2 * pi) + log_det + distance) / 2
  },
  entropy = function() ((n * (1 + log(2 * pi)) + log_det) / 2)$expand(private$batch_shape()),
  mean = function() loc,
  mode = function() loc,
  variance = function() (torch_sum(W^2, dim = -1L) + D)$expand(c(private$batch_shape(), n)),
  rsample = function(shape) {
    few <- standard_normal(c(leading_sizes(shape, 1L), W$size(-1L)), loc)
    each <- standard_normal(shape, loc)
    loc + times_vectors(W, few) + torch_sqrt(D) * each
  }
)

#' @rdname distr_multivariate_normal
#' @export
distr_dirichlet <- distribution(
  "Dirichlet",
  parameters = list(concentration = positive_vector),
  support = constraint_simplex,
  derived = list(
    n = function() event_size(concentration, -1L),
    total = function() torch_sum(concentration, dim = -1L)
  ),
  event_shape = function() n,
  log_prob = function(value) {
    torch_sum(torch_xlogy(concentration - 1, value) - torch_lgamma(concentration), dim = -1L) + torch_lgamma(total)
  },
  entropy = function() {
    torch_sum(torch_lgamma(concentration) - (concentration - 1) * torch_digamma(concentration), dim = -1L) -
      torch_lgamma(total) - (n - total) * torch_digamma(total)
  },
  mean = function() concentration / torch_unsqueeze(total, -1L),
  # With a concentration below 1 the density is highest at the corners only.
  mode = function() {
    above <- torch_clamp(concentration - 1, min = 0)
    above / torch_sum(above, dim = -1L, keepdim = TRUE)
  },
  variance = function() {
    total <- torch_unsqueeze(total, -1L)
    concentration * (total - concentration) / (total^2 * (total + 1))
  },
  rsample = function(shape) draw_dirichlet(concentration$expand(shape)),
  natural_params = function() list(concentration),
  log_normalizer = function(x) torch_sum(torch_lgamma(x), dim = -1L) - torch_lgamma(torch_sum(x, dim = -1L))
)

#' @rdname distr_multivariate_normal
#' @export
distr_logistic_normal <- distribution(
  "LogisticNormal",
  parameters = list(loc = constraint_real_vector, scale = positive_vector),
  inherit = distr_transformed,
  prepare = function(values, call) {
    both <- parameter_tensors(values, call)
    last <- vapply(both, function(x) if (x$ndim > 0L) as.integer(plain_sizes(x$size(-1L))) else 1L, 0L)
    widest <- both[[which.max(last)]]
    n <- if (widest$ndim > 0L) widest$size(-1L) else 1L
    Map(function(x, size) {
      if (x$ndim > 0L && size == max(last)) x else x$expand(c(leading_sizes(x$shape, min(x$ndim, 1L)), n))
    }, both, last)
  },
  support = constraint_simplex,
  derived = list(
    base_distribution = function() distr_normal(loc, scale, validate_args = FALSE),
    transforms = function() list(transform_stick_breaking())
  ),
  event_shape = function() loc$size(-1L) + 1L
)

#' @rdname distr_multivariate_normal
#' @export
distr_wishart <- distribution(
  "Wishart",
  parameters = c(list(df = function() constraint_greater_than(n - 1)), matrix_parameters),
  one_of = matrix_ways,
  prepare = function(values, call) {
    way <- intersect(matrix_ways, names(values))
    matrix <- as_numbers(values[[way]], way, call = call)
    if (matrix$ndim < 2L || plain_sizes(matrix$size(-2L)) != plain_sizes(matrix$size(-1L))) {
      value_error(sprintf("`%s` must be a square matrix, but its shape is (%s).", way, toString(matrix$shape)), call)
    }
    values
  },
  support = constraint_positive_definite,
  derived = c(matrix_derived, list(
    # `df` with dimensions for rows and columns.
    df_of_matrix = function() torch_unsqueeze(torch_unsqueeze(df, -1L), -1L)
  )),
  event_shape = function() c(n, n),
  log_prob = function(value) {
    trace <- torch_sum(diagonal_of(torch_cholesky_solve(value, factor)), dim = -1L)
    (df - n - 1) / 2 * linalg_slogdet(value)[[2]] - trace / 2 - df * (n * log(2) / 2 + half_log_det(factor)) -
      torch_mvlgamma(df / 2, n)
  },
  entropy = function() {
    digammas <- Reduce(`+`, lapply(seq_len(n), function(i) torch_digamma((df + 1 - i) / 2)))
    (n + 1) * (n * log(2) / 2 + half_log_det(factor)) + torch_mvlgamma(df / 2, n) - (df - n - 1) / 2 * digammas +
      df * n / 2
  },
  mean = function() df_of_matrix * covariance_matrix,
  mode = function() torch_where(df_of_matrix > n + 1, (df_of_matrix - n - 1) * covariance_matrix, NaN),
  variance = function() {
    diagonal <- diagonal_of(covariance_matrix)
    df_of_matrix * (covariance_matrix^2 + torch_unsqueeze(diagonal, -1L) * torch_unsqueeze(diagonal, -2L))
  },
  rsample = function(shape) {
    rows <- torch_arange(0, n - 1, dtype = df$dtype, device = df$device)
    outer <- leading_sizes(shape, 2L)
    chi <- standard_gamma(c(outer, n), (torch_unsqueeze(df, -1L) - rows) / 2) * 2
    below <- standard_normal(c(outer, as.integer(n * (n - 1L) / 2L)), df)
    root <- torch_matmul(factor, torch_diag_embed(torch_sqrt(at_least_tiny(chi))) + lower_from_vector(below, n))
    torch_matmul(root, root$mT())
  },
  natural_params = function() list(-precision_matrix / 2, (df - n - 1) / 2),
  log_normalizer = function(x, y) {
    (y + (n + 1) / 2) * (n * log(2) - linalg_slogdet(-2 * x)[[2]]) + torch_mvlgamma(y + (n + 1) / 2, n)
  }
)

#' @rdname distr_multivariate_normal
#' @export
distr_lkj_cholesky <- distribution(
  "LKJCholesky",
  parameters = list(dim = NULL, concentration = constraint_positive),
  defaults = list(concentration = 1),
  prepare = function(values, call) {
    if (!is_whole_number(values$dim) || values$dim < 2) {
      value_error(sprintf("`dim` must be a whole number from 2 on, not %s.", friendly_type(values$dim)), call)
    }
    values$dim <- as.integer(values$dim)
    values
  },
  support = constraint_corr_cholesky,
  derived = list(beta = function() {
    before <- torch_tensor(c(0, seq(0, dim - 2)), dtype = concentration$dtype, device = concentration$device)
    distr_beta(before + 0.5, torch_unsqueeze(concentration + (dim - 2) / 2, -1L) - before / 2, validate_args = FALSE)
  }),
  event_shape = function() c(dim, dim),
  log_prob = function(value) {
    diagonal <- diagonal_of(value)$narrow(-1L, 2L, dim - 1L)
    rest <- torch_tensor(seq(dim - 2, 0), dtype = concentration$dtype, device = concentration$device)
    power <- 2 * (torch_unsqueeze(concentration, -1L) - 1) + rest
    half <- concentration + (dim - 1) / 2
    torch_sum(power * torch_log(diagonal), dim = -1L) + (dim - 1) * torch_lgamma(half) -
      torch_mvlgamma(half - 0.5, dim - 1L) - (dim - 1) * log(pi) / 2
  },
  # For each row: how much of its length lies below the diagonal, and a direction there.
  sample = function(shape) {
    share <- formulas_of(beta)$sample(leading_sizes(shape, 1L))
    below <- torch_tril(standard_normal(shape, concentration), -1L)
    length <- torch_clamp(linalg_norm(below, dim = -1L, keepdim = TRUE), min = tiny_of(below))
    below <- torch_unsqueeze(torch_sqrt(share), -1L) * below / length
    rest <- torch_clamp(1 - torch_sum(below^2, dim = -1L), min = tiny_of(below))
    below + torch_diag_embed(torch_sqrt(rest))
  }
)
