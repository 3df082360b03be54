# CUDA devices: which there are, and what they hold.

#' CUDA devices
#'
#' @description
#' Device numbers count from 0, as CUDA's do; a `torch_device` or a string such as `"cuda:1"` will do as well.
#'
#' * `cuda_is_available()`, `cuda_device_count()`: whether, and how many, devices LibTorch can use.
#' * `cuda_current_device()`: the number of the device that new tensors of `device = "cuda"` go to.
#' * `cuda_get_device_capability()`: the compute capability, such as 9 and 0.
#' * `cuda_runtime_version()`: the version of the CUDA runtime in LibTorch.
#' * `cuda_synchronize()`: waits until the device has done all that it was given.
#'
#' @param device Number of a device. `cuda_synchronize()`: `NULL` is the current one.
#' @return `cuda_is_available()` a logical, `cuda_device_count()` and `cuda_current_device()` an integer,
#'   `cuda_get_device_capability()` an integer vector named `Major` and `Minor`, `cuda_runtime_version()` a
#'   [numeric_version()], `cuda_synchronize()` nothing.
#' @section Errors:
#' All but the first two are a `runtime_error` where there is no device; a number that no device has is a `value_error`.
#' @section Source:
#' LibTorch's `at::CUDAHooksInterface`; the capability is the CUDA driver's answer (`cuDeviceGetAttribute`).
#' @seealso [cuda_memory_stats()], [cuda_get_rng_state()], [backends]
#' @examplesIf torch::torch_is_installed()
#' cuda_is_available()
#' if (cuda_is_available()) cuda_get_device_capability()
#' @export
cuda_is_available <- function() cuda_device_count() > 0L

#' @rdname cuda_is_available
#' @export
cuda_device_count <- function() if (torch_is_installed()) cpp_cuda_device_count() else 0L

#' @rdname cuda_is_available
#' @export
cuda_current_device <- function() {
  check_cuda()
  cpp_cuda_current_device()
}

#' @rdname cuda_is_available
#' @export
cuda_get_device_capability <- function(device = cuda_current_device()) {
  check_cuda()
  stats::setNames(cpp_cuda_capability(cuda_number(device)), c("Major", "Minor"))
}

#' @rdname cuda_is_available
#' @export
cuda_runtime_version <- function() {
  check_cuda()
  cuda_version(backend_fact("cudart"))
}

#' @rdname cuda_is_available
#' @export
cuda_synchronize <- function(device = NULL) {
  check_cuda()
  invisible(cpp_cuda_synchronize(if (is.null(device)) cpp_cuda_current_device() else cuda_number(device)))
}

# CUDA writes 12.4 as 12040.
cuda_version <- function(number) numeric_version(paste(number %/% 1000, number %% 1000 %/% 10, sep = "."))

check_cuda <- function(call = caller_env()) {
  if (!cuda_is_available()) {
    runtime_error(no_device("cuda"), call)
  }
}

# `device` as the number of a CUDA device; an error if there is no such device.
cuda_number <- function(device, call = caller_env()) {
  asked <- device
  if (is_string(device)) device <- device_of(device, "device", call)
  if (is_torch_device(device)) {
    device <- if (device$type != "cuda") NA else if (is.null(device$index)) cpp_cuda_current_device() else device$index
  }
  count <- cuda_device_count()
  if (!is_whole_number(device) || device < 0 || device >= count) {
    what <- if (is_torch_device(asked)) paste("the device", as.character(asked)) else friendly_type(asked)
    value_error(sprintf("`device` must be the number of a CUDA device, 0 to %d, not %s.", count - 1L, what), call)
  }
  as.integer(device)
}

#' Memory of CUDA devices
#'
#' @description
#' LibTorch keeps the memory of freed CUDA tensors for the next ones.
#'
#' * `cuda_memory_stats()` counts what is in use and what is kept.
#' * `cuda_memory_summary()` prints that as a table.
#' * `cuda_empty_cache()` gives back what is kept and not in use. Tensors that R has not collected yet are in use: call
#'   `gc()` before.
#' * `cuda_record_memory_history()` begins or ends a record of what is allocated and freed.
#' * `cuda_memory_snapshot()` and `cuda_dump_memory_snapshot()` give that record, with a map of the memory, as the pickle
#'   that PyTorch's memory viewer reads.
#'
#' R looks for tensors that nobody uses when a device fills: see [torch_options].
#'
#' @param device Number of a device, from 0.
#' @param enabled What to record: `"state"` the memory in use, `"all"` also each allocation and release, `NULL` ends the
#'   record.
#' @param context For what to keep where it came from: `"state"`, `"alloc"`, `"all"`, or `NULL` for nothing.
#' @param stacks Which stacks that is: `"all"` or `"python"`.
#' @param max_entries How many allocations and releases are kept.
#' @param filepath Name of the file to write.
#' @return `cuda_memory_stats()` a list of class `cuda_memory_stats` with 13 entries. `num_alloc_retries`, `num_ooms` and
#'   `max_split_size` are numbers; `oversize_allocations` and `oversize_segments` lists of `current`, `peak`, `allocated`,
#'   `freed`; `allocation`, `segment`, `active`, `inactive_split` (counts), `allocated_bytes`, `reserved_bytes`,
#'   `active_bytes` and `inactive_split_bytes` lists of such lists for `all`, `small_pool`, `large_pool`.
#'   `cuda_memory_summary()` gives the same invisibly. `cuda_memory_snapshot()` a raw vector,
#'   `cuda_dump_memory_snapshot()` its path invisibly, the others nothing.
#' @section Errors:
#' A `runtime_error` where there is no CUDA device; a number that no device has is a `value_error`. LibTorch before 2.9
#' gives no statistics.
#' @section Source:
#' LibTorch's `c10::DeviceAllocator` and `torch/csrc/cuda/memory_snapshot.h`.
#' @seealso [cuda_is_available()]
#' @examplesIf torch::torch_is_installed() && torch::cuda_is_available()
#' cuda_memory_stats()$allocated_bytes$all$current
#' cuda_memory_summary()
#' @export
cuda_memory_stats <- function(device = cuda_current_device()) {
  check_cuda()
  new_cuda_memory_stats(cpp_cuda_memory_stats(cuda_number(device)))
}

# The numbers of the contract's ts_cuda_memory_stats(), in its order.
new_cuda_memory_stats <- function(numbers) {
  numbers <- as.double(numbers)
  counts <- function(n) stats::setNames(as.list(n), c("current", "peak", "allocated", "freed"))
  pools <- function(n) stats::setNames(lapply(split(n, gl(3, 4)), counts), c("all", "small_pool", "large_pool"))
  single <- stats::setNames(as.list(numbers[1:3]), c("num_alloc_retries", "num_ooms", "max_split_size"))
  oversize <- stats::setNames(
    lapply(split(numbers[4:11], gl(2, 4)), counts), c("oversize_allocations", "oversize_segments")
  )
  pooled <- stats::setNames(lapply(split(numbers[12:107], gl(8, 12)), pools), c(
    "allocation", "segment", "active", "inactive_split", "allocated_bytes", "reserved_bytes", "active_bytes",
    "inactive_split_bytes"
  ))
  structure(c(single, oversize, pooled), class = "cuda_memory_stats")
}

#' @export
print.cuda_memory_stats <- function(x, ...) {
  cat(sprintf("Out of memory %.0f times, allocations tried again %.0f times\n", x$num_ooms, x$num_alloc_retries))
  pooled <- Filter(function(entry) is.list(entry) && "all" %in% names(entry), unclass(x))
  text <- t(vapply(names(pooled), function(name) {
    counts <- unlist(pooled[[name]]$all)
    if (endsWith(name, "_bytes")) vapply(counts, format_bytes, "") else sprintf("%.0f", counts)
  }, character(4)))
  columns <- rbind(c("", "current", "peak", "allocated", "freed"), cbind(gsub("_", " ", names(pooled)), text))
  columns[, 1] <- formatC(columns[, 1], width = -max(nchar(columns[, 1])))
  columns[, -1] <- formatC(columns[, -1], width = max(nchar(columns[, -1])))
  cat(apply(columns, 1, paste, collapse = "  "), sep = "\n")
  invisible(x)
}

format_bytes <- function(n) {
  unit <- min(4, max(0, floor(log(max(n, 1), 1024))))
  sprintf(if (unit == 0) "%.0f %s" else "%.1f %s", n / 1024^unit, c("B", "KiB", "MiB", "GiB", "TiB")[unit + 1])
}

#' @rdname cuda_memory_stats
#' @export
cuda_memory_summary <- function(device = cuda_current_device()) {
  check_cuda()
  print(new_cuda_memory_stats(cpp_cuda_memory_stats(cuda_number(device))))
}

#' @rdname cuda_memory_stats
#' @export
cuda_empty_cache <- function() {
  check_cuda()
  invisible(cpp_cuda_empty_cache())
}

#' @rdname cuda_memory_stats
#' @export
cuda_record_memory_history <- function(enabled, context = "all", stacks = "all", max_entries = 1) {
  check_cuda()
  one_of(enabled, "enabled", c("state", "all"), or_null = TRUE)
  one_of(context, "context", c("state", "alloc", "all"), or_null = TRUE)
  one_of(stacks, "stacks", c("python", "all"))
  if (!is_whole_number(max_entries) || max_entries < 1) {
    value_error(sprintf("`max_entries` must be a positive whole number, not %s.", friendly_type(max_entries)))
  }
  invisible(cpp_cuda_record_history(enabled, context, stacks, max_entries))
}

one_of <- function(x, arg, choices, or_null = FALSE, call = caller_env()) {
  if (is_string(x) && x %in% choices || or_null && is.null(x)) return()
  accepted <- paste(c(dQuote(choices, FALSE), if (or_null) "NULL"), collapse = ", ")
  value_error(sprintf("`%s` must be one of %s, not %s.", arg, accepted, friendly_type(x)), call)
}

#' @rdname cuda_memory_stats
#' @export
cuda_memory_snapshot <- function() {
  check_cuda()
  cpp_cuda_snapshot()
}

#' @rdname cuda_memory_stats
#' @export
cuda_dump_memory_snapshot <- function(filepath) {
  check_cuda()
  if (!is_string(filepath)) type_error(sprintf("`filepath` must be the name of a file, not %s.", friendly_type(filepath)))
  writeBin(cpp_cuda_snapshot(), filepath)
  invisible(filepath)
}
