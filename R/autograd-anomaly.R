# Finding the operation whose gradient fails or is NaN.

#' Find what goes wrong in a gradient
#'
#' While `code` runs, every operation that is recorded remembers the R call that it came from, and a gradient that is
#' NaN is an error. If computing a gradient fails, a warning of class `torch_warning` tells that call, with file and
#' line if R knows them. This makes code much slower: use it to find an error, not for training. Source: LibTorch's
#' `torch::autograd::AnomalyMode`.
#'
#' @param code Code to run, forward and backward.
#' @param check_nan Whether a NaN in a gradient is an error.
#' @return The value of `code`. A warning says that the mode is on.
#' @examplesIf torch::torch_is_installed()
#' x <- torch_tensor(0, requires_grad = TRUE)
#' try(suppressWarnings(with_detect_anomaly({
#'   y <- sqrt(x) * 0
#'   y$backward()
#' })))
#' @export
with_detect_anomaly <- function(code, check_nan = TRUE) {
  if (!is_bool(check_nan)) type_error(sprintf("`check_nan` must be TRUE or FALSE, not %s.", friendly_type(check_nan)))
  warn(
    "Anomaly detection is on: everything runs slower. Use it to find an error, not to train.",
    class = "torch_anomaly_warning"
  )
  before <- cpp_anomaly_mode(TRUE, check_nan)
  on.exit(cpp_anomaly_mode(before[1], before[2]))
  force(code)
}

# Called by the glue for each node that is recorded: "at file:line by `call`".
anomaly_place <- function(...) {
  place <- user_place(sys.nframe() - 1L)
  if (!nzchar(place$text)) return("")
  sprintf("%sby `%s`", if (is.null(place$file)) "" else sprintf("at %s:%d ", place$file, place$line), place$text)
}
