# Modules that hold other modules.

#' @include nn-module.R
NULL

#' Containers of modules
#'
#' * `nn_sequential()` calls its modules one after the other; each gets the result of the one before.
#' * `nn_module_list()` holds modules, so that a `forward` method can loop over them.
#' * `nn_module_dict()` holds modules under names.
#' * `nn_prune_head()` is a module without its last `head_size` children, for replacing the head of a trained model.
#'
#' Children without a name are called `"0"`, `"1"` and so on, by their position.
#'
#' The first two have the methods `$append(module)`, `$extend(modules)`, `$insert(index, module)` and `$pop(index)`, which takes
#' a module out and gives it back, the last one if no `index` is given. Positions count from 1. `nn_module_dict()` has
#' `$update(modules)`, which sets those of a named list, `$pop(key)` and `$clear()`, if it holds no module of such a name.
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
  append = function(module) add_children(self, list(module)),
  extend = function(modules) add_children(self, check_modules(modules)),
  insert = function(index, module) insert_child(self, index, module),
  pop = function(index = length(self$children)) pop_child(self, index),
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
  insert = function(index, module) insert_child(self, index, module),
  pop = function(index = length(self$children)) pop_child(self, index)
)

#' @rdname nn_containers
#' @export
nn_module_dict <- nn_module(
  "nn_module_dict",
  initialize = function(dict) add_children(self, check_named_modules(dict, "dict"))
)

# No methods of the class, since children may have these names.
dict_members <- list(
  update = function(modules) add_children(self, check_named_modules(modules, "modules")),
  pop = function(key) {
    children <- self$children
    if (!is_string(key) || !key %in% names(children)) {
      value_error(sprintf("`key` must be the name of a module that is here (%s), not %s.", words_of(names(children)), describe_value(key)))
    }
    remove_children(self, key)
    children[[key]]
  },
  clear = function() {
    remove_children(self, names(self$children))
    invisible(module_callable(self))
  }
)

check_named_modules <- function(modules, arg, call = caller_env()) {
  if (inherits(modules, "nn_module_dict")) return(modules$children)
  if (is.list(modules) && (is_named(modules) || !length(modules))) return(modules)
  value_error(sprintf("`%s` must be a list in which each module has a name.", arg), call)
}

insert_child <- function(self, index, module, call = caller_env()) {
  children <- self$children
  n <- length(children)
  if (!is_whole_number(index) || index < 1 || index > n + 1) {
    value_error(sprintf("`index` must be a position from 1 to %d, not %s.", n + 1L, friendly_type(index)), call)
  }
  check_child(module, call)
  set_children(self, append(children, list(module), after = index - 1L))
}

pop_child <- function(self, index, call = caller_env()) {
  children <- self$children
  if (!length(children)) value_error("There is no module to take out.", call)
  if (!is_whole_number(index) || index < 1 || index > length(children)) {
    value_error(sprintf("`index` must be a position from 1 to %d, not %s.", length(children), friendly_type(index)), call)
  }
  set_children(self, children[-index])
  children[[index]]
}

# Puts `modules` in the place of all children. Names that are numbers become those of the new positions.
set_children <- function(self, modules) {
  remove_children(self, names(self$children))
  names <- names2(modules)
  names[grepl("^[0-9]+$", names)] <- ""
  add_children(self, set_names(modules, names))
}

remove_children <- function(self, names) {
  private <- self$.__enclos_env__$private
  private$.registered <- setdiff(private$.registered, names)
  rm(list = names, envir = self)
}

# A list, or another module with children.
check_modules <- function(modules, call = caller_env()) {
  if (is.list(modules)) return(modules)
  if (inherits(modules, c("nn_module_list", "nn_sequential", "nn_module_dict"))) return(unname(modules$children))
  type_error(sprintf("`modules` must be a list of modules, not %s.", friendly_type(modules)), call)
}

# Appends children; those without a name are numbered from 0.
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
  n <- length(x)
  some <- as.list(x)[i]
  if (!any(vapply(some, is.null, NA))) return(some)
  value_error(sprintf("The module has %s: `i` must hold positions or names of these.", count_of(n, "child", "children")), call)
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
