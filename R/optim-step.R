# How an optimiser makes a step. It is one operator call for all parameters of a group where LibTorch has a fused operator
# that handles them (it updates the parameters and the state in place), else a loop over the parameters. The operator takes
# the state as lists with one tensor for each parameter that has a gradient; these lists are a plan, made once and kept
# until the parameters, or which of them have gradients, change.

# A rule says how an optimizer updates parameters. A list:
#   name       names the fused operator, to remember whether LibTorch has it
#   new_state  function(state, param, group): completes a parameter's state, a list of tensors, NULL at first
#   fused      function(params, grads, state, group, first): updates all; `state` is a list of lists of tensors; `first`:
#              there was no state before
#   one        function(param, grad, state, group, first): updates one parameter
optimizer_step <- function(self, private, closure, rule) {
  loss <- if (!is.null(closure)) with_enable_grad(closure())
  with_no_grad(step_groups(private, self$param_groups, rule))
  loss
}

step_groups <- function(private, groups, rule) {
  for (i in seq_along(groups)) {
    group <- groups[[i]]
    grads <- grads_of(group$params)
    has_grad <- !vapply(grads, is.null, NA)
    plan <- private$.plans[i][[1L]]
    if (!identical(plan$all_params, group$params) || !identical(plan$has_grad, has_grad)) {
      plan <- plan_step(private$.state, group, has_grad, rule)
      private$.plans[[i]] <- replace(plan, "first", list(logical(length(plan$first))))
    }
    first <- plan$first
    if (length(first) == 0L) {
      next
    }
    # The fused operator begins the state either of all parameters at once or of none.
    if (plan$fused && all(first == first[[1L]])) {
      rule$fused(plan$params, grads[has_grad], plan$state, group, first[[1L]])
    } else {
      Map(function(param, grad, first, i) rule$one(param, grad, lapply(plan$state, `[[`, i), group, first),
        plan$params, grads[has_grad], first, seq_along(first))
    }
  }
}

# The gradients of the parameters; NULL for a parameter that has none.
grads_of <- function(params) .Call(C_grads, params)

plan_step <- function(states, group, has_grad, rule) {
  params <- group$params[has_grad]
  keys <- addresses(params)
  first <- !vapply(keys, exists, NA, envir = states, inherits = FALSE, USE.NAMES = FALSE)
  own <- Map(function(key, param) rule$new_state(states[[key]], param, group), keys, params)
  list2env(own, states)
  columns <- if (length(own) > 0L) names(own[[1L]])
  list(
    all_params = group$params,
    has_grad = has_grad,
    params = params,
    first = first,
    state = lapply(set_names(as.character(columns)), function(name) unname(lapply(own, `[[`, name))),
    fused = length(params) > 0L && has_fused(rule, params, group)
  )
}

# Whether LibTorch has the fused operator for such parameters. Asked by running it on tensors with one element, once for
# each type and device.
has_fused <- function(rule, params, group) {
  kind <- unique(vapply(params, function(x) paste(as.character(x$dtype), as.character(x$device)), ""))
  if (length(kind) > 1L) {
    return(FALSE)
  }
  key <- paste(rule$name, kind)
  if (is.null(the$fused[[key]])) {
    param <- torch_zeros(1, dtype = params[[1L]]$dtype, device = params[[1L]]$device)
    state <- lapply(rule$new_state(NULL, param, group), list)
    the$fused[[key]] <- tryCatch({
      rule$fused(list(param), list(torch_zeros_like(param)), state, group, TRUE)
      TRUE
    }, error = function(e) FALSE)
  }
  the$fused[[key]]
}
