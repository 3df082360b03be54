# Modules: objects that hold parameters, buffers and other modules, and are called like functions.
#
# A module has two faces. Users hold a closure: the module's `forward` method itself, with the class of the module and,
# as attribute `module`, an R6 object. Calling the closure is a plain function call. Methods see the R6 object, `self`:
# an environment without a class, so that `self$weight` is one look-up (a class would make R search for a method of `$`
# at every access, more than ten times the price). Parameters, buffers and children are ordinary bindings of that
# environment; what a binding is can be read off its value, and only the order in which names came is kept beside it.
# Assignments to `self` inside methods go through `$<-` and `[[<-` of the methods' scope, see `module_scope`.

#' @include nn-module-members.R
NULL

nn_Module <- R6::R6Class(
  "nn_module",
  class = FALSE,
  lock_objects = FALSE,
  public = list(
    training = TRUE,
    initialize = function() {},
    forward = function(...) {
      not_implemented_error("This module can't be called: it has no `forward` method.")
    },
    add_module = function(name, module) {
      check_child(module)
      module_assign(self, check_member_name(as.character(name)), module)
      invisible(module_callable(self))
    },
    register_module = function(name, module) {
      self$add_module(name, module)
    },
    register_parameter = function(name, param) {
      if (!is.null(param) && !is_nn_parameter(param)) {
        param <- nn_parameter(param)
      }
      module_assign(self, check_member_name(name), param)
      invisible(module_callable(self))
    },
    register_buffer = function(name, tensor, persistent = TRUE) {
      check_member_name(name)
      check_switch(persistent, "persistent")
      if (!is.null(tensor)) check_tensor(tensor, "tensor")
      module_assign(self, name, if (!is.null(tensor)) nn_buffer(tensor, persistent))
      invisible(module_callable(self))
    },
    train = function(mode = TRUE) {
      each_module(
        self, "train", function(self, members) module_assign(self, "training", mode), function(module) module$train(mode)
      )
      invisible(module_callable(self))
    },
    eval = function() {
      self$train(FALSE)
    },
    apply = function(fn) {
      if (!is.function(fn)) type_error(sprintf("`fn` must be a function, not %s.", friendly_type(fn)))
      each_module(
        self, "apply", function(self, members) fn(module_callable(self)), function(module) module$apply(fn),
        children_first = TRUE
      )
      invisible(module_callable(self))
    },
    .apply = function(fn) {
      each_module(
        self, ".apply", function(self, members) module_apply(self, members, fn), function(module) module$.apply(fn),
        kinds = tensor_classes, children_first = TRUE
      )
      invisible(module_callable(self))
    },
    to = function(dtype = NULL, device = NULL, tensor = NULL, non_blocking = FALSE, copy = FALSE,
                  memory_format = torch_preserve_format()) {
      if (is_place(dtype)) return(self$to(device, dtype, tensor, non_blocking, copy, memory_format))
      self$.apply(tensor_mover(dtype %||% tensor$dtype, device %||% tensor$device, non_blocking, copy, memory_format))
    },
    cuda = function(device = NULL) {
      self$to(device = as_cuda_device(device))
    },
    cpu = function() {
      self$to(device = "cpu")
    },
    zero_grad = function(set_to_none = FALSE) {
      tensors_zero_grad(self$parameters, set_to_none)
      invisible(module_callable(self))
    },
    state_dict = function(prefix = "", keepvars = FALSE) {
      if (!is_string(prefix)) value_error(sprintf("`prefix` must be a string, not %s.", friendly_type(prefix)))
      check_switch(keepvars, "keepvars")
      module_state_dict(self, prefix, keepvars)
    },
    load_state_dict = function(state_dict, ..., .refer_to_state_dict = FALSE) {
      check_switch(.refer_to_state_dict, ".refer_to_state_dict")
      module_load(module_callable(self), state_dict, .refer_to_state_dict)
      invisible(module_callable(self))
    },
    named_parameters = function(recursive = TRUE) {
      check_switch(recursive, "recursive")
      if (recursive) self$parameters else own_members(self, "nn_parameter")
    },
    named_buffers = function(recursive = TRUE) {
      check_switch(recursive, "recursive")
      if (recursive) self$buffers else own_members(self, "nn_buffer")
    }
  ),
  active = list(
    parameters = function(value) {
      refuse_assignment("parameters", missing(value))
      tree_members(self, "parameters", "nn_parameter")
    },
    buffers = function(value) {
      refuse_assignment("buffers", missing(value))
      tree_members(self, "buffers", "nn_buffer")
    },
    children = function(value) {
      refuse_assignment("children", missing(value))
      own_members(self, "nn_module")
    },
    modules = function(value) {
      refuse_assignment("modules", missing(value))
      tree_modules(self)
    }
  ),
  private = list(
    # Names of parameters, buffers and children, in the order in which they were first set.
    .registered = character(),
    # Members that are computed of others: functions of the module.
    .computed = list(),
    .hook_lists = list(),
    # Whether another module may hold this one.
    .is_held = FALSE,
    # Names of those members that are there because a method asks for them, see `bind_asked()`.
    .asked = character()
  )
)

check_child <- function(module, call = caller_env()) {
  if (inherits(module, "nn_module_generator")) {
    value_error("`module` must be initialized: call the generator, as in `nn_relu()`.", call)
  }
  if (!is_nn_module(module)) {
    type_error(sprintf("`module` must be an nn_module, but got object of type %s.", class(module)[[1L]]), call)
  }
}

refuse_assignment <- function(field, is_read) {
  if (!is_read) {
    runtime_error(sprintf(
      "It's not possible to assign to `%s`: assign single ones by name, as in `module$weight <- nn_parameter(x)`.", field
    ), call = NULL)
  }
}

# The closure that users hold.
module_callable <- function(self) {
  within <- self$.__enclos_env__
  callable <- within$private$.callable
  if (is.null(callable)) {
    callable <- guarded(self$forward)
    guard_calls(self)
  }
  attributes(callable) <- list(class = parent.env(within)$.classes, module = self)
  callable
}

# What tells whether two R objects are the same module. A script module has no R6 object, and several R objects may stand for
# one.
module_identity <- function(module) {
  if (inherits(module, "script_module")) return(cpp_module_identity(script_handle(module)))
  attr(module, "module", exact = TRUE) %||% module
}

# ---- Generators ----

#' Modules
#'
#' `nn_module()` makes a class of modules: a function that creates modules. A module is called like a function, which
#' runs its `forward` method, and it keeps track of the parameters, buffers and child modules that are assigned to
#' `self` (or to the module, from outside).
#'
#' @section Members:
#' Assigning an [nn_parameter()] registers a parameter, an [nn_buffer()] a buffer, a module a child. Anything else,
#' plain tensors included, is a field that is neither saved nor moved.
#'
#' * `$parameters`, `$buffers`: named lists of the tensors of the whole tree, each tensor once; `$children`: the modules
#'   held directly; `$modules`: the module and all below it.
#' * `$state_dict()`: the tensors by name. `$load_state_dict(state_dict)` copies values back; entries for which the
#'   module has no place are not used. With `.refer_to_state_dict = TRUE` the module takes over the tensors
#'   themselves. If a class has the methods `get_extra_state()` and `set_extra_state(state)`, its state dict holds
#'   what the first returns as `_extra_state`, and the second gets it back. The methods `.save_to_state_dict(prefix,
#'   keepvars)` and `.load_from_state_dict(state_dict, prefix)` of a class decide what a module itself gives and
#'   takes, by full names; `super$` has the usual ones.
#' * `$train(mode = TRUE)`, `$eval()`: set the flag `training` in the whole tree.
#' * `$to(dtype, device)`, `$cuda()`, `$cpu()`: convert the floating point tensors to `dtype` and move all to `device`.
#'   `$float()`, `$double()`, `$half()`, `$bfloat16()` are `$to()` of that dtype; `$type(dst_type)` casts the other tensors
#'   too; `$to_empty(device)` leaves the values undefined, for a module on the device `"meta"`.
#' * `$apply(fn)`: calls `fn` with each module of the tree, children first.
#' * `$zero_grad(set_to_none = FALSE)`: sets the gradients of all parameters to zero, or takes them away.
#' * `$requires_grad_(requires_grad = TRUE)`: whether gradients are recorded for the parameters.
#' * `$named_modules(remove_duplicate = TRUE)`: the module and all below it by their paths, such as `"body.0"`, its own being
#'   empty; `$named_children()` those held directly; `$named_parameters(recursive)`, `$named_buffers(recursive)`.
#' * `$get_submodule(target)`, `$get_parameter(target)`, `$get_buffer(target)`: what has the path `target`;
#'   `$set_submodule(target, module)` puts a module there.
#' * `$register_forward_hook(hook)` and its like: functions that are called with the module, see [nn_module_hooks].
#' * `$clone(deep = TRUE)`: a copy, see `clone_module()`.
#' * `$add_module(name, module)`, `$register_parameter(name, param)`, `$register_buffer(name, tensor, persistent)`: as
#'   assigning, for names that are made by a program.
#'
#' @section Errors:
#' Assigning to `$parameters`, `$buffers`, `$children` or `$modules` is a `runtime_error`; a key missing in a state dict
#' and a `training` flag that is not `TRUE` or `FALSE` are `value_error`s.
#'
#' @param classname name of the class, or `NULL`.
#' @param inherit a generator to inherit from; its methods are reached by `super`.
#' @param ... methods and fields. `initialize` gives the generator its arguments, `forward` the module its own.
#' @param private,active lists of private members and of active bindings, as in [R6::R6Class()].
#' @param parent_env environment in which the methods are evaluated.
#' @returns `nn_module()`: a generator, a function that returns a module; `generator$new(...)` is the same call. A module
#'   prints as the call that makes it, with those arguments of `initialize` that it keeps in fields of the same names.
#' @seealso [nn_sequential()], [nn_linear()], [summary()][summary.nn_module] and [plot()][plot_graph] of modules
#' @examplesIf torch::torch_is_installed()
#' net <- nn_module(
#'   "net",
#'   initialize = function(inputs, hidden) {
#'     self$hidden <- nn_linear(inputs, hidden)
#'     self$output <- nn_linear(hidden, 1)
#'   },
#'   forward = function(x) {
#'     self$output(nnf_relu(self$hidden(x)))
#'   }
#' )
#' model <- net(3, 8)
#' model(torch_randn(10, 3))$shape
#' names(model$parameters)
#' @export
nn_module <- function(classname = NULL, inherit = nn_Module, ..., private = NULL, active = NULL,
                      parent_env = parent.frame()) {
  parent <- r6_class_of(inherit)
  inherited <- if (identical(parent, nn_Module)) "nn_module" else setdiff(class(inherit), "nn_module_generator")
  classname <- free_class_name(classname, "module", inherited, parent_env, arg = "classname", call = current_env())
  classes <- c(classname, inherited)
  r6_class <- new_r6_class(
    classname, parent, base_module, list2(...), private, active, parent_env,
    class = FALSE, helpers = c(module_scope, list(.classes = classes))
  )
  structure(
    generator_function(r6_class, function(...) module_callable(new_instance(r6_class, ...))),
    class = c(classes, "nn_module_generator"),
    r6_class = r6_class
  )
}

base_module <- function() nn_Module

#' @param x a tensor; for `is_*()` any object.
#' @param requires_grad whether gradients are recorded for the parameter.
#' @returns `nn_parameter()`, `nn_buffer()`: `x` itself, marked; any other name of the same tensor sees the mark.
#' @rdname nn_module
#' @export
nn_parameter <- function(x, requires_grad = TRUE) {
  check_tensor(x, "x")
  if (!inherits(x, "nn_parameter")) {
    classes <- class(x)
    class(x) <- c(classes[classes != "nn_buffer"], "nn_parameter")
  }
  set_requires_grad(x, requires_grad)
}

#' @param persistent whether the buffer is part of the state dict.
#' @rdname nn_module
#' @export
nn_buffer <- function(x, persistent = TRUE) {
  check_tensor(x, "x")
  check_switch(persistent, "persistent")
  if (!is_nn_buffer(x)) {
    class(x) <- c(setdiff(class(x), "nn_parameter"), "nn_buffer")
  }
  attr(x, "persistent") <- persistent
  x
}

is_persistent <- function(x) !isFALSE(attr(x, "persistent", exact = TRUE))

#' @rdname nn_module
#' @export
is_nn_module <- function(x) inherits(x, "nn_module") && !inherits(x, "nn_module_generator")

#' @rdname nn_module
#' @export
is_nn_parameter <- function(x) inherits(x, "nn_parameter")

#' @rdname nn_module
#' @export
is_nn_buffer <- function(x) inherits(x, "nn_buffer")

# ---- for layers ----

# Keeps the arguments of the `initialize` that calls as fields of the same names, when they are what `setting_checks` or `checks`
# say of these names. Names in `except` are checked only: something else has them, such as a parameter `bias`. Tensors are
# buffers where they are meant as such, and elsewhere the numbers that they hold.
keep_settings <- function(except = character(), checks = list()) {
  frame <- parent.frame()
  self <- get("self", frame)
  formals <- formals(sys.function(sys.parent()))
  for (name in names(formals)) {
    if (name == "...") next
    value <- get(name, frame)
    # Numbers are no objects: nothing of what follows for tensors concerns them.
    if (is.object(value)) {
      plain <- if (name %in% tensor_settings) value else plain_setting(value)
      if (!identical(plain, value)) assign(name, value <- plain, frame)
    }
    check <- checks[[name]]
    if (is.null(check)) check <- setting_checks[[name]]
    if (!is.null(check) && !check$ok(value)) check_setting(name, value, check, frame)
    if (name %in% except) next
    if (is_torch_tensor(value)) module_assign(self, name, nn_buffer(value)) else assign(name, value, envir = self)
  }
}

check_size <- function(x, arg, from = 1, call = caller_env()) {
  if (!is_whole_number(x) || x < from) {
    value_error(sprintf("`%s` must be a whole number from %d on, not %s.", arg, from, friendly_type(x)), call)
  }
}

check_choice <- function(x, choices, arg, call = caller_env()) {
  if (is_string(x) && x %in% choices) return(x)
  value_error(sprintf("`%s` must be one of %s, not %s.", arg, toString(dQuote(choices, FALSE)), friendly_type(x)), call)
}
