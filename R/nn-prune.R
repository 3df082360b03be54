# Pruning: weights multiplied by masks of zeros and ones.

#' @include nn-parametrize.R
NULL

#' Pruning
#'
#' Pruning sets a part of a weight to zero and keeps it there. The parameter becomes `<name>_orig`, the zeros and ones
#' are the buffer `<name>_mask`, and `module$<name>` is the product of both. A weight can be pruned again: `amount` is
#' then a share of what is left.
#'
#' * `nn_utils_prune_identity()` prunes nothing, `nn_utils_prune_custom_from_mask()` what a mask says.
#' * `nn_utils_prune_random_unstructured()` takes any elements, `nn_utils_prune_l1_unstructured()` those of the least absolute value.
#' * `nn_utils_prune_random_structured()` takes any slices along `dim`, `nn_utils_prune_ln_structured()` those of the least norm.
#' * `nn_utils_prune_global_unstructured()` treats several parameters as one.
#' * `nn_utils_prune_remove()` makes the product the parameter, `nn_utils_prune_is_pruned()` tells whether a module or one in it is
#'   pruned.
#'
#' @section Methods of your own:
#' A method is an R6 class that inherits from `nn_utils_prune_base_pruning_method`. It has `compute_mask(t, default_mask)`, which
#' gives a mask for the scores `t`, and the field `pruning_type`: `"unstructured"`, where `t` is a vector of what is not pruned yet,
#' `"structured"`, where it lacks the slices along the field `dim` that are pruned, or `"global"`, where it is the whole.
#' `method$apply(module, name, importance_scores = NULL)` prunes. `method$prune(t, default_mask = NULL, importance_scores = NULL)`
#' prunes a tensor. Several methods that were applied to one weight are in a `nn_utils_prune_pruning_container`.
#'
#' @param module a module that holds the parameter itself.
#' @param name its name.
#' @param amount how much is pruned: a number from 0 to 1 a fraction, an integer (`3L`) or a whole number above 1 how many.
#' @param importance_scores a tensor of the parameter's shape that takes the place of its values; for several parameters a list of
#'   such tensors, or of `NULL`.
#' @param dim dimension, from 1.
#' @param n the norm, as `p` of [torch_norm()].
#' @param mask a tensor of the parameter's shape.
#' @param parameters a list of `list(module, name)`.
#' @param pruning_method a function of this page, such as `nn_utils_prune_l1_unstructured`, or a class of your own.
#' @param ... arguments of the method, such as `amount`.
#' @returns The module, invisibly; `nn_utils_prune_global_unstructured()` nothing, `nn_utils_prune_is_pruned()` a flag.
#' @section Errors:
#' An `amount` out of range and a `dim` that the tensor does not have are `value_error`s.
#' @source PyTorch's `torch.nn.utils.prune`.
#' @examplesIf torch::torch_is_installed()
#' layer <- nn_linear(4, 2)
#' nn_utils_prune_l1_unstructured(layer, "weight", amount = 0.5)
#' layer$weight
#' names(layer$state_dict())
#' @name nn_utils_prune
NULL

#' @rdname nn_utils_prune
#' @export
nn_utils_prune_base_pruning_method <- R6::R6Class(
  "nn_utils_prune_base_pruning_method",
  public = list(
    pruning_type = "unstructured",
    compute_mask = function(t, default_mask) not_implemented_error("A pruning method must have a method `compute_mask(t, default_mask)`."),
    apply_mask = function(module, name) module[[paste0(name, "_mask")]]$to(dtype = module[[paste0(name, "_orig")]]$dtype) * module[[paste0(name, "_orig")]],
    apply = function(module, name, importance_scores = NULL) prune_member(self, module, name, importance_scores),
    prune = function(t, default_mask = NULL, importance_scores = NULL) {
      check_scores(importance_scores, t)
      t * self$compute_mask(importance_scores %||% t, default_mask %||% torch_ones_like(t))
    },
    remove = function(module, name) nn_utils_prune_remove(module, name)
  )
)

#' @rdname nn_utils_prune
#' @export
nn_utils_prune_pruning_container <- R6::R6Class(
  "nn_utils_prune_pruning_container",
  inherit = nn_utils_prune_base_pruning_method,
  public = list(
    methods = list(),
    initialize = function(...) for (method in list(...)) self$add_pruning_method(method),
    add_pruning_method = function(method) {
      if (!inherits(method, "nn_utils_prune_base_pruning_method")) {
        type_error(sprintf("`method` must be a pruning method, not %s.", friendly_type(method)))
      }
      self$methods <- c(self$methods, method)
      invisible(self)
    },
    # The last method prunes what the methods before it left.
    compute_mask = function(t, default_mask) {
      method <- self$methods[[length(self$methods)]]
      mask <- default_mask$to(dtype = t$dtype)
      if (method$pruning_type == "global") return(method$compute_mask(t, mask))
      left <- if (method$pruning_type == "structured") {
        dim <- structured_dim(t, method$dim)
        others <- setdiff(seq_along(dim(t)), dim)
        kept <- mask$sum(dim = others) != 0
        kept$reshape(replace(rep(1L, length(others) + 1L), dim, -1L))$expand_as(t)
      } else {
        mask == 1
      }
      shape <- if (method$pruning_type == "structured") replace(dim(t), dim, as.integer(kept$sum())) else -1L
      pick <- function(x) torch_masked_select(x, left)$reshape(shape)
      mask$masked_scatter(left, method$compute_mask(pick(t), pick(mask)))
    },
    print = function(...) {
      cat("<pruning_container> of", count_of(length(self$methods), "method"), "\n")
      invisible(self)
    }
  )
)

#' @export
length.nn_utils_prune_pruning_container <- function(x) length(x$methods)

prune_member <- function(method, module, name, importance_scores, call = caller_env()) {
  by <- if (is_nn_module(module)) computed_by(module)[[name]]
  again <- inherits(by, "nn_utils_prune_base_pruning_method")
  parts <- paste0(name, c("_orig", "_mask"))
  weight <- if (again) module[[name]] else own_tensor(module, name, call)
  check_scores(importance_scores, weight, call)
  default <- if (again) module[[parts[2]]]$detach()$clone() else torch_ones_like(weight)
  if (again) {
    known <- if (inherits(by, "nn_utils_prune_pruning_container")) by$methods else list(by)
    method <- inject(nn_utils_prune_pruning_container$new(!!!known, method))
  }
  mask <- with_no_grad(method$compute_mask(importance_scores %||% weight, default))
  if (!is_torch_tensor(mask) || !identical(.Call(C_shape, mask), .Call(C_shape, weight))) {
    value_error(sprintf("`compute_mask()` must give a tensor of the shape (%s) of `%s`.", toString(.Call(C_shape, weight)), name), call)
  }
  get <- function(self) method$apply_mask(self, name)
  if (again) {
    module[[parts[2]]] <- nn_buffer(mask)
    self <- attr(module, "module", exact = TRUE)
    self$.__enclos_env__$private$.computed[[name]] <- list(get = get, by = method)
    bind_computed(self)
    return(invisible(module))
  }
  compute_member(module, name, set_names(list(weight, nn_buffer(mask)), parts), get, by = method)
}

check_scores <- function(scores, t, call = caller_env(), arg = "importance_scores") {
  if (is.null(scores)) return()
  check_tensor(scores, arg, call)
  if (!identical(.Call(C_shape, scores), .Call(C_shape, t))) {
    value_error(sprintf("`%s` must have the shape (%s) of the parameter.", arg, toString(.Call(C_shape, t))), call)
  }
}

# ---- methods ------------------------------------------------------------------------------------------------------------

# A pruning method. The arguments of `compute(self, t, mask)` behind these three become its fields.
pruning_method <- function(name, type, compute, check = NULL) {
  settings <- formals(compute)[-(1:3)]
  keep <- lapply(names(settings), function(name) call("<-", call("$", quote(self), as.name(name)), as.name(name)))
  checks <- if ("amount" %in% names(settings)) list(quote(check_amount(amount)))
  R6::R6Class(
    paste0("nn_utils_prune_", name),
    inherit = nn_utils_prune_base_pruning_method, lock_objects = FALSE,
    public = list(
      pruning_type = type,
      initialize = new_function(settings, as.call(c(quote(`{`), checks, keep))),
      compute_mask = new_function(
        alist(t = , default_mask = ),
        as.call(c(compute, quote(self), quote(t), quote(default_mask), lapply(names(settings), function(name) call("$", quote(self), as.name(name)))))
      )
    )
  )
}

check_amount <- function(amount, call = caller_env()) {
  if (is_number(amount) && amount >= 0 && (amount <= 1 || is_whole_number(amount))) return()
  value_error(sprintf("`amount` must be a fraction from 0 to 1 or a count, not %s.", friendly_type(amount)), call)
}

# How many of `size` elements are pruned.
pruned_of <- function(amount, size, call = caller_env()) {
  n <- if (is.integer(amount) || amount > 1) amount else round(amount * size)
  if (n > size) value_error(sprintf("`amount` must be at most %s, which is all there is, not %s.", format_count(size), format_count(n)), call)
  n
}

without_largest <- function(mask, scores, n, largest) {
  mask <- mask$clone()
  if (n > 0) mask$view(-1)$index_fill_(1, torch_topk(scores$reshape(-1), n, largest = largest)[[2]], 0)
  mask
}

structured_dim <- function(t, dim, call = caller_env()) {
  n <- length(dim(t))
  if (n < 2L) value_error("Slices can be pruned only of a tensor of two or more dimensions.", call)
  if (!is_whole_number(dim) || dim == 0 || abs(dim) > n) {
    value_error(sprintf("`dim` must be a dimension of the tensor, from 1 to %d, not %s.", n, friendly_type(dim)), call)
  }
  if (dim < 0) n + 1L + dim else dim
}

# The mask of slices along `dim`; `kept` flags those that stay.
slices_mask <- function(t, dim, kept) kept$to(dtype = t$dtype)$reshape(replace(rep(1L, length(dim(t))), dim, -1L))$expand_as(t)

prune_identity <- pruning_method("identity", "unstructured", function(self, t, mask) mask)
prune_custom <- pruning_method("custom_from_mask", "global", function(self, t, mask, given) mask * given$to(dtype = mask$dtype))
prune_random <- pruning_method("random_unstructured", "unstructured", function(self, t, mask, amount) {
  without_largest(mask, torch_rand_like(t), pruned_of(amount, prod(dim(t))), TRUE)
})
prune_l1 <- pruning_method("l1_unstructured", "unstructured", function(self, t, mask, amount) {
  without_largest(mask, torch_abs(t), pruned_of(amount, prod(dim(t))), FALSE)
})
prune_random_slices <- pruning_method("random_structured", "structured", function(self, t, mask, amount, dim = -1) {
  dim <- structured_dim(t, dim)
  n <- pruned_of(amount, dim(t)[dim])
  if (n == 0) return(mask)
  chance <- torch_rand(dim(t)[dim])
  slices_mask(t, dim, (chance > torch_kthvalue(chance, n)[[1]])$to(device = t$device)) * mask
})
prune_ln_slices <- pruning_method("ln_structured", "structured", function(self, t, mask, amount, n, dim = -1) {
  dim <- structured_dim(t, dim)
  size <- dim(t)[dim]
  norms <- torch_norm(t, p = n, dim = setdiff(seq_along(dim(t)), dim))
  kept <- torch_topk(norms, size - pruned_of(amount, size), largest = TRUE)[[2]]
  slices_mask(t, dim, torch_zeros_like(norms)$index_fill_(1, kept, 1)) * mask
})

#' @rdname nn_utils_prune
#' @export
nn_utils_prune_identity <- function(module, name) prune_identity$new()$apply(module, name)

#' @rdname nn_utils_prune
#' @export
nn_utils_prune_random_unstructured <- function(module, name, amount) prune_random$new(amount)$apply(module, name)

#' @rdname nn_utils_prune
#' @export
nn_utils_prune_l1_unstructured <- function(module, name, amount, importance_scores = NULL) {
  prune_l1$new(amount)$apply(module, name, importance_scores)
}

#' @rdname nn_utils_prune
#' @export
nn_utils_prune_random_structured <- function(module, name, amount, dim) prune_random_slices$new(amount, dim)$apply(module, name)

#' @rdname nn_utils_prune
#' @export
nn_utils_prune_ln_structured <- function(module, name, amount, n, dim, importance_scores = NULL) {
  prune_ln_slices$new(amount, n, dim)$apply(module, name, importance_scores)
}

#' @rdname nn_utils_prune
#' @export
nn_utils_prune_custom_from_mask <- function(module, name, mask) {
  check_tensor(mask, "mask")
  check_scores(mask, if (is_nn_module(module) && name %in% names(computed_by(module))) module[[name]] else own_tensor(module, name), arg = "mask")
  prune_custom$new(mask)$apply(module, name)
}

#' @rdname nn_utils_prune
#' @export
nn_utils_prune_global_unstructured <- function(parameters, pruning_method, importance_scores = NULL, ...) {
  is_pair <- function(x) is.list(x) && length(x) == 2L && is_nn_module(x[[1L]]) && is_string(x[[2L]])
  if (!is.list(parameters) || !length(parameters) || !all(vapply(parameters, is_pair, NA))) {
    value_error("`parameters` must be a list of `list(module, name)`.")
  }
  method <- method_class(pruning_method)$new(...)
  if (method$pruning_type != "unstructured") {
    value_error(sprintf("`pruning_method` must be of the type \"unstructured\", not \"%s\".", method$pruning_type))
  }
  tensors <- lapply(parameters, function(pair) pair[[1L]][[pair[[2L]]]])
  scores <- Map(function(t, score) {
    check_scores(score, t)
    (score %||% t)$reshape(-1)
  }, tensors, importance_scores %||% rep(list(NULL), length(tensors)))
  masks <- Map(function(pair, t) (pair[[1L]][[paste0(pair[[2L]], "_mask")]] %||% torch_ones_like(t))$reshape(-1), parameters, tensors)
  mask <- with_no_grad(nn_utils_prune_pruning_container$new(method)$compute_mask(torch_cat(unname(scores)), torch_cat(unname(masks))))
  parts <- torch_split(mask, vapply(tensors, function(t) prod(.Call(C_shape, t)), 0))
  Map(function(pair, t, part) nn_utils_prune_custom_from_mask(pair[[1L]], pair[[2L]], part$view_as(t)), parameters, tensors, parts)
  invisible()
}

# The class of a pruning method, by the function that applies it.
method_class <- function(method, call = caller_env()) {
  known <- list(
    list(nn_utils_prune_identity, prune_identity), list(nn_utils_prune_random_unstructured, prune_random),
    list(nn_utils_prune_l1_unstructured, prune_l1), list(nn_utils_prune_random_structured, prune_random_slices),
    list(nn_utils_prune_ln_structured, prune_ln_slices), list(nn_utils_prune_custom_from_mask, prune_custom)
  )
  for (pair in known) if (identical(method, pair[[1L]])) return(pair[[2L]])
  if (R6::is.R6Class(method)) return(method)
  value_error(sprintf("`pruning_method` must be a function such as `nn_utils_prune_l1_unstructured`, or a class, not %s.", friendly_type(method)), call)
}

#' @rdname nn_utils_prune
#' @export
nn_utils_prune_remove <- function(module, name) {
  by <- if (is_nn_module(module)) computed_by(module)[[name]]
  if (!inherits(by, "nn_utils_prune_base_pruning_method")) value_error(sprintf("`module` must be a module whose `%s` is pruned.", name))
  parts <- paste0(name, c("_orig", "_mask"))
  keep_computed_member(module, name, parts, with_value_of(module[[parts[1]]], with_no_grad(module[[name]])))
}

#' @rdname nn_utils_prune
#' @export
nn_utils_prune_is_pruned <- function(module) {
  if (!is_nn_module(module)) type_error(sprintf("`module` must be a module, not %s.", friendly_type(module)))
  pruned <- function(m) !inherits(m, "script_module") && any(vapply(computed_by(m), inherits, NA, "nn_utils_prune_base_pruning_method"))
  any(vapply(module$modules, pruned, NA))
}
