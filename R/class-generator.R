# Generators: the functions by which users make classes of datasets, samplers, optimisers and modules.
#
# A generator is a function with the formals of the class's `initialize`. Calling it makes an R6 object. Methods are
# evaluated in a scope of the class's own (below the environment where the user wrote them), so that the package can put
# helpers next to a user's methods without a search path between them.

# A function with the formals of `initialize` which hands the call as it was written to `new`. The call is passed on
# unevaluated: any argument name is possible, missing arguments stay missing, and defaults are evaluated by
# `initialize` itself, where they may use `self`.
generator_function <- function(generator, new) {
  relay <- function(call, env) {
    # Errors show the call as the user wrote it.
    call[[1L]] <- structure(new, written = call[[1L]])
    eval(call, env)
  }
  new_function(r6_initialize_formals(generator), expr((!!relay)(sys.call(), parent.frame())))
}

r6_initialize_formals <- function(generator) {
  while (!is.null(generator)) {
    initialize <- generator$public_methods$initialize
    if (!is.null(initialize)) {
      return(formals(initialize))
    }
    generator <- generator$get_inherit()
  }
  pairlist()
}

# The R6 class below a generator, or an R6 class itself.
r6_class_of <- function(inherit, arg = "inherit", call = caller_env()) {
  class <- if (R6::is.R6Class(inherit)) inherit else attr(inherit, "r6_class", exact = TRUE)
  if (is.null(class)) {
    value_error(sprintf("`%s` must be a generator or an R6 class, not %s.", arg, friendly_type(inherit)), call = call)
  }
  class
}

# Members of a generator, as those of R6 classes: `$new(...)` is the generator itself.
generator_member <- function(generator, name) {
  r6_class <- attr(generator, "r6_class", exact = TRUE)
  if (name != "new") return(if (!is.null(r6_class)) get0(name, r6_class, inherits = FALSE))
  new <- generator
  attributes(new) <- NULL
  new
}

#' @export
`$.dataset_generator` <- function(x, name) generator_member(x, name)
#' @export
`$.iterable_dataset_generator` <- `$.dataset_generator`
#' @export
`$.sampler_generator` <- `$.dataset_generator`
#' @export
`$.torch_optimizer_generator` <- `$.dataset_generator`

print_generator <- function(x, kind = "nn_module_generator") {
  cat(sprintf("<%s> %s\n", kind, class(x)[[1L]]))
  invisible(x)
}

# Users may give a class any name. If some package has methods for a class of that name ("factor", "data.frame",
# "lm"), R would call these methods on our objects, so `_kind` is appended to the name. Methods of the package that
# makes the class count as meant for it; `home` is an environment in that package.
free_class_name <- function(name, kind, inherited, home, arg = "name", call = caller_env(2)) {
  if (is.null(name) || identical(name, "")) return(NULL)
  if (!is_string(name)) value_error(sprintf("`%s` must be a string or NULL, not %s.", arg, friendly_type(name)), call)
  taken <- function(generic) {
    method <- utils::getS3method(generic, name, optional = TRUE, envir = topenv())
    if (is.null(method)) return(FALSE)
    # A primitive function has no environment and belongs to base R.
    from <- environmentName(topenv(environment(method) %||% baseenv()))
    from == environmentName(topenv()) || !from %in% c("R_GlobalEnv", environmentName(topenv(home)))
  }
  generics <- c("print", "format", "length", "$", "$<-", "[[", "[[<-", "[", "names", "as.list", "summary")
  if (name %in% inherited || !any(vapply(generics, taken, NA))) name else paste(name, kind, sep = "_")
}

r6_class_names <- function(class) {
  names <- character()
  while (!is.null(class)) {
    names <- c(names, class$classname)
    class <- class$get_inherit()
  }
  names
}

# A new R6 class whose methods are evaluated below `parent_env`, in a scope that holds `helpers`. A base class of this
# package is looked up when it is used, so that a class stored in another package follows an update of this one.
new_r6_class <- function(name, parent, base, members, private, active, parent_env, class = TRUE, helpers = list()) {
  scope <- new_environment(helpers, parent = parent_env)
  scope$.parent <- if (identical(parent, base())) base else constant(parent)
  scope$.class <- R6::R6Class(
    name,
    public = members, private = private, active = active, inherit = .parent(), parent_env = scope,
    class = class, lock_objects = FALSE
  )
}

# The environment of this function holds nothing but the value, because R writes it into files with every class.
constant <- function(value) new_function(NULL, quote(value), new_environment(list(value = value), topenv()))

# The generator of a class whose objects users see as R6 objects.
new_generator <- function(name, inherit, base, members, private, active, parent_env, generator_class,
                          helpers = list(), call = caller_env()) {
  parent <- r6_class_of(inherit, call = call)
  kind <- sub("^torch_", "", sub("_generator$", "", generator_class))
  name <- free_class_name(name, kind, r6_class_names(parent), parent_env, call = call)
  r6_class <- new_r6_class(name, parent, base, members, private, active, parent_env, helpers = helpers)
  structure(generator_function(r6_class, r6_class$new), class = c(name, generator_class), r6_class = r6_class)
}

# What cpp_new_instance() needs to make an object of an R6 class without a class attribute. It is NULL if the class
# asks for something that only R6's `new()` does. A weak reference keeps the plan with the class: R writes none into
# files, so a class that was stored with another package is planned anew. Its base class may have changed by then.
instance_plan <- function(class) {
  plan <- if (is.null(class$.plan)) NULL else wref_value(class$.plan)
  if (!is.null(plan) && identical(plan$own, class$public_methods)) return(plan)
  chain <- list(class)
  while (!is.null(parent <- chain[[1L]]$get_inherit())) chain <- c(list(parent), chain)
  levels <- lapply(chain, class_level)
  fields <- function(which) {
    merged <- named_list(NULL)
    for (x in chain) merged[names(x[[which]])] <- x[[which]]
    merged
  }
  methods <- unlist(lapply(levels, function(x) c(names(x[[2L]]), names(x[[3L]]))))
  active <- unlist(lapply(levels, function(x) names(x[[4L]])))
  is_plain <- !isTRUE(class$class) && class$portable && !class$lock_objects && !"finalize" %in% methods &&
    !length(class$debug_names) && !anyDuplicated(active) && !any(active %in% methods)
  # R copies a list that a weak reference holds, and what is not the same object is compared function by function.
  plan <- new_environment(list(
    own = class$public_methods,
    parts = if (is_plain) list(levels, fields("public_fields"), fields("private_fields")),
    asked = asked_members(chain)
  ))
  class$.plan <- new_weakref(class, plan)
  plan
}

# What cpp_new_instance() wants to know of one class.
class_level <- function(class) {
  forward <- class$public_methods$forward
  private <- c(named_list(class$private_methods), if (!is.null(forward)) list(.callable = guarded(forward)))
  list(class$parent_env, named_list(class$public_methods), private, named_list(class$active))
}

named_list <- function(x) x %||% structure(list(), names = character())

new_instance <- function(class, ...) {
  plan <- instance_plan(class)
  parts <- plan$parts
  if (is.null(parts)) return(class$new(...))
  self <- cpp_new_instance(parts[[1L]], parts[[2L]], parts[[3L]], NULL)
  if (length(plan$asked)) bind_asked(self, plan$asked)
  self$initialize(...)
  self
}
