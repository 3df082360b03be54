# Devices: "cpu", "cuda:0" with a class; the default device of creation functions.

#' Devices
#'
#' The place of a tensor's memory. Wherever a device is expected a string such as `"cuda:1"` will do; device numbers
#' count from 0.
#'
#' @param type `"cpu"`, `"cuda"`, `"mps"`, `"meta"`, also with a number: `"cuda:1"`.
#' @param index Number of the device, or `NULL`.
#' @return A `torch_device` with the fields `$type` and `$index`.
#' @examples
#' torch_device("cuda", 0)
#' @export
torch_device <- function(type, index = NULL) {
  if (!is_string(type)) type_error(sprintf("`type` must be a string such as \"cpu\" or \"cuda\", not %s.", friendly_type(type)))
  if (grepl(":", type, fixed = TRUE)) {
    if (!is.null(index)) value_error("`index` must be NULL if `type` has a number already.")
  } else if (!is.null(index)) {
    type <- paste0(type, ":", index)
  }
  device_of(type, "type", current_env())
}

device_of <- function(text, arg, call) {
  if (!grepl("^[a-z]+(:[0-9]+)?$", text)) {
    value_error(sprintf("`%s` must be a device such as \"cpu\" or \"cuda:0\", not \"%s\".", arg, text), call)
  }
  # LibTorch counts devices in a byte.
  number <- sub("^[a-z]+:?0*", "", text)
  if (nchar(number) > 3L || (nzchar(number) && as.integer(number) > 127L)) {
    value_error(sprintf("`%s` must have a number of a device from 0 to 127, not \"%s\".", arg, text), call)
  }
  new_device(text)
}

new_device <- function(text) `class<-`(text, c("torch_device", "R7"))

as_device <- function(x, call = caller_env()) {
  if (is.null(x) || inherits(x, "torch_device")) return(x)
  if (identical(x, "auto")) x <- best_device()
  if (is_string(x)) return(device_of(x, "device", call))
  type_error(sprintf("`device` must be a torch_device or a string such as \"cuda:0\", not %s.", friendly_type(x)), call)
}

# What "auto" means: the GPU if LibTorch can use one.
best_device <- function() if (cuda_is_available()) "cuda" else if (backends_mps_is_available()) "mps" else "cpu"

# A CUDA device by its number, its name or itself. NULL means the current one.
as_cuda_device <- function(x, call = caller_env()) {
  if (is.null(x)) return(new_device("cuda"))
  if (is_whole_number(x) && x >= 0) return(new_device(paste0("cuda:", x)))
  device <- if (is_torch_device(x) || is_string(x)) as_device(x, call)
  if (is.null(device) || device$type != "cuda") {
    what <- if (is.null(device)) friendly_type(x) else paste("the device", as.character(device))
    value_error(sprintf("`device` must be a CUDA device or its number, not %s.", what), call)
  }
  device
}

#' @rdname torch_device
#' @param x An object.
#' @export
is_torch_device <- function(x) inherits(x, "torch_device")

#' @export
`$.torch_device` <- function(x, name) {
  text <- unclass(x)[1]
  colon <- regexpr(":", text, fixed = TRUE)
  switch(name,
    type = if (colon > 0) substr(text, 1, colon - 1) else text,
    index = if (colon > 0) as.integer(substring(text, colon + 1)),
    NULL
  )
}

#' @export
as.character.torch_device <- function(x, ...) {
  attributes(x) <- NULL
  x
}

#' @export
print.torch_device <- function(x, ...) {
  cat("torch_device(type='", x$type, "'", if (!is.null(x$index)) paste0(", index=", x$index), ") \n", sep = "")
  invisible(x)
}

#' @export
`==.torch_device` <- function(x, y) {
  if (!is_torch_device(x) || !is_torch_device(y)) value_error("One of the objects is not a device.", call = NULL)
  identical(as.character(x), as.character(y))
}
#' @export
`!=.torch_device` <- function(x, y) !(x == y)

#' Use a device by default
#'
#' Creation functions without a `device` argument make their tensors there, until the code is through
#' (`with_device()`) or the calling function ends (`local_device()`).
#'
#' @param code Code to run.
#' @param ... Not used.
#' @param device A device or its name.
#' @param .env The frame at whose end the device before is in use again.
#' @return `with_device()` the value of `code`.
#' @export
with_device <- function(code, ..., device) {
  local_device(device)
  force(code)
}

#' @rdname with_device
#' @export
local_device <- function(device, ..., .env = parent.frame()) {
  before <- the$device
  the$device <- as_device(device)
  withr::defer(the$device <- before, envir = .env)
  invisible(before)
}
