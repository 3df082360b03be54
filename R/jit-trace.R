# Tracing: R functions and modules recorded into TorchScript.

#' Trace a function or a module
#'
#' Runs `func` once on example inputs and records the tensor operations into a TorchScript graph. R code around them is
#' run once and forgotten: control flow is not recorded, numbers become constants. Inputs and outputs are tensors, lists,
#' named lists and tuples of tensors, nested; other tensors that the function uses become constants of the graph.
#'
#' A module is traced once in each mode (`respect_mode = TRUE`): the result has the methods `trainforward` and
#' `evalforward`, and an ordinary `forward` that chooses by `self.training`, so that the saved file is called as
#' `model(x)` in Python and C++. With `respect_mode = FALSE` one trace is made in the module's mode, which later changes
#' of the mode do not alter. Tracing leaves the module as it was: its mode, its buffers, and torch's random numbers.
#' Source: LibTorch's `torch::jit::tracer::trace`.
#'
#' @param func A function, or an instance of an [nn_module()].
#' @param mod An instance of an [nn_module()].
#' @param ... For `jit_trace()` example inputs, by position or by name; for `jit_trace_module()` method name = list of
#'   example inputs (or one that is no list).
#' @param strict `FALSE` allows lists and named lists as output without a warning.
#' @param respect_mode Whether `forward` is traced in train and in eval mode.
#' @return A `script_function` or a `script_module`: callable, with `$graph`, `$graph_for(...)`, `$code`, `$schema`.
#' @seealso [jit_save()], [jit_compile()]
#' @examplesIf torch::torch_is_installed()
#' f <- jit_trace(function(x) torch_relu(x) + 20, torch_tensor(c(-1, 0, 1)))
#' f(torch_tensor(c(-3, 3)))
#' f$graph
#' @export
jit_trace <- function(func, ..., strict = TRUE, respect_mode = TRUE) {
  if (inherits(func, "nn_module_generator")) {
    value_error("You must initialize the nn_module before tracing: call the generator first.")
  }
  if (inherits(func, "nn_module")) {
    return(trace_module(func, list(forward = list(...)), strict, respect_mode))
  }
  if (!is_closure(func)) {
    value_error(sprintf(
      "jit_trace needs a function or nn_module: `func` is %s.",
      if (is.primitive(func)) "a primitive function, which must be wrapped in one of R" else friendly_type(func)
    ))
  }
  load_torch()
  new_script_function(trace_call(func, list(...), NULL, "forward", strict))
}

# Records `func` on the inputs; gives a callable handle. Also for a method of a script module (`module` its handle).
trace_call <- function(func, inputs, module, method, strict, call = caller_env()) {
  arguments <- match_inputs(func, inputs, call)
  run <- function(values) {
    names(values) <- arguments$given
    do.call(func, values, quote = TRUE)
  }
  cpp_trace(run, arguments$inputs, arguments$identifiers, module, method, strict)
}

# Inputs in the order of the function's formals, with the names they will have in the graph.
match_inputs <- function(func, inputs, call) {
  formals <- setdiff(names(formals(func)), "...")
  given <- names2(inputs)
  unknown <- setdiff(given, c("", formals))
  if (length(unknown) && !"..." %in% names(formals(func))) {
    value_error(sprintf("`%s` is no argument of the function.", unknown[1]), call)
  }
  free <- setdiff(formals, given)
  names <- given
  unnamed <- which(given == "")
  names[unnamed] <- c(free, paste0("input_", seq_along(unnamed)))[seq_along(unnamed)]
  if (length(unnamed) > length(free) && !"..." %in% names(formals(func))) {
    value_error(sprintf("The function takes %d argument%s, not %d.", length(formals), if (length(formals) == 1) "" else "s", length(inputs)), call)
  }
  order <- order(match(names, formals))
  for (i in seq_along(inputs)) check_traceable(inputs[[i]], names[i], call)
  list(
    inputs = unname(inputs[order]),
    given = ifelse(names %in% formals, names, given)[order],
    identifiers = python_identifiers(names[order])
  )
}

check_traceable <- function(x, name, call) {
  if (is_torch_tensor(x)) return(invisible())
  if (is.list(x)) {
    for (item in x) check_traceable(item, name, call)
    return(invisible())
  }
  value_error(sprintf(paste0(
    "Only tensors or (possibly nested) dict or tuples of tensors can be inputs to traced functions: `%s` is %s. ",
    "Make it a tensor by `torch_tensor()`, or let the function capture it."
  ), name, friendly_type(x)), call)
}

python_keywords <- c(
  "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif",
  "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not", "or",
  "pass", "raise", "return", "try", "while", "with", "yield", "self"
)

# One unique Python identifier for each R name.
python_identifiers <- function(names) {
  out <- gsub("[^A-Za-z0-9_]", "_", names)
  out <- ifelse(grepl("^[0-9]", out), paste0("_", out), out)
  out <- ifelse(out %in% python_keywords, paste0(out, "_"), out)
  while (anyDuplicated(out)) {
    again <- duplicated(out)
    out[again] <- paste0(out[again], "_")
  }
  out
}

#' @rdname jit_trace
#' @export
jit_trace_module <- function(mod, ..., strict = TRUE, respect_mode = TRUE) {
  trace_module(mod, list(...), strict, respect_mode)
}

trace_module <- function(mod, methods, strict, respect_mode, call = caller_env()) {
  if (!inherits(mod, "nn_module") || inherits(mod, "nn_module_generator")) {
    value_error(sprintf("`mod` must be an initialized nn_module, not %s.", friendly_type(mod)), call)
  }
  if (!is_bool(respect_mode)) value_error("`respect_mode` must be TRUE or FALSE.", call)
  if (length(methods) && any(names2(methods) == "")) {
    value_error("All arguments of `...` must be named: method name = example inputs.", call)
  }
  reserved <- intersect(names(methods), c("trainforward", "evalforward"))
  if (length(reserved)) value_error(sprintf("`%s` is a reserved name: the traces of `forward` have it.", reserved[1]), call)
  for (name in names(methods)) {
    if (!is.function(module_method(mod, name))) value_error(sprintf("Method `%s` does not exist in `mod`.", name), call)
  }
  load_torch()

  mode <- mod$training
  modules <- mod$modules
  modes <- lapply(modules, function(m) m$training)
  buffers <- lapply(mod$buffers, function(b) b$detach()$clone())
  random <- torch_get_rng_state()
  restore <- function() {
    with_no_grad(Map(function(now, before) now$copy_(before), mod$buffers, buffers))
    torch_set_rng_state(random)
    Map(function(m, was) m$training <- was, modules, modes)
  }
  on.exit(restore())

  handle <- script_module_handle(mod, NULL)
  for (name in names(methods)) {
    inputs <- methods[[name]]
    if (!is.list(inputs)) inputs <- list(inputs)
    method <- module_method(mod, name)
    if (name == "forward" && respect_mode) {
      mod$train()
      train <- trace_call(method, inputs, handle, "trainforward", strict, call)
      restore()
      mod$eval()
      eval <- trace_call(method, inputs, handle, "evalforward", strict, call)
      restore()
      cpp_module_define(handle, forward_source(train, eval, call))
    } else {
      trace_call(method, inputs, handle, name, strict, call)
      restore()
    }
  }
  cpp_module_train(handle, mode)
  new_script_module(handle)
}

module_method <- function(mod, name) {
  if (name == "forward") unclass(mod) else mod[[name]]
}

# The method that chooses between the two traces.
forward_source <- function(train, eval, call = caller_env()) {
  types <- cpp_callable_types(train)
  if (!identical(types, cpp_callable_types(eval))) {
    value_error(sprintf(paste0(
      "The traces in train and in eval mode have different types, %s and %s, and can't be one `forward`. ",
      "Use `respect_mode = FALSE` to trace the present mode only."
    ), types[1], cpp_callable_types(eval)[1]), call)
  }
  names <- cpp_callable_argument_names(train)
  arguments <- paste(names, collapse = ", ")
  sprintf(
    "def forward(%s) -> %s:\n  if self.training:\n    return self.trainforward(%s)\n  else:\n    return self.evalforward(%s)\n",
    paste(c("self", paste0(names, rep(": ", length(names)), types[-1])), collapse = ", "), types[1], arguments, arguments
  )
}

# A script module with the parameters, buffers and children of an nn_module; all share one home for their types.
script_module_handle <- function(mod, home) {
  if (inherits(mod, "script_module")) return(attr(mod, "handle", exact = TRUE))
  handle <- cpp_module_new(gsub("[^A-Za-z0-9_]", "_", class(mod)[1]), home)
  if (is.null(home)) home <- handle
  cpp_module_set_attribute(handle, "training", jit_scalar(mod$training))
  parameters <- mod$named_parameters(recursive = FALSE)
  for (name in names(parameters)) cpp_module_register(handle, name, parameters[[name]], FALSE)
  buffers <- mod$named_buffers(recursive = FALSE)
  for (name in names(buffers)) cpp_module_register(handle, name, buffers[[name]], TRUE)
  children <- mod$children
  for (name in names(children)) cpp_module_add_child(handle, name, script_module_handle(children[[name]], home))
  handle
}
