# The memory of tensors: when R is asked to collect, and what freed blocks are kept.

#' Options of the package
#'
#' @description
#' All are set with [options()]. Those of memory are read when LibTorch is loaded, at its first use;
#' [set_cpu_allocator_config()] changes the first four later.
#'
#' | Option | Start value | Meaning |
#' |---|---|---|
#' | `torch.threshold_call_gc` | 160 | MiB of CPU memory by which tensors may grow before R collects |
#' | `torch.cpu_cache_enabled` | `TRUE` | whether freed blocks are kept for the next tensors |
#' | `torch.cpu_cache_max_size_mb` | 256 | MiB that are kept at most |
#' | `torch.cpu_cache_min_block_size` | 65536 | bytes of the smallest block that is kept |
#' | `torch.cuda_allocator_reserved_rate` | 0.2 | see below |
#' | `torch.cuda_allocator_allocated_rate` | 0.8 | see below |
#' | `torch.cuda_allocator_allocated_reserved_rate` | 0.8 | see below |
#' | `torch.cpp_trace` | `FALSE` | whether errors of LibTorch show its C++ trace |
#' | `torch.jit_fuser` | `"auto"` | who joins operators of programs to kernels on the CPU: see [jit_options] |
#' | `torch.int64` | unset | how int64 comes to R: see [jit_values] |
#' | `torch.serialize_in_rds` | `TRUE` | whether `saveRDS()` and its like write the memory of tensors: see [torch_save()] |
#' | `torch.validate_args` | `TRUE` | whether distributions check parameters and values: see [distribution()] |
#' | `torch.install_version`, `torch.url` | unset | see [install_torch()] |
#'
#' @section CPU memory:
#' R does not see how much memory a tensor holds, so the package counts. It compares what tensors hold with the least
#' that was alive since the last full collection. When they hold `torch.threshold_call_gc` MiB more than that (or half
#' as much again, if that is more), R collects its young objects, which is what a loop leaves behind. If three
#' quarters of that growth are still there afterwards, R collects everything. When an allocation fails, the kept
#' blocks are given back, R collects everything, and the allocation is tried again. A larger threshold means fewer
#' collections and a higher peak.
#'
#' Blocks that are freed are kept up to a limit: a new tensor of about the same size takes one, instead of fetching memory
#' from the system page by page. Blocks of up to 1 KiB come from a store of their own, which these options do not touch.
#'
#' @section CUDA memory:
#' LibTorch keeps freed CUDA memory itself. R collects when an allocation fails, and before that in two cases. When
#' what is in use has grown by a twentieth of the device, and by at least half of what was in use, R collects its
#' young objects, and everything if that is not enough. R also collects everything if more than `reserved_rate` of the
#' device is reserved and more than `allocated_reserved_rate` of that is in use, or if more than `allocated_rate` of
#' the device is in use. It does so again only after another twentieth of the device has been allocated, so that
#' memory which stays in use costs no further collections. This needs LibTorch 2.9 or later.
#'
#' @seealso [set_cpu_allocator_config()], [cuda_memory_stats()]
#' @name torch_options
#' @aliases torch.threshold_call_gc torch.cpu_cache_enabled torch.cpu_cache_max_size_mb torch.cpu_cache_min_block_size
#'   torch.cuda_allocator_reserved_rate torch.cuda_allocator_allocated_rate torch.cuda_allocator_allocated_reserved_rate
NULL

#' Steer the memory of CPU tensors
#'
#' `set_cpu_allocator_config()` says when R collects unused tensors and which freed blocks are kept for the next ones;
#' `cpu_cache_flush()` gives the kept blocks back to the system. What it means is in [torch_options].
#'
#' The defaults are those that users of the CRAN package torch know. A session starts with less: 160 MiB between collections,
#' 256 MiB kept in blocks of 64 KiB and more.
#'
#' @param threshold_call_gc MiB by which tensors may grow before R collects.
#' @param cache_enabled Whether freed blocks are kept.
#' @param cache_max_size_mb MiB that are kept at most.
#' @param cache_min_block_size Bytes of the smallest block that is kept.
#' @return Nothing.
#' @section Errors:
#' A number that is not positive, or a `cache_enabled` other than `TRUE` and `FALSE`, is a `value_error`.
#' @examplesIf torch::torch_is_installed()
#' set_cpu_allocator_config(threshold_call_gc = 160, cache_max_size_mb = 256)
#' cpu_cache_flush()
#' @export
set_cpu_allocator_config <- function(threshold_call_gc = 4000L, cache_enabled = TRUE, cache_max_size_mb = threshold_call_gc,
                                     cache_min_block_size = 1024L) {
  check_positive(threshold_call_gc, "threshold_call_gc")
  check_positive(cache_max_size_mb, "cache_max_size_mb")
  check_positive(cache_min_block_size, "cache_min_block_size")
  if (!is_bool(cache_enabled)) {
    value_error(sprintf("`cache_enabled` must be TRUE or FALSE, not %s.", friendly_type(cache_enabled)))
  }
  configure_memory(threshold_call_gc, cache_enabled, cache_max_size_mb, cache_min_block_size)
}

#' @rdname set_cpu_allocator_config
#' @export
cpu_cache_flush <- function() invisible(cpp_memory_flush())

configure_memory <- function(threshold, enabled, limit, smallest, rates = NULL) {
  invisible(cpp_memory_configure(threshold * 2^20, if (enabled) limit * 2^20 else 0, smallest, rates))
}

check_positive <- function(x, arg, call = caller_env(), most = 1e12) {
  if (is.numeric(x) && length(x) == 1 && !is.na(x) && x > 0 && x <= most) return(x)
  value_error(sprintf("`%s` must be a positive number of at most %g, not %s.", arg, most, friendly_type(x)), call)
}

# The arguments of configure_memory(), taken from the options of the session.
memory_options <- function() {
  positive <- function(name, default, most = 1e12) {
    name <- paste0("torch.", name)
    check_positive(getOption(name, default), name, call = NULL, most)
  }
  rate <- function(name, default) positive(paste0("cuda_allocator_", name, "_rate"), default, most = 1)
  enabled <- getOption("torch.cpu_cache_enabled", TRUE)
  if (!is_bool(enabled)) {
    value_error(sprintf("`torch.cpu_cache_enabled` must be TRUE or FALSE, not %s.", friendly_type(enabled)), call = NULL)
  }
  list(
    positive("threshold_call_gc", 160), enabled, positive("cpu_cache_max_size_mb", 256),
    positive("cpu_cache_min_block_size", 65536),
    c(rate("reserved", 0.2), rate("allocated", 0.8), rate("allocated_reserved", 0.8))
  )
}
