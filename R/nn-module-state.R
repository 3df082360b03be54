# The tensors of a module as a whole: saving and loading them by name, converting and moving them.

module_state_dict <- function(self, prefix, keepvars) {
  own <- c(own_members(self, "nn_parameter"), Filter(is_persistent, own_members(self, "nn_buffer")))
  if (!keepvars) {
    own <- lapply(own, function(x) x$detach()$requires_grad_(x$requires_grad))
  }
  names(own) <- sprintf("%s%s", prefix, names(own))
  children <- self$children
  for (name in names(children)) {
    own <- c(own, children[[name]]$state_dict(prefix = paste0(prefix, name, "."), keepvars = keepvars))
  }
  own
}

module_load <- function(module, state_dict, prefix, refer) {
  self <- attr(module, "module", exact = TRUE)
  if (is.null(self)) {
    mine <- startsWith(names(state_dict), prefix)
    names(state_dict) <- substring(names(state_dict), nchar(prefix) + 1L)
    return(module$load_state_dict(state_dict[mine], .refer_to_state_dict = refer))
  }
  own <- c(own_members(self, "nn_parameter"), Filter(is_persistent, own_members(self, "nn_buffer")))
  for (name in names(own)) {
    key <- paste0(prefix, name)
    value <- state_dict[[key]]
    if (is.null(value)) {
      value_error(sprintf("`state_dict` has no entry `%s`, which the module needs.", key), call = caller_env(2))
    }
    if (!is_torch_tensor(value)) {
      type_error(sprintf("`state_dict` must hold a tensor for `%s`, not %s.", key, friendly_type(value)), call = caller_env(2))
    }
    if (refer) {
      assign(name, mark_like(value, own[[name]]), envir = self)
    } else {
      check_loaded_shape(own[[name]], value, key, caller_env(2))
      with_no_grad(own[[name]]$copy_(value))
    }
  }
  children <- self$children
  for (name in names(children)) {
    module_load(children[[name]], state_dict, paste0(prefix, name, "."), refer)
  }
}

# A number may have any number of dimensions.
check_loaded_shape <- function(own, value, key, call) {
  shapes <- list(.Call(C_shape, own), .Call(C_shape, value))
  if (identical(shapes[[1]], shapes[[2]]) || (prod(shapes[[1]]) == 1 && prod(shapes[[2]]) == 1)) return()
  value_error(sprintf(
    "`state_dict` has `%s` of shape (%s), and the module one of (%s).", key, toString(shapes[[2]]), toString(shapes[[1]])
  ), call)
}

# Marks `x` as the kind of member that `model` is. If `model` is a dead pointer, which can't tell whether it required
# gradients, `x` keeps its own flag.
mark_like <- function(x, model) {
  if (is_nn_buffer(model)) {
    return(nn_buffer(x, is_persistent(model)))
  }
  nn_parameter(x, requires_grad = tryCatch(model$requires_grad, error = function(e) x$requires_grad))
}

module_apply <- function(self, fn) {
  tensors_apply(c(own_members(self, "nn_parameter"), own_members(self, "nn_buffer")), fn)
}

# Replaces the contents of tensors by what `fn` makes of them. The tensors stay the same objects, so that optimisers and
# modules that share them see the change.
tensors_apply <- function(tensors, fn) {
  for (x in tensors) {
    grad <- x$grad
    with_no_grad({
      torch_set_data(x, fn(x$detach()))
      if (!is_undefined_tensor(grad)) {
        x$grad <- fn(grad)
      }
    })
  }
}

tensor_mover <- function(dtype, device, non_blocking, copy, memory_format) {
  options <- list(non_blocking = non_blocking, copy = copy, memory_format = memory_format)
  if (!is.null(dtype) && !torch_empty(0L, dtype = dtype)$dtype$is_floating_point) {
    value_error("`dtype` must be a floating point type: the parameters of a module can't be integers.", call = NULL)
  }
  function(x) {
    exec(x$to, dtype = if (x$dtype$is_floating_point) dtype, device = device, !!!options)
  }
}
