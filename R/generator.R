# Random numbers: LibTorch's own generator, independent of R's.

#' Seed and state of torch's random numbers
#'
#' LibTorch has its own random numbers, which `set.seed()` does not touch.
#'
#' @param seed A whole number or `integer64`.
#' @param code Code to run with that seed; the state before is restored afterwards.
#' @param ... Not used.
#' @param .env The frame at whose end the state before is restored.
#' @param state A state that `torch_get_rng_state()` gave.
#' @return `torch_get_rng_state()` a uint8 tensor; `with_torch_manual_seed()` the value of `code`.
#' @export
torch_manual_seed <- function(seed) {
  invisible(cpp_manual_seed(check_seed(seed)))
}

check_seed <- function(seed, call = caller_env()) {
  whole <- is.numeric(seed) && length(seed) == 1 && !is.na(seed) && (inherits(seed, "integer64") || seed == trunc(seed))
  if (!whole) {
    type_error(sprintf("`seed` must be one whole number, not %s.", friendly_type(seed)), call)
  }
  if (!inherits(seed, "integer64") && abs(seed) >= 2^63) {
    value_error(sprintf("`seed` must be between -2^63 and 2^63, not %s.", friendly_type(seed)), call)
  }
  seed
}

#' @rdname torch_manual_seed
#' @export
with_torch_manual_seed <- function(code, ..., seed) {
  local_torch_manual_seed(seed)
  force(code)
}

#' @rdname torch_manual_seed
#' @export
local_torch_manual_seed <- function(seed, .env = parent.frame()) {
  before <- torch_get_rng_state()
  # torch_manual_seed() seeds the generators of all devices.
  on_cuda <- cuda_get_rng_state()
  torch_manual_seed(seed)
  withr::defer({
    torch_set_rng_state(before)
    cuda_set_rng_state(on_cuda)
  }, envir = .env)
  invisible()
}

#' @rdname torch_manual_seed
#' @export
torch_get_rng_state <- function() cpp_generator_state(NULL, NULL)

#' @rdname torch_manual_seed
#' @export
torch_set_rng_state <- function(state) {
  check_tensor(state, "state")
  invisible(cpp_generator_state(NULL, state))
}

#' State of random numbers on CUDA devices
#'
#' Each CUDA device has random numbers of its own. [torch_manual_seed()] is for all devices.
#'
#' @param device Number of a device, from 0; `NULL`: all devices.
#' @param state A state that `cuda_get_rng_state()` gave with the same `device`.
#' @return `cuda_get_rng_state()` a uint8 tensor on the CPU; with `device = NULL` a list of them, one a device, empty where
#'   there is none.
#' @section Errors:
#' A `runtime_error` where there is no CUDA device, a `value_error` for a number that no device has, or for a list of
#' another length than there are devices.
#' @section Source:
#' LibTorch's `at::Context::defaultGenerator()`.
#' @seealso [torch_get_rng_state()]
#' @examplesIf torch::torch_is_installed()
#' state <- cuda_get_rng_state()
#' cuda_set_rng_state(state)
#' @export
cuda_get_rng_state <- function(device = NULL) {
  if (is.null(device)) return(lapply(seq_len(cuda_device_count()) - 1L, cuda_rng_state))
  check_cuda()
  cuda_rng_state(cuda_number(device))
}

#' @rdname cuda_get_rng_state
#' @export
cuda_set_rng_state <- function(state, device = NULL) {
  if (!is.null(device)) {
    check_cuda()
    return(invisible(cuda_rng_state(cuda_number(device), state)))
  }
  count <- cuda_device_count()
  if (!is.list(state) || length(state) != count) {
    value_error(sprintf(
      "`state` must be a list of %d states, one for each CUDA device, not %s.", count, friendly_type(state)
    ))
  }
  Map(cuda_rng_state, seq_len(count) - 1L, state)
  invisible()
}

cuda_rng_state <- function(number, state = NULL) {
  cpp_generator_state(cpp_generator_of_device(paste0("cuda:", number)), state)
}

#' A generator of random numbers
#'
#' Passed as `generator` to operators that draw random numbers.
#'
#' @return A `torch_generator` with `$current_seed()` and `$set_current_seed(seed)`.
#' @export
torch_generator <- function() cpp_generator_new()

#' @export
`$.torch_generator` <- function(x, name) {
  switch(name,
    current_seed = function() cpp_generator_seed(x, NULL),
    set_current_seed = function(seed) invisible(cpp_generator_seed(x, check_seed(seed))),
    get_state = function() cpp_generator_state(x, NULL),
    set_state = function(state) {
      check_tensor(state, "state", NULL)
      invisible(cpp_generator_state(x, state))
    },
    NULL
  )
}

#' @export
print.torch_generator <- function(x, ...) {
  cat("torch_generator()\n")
  invisible(x)
}

#' Threads that LibTorch uses
#'
#' `torch_set_num_threads()` sets the threads for work inside an operator, `torch_set_num_interop_threads()` those for
#' TorchScript's `fork`. A process that was forked from this one, as by `parallel::mclapply()`, has none of its
#' threads. It works with one; setting more there may make it wait for ever.
#'
#' @param num_threads A positive whole number. The interop pool can be set once, before the first operator.
#' @return The number of threads.
#' @section Source:
#' LibTorch's `at::set_num_threads()` and `at::set_num_interop_threads()`.
#' @examplesIf torch::torch_is_installed()
#' torch_get_num_threads()
#' @export
torch_get_num_threads <- function() cpp_threads(FALSE, NULL)
#' @rdname torch_get_num_threads
#' @export
torch_set_num_threads <- function(num_threads) invisible(cpp_threads(FALSE, check_threads(num_threads)))
#' @rdname torch_get_num_threads
#' @export
torch_get_num_interop_threads <- function() cpp_threads(TRUE, NULL)
#' @rdname torch_get_num_threads
#' @export
torch_set_num_interop_threads <- function(num_threads) invisible(cpp_threads(TRUE, check_threads(num_threads)))

check_threads <- function(n, call = caller_env()) {
  if (is_whole_number(n) && n >= 1 && n <= .Machine$integer.max) return(n)
  value_error(sprintf("`num_threads` must be a positive whole number, not %s.", friendly_type(n)), call)
}
