# Instances of TorchScript classes, and futures: handles of the shim.

#' Instances of TorchScript classes
#'
#' A function that returns an instance of a class that was defined in TorchScript gives a `torch_script_object`. It is the
#' instance itself, not a copy: `x$name` reads an attribute or a property, or gives a method to call, `x$name <- value`
#' assigns an attribute, and both sides see the change. `names(x)` lists attributes and methods. It is handed back to
#' TorchScript wherever its class is asked for.
#'
#' A `Future`, what `torch.jit.fork` gives, is a `torch_future`: `x$wait()` waits for its result and returns it, `x$done()`
#' tells whether it is there. Where a function asks for a future, its result will do.
#'
#' @param x A `torch_script_object`.
#' @param name Name of an attribute, a property or a method.
#' @param value What the attribute is to be.
#' @param ... Not used.
#' @return The attribute, or the method as a `script_method`; an error if there is no such name.
#' @examplesIf torch::torch_is_installed()
#' unit <- jit_compile("
#' class Counter:
#'   def __init__(self, start: int):
#'     self.n = start
#'   def add(self, k: int) -> int:
#'     self.n += k
#'     return self.n
#' ")
#' counter <- unit$Counter(5)
#' counter$add(2)
#' counter$n <- 10
#' counter$n
#' @name torch_script_object
NULL

object_part <- function(x, part) as.character(cpp_object_describe(x, object_parts[[part]]))
object_member <- function(x, name, member) cpp_object_member(x, name, object_members[[member]])

#' @rdname torch_script_object
#' @export
`$.torch_script_object` <- function(x, name) {
  if (name %in% object_part(x, "attributes")) return(cpp_object_attribute(x, name))
  if (name %in% object_part(x, "properties")) return(.External2(C_call, object_member(x, name, "getter")))
  method <- if (name %in% object_part(x, "methods")) object_member(x, name, "method")
  if (is.null(method)) unknown_object_member(x, name)
  new_script_function(method, "script_method")
}
#' @rdname torch_script_object
#' @export
`[[.torch_script_object` <- function(x, name) `$.torch_script_object`(x, name)

#' @rdname torch_script_object
#' @export
`$<-.torch_script_object` <- function(x, name, value) {
  setter <- if (name %in% c(object_part(x, "attributes"), object_part(x, "properties"))) object_member(x, name, "setter")
  if (is.null(setter)) unknown_object_member(x, name, "assigned")
  .External2(C_call, setter, value)
  x
}
#' @rdname torch_script_object
#' @export
`[[<-.torch_script_object` <- function(x, name, value) `$<-.torch_script_object`(x, name, value)

unknown_object_member <- function(x, name, done = NULL, call = caller_env()) {
  class <- object_part(x, "type")
  if (!is.null(done)) value_error(sprintf("`%s` of a %s can't be %s: it is no attribute.", name, class, done), call)
  value_error(sprintf("`%s` is neither an attribute nor a method of a %s.", name, class), call)
}

#' @rdname torch_script_object
#' @export
names.torch_script_object <- function(x) setdiff(unlist(lapply(c("attributes", "properties", "methods"), function(part) object_part(x, part))), "__init__")
#' @export
.DollarNames.torch_script_object <- function(x, pattern = "") grep(pattern, names(x), value = TRUE)

#' @rdname torch_script_object
#' @export
print.torch_script_object <- function(x, ...) {
  cat("<torch_script_object> ", object_part(x, "type"), "\n", sep = "")
  for (name in object_part(x, "attributes")) {
    text <- value_in_r(cpp_object_attribute(x, name))
    cat("$", name, ": ", if (nchar(text) > 60) paste0(substr(text, 1, 57), "...") else text, "\n", sep = "")
  }
  methods <- setdiff(object_part(x, "methods"), "__init__")
  if (length(methods)) cat("Methods: ", paste0("$", methods, "()", collapse = ", "), "\n", sep = "")
  invisible(x)
}

#' @export
`$.torch_future` <- function(x, name) {
  switch(name, wait = function() cpp_future_wait(x), done = function() cpp_future_done(x), unknown_object_member(x, name))
}
#' @export
names.torch_future <- function(x) c("wait", "done")
#' @export
print.torch_future <- function(x, ...) {
  cat("<torch_future> ", object_part(x, "type"), if (cpp_future_done(x)) ", done" else ", not done", "\n", sep = "")
  invisible(x)
}
