# Mixed precision: regions in which operators choose a lower precision, and the scaling of gradients that it needs.

#' Mixed precision
#'
#' Inside an autocast region matrix products, convolutions and their like are computed in `dtype`, and operators that
#' need the range or precision (sums, losses, exponentials) in float32. The forward pass and the loss belong inside, the
#' backward pass outside. Regions nest, also with `enabled = FALSE`. Source: LibTorch's `at::autocast`.
#'
#' `set_autocast()` begins a region and gives the state that `unset_autocast()` takes to end it; the other two end it by
#' themselves, also after an error.
#'
#' @param code Code to run in the region.
#' @param ... Not used.
#' @param device_type `"cpu"` or `"cuda"`.
#' @param dtype A [torch_dtype]; by default bfloat16 on the CPU and float16 on CUDA.
#' @param enabled `FALSE`: a region without casts.
#' @param cache_enabled Whether the casts of weights are kept until the region ends; `NULL`: as it is.
#' @param .env The frame with which the region ends.
#' @param context What `set_autocast()` gave.
#' @return `with_autocast()` the value of `code`; the others the state before, a list, invisibly.
#' @section Errors:
#' Another `device_type` is a `value_error`.
#' @seealso [cuda_amp_grad_scaler()]
#' @examplesIf torch::torch_is_installed()
#' x <- torch_randn(2, 2)
#' with_autocast(torch_mm(x, x)$dtype, device_type = "cpu")
#' @export
with_autocast <- function(code, ..., device_type, dtype = NULL, enabled = TRUE, cache_enabled = NULL) {
  context <- begin_autocast(device_type, dtype, enabled, cache_enabled)
  on.exit(unset_autocast(context))
  force(code)
}

#' @rdname with_autocast
#' @export
local_autocast <- function(device_type, dtype = NULL, enabled = TRUE, cache_enabled = NULL, ..., .env = parent.frame()) {
  context <- begin_autocast(device_type, dtype, enabled, cache_enabled)
  withr::defer(unset_autocast(context), envir = .env)
  invisible(context)
}

#' @rdname with_autocast
#' @export
set_autocast <- function(device_type, dtype = NULL, enabled = TRUE, cache_enabled = NULL) {
  invisible(begin_autocast(device_type, dtype, enabled, cache_enabled))
}

begin_autocast <- function(device_type, dtype, enabled, cache_enabled, call = caller_env()) {
  if (!is_string(device_type) || !device_type %in% c("cpu", "cuda")) {
    value_error(sprintf("`device_type` must be \"cpu\" or \"cuda\", not %s.", friendly_type(device_type)), call)
  }
  if (!is_bool(enabled)) value_error(sprintf("`enabled` must be TRUE or FALSE, not %s.", friendly_type(enabled)), call)
  if (!is.null(cache_enabled) && !is_bool(cache_enabled)) {
    value_error(sprintf("`cache_enabled` must be TRUE, FALSE or NULL, not %s.", friendly_type(cache_enabled)), call)
  }
  dtype <- as_dtype(dtype) %||% if (device_type == "cpu") torch_bfloat16() else torch_half()
  cache <- if (is.null(cache_enabled)) -1L else as.integer(cache_enabled)
  was <- cpp_autocast(device_type, 1L, c(as.integer(enabled), as.integer(dtype), cache))
  list(device_type = device_type, state = was)
}

#' @rdname with_autocast
#' @export
unset_autocast <- function(context) {
  if (!is.list(context) || is.null(context$state)) {
    value_error(sprintf("`context` must be what `set_autocast()` gave, not %s.", friendly_type(context)))
  }
  cpp_autocast(context$device_type, -1L, context$state)
  invisible(context)
}

#' Scale gradients in mixed precision
#'
#' In float16 small gradients become zero. A scaler multiplies the loss by a large factor, divides the gradients by it
#' before the optimiser's step, leaves out steps whose gradients are not finite, and adapts the factor: smaller by
#' `backoff_factor` after such a step, larger by `growth_factor` after `growth_interval` good ones.
#' Source: Micikevicius et al. (2018), Mixed Precision Training.
#'
#' @param init_scale,growth_factor,backoff_factor Numbers: the first factor, and how it grows and shrinks.
#' @param growth_interval Steps without infinities before it grows.
#' @param enabled `FALSE`: the methods leave everything as it is.
#' @return An object with the methods `$scale(loss)`, `$unscale_(optimizer)` (for clipping before the step),
#'   `$step(optimizer, ...)`, `$update(new_scale = NULL)`, `$get_scale()`, `$state_dict()`, `$load_state_dict(state)`.
#' @examplesIf torch::torch_is_installed()
#' w <- nn_parameter(torch_tensor(1))
#' optimizer <- optim_sgd(list(w), lr = 0.1)
#' scaler <- cuda_amp_grad_scaler()
#' scaler$scale((w * 2)$sum())$backward()
#' scaler$step(optimizer)
#' scaler$update()
#' w
#' @export
cuda_amp_grad_scaler <- function(init_scale = 2^16, growth_factor = 2.0, backoff_factor = 0.5, growth_interval = 2000,
                                 enabled = TRUE) {
  for (name in c("init_scale", "growth_factor", "backoff_factor", "growth_interval")) {
    value <- get(name)
    if (!is.numeric(value) || length(value) != 1 || !isTRUE(value > 0)) {
      value_error(sprintf("`%s` must be a positive number, not %s.", name, friendly_type(value)))
    }
  }
  if (growth_factor <= 1) value_error("`growth_factor` must be above 1.")
  if (backoff_factor >= 1) value_error("`backoff_factor` must be below 1.")
  amp_grad_scaler$new(init_scale, growth_factor, backoff_factor, growth_interval, isTRUE(enabled))
}

#' @export
print.amp_GradScaler <- function(x, ...) {
  state <- x$state_dict()
  print_object(x, sprintf("<amp_GradScaler>%s", if (x$is_enabled()) "" else ", not enabled"), describe_fields(state))
}

# What is known of an optimiser in this step: whether its gradients are unscaled already, and which were not finite.
optimizer_gradients <- function(optimizer) {
  parameters <- unlist(lapply(optimizer$param_groups, `[[`, "params"), recursive = FALSE)
  gradients <- lapply(parameters, function(p) p$grad)
  gradients[!vapply(gradients, function(g) is.null(g) || is_undefined_tensor(g), NA)]
}

amp_grad_scaler <- R6::R6Class(
  "amp_GradScaler",
  public = list(
    initialize = function(scale, growth, backoff, interval, enabled) {
      private$factor <- scale
      private$growth <- growth
      private$backoff <- backoff
      private$interval <- interval
      private$enabled <- enabled
    },
    scale = function(outputs) {
      if (!private$enabled) return(outputs)
      if (is.list(outputs)) lapply(outputs, self$scale) else outputs * private$factor
    },
    unscale_ = function(optimizer) {
      if (!private$enabled) return(invisible(self))
      if (private$is_unscaled(optimizer)) {
        runtime_error("`$unscale_()` was called on this optimiser already since the last `$update()`.")
      }
      found <- FALSE
      with_no_grad(for (gradient in optimizer_gradients(optimizer)) {
        gradient$div_(private$factor)
        found <- found || !as.logical(torch_isfinite(gradient)$all())
      })
      private$seen <- c(private$seen, list(list(optimizer = optimizer, found = found)))
      invisible(self)
    },
    step = function(optimizer, ...) {
      if (!private$enabled) return(optimizer$step(...))
      if (!private$is_unscaled(optimizer)) self$unscale_(optimizer)
      if (!private$found(optimizer)) optimizer$step(...)
    },
    update = function(new_scale = NULL) {
      if (!private$enabled) return(invisible(self))
      if (!is.null(new_scale)) {
        private$factor <- as.numeric(new_scale)
      } else if (!length(private$seen)) {
        runtime_error("There was no `$step()` since the last `$update()`.")
      } else if (any(vapply(private$seen, `[[`, NA, "found"))) {
        private$factor <- private$factor * private$backoff
        private$good <- 0
      } else if ((private$good <- private$good + 1) == private$interval) {
        private$factor <- private$factor * private$growth
        private$good <- 0
      }
      private$seen <- list()
      invisible(self)
    },
    get_scale = function() if (private$enabled) private$factor else 1,
    is_enabled = function() private$enabled,
    state_dict = function() {
      list(
        scale = private$factor, growth_factor = private$growth, backoff_factor = private$backoff,
        growth_interval = private$interval, growth_tracker = private$good
      )
    },
    load_state_dict = function(state_dict) {
      private$factor <- state_dict$scale
      private$growth <- state_dict$growth_factor
      private$backoff <- state_dict$backoff_factor
      private$interval <- state_dict$growth_interval
      private$good <- state_dict$growth_tracker
      invisible(self)
    }
  ),
  private = list(
    factor = NULL, growth = NULL, backoff = NULL, interval = NULL, enabled = NULL, good = 0, seen = list(),
    of = function(optimizer) Filter(function(it) identical(it$optimizer, optimizer), private$seen),
    is_unscaled = function(optimizer) length(private$of(optimizer)) > 0,
    found = function(optimizer) private$of(optimizer)[[1]]$found
  )
)
