# What names mean where a function that is compiled was written: constants, functions of R's, operators, other functions
# that are compiled with it, or what can't be in a program, with the reason. The shim gets this with the function's tree.

script_raises <- c("value_error", "type_error", "runtime_error", "not_implemented_error")

# What R's grammar is made of, and `is_null()` of rlang's, are read by their names.
script_syntax <- c(
  "{", "(", "if", "for", "while", "repeat", "break", "next", "return", "function", "<-", "=", "&&", "||", "[", "[[", "$", "is_null"
)

# What else the compiler reads by itself.
script_words <- c(
  "switch", "lapply", "sapply", "vapply", "Map", "mapply", "Filter", "Reduce", "Find", "Position", "do.call", "is.null", "stopifnot", "invisible", "%>%",
  "%||%", "jit_fork", "missing", ".subset2", "is_packed_sequence", "cpp_is_tracing", "entry_call", "with_no_grad", "with_enable_grad", script_raises
)

# What a name means where the function was written; NULL if there is nothing of that name.
script_known <- function(name, env, program, locals = character()) {
  if (name %in% script_syntax) return(refuse_other_syntax(name, env))
  if (startsWith(name, "super$")) return(script_super(name, env, program))
  if (grepl("$", substring(name, 2), fixed = TRUE) && !exists(name, env)) return(script_part(name, env, program, locals))
  parts <- strsplit(name, "::", fixed = TRUE)[[1]]
  in_package <- length(parts) == 2 && all(nzchar(parts))
  is_outside <- !in_package && !name %in% locals
  at <- if (is_outside) binding_of(name, env)
  if (isTRUE(at$is_active)) return(list(name = name, is_function = TRUE, refused = active_refused))
  f <- if (in_package) {
    tryCatch(getExportedValue(parts[1], parts[2]), error = function(e) NULL)
  } else if (is.null(at$value) || is.function(at$value)) {
    binding_of(name, env, "function")$value
  }
  if (!is.null(f)) {
    if (is_outside) watch(f, name, name, env, program)
    if (name %in% script_words && is_script_word(f, name)) return(NULL)
    return(c(list(name = name, is_function = TRUE), script_function_known(f, parts[length(parts)], program)))
  }
  if (is.null(at)) return(NULL)
  watch(at$value, name, name, env, program)
  if (is.null(at$value)) return(list(name = name, is_function = FALSE))
  c(list(name = name, is_function = FALSE), script_constant(at$value), script_shadowed(name, env, program))
}

active_refused <- "is computed anew each time that it is asked for, by an active binding, which a program can't do: take its value before"

refuse_other_syntax <- function(name, env) {
  f <- binding_of(name, env, "function")$value
  if (is.primitive(f) || name == "is_null" && (is.null(f) || !is_user_function(f))) return(NULL)
  value_error(sprintf("`%s` is not R's own where the function was written, which a program can't have: remove it.", name))
}

# Whether it is the function that the compiler reads by this name. Many packages have a `%||%` of their own.
is_script_word <- function(f, name) {
  if (!is_user_function(f) || identical(environmentName(topenv(environment(f))), "magrittr")) return(TRUE)
  names <- names(formals(f))
  name == "%||%" && length(names) == 2 && identical(
    unbraced(body(f)), call("if", call("is.null", as.name(names[1])), as.name(names[2]), as.name(names[1]))
  )
}

unbraced <- function(code) if (is.call(code) && identical(code[[1]], quote(`{`)) && length(code) == 2) unbraced(code[[2]]) else code

is_user_function <- function(f) {
  !is.primitive(f) && !identical(topenv(environment(f)), topenv()) && !environmentName(topenv(environment(f))) %in% foreign_packages
}

# A part of a list or compilation unit that a function finds outside of itself: of those that can be no constant as a whole,
# single members may be known.
script_part <- function(path, env, program, locals) {
  steps <- strsplit(path, "$", fixed = TRUE)[[1]]
  if (steps[1] %in% locals) return(NULL)
  value <- value_at(steps, env)
  if (is.null(value)) return(NULL)
  watch(value, path, steps, env, program)
  known <- list(name = path, is_function = is.function(value))
  c(known, if (is.function(value)) script_function_known(value, path, program) else script_constant(value))
}

# Where R finds a variable. Nothing of the user's is run but what R runs once, for an argument that nobody has asked for yet.
# `open`: the environments before that one which may get a variable of this name. `by_search`: whether packages that are
# attached later may come before.
binding_of <- function(name, env, mode = "any") {
  open <- list()
  by_search <- FALSE
  while (!identical(env, emptyenv())) {
    if (exists(name, env, inherits = FALSE)) {
      if (bindingIsActive(name, env)) return(list(is_active = TRUE))
      value <- get0(name, env, inherits = FALSE)
      if (mode == "any" || is.function(value)) return(list(value = value, home = env, open = open, by_search = by_search))
    }
    if (!by_search && is_open(env)) open <- c(open, env)
    by_search <- by_search || identical(env, globalenv())
    env <- parent.env(env)
  }
  NULL
}

# Nobody assigns to the environments of an object's methods.
is_open <- function(env) !environmentIsLocked(env) && !exists("self", env, inherits = FALSE) && !exists(".classes", env, inherits = FALSE)

# Notes a value that the program holds as it is now, unless it can't change. The first six are what the glue reads.
watch <- function(value, name, steps, env, program) {
  if (!is.function(value) && !is_constant_value(value)) return(NULL)
  at <- binding_of(steps[1], env, mode_of(value, steps))
  is_locked <- is.null(at$home) || bindingIsLocked(steps[1], at$home)
  if (is_locked && !length(at$open)) return(NULL)
  it <- list(
    symbol = as.name(steps[1]), open = at$open, by_search = at$by_search, home = if (!is_locked) at$home, whole = at$value,
    has_parts = length(steps) > 1 && !is_bare_list(at$value), name = name, steps = steps, env = env, value = value
  )
  is_known <- function(other) identical(other$name, name) && identical(other[c("open", "home")], it[c("open", "home")])
  if (is.null(Find(is_known, program$watched))) program$watched <- c(program$watched, list(it))
  NULL
}

# Where R looks for a function, it goes past values of the same name.
mode_of <- function(value, steps) if (is.function(value) && length(steps) == 1) "function" else "any"

value_at <- function(steps, env, mode = "any") {
  value <- binding_of(steps[1], env, mode)$value
  for (step in steps[-1]) {
    if (!is_unit(value) && !is_bare_list(value)) return(NULL)
    value <- value[[step]]
  }
  value
}

# A method of the class above the one that a method belongs to.
script_super <- function(name, env, program) {
  above <- get0("super", env)
  method <- substring(name, nchar("super$") + 1L)
  f <- if (is.environment(above)) get0(method, above, mode = "function", inherits = FALSE)
  if (!is.null(f)) list(name = name, is_function = TRUE, closure = script_closure_at(unclass_function(f), method, program))
}

# `c` may be a number here and R's function where it is called.
script_shadowed <- function(name, env, program) {
  f <- binding_of(name, env, "function")$value
  if (is.null(f)) return(NULL)
  known <- script_function_known(f, name, program)
  known[setdiff(names(known), if (!is.null(known$refused)) c("refused", "closure"))]
}

script_constant <- function(value) {
  if (!is_constant_value(value)) return(list(refused = refused_value(value)))
  list(value = script_value(value))
}

refused_value <- function(value) {
  instead <- if (is.atomic(value) && !is.null(dim(value))) {
    ": make a tensor of it, by `torch_tensor()`"
  } else if (is.factor(value) || inherits(value, c("Date", "POSIXct", "difftime", "integer64"))) {
    sprintf(": make numbers of it before, by `%s()`", if (is.factor(value)) "as.integer" else "as.numeric")
  } else if (is.environment(value) || isS4(value) || is.data.frame(value)) {
    ": take what the function needs of it before, and give that as arguments"
  } else {
    ""
  }
  if (is.atomic(value) && !is.object(value) && length(value) > 1 && anyNA(value)) return("holds NA, which a program can't")
  sprintf("is %s, which a program can't hold%s", friendly_type(value), instead)
}

# Packages whose functions are R itself to their users: what of them is compiled is written in the shim.
foreign_packages <- c("base", "stats", "utils", "methods", "graphics", "grDevices", "rlang", "cli", "withr", "R6", "glue", "bit64")

# What a program can hold as a constant.
is_constant_value <- function(value) {
  if (is.null(value)) return(TRUE)
  if (is_torch_tensor(value) || inherits(value, c("torch_dtype", "torch_device", "torch_enum"))) return(TRUE)
  if (is.atomic(value) && !is.object(value)) {
    return(is.null(value) || (is.null(dim(value)) && !is.raw(value) && (is.double(value) || !anyNA(value))))
  }
  is_bare_list(value) && all(vapply(value, is_constant_value, NA))
}

# What to write instead of functions that are not compiled.
script_instead <- list(
  c(
    "an error ends a program. Ask before, by `if`, and catch errors around the call of the program",
    "tryCatch", "try", "withCallingHandlers", "simpleError", "signalCondition", "tryInvokeRestart", "invokeRestart"
  ),
  c("write what comes last at the end of the function, and before each `return()`", "on.exit"),
  c("recursion is not; write a loop", "Recall"),
  c(
    "a program has no code as a value. Write a function",
    "eval", "evalq", "quote", "bquote", "substitute", "parse", "deparse", "expression", "match.call", "sys.call",
    "sys.function", "body", "formals"
  ),
  c(
    "name the variable, or keep values in a list or `jit_dict()`",
    "get", "get0", "mget", "exists", "assign", "environment", "new.env", "parent.frame", "globalenv", "sys.frame"
  ),
  c("write the statements as they are", "local", "with", "within"),
  c("compare the argument with the words by `switch()` or `%in%`", "match.arg"),
  c("ask `is.null()` or `missing()`", "nargs"),
  c("write the function that you mean: `function(x) !f(x)`", "Negate", "Vectorize", "Identity", "Compose"),
  c(
    "a program has no clock. Take the time around its call",
    "Sys.time", "Sys.Date", "date", "proc.time", "system.time"
  ),
  c(
    "a program reaches nothing outside of itself",
    "readline", "readLines", "readRDS", "file", "scan", "source", "system", "Sys.getenv", "getOption", "options",
    "library", "require"
  ),
  c(
    "`torch_randn()`, `torch_rand()`, `torch_randperm()` and their like draw numbers in a program",
    "rnorm", "runif", "rexp", "rgamma", "rbinom", "rpois", "sample", "sample.int", "set.seed"
  ),
  c(
    "what has dimensions is a tensor: `torch_tensor(x)$view(c(2, 3))`, and functions of tensors",
    "matrix", "array", "outer", "apply", "cbind", "rbind", "solve", "det", "chol", "svd", "aperm", "sweep", "scale"
  ),
  c("write a loop over the groups: `for (g in unique(groups)) v[groups == g]`", "tapply", "split", "ave", "by", "aggregate", "rowsum"),
  c("a program has no lists of any depth. Write a loop over each level", "rapply", "relist"),
  c("give each element its value: `x$a <- 1`", "modifyList"),
  c("leave it out: a program frees what nothing reads any more", "rm", "gc"),
  c("`sprintf()` writes numbers as text", "format", "formatC", "prettyNum", "format.default"),
  c("compare the difference with what is small enough: `abs(x - y) < 1e-8`", "all.equal"),
  c("`tabulate()` counts whole numbers, and `jit_dict()` holds counts by names", "table"),
  c(
    "a tensor stays one in a program. `as.numeric(x[i])` gives an element of it, `as.vector(x)` all of them",
    "as.array", "as.matrix", "as_array", "data.frame", "as.data.frame"
  ),
  c(
    "patterns are not. `grepl()`, `sub()`, `gsub()` and `strsplit()` look for text as it is, by `fixed = TRUE`",
    "regexpr", "gregexpr", "regmatches", "regexec", "agrep"
  )
)

script_function_known <- function(f, name, program) {
  if (inherits(f, "script_function")) return(list(handle = attr(f, "handle", exact = TRUE)))
  if (inherits(f, "nn_module_generator")) {
    return(list(refused = "makes a layer, which a program can't do: make it before, and call that, in a module of your own as a rule"))
  }
  if (is_nn_module(f)) {
    return(list(refused = "is a module, which a function's program can't hold: call it in the `forward` of a module of your own, and compile that"))
  }
  home <- if (is.primitive(f)) "base" else environmentName(topenv(environment(f)))
  ours <- identical(topenv(environment(f)), topenv())
  if (home %in% foreign_packages) name <- name_of_builtin(f, name, home)
  builtin <- if (name %in% script_builtins() && (ours || home %in% foreign_packages)) name
  # What this package checks, LibTorch's operators check again.
  if (ours && startsWith(name, "check_")) builtin <- "unchecked"
  # Dtypes.
  if (ours && startsWith(name, "torch_") && !length(formals(f))) builtin <- name
  is_operator <- name %in% names(r_operators) && (ours || home %in% foreign_packages)
  operator <- if (is_operator) name else if (ours) operator_key(f)
  instead <- instead_of(name, ours)
  closure <- refused <- NULL
  if (home == "magrittr") {
    refused <- "is not compiled: assign what `%>%` gives, as in `x <- x %>% f()`"
  } else if (ours && !is.null(instead)) {
    refused <- paste("is not compiled:", instead)
  } else if (is.primitive(f) || home %in% foreign_packages) {
    if (is.null(builtin) && is.null(operator)) {
      refused <- sprintf(
        "of R's package %s is not compiled: %s", home, instead %||% "write a function of what `?jit_script` lists"
      )
    }
    method <- if (is.null(operator) && (is.null(builtin) || name %in% script_methods)) tensor_method(name)
    if (!is.null(method)) closure <- script_closure_at(method, name, program)
  } else if (is.null(builtin) && is.null(operator)) {
    closure <- script_closure_at(f, name, program)
  }
  out <- list(
    builtin = builtin, operator = if (!is.null(operator)) script_operator_at(operator, program), closure = closure,
    refused = refused
  )
  out[lengths(out) > 0]
}

instead_of <- function(name, ours) {
  if (ours && startsWith(name, "distr_")) {
    return("a distribution is an object of R's. Make it outside; in a program write its formula, by `dnorm()`, `torch_randn()` and their like")
  }
  Find(function(it) name %in% it[-1], script_instead)[1]
}

# R's function may have a name of the user's.
name_of_builtin <- function(f, name, home) {
  # The namespace of base lies above the user's workspace.
  is_it <- function(name) identical(get0(name, asNamespace(home), mode = "function", inherits = FALSE), f)
  if (!is_string(name) || !nzchar(name) || is_it(name)) return(name)
  Find(is_it, script_builtins()) %||% name
}

# Builtins that have no form for tensors: there this package's methods are compiled.
script_methods <- c("cor", "cov", "diff", "duplicated", "median", "quantile", "unique", "var")

# This package's method for tensors of a function of R's, if it is R code that a program may be made of.
tensor_method <- function(name) {
  if (!is_string(name) || !nzchar(name)) return(NULL)
  key <- paste0(name, ".torch_tensor")
  method <- get0(key, topenv(), mode = "function", inherits = FALSE) %||%
    get0(key, baseenv()[[".__S3MethodsTable__."]], mode = "function", inherits = FALSE)
  if (is.null(method) && methods::isGeneric(name)) {
    method <- methods::selectMethod(name, c("torch_tensor", "ANY"), optional = TRUE)
    method <- if (inherits(method, "MethodDefinition") && identical(topenv(environment(method)), topenv())) method@.Data
  }
  if (is.null(method) || any(c(".Call", ".External2", ".Generic") %in% all.names(body(method)))) NULL else method
}

# The key of the operator behind a function of the table, NULL if it is no such function.
operator_key <- function(f) {
  if (!is_op_function(f)) return(NULL)
  code <- body(f)
  if (identical(code[[1]], quote(`(`))) code <- code[[2]]
  if (length(code) == 3 && is.character(code[[3]])) code[[3]]
}

script_operator_at <- function(key, program) {
  at <- match(key, program$operators)
  if (!is.na(at)) return(at)
  program$operators <- c(program$operators, key)
  length(program$operators)
}

script_closure_at <- function(f, name, program) {
  for (i in seq_along(program$functions)) if (identical(program$functions[[i]], f)) return(i)
  program$functions <- c(program$functions, list(f))
  program$names <- c(program$names, name)
  length(program$functions)
}

# A method of tensors that is an operator.
script_member <- function(member, program) {
  name <- substring(member, 2)
  f <- if (is.null(tensor_fields[[name]])) op_function(name)
  operator <- if (!is.null(f) && takes_self(f, op_notes[[name]])) script_operator_at(name, program)
  c(list(name = member, is_function = TRUE), if (!is.null(operator)) list(operator = operator))
}

script_builtins <- function() {
  if (is.null(the$script_builtins)) the$script_builtins <- as.character(cpp_script_builtins())
  the$script_builtins
}
