# Hooks of modules: R functions that see, and may replace, what goes into a module and what comes out of it.
#
# A call of a module runs its `forward` itself. What users hold is a copy of that method which first looks for `.hooks`, a
# variable beside `self`: NULL, or where there are hooks a function that calls them around `forward`.

#' @include nn-module.R
NULL

#' Hooks of modules
#'
#' Hooks are functions that a module calls when it is called, when gradients come to it, or when its state is saved or
#' loaded. Each method below returns a handle, whose `$remove()` takes the hook away again. Hooks run in the order in
#' which they were registered; one with `prepend = TRUE` comes before those that are there.
#'
#' | method | `hook` is called as | when | what it may give |
#' |---|---|---|---|
#' | `$register_forward_pre_hook(hook, prepend = FALSE)` | `hook(module, inputs)` | before `forward` | other inputs: a list, or a value for the first one |
#' | `$register_forward_hook(hook, prepend = FALSE, always_call = FALSE)` | `hook(module, inputs, output)` | after `forward` | another output |
#' | `$register_full_backward_pre_hook(hook, prepend = FALSE)` | `hook(module, grad_output)` | when the gradients of its outputs are there | other gradients: a list |
#' | `$register_full_backward_hook(hook, prepend = FALSE)` | `hook(module, grad_input, grad_output)` | when those of its inputs are there too | other gradients of the inputs: a list |
#' | `$register_state_dict_pre_hook(hook)` | `hook(module, prefix, keepvars)` | before `$state_dict()` | |
#' | `$register_state_dict_post_hook(hook)` | `hook(module, state_dict, prefix)` | after it | another state dict |
#' | `$register_load_state_dict_pre_hook(hook)` | `hook(module, state_dict, prefix)` | before `$load_state_dict()` | another state dict |
#' | `$register_load_state_dict_post_hook(hook)` | `hook(module, keys)` | after it | other `keys` |
#'
#' A hook that returns `NULL` changes nothing. Neither does one whose value is invisible, such as that of an
#' assignment or of `print()`: `function(module, inputs, output) seen <<- output$detach()` only looks.
#'
#' * `inputs` is the list of the arguments that were given, by the names that `forward` has for them. `module$forward(x)`
#'   calls no hooks.
#' * `always_call = TRUE`: the hook runs too, with `NULL` as `output`, when `forward` or a hook before it fails.
#' * `grad_output` is a list of the gradients of all tensors in the output, `grad_input` a list of those of the arguments that
#'   are tensors; `NULL` stands for one without a gradient. If no argument needs a gradient, the hook runs as soon as
#'   `grad_output` is there, and may change nothing.
#' * `state_dict` is that of the module and of those below it, each name with `prefix` before it.
#' * `keys` is a list of `missing_keys`, which the state dict lacks, and `unexpected_keys`. Keys that remain missing are an
#'   error.
#'
#' A copy of a module has the hooks of the original; taking one away from either leaves the other as it is. A trace records
#' what the forward hooks do. A module with backward hooks can't be traced.
#'
#' A module without hooks pays for them only by looking at one variable.
#' @section Errors:
#' An error of a hook is a `runtime_error` that names the hook and the module, with the hook's own error as its parent. A
#' `hook` that is no function is a `type_error`.
#' @source PyTorch's `torch.nn.Module`, whose hooks of these names get the arguments as a tuple.
#' @seealso [nn_module()]; `$register_hook()` of tensors, on the page of [autograd_backward()]
#' @examplesIf torch::torch_is_installed()
#' model <- nn_sequential(nn_linear(3, 2), nn_relu())
#' handle <- model[[1]]$register_forward_hook(function(module, inputs, output) print(output$shape))
#' invisible(model(torch_randn(5, 3)))
#' handle$remove()
#' @name nn_module_hooks
NULL

# The kinds of hooks, with the names that errors give them. Hooks of a call come first.
hook_kinds <- c(
  forward_pre = "forward pre-hook", forward = "forward hook", backward_pre = "backward pre-hook", backward = "backward hook",
  state_dict_pre = "state dict pre-hook", state_dict_post = "state dict post-hook", load_pre = "load pre-hook",
  load_post = "load post-hook"
)
call_hooks <- names(hook_kinds)[1:4]

# The method by which users call the module. It calls functions of base R by their full names, because a user's module
# may mask them.
guarded <- function(forward) {
  if (is.primitive(forward)) return(forward)
  guard <- call2("if", quote(is.null(.hooks)), body(forward), quote(.hooks(base::environment())))
  new_function(formals(forward), guard, environment(forward))
}

module_hooks <- function(self, kind) self$.__enclos_env__$private$.hook_lists[[kind]]

set_module_hooks <- function(self, kind, hooks) {
  private <- self$.__enclos_env__$private
  private$.hook_lists[[kind]] <- if (length(hooks)) hooks
  guard_calls(self)
}

guard_calls <- function(self) {
  home <- environment(self$forward)
  if (is.null(home)) return()
  has_hooks <- any(call_hooks %in% names(self$.__enclos_env__$private$.hook_lists))
  assign(".hooks", if (has_hooks) function(frame) call_with_hooks(self, frame), envir = home)
}

add_hook <- function(self, kind, hook, prepend = FALSE, always = FALSE, call = caller_env()) {
  if (!is.function(hook)) type_error(sprintf("`hook` must be a function, not %s.", friendly_type(hook)), call)
  if (!is_bool(prepend)) value_error("`prepend` must be TRUE or FALSE.", call)
  if (!is_bool(always)) value_error("`always_call` must be TRUE or FALSE.", call)
  the$hooks <- (the$hooks %||% 0) + 1
  id <- as.character(the$hooks)
  made <- set_names(list(list(hook = hook, always = always)), id)
  hooks <- module_hooks(self, kind)
  set_module_hooks(self, kind, if (prepend) c(made, hooks) else c(hooks, made))
  structure(
    list(id = id, remove = function() {
      remove_hook(self, kind, id)
      invisible()
    }),
    class = "torch_hook"
  )
}

remove_hook <- function(self, kind, id) {
  hooks <- module_hooks(self, kind)
  set_module_hooks(self, kind, hooks[names(hooks) != id])
}

# Runs `hooks` one after the other. Each gets the value that the hooks before it left. A visible result that is not
# NULL replaces the value.
run_hooks <- function(self, kind, value, call_hook, take = function(value, result) result, hooks = module_hooks(self, kind)) {
  for (i in seq_along(hooks)) {
    value <- run_hook(self, kind, i, {
      result <- withVisible(call_hook(hooks[[i]]$hook, value))
      if (!result$visible || is.null(result$value)) value else take(value, result$value)
    })
  }
  value
}

run_hook <- function(self, kind, i, code) {
  withCallingHandlers(code, error = function(e) {
    label <- sprintf("The %s number %d of %s failed.", hook_kinds[[kind]], i, module_label(module_callable(self)))
    torch_abort(label, "runtime_error", NULL, parent = e)
  })
}

# ---- calls --------------------------------------------------------------------------------------------------------------

# `frame` is the frame of the call. `forward` is called anew with what the hooks made of the arguments.
call_with_hooks <- function(self, frame) {
  module <- module_callable(self)
  inputs <- run_hooks(
    self, "forward_pre", given_arguments(formals(self$forward), frame), function(hook, inputs) hook(module, inputs),
    function(inputs, result) if (is_bare_list(result)) result else replace(inputs, 1L, list(result))
  )
  waiting <- module_hooks(self, "forward")
  on.exit(for (hook in waiting) if (hook$always) tell_failure(hook$hook, module, inputs))
  watch <- if (length(c(module_hooks(self, "backward_pre"), module_hooks(self, "backward")))) watch_gradients(self)
  if (!is.null(watch)) inputs <- watch$inputs(inputs)
  forward <- self$forward
  output <- eval(as.call(c(quote(forward), set_names(lapply(seq_along(inputs), function(i) call("[[", quote(inputs), i)), names(inputs)))))
  output <- run_hooks(self, "forward", output, function(hook, output) {
    waiting <<- waiting[-1L]
    hook(module, inputs, output)
  })
  if (is.null(watch)) output else watch$outputs(output)
}

# The arguments among `formals` that the caller gave, as a list for another call of the function.
given_arguments <- function(formals, frame) {
  given <- list()
  for (name in names(formals)) {
    if (name == "...") {
      given <- c(given, eval(quote(base::list(...)), frame))
    } else if (!eval(call("missing", as.name(name)), frame)) {
      given <- c(given, set_names(list(get(name, frame)), name))
    }
  }
  given
}

# Runs on the way out of a call that failed. An error of the hook becomes a warning here, because it would hide the
# first error.
tell_failure <- function(hook, module, inputs) {
  tryCatch(hook(module, inputs, NULL), error = function(e) {
    warning("A forward hook that is always called failed too: ", conditionMessage(e), call. = FALSE)
  })
}

# ---- gradients ----------------------------------------------------------------------------------------------------------

# Passes the inputs and outputs of one call through functions that change nothing. The derivatives of these functions
# call the hooks.
watch_gradients <- function(self) {
  hooks <- lapply(set_names(c("backward_pre", "backward")), function(kind) module_hooks(self, kind))
  # The derivative of the outputs sets `grad_output`, which the derivative of the inputs reads. `n` is the number of
  # arguments that are tensors.
  call <- new_environment(list(grad_output = NULL, n = 0L, watched = integer()))
  list(
    inputs = function(inputs) {
      tensors <- which(vapply(inputs, is_torch_tensor, NA))
      needs <- vapply(inputs[tensors], function(x) x$requires_grad, NA)
      call$n <- length(tensors)
      call$watched <- which(needs)
      if (any(needs)) inputs[tensors[needs]] <- passed_on(inputs[tensors[needs]], gradients_of_inputs(self, hooks, call))
      inputs
    },
    outputs = function(output) {
      tensors <- tensors_within(output)
      needs <- vapply(tensors, function(x) x$requires_grad, NA)
      if (!any(needs)) return(output)
      tensors[needs] <- passed_on(tensors[needs], gradients_of_outputs(self, hooks, call, which(needs), length(tensors)))
      with_tensors(output, tensors)
    }
  )
}

# Gives the tensors as results of a node whose derivative is `derivative(gradients)`. Arguments and results of that
# function are lists, with NULL for no gradient.
passed_on <- function(tensors, derivative) inject(passing(derivative)(!!!unname(tensors)))

# This function and the next two make functions that LibTorch's graph holds. Their frames must hold no tensor of that
# graph, and no unevaluated argument, which would keep the frame it comes from.
passing <- function(derivative) {
  force(derivative)
  autograd_function(
    forward = function(ctx, ...) {
      ctx$set_materialize_grads(FALSE)
      list(...)
    },
    backward = function(ctx, ...) derivative(lapply(list(...), function(x) if (!is_undefined_tensor(x)) x))
  )
}

gradients_of_outputs <- function(self, hooks, call, watched, n) {
  list(self, hooks, call, watched, n)
  function(gradients) {
    module <- module_callable(self)
    all <- replace(vector("list", n), watched, gradients)
    all <- run_hooks(
      self, "backward_pre", all, function(hook, all) hook(module, all),
      function(all, result) checked_gradients(result, all, "grad_output"), hooks$backward_pre
    )
    call$grad_output <- all
    if (!length(call$watched)) {
      run_hooks(
        self, "backward", vector("list", call$n), function(hook, grads) hook(module, grads, all),
        function(grads, result) refuse_gradients(result, grads), hooks$backward
      )
      call$grad_output <- NULL
    }
    all[watched]
  }
}

gradients_of_inputs <- function(self, hooks, call) {
  list(self, hooks, call)
  function(gradients) {
    module <- module_callable(self)
    all <- replace(vector("list", call$n), call$watched, gradients)
    grad_output <- call$grad_output
    call$grad_output <- NULL
    all <- run_hooks(
      self, "backward", all, function(hook, all) hook(module, all, grad_output),
      function(all, result) checked_gradients(result, all, "grad_input"), hooks$backward
    )
    all[call$watched]
  }
}

checked_gradients <- function(result, old, what) {
  if (is_torch_tensor(result)) result <- list(result)
  is_gradient <- function(x) is.null(x) || is_torch_tensor(x)
  if (!is.list(result) || length(result) != length(old) || !all(vapply(result, is_gradient, NA))) {
    value_error(sprintf("It must give NULL or a list of %s, as `%s` is.", count_of(length(old), "gradient", "gradients"), what), NULL)
  }
  result
}

refuse_gradients <- function(result, old) {
  if (is.list(result) && all(vapply(result, is.null, NA))) return(old)
  value_error("It must give NULL, as none of the inputs needs a gradient.", NULL)
}

# A TorchScript program can't hold R functions.
refuse_backward_hooks <- function(module, call) {
  tree <- module_tree(module)
  for (i in seq_along(tree)) {
    self <- attr(tree[[i]], "module", exact = TRUE)
    if (is.null(self) || !length(c(module_hooks(self, "backward_pre"), module_hooks(self, "backward")))) next
    who <- if (i == 1L) "The module" else sprintf("Its submodule `%s`", names(tree)[i])
    value_error(sprintf("%s has backward hooks, which a trace can't hold: remove them first.", who), call)
  }
}
