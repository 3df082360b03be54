# What must be given. R tells of a missing argument where it is first needed, often in the words of a function far below that
# the user never called. Here exported functions and methods of classes ask for their arguments before they do anything.

# Runs when the package is installed.
ask_for_arguments <- function(env) {
  exported <- exported_names()
  for (name in ls(env, all.names = TRUE)) {
    x <- env[[name]]
    class <- if (inherits(x, "R6ClassGenerator")) x else attr(x, "r6_class", exact = TRUE)
    if (!is.null(class)) {
      class$public_methods <- lapply(class$public_methods, asking)
    } else if (name %in% exported && is_function(x) && identical(environment(x), env)) {
      assign(name, asking(x), envir = env)
    }
  }
  for (table in c("tensor_methods", "more_members", "dict_members")) assign(table, lapply(env[[table]], asking), envir = env)
  assign("script_fields", lapply(env$script_fields, making_asking), envir = env)
}

# The glue tells what is missing in the frame of a function that it serves, and such functions must be quick. It sees too late
# what a default is made of.
glue_asks <- function(f) {
  code <- body(f)
  if (is_call(code, "(")) code <- code[[2L]]
  is_call(code, ".External2") && !any(must_be_given(f) %in% all.vars(as.call(c(quote(c), formals(f)))))
}

exported_names <- function() {
  directives <- as.list(parse(file.path(getNamespaceInfo(topenv(), "path"), "NAMESPACE"), keep.source = FALSE))
  unlist(lapply(directives, function(it) if (is_call(it, "export")) vapply(as.list(it)[-1L], as.character, "")))
}

# `f` with a line for each argument that must be given. What the user reads of it, if R keeps sources, is still what is written.
asking <- function(f) {
  code <- body(f)
  arguments <- must_be_given(f)
  if (!length(arguments) || glue_asks(f)) return(f)
  asks <- lapply(arguments, function(name) expr(if (missing(!!sym(name))) stop_missing(!!name)))
  kept <- attributes(f)
  body(f) <- if (is_call(code, "{")) as.call(c(code[[1L]], asks, as.list(code)[-1L])) else expr({
    !!!asks
    !!code
  })
  attributes(f) <- kept
  f
}

# The same of a function that does nothing but make one.
making_asking <- function(f) {
  code <- body(f)
  if (is_call(code, "function")) code[[3L]] <- body(asking(new_function(as.pairlist(code[[2L]]), code[[3L]])))
  body(f) <- code
  f
}

# Arguments without a default, but for those of which the function itself asks whether they are missing. A generic has no
# more to say than which argument it looks at, and what does nothing needs none.
must_be_given <- function(f) {
  if (identical(body(f), quote({}))) return(character())
  formals <- formals(f)
  names <- setdiff(names(formals)[vapply(formals, is_missing, NA)], "...")
  if (is_call(body(f), "UseMethod")) return(intersect(names, names(formals)[[1L]]))
  names[!vapply(names, function(name) asks_for(body(f), sym(name)), NA)]
}

asks_for <- function(code, argument) {
  if (!is.call(code)) return(FALSE)
  if (is_call(code, c("missing", "maybe_missing"), n = 1L) && identical(code[[2L]], argument)) return(TRUE)
  for (part in as.list(code)) if (!is_missing(part) && asks_for(part, argument)) return(TRUE)
  FALSE
}

# A function as it was written, for the compiler of programs: a call that lacks an argument does not compile anyway.
without_asking <- function(f) {
  code <- body(f)
  if (!is_call(code, "{") || !identical(topenv(environment(f)), topenv())) return(f)
  asks <- vapply(as.list(code), function(it) is_call(it, "if") && is_call(it[[3L]], "stop_missing"), NA)
  if (!any(asks)) return(f)
  kept <- attributes(f)
  body(f) <- code[!asks]
  attributes(f) <- kept
  f
}

stop_missing <- function(name) value_error(sprintf("`%s` is missing.", name), caller_env())
