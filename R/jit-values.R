# Values that R has no type of its own for, on their way to TorchScript and back.

#' Mark values for TorchScript
#'
#' `jit_scalar()` makes a vector of length 1 a scalar; without it the vector is a list of one element. `jit_tuple()`
#' makes a list a tuple, and a named list a named tuple.
#'
#' @param x An atomic vector of length 1, or a list.
#' @return `x` with a class added.
#' @examples
#' jit_scalar(1L)
#' @export
jit_scalar <- function(x) {
  if (!is.atomic(x) || length(x) != 1) {
    runtime_error(sprintf("`x` must be scalar atomic (a vector of length 1), not %s.", friendly_type(x)))
  }
  class(x) <- c(class(x), "jit_scalar")
  x
}

#' @rdname jit_scalar
#' @export
jit_tuple <- function(x) {
  if (!is.list(x)) runtime_error(sprintf("`x` must be a list, not %s.", friendly_type(x)))
  class(x) <- c(class(x), "jit_tuple")
  x
}

#' Values between R and TorchScript
#'
#' Traced, compiled and loaded functions, methods and [jit_ops] declare the types of their arguments, and these decide how
#' an R value is read. A value that does not fit is an error that tells the argument, what fits, and the function.
#'
#' | TorchScript | from R | back in R |
#' |---|---|---|
#' | `Tensor` | a tensor; never a number | a tensor |
#' | `bool` | `TRUE` or `FALSE` | a logical |
#' | `int` | a whole number: integer, double, logical, `integer64`, a `torch_dtype`, a `torch_layout` | a double |
#' | `float` | a number | a double |
#' | `complex` | a number or complex number | a complex |
#' | `str` | a string | a string |
#' | `Device` | a `torch_device` or its name | a `torch_device` |
#' | `List[int]`, `List[float]`, `List[bool]`, `List[complex]` | a vector, or a list of such scalars | a vector |
#' | `List[str]` | a character vector or a list of strings | a list |
#' | other `List[T]` | a list; all elements fit `T` | a list |
#' | `Tuple[T0, T1]` | a list (or vector) of as many elements, each fits its type | a list |
#' | `NamedTuple` | a named list with the fields in any order, or a list without names; fields with a default may be missing | a named list |
#' | `Dict[str, V]` | a named list or vector | a named list |
#' | `Dict[K, V]`, other keys | a [jit_dict()] | a `torch_dict` |
#' | `Optional[T]` | `NULL`, or what fits `T` | `NULL` or the value |
#' | `Union[T0, T1]` | what fits one of them; the one that needs least conversion | the value |
#' | an `Enum` | the member's name, or a [torch_enum] | a [torch_enum] |
#' | a class | a [torch_script_object] | a [torch_script_object] |
#' | a module | a `script_module` | a `script_module` |
#' | `Future[T]` | a `torch_future`, or what fits `T` | a `torch_future` |
#' | `Any` | see below | by the value |
#'
#' Where nothing tells the type (`Any`, example inputs of a trace, results of a traced R function, new attributes of
#' modules) a value is read as follows. A vector is a list, also one of length 1; but a string is a `str`, and
#' [jit_scalar()] makes a scalar. A named list of tensors is a `Dict`, another list of tensors a `List`. Any other
#' list is a tuple, and a named one a named tuple. [jit_tuple()] makes every list a tuple.
#'
#' @section Special values:
#' * `NA` has no counterpart: it is an error for `int`, `bool` and `str`, and NaN for `float` and `complex`. A double NA
#'   that TorchScript hands through comes back as NA.
#' * `NaN`, `Inf`, `-Inf` are what they are for `float`, and an error for `int`.
#' * `NULL` is `None`, and fits `Optional[T]` and `Any` only; it is no empty list.
#' * A vector or list of length 0 is an empty list or dict. Empty lists come back as `numeric(0)`, `logical(0)`,
#'   `complex(0)` or `list()` by their type, an empty `Dict[str, V]` as a named `list()`.
#' * `integer64` is exact. As `float` it is an error if a double would round it.
#' * Factors, `Date`, `POSIXct` and `difftime` are an error: their numbers mean nothing without their class. Use
#'   `as.integer()`, `as.character()` or `as.numeric()`.
#' * Nothing is rounded: 2.5 is no `int`.
#' * A string with a NUL byte can't come back and is an error; so is a key given twice.
#'
#' @section Integers of 64 bits:
#' A result of `int` is a double, which is exact up to 2^53; if one element of a list is beyond, the whole vector is an
#' `integer64` (package bit64). `options(torch.int64 = "integer64")` always gives `integer64`,
#' `options(torch.int64 = "double")` always doubles, with a warning of class `torch_int64_warning` where one is rounded.
#'
#' @seealso [jit_scalar()], [jit_dict()], [torch_enum], [torch_script_object]
#' @name jit_values
#' @examplesIf torch::torch_is_installed()
#' unit <- jit_compile("
#' def again(x: List[float], times: int, name: str = 'x', scale: Optional[float] = None):
#'   if scale is not None:
#'     x = [v * scale for v in x]
#'   return name, x * times
#' ")
#' unit$again(c(1, 2), 2)
#' unit$again(5, times = 3, scale = 0.5, name = "fives")
NULL

# Warns of an integer that was rounded, because `options(torch.int64 = "double")` asks for doubles in any case.
# The glue asks for it before the first integer64 comes to R.
load_bit64 <- function(ignored) loadNamespace("bit64")

warn_lowest_int64 <- function(ignored) {
  rlang::warn(
    "The smallest int64 number, -2^63, has no form in integer64, where it is NA.", class = "torch_int64_warning"
  )
}

warn_int64 <- function(values) {
  rlang::warn(
    paste0(
      "The result holds an integer beyond 2^53, and was rounded to ", format(values[which.max(abs(values))], digits = 17),
      ", as `options(torch.int64 = \"double\")` asks. Without this option it is an `integer64`."
    ),
    class = "torch_int64_warning"
  )
}

#' Dicts whose keys are not strings
#'
#' TorchScript's `Dict[K, V]` with `str` keys is a named list in R, both ways. With `int`, `float`, `bool` or `Tensor` keys
#' it is a `torch_dict`: `jit_dict()` makes one, functions return them. Where a function asks for `int`, `float` or `bool`
#' keys, a named list whose names read as such (`"1"`, `"0.5"`, `"TRUE"`) does as well.
#'
#' `d[[key]]` finds the value of a key, NULL if there is none, `d[[key]] <- value` sets or adds it, and `d[[key]] <- NULL` takes
#' it away; tensors as keys are found by identity, not by value, as in TorchScript. `d$keys` is a vector (or a list of tensors),
#' `d$values` a list, `names(d)` the keys as text; `as.list()` makes a named list of it. The order of the entries is kept.
#'
#' @param keys A numeric, logical, `integer64` or character vector without NA, or a list of tensors; no key twice.
#' @param values A list or vector of as many values.
#' @return A `torch_dict`.
#' @examplesIf torch::torch_is_installed()
#' d <- jit_dict(c(10, 20), list("ten", "twenty"))
#' d[[20]]
#' unit <- jit_compile("
#' def swap(d: Dict[int, str]) -> Dict[str, int]:
#'   out: Dict[str, int] = {}
#'   for key in d.keys():
#'     out[d[key]] = key
#'   return out
#' ")
#' unit$swap(d)
#' unit$swap(list(`1` = "one"))
#' @export
jit_dict <- function(keys = character(), values = list()) {
  if (is_torch_tensor(keys)) keys <- list(keys)
  if (is.list(keys)) {
    if (!all(vapply(keys, is_torch_tensor, NA))) type_error("`keys` must be a vector, or a list of tensors.")
  } else if (!(is.numeric(keys) || is.logical(keys) || is.character(keys)) || is.factor(keys)) {
    type_error(sprintf("`keys` must be a numeric, logical or character vector or a list of tensors, not %s.", friendly_type(keys)))
  } else if (anyNA(keys)) {
    value_error("`keys` must not hold NA.")
  }
  if (!is.list(values) && !is.atomic(values)) {
    type_error(sprintf("`values` must be a list or a vector, not %s.", friendly_type(values)))
  }
  if (length(keys) != length(values)) {
    value_error(sprintf("`values` must be as many as `keys`: %d, not %d.", length(keys), length(values)))
  }
  if (has_duplicates(keys)) value_error("`keys` must not hold a key twice.")
  new_torch_dict(unname(keys), unname(as.list(values)))
}

new_torch_dict <- function(keys, values) structure(list(keys = keys, values = values), class = "torch_dict")

has_duplicates <- function(keys) {
  if (!is.list(keys)) return(anyDuplicated(if (inherits(keys, "integer64")) key_text(keys) else keys) > 0)
  for (i in seq_along(keys)[-1]) if (any(key_matches(keys[seq_len(i - 1)], keys[[i]]))) return(TRUE)
  FALSE
}

# Whether each of the keys is `key`.
key_matches <- function(keys, key) {
  if (is.list(keys)) return(vapply(keys, cpp_same_tensor, NA, key))
  if (is_torch_tensor(key) || is.character(keys) != is.character(key)) return(rep(FALSE, length(keys)))
  keys == key
}

dict_parts <- function(x) unclass(x)

dict_position <- function(x, key, call = caller_env()) {
  if (!is_torch_tensor(key) && (!is.atomic(key) || length(key) != 1 || is.na(key))) {
    type_error(sprintf("The key of a dict must be one number, logical, string or tensor, not %s.", friendly_type(key)), call)
  }
  which(key_matches(dict_parts(x)$keys, key))
}

#' @export
length.torch_dict <- function(x) length(dict_parts(x)$keys)

#' @export
names.torch_dict <- function(x) {
  keys <- dict_parts(x)$keys
  if (is.list(keys)) vapply(keys, function(key) gsub("^\\[ | \\]$", "", format(key)), "") else key_text(keys)
}

key_text <- function(keys) {
  if (inherits(keys, "integer64")) requireNamespace("bit64", quietly = TRUE)
  # Doubles are written with 15 digits.
  as.character(keys)
}

#' @export
`[[.torch_dict` <- function(x, key) {
  at <- dict_position(x, key)
  if (length(at)) dict_parts(x)$values[[at]]
}

#' @export
`[[<-.torch_dict` <- function(x, key, value) {
  parts <- dict_parts(x)
  at <- dict_position(x, key)
  if (is.null(value)) return(if (length(at)) new_torch_dict(parts$keys[-at], parts$values[-at]) else x)
  if (!length(at)) {
    at <- length(parts$keys) + 1L
    if (is.list(parts$keys) != is_torch_tensor(key)) type_error("A key must be of the same kind as the others of the dict.")
    parts$keys <- if (is.list(parts$keys)) c(parts$keys, list(key)) else c(parts$keys, key)
  }
  parts$values[at] <- list(value)
  new_torch_dict(parts$keys, parts$values)
}

#' @export
`$.torch_dict` <- function(x, name) {
  switch(name, keys = dict_parts(x)$keys, values = dict_parts(x)$values, NULL)
}
#' @export
`$<-.torch_dict` <- function(x, name, value) value_error("`$` can't be assigned. Use `d[[key]] <- value`.")
#' @export
`[.torch_dict` <- function(x, i) value_error("A dict has no positions. Use `d[[key]]`, `d$keys` or `as.list(d)`.")
#' @export
.DollarNames.torch_dict <- function(x, pattern = "") grep(pattern, c("keys", "values"), value = TRUE)

#' @export
as.list.torch_dict <- function(x, ...) structure(dict_parts(x)$values, names = names(x))

#' @export
print.torch_dict <- function(x, ...) {
  cat(sprintf("<torch_dict> of %d entr%s\n", length(x), if (length(x) == 1) "y" else "ies"))
  labels <- names(x)
  if (is.character(dict_parts(x)$keys)) labels <- encodeString(labels, quote = "\"")
  for (i in seq_along(labels)) {
    cat("[[", labels[i], "]]\n", sep = "")
    print(dict_parts(x)$values[[i]], ...)
    cat("\n")
  }
  invisible(x)
}

# A member of a TorchScript enum: its name, with the class, the value and LibTorch's own member beside it.
new_torch_enum <- function(parts) {
  structure(parts[[2]], type = parts[[1]], value = parts[[3]], handle = parts[[4]], class = "torch_enum")
}

#' Members of TorchScript enums
#'
#' A function that returns a member of an `Enum` gives a `torch_enum`. It goes back into TorchScript as that member; so does
#' its name as a string where the function asks for the enum. `==` compares with another member or with a name.
#'
#' @param x,e1,e2 A `torch_enum`, or a name to compare with.
#' @param name One of `"name"`, `"value"`, `"class"`.
#' @param ... Not used.
#' @return `$name` and `as.character()` the member's name, `$value` its value, `$class` the name of the enum.
#' @examplesIf torch::torch_is_installed()
#' unit <- jit_compile("
#' class Rounding(Enum):
#'   DOWN = 'floor'
#'   UP = 'ceil'
#' def other(how: Rounding) -> Rounding:
#'   if how == Rounding.DOWN:
#'     return Rounding.UP
#'   return Rounding.DOWN
#' ")
#' up <- unit$other("DOWN")
#' up$value
#' up == "UP"
#' unit$other(up)
#' @name torch_enum
NULL

#' @rdname torch_enum
#' @export
`$.torch_enum` <- function(x, name) {
  switch(name,
    name = as.character(x),
    value = attr(x, "value", exact = TRUE),
    class = attr(x, "type", exact = TRUE),
    NULL
  )
}
#' @export
.DollarNames.torch_enum <- function(x, pattern = "") grep(pattern, c("name", "value", "class"), value = TRUE)

#' @rdname torch_enum
#' @export
as.character.torch_enum <- function(x, ...) {
  attributes(x) <- NULL
  x
}

#' @rdname torch_enum
#' @export
format.torch_enum <- function(x, ...) paste0(x$class, ".", as.character(x))

#' @rdname torch_enum
#' @export
print.torch_enum <- function(x, ...) {
  value <- x$value
  cat("<torch_enum> ", format(x), " = ", if (is.character(value)) encodeString(value, quote = "\"") else format(value), "\n", sep = "")
  invisible(x)
}

#' @rdname torch_enum
#' @export
`==.torch_enum` <- function(e1, e2) {
  enums <- c(inherits(e1, "torch_enum"), inherits(e2, "torch_enum"))
  as.character(e1) == as.character(e2) && (!all(enums) || e1$class == e2$class)
}
#' @rdname torch_enum
#' @export
`!=.torch_enum` <- function(e1, e2) !(e1 == e2)
