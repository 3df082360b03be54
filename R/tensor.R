# Tensors: an external pointer with a class. `$` finds fields, hand-written methods, then every operator of the registry.

#' Make a tensor of R data
#'
#' The data is copied; arrays keep their subscripts. A vector of length 1 becomes a tensor of shape (1).
#'
#' | R | dtype |
#' |---|---|
#' | double | float32 |
#' | integer, `integer64` | int64 |
#' | logical | bool |
#' | complex | complex64 |
#' | raw | uint8 |
#' | `NULL` | bool, shape (0) |
#' | tensor | its own; copied and detached |
#'
#' NA becomes NaN if the dtype is floating or complex. Integer dtypes and bool have no number for NA, nor for numbers
#' beyond their bounds: both are a `value_error`, also where such values are assigned with `[<-`. Fractions are cut
#' off. A single NA as an operand is NaN, as in R's arithmetic.
#'
#' @param data A vector, matrix or array, `NULL`, or a tensor.
#' @param dtype A [torch_dtype] or its name.
#' @param device A [torch_device()] or its name.
#' @param requires_grad Whether operations on the tensor are recorded for [gradients][autograd_grad].
#' @param pin_memory Whether to use page-locked memory.
#' @return A tensor.
#' @examplesIf torch::torch_is_installed()
#' torch_tensor(matrix(1:6, 2))
#' torch_tensor(c(TRUE, FALSE), dtype = "float")
#' @export
torch_tensor <- function(data, dtype = NULL, device = NULL, requires_grad = FALSE, pin_memory = FALSE) {
  if (is.null(device)) device <- the$device
  if (!is.null(dtype)) dtype <- as_dtype(dtype)
  if (!is.null(device)) device <- as_device(device)
  if (is_torch_tensor(data)) {
    out <- data$detach()$clone()
    if (!is.null(dtype) || !is.null(device)) out <- out$to(dtype = dtype, device = device)
    return(if (isFALSE(requires_grad)) out else set_requires_grad(out, requires_grad))
  }
  if (is.null(data)) {
    return(torch_empty(0, dtype = if (is.null(dtype)) torch_bool() else dtype, device = device, requires_grad = requires_grad))
  }
  if (is.object(data)) {
    check_tensor_data(data)
    if (is.factor(data)) data <- array(as.integer(data), dim(data) %||% length(data))
    # Seconds since 1970 are more than float32 can tell apart.
    if (is.null(dtype) && inherits(data, "POSIXct")) dtype <- torch_double()
  }
  if (!isFALSE(requires_grad)) check_bool(requires_grad, "requires_grad")
  if (!isFALSE(pin_memory)) check_bool(pin_memory, "pin_memory")
  cpp_tensor_from_r(data, dtype, device, requires_grad, pin_memory)
}

check_bool <- function(x, arg, call = caller_env()) {
  if (!is_bool(x)) type_error(sprintf("`%s` must be TRUE or FALSE, not %s.", arg, friendly_type(x)), call)
}

set_requires_grad <- function(x, requires_grad, call = caller_env()) {
  check_bool(requires_grad, "requires_grad", call)
  cpp_tensor_set_requires_grad(x, requires_grad)
}

check_tensor_data <- function(data, call = caller_env()) {
  if (is.data.frame(data)) {
    type_error("R type not handled: `data` is a data frame. Use `as.matrix()` first.", call)
  }
  if (inherits(data, "R7")) type_error(sprintf("R type not handled: `data` is %s.", friendly_type(data)), call)
}

#' A tensor on an R vector's memory
#'
#' `torch_tensor_from_buffer()` makes a tensor that shares the memory of an R vector (row-major, no copy): a change of
#' one is a change of the other. `buffer_from_torch_tensor()` copies a tensor's bytes to a raw vector.
#'
#' @param buffer A raw, integer, double or complex vector.
#' @param shape Sizes of the tensor.
#' @param dtype A [torch_dtype] or its name: how the memory is to be read.
#' @param tensor A tensor.
#' @return A tensor, or a raw vector.
#' @export
torch_tensor_from_buffer <- function(buffer, shape, dtype = "float") {
  cpp_tensor_from_buffer(buffer, as.double(sizes_of(size = shape)), as_dtype(dtype))
}

#' @rdname torch_tensor_from_buffer
#' @export
buffer_from_torch_tensor <- function(tensor) {
  check_tensor(tensor, "tensor")
  as_array(tensor$detach()$cpu()$flatten()$contiguous()$view(dtype = torch_uint8()))
}

#' Test for tensors
#'
#' @param x An object.
#' @return A logical. A tensor is undefined if it holds nothing, as the `$grad` of a tensor before any backward.
#' @export
is_torch_tensor <- function(x) inherits(x, "torch_tensor")

#' @rdname is_torch_tensor
#' @export
is_undefined_tensor <- function(x) {
  check_tensor(x, "x")
  !.Call(C_field, x, tensor_facts[["defined"]])
}

check_tensor <- function(x, arg, call = caller_env()) {
  if (!is_torch_tensor(x)) type_error(sprintf("`%s` must be a tensor, not %s.", arg, friendly_type(x)), call)
}

# Fields: `$` finds functions of the tensor here, or the number under which the glue gives the field.
tensor_fields <- list(
  shape = tensor_facts[["sizes"]],
  dtype = tensor_fact("dtype", new_dtype),
  device = tensor_fact("device", new_device),
  requires_grad = tensor_facts[["requires_grad"]],
  is_leaf = tensor_facts[["is_leaf"]],
  ndim = tensor_facts[["ndim"]],
  is_cuda = tensor_facts[["is_cuda"]],
  layout = tensor_fact("layout", new_layout),
  grad = function(x) cpp_tensor_grad(x),
  grad_fn = function(x) cpp_tensor_grad_fn(x),
  names = function(x) NULL,
  real = function(x) torch_real(x),
  imag = function(x) torch_imag(x),
  ptr = function(x) x
)

# Methods that are no operators, or whose arguments R users write in another way. `$` binds `self` each time.
tensor_methods <- list(
  dim = self_fact("ndim"),
  size = function(dim) if (missing(dim)) .Call(C_size, self) else tensor_extent(.Call(C_size, self), dim),
  stride = function(dim) {
    strides <- .Call(C_field, self, tensor_facts[["strides"]])
    if (missing(dim)) strides else tensor_extent(strides, dim)
  },
  numel = function() .Call(C_numel, self),
  item = function() .Call(C_item, self),
  is_sparse = self_fact("is_sparse"),
  is_quantized = self_fact("is_quantized"),
  is_floating_point = self_fact("is_floating_point"),
  is_complex = self_fact("is_complex"),
  is_sparse_csr = function() .Call(C_field, self, tensor_facts[["layout"]]) == 2L,
  is_contiguous = function() torch_is_contiguous(self) != 0,
  length = function() .Call(C_numel, self),
  has_storage = function() !is.null(.Call(C_field, self, tensor_facts[["strides"]])),
  has_names = function() FALSE,
  element_size = function() self$dtype$itemsize,
  cholesky = function(upper = FALSE) torch_cholesky(self, upper),
  qr = function(some = TRUE) torch_qr(self, some),
  print = function(n = 30, digits = NULL) print.torch_tensor(self, n = n, digits = digits),
  cpu = function(memory_format = torch_preserve_format()) tensor_to(self, device = "cpu", memory_format = memory_format),
  cuda = function(device = NULL, non_blocking = FALSE, memory_format = torch_preserve_format()) {
    tensor_to(self, device = as_cuda_device(device), non_blocking = non_blocking, memory_format = memory_format)
  },
  to = function(dtype = NULL, device = NULL, other = NULL, non_blocking = FALSE, copy = FALSE, memory_format = NULL) {
    tensor_to(self, dtype, device, other, non_blocking, copy, memory_format)
  },
  float = function() tensor_to(self, torch_float()),
  double = function() tensor_to(self, torch_double()),
  half = function() tensor_to(self, torch_half()),
  bool = function(memory_format = torch_preserve_format()) tensor_to(self, torch_bool(), memory_format = memory_format),
  int = function() tensor_to(self, torch_int()),
  long = function() tensor_to(self, torch_long()),
  type = function(dtype) tensor_to(self, dtype),
  clone = function(memory_format = NULL) keep_class(torch_clone(self, memory_format = memory_format), self),
  detach = function(...) keep_class(torch_detach(self), self),
  backward = function(gradient = NULL, retain_graph = create_graph, create_graph = FALSE, inputs = NULL) {
    invisible(.Call(C_backward, self, gradient, inputs, retain_graph, create_graph, c("x", "gradient")))
  },
  register_hook = function(hook) tensor_register_hook(self, hook),
  requires_grad_ = function(requires_grad = TRUE) set_requires_grad(self, requires_grad),
  retain_grad = function() invisible(torch_retain_grad(self)),
  narrow = function(dim, start, length) torch_narrow(self, dim, start, length),
  nonzero = function(as_list = FALSE) torch_nonzero(self, as_list),
  where = function(condition, other) op_where(condition, self, other),
  norm = function(p = 2L, dim, keepdim = FALSE, dtype) {
    if (!is.character(p)) return(.External2(C_method, "norm"))
    named_norm(self, p, if (!missing(dim)) dim, keepdim, if (!missing(dtype)) dtype)
  },
  stft = function(n_fft, hop_length = NULL, win_length = NULL, window = NULL, center = TRUE, pad_mode = "reflect",
                  normalized = FALSE, onesided = NULL, return_complex = NULL, align_to_window = NULL) {
    if (!is.null(align_to_window)) return(op_stft(self, n_fft, hop_length, win_length, window,
      normalized = normalized, onesided = onesided, return_complex = return_complex, align_to_window = align_to_window))
    torch_stft(self, n_fft, hop_length, win_length, window, center, pad_mode, normalized, onesided, return_complex)
  },
  hardshrink_backward = function(grad_out, lambd) torch_hardshrink_backward(grad_out, self, lambd),
  new_empty = function(size, options = list(), ...) new_like(torch_new_empty, self, options, size = sizes_of(size = size), ...),
  new_zeros = function(size, options = list(), ...) new_like(torch_new_zeros, self, options, size = sizes_of(size = size), ...),
  new_ones = function(size, options = list(), ...) new_like(torch_new_ones, self, options, size = sizes_of(size = size), ...),
  new_full = function(size, fill_value, options = list(), ...) {
    new_like(torch_new_full, self, options, size = sizes_of(size = size), fill_value = fill_value, ...)
  },
  new_empty_strided = function(size, stride, options = list(), ...) {
    new_like(torch_new_empty_strided, self, options, size = sizes_of(size = size), stride = sizes_of(size = stride), ...)
  },
  storage = function() tensor_storage(self),
  set_grad_ = function(new_grad) cpp_tensor_set_grad(self, new_grad)
)

# Options (dtype, device, layout, requires_grad) come in a list or as arguments of their own.
new_like <- function(op, self, options, ..., dtype = options$dtype, device = options$device, layout = options$layout,
                     requires_grad = options$requires_grad) {
  out <- op(self, ..., dtype = as_dtype(dtype), layout = layout, device = as_device(device))
  if (isTRUE(requires_grad)) cpp_tensor_set_requires_grad(out, TRUE) else out
}

# The memory behind a tensor. All views of a tensor have the same.
tensor_storage <- function(x) structure(list(data_ptr = function() cpp_tensor_storage(x)), class = "torch_storage")

#' @export
print.torch_storage <- function(x, ...) {
  cat("<torch_storage> at", x$data_ptr(), "\n")
  invisible(x)
}

# Methods of named tensors, which LibTorch had as operators until 2.12.
named_methods <- c("align_as", "align_to", "refine_names", "rename", "rename_")
no_named_tensors <- function(...) {
  not_implemented_error("Named tensors are not in LibTorch any more.", entry_call(sys.nframe()))
}

#' @export
`names<-.torch_tensor` <- function(x, value) if (is.null(value)) x else no_named_tensors()

# Attributes that mark a parameter or a buffer follow the tensor.
keep_class <- function(x, from) {
  if (length(class(from)) > 2L) attributes(x) <- attributes(from)
  x
}

# The first argument of `$to()` may be a device, which comes first in PyTorch.
is_place <- function(x) is_torch_device(x) || (is_string(x) && grepl("^(auto|cpu|cuda|mps|meta|xpu)(:[0-9]+)?$", x))

tensor_to <- function(x, dtype = NULL, device = NULL, other = NULL, non_blocking = FALSE, copy = FALSE,
                      memory_format = NULL, call = caller_env()) {
  if (!is.null(other)) {
    dtype <- other$dtype
    device <- other$device
  }
  if (is_place(dtype)) {
    place <- dtype
    dtype <- device
    device <- place
  }
  torch_to(
    x, dtype = as_dtype(dtype, call = call), layout = NULL, device = as_device(device, call), pin_memory = NULL,
    non_blocking = non_blocking, copy = copy, memory_format = memory_format
  )
}

tensor_extent <- function(all, dim, call = caller_env()) {
  n <- length(all)
  if (!is_whole_number(dim)) value_error(sprintf("`dim` must be a whole number, not %s.", friendly_type(dim)), call)
  if (dim == 0) value_error("Indexing starts at 1 but found a 0.", call)
  if (abs(dim) > n) {
    value_error(sprintf("Dimension out of range (expected to be in range of [-%d, %d], but got %d)", n, n, as.integer(dim)), call)
  }
  all[if (dim < 0) n + dim + 1 else dim]
}

#' @export
`$.torch_tensor` <- function(x, name) .Call(C_dollar, x, name)
#' @export
`[[.torch_tensor` <- function(x, name) {
  if (!is_string(name)) type_error("A tensor has no elements for `[[`; use `[`.")
  .Call(C_dollar, x, name)
}

#' @export
`$<-.torch_tensor` <- function(x, name, value) {
  switch(name,
    grad = cpp_tensor_set_grad(x, value),
    requires_grad = set_requires_grad(x, value),
    real = with_no_grad(torch_real(x)$copy_(value)),
    imag = with_no_grad(torch_imag(x)$copy_(value)),
    value_error(sprintf("`%s` can't be assigned. Fields of a tensor that can: grad, requires_grad, real, imag.", name))
  )
  x
}
#' @export
`[[<-.torch_tensor` <- function(x, name, value) {
  if (!is_string(name)) type_error("A tensor has no elements for `[[<-`; use `[<-`.")
  `$<-.torch_tensor`(x, name, value)
}

#' @export
dim.torch_tensor <- function(x) .Call(C_size, x)
#' @export
length.torch_tensor <- function(x) .Call(C_length, x)

# Several numbers are for as many dimensions. NA leaves a dimension whole.
edge_of <- function(x, n, at_end, call = caller_env()) {
  shape <- .Call(C_shape, x)
  if (!length(shape)) value_error("`x` must have a dimension: a 0-d tensor has no first elements.", call)
  if (!is.numeric(n) || !length(n) || any(is.finite(n) & n != trunc(n)) || length(n) > length(shape)) {
    value_error(sprintf("`n` must hold a whole number for each of the first dimensions, not %s.", friendly_type(n)), call)
  }
  for (d in which(!is.na(n))) {
    size <- shape[d]
    keep <- if (n[d] < 0) max(size + n[d], 0) else min(n[d], size)
    x <- narrow_any(x, d, if (at_end) max(size - keep + 1, 1) else 1, keep)
  }
  x
}

# LibTorch has no views of sparse tensors, and takes parts of those that hold coordinates only.
narrow_any <- function(x, dim, start, length) {
  layout <- layout_names[unclass(x$layout) + 1L]
  if (!startsWith(layout, "sparse")) return(torch_narrow(x, dim, start, length))
  if (layout == "sparse_coo") return(torch_index_select(x, dim, torch_tensor(start - 1 + seq_len(length), dtype = "int64", device = x$device)))
  part <- narrow_any(x$to_sparse(), dim, start, length)
  switch(layout,
    sparse_csr = part$to_sparse_csr(), sparse_csc = part$to_sparse_csc(),
    not_implemented_error(sprintf("`head()` and `tail()` have no form for tensors of layout %s. Use `$to_dense()` first.", layout))
  )
}

#' @export
head.torch_tensor <- function(x, n = 6, ...) edge_of(x, n, at_end = FALSE)
#' @export
tail.torch_tensor <- function(x, n = 6, ...) edge_of(x, n, at_end = TRUE)
