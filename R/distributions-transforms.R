# Transforms: functions of random variables that know their inverse and how they stretch space. They carry one distribution
# into another (distr_transformed(), R/distributions-composed.R) and unconstrained numbers into a constraint.

#' @include distributions-constraints.R
NULL

# `forward`, `inverse` and `log_det(x, y)` are plain functions of tensors. `sign` is 1 or -1 (or a tensor of these) for a
# function of numbers that goes up or down. Sizes stay as they are unless `forward_shape` and `inverse_shape` say otherwise.
new_transform <- function(name, forward, inverse = NULL, log_det = NULL, domain = constraint_real,
                          codomain = constraint_real, bijective = TRUE, sign = NULL, settings = list(),
                          forward_shape = identity, inverse_shape = identity) {
  parts <- list(
    name = name, forward = forward, inverse = inverse, log_det = log_det, domain = domain, codomain = codomain,
    bijective = bijective, sign = sign, settings = settings, forward_shape = forward_shape, inverse_shape = inverse_shape
  )
  structure(
    function(x) forward(x),
    class = c(sprintf("torch_%sTransform", name), "torch_Transform"), parts = parts
  )
}

transform_parts <- function(transform) attr(transform, "parts", exact = TRUE)
is_transform <- function(x) inherits(x, "torch_Transform")

#' @export
`$.torch_Transform` <- function(x, name) {
  parts <- transform_parts(x)
  switch(name,
    inv = inverse_transform(x),
    log_abs_det_jacobian = determinant_function(x),
    forward_shape = , inverse_shape = function(shape) parts[[name]](as_shape(shape, "shape")),
    parts[[name]] %||% parts$settings[[name]]
  )
}

# A part that a transform lacks becomes a function that gives an error when it is called.
inverse_function <- function(transform) {
  parts <- transform_parts(transform)
  parts$inverse %||% function(y) not_implemented_error(sprintf("The transform %s has no inverse.", parts$name))
}
determinant_function <- function(transform) {
  parts <- transform_parts(transform)
  parts$log_det %||% function(x, y) {
    not_implemented_error(sprintf("The transform %s has no `log_abs_det_jacobian`.", parts$name))
  }
}

inverse_transform <- function(transform) {
  parts <- transform_parts(transform)
  # The inverse of an inverse is the transform that it was made of.
  if (!is.null(parts$settings$inverse_of)) return(parts$settings$inverse_of)
  log_det <- if (!is.null(parts$log_det)) function(x, y) -parts$log_det(y, x)
  new_transform(
    "Inverse", inverse_function(transform), parts$forward, log_det, parts$codomain, parts$domain, parts$bijective, parts$sign,
    list(inverse_of = transform), parts$inverse_shape, parts$forward_shape
  )
}

# A distribution that is transformed shows this.
#' @export
format.torch_Transform <- function(x, ...) {
  settings <- transform_parts(x)$settings
  values <- vapply(settings, describe_parameter, "")
  paste0("<", class(x)[[1L]], ">", if (length(values)) paste0(" ", paste(names(values), "=", values, collapse = ", ")))
}

#' @export
print.torch_Transform <- function(x, ...) {
  cat(format(x), "\n", sep = "")
  invisible(x)
}

# Whether two transforms do the same, as far as their settings tell.
same_transform <- function(a, b) {
  if (!identical(class(a), class(b))) return(FALSE)
  same <- function(x, y) {
    if (is_transform(x)) return(same_transform(x, y))
    if (is.list(x)) return(length(x) == length(y) && all(mapply(same, x, y)))
    if (is_torch_tensor(x) || is_torch_tensor(y)) return(isTRUE(all.equal(as_array(x), as_array(y))))
    identical(x, y)
  }
  same(transform_parts(a)$settings, transform_parts(b)$settings)
}

check_transforms <- function(x, arg, call = caller_env()) {
  if (is_transform(x)) x <- list(x)
  if (!is.list(x) || !all(vapply(x, is_transform, NA))) {
    type_error(sprintf("`%s` must be a transform or a list of transforms, not %s.", arg, friendly_type(x)), call)
  }
  x
}

as_factor <- function(x, arg, call = caller_env()) {
  if (is.numeric(x) && length(x) == 1L) x else as_numbers(x, arg, call = call)
}

# The sign of a factor; a number for a number.
sign_of <- function(x) if (is_torch_tensor(x)) torch_sign(x) else sign(x)

#' Transforms of random variables
#'
#' A transform is a function of tensors, `y <- transform(x)`, that knows its inverse and the logarithm of its Jacobian's
#' determinant. [distr_transformed()] makes a distribution of a distribution and transforms.
#'
#' | transform | is |
#' |---|---|
#' | `transform_identity()` | `x` |
#' | `transform_exp()`, `transform_abs()` | \eqn{e^x}; \eqn{|x|}, not one to one: its inverse gives the positive number |
#' | `transform_affine(loc, scale)` | `loc + scale * x` |
#' | `transform_power(exponent)` | `x^exponent`, of positive numbers |
#' | `transform_sigmoid()`, `transform_tanh()`, `transform_softplus()` | \eqn{1 / (1 + e^{-x})}; its like from -1 to 1; \eqn{\log(1 + e^x)} |
#' | `transform_softmax()` | vectors of numbers to vectors that sum to 1; not one to one |
#' | `transform_stick_breaking()` | vectors of `n` numbers to vectors of `n + 1` that sum to 1 |
#' | `transform_lower_cholesky()` | square matrices to lower triangular ones with a positive diagonal; not one to one |
#' | `transform_positive_definite()` | square matrices to positive definite ones; not one to one |
#' | `transform_corr_cholesky()` | vectors of `n * (n - 1) / 2` numbers to Cholesky factors of `n` x `n` correlation matrices |
#' | `transform_cumulative_distribution(distribution)` | the distribution function of `distribution` |
#' | `transform_reshape(in_shape, out_shape)` | the same numbers in another shape |
#' | `transform_compose(parts)` | one transform after the other |
#' | `transform_independent(base_transform, n)` | a transform whose last `n` dimensions more belong together |
#' | `transform_cat()`, `transform_stack()` | a transform for each part along `dim` |
#' | `transform_function()` | functions of the user's |
#'
#' @section Members:
#' * `t(x)`; `t$inv`, the inverse, a transform; `t$log_abs_det_jacobian(x, y)`, with `y` equal to `t(x)`.
#' * `t$domain`, `t$codomain`: [constraints][constraint_real] of `x` and `y`; their `$event_dim` says how many dimensions
#'   the transform mixes, which are gone from the determinant.
#' * `t$bijective`; `t$sign`, 1 or -1 where a transform of numbers goes up or down.
#' * `t$forward_shape(shape)`, `t$inverse_shape(shape)`: sizes of the result.
#'
#' @param loc,scale,exponent numbers or tensors.
#' @param event_dim number of dimensions that belong to one draw.
#' @param distribution a distribution with `$cdf()` and `$icdf()`.
#' @param in_shape,out_shape shapes of one draw, with equal numbers of values.
#' @param parts,tseq lists of transforms.
#' @param base_transform a transform.
#' @param reinterpreted_batch_ndims number of dimensions more that belong to one draw.
#' @param dim dimension along which the parts follow each other.
#' @param lengths sizes of the parts along `dim`, 1 each by default.
#' @param forward,inverse functions of a tensor, each other's inverse.
#' @param log_abs_det_jacobian function of `x` and `y` that gives the logarithm of the derivative's absolute value, or of
#'   the Jacobian's determinant.
#' @param domain,codomain constraints.
#' @param bijective whether it is one to one.
#' @param sign 1 or -1 for an increasing or decreasing function of numbers, else `NULL`.
#' @param name name of the transform.
#' @returns A function of class `torch_Transform`.
#' @section Errors:
#' What a transform does not have, an inverse or a determinant, is a `not_implemented_error` where it is needed.
#' @source `torch.distributions.transforms`. There is no `cache_size`: an inverse is always computed.
#' @seealso [distr_transformed()], [transform_to()]
#' @examplesIf torch::torch_is_installed()
#' x <- torch_tensor(c(-1, 0, 1))
#' t <- transform_compose(list(transform_exp(), transform_affine(1, 2)))
#' y <- t(x)
#' t$inv(y)
#' t$log_abs_det_jacobian(x, y)
#' @export
transform_function <- function(name, forward, inverse = NULL, log_abs_det_jacobian = NULL, domain = constraint_real,
                               codomain = constraint_real, bijective = !is.null(inverse), sign = NULL) {
  new_transform(
    name, forward, inverse, log_abs_det_jacobian, domain, codomain, bijective, sign,
    list(forward = forward, inverse = inverse)
  )
}

#' @rdname transform_function
#' @export
transform_identity <- function() transform_compose(list())

#' @rdname transform_function
#' @export
transform_exp <- function() {
  new_transform(
    "Exp", torch_exp, torch_log, function(x, y) x, codomain = constraint_positive, sign = 1
  )
}

#' @rdname transform_function
#' @export
transform_abs <- function() {
  new_transform("Abs", torch_abs, identity, codomain = constraint_positive, bijective = FALSE)
}

#' @rdname transform_function
#' @export
transform_affine <- function(loc, scale, event_dim = 0) {
  loc <- as_factor(loc, "loc")
  scale <- as_factor(scale, "scale")
  space <- if (event_dim == 0) constraint_real else constraint_independent(constraint_real, event_dim)
  log_det <- function(x, y) {
    stretch <- if (is_torch_tensor(scale)) torch_log(torch_abs(scale)) else log(abs(scale))
    sum_last(torch_zeros_like(x) + stretch, event_dim)
  }
  shape <- function(shape) broadcast_sizes(broadcast_sizes(shape, sizes_of_factor(loc)), sizes_of_factor(scale))
  new_transform(
    "Affine", function(x) loc + scale * x, function(y) (y - loc) / scale, log_det, space, space,
    sign = sign_of(scale), settings = list(loc = loc, scale = scale), forward_shape = shape, inverse_shape = shape
  )
}

sizes_of_factor <- function(x) if (is_torch_tensor(x)) x$shape else integer()

#' @rdname transform_function
#' @export
transform_power <- function(exponent) {
  exponent <- as_factor(exponent, "exponent")
  shape <- function(shape) broadcast_sizes(shape, sizes_of_factor(exponent))
  new_transform(
    "Power", function(x) x^exponent, function(y) y^(1 / exponent),
    function(x, y) torch_log(torch_abs(exponent * y / x)), constraint_positive, constraint_positive,
    sign = sign_of(exponent), settings = list(exponent = exponent), forward_shape = shape, inverse_shape = shape
  )
}

# Neither 0 nor 1, whose logits are infinite.
inside_unit_interval <- function(p) {
  limits <- torch_finfo(p$dtype)
  torch_clamp(p, min = limits$tiny, max = 1 - limits$eps)
}

#' @rdname transform_function
#' @export
transform_sigmoid <- function() {
  new_transform(
    "Sigmoid", function(x) inside_unit_interval(torch_sigmoid(x)), function(y) torch_logit(inside_unit_interval(y)),
    function(x, y) -nnf_softplus(-x) - nnf_softplus(x), codomain = constraint_unit_interval, sign = 1
  )
}

#' @rdname transform_function
#' @export
transform_tanh <- function() {
  new_transform(
    "Tanh", torch_tanh, torch_atanh, function(x, y) 2 * (log(2) - x - nnf_softplus(-2 * x)),
    codomain = constraint_interval(-1, 1), sign = 1
  )
}

#' @rdname transform_function
#' @export
transform_softplus <- function() {
  new_transform(
    "Softplus", function(x) nnf_softplus(x), function(y) torch_log(-torch_expm1(-y)) + y,
    function(x, y) -nnf_softplus(-x), codomain = constraint_positive, sign = 1
  )
}

#' @rdname transform_function
#' @export
transform_softmax <- function() {
  new_transform(
    "Softmax", function(x) torch_softmax(x, dim = -1L), torch_log, domain = constraint_real_vector,
    codomain = constraint_simplex, bijective = FALSE
  )
}

longer_by <- function(n) function(shape) c(leading_sizes(shape, 1L), trailing_sizes(shape, 1L) + n)

# Adds one value before the first element, or after the last.
pad_first <- function(x, value) nnf_pad(x, c(1, 0), value = value)
pad_last <- function(x, value) nnf_pad(x, c(0, 1), value = value)
without_last <- function(x) x$narrow(-1L, 1L, x$size(-1L) - 1L)

#' @rdname transform_function
#' @export
transform_stick_breaking <- function() {
  # How many parts of the stick are left to break. With this offset zeros give equal parts.
  log_left <- function(x) {
    torch_log(torch_tensor(seq(event_size(x, -1L), 1), dtype = x$dtype, device = x$device))
  }
  forward <- function(x) {
    share <- inside_unit_interval(torch_sigmoid(x - log_left(x)))
    pad_last(share, 1) * pad_first(torch_cumprod(1 - share, dim = -1L), 1)
  }
  inverse <- function(y) {
    parts <- without_last(y)
    rest <- torch_clamp(1 - torch_cumsum(parts, dim = -1L), min = torch_finfo(y$dtype)$tiny)
    torch_log(parts) - torch_log(rest) + log_left(parts)
  }
  log_det <- function(x, y) {
    x <- x - log_left(x)
    torch_sum(nnf_logsigmoid(x) - x + torch_log(without_last(y)), dim = -1L)
  }
  new_transform(
    "StickBreaking", forward, inverse, log_det, constraint_real_vector, constraint_simplex,
    forward_shape = longer_by(1L), inverse_shape = longer_by(-1L)
  )
}

lower_cholesky <- function(x) torch_tril(x, -1L) + torch_diag_embed(torch_exp(torch_diagonal(x, dim1 = -2L, dim2 = -1L)))
lower_cholesky_inverse <- function(y) {
  torch_tril(y, -1L) + torch_diag_embed(torch_log(torch_diagonal(y, dim1 = -2L, dim2 = -1L)))
}

matrices <- function() constraint_independent(constraint_real, 2)

#' @rdname transform_function
#' @export
transform_lower_cholesky <- function() {
  new_transform(
    "LowerCholesky", lower_cholesky, lower_cholesky_inverse, domain = matrices(), codomain = constraint_lower_cholesky,
    bijective = FALSE
  )
}

#' @rdname transform_function
#' @export
transform_positive_definite <- function() {
  forward <- function(x) {
    factor <- lower_cholesky(x)
    torch_matmul(factor, factor$mT())
  }
  new_transform(
    "PositiveDefinite", forward, function(y) lower_cholesky_inverse(linalg_cholesky(y)), domain = matrices(),
    codomain = constraint_positive_definite, bijective = FALSE
  )
}

# Vectors of the values below the diagonal, row by row, and back.
below_diagonal <- function(n, rows_from = 2L) {
  places <- matrix(seq_len(n * n), n, byrow = TRUE)
  unlist(lapply(seq_len(n), function(i) if (i >= rows_from) places[i, seq_len(i - rows_from + 1L)]))
}
# `pad` columns of zeros are right of them.
lower_from_vector <- function(x, n) {
  index <- rep(1L, n * n)
  index[below_diagonal(n)] <- seq_len(n * (n - 1L) / 2L) + 1L
  picked <- torch_index_select(pad_first(x, 0), -1L, torch_tensor(index, device = x$device))
  picked$unflatten(-1L, c(n, n))
}
vector_from_lower <- function(x, rows_from = 2L) {
  index <- torch_tensor(as.integer(below_diagonal(plain_sizes(x$size(-1L)), rows_from)), device = x$device)
  torch_index_select(torch_flatten(x, start_dim = -2L), -1L, index)
}

#' @rdname transform_function
#' @export
transform_corr_cholesky <- function() {
  size_of <- function(n_values) {
    n_values <- plain_sizes(n_values)
    n <- round((1 + sqrt(1 + 8 * n_values)) / 2)
    if (n * (n - 1) / 2 != n_values) {
      value_error(sprintf("`x` must hold n * (n - 1) / 2 values for some n, not %s.", format(n_values)))
    }
    as.integer(n)
  }
  # The rest that each row has of its length of 1.
  rest_of_rows <- function(y) 1 - torch_cumsum(y * y, dim = -1L)
  forward <- function(x) {
    n <- size_of(x$size(-1L))
    edge <- torch_finfo(x$dtype)$eps
    partial <- lower_from_vector(torch_clamp(torch_tanh(x), -1 + edge, 1 - edge), n)
    rest <- torch_cumprod(torch_sqrt(1 - partial^2), dim = -1L)
    (partial + torch_eye(n, dtype = x$dtype, device = x$device)) * pad_first(without_last(rest), 1)
  }
  inverse <- function(y) {
    rest <- pad_first(without_last(rest_of_rows(y)), 1)
    torch_atanh(vector_from_lower(y) / torch_sqrt(vector_from_lower(rest)))
  }
  log_det <- function(x, y) {
    torch_sum(torch_log(vector_from_lower(rest_of_rows(y), 3L)), dim = -1L) / 2 -
      2 * torch_sum(x + nnf_softplus(-2 * x) - log(2), dim = -1L)
  }
  new_transform(
    "CorrCholesky", forward, inverse, log_det, constraint_real_vector, constraint_corr_cholesky,
    forward_shape = function(shape) {
      n <- size_of(trailing_sizes(shape, 1L))
      c(leading_sizes(shape, 1L), n, n)
    },
    inverse_shape = function(shape) {
      n <- trailing_sizes(shape, 1L)
      c(leading_sizes(shape, 2L), as.integer(n * (n - 1L) / 2L))
    }
  )
}

#' @rdname transform_function
#' @export
transform_cumulative_distribution <- function(distribution) {
  check_distribution(distribution, "distribution")
  new_transform(
    "CumulativeDistribution", function(x) distribution$cdf(x), function(y) distribution$icdf(y),
    function(x, y) distribution$log_prob(x), distribution$support, constraint_unit_interval, sign = 1,
    settings = list(distribution = distribution)
  )
}

#' @rdname transform_function
#' @export
transform_reshape <- function(in_shape, out_shape) {
  in_shape <- as_shape(in_shape, "in_shape")
  out_shape <- as_shape(out_shape, "out_shape")
  if (prod(in_shape) != prod(out_shape)) {
    value_error(sprintf(
      "`in_shape` and `out_shape` must hold as many values, not (%s) and (%s).", toString(in_shape), toString(out_shape)
    ))
  }
  reshaped <- function(from, to) {
    function(shape) {
      if (length(shape) < length(from) || any(trailing_sizes(plain_sizes(shape), length(from)) != from)) {
        value_error(sprintf("The last sizes must be (%s), but the shape is (%s).", toString(from), toString(shape)))
      }
      c(leading_sizes(shape, length(from)), to)
    }
  }
  forward_shape <- reshaped(in_shape, out_shape)
  inverse_shape <- reshaped(out_shape, in_shape)
  new_transform(
    "Reshape", function(x) x$reshape(forward_shape(x$shape)), function(y) y$reshape(inverse_shape(y$shape)),
    function(x, y) torch_zeros(leading_sizes(x$shape, length(in_shape)), dtype = x$dtype, device = x$device),
    constraint_independent(constraint_real, length(in_shape)), constraint_independent(constraint_real, length(out_shape)),
    settings = list(in_shape = in_shape, out_shape = out_shape), forward_shape = forward_shape,
    inverse_shape = inverse_shape
  )
}

with_event_dim <- function(constraint, n) {
  if (n > constraint$event_dim) constraint_independent(constraint, n - constraint$event_dim) else constraint
}

dims_in <- function(transform) transform_parts(transform)$domain$event_dim
dims_out <- function(transform) transform_parts(transform)$codomain$event_dim

# How many dimensions of a draw the composition mixes before its first part.
composed_event_dim <- function(parts) {
  n <- dims_out(parts[[length(parts)]])
  for (part in rev(parts)) n <- max(n + dims_in(part) - dims_out(part), dims_in(part))
  n
}

#' @rdname transform_function
#' @export
transform_compose <- function(parts) {
  parts <- check_transforms(parts, "parts")
  in_turn <- function(functions) function(x) Reduce(function(x, f) f(x), functions, x)
  each <- function(member) lapply(parts, function(part) transform_parts(part)[[member]])
  if (!length(parts)) return(new_transform("Compose", identity, identity, function(x, y) torch_zeros_like(x), sign = 1))
  event_dim <- composed_event_dim(parts)
  log_det <- function(x, y) {
    total <- 0
    n <- event_dim
    for (part in parts) {
      y <- part(x)
      total <- total + sum_last(determinant_function(part)(x, y), n - dims_in(part))
      n <- n + dims_out(part) - dims_in(part)
      x <- y
    }
    total
  }
  last <- transform_parts(parts[[length(parts)]])
  out_dim <- event_dim + sum(vapply(parts, function(part) dims_out(part) - dims_in(part), 0L))
  signs <- lapply(parts, function(part) transform_parts(part)$sign)
  new_transform(
    "Compose", in_turn(each("forward")), in_turn(rev(lapply(parts, inverse_function))), log_det,
    with_event_dim(transform_parts(parts[[1L]])$domain, event_dim), with_event_dim(last$codomain, out_dim),
    all(vapply(parts, function(part) transform_parts(part)$bijective, NA)),
    if (!any(vapply(signs, is.null, NA))) Reduce(`*`, signs), list(parts = parts),
    in_turn(each("forward_shape")), in_turn(rev(each("inverse_shape")))
  )
}

#' @rdname transform_function
#' @export
transform_independent <- function(base_transform, reinterpreted_batch_ndims) {
  parts <- transform_parts(check_transforms(base_transform, "base_transform")[[1L]])
  n <- as.integer(reinterpreted_batch_ndims)
  log_det <- if (!is.null(parts$log_det)) function(x, y) sum_last(parts$log_det(x, y), n)
  new_transform(
    "Independent", parts$forward, parts$inverse, log_det, constraint_independent(parts$domain, n),
    constraint_independent(parts$codomain, n), parts$bijective, parts$sign,
    list(base_transform = base_transform, reinterpreted_batch_ndims = n), parts$forward_shape, parts$inverse_shape
  )
}

# Each part of a tensor by its own transform: `split` and `join` undo each other.
transform_in_parts <- function(name, tseq, split, join, constraint, dim, ..., call = caller_env()) {
  tseq <- check_transforms(tseq, "tseq", call)
  each <- function(member) {
    function(x) join(Map(function(transform, part) transform_parts(transform)[[member]](part), tseq, split(x)))
  }
  log_det <- function(x, y) {
    join(Map(function(transform, x, y) transform$log_abs_det_jacobian(x, y), tseq, split(x), split(y)))
  }
  constraints <- function(member) constraint(lapply(tseq, function(transform) transform_parts(transform)[[member]]))
  new_transform(
    name, each("forward"), each("inverse"), log_det, constraints("domain"), constraints("codomain"),
    all(vapply(tseq, function(transform) transform_parts(transform)$bijective, NA)),
    settings = list(tseq = tseq, dim = dim, ...)
  )
}

#' @rdname transform_function
#' @export
transform_cat <- function(tseq, dim = 1, lengths = rep(1, length(tseq))) {
  transform_in_parts(
    "Cat", tseq, function(x) torch_split(x, lengths, dim), function(parts) torch_cat(parts, dim),
    function(constraints) constraint_cat(constraints, dim, lengths), dim, lengths = lengths
  )
}

#' @rdname transform_function
#' @export
transform_stack <- function(tseq, dim = 1) {
  transform_in_parts(
    "Stack", tseq, function(x) torch_unbind(x, dim), function(parts) torch_stack(parts, dim),
    function(constraints) constraint_stack(constraints, dim), dim
  )
}

# ---- From all real numbers onto a constraint ----

# Class of a constraint -> the transform from real numbers onto it. `onto` is the function that was asked for, which finds
# those of parts.
constraint_transforms <- list(
  torch_Real = function(constraint, onto) transform_identity(),
  torch_GreaterThan = function(constraint, onto) exp_and_shift(constraint$lower_bound, 1),
  torch_GreaterThanEq = function(constraint, onto) exp_and_shift(constraint$lower_bound, 1),
  torch_LessThan = function(constraint, onto) exp_and_shift(constraint$upper_bound, -1),
  torch_Interval = function(constraint, onto) sigmoid_between(constraint$lower_bound, constraint$upper_bound),
  torch_HalfOpenInterval = function(constraint, onto) sigmoid_between(constraint$lower_bound, constraint$upper_bound),
  torch_CorrCholesky = function(constraint, onto) transform_corr_cholesky(),
  torch_LowerCholesky = function(constraint, onto) transform_lower_cholesky(),
  torch_PositiveDefinite = function(constraint, onto) transform_positive_definite(),
  torch_PositiveSemidefinite = function(constraint, onto) transform_positive_definite(),
  torch_Independent = function(constraint, onto) {
    transform_independent(onto(constraint$base_constraint), constraint$reinterpreted_batch_ndims)
  },
  torch_Cat = function(constraint, onto) {
    transform_cat(lapply(constraint$constraints, onto), constraint$dim, constraint$lengths)
  },
  torch_Stack = function(constraint, onto) transform_stack(lapply(constraint$constraints, onto), constraint$dim)
)

exp_and_shift <- function(bound, scale) {
  if (identical(bound, 0) && scale == 1) return(transform_exp())
  transform_compose(list(transform_exp(), transform_affine(bound, scale)))
}

sigmoid_between <- function(lower, upper) {
  if (identical(lower, 0) && identical(upper, 1)) return(transform_sigmoid())
  transform_compose(list(transform_sigmoid(), transform_affine(lower, upper - lower)))
}

#' Transforms onto a constraint
#'
#' Both give a transform from all real numbers onto the values that fulfil a constraint, so that they can be optimised or
#' sampled without bounds. That of `biject_to()` is one to one and has a determinant; that of `transform_to()` need not
#' be, and may be simpler: it takes softmax onto a simplex.
#'
#' @param constraint a [constraint][constraint_real], such as `distribution$support`.
#' @returns A [transform][transform_function].
#' @section Errors:
#' A constraint onto which there is no transform, such as one of whole numbers, is a `not_implemented_error`; for
#' `biject_to()` also those of matrices, whose transforms overlook what is above the diagonal.
#' @source `torch.distributions.constraint_registry`.
#' @examplesIf torch::torch_is_installed()
#' # The scale of a normal distribution, as an unconstrained parameter.
#' free <- torch_tensor(0, requires_grad = TRUE)
#' to_positive <- transform_to(constraint_positive)
#' distr_normal(0, to_positive(free))
#' @export
transform_to <- function(constraint) {
  if (inherits(constraint, "torch_Simplex")) return(transform_softmax())
  transform_onto(constraint, transform_to, one_to_one = FALSE)
}

#' @rdname transform_to
#' @export
biject_to <- function(constraint) {
  if (inherits(constraint, "torch_Simplex")) return(transform_stick_breaking())
  transform_onto(constraint, biject_to, one_to_one = TRUE)
}

transform_onto <- function(constraint, onto, one_to_one, call = caller_env()) {
  if (!is_constraint(constraint)) {
    type_error(sprintf("`constraint` must be a constraint, not %s.", friendly_type(constraint)), call)
  }
  make <- constraint_transforms[[class(constraint)[[1L]]]]
  transform <- if (!is.null(make)) make(constraint, onto)
  if (is.null(transform) || (one_to_one && !transform_parts(transform)$bijective)) {
    not_implemented_error(sprintf(
      "There is no %stransform from the real numbers onto: %s.", if (one_to_one) "one to one " else "",
      constraint_words(constraint)
    ), call)
  }
  transform
}
