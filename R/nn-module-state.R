# The tensors of a module as a whole: saving and loading them by name, converting and moving them.

# Modules with hooks for them are apart in the walks through the tree, since hooks see all that is below.
module_state_dict <- function(self, prefix, keepvars) {
  hooked <- length(self$.__enclos_env__$private$.hook_lists) > 0L
  if (hooked) run_hooks(self, "state_dict_pre", NULL, function(hook, value) hook(module_callable(self), prefix, keepvars))
  tree <- tree_of(self, "state_dict", tensor_classes, c("state_dict_pre", "state_dict_post"))
  prefixes <- prefixes_of(tree, prefix)
  state <- unlist(lapply(seq_along(prefixes), function(i) {
    module <- tree$module[[i]]
    if (tree$apart[i]) return(module$state_dict(prefix = prefixes[i], keepvars = keepvars))
    own_state_of_class <- module$.save_to_state_dict
    if (is.null(own_state_of_class)) return(own_state(module, prefixes[i], keepvars, tree$members[[i]]))
    own_state_of_class(prefixes[i], keepvars)
  }), recursive = FALSE)
  if (!length(state)) state <- named_list(NULL)
  if (!hooked) return(state)
  run_hooks(self, "state_dict_post", state, function(hook, state) hook(module_callable(self), state, prefix))
}

prefixes_of <- function(tree, prefix) {
  inner <- tree$path
  inner[-1L] <- paste0(inner[-1L], ".")
  paste0(prefix, inner)
}

# What the module itself gives to its state dict and takes from it. A class may replace these functions by methods
# `.save_to_state_dict()` and `.load_from_state_dict()`.
own_state <- function(self, prefix, keepvars, members = own_tensors(self)) {
  own <- members[vapply(members, is_persistent, NA)]
  if (!keepvars) {
    own <- lapply(own, function(x) x$detach()$requires_grad_(x$requires_grad))
  }
  if (is.function(self$get_extra_state)) own[extra_state] <- list(self$get_extra_state())
  names(own) <- sprintf("%s%s", prefix, names(own))
  own
}

load_own_state <- function(self, state_dict, prefix, members = own_tensors(self),
                           run = loading$run %||% new_loading(FALSE, caller_env(2))) {
  own <- members[vapply(members, is_persistent, NA)]
  keys <- paste0(prefix, names(own), recycle0 = TRUE)
  run$keys <- c(run$keys, keys)
  for (i in seq_along(own)) {
    value <- state_dict[[keys[i]]]
    if (is.null(value)) {
      run$missing_keys <- c(run$missing_keys, keys[i])
    } else if (!is_torch_tensor(value)) {
      type_error(sprintf("`state_dict` must hold a tensor for `%s`, not %s.", keys[i], friendly_type(value)), run$call)
    } else if (run$refer) {
      assign(names(own)[i], mark_like(value, own[[i]]), envir = self)
    } else {
      check_loaded_shape(own[[i]], value, keys[i], run$call)
      with_no_grad(own[[i]]$copy_(value))
    }
  }
  if (is.function(self$set_extra_state)) {
    key <- paste0(prefix, extra_state)
    run$keys <- c(run$keys, key)
    if (key %in% names(state_dict)) self$set_extra_state(state_dict[[key]]) else run$missing_keys <- c(run$missing_keys, key)
  }
  if (is.null(loading$run)) check_all_there(run)
}

# The call of load_state_dict() that runs. It holds what a class's `.load_from_state_dict()` does not hand on. The
# lists of keys are filled on the way, and hooks may change which keys count as missing.
loading <- new_environment(list(run = NULL))
new_loading <- function(refer, call) new_environment(list(keys = character(), missing_keys = character(), refer = refer, call = call))

# A class's own `.load_from_state_dict()` found no such entry.
note_missing <- function(key) loading$run$missing_keys <- c(loading$run$missing_keys, key)

check_all_there <- function(run) {
  missing <- run$missing_keys
  if (!length(missing)) return(invisible())
  more <- if (length(missing) > 1L) sprintf(", nor %s more", format_count(length(missing) - 1L)) else ""
  value_error(sprintf("`state_dict` has no entry `%s`, which the module needs%s.", missing[1], more), run$call)
}

# The key under which a module with the methods `get_extra_state()` and `set_extra_state(state)` keeps more than its
# tensors.
extra_state <- "_extra_state"

module_load <- function(module, state_dict, refer) {
  if (!is.null(state_dict) && !(is.list(state_dict) && (!length(state_dict) || is.character(names(state_dict))))) {
    type_error(sprintf("`state_dict` must be a list of tensors with names, not %s.", friendly_type(state_dict)), caller_env())
  }
  run <- new_loading(refer, caller_env())
  outer <- loading$run
  loading$run <- run
  on.exit(loading$run <- outer)
  load_members(module, state_dict, "", run)
  check_all_there(run)
}

load_members <- function(module, state_dict, prefix, run) {
  self <- attr(module, "module", exact = TRUE)
  if (is.null(self)) {
    mine <- startsWith(names(state_dict), prefix)
    run$keys <- c(run$keys, names(state_dict)[mine])
    names(state_dict) <- substring(names(state_dict), nchar(prefix) + 1L)
    return(module$load_state_dict(state_dict[mine], .refer_to_state_dict = run$refer))
  }
  hooked <- length(self$.__enclos_env__$private$.hook_lists) > 0L
  if (hooked) state_dict <- run_hooks(self, "load_pre", state_dict, function(hook, dict) hook(module, dict, prefix))
  names_here <- self$.__enclos_env__$private$names_here
  if (is.function(names_here)) names(state_dict) <- names_here(names(state_dict), prefix)
  load_own_state_of_class <- self$.load_from_state_dict
  if (is.null(load_own_state_of_class)) {
    load_own_state(self, state_dict, prefix, run = run)
  } else {
    # It may make the children.
    load_own_state_of_class(state_dict, prefix)
  }
  tree <- tree_of(self, NULL, tensor_classes, c("load_pre", "load_post", "names_here", ".load_from_state_dict"))
  prefixes <- prefixes_of(tree, prefix)
  for (i in seq_along(prefixes)[-1L]) {
    child <- tree$module[[i]]
    if (tree$apart[i]) {
      load_members(child, state_dict, prefixes[i], run)
    } else {
      load_own_state(child, state_dict, prefixes[i], tree$members[[i]], run)
    }
  }
  if (hooked && length(module_hooks(self, "load_post"))) {
    mine <- startsWith(names(state_dict), prefix)
    keys <- list(missing_keys = run$missing_keys, unexpected_keys = setdiff(names(state_dict)[mine], run$keys))
    keys <- run_hooks(self, "load_post", keys, function(hook, keys) hook(module, keys))
    run$missing_keys <- keys$missing_keys
  }
}

# A single number may have any number of dimensions.
check_loaded_shape <- function(own, value, key, call) {
  shapes <- list(.Call(C_shape, own), .Call(C_shape, value))
  if (identical(shapes[[1]], shapes[[2]]) || (prod(shapes[[1]]) == 1 && prod(shapes[[2]]) == 1)) return()
  value_error(sprintf(
    "`state_dict` has `%s` of shape (%s), and the module one of (%s).", key, toString(shapes[[2]]), toString(shapes[[1]])
  ), call)
}

# Makes `x` the kind of member that `model` is. A dead pointer can't tell whether it required gradients; then `x`
# keeps its own flag.
mark_like <- function(x, model) {
  if (is_nn_buffer(model)) {
    return(nn_buffer(x, is_persistent(model)))
  }
  nn_parameter(x, requires_grad = tryCatch(model$requires_grad, error = function(e) x$requires_grad))
}

module_apply <- function(self, own, fn) {
  for (name in names(own)) {
    x <- own[[name]]
    # A tensor without memory can't become one with memory, nor the other way round. So a new tensor takes its place.
    made <- if (x$device$type == "meta") with_no_grad(fn(x$detach()))
    if (is.null(made)) made <- tensor_apply(x, fn)
    if (!is.null(made)) assign(name, mark_like(made, x), envir = self)
  }
}

# Replaces the contents of a tensor by what `fn` makes of them. The tensor stays the same object, so optimisers and
# modules that share it see the change. If the tensor can't take the new contents, the new tensor is the result.
tensor_apply <- function(x, fn) {
  grad <- x$grad
  with_no_grad({
    made <- fn(x$detach())
    if (made$device$type == "meta" && x$device$type != "meta") return(made)
    torch_set_data(x, made)
    if (!is_undefined_tensor(grad)) x$grad <- fn(grad)
  })
  NULL
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
