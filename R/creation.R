# Creation functions: sizes in R's ways, the default device, requires_grad. The operators themselves are op_zeros(), ...

# Sizes given as numbers, one vector, one list, or `size =`.
sizes_of <- function(..., size = NULL, call = caller_env()) {
  given <- list2(...)
  named <- names2(given) != ""
  if (any(named)) type_error(sprintf("`%s` is no argument of this function.", names(given)[named][1]), call)
  if (!is.null(size)) {
    if (length(given)) value_error("The size must be given once: by `size` or by unnamed numbers.", call)
    given <- as.list(size)
  } else if (length(given) == 1 && (is.list(given[[1]]) || length(given[[1]]) != 1)) {
    given <- as.list(given[[1]])
  }
  if (any(vapply(given, is_size, NA))) return(do.call(c, given))
  for (value in given) {
    if (!is_scalar_integerish(value, finite = TRUE)) {
      value_error(sprintf("A size must be a whole number, not %s.", friendly_type(value)), call)
    }
    if (value < 0) value_error(sprintf("A size must not be negative, not %s.", format(value)), call)
  }
  as.double(unlist(given, use.names = FALSE))
}

# Calls a creation operator with its options; what is NULL is LibTorch's default.
create <- function(op, ..., dtype = NULL, layout = NULL, device = NULL, requires_grad = FALSE, call = caller_env()) {
  if (is.null(device)) device <- the$device
  out <- op(..., dtype = as_dtype(dtype, call = call), layout = layout, device = as_device(device, call))
  if (requires_grad) cpp_tensor_set_requires_grad(out, TRUE) else out
}

refuse_names <- function(names, call = caller_env()) {
  if (!is.null(names)) not_implemented_error("Named tensors are not in LibTorch any more: `names` must be NULL.", call)
}

#' Make tensors of a size
#'
#' Sizes are given as numbers (`torch_zeros(2, 3)`), a vector, a list, or by `size`.
#'
#' @param ...,size Sizes of the dimensions.
#' @param names Must be `NULL`: named tensors are gone from LibTorch.
#' @param dtype A [torch_dtype] or its name; by default [torch_get_default_dtype()].
#' @param layout A [torch_layout].
#' @param device A [torch_device()] or its name.
#' @param requires_grad Whether operations on the tensor are recorded.
#' @param memory_format A memory format.
#' @param fill_value A number.
#' @param input A tensor whose size, dtype and device are taken.
#' @param low,high Bounds; `high` is excluded.
#' @param generator A [torch_generator()].
#' @param mean,std A number or a tensor; if one is a tensor, `size` must not be given.
#' @return A tensor.
#' @examplesIf torch::torch_is_installed()
#' torch_zeros(2, 3)
#' torch_randn(c(2, 2), requires_grad = TRUE)
#' torch_full(c(2, 2), 3.14)
#' @name torch_zeros
NULL

#' @rdname torch_zeros
#' @export
torch_zeros <- function(..., names = NULL, dtype = NULL, layout = NULL, device = NULL, requires_grad = FALSE) {
  refuse_names(names)
  create(op_zeros, size = creation_sizes(...), dtype = dtype, layout = layout, device = device, requires_grad = requires_grad)
}
#' @rdname torch_zeros
#' @export
torch_ones <- function(..., names = NULL, dtype = NULL, layout = NULL, device = NULL, requires_grad = FALSE) {
  refuse_names(names)
  create(op_ones, size = creation_sizes(...), dtype = dtype, layout = layout, device = device, requires_grad = requires_grad)
}
#' @rdname torch_zeros
#' @export
torch_rand <- function(..., names = NULL, dtype = NULL, layout = NULL, device = NULL, requires_grad = FALSE) {
  refuse_names(names)
  create(op_rand, size = creation_sizes(...), dtype = dtype, layout = layout, device = device, requires_grad = requires_grad)
}
#' @rdname torch_zeros
#' @export
torch_randn <- function(..., names = NULL, dtype = NULL, layout = NULL, device = NULL, requires_grad = FALSE) {
  refuse_names(names)
  create(op_randn, size = creation_sizes(...), dtype = dtype, layout = layout, device = device, requires_grad = requires_grad)
}
#' @rdname torch_zeros
#' @export
torch_empty <- function(..., names = NULL, dtype = NULL, layout = NULL, device = NULL, requires_grad = FALSE) {
  refuse_names(names)
  create(op_empty, size = creation_sizes(...), dtype = dtype, layout = layout, device = device, requires_grad = requires_grad)
}

# `size` may be among the dots by name, as in torch_zeros(size = c(2, 3)).
creation_sizes <- function(..., size = NULL, call = caller_env()) sizes_of(..., size = size, call = call)

#' @rdname torch_zeros
#' @export
torch_full <- function(size, fill_value, names = NULL, dtype = NULL, layout = NULL, device = NULL, requires_grad = FALSE) {
  refuse_names(names)
  create(op_full, size = sizes_of(size = size), fill_value = fill_value, dtype = dtype, layout = layout, device = device,
    requires_grad = requires_grad)
}
#' @rdname torch_zeros
#' @export
torch_randint <- function(low, high, size, generator = NULL, dtype = NULL, layout = NULL, device = NULL,
                          requires_grad = FALSE, memory_format = torch_preserve_format()) {
  create(op_randint, low = low, high = high, size = sizes_of(size = size), generator = generator,
    dtype = if (is.null(dtype)) torch_int64() else dtype, layout = layout, device = device, requires_grad = requires_grad)
}
#' @rdname torch_zeros
#' @export
torch_normal <- function(mean, std, size = NULL, generator = NULL, ...) {
  scalar <- !is_torch_tensor(mean) && !is_torch_tensor(std)
  if (scalar && is.null(size)) value_error("`size` must be given if `mean` and `std` are numbers.")
  if (!scalar && (!is.null(size) || ...length() > 0)) {
    value_error("`size` and options must not be given if `mean` or `std` is a tensor.")
  }
  if (!scalar) return(op_normal(mean, std, generator = generator))
  create(op_normal, mean = mean, std = std, size = sizes_of(size = size), generator = generator, ...)
}

like <- function(op, input, dtype, layout, device, requires_grad, memory_format, ..., call = caller_env()) {
  check_tensor(input, "input", call)
  out <- op(input, ..., dtype = as_dtype(dtype, call = call), layout = layout, device = as_device(device, call),
    memory_format = memory_format)
  if (requires_grad) cpp_tensor_set_requires_grad(out, TRUE) else out
}

#' @rdname torch_zeros
#' @export
torch_zeros_like <- function(input, dtype = NULL, layout = NULL, device = NULL, requires_grad = FALSE,
                             memory_format = torch_preserve_format()) {
  like(op_zeros_like, input, dtype, layout, device, requires_grad, memory_format)
}
#' @rdname torch_zeros
#' @export
torch_ones_like <- function(input, dtype = NULL, layout = NULL, device = NULL, requires_grad = FALSE,
                            memory_format = torch_preserve_format()) {
  like(op_ones_like, input, dtype, layout, device, requires_grad, memory_format)
}
#' @rdname torch_zeros
#' @export
torch_rand_like <- function(input, dtype = NULL, layout = NULL, device = NULL, requires_grad = FALSE,
                            memory_format = torch_preserve_format()) {
  like(op_rand_like, input, dtype, layout, device, requires_grad, memory_format)
}
#' @rdname torch_zeros
#' @export
torch_randn_like <- function(input, dtype = NULL, layout = NULL, device = NULL, requires_grad = FALSE,
                             memory_format = torch_preserve_format()) {
  like(op_randn_like, input, dtype, layout, device, requires_grad, memory_format)
}
#' @rdname torch_zeros
#' @export
torch_empty_like <- function(input, dtype = NULL, layout = NULL, device = NULL, requires_grad = FALSE,
                             memory_format = torch_preserve_format()) {
  like(op_empty_like, input, dtype, layout, device, requires_grad, memory_format)
}
#' @rdname torch_zeros
#' @export
torch_full_like <- function(input, fill_value, dtype = NULL, layout = NULL, device = NULL, requires_grad = FALSE,
                            memory_format = torch_preserve_format()) {
  like(op_full_like, input, dtype, layout, device, requires_grad, memory_format, fill_value = fill_value)
}

#' Sequences and special matrices
#'
#' `torch_arange()` includes its end, as `seq()` does; with one argument it counts from 1 to it. Whole R integers give
#' int64, all else float32. `torch_linspace()` and `torch_logspace()` take 100 steps by default. `torch_randperm(n)`
#' holds 0 to n - 1. `torch_scalar_tensor()` is 0-d.
#'
#' @param start,end,step,steps,base Numbers.
#' @param n,m Numbers of rows and columns.
#' @param value A number.
#' @inheritParams torch_zeros
#' @return A tensor.
#' @examplesIf torch::torch_is_installed()
#' torch_arange(1, 5)
#' torch_eye(2)
#' @export
torch_arange <- function(start, end = NULL, step = 1L, dtype = NULL, layout = NULL, device = NULL, requires_grad = FALSE) {
  sized <- is_size(start) || is_size(end)
  for (arg in c("start", "end", "step")) {
    value <- size_parts(get(arg))$numbers
    if (is.null(value) && arg == "end") next
    if (!is.numeric(value) || length(value) != 1 || is.na(value)) {
      type_error(sprintf("`%s` must be a number, not %s.", arg, friendly_type(value)))
    }
  }
  if (is.null(end)) {
    end <- start
    start <- 1L
  }
  if (is.null(dtype)) {
    dtype <- if (is.integer(start) && is.integer(end) && is.integer(step)) torch_int64() else torch_get_default_dtype()
  }
  dtype <- as_dtype(dtype)
  if (sized && step == 1) {
    return(create(op_arange, start = start, end = end + 1L, step = 1L, dtype = dtype, layout = layout, device = device,
      requires_grad = requires_grad))
  }
  if (step == 0 || (end - start) / step < 0) {
    value_error("`step` must lead from `start` to `end`.")
  }
  # LibTorch's arange excludes its end; half a step more includes it whatever the rounding. Integers need a whole one.
  n <- floor((end - start) / step + 1e-9)
  beyond <- if (dtype$is_floating_point) step / 2 else sign(step)
  create(op_arange, start = start, end = start + n * step + beyond, step = step, dtype = dtype, layout = layout,
    device = device, requires_grad = requires_grad)
}

#' @rdname torch_arange
#' @export
torch_linspace <- function(start, end, steps = 100, dtype = NULL, layout = NULL, device = NULL, requires_grad = FALSE) {
  create(op_linspace, start = start, end = end, steps = steps, dtype = dtype, layout = layout, device = device,
    requires_grad = requires_grad)
}
#' @rdname torch_arange
#' @export
torch_logspace <- function(start, end, steps = 100, base = 10, dtype = NULL, layout = NULL, device = NULL, requires_grad = FALSE) {
  create(op_logspace, start = start, end = end, steps = steps, base = base, dtype = dtype, layout = layout,
    device = device, requires_grad = requires_grad)
}
#' @rdname torch_arange
#' @export
torch_eye <- function(n, m = n, dtype = NULL, layout = NULL, device = NULL, requires_grad = FALSE) {
  create(op_eye, n = n, m = m, dtype = dtype, layout = layout, device = device, requires_grad = requires_grad)
}
#' @rdname torch_arange
#' @export
torch_randperm <- function(n, dtype = torch_int64(), layout = NULL, device = NULL, requires_grad = FALSE) {
  create(op_randperm, n = n, dtype = dtype, layout = layout, device = device, requires_grad = requires_grad)
}
#' @rdname torch_arange
#' @export
torch_scalar_tensor <- function(value, dtype = NULL, device = NULL, requires_grad = FALSE) {
  if (is_torch_tensor(value)) return(value$squeeze())
  if (length(value) != 1) value_error(sprintf("`value` must have length 1, not %d.", length(value)))
  torch_tensor(value, dtype = dtype, device = device, requires_grad = requires_grad)$squeeze(1)
}
