# Modules that hold other modules.

#' @include nn-module.R
NULL

#' Containers of modules
#'
#' * `nn_sequential()` calls its modules one after the other; each gets the result of the one before.
#' * `nn_module_list()` holds modules, so that a `forward` method can loop over them. It has the methods
#'   `$append(module)`, `$insert(index, module)` (counting from 1) and `$extend(modules)`.
#' * `nn_module_dict()` holds modules under names.
#' * `nn_prune_head()` is a module without its last `head_size` children, for replacing the head of a trained model.
#'
#' Children without a name are called `"0"`, `"1"` and so on.
#'
#' Of all three `[[i]]` is the i-th module, `[i]` a container of some of them, `length()` their number and `names()` the
#' names that were given. `lapply()`, `Map()` and [loop()] go over the modules, and so does `for (m in as.list(modules))`:
#' a module is a function, over which R's `for` alone does not go.
#'
#' @param ... modules, named or not.
#' @param modules a list of modules.
#' @param dict a named list of modules.
#' @param x a module.
#' @param head_size how many children to leave out.
#' @returns A module (the first three are generators, see [nn_module()]).
#' @examplesIf torch::torch_is_installed()
#' model <- nn_sequential(nn_linear(3, 8), nn_relu(), nn_linear(8, 1))
#' model(torch_randn(5, 3))$shape
#' nn_prune_head(model, 1)
#' @name nn_containers
NULL

#' @rdname nn_containers
#' @export
nn_sequential <- nn_module(
  "nn_sequential",
  initialize = function(...) add_children(self, list2(...)),
  forward = function(input) {
    # Goes over the members in order. A member that is no function is a parameter or a buffer of a class that inherits
    # from this one.
    for (name in private$.registered) {
      module <- .subset2(self, name)
      if (is.function(module)) {
        input <- module(input)
      }
    }
    input
  }
)

#' @rdname nn_containers
#' @export
nn_module_list <- nn_module(
  "nn_module_list",
  initialize = function(modules = list()) add_children(self, check_modules(modules)),
  append = function(module) add_children(self, list(module)),
  extend = function(modules) add_children(self, check_modules(modules)),
  insert = function(index, module) {
    n <- length(self$children)
    if (!is_whole_number(index) || index < 1 || index > n + 1) {
      value_error(sprintf("`index` must be a position from 1 to %d, not %s.", n + 1L, friendly_type(index)))
    }
    modules <- append(unname(self$children), list(module), after = index - 1L)
    for (i in seq_along(modules)) {
      self$add_module(i - 1L, modules[[i]])
    }
    invisible(module_callable(self))
  }
)

#' @rdname nn_containers
#' @export
nn_module_dict <- nn_module(
  "nn_module_dict",
  initialize = function(dict) {
    if (!is_named(dict) && length(dict) > 0L) {
      value_error("`dict` must be a list in which each module has a name.")
    }
    add_children(self, dict)
  }
)

# Appends children; those without a name are numbered from 0.
# A list, or another module with children.
check_modules <- function(modules, call = caller_env()) {
  if (is.list(modules)) return(modules)
  if (inherits(modules, c("nn_module_list", "nn_sequential", "nn_module_dict"))) return(unname(modules$children))
  type_error(sprintf("`modules` must be a list of modules, not %s.", friendly_type(modules)), call)
}

add_children <- function(self, modules) {
  names <- names2(modules)
  numbers <- length(self$children) + seq_along(modules) - 1L
  names[names == ""] <- numbers[names == ""]
  for (i in seq_along(modules)) {
    self$add_module(names[[i]], modules[[i]])
  }
  invisible(module_callable(self))
}

#' @export
length.nn_sequential <- function(x) length(registered_children(x))
#' @export
length.nn_module_list <- length.nn_sequential
#' @export
length.nn_module_dict <- length.nn_sequential

#' @export
names.nn_sequential <- function(x) child_names(registered_children(x))
#' @export
names.nn_module_list <- names.nn_sequential
#' @export
names.nn_module_dict <- function(x) names(registered_children(x))

some_children <- function(x, i, call = caller_env(2)) {
  some <- as.list(x)[i]
  if (!any(vapply(some, is.null, NA))) return(some)
  value_error(sprintf("The module has %s: `i` must hold positions or names of these.", count_of(length(x), "child", "children")), call)
}

#' @export
`[.nn_sequential` <- function(x, i) nn_sequential(!!!some_children(x, i))
#' @export
`[.nn_module_list` <- function(x, i) nn_module_list(some_children(x, i))
#' @export
`[.nn_module_dict` <- function(x, i) nn_module_dict(x$children[i])

#' @export
rev.nn_sequential <- function(x) x[rev(seq_along(x))]
#' @export
rev.nn_module_list <- rev.nn_sequential

#' @rdname nn_containers
#' @export
nn_prune_head <- function(x, head_size) UseMethod("nn_prune_head")

#' @export
nn_prune_head.nn_module <- function(x, head_size = 1L) {
  children <- x$children
  if (!is_integerish(head_size, 1L) || head_size < 0 || head_size >= length(children)) {
    value_error(sprintf(
      "`head_size` must be a number from 0 to %d, one less than the children of `x`.", length(children) - 1L
    ))
  }
  nn_sequential(!!!children[seq_len(length(children) - head_size)])
}
