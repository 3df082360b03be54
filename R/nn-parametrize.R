# Members of modules that are computed of parameters whenever they are asked for.

#' @include nn-module.R nn-utils.R
NULL

# `self[[name]]` is from now on what `get(self)` gives. Tensors of which it is computed are in `parts`, by their names.
# `set(self, value)` takes what is assigned to it; `by` is what computes it, for those who look for it. `code` is what stands for
# `get(self)` in a method that is compiled.
compute_member <- function(module, name, parts, get, set = NULL, by = NULL, code = body(get)) {
  self <- attr(module, "module", exact = TRUE)
  private <- self$.__enclos_env__$private
  rm(list = name, envir = self)
  private$.registered <- setdiff(private$.registered, name)
  for (part in names(parts)) module_assign(self, part, parts[[part]])
  private$.computed[[name]] <- list(get = get, set = set, by = by, code = code)
  bind_computed(self)
  invisible(module)
}

# A parameter or buffer of its own again: `tensor` with the value that it has now. `parts` are given up.
keep_computed_member <- function(module, name, parts, tensor) {
  # Which may still have to be computed of what goes.
  force(tensor)
  self <- attr(module, "module", exact = TRUE)
  private <- self$.__enclos_env__$private
  rm(list = c(name, parts), envir = self)
  private$.registered <- setdiff(private$.registered, parts)
  private$.computed[[name]] <- NULL
  module_assign(self, name, tensor)
  invisible(module)
}

# The tensor `x` of a member with the present value of what is computed, for optimisers that know it.
with_value_of <- function(x, value) {
  with_no_grad(torch_set_data(x, value$detach()$clone()))
  x
}

# For programs: what gives each computed member, as a method of that name.
computed_methods <- function(self) {
  lapply(self$.__enclos_env__$private$.computed, function(member) new_function(NULL, member$code, topenv()))
}

# The methods of `self`, in which each computed member that they read, their module's or a child's, is a call of its method.
asking_computed <- function(methods, self, call) {
  Map(function(f, name) {
    # The others may run when a module is made only.
    changed <- call_members(body(f), self, if (name == "forward") call)
    if (identical(changed, body(f))) f else new_function(formals(f), changed, environment(f))
  }, methods, names(methods))
}

# `call` of the error, NULL for none.
call_members <- function(code, self, call) {
  if (!is.call(code)) return(code)
  of <- if (is_member_read(code)) module_of_code(code[[2L]], self)
  computed <- names(of$.__enclos_env__$private$.computed)
  if (length(computed)) {
    name <- constant_name(code)
    if (is.null(name) && !is.null(call)) {
      value_error(sprintf(
        "%s can't be compiled: it looks for members by names that are variables, and `%s` is computed of others. Use `jit_trace()`.",
        module_label(module_callable(self)), computed[1L]
      ), call)
    }
    if (!is.null(name) && name %in% computed) return(as.call(list(call2("$", code[[2L]], as.name(name)))))
  }
  for (i in seq_along(code)) if (is.call(code[[i]])) code[[i]] <- call_members(code[[i]], self, call)
  code
}

is_member_read <- function(code) is.call(code) && length(code) == 3L && is.symbol(code[[1L]]) && as.character(code[[1L]]) %in% c("$", "[[")
constant_name <- function(code) if (is.character(code[[3L]]) || identical(code[[1L]], quote(`$`))) as.character(code[[3L]])

# The module that `self$a$b` is.
module_of_code <- function(code, self) {
  if (identical(code, quote(self))) return(self)
  above <- if (is_member_read(code) && !is.null(constant_name(code))) module_of_code(code[[2L]], self)
  name <- if (!is.null(above)) constant_name(code)
  if (is.null(above) || !exists(name, above, inherits = FALSE) || bindingIsActive(name, above)) return()
  if (is_nn_module(above[[name]])) attr(above[[name]], "module", exact = TRUE)
}

computed_by <- function(module) {
  lapply(attr(module, "module", exact = TRUE)$.__enclos_env__$private$.computed, function(member) member$by)
}

bind_computed <- function(self) {
  computed <- self$.__enclos_env__$private$.computed
  for (name in names(computed)) {
    if (exists(name, self, inherits = FALSE)) rm(list = name, envir = self)
    local({
      member <- computed[[name]]
      makeActiveBinding(name, function(value) {
        if (missing(value)) return(member$get(self))
        if (is.null(member$set)) runtime_error("This member is computed of others, which can be assigned.", call = NULL)
        member$set(self, value)
      }, self)
    })
  }
}

# The parameter or buffer `name` that the module holds itself.
own_tensor <- function(module, name, call = caller_env()) {
  if (!is_nn_module(module) || inherits(module, "script_module")) {
    type_error(sprintf("`module` must be an nn_module, not %s.", friendly_type(module)), call)
  }
  if (!is_string(name)) value_error(sprintf("The name of a tensor must be a string, not %s.", friendly_type(name)), call)
  own <- c(module$named_parameters(recursive = FALSE), module$named_buffers(recursive = FALSE))
  if (is.null(own[[name]])) value_error(sprintf("%s has no parameter or buffer `%s`; it has %s.", module_label(module), name, words_of(names(own))), call)
  own[[name]]
}

#' Weight normalisation
#'
#' Makes of a weight its direction, `<name>_v`, and its length, `<name>_g`, two parameters of which the weight is computed:
#' \eqn{w = g \, v / \|v\|}. What trains are the two.
#'
#' @section Members:
#' `norm <- nn_utils_weight_norm$new(name, dim)`: `name` of a parameter, by default of all; `dim` the dimension, from 1, along
#' which there is a length for each slice, 1 for the outputs of a linear or convolution layer; `NULL` for one length of the whole.
#'
#' * `$apply(module)` normalises the weight of a module, which is changed and given back; `$remove(module)` makes it one
#'   parameter again.
#' * `$compute_weight(module)` the weight; `$call(module)` and `$recompute(module)` need not be called: the weight is
#'   computed when the module asks for it.
#'
#' `name` and `dim` can also be given to the methods.
#' @source Salimans and Kingma (2016), Weight normalization: a simple reparameterization to accelerate training of deep neural
#'   networks; LibTorch's `norm_except_dim`.
#' @examplesIf torch::torch_is_installed()
#' layer <- nn_linear(3, 2)
#' nn_utils_weight_norm$new("weight", 1)$apply(layer)
#' names(layer$parameters)
#' @export
nn_utils_weight_norm <- R6::R6Class(
  "nn_utils_weight_norm",
  public = list(
    name = NULL,
    dim = NULL,
    initialize = function(name = "weight", dim = 1) {
      self$name <- name
      self$dim <- dim
    },
    compute_weight = function(module, name = NULL, dim = NULL) {
      name <- name %||% self$name
      normed_weight(module[[paste0(name, "_g")]], module[[paste0(name, "_v")]], dim %||% self$dim)
    },
    apply = function(module, name = NULL, dim = NULL) {
      name <- name %||% self$name
      dim <- dim %||% self$dim
      weight <- if (is_nn_module(module)) module[[name]]
      if (!is_nn_parameter(weight)) value_error(sprintf("`module` must be a module with a parameter `%s`.", name))
      check_norm_dim(weight, dim)
      parts <- with_no_grad(list(nn_parameter(norm_but_dim(weight, dim)$clone()), nn_parameter(weight$detach()$clone())))
      names <- paste0(name, c("_g", "_v"))
      weight <- expr(normed_weight(self[[!!names[1]]], self[[!!names[2]]], !!dim))
      compute_member(module, name, set_names(parts, names), new_function(alist(self = ), weight, topenv()))
    },
    call = function(module) invisible(module),
    recompute = function(module) invisible(module),
    remove = function(module, name = NULL) {
      name <- name %||% self$name
      parts <- paste0(name, c("_g", "_v"))
      if (!is_nn_module(module) || !is_nn_parameter(module[[parts[1]]])) {
        value_error(sprintf("`module` must be a module whose `%s` is normalised.", name))
      }
      keep_computed_member(module, name, parts, with_value_of(module[[parts[2]]], module[[name]]))
    }
  )
)

normed_weight <- function(g, v, dim) v * (g / norm_but_dim(v, dim))

# -1 is the whole, as in PyTorch.
check_norm_dim <- function(weight, dim, call = caller_env()) {
  n <- length(.Call(C_shape, weight))
  if (is.null(dim) || (is_whole_number(dim) && (dim == -1 || dim %in% seq_len(n)))) return(invisible())
  value_error(sprintf("`dim` must be a dimension of the weight, from 1 to %d, or NULL, not %s.", n, describe_value(dim)), call)
}

norm_but_dim <- function(v, dim) {
  if (is.null(dim)) return(linalg_vector_norm(v))
  linalg_vector_norm(v, dim = dims_but(v, dim), keepdim = TRUE)
}

# As a program can have it, too.
dims_but <- function(x, dim) Filter(function(d) d != dim, seq_along(.Call(C_shape, x)))
