# Creation functions: sizes in R's ways, the default device, requires_grad. Most are a row of `creation_functions`; the
# others compute what an operator wants and hand it to create(). The operators themselves are op_zeros(), ...

# The sizes, given as numbers, as one vector, as one list, or by `size =`.
sizes_of <- function(..., size = NULL, call = caller_env()) {
  given <- list2(...)
  named <- names2(given) != ""
  if (any(named)) type_error(sprintf("`%s` is no argument of this function.", names(given)[named][1]), call)
  if (!is.null(size)) {
    if (length(given)) value_error("The size must be given once: by `size` or by unnamed numbers.", call)
    given <- as.list(without_bit64(size))
  } else if (length(given) == 1 && (is.list(given[[1]]) || length(given[[1]]) != 1)) {
    given <- as.list(without_bit64(given[[1]]))
  }
  if (any(vapply(given, is_size, NA))) return(do.call(c, given))
  given <- lapply(given, without_bit64)
  for (value in given) {
    if (!is_whole_number(value)) {
      value_error(sprintf("A size must be a whole number, not %s.", friendly_type(value)), call)
    }
    if (value < 0) value_error(sprintf("A size must not be negative, not %s.", format(value)), call)
  }
  as.double(unlist(given, use.names = FALSE))
}

without_bit64 <- function(x) if (inherits(x, "integer64")) bit64::as.double.integer64(x) else x

# Calls a creation operator with its options. LibTorch chooses those that are NULL.
create <- function(op, ..., dtype = NULL, layout = NULL, device = NULL, requires_grad = FALSE, call = caller_env()) {
  if (is.null(device)) device <- the$device
  out <- op(..., dtype = as_dtype(dtype, call = call), layout = layout, device = as_device(device, call))
  if (isFALSE(requires_grad)) out else set_requires_grad(out, requires_grad, call)
}

refuse_names <- function(names, call = caller_env()) {
  if (!is.null(names)) not_implemented_error("Named tensors are not in LibTorch any more: `names` must be NULL.", call)
}

# The formals of the R functions, by the name of the operator. The glue reads the arguments from the function's frame
# by the names of the operator's own arguments. `...` and `size` are sizes (src/create.cpp).
creation_functions <- local({
  options <- alist(dtype = NULL, layout = NULL, device = NULL, requires_grad = FALSE)
  of_size <- c(alist(... = , names = NULL), options)
  like <- function(...) c(alist(input = ), ..., options, alist(memory_format = torch_preserve_format()))
  window <- function(...) c(alist(window_length = , periodic = TRUE), ..., options)
  of_triangle <- alist(row = , col = , offset = 0, dtype = NULL, device = NULL, layout = NULL)
  list(
    zeros = of_size, ones = of_size, rand = of_size, randn = of_size, empty = of_size,
    full = c(alist(size = , fill_value = , names = NULL), options),
    empty_strided = c(alist(size = , stride = ), options, alist(pin_memory = FALSE)),
    zeros_like = like(), ones_like = like(), rand_like = like(), randn_like = like(), empty_like = like(),
    full_like = like(alist(fill_value = )),
    eye = c(alist(n = , m = n), options),
    randperm = c(alist(n = , dtype = torch_int64()), options[-1]),
    hann_window = window(), bartlett_window = window(), blackman_window = window(),
    hamming_window = window(alist(alpha = 0.54, beta = 0.46)), kaiser_window = window(alist(beta = 12)),
    fft_fftfreq = c(alist(n = , d = 1), options),
    tril_indices = of_triangle, triu_indices = of_triangle
  )
})

make_creation_functions <- function(env) {
  for (name in names(creation_functions)) {
    f <- new_op_function(name, creation_functions[[name]], env, quote(C_create))
    assign(paste0("torch_", name), f, envir = env)
  }
}

#' @evalNamespace paste0("export(torch_", names(creation_functions), ")")
NULL

# Aliases and usages for a page: the functions are made from the table, when the package is installed. A line breaks
# between arguments.
creation_page <- function(...) {
  functions <- list(...)
  usage <- lapply(functions, function(name) {
    call <- paste0("torch_", name, formals_text(new_op_function(name, creation_functions[[name]])))
    gsub("~=~", " = ", strwrap(gsub(" = ", "~=~", call, fixed = TRUE), 88, exdent = 2), fixed = TRUE)
  })
  c(paste("@aliases", paste0("torch_", functions, collapse = " ")), "@usage", unlist(usage))
}

check_input <- function(input, call = caller_env()) check_tensor(input, "input", call)

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
#' @param stride Steps in memory from one element to the next along each dimension.
#' @param pin_memory Whether to use page-locked memory.
#' @return A tensor.
#' @examplesIf torch::torch_is_installed()
#' torch_zeros(2, 3)
#' torch_randn(c(2, 2), requires_grad = TRUE)
#' torch_full(c(2, 2), 3.14)
#' @eval creation_page("zeros", "ones", "rand", "randn", "empty", "full", "empty_strided", "zeros_like", "ones_like", "rand_like", "randn_like", "empty_like", "full_like")
#' @name torch_zeros
NULL

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

#' @rdname torch_zeros
#' @export
torch_randint <- function(low, high, size, generator = NULL, dtype = NULL, layout = NULL, device = NULL, requires_grad = FALSE,
                          memory_format = torch_preserve_format()) {
  create(
    op_randint, low = low, high = high, size = sizes_of(size = size), generator = generator,
    dtype = dtype %||% torch_get_default_dtype(), layout = layout, device = device, requires_grad = requires_grad
  )
}

#' @rdname torch_zeros
#' @export
torch_randint_like <- function(input, low, high, dtype = NULL, layout = NULL, device = NULL, requires_grad = FALSE) {
  check_tensor(input, "input")
  # The tensor is detached, because LibTorch has no gradient of this operator, not even zero.
  create(op_randint_like, input$detach(), low = low, high = high, dtype = dtype, layout = layout,
    device = device %||% input$device, requires_grad = requires_grad)
}

#' Sequences and special matrices
#'
#' `torch_arange()` includes its end, as `seq()` does; with one argument it counts from 1 to it. Whole R integers give
#' int64, all else float32. `torch_linspace()` and `torch_logspace()` take 100 steps by default. `torch_randperm(n)`
#' holds 0 to n - 1. `torch_scalar_tensor()` is 0-d.
#'
#' @param start,end,step,steps,base Numbers; tensors of one element will do.
#' @param n,m Numbers of rows and columns.
#' @param value A number.
#' @inheritParams torch_zeros
#' @return A tensor.
#' @examplesIf torch::torch_is_installed()
#' torch_arange(1, 5)
#' torch_eye(2)
#' @export
torch_arange <- function(start, end = NULL, step = 1L, dtype = NULL, layout = NULL, device = NULL, requires_grad = FALSE) {
  start <- as_number(start)
  end <- as_number(end)
  step <- as_number(step)
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

# A tensor of one element stands for its number.
as_number <- function(x) if (is_torch_tensor(x) && .Call(C_numel, x) == 1) x$item() else x

#' @rdname torch_arange
#' @export
torch_linspace <- function(start, end, steps = 100, dtype = NULL, layout = NULL, device = NULL, requires_grad = FALSE) {
  create(op_linspace, start = as_number(start), end = as_number(end), steps = steps, dtype = dtype, layout = layout, device = device,
    requires_grad = requires_grad)
}
#' @rdname torch_arange
#' @export
torch_logspace <- function(start, end, steps = 100, base = 10, dtype = NULL, layout = NULL, device = NULL, requires_grad = FALSE) {
  create(op_logspace, start = as_number(start), end = as_number(end), steps = steps, base = base, dtype = dtype, layout = layout,
    device = device, requires_grad = requires_grad)
}
#' @rdname torch_arange
#' @eval creation_page("eye", "randperm")
#' @name torch_eye
NULL

#' @rdname torch_arange
#' @export
torch_scalar_tensor <- function(value, dtype = NULL, device = NULL, requires_grad = FALSE) {
  if (is_torch_tensor(value)) return(value$squeeze())
  if (length(value) != 1) value_error(sprintf("`value` must have length 1, not %d.", length(value)))
  torch_tensor(value, dtype = dtype, device = device, requires_grad = requires_grad)$squeeze(1)
}

#' @rdname torch_arange
#' @export
torch_range <- function(start, end, step = 1, dtype = NULL, layout = NULL, device = NULL, requires_grad = FALSE) {
  rlang::warn("`torch_range()` is deprecated: use `torch_arange()`, which includes its end too.", class = "deprecated")
  torch_arange(start, end, step, dtype, layout, device, requires_grad)
}

#' Windows and frequencies of the discrete Fourier transform
#'
#' A window of `window_length` weights. A periodic one is a symmetric one that is one longer without its last weight, as
#' a transform wants it. With n for `window_length - 1` (periodic: `window_length`) and k from 0:
#'
#' | window | weight k |
#' |---|---|
#' | Bartlett | 1 - abs(2k / n - 1) |
#' | Hann | (1 - cos(2 pi k / n)) / 2 |
#' | Hamming | alpha - beta cos(2 pi k / n) |
#' | Blackman | 0.42 - 0.5 cos(2 pi k / n) + 0.08 cos(4 pi k / n) |
#' | Kaiser | I0(beta sqrt(1 - (2k / n - 1)^2)) / I0(beta) |
#'
#' `torch_fft_fftfreq()` gives the frequencies of a transform of `n` samples that are `d` apart.
#'
#' @param window_length,n Numbers of samples.
#' @param periodic Whether the window is meant for a transform.
#' @param alpha,beta Numbers, see the table.
#' @param d Distance of the samples.
#' @param dtype,layout,device,requires_grad See [torch_zeros()].
#' @return A tensor of shape `(window_length)` or `(n)`.
#' @examplesIf torch::torch_is_installed()
#' torch_hann_window(5, periodic = FALSE)
#' torch_fft_fftfreq(4)
#' @eval creation_page("hann_window", "bartlett_window", "blackman_window", "hamming_window", "kaiser_window", "fft_fftfreq")
#' @name torch_hann_window
NULL

#' Sparse tensors
#'
#' A tensor that holds only the values at some positions. `$to_dense()` fills it up with zeros, `$coalesce()` adds values
#' at the same position, `$indices()` and `$values()` give its parts.
#'
#' @param indices An int64 tensor with a column for each value and a row for each dimension; positions count from 1.
#' @param values A tensor with the values.
#' @param size Sizes; by default the smallest that hold all positions.
#' @inheritParams torch_zeros
#' @return A tensor of layout [torch_sparse_coo()].
#' @examplesIf torch::torch_is_installed()
#' i <- torch_tensor(rbind(c(1L, 2L), c(3L, 1L)))
#' torch_sparse_coo_tensor(i, c(10, 20), c(2, 3))$to_dense()
#' @export
torch_sparse_coo_tensor <- function(indices, values, size = NULL, dtype = NULL, device = NULL, requires_grad = FALSE) {
  if (is.null(size)) {
    create(op_sparse_coo_tensor, indices = indices, values = values, dtype = dtype, device = device, requires_grad = requires_grad)
  } else {
    create(op_sparse_coo_tensor, indices = indices, values = values, size = sizes_of(size = size), dtype = dtype,
      device = device, requires_grad = requires_grad)
  }
}

#' Positions of a triangle
#'
#' Row and column of each element in the lower or upper triangle of a matrix, row by row.
#'
#' @param row,col Numbers of rows and columns.
#' @param offset The diagonal that bounds the triangle: 0 the main one, positive above it.
#' @param dtype,layout,device See [torch_zeros()].
#' @return An int64 tensor with two rows; positions count from 1.
#' @examplesIf torch::torch_is_installed()
#' torch_tril_indices(3, 3)
#' @eval creation_page("tril_indices", "triu_indices")
#' @name torch_tril_indices
NULL
