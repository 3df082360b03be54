# Copies of modules.

#' @param module a module.
#' @param deep whether tensors and children are copied too. Tensors that are shared within the tree are shared in the
#'   copy; the copies have no gradient history. A private method `finalize_deep_clone` runs on a deep copy.
#' @param replace_values whether a deep copy gets copies of the tensors; else it shares them with `module`.
#' @returns `clone_module()`: a module.
#' @rdname nn_module
#' @export
clone_module <- function(module, deep = FALSE, ..., replace_values = TRUE) {
  check_switch(deep, "deep")
  check_switch(replace_values, "replace_values")
  self <- attr(module, "module", exact = TRUE)
  if (inherits(module, "script_module")) return(module$clone(deep))
  if (is.null(self)) type_error(sprintf("`module` must be an nn_module, not %s.", friendly_type(module)))
  if (!deep) {
    return(module_callable(copy_of(self)))
  }
  clone_deep(self, new_environment(), replace_values)
}

# R6 copies the values of active bindings that are private, and functions that are no methods as they are.
copy_of <- function(self) {
  # It reads the public ones, too, and the estimate of a spectral norm goes on each time it is read.
  computed <- names(self$.__enclos_env__$private$.computed)
  if (length(computed)) {
    rm(list = computed, envir = self)
    on.exit(bind_computed(self))
  }
  copy <- self$clone()
  bind_computed(copy)
  bind_asked(copy, copy$.__enclos_env__$private$.asked)
  guard_calls(copy)
  copy
}

# `done` maps what was copied already to its copy: tensors by the address of the tensor, modules by that of their object.
# Copies of modules wait in a queue until their fields are copied, so that it does not matter how deep they are nested.
clone_deep <- function(self, done, copy_tensors) {
  copies <- list()
  copied_module <- function(self) {
    key <- obj_address(self)
    if (is.null(done[[key]])) {
      copies[[length(copies) + 1L]] <<- copy_of(self)
      done[[key]] <- module_callable(copies[[length(copies)]])
    }
    done[[key]]
  }
  copied <- function(x) {
    if (is_torch_tensor(x)) {
      if (copy_tensors) clone_tensor(x, done) else x
    } else if (inherits(x, "script_module")) {
      if (copy_tensors) clone_script(x, done) else x
    } else if (is_nn_module(x) && !is.null(attr(x, "module"))) {
      copied_module(attr(x, "module"))
    } else if (is_bare_list(x)) {
      lapply(x, copied)
    } else {
      x
    }
  }
  module <- copied_module(self)
  n <- 0L
  while (n < length(copies)) {
    copy <- copies[[n <- n + 1L]]
    for (env in list(copy, copy$.__enclos_env__$private)) {
      for (name in ls(env, all.names = TRUE)) {
        if (!bindingIsActive(name, env) && !bindingIsLocked(name, env)) assign(name, copied(env[[name]]), envir = env)
      }
    }
  }
  # Those of the children first.
  for (copy in rev(copies)) {
    finalize <- copy$.__enclos_env__$private$finalize_deep_clone
    if (is.function(finalize)) finalize()
  }
  module
}

clone_script <- function(x, done) {
  key <- module_identity(x)
  if (is.null(done[[key]])) done[[key]] <- x$clone()
  done[[key]]
}

clone_tensor <- function(x, done) {
  key <- tensor_address(x)
  if (is.null(done[[key]])) {
    copy <- x$detach()$clone()$requires_grad_(x$requires_grad)
    attributes(copy) <- attributes(x)
    done[[key]] <- copy
  }
  done[[key]]
}
