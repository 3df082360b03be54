# Parametrisations: tensors of modules that are computed of others by modules.

#' @include nn-parametrize.R nn-containers.R nn-layers.R
NULL

#' Parametrisations
#'
#' A parametrisation is a module that computes a tensor of another module: a weight that is symmetric, positive, of a given
#' norm. `nn_utils_parametrize_register_parametrization()` puts one before a parameter or buffer. What trains is then the
#' tensor that it is computed of, `module$parametrizations$<name>$original`.
#'
#' The parametrisation's `forward` gets the original and gives the tensor. It may have a method `right_inverse(value)`, which
#' gives an original for a value: then the module begins with the value that it had, and `module$weight <- value` is possible.
#' If that gives a list, its elements are `original0`, `original1` and so on, and `forward` gets them all. Several ones apply one
#' after the other.
#'
#' State dicts have the names that they have in PyTorch: `parametrizations.weight.original`,
#' `parametrizations.weight.0.<what the first one holds>`.
#'
#' @param module a module.
#' @param tensor_name name of a parameter or buffer that it holds itself; of `nn_utils_parametrize_is_parametrized()` `NULL`: of
#'   any.
#' @param parametrization a module.
#' @param unsafe whether shape and dtype of the tensor may become others.
#' @param leave_parametrized whether the tensor keeps the value that is computed, or gets back the original.
#' @param code what to evaluate; in it each tensor is computed once, when it is first asked for.
#' @param from_module,to_module modules: the second one gets the parametrisations of the first, and its originals.
#' @returns The module, invisibly; `nn_utils_parametrize_is_parametrized()` a flag, `nn_utils_parametrize_cached()` the value of
#'   `code`.
#' @section Errors:
#' A parametrisation that changes shape or dtype, and one without `right_inverse` where a value is assigned, are
#' `value_error`s; the module stays as it was.
#' @source PyTorch's `torch.nn.utils.parametrize`.
#' @seealso [nn_utils_parametrizations_weight_norm()] for ready ones, [nn_utils_prune_identity()]
#' @examplesIf torch::torch_is_installed()
#' symmetric <- nn_module("symmetric", forward = function(x) x$triu() + x$triu(1)$t())
#' layer <- nn_linear(3, 3)
#' nn_utils_parametrize_register_parametrization(layer, "weight", symmetric())
#' layer$weight
#' names(layer$parameters)
#' @name nn_utils_parametrize
NULL

# Holds the originals of one tensor and, as children "0", "1" and so on, what computes it.
parametrization_list <- nn_module(
  "parametrization_list",
  initialize = function(parametrization, tensor) {
    original <- tryCatch(
      with_no_grad(if (is.null(parametrization$right_inverse)) tensor else parametrization$right_inverse(tensor$detach()$clone())),
      not_implemented_error = function(e) tensor
    )
    if (is_torch_tensor(original)) {
      # The same tensor, so that optimisers that know it go on.
      self$original <- if (identical(original, tensor)) tensor else with_value_of(tensor, original)
    } else {
      for (i in seq_along(original)) {
        module_assign(self, paste0("original", i - 1L), mark_like(original[[i]]$detach()$clone(), tensor))
      }
    }
    self$add_module("0", parametrization)
  },
  forward = function() {
    steps <- self$children
    value <- inject(steps[[1L]](!!!unname(originals_of(self))))
    for (step in steps[-1L]) value <- step(value)
    value
  },
  assign_value = function(value) {
    for (step in rev(self$children)) {
      if (is.null(step$right_inverse)) {
        value_error(sprintf("The tensor can't be assigned: its parametrisation %s has no method `right_inverse`.", module_label(step)), NULL)
      }
      value <- with_no_grad(step$right_inverse(value))
    }
    originals <- originals_of(self)
    values <- if (is_torch_tensor(value)) list(value) else value
    for (i in seq_along(originals)) {
      check_loaded_shape(originals[[i]], values[[i]], "value", NULL)
      with_no_grad(originals[[i]]$copy_(values[[i]]))
    }
  }
)

# `forward` of such a list for a program, which has no lists of arguments.
script_parametrization <- function(self) {
  originals <- lapply(names(originals_of(self)), function(name) expr(self[[!!name]]))
  value <- Reduce(function(inputs, name) list(as.call(c(call("$", quote(self), as.name(name)), inputs))), names(self$children), originals)
  new_function(NULL, value[[1L]], topenv())
}

originals_of <- function(self) own_tensors(self)

#' @rdname nn_utils_parametrize
#' @export
nn_utils_parametrize_register_parametrization <- function(module, tensor_name, parametrization, unsafe = FALSE) {
  if (!is_nn_module(parametrization)) type_error(sprintf("`parametrization` must be a module, not %s.", friendly_type(parametrization)))
  if (nn_utils_parametrize_is_parametrized(module, tensor_name)) {
    tensor <- module[[tensor_name]]
    if (!unsafe) check_parametrized(with_no_grad(parametrization(tensor)), tensor, parametrization)
    steps <- module$parametrizations[[tensor_name]]
    steps$add_module(length(steps$children), parametrization)
    parametrization$train(module$training)
    return(invisible(module))
  }
  tensor <- own_tensor(module, tensor_name)
  parametrization$train(module$training)
  before <- tensor$detach()$clone()
  steps <- parametrization_list(parametrization, tensor)
  if (!unsafe) {
    withCallingHandlers(
      check_parametrized(with_no_grad(steps()), before, parametrization), error = function(e) with_value_of(tensor, before)
    )
  }
  if (is.null(module$parametrizations)) module$add_module("parametrizations", nn_module_dict(list()))
  module$parametrizations$add_module(tensor_name, steps)
  compute_member(
    module, tensor_name, NULL, function(self) parametrized_value(self$parametrizations[[tensor_name]]),
    function(self, value) self$parametrizations[[tensor_name]]$assign_value(value), "parametrization",
    code = as.call(list(call("$", quote(self$parametrizations), as.name(tensor_name))))
  )
}

check_parametrized <- function(value, tensor, parametrization, call = caller_env()) {
  if (!is_torch_tensor(value)) type_error(sprintf("`parametrization` must give a tensor, not %s.", friendly_type(value)), call)
  describe <- function(x) sprintf("%s of shape (%s)", as.character(x$dtype), toString(.Call(C_shape, x)))
  if (describe(value) == describe(tensor)) return()
  value_error(sprintf(
    "`parametrization` must keep shape and dtype, or `unsafe` be TRUE: %s makes %s of %s.", module_label(parametrization),
    describe(value), describe(tensor)
  ), call)
}

# While `nn_utils_parametrize_cached()` runs, values are kept by the module that computes them.
parametrized_value <- function(steps) {
  if (is.null(the$parametrized)) return(steps())
  key <- obj_address(module_identity(steps))
  if (is.null(the$parametrized[[key]])) the$parametrized[[key]] <- steps()
  the$parametrized[[key]]
}

#' @rdname nn_utils_parametrize
#' @export
nn_utils_parametrize_remove_parametrizations <- function(module, tensor_name, leave_parametrized = TRUE) {
  if (!nn_utils_parametrize_is_parametrized(module, tensor_name)) {
    value_error(sprintf("`tensor_name` must name a tensor with a parametrisation, not %s.", friendly_type(tensor_name)))
  }
  originals <- originals_of(attr(module$parametrizations[[tensor_name]], "module", exact = TRUE))
  if (length(originals) == 1L) {
    tensor <- if (leave_parametrized) with_value_of(originals[[1L]], with_no_grad(module[[tensor_name]])) else originals[[1L]]
  } else if (leave_parametrized) {
    tensor <- mark_like(with_no_grad(module[[tensor_name]])$clone(), originals[[1L]])
  } else {
    value_error("`leave_parametrized` must be TRUE: the tensor is computed of several ones.")
  }
  forget_member(module$parametrizations, tensor_name)
  if (!length(module$parametrizations$children)) forget_member(module, "parametrizations")
  keep_computed_member(module, tensor_name, character(), tensor)
}

forget_member <- function(module, name) {
  self <- attr(module, "module", exact = TRUE)
  private <- self$.__enclos_env__$private
  rm(list = name, envir = self)
  private$.registered <- setdiff(private$.registered, name)
}

#' @rdname nn_utils_parametrize
#' @export
nn_utils_parametrize_is_parametrized <- function(module, tensor_name = NULL) {
  if (!is_nn_module(module)) type_error(sprintf("`module` must be a module, not %s.", friendly_type(module)))
  if (!is.null(tensor_name) && !is_string(tensor_name)) {
    value_error(sprintf("`tensor_name` must be a string, not %s.", friendly_type(tensor_name)))
  }
  by <- if (!inherits(module, "script_module")) computed_by(module)
  "parametrization" %in% if (is.null(tensor_name)) by else by[tensor_name]
}

#' @rdname nn_utils_parametrize
#' @export
nn_utils_parametrize_cached <- function(code) {
  before <- the$parametrized
  on.exit(the$parametrized <- before)
  if (is.null(before)) the$parametrized <- new_environment()
  code
}

#' @rdname nn_utils_parametrize
#' @export
nn_utils_parametrize_transfer_parametrizations_and_params <- function(from_module, to_module, tensor_name = NULL) {
  names <- tensor_name %||% names(Filter(function(by) identical(by, "parametrization"), computed_by(from_module)))
  for (name in names) {
    if (!nn_utils_parametrize_is_parametrized(from_module, name)) {
      value_error(sprintf("`tensor_name` must name a tensor of `from_module` with a parametrisation, not %s.", friendly_type(name)))
    }
    steps <- from_module$parametrizations[[name]]
    if (!nn_utils_parametrize_is_parametrized(to_module, name)) {
      if (is.null(to_module[[name]])) to_module$register_parameter(name, with_no_grad(from_module[[name]])$clone())
      for (step in steps$children) nn_utils_parametrize_register_parametrization(to_module, name, clone_module(step, deep = TRUE), TRUE)
    }
    to <- originals_of(attr(to_module$parametrizations[[name]], "module", exact = TRUE))
    with_no_grad(Map(function(to, from) to$copy_(from), to, originals_of(attr(steps, "module", exact = TRUE))))
  }
  invisible(to_module)
}

# ---- ready ones ---------------------------------------------------------------------------------------------------------

#' Parametrisations of weights
#'
#' * `nn_utils_parametrizations_weight_norm()`: \eqn{w = g \, v / \|v\|}, of a length \eqn{g} for each slice along `dim` and a
#'   direction \eqn{v}, both of which train.
#' * `nn_utils_parametrizations_spectral_norm()`: the weight, as a matrix, divided by its largest singular value. That is
#'   estimated by `n_power_iterations` steps of the power method at each access in training mode, which go on from the last
#'   estimate.
#' * `nn_utils_parametrizations_orthogonal()`: a weight whose rows or columns, the fewer of both, are orthonormal.
#' * `nn_utils_spectral_norm()`: the same norm with the names that it has in older state dicts: `weight_orig`, `weight_u`,
#'   `weight_v`. The estimate goes on once a call of the module. `nn_utils_remove_spectral_norm()` and
#'   `nn_utils_remove_weight_norm()` (of [nn_utils_weight_norm]) make the weight one parameter again.
#'
#' @param module a module, which is changed.
#' @param name name of the weight.
#' @param dim dimension, from 1: for the norm of weights that along which there is a length for each slice, `NULL` for one length of
#'   the whole; for the spectral norm that which becomes the rows of the matrix, by default 2 for transposed convolutions, else 1.
#' @param n_power_iterations steps of the power method.
#' @param eps keeps norms from being zero.
#' @param orthogonal_map how an orthogonal matrix is made: `"matrix_exp"` of a skew-symmetric one, `"cayley"`, or
#'   `"householder"`. By default `"matrix_exp"` for square and complex weights, else `"householder"`.
#' @param use_trivialization whether the matrix is a product with a fixed one, so that any orthogonal weight can be assigned.
#' @returns The module, invisibly.
#' @section Errors:
#' Weights without the dimensions for it, and an `orthogonal_map` that is none of these, are `value_error`s.
#' @source Salimans and Kingma (2016), Weight normalization; Miyato and others (2018), Spectral normalization for generative
#'   adversarial networks; Lezcano-Casado (2019), Trivializations for gradient-based optimization on manifolds.
#' @seealso [nn_utils_parametrize_register_parametrization()]
#' @examplesIf torch::torch_is_installed()
#' layer <- nn_utils_parametrizations_orthogonal(nn_linear(3, 2))
#' layer$weight$mm(layer$weight$t())
#' names(nn_utils_parametrizations_weight_norm(nn_linear(3, 2))$state_dict())
#' @export
nn_utils_parametrizations_weight_norm <- function(module, name = "weight", dim = 1) {
  check_norm_dim(own_tensor(module, name), dim)
  nn_utils_parametrize_register_parametrization(module, name, weight_norm_parametrization(dim), unsafe = TRUE)
}

weight_norm_parametrization <- nn_module(
  "weight_norm",
  initialize = function(dim) keep_settings(checks = list(dim = optional(a_dimension))),
  forward = function(g, v) normed_weight(g, v, self$dim),
  right_inverse = function(weight) list(norm_but_dim(weight, self$dim), weight)
)

#' @rdname nn_utils_parametrizations_weight_norm
#' @export
nn_utils_parametrizations_spectral_norm <- function(module, name = "weight", n_power_iterations = 1, eps = 1e-12, dim = NULL) {
  weight <- parametrized_or_own(module, name)
  check_size(n_power_iterations, "n_power_iterations")
  dim <- matrix_dim(module, weight, dim)
  step <- spectral_norm_parametrization(n_power_iterations, eps, dim, weight$detach())
  nn_utils_parametrize_register_parametrization(module, name, step)
}

parametrized_or_own <- function(module, name, call = caller_env()) {
  if (is_nn_module(module) && nn_utils_parametrize_is_parametrized(module, name)) module[[name]] else own_tensor(module, name, call)
}

matrix_dim <- function(module, weight, dim, call = caller_env()) {
  n <- length(.Call(C_shape, weight))
  dim <- dim %||% if (isTRUE(module$transposed)) 2L else 1L
  if (!is_whole_number(dim) || dim == 0 || abs(dim) > max(n, 1L)) {
    value_error(sprintf("`dim` must be a dimension of the weight, from 1 to %d, not %s.", n, friendly_type(dim)), call)
  }
  if (dim < 0) n + 1L + dim else dim
}

spectral_norm_parametrization <- nn_module(
  "spectral_norm",
  initialize = function(n_power_iterations, eps, dim, weight) {
    keep_settings("weight")
    if (length(.Call(C_shape, weight)) < 2L) return()
    with_no_grad({
      matrix <- matrix_along(weight, dim)
      self$`_u` <- nn_buffer(unit_vector(torch_empty_like(matrix[, 1])$normal_(0, 1), eps))
      self$`_v` <- nn_buffer(unit_vector(torch_empty_like(matrix[1, ])$normal_(0, 1), eps))
      power_method(matrix, self$`_u`, self$`_v`, eps, 15L)
    })
  },
  forward = function(weight) {
    if (length(.Call(C_shape, weight)) < 2L) return(unit_vector(weight, self$eps))
    matrix <- matrix_along(weight, self$dim)
    if (self$training) with_no_grad(power_method(matrix, self$`_u`, self$`_v`, self$eps, self$n_power_iterations))
    weight_by_vectors(weight, self$`_u`, self$`_v`, self$dim)
  },
  right_inverse = function(value) value
)

unit_vector <- function(x, eps) nnf_normalize(x, dim = 1, eps = eps)

matrix_along <- function(weight, dim) {
  if (dim != 1) weight <- weight$permute(c(dim, dims_but(weight, dim)))
  weight$flatten(start_dim = 2)
}

# Copies, since the next estimate is written into these and gradients of this one may still be wanted.
weight_by_vectors <- function(weight, u, v, dim) weight / torch_vdot(u$clone(), torch_mv(matrix_along(weight, dim), v$clone()))

# Better estimates of the first singular vectors, written into `u` and `v`.
power_method <- function(matrix, u, v, eps, n, from_v = TRUE) {
  left <- function() u$copy_(unit_vector(torch_mv(matrix, v), eps))
  right <- function() v$copy_(unit_vector(torch_mv(matrix$t()$conj(), u), eps))
  for (i in seq_len(n)) {
    if (from_v) left()
    right()
    if (!from_v) left()
  }
}

#' @rdname nn_utils_parametrizations_weight_norm
#' @export
nn_utils_spectral_norm <- function(module, name = "weight", n_power_iterations = 1, eps = 1e-12, dim = NULL) {
  weight <- own_tensor(module, name)
  check_size(n_power_iterations, "n_power_iterations")
  dim <- matrix_dim(module, weight, dim)
  names <- paste0(name, c("_orig", "_u", "_v"))
  matrix <- matrix_along(weight$detach(), dim)
  start <- function(like) nn_buffer(unit_vector(torch_empty_like(like)$normal_(0, 1), eps))
  handle <- module$register_forward_pre_hook(function(module, inputs) {
    if (module$training) {
      matrix <- matrix_along(module[[names[1]]]$detach(), dim)
      with_no_grad(power_method(matrix, module[[names[2]]], module[[names[3]]], eps, n_power_iterations, from_v = FALSE))
    }
    NULL
  })
  compute_member(
    module, name, set_names(list(weight, start(matrix[, 1]), start(matrix[1, ])), names),
    new_function(alist(self = ), expr(weight_by_vectors(self[[!!names[1]]], self[[!!names[2]]], self[[!!names[3]]], !!dim)), topenv()),
    by = structure(list(hook = handle$id), class = "spectral_norm")
  )
}

#' @rdname nn_utils_parametrizations_weight_norm
#' @export
nn_utils_remove_spectral_norm <- function(module, name = "weight") {
  by <- if (is_nn_module(module)) computed_by(module)[[name]]
  if (!inherits(by, "spectral_norm")) value_error(sprintf("`module` must be a module whose `%s` has a spectral norm.", name))
  self <- attr(module, "module", exact = TRUE)
  names <- paste0(name, c("_orig", "_u", "_v"))
  remove_hook(self, "forward_pre", by$hook)
  keep_computed_member(module, name, names, with_value_of(module[[names[1]]], with_no_grad(module[[name]])))
}

#' @rdname nn_utils_parametrizations_weight_norm
#' @export
nn_utils_remove_weight_norm <- function(module, name = "weight") nn_utils_weight_norm$new(name)$remove(module)

#' @rdname nn_utils_parametrizations_weight_norm
#' @export
nn_utils_parametrizations_orthogonal <- function(module, name = "weight", orthogonal_map = NULL, use_trivialization = TRUE) {
  weight <- parametrized_or_own(module, name)
  shape <- .Call(C_shape, weight)
  if (length(shape) < 2L) value_error(sprintf("`%s` must be a matrix or a batch of matrices, not a tensor of %s.", name, count_of(length(shape), "dimension")))
  plain <- shape[length(shape)] == shape[length(shape) - 1L] || weight$is_complex()
  orthogonal_map <- check_choice(orthogonal_map %||% if (plain) "matrix_exp" else "householder", orthogonal_map_names, "orthogonal_map")
  if (orthogonal_map == "householder" && weight$is_complex()) value_error("`orthogonal_map` can't be \"householder\" for a complex weight.")
  step <- orthogonal_parametrization(orthogonal_map, use_trivialization)
  nn_utils_parametrize_register_parametrization(module, name, step, unsafe = TRUE)
}

# Of a matrix of n rows and not more columns: an orthogonal one of n rows.
orthogonal_map_names <- c("matrix_exp", "cayley", "householder")
orthogonal_matrix <- function(map, x) {
  if (map == "matrix_exp") return(torch_matrix_exp(skew(x)))
  if (map == "cayley") {
    a <- skew(x)
    id <- torch_eye(a$size(-1), dtype = a$dtype, device = a$device)
    return(linalg_solve(id - a / 2, id + a / 2))
  }
  a <- x$tril(-1)
  tau <- 2 / (1 + (a * a)$sum(dim = -2))
  # The diagonal holds signs.
  linalg_householder_product(a, tau) * x$diagonal(dim1 = -2, dim2 = -1)$to(dtype = torch_int())$unsqueeze(-2)
}

skew <- function(x) {
  x <- x$tril()
  shape <- tail_of(.Call(C_shape, x))
  if (shape[2] < shape[1]) x <- nnf_pad(x, c(0, shape[1] - shape[2]))
  x - x$transpose(-2, -1)$conj()
}

orthogonal_parametrization <- nn_module(
  "orthogonal",
  initialize = function(orthogonal_map, use_trivialization) keep_settings(),
  forward = function(x) {
    wide <- is_wide(x)
    q <- orthogonal_matrix(self$orthogonal_map, if (wide) x$transpose(-2, -1) else x)
    k <- min(tail_of(.Call(C_shape, x)))
    q <- q$narrow(-1, 1, k)
    if (!is.null(self$base)) q <- torch_matmul(self$base, q)
    if (wide) q$transpose(-2, -1) else q
  },
  right_inverse = function(value) {
    wide <- is_wide(value)
    q <- if (wide) value$transpose(-2, -1) else value
    if (!self$use_trivialization) {
      if (self$orthogonal_map != "householder") {
        not_implemented_error("A value can't be assigned: that needs `orthogonal_map = \"householder\"` or `use_trivialization = TRUE`.", NULL)
      }
      parts <- torch_geqrf(q)
      diagonal <- parts[[1]]$diagonal(dim1 = -2, dim2 = -1)
      diagonal$sign_()
      diagonal$mul_(torch_where(parts[[2]] == 0, -1, 1))
      return(if (wide) parts[[1]]$transpose(-2, -1) else parts[[1]])
    }
    shape <- .Call(C_shape, q)
    more <- -diff(tail_of(shape))
    if (more > 0) q <- torch_cat(list(q, torch_randn(replace(shape, length(shape), more), dtype = q$dtype, device = q$device)), dim = -1)
    self$base <- nn_buffer(if (more > 0 || !is_orthogonal(q)) make_orthogonal(q) else q$clone())
    # What the maps make the identity of.
    start <- torch_zeros_like(value)
    start$diagonal(dim1 = -2, dim2 = -1)$fill_(-1)
    start
  }
)

tail_of <- function(shape) shape[length(shape) - 1:0]
is_wide <- function(x) {
  shape <- tail_of(.Call(C_shape, x))
  shape[2] > shape[1]
}

is_orthogonal <- function(q) {
  k <- .Call(C_shape, q)
  k <- k[length(k)]
  eps <- 10 * k * torch_finfo(q$dtype)$eps
  id <- torch_eye(k, dtype = q$dtype, device = q$device)
  as.logical(torch_allclose(torch_matmul(q$transpose(-2, -1)$conj(), q), id, atol = eps))
}

make_orthogonal <- function(a) {
  parts <- torch_geqrf(a)
  linalg_householder_product(parts[[1]], parts[[2]]) * parts[[1]]$diagonal(dim1 = -2, dim2 = -1)$sgn()$unsqueeze(-2)
}
