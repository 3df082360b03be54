# Hooks: R functions that see, and may replace, the gradient of a tensor.

tensor_register_hook <- function(x, hook, call = caller_env()) {
  if (!is.function(hook)) type_error(sprintf("`hook` must be a function of the gradient, not %s.", friendly_type(hook)), call)
  id <- cpp_register_hook(x, new_hook(hook))
  structure(
    list(remove = function() {
      if (!is.null(x)) cpp_remove_hook(x, id)
      x <<- NULL
      invisible()
    }),
    class = "torch_hook"
  )
}

# The hook as LibTorch calls it. This function must not hold the tensor, because the graph of the tensor holds the function.
new_hook <- function(hook) {
  force(hook)
  function(values) {
    result <- withVisible(hook(values[[1]]))
    list(if (result$visible && is_torch_tensor(result$value)) result$value)
  }
}

#' @export
print.torch_hook <- function(x, ...) {
  cat("<torch_hook>\n")
  invisible(x)
}
