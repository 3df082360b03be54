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
    call[[1L]] <- new
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

# A new R6 class whose methods are evaluated below `parent_env`, in a scope that holds `helpers`. A base class of this
# package is looked up when it is used, so that a class stored in another package follows an update of this one.
new_r6_class <- function(name, parent, base, members, private, active, parent_env, class = TRUE, helpers = list()) {
  scope <- new_environment(helpers, parent = parent_env)
  scope$.parent <- if (identical(parent, base())) base else function() parent
  R6::R6Class(
    name,
    public = members, private = private, active = active, inherit = .parent(), parent_env = scope,
    class = class, lock_objects = FALSE
  )
}

# The generator of a class whose objects users see as R6 objects.
new_generator <- function(name, inherit, base, members, private, active, parent_env, generator_class,
                          helpers = list(), call = caller_env()) {
  parent <- r6_class_of(inherit, call = call)
  r6_class <- new_r6_class(name, parent, base, members, private, active, parent_env, helpers = helpers)
  structure(generator_function(r6_class, r6_class$new), class = c(name, generator_class), r6_class = r6_class)
}
