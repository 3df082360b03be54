# Constraints: what values a parameter of a distribution, or a draw from it, may have. A constraint says for each event
# whether it holds, how many dimensions an event has, and itself in words.

# `check(value)` gives a tensor of flags without the dimensions of the event. `words` end the sentence "it must be ...".
new_constraint <- function(name, words, check, event_dim = 0L, is_discrete = FALSE, ...) {
  structure(
    list(check = check, event_dim = event_dim, is_discrete = is_discrete, words = words, ...),
    class = c(paste0("torch_", name), "torch_Constraint")
  )
}

is_constraint <- function(x) inherits(x, "torch_Constraint")

# A bound may be a parameter of a distribution: a tensor.
bound_text <- function(bound) {
  if (!is_torch_tensor(bound)) return(format(bound))
  if (bound$numel() > 4) return(sprintf("bounds of shape (%s)", toString(bound$shape)))
  text <- toString(format(signif(as.numeric(bound), 5), trim = TRUE))
  if (bound$numel() == 1) text else sprintf("(%s)", text)
}

flags_of_rows <- function(flags) torch_all(flags, dim = -1L)
is_whole_tensor <- function(x) x %% 1 == 0
# What else is asked of values that are whole numbers.
among_whole <- function(value, flags) if (value$is_floating_point()) is_whole_tensor(value) & flags else flags

#' Constraints
#'
#' What values a parameter of a distribution or a draw from it may have. `constraint$check(value)` gives a tensor of
#' flags, one for each event: for a constraint of vectors (`$event_dim` is 1) the last dimension is gone, for one of
#' matrices (2) the last two. Distributions check their arguments by these; [transform_to()] and [biject_to()] find a
#' transform from all real numbers onto the values that fulfil one.
#'
#' | constraint | values |
#' |---|---|
#' | `constraint_real`, `constraint_real_vector` | numbers, vectors of them; not NaN |
#' | `constraint_positive`, `constraint_nonnegative` | above 0; from 0 on |
#' | `constraint_unit_interval` | from 0 to 1 |
#' | `constraint_boolean` | 0 or 1 |
#' | `constraint_nonnegative_integer`, `constraint_positive_integer` | whole numbers from 0 or 1 on |
#' | `constraint_simplex` | vectors of numbers that are not negative and sum to 1 |
#' | `constraint_one_hot` | vectors of zeros with a single one |
#' | `constraint_lower_triangular`, `constraint_lower_cholesky` | matrices with zeros above the diagonal; with a positive diagonal |
#' | `constraint_corr_cholesky` | those of the latter whose rows have length 1: factors of correlation matrices |
#' | `constraint_square`, `constraint_symmetric` | square matrices; equal to their transpose |
#' | `constraint_positive_semidefinite`, `constraint_positive_definite` | symmetric matrices without negative eigenvalues; with positive ones |
#'
#' The functions give constraints with bounds, and constraints of parts:
#'
#' * `constraint_greater_than()`, `constraint_greater_than_eq()`, `constraint_less_than()`, `constraint_interval()` (both
#'   bounds belong to it), `constraint_half_open_interval()` (the upper one does not), `constraint_integer_interval()`;
#' * `constraint_multinomial(upper_bound)`: vectors of counts with a sum of at most `upper_bound`;
#' * `constraint_independent(base, n)`: `base` must hold in all places of the last `n` dimensions before its own,
#'   which become part of the event;
#' * `constraint_cat()`, `constraint_stack()`: of parts of a tensor along `dim`, each with its own constraint.
#'
#' @param lower_bound,upper_bound numbers or tensors.
#' @param base_constraint a constraint.
#' @param reinterpreted_batch_ndims number of dimensions that become part of the event.
#' @param constraints a list of constraints.
#' @param dim dimension along which the parts follow each other; a negative one counts from the last.
#' @param lengths sizes of the parts along `dim`, 1 each by default.
#' @returns An object of class `torch_Constraint` with `$check(value)`, `$event_dim`, `$is_discrete` and the arguments
#'   as fields.
#' @source Names and meanings are those of `torch.distributions.constraints`.
#' @seealso [distribution()]
#' @examplesIf torch::torch_is_installed()
#' constraint_positive$check(torch_tensor(c(-1, 0, 1)))
#' constraint_simplex$check(torch_tensor(c(0.2, 0.8)))
#' constraint_interval(0, 10)
#' @format NULL
#' @name constraint_real
NULL

#' @rdname constraint_real
#' @format NULL
#' @export
constraint_real <- new_constraint("Real", "a number", function(value) value == value)

#' @rdname constraint_real
#' @format NULL
#' @export
constraint_boolean <- new_constraint(
  "Boolean", "0 or 1", function(value) (value == 0) | (value == 1), is_discrete = TRUE
)

#' @rdname constraint_real
#' @export
constraint_greater_than <- function(lower_bound) {
  words <- function() paste("greater than", bound_text(lower_bound))
  new_constraint("GreaterThan", words, function(value) value > lower_bound, lower_bound = lower_bound)
}

#' @rdname constraint_real
#' @export
constraint_greater_than_eq <- function(lower_bound) {
  words <- function() paste("at least", bound_text(lower_bound))
  new_constraint("GreaterThanEq", words, function(value) value >= lower_bound, lower_bound = lower_bound)
}

#' @rdname constraint_real
#' @export
constraint_less_than <- function(upper_bound) {
  words <- function() paste("less than", bound_text(upper_bound))
  new_constraint("LessThan", words, function(value) value < upper_bound, upper_bound = upper_bound)
}

#' @rdname constraint_real
#' @export
constraint_interval <- function(lower_bound, upper_bound) {
  words <- function() sprintf("from %s to %s", bound_text(lower_bound), bound_text(upper_bound))
  check <- function(value) (value >= lower_bound) & (value <= upper_bound)
  new_constraint("Interval", words, check, lower_bound = lower_bound, upper_bound = upper_bound)
}

#' @rdname constraint_real
#' @export
constraint_half_open_interval <- function(lower_bound, upper_bound) {
  words <- function() sprintf("at least %s and less than %s", bound_text(lower_bound), bound_text(upper_bound))
  check <- function(value) (value >= lower_bound) & (value < upper_bound)
  new_constraint("HalfOpenInterval", words, check, lower_bound = lower_bound, upper_bound = upper_bound)
}

#' @rdname constraint_real
#' @export
constraint_integer_interval <- function(lower_bound, upper_bound) {
  words <- function() sprintf("a whole number from %s to %s", bound_text(lower_bound), bound_text(upper_bound))
  check <- function(value) among_whole(value, (value >= lower_bound) & (value <= upper_bound))
  new_constraint(
    "IntegerInterval", words, check, is_discrete = TRUE, lower_bound = lower_bound, upper_bound = upper_bound
  )
}

integer_from <- function(lower_bound) {
  new_constraint(
    "IntegerGreaterThan", sprintf("a whole number from %s on", lower_bound),
    function(value) among_whole(value, value >= lower_bound), is_discrete = TRUE, lower_bound = lower_bound
  )
}

#' @rdname constraint_real
#' @format NULL
#' @export
constraint_nonnegative_integer <- integer_from(0)
#' @rdname constraint_real
#' @format NULL
#' @export
constraint_positive_integer <- integer_from(1)

renamed <- function(constraint, words) {
  constraint$words <- words
  constraint
}

#' @rdname constraint_real
#' @format NULL
#' @export
constraint_positive <- renamed(constraint_greater_than(0), "positive")
#' @rdname constraint_real
#' @format NULL
#' @export
constraint_nonnegative <- constraint_greater_than_eq(0)
#' @rdname constraint_real
#' @format NULL
#' @export
constraint_unit_interval <- constraint_interval(0, 1)

#' @rdname constraint_real
#' @export
constraint_independent <- function(base_constraint, reinterpreted_batch_ndims) {
  check <- function(value) {
    flags <- base_constraint$check(value)
    if (reinterpreted_batch_ndims == 0) return(flags)
    torch_all(torch_flatten(flags, start_dim = -reinterpreted_batch_ndims), dim = -1L)
  }
  new_constraint(
    "Independent", function() paste("in all places", constraint_words(base_constraint)), check,
    event_dim = base_constraint$event_dim + as.integer(reinterpreted_batch_ndims),
    is_discrete = base_constraint$is_discrete, base_constraint = base_constraint,
    reinterpreted_batch_ndims = reinterpreted_batch_ndims
  )
}

#' @rdname constraint_real
#' @format NULL
#' @export
constraint_real_vector <- renamed(constraint_independent(constraint_real, 1), "a vector of numbers, without NaN")

positive_vector <- renamed(constraint_independent(constraint_positive, 1), "a vector of positive numbers")

# A sum of float32 numbers that should be 1 is off by less than this.
simplex_tolerance <- 1e-6

#' @rdname constraint_real
#' @format NULL
#' @export
constraint_simplex <- new_constraint(
  "Simplex", "a vector of numbers that are not negative and sum to 1",
  function(value) flags_of_rows(value >= 0) & (torch_abs(torch_sum(value, dim = -1L) - 1) < simplex_tolerance),
  event_dim = 1L
)

#' @rdname constraint_real
#' @format NULL
#' @export
constraint_one_hot <- new_constraint(
  "OneHot", "a vector of zeros with a single one",
  function(value) flags_of_rows((value == 0) | (value == 1)) & (torch_sum(value, dim = -1L) == 1),
  event_dim = 1L, is_discrete = TRUE
)

#' @rdname constraint_real
#' @export
constraint_multinomial <- function(upper_bound) {
  words <- function() paste("a vector of counts with a sum of at most", bound_text(upper_bound))
  check <- function(value) {
    flags_of_rows((value >= 0) & is_whole_tensor(value)) & (torch_sum(value, dim = -1L) <= upper_bound)
  }
  new_constraint("Multinomial", words, check, event_dim = 1L, is_discrete = TRUE, upper_bound = upper_bound)
}

flags_of_matrices <- function(flags) torch_all(torch_flatten(flags, start_dim = -2L), dim = -1L)
is_lower_triangular <- function(x) flags_of_matrices(torch_tril(x) == x)
has_positive_diagonal <- function(x) flags_of_rows(torch_diagonal(x, dim1 = -2L, dim2 = -1L) > 0)
is_square <- function(x) {
  torch_full(x$shape[seq_len(x$ndim - 2L)], x$size(-2) == x$size(-1), dtype = torch_bool(), device = x$device)
}

#' @rdname constraint_real
#' @format NULL
#' @export
constraint_lower_triangular <- new_constraint(
  "LowerTriangular", "a matrix with zeros above the diagonal", is_lower_triangular, event_dim = 2L
)

#' @rdname constraint_real
#' @format NULL
#' @export
constraint_lower_cholesky <- new_constraint(
  "LowerCholesky", "a matrix with zeros above the diagonal and positive numbers on it",
  function(value) is_lower_triangular(value) & has_positive_diagonal(value), event_dim = 2L
)

#' @rdname constraint_real
#' @format NULL
#' @export
constraint_corr_cholesky <- new_constraint(
  "CorrCholesky", "the Cholesky factor of a correlation matrix: lower triangular, with rows of length 1",
  function(value) {
    tolerance <- torch_finfo(value$dtype)$eps * value$size(-1) * 10
    length <- linalg_norm(value$detach(), dim = -1L)
    flags_of_rows(torch_abs(length - 1) < tolerance) & is_lower_triangular(value) & has_positive_diagonal(value)
  },
  event_dim = 2L
)

#' @rdname constraint_real
#' @format NULL
#' @export
constraint_square <- new_constraint("Square", "a square matrix", is_square, event_dim = 2L)

# A matrix that is not square has no transpose to compare with.
of_symmetric <- function(check) {
  function(value) {
    if (value$size(-2) != value$size(-1)) return(is_square(value))
    symmetric <- flags_of_matrices(torch_isclose(value, value$mT(), atol = 1e-6))
    if (as.logical(torch_all(symmetric))) check(value) else symmetric
  }
}

#' @rdname constraint_real
#' @format NULL
#' @export
constraint_symmetric <- new_constraint("Symmetric", "a symmetric matrix", event_dim = 2L, check = of_symmetric(
  function(value) torch_ones(value$shape[seq_len(value$ndim - 2L)], dtype = torch_bool(), device = value$device)
))

#' @rdname constraint_real
#' @format NULL
#' @export
constraint_positive_semidefinite <- new_constraint(
  "PositiveSemidefinite", "a symmetric matrix without negative eigenvalues",
  of_symmetric(function(value) flags_of_rows(linalg_eigvalsh(value) >= 0)), event_dim = 2L
)

#' @rdname constraint_real
#' @format NULL
#' @export
constraint_positive_definite <- new_constraint(
  "PositiveDefinite", "a symmetric matrix with positive eigenvalues",
  of_symmetric(function(value) linalg_cholesky_ex(value)[[2]] == 0), event_dim = 2L
)

#' @rdname constraint_real
#' @export
constraint_cat <- function(constraints, dim = 1, lengths = rep(1, length(constraints))) {
  check <- function(value) {
    parts <- torch_split(value, lengths, dim)
    torch_cat(Map(function(constraint, part) constraint$check(part), constraints, parts), dim)
  }
  of_parts("Cat", constraints, dim, check, lengths = lengths)
}

#' @rdname constraint_real
#' @export
constraint_stack <- function(constraints, dim = 1) {
  check <- function(value) {
    parts <- torch_unbind(value, dim)
    torch_stack(Map(function(constraint, part) constraint$check(part), constraints, parts), dim)
  }
  of_parts("Stack", constraints, dim, check)
}

of_parts <- function(name, constraints, dim, check, ..., call = caller_env()) {
  if (!is.list(constraints) || !length(constraints) || !all(vapply(constraints, is_constraint, NA))) {
    type_error(sprintf("`constraints` must be a list of constraints, not %s.", friendly_type(constraints)), call)
  }
  new_constraint(
    name, function() paste("in its parts:", paste(vapply(constraints, constraint_words, ""), collapse = "; ")), check,
    event_dim = max(vapply(constraints, function(x) x$event_dim, 0L)),
    is_discrete = any(vapply(constraints, function(x) x$is_discrete, NA)), constraints = constraints, dim = dim, ...
  )
}

constraint_words <- function(constraint) {
  words <- constraint$words
  if (is.function(words)) words() else words
}

#' @export
format.torch_Constraint <- function(x, ...) sprintf("<%s> %s", class(x)[[1L]], constraint_words(x))

#' @export
print.torch_Constraint <- function(x, ...) {
  cat(format(x), "\n", sep = "")
  invisible(x)
}
