# Script functions and methods: closures over a handle of the shim.

new_script_function <- function(handle, class = "script_function") {
  structure(function(...) (.External2(C_call, handle, ...)), class = class, handle = handle)
}

# How messages about calls speak of the function.
signature_in_message <- function(handle) {
  left_out <- attr(handle, "left_out", exact = TRUE)
  note <- if (length(left_out)) sprintf(
    "; `%s` is NULL in it, as `jit_script()` was told neither an example nor a type for it, such as \"Optional[Tensor]\"",
    paste(left_out, collapse = "`, `")
  )
  paste0(script_signature(handle), note)
}

# "fn(x: Tensor, times: int = 2)": a function, a method or an operator's overload as R users read it.
script_signature <- function(handle) signature_in_r(cpp_callable_signature(handle))

signature_in_r <- function(signature, name = signature$name) {
  default <- vapply(signature$defaults, function(one) if (is.null(one)) "" else paste(" =", value_in_r(one[[1]])), "")
  paste0(name, "(", paste0(signature$arguments, ": ", signature$types, default, collapse = if (length(default)) ", "), ")")
}

value_in_r <- function(value) {
  if (is_torch_tensor(value) && value$numel() == 1) value <- as_array(value)
  if (is_torch_tensor(value) || inherits(value, "torch_enum")) return(format(value))
  if (is.function(value) || typeof(value) == "externalptr") friendly_type(value) else deparse1(value)
}

#' @export
`$.script_function` <- function(x, name) {
  handle <- attr(x, "handle", exact = TRUE)
  switch(name,
    graph = new_graph(handle, "written", "graph_function"),
    inlined_graph = new_graph(handle, "inlined", "graph_function"),
    graph_for = function(...) graph_for(handle, ..., class = "graph_function"),
    code = cpp_callable_code(handle),
    schema = cpp_callable_schema(handle),
    save = function(filename) save_script(x, filename, FALSE),
    save_for_mobile = function(filename) save_script(x, filename, TRUE),
    ptr = handle,
    NULL
  )
}

#' @export
print.script_function <- function(x, ...) print_callable(x, "script_function")

# What it is, and how it is called.
print_callable <- function(x, kind) {
  signature <- tryCatch(script_signature(attr(x, "handle", exact = TRUE)), value_error = function(e) "dead")
  cat("<", kind, "> ", signature, "\n", sep = "")
  invisible(x)
}

#' @export
`$.script_method` <- function(x, y) {
  handle <- attr(x, "handle", exact = TRUE)
  switch(y,
    graph = new_graph(handle, "written", "script_method_graph"),
    inlined_graph = new_graph(handle, "inlined", "script_method_graph"),
    graph_for = function(...) graph_for(handle, ..., class = "script_method_graph"),
    code = cpp_callable_code(handle),
    schema = cpp_callable_schema(handle),
    NULL
  )
}
#' @export
`[[.script_method` <- function(x, y) `$.script_method`(x, y)

#' @export
print.script_method <- function(x, ...) print_callable(x, "script_method")
