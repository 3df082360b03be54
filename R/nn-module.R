# Modules: objects that hold parameters, buffers and other modules, and are called like functions.
#
# A module has two faces. Users hold a closure: the module's `forward` method itself, with the class of the module and,
# as attribute `module`, an R6 object. Calling the closure is a plain function call. Methods see the R6 object, `self`:
# an environment without a class, so that `self$weight` is one look-up (a class would make R search for a method of `$`
# at every access, more than ten times the price). Parameters, buffers and children are ordinary bindings of that
# environment; what a binding is can be read off its value, and only the order in which names came is kept beside it.
# Assignments to `self` inside methods go through `$<-` and `[[<-` of the methods' scope, see `module_scope`.

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
      if (inherits(module, "nn_module_generator")) {
        value_error("`module` must be initialized: call the generator, as in `nn_relu()`.")
      }
      if (!is_nn_module(module)) {
        type_error(sprintf("`module` must be an nn_module, but got object of type %s.", class(module)[[1L]]))
      }
      module_assign(self, as.character(name), module)
      invisible(module_callable(self))
    },
    register_module = function(name, module) {
      self$add_module(name, module)
    },
    register_parameter = function(name, param) {
      if (!is.null(param) && !is_nn_parameter(param)) {
        param <- nn_parameter(param)
      }
      module_assign(self, name, param)
      invisible(module_callable(self))
    },
    register_buffer = function(name, tensor, persistent = TRUE) {
      module_assign(self, name, if (!is.null(tensor)) nn_buffer(tensor, persistent))
      invisible(module_callable(self))
    },
    train = function(mode = TRUE) {
      module_assign(self, "training", mode)
      for (child in self$children) {
        child$train(mode)
      }
      invisible(module_callable(self))
    },
    eval = function() {
      self$train(FALSE)
    },
    apply = function(fn) {
      for (child in self$children) {
        child$apply(fn)
      }
      fn(module_callable(self))
      invisible(module_callable(self))
    },
    .apply = function(fn) {
      for (child in self$children) {
        child$.apply(fn)
      }
      module_apply(self, fn)
      invisible(module_callable(self))
    },
    to = function(dtype = NULL, device = NULL, tensor = NULL, non_blocking = FALSE, copy = FALSE,
                  memory_format = torch_preserve_format()) {
      self$.apply(tensor_mover(dtype %||% tensor$dtype, device %||% tensor$device, non_blocking, copy, memory_format))
    },
    cuda = function(device = NULL) {
      self$to(device = device %||% "cuda")
    },
    cpu = function() {
      self$to(device = "cpu")
    },
    zero_grad = function() {
      tensors_zero_grad(self$parameters, FALSE)
      invisible(module_callable(self))
    },
    state_dict = function(prefix = "", keepvars = FALSE) {
      module_state_dict(self, prefix, keepvars)
    },
    load_state_dict = function(state_dict, ..., .refer_to_state_dict = FALSE) {
      module_load(module_callable(self), state_dict, "", .refer_to_state_dict)
      invisible(module_callable(self))
    },
    named_parameters = function(recursive = TRUE) {
      if (recursive) self$parameters else own_members(self, is_nn_parameter)
    },
    named_buffers = function(recursive = TRUE) {
      if (recursive) self$buffers else own_members(self, is_nn_buffer)
    }
  ),
  active = list(
    parameters = function(value) {
      refuse_assignment("parameters", missing(value))
      tree_members(self, "parameters", is_nn_parameter)
    },
    buffers = function(value) {
      refuse_assignment("buffers", missing(value))
      tree_members(self, "buffers", is_nn_buffer)
    },
    children = function(value) {
      refuse_assignment("children", missing(value))
      own_members(self, is_nn_module)
    },
    modules = function(value) {
      refuse_assignment("modules", missing(value))
      modules <- list(module_callable(self))
      for (child in self$children) {
        modules <- c(modules, child$modules)
      }
      modules[!duplicated(lapply(modules, module_identity))]
    }
  ),
  private = list(
    # Names of parameters, buffers and children, in the order in which they were first set.
    .registered = character()
  )
)

refuse_assignment <- function(field, is_read) {
  if (!is_read) {
    runtime_error(sprintf(
      "It's not possible to assign to `%s`: assign single ones by name, as in `module$weight <- nn_parameter(x)`.", field
    ), call = NULL)
  }
}

# The closure that users hold.
module_callable <- function(self) {
  callable <- self$forward
  attributes(callable) <- list(class = parent.env(self$.__enclos_env__)$.classes, module = self)
  callable
}

# Script modules have no R6 object; many R objects may stand for one.
module_identity <- function(module) {
  if (inherits(module, "script_module")) return(cpp_module_identity(script_handle(module)))
  attr(module, "module", exact = TRUE) %||% module
}

# ---- Assignment ----

# Functions that are found before base R's by the methods of a module: assigning to `self` notes what is assigned,
# anything else is passed on.
module_scope <- list(
  `$<-` = function(x, name, value) {
    name <- as.character(substitute(name))
    if (is.object(x) || !(is.list(x) || is.environment(x))) {
      return(eval(as.call(list(base::`$<-`, quote(x), name, quote(value)))))
    }
    if (is_module_self(x)) {
      module_assign(x, name, value)
    } else {
      x[[name]] <- value
    }
    x
  },
  `[[<-` = function(x, i, ..., value) {
    if (is_module_self(x)) {
      module_assign(x, i, value)
      return(x)
    }
    base::`[[<-`(x, i, ..., value = value)
  }
)

is_module_self <- function(x) is.environment(x) && !is.object(x) && !is.null(x$.__enclos_env__$private$.registered)

module_assign <- function(self, name, value) {
  if (name == "training" && !is_bool(value)) {
    value_error(sprintf("`training` must be TRUE or FALSE, not %s.", friendly_type(value)), call = NULL)
  }
  if (is_nn_module(value) || is_nn_parameter(value) || is_nn_buffer(value)) {
    private <- self$.__enclos_env__$private
    if (!name %in% private$.registered) {
      private$.registered <- c(private$.registered, name)
    }
  } else if (is_torch_tensor(value) && is_nn_buffer(old <- get0(name, self, inherits = FALSE))) {
    # A new value for a buffer is a buffer.
    value <- nn_buffer(value, is_persistent(old))
  }
  assign(name, value, envir = self)
}

# ---- Members ----

# What a module holds itself, of one kind. Names that came another way than by assignment in a method (fields given to
# nn_module(), assignments by a helper function) are found by their values and come last.
own_members <- function(self, is_kind) {
  first <- self$.__enclos_env__$private$.registered
  others <- setdiff(ls(self, all.names = TRUE), c(first, names(nn_Module$public_methods), names(nn_Module$active)))
  others <- others[!vapply(others, bindingIsActive, NA, env = self)]
  members <- mget(c(first, others), envir = self)
  members[vapply(members, is_kind, NA)]
}

# The children that were assigned, without that search: for access in a loop.
registered_children <- function(module) {
  self <- attr(module, "module", exact = TRUE)
  members <- mget(self$.__enclos_env__$private$.registered, envir = self)
  members[vapply(members, is.function, NA)]
}

# The tensors of a kind in the whole tree, children's before own, each once.
tree_members <- function(self, field, is_kind) {
  members <- list()
  children <- self$children
  for (name in names(children)) {
    tensors <- children[[name]][[field]]
    if (length(tensors) > 0L) {
      names(tensors) <- paste0(name, ".", names(tensors))
      members <- c(members, tensors)
    }
  }
  members <- c(members, own_members(self, is_kind))
  members[!duplicated(vapply(members, tensor_identity, ""))]
}

# Tensors that come back from readRDS() have no address; each stands for itself.
tensor_identity <- function(x) tryCatch(tensor_address(x), error = function(e) obj_address(x))

module_state_dict <- function(self, prefix, keepvars) {
  own <- c(own_members(self, is_nn_parameter), Filter(is_persistent, own_members(self, is_nn_buffer)))
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
  own <- c(own_members(self, is_nn_parameter), Filter(is_persistent, own_members(self, is_nn_buffer)))
  for (name in names(own)) {
    key <- paste0(prefix, name)
    value <- state_dict[[key]]
    if (is.null(value)) {
      value_error(sprintf("`state_dict` has no entry `%s`, which the module needs.", key), call = caller_env(2))
    }
    if (refer) {
      assign(name, mark_like(value, own[[name]]), envir = self)
    } else {
      with_no_grad(own[[name]]$copy_(value))
    }
  }
  children <- self$children
  for (name in names(children)) {
    module_load(children[[name]], state_dict, paste0(prefix, name, "."), refer)
  }
}

# Makes `x` the kind of member that `model` is. A dead pointer cannot tell whether it required grad; `x` then keeps its
# own flag.
mark_like <- function(x, model) {
  if (is_nn_buffer(model)) {
    return(nn_buffer(x, is_persistent(model)))
  }
  nn_parameter(x, requires_grad = tryCatch(model$requires_grad, error = function(e) x$requires_grad))
}

module_apply <- function(self, fn) {
  tensors_apply(c(own_members(self, is_nn_parameter), own_members(self, is_nn_buffer)), fn)
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
#' * `$state_dict()`: the tensors by name; `$load_state_dict(state_dict)` copies values back. With
#'   `.refer_to_state_dict = TRUE` the module takes over the tensors themselves.
#' * `$train(mode = TRUE)`, `$eval()`: set the flag `training` in the whole tree.
#' * `$to(dtype, device)`, `$cuda()`, `$cpu()`: convert the floating point tensors to `dtype` and move all to `device`.
#' * `$apply(fn)`: calls `fn` with each module of the tree, children first.
#' * `$zero_grad()`: sets the gradients of all parameters to zero.
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
#' @returns `nn_module()`: a generator, a function that returns a module.
#' @seealso [nn_sequential()], [nn_linear()]
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
  classes <- c(classname, inherited)
  r6_class <- new_r6_class(
    classname, parent, function() nn_Module, list2(...), private, active, parent_env,
    class = FALSE, helpers = c(module_scope, list(.classes = classes))
  )
  structure(
    generator_function(r6_class, function(...) module_callable(r6_class$new(...))),
    class = c(classes, "nn_module_generator"),
    r6_class = r6_class
  )
}

#' @param x a tensor; for `is_*()` any object.
#' @param requires_grad whether gradients are recorded for the parameter.
#' @returns `nn_parameter()`, `nn_buffer()`: `x` itself, marked; any other name of the same tensor sees the mark.
#' @rdname nn_module
#' @export
nn_parameter <- function(x, requires_grad = TRUE) {
  check_tensor(x, "x")
  if (!is_nn_parameter(x)) {
    class(x) <- c(setdiff(class(x), "nn_buffer"), "nn_parameter")
  }
  x$requires_grad_(requires_grad)
  x
}

#' @param persistent whether the buffer is part of the state dict.
#' @rdname nn_module
#' @export
nn_buffer <- function(x, persistent = TRUE) {
  check_tensor(x, "x")
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

# ---- Copies ----

#' @param module a module.
#' @param deep whether tensors and children are copied too. Tensors that are shared within the tree are shared in the
#'   copy; the copies have no gradient history. A private method `finalize_deep_clone` runs on a deep copy.
#' @param replace_values whether a deep copy gets copies of the tensors; else it shares them with `module`.
#' @returns `clone_module()`: a module.
#' @rdname nn_module
#' @export
clone_module <- function(module, deep = FALSE, ..., replace_values = TRUE) {
  self <- attr(module, "module", exact = TRUE)
  if (is.null(self)) return(module$clone(deep))
  if (!deep) {
    return(module_callable(self$clone()))
  }
  clone_deep(self, new_environment(), replace_values)
}

# `done` maps what was copied already to its copy: tensors by the address of the tensor, modules by that of their object.
clone_deep <- function(self, done, copy_tensors) {
  key <- obj_address(self)
  if (is.null(done[[key]])) {
    copy <- self$clone()
    done[[key]] <- module_callable(copy)
    copied <- function(x) {
      if (is_torch_tensor(x)) {
        if (copy_tensors) clone_tensor(x, done) else x
      } else if (inherits(x, "script_module")) {
        if (copy_tensors) clone_script(x, done) else x
      } else if (is_nn_module(x) && !is.null(attr(x, "module"))) {
        clone_deep(attr(x, "module"), done, copy_tensors)
      } else if (is_bare_list(x)) {
        lapply(x, copied)
      } else {
        x
      }
    }
    private <- copy$.__enclos_env__$private
    for (env in list(copy, private)) {
      for (name in ls(env, all.names = TRUE)) {
        if (!bindingIsActive(name, env) && !bindingIsLocked(name, env)) {
          assign(name, copied(env[[name]]), envir = env)
        }
      }
    }
    if (is.function(private$finalize_deep_clone)) {
      private$finalize_deep_clone()
    }
  }
  done[[key]]
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

# ---- Access from outside ----

#' @export
`$.nn_module` <- function(x, name) {
  if (name == "clone") {
    return(function(deep = TRUE, ...) clone_module(x, deep = deep, ...))
  }
  .subset2(attr(x, "module", exact = TRUE), name)
}

#' @export
`[[.nn_module` <- function(x, i) {
  if (is.character(i)) `$.nn_module`(x, i) else registered_children(x)[[i]]
}

#' @export
`$<-.nn_module` <- function(x, name, value) {
  module_assign(attr(x, "module", exact = TRUE), name, value)
  invisible(x)
}

#' @export
`[[<-.nn_module` <- function(x, i, value) {
  module_assign(attr(x, "module", exact = TRUE), if (is.character(i)) i else names(x$children)[[i]], value)
  invisible(x)
}

#' @export
names.nn_module <- function(x, ...) {
  self <- attr(x, "module", exact = TRUE)
  if (!is.null(self)) ls(self, all.names = TRUE)
}

#' @importFrom utils .DollarNames
#' @export
.DollarNames.nn_module <- function(x, pattern = "") {
  grep(pattern, grep("^[.]__", names(x), invert = TRUE, value = TRUE), value = TRUE)
}

#' @export
print.nn_module <- function(x, ...) {
  if (inherits(x, "nn_module_generator")) {
    cat(sprintf("<nn_module_generator> %s\n", class(x)[[1L]]))
    return(invisible(x))
  }
  cat(sprintf("An `nn_module` containing %s parameters.\n", count_parameters(x)))
  children <- x$children
  print_section("Modules", children, function(child) {
    kind <- if (inherits(child, "script_module")) cpp_module_type_name(script_handle(child)) else class(child)[[1L]]
    sprintf("<%s> #%s parameters", kind, count_parameters(child))
  })
  print_section("Parameters", x$named_parameters(recursive = FALSE), describe_tensor)
  print_section("Buffers", x$named_buffers(recursive = FALSE), describe_tensor)
  invisible(x)
}

count_parameters <- function(module) {
  format(sum(0, vapply(module$parameters, function(x) prod(.Call(C_shape, x)), 0)), big.mark = ",", scientific = FALSE)
}

describe_tensor <- function(x) {
  sprintf("%s [%s]", as.character(x$dtype), paste(sprintf("1:%d", .Call(C_shape, x)), collapse = ", "))
}

print_section <- function(title, members, describe) {
  if (length(members) > 0L) {
    cat("\n", format(cli::rule(left = title)), "\n", sep = "")
    cat(sprintf("%s %s: %s\n", cli::symbol$bullet, names(members), vapply(members, describe, "")), sep = "")
  }
}
