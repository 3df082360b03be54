# dtypes, layouts, memory formats: LibTorch's numbers with a class.

# LibTorch's ScalarType numbers, the names they print with after "torch_", and the LibTorch from which on they are there.
dtype_table <- data.frame(
  name = c(
    "Byte", "Char", "Short", "Int", "Long", "Half", "Float", "Double", "ComplexHalf", "ComplexFloat", "ComplexDouble",
    "Bool", "QInt8", "QUInt8", "QInt32", "BFloat16", "Float8_e5m2", "Float8_e4m3fn"
  ),
  code = c(0:15, 23L, 24L),
  since = c(rep(NA, 16), "2.1", "2.1")
)

# Every spelling in which users write a dtype.
dtype_codes <- c(
  uint8 = 0L, byte = 0L, int8 = 1L, char = 1L, int16 = 2L, short = 2L, int32 = 3L, int = 3L, int64 = 4L, long = 4L,
  float16 = 5L, half = 5L, float32 = 6L, float = 6L, float64 = 7L, double = 7L, complex32 = 8L, chalf = 8L, cfloat32 = 8L,
  complex64 = 9L, cfloat = 9L, cfloat64 = 9L, complex128 = 10L, cdouble = 10L, cfloat128 = 10L,
  bool = 11L, qint8 = 12L, quint8 = 13L, qint32 = 14L, bfloat16 = 15L, float8_e5m2 = 23L, float8_e4m3fn = 24L
)

new_dtype <- function(code) `class<-`(code, c("torch_dtype", "R7"))

#' Data types of tensors
#'
#' Each function gives a `torch_dtype`. Wherever a dtype is expected its name as a string will do: `"float"`,
#' `"float32"`, `"int64"`, ... Two dtypes are compared with `==`; `dtype$is_floating_point` and `dtype$is_complex` tell
#' their kind. The names of complex dtypes count the bits of both parts: `torch_cfloat64()` is two float32.
#'
#' @return A `torch_dtype`.
#' @eval dtype_page()
#' @name torch_dtype
#' @examples
#' torch_float() == torch_float32()
NULL

make_dtype_functions <- function(env) {
  for (name in names(dtype_codes)) {
    if (name %in% c("byte", "char", "complex32", "complex64", "complex128")) next
    f <- eval(bquote(function() new_dtype(.(dtype_codes[[name]]))), env)
    assign(paste0("torch_", name), f, envir = env)
  }
}
make_dtype_functions(environment())

# Aliases and usages for the page above: the functions are made from the table.
dtype_page <- function() {
  names <- intersect(paste0("torch_", names(dtype_codes)), readLines(op_file("exports.txt")))
  c(paste("@aliases", paste(names, collapse = " ")), "@usage", paste0(names, "()"))
}

# LibTorch counts dtypes, layouts and formats by numbers, which are no numbers to R users.
#' @export
is.numeric.R7 <- function(x) FALSE

#' @export
c.R7 <- function(...) list(...)

# Whether `x` is a whole number that means a number: no dtype, factor or date.
is_whole_number <- function(x) is_scalar_integerish(x, finite = TRUE) && is.numeric(x)

#' @rdname torch_dtype
#' @param x An object.
#' @export
is_torch_dtype <- function(x) inherits(x, "torch_dtype")

is_dtype_name <- function(x) is_string(x) && !is.object(x) && x %in% names(dtype_codes)

as_dtype <- function(x, arg = "dtype", call = caller_env()) {
  if (is.null(x) || inherits(x, "torch_dtype")) return(x)
  if (is_dtype_name(x)) return(new_dtype(dtype_codes[[x]]))
  if (is_string(x) && !is.object(x)) value_error(sprintf("`%s` must be the name of a dtype such as \"float\" or \"int64\", not \"%s\".", arg, x), call)
  type_error(sprintf("`%s` must be a torch_dtype or its name, not %s.", arg, friendly_type(x)), call)
}

# The glue asks for a dtype that the LibTorch in use does not know. Gives its name and the first LibTorch that has it;
# NULL if no LibTorch has it.
lacking_dtype <- function(x) {
  since <- dtype_table$since[match(x, dtype_table$code)]
  if (!is.na(since)) c(sprintf("torch_%s()", tolower(dtype_name(x))), since)
}

dtype_name <- function(x) {
  code <- unclass(x)
  known <- dtype_table$name[match(code, dtype_table$code)]
  if (length(known) == 1 && !is.na(known)) return(known)
  names <- cpp_dtype_names()
  if (is.integer(code) && length(code) == 1 && code %in% (seq_along(names) - 1L)) names[code + 1L] else "<no dtype>"
}

#' @export
as.character.torch_dtype <- function(x, ...) dtype_name(x)

#' @export
print.torch_dtype <- function(x, ...) {
  cat("torch_", dtype_name(x), "\n", sep = "")
  invisible(x)
}

#' @export
format.torch_dtype <- function(x, ...) paste0("torch_", dtype_name(x))

#' @export
`$.torch_dtype` <- function(x, name) {
  facts <- cpp_dtype_info(x)
  switch(name,
    is_floating_point = facts[1] == 1L,
    is_complex = facts[2] == 1L,
    itemsize = facts[3],
    name = dtype_name(x),
    .type = function() dtype_name(x),
    NULL
  )
}

same_dtype <- function(e1, e2) {
  if (!is_torch_dtype(e1) || !is_torch_dtype(e2)) value_error("One of the objects is not a dtype.", call = NULL)
  unclass(e1) == unclass(e2)
}

#' @export
`==.torch_dtype` <- function(e1, e2) same_dtype(e1, e2)
#' @export
`!=.torch_dtype` <- function(e1, e2) !same_dtype(e1, e2)

#' Default dtype of floating-point tensors
#'
#' Used by creation functions that have no data to look at, such as [torch_zeros()]. At the start it is float32.
#' [torch_tensor()] always makes float32 of R's doubles.
#'
#' @param d A floating-point `torch_dtype` or its name.
#' @return `torch_get_default_dtype()` the dtype; `torch_set_default_dtype()` the one before, invisibly.
#' @export
torch_get_default_dtype <- function() new_dtype(cpp_default_dtype(NULL))

#' @rdname torch_get_default_dtype
#' @export
torch_set_default_dtype <- function(d) {
  d <- as_dtype(d, "d")
  if (is.null(d) || !d$is_floating_point) {
    value_error(sprintf("`d` must be a floating-point dtype, not %s.", if (is.null(d)) "NULL" else format(d)))
  }
  invisible(new_dtype(cpp_default_dtype(d)))
}

layout_names <- c("strided", "sparse_coo", "sparse_csr", "mkldnn", "sparse_csc", "sparse_bsr", "sparse_bsc", "jagged")
new_layout <- function(code) `class<-`(code, c("torch_layout", "R7"))
new_memory_format <- function(code) `class<-`(code, c("torch_memory_format", "R7"))

#' Layouts and memory formats
#'
#' How a tensor's elements lie in memory.
#'
#' @return A `torch_layout` or a `torch_memory_format`.
#' @name torch_layout
NULL

#' @rdname torch_layout
#' @export
torch_strided <- function() new_layout(0L)
#' @rdname torch_layout
#' @export
torch_sparse_coo <- function() new_layout(1L)
#' @rdname torch_layout
#' @export
torch_contiguous_format <- function() new_memory_format(0L)
#' @rdname torch_layout
#' @export
torch_preserve_format <- function() new_memory_format(1L)
#' @rdname torch_layout
#' @export
torch_channels_last_format <- function() new_memory_format(2L)
#' @rdname torch_layout
#' @param x An object.
#' @export
is_torch_layout <- function(x) inherits(x, "torch_layout")
#' @rdname torch_layout
#' @export
is_torch_memory_format <- function(x) inherits(x, "torch_memory_format")

#' @export
format.torch_layout <- function(x, ...) paste0("torch_", layout_names[unclass(x) + 1L])
#' @export
print.torch_layout <- function(x, ...) {
  cat(format(x), "\n", sep = "")
  invisible(x)
}
#' @export
format.torch_memory_format <- function(x, ...) {
  paste0("torch_", c("contiguous", "preserve", "channels_last", "channels_last_3d")[unclass(x) + 1L], "_format")
}
#' @export
print.torch_memory_format <- function(x, ...) {
  cat(format(x), "\n", sep = "")
  invisible(x)
}
#' @export
`==.torch_memory_format` <- function(e1, e2) unclass(e1) == unclass(e2)

# Quantization schemes and reductions are numbers to LibTorch.
new_qscheme <- function(code) `class<-`(code, c("torch_qscheme", "R7"))
qscheme_names <- c("per_tensor_affine", "per_channel_affine", "per_tensor_symmetric", "per_channel_symmetric")

#' Quantization schemes
#'
#' How a quantized tensor's integers stand for numbers: with one scale or one a channel, with a zero point or symmetric.
#'
#' @param x An object.
#' @return A `torch_qscheme`; `is_torch_qscheme()` a logical.
#' @examplesIf torch::torch_is_installed()
#' torch_quantize_per_tensor(c(0, 1), 0.1, 10L, torch_quint8())$qscheme()
#' @export
torch_per_tensor_affine <- function() new_qscheme(0L)
#' @rdname torch_per_tensor_affine
#' @export
torch_per_channel_affine <- function() new_qscheme(1L)
#' @rdname torch_per_tensor_affine
#' @export
torch_per_tensor_symmetric <- function() new_qscheme(2L)
#' @rdname torch_per_tensor_affine
#' @export
torch_per_channel_symmetric <- function() new_qscheme(3L)
#' @rdname torch_per_tensor_affine
#' @export
is_torch_qscheme <- function(x) inherits(x, "torch_qscheme")

#' @export
format.torch_qscheme <- function(x, ...) paste0("torch_", qscheme_names[unclass(x) + 1L])
#' @export
print.torch_qscheme <- function(x, ...) {
  cat(format(x), "\n", sep = "")
  invisible(x)
}
#' @export
`==.torch_qscheme` <- function(e1, e2) unclass(e1) == unclass(e2)
#' @export
`==.torch_layout` <- function(e1, e2) unclass(e1) == unclass(e2)

#' Reductions of a loss
#'
#' The numbers by which LibTorch's loss operators know what to do with the losses of a batch.
#'
#' @return 0 (none), 1 (mean) or 2 (sum), an integer.
#' @export
torch_reduction_none <- function() 0L
#' @rdname torch_reduction_none
#' @export
torch_reduction_mean <- function() 1L
#' @rdname torch_reduction_none
#' @export
torch_reduction_sum <- function() 2L

# For a floating-point dtype: its bits, the bits of its fraction, its largest exponent, and the decimal digits that
# survive.
floating_formats <- list(
  "5" = c(16, 10, 15, 3), "6" = c(32, 23, 127, 6), "7" = c(64, 52, 1023, 15), "15" = c(16, 7, 127, 2),
  "23" = c(8, 2, 15, 0), "24" = c(8, 3, 8, 0)
)

#' What a dtype can hold
#'
#' @param dtype A [torch_dtype] or its name: floating-point or complex for `torch_finfo()`, an integer one for
#'   `torch_iinfo()`.
#' @return A list: `bits`, `max`, `min`, and for floating-point dtypes `eps` (the step above 1), `tiny` (the smallest
#'   normal number) and `resolution`. The `max` of int64 is rounded to a double.
#' @examplesIf torch::torch_is_installed()
#' torch_finfo(torch_float())$eps
#' torch_iinfo("int8")$max
#' @export
torch_finfo <- function(dtype) {
  dtype <- as_dtype(dtype)
  code <- if (is.null(dtype)) NA else switch(as.character(unclass(dtype)), "8" = 5, "9" = 6, "10" = 7, unclass(dtype))
  kind <- floating_formats[[as.character(code)]]
  if (is.null(kind)) {
    type_error(sprintf("`dtype` must be a floating-point dtype, not %s.", if (is.null(dtype)) "NULL" else format(dtype)))
  }
  # float8_e4m3fn uses its largest exponent for numbers too, except for one pattern.
  max <- if (code == 24) 448 else (2 - 2^-kind[2]) * 2^kind[3]
  lowest <- if (code == 24) -6 else 1 - kind[3]
  list(
    bits = as.integer(kind[1]), max = max, min = -max, eps = 2^-kind[2], tiny = 2^lowest, resolution = 10^-kind[4]
  )
}

#' @rdname torch_finfo
#' @export
torch_iinfo <- function(dtype) {
  dtype <- as_dtype(dtype)
  code <- if (is.null(dtype)) -1 else unclass(dtype)
  bits <- switch(match(code, c(0:4, 12:14)), 8L, 8L, 16L, 32L, 64L, 8L, 8L, 32L)
  if (is.null(bits)) {
    type_error(sprintf("`dtype` must be an integer dtype, not %s.", if (is.null(dtype)) "NULL" else format(dtype)))
  }
  unsigned <- code %in% c(0L, 13L)
  list(bits = bits, max = 2^(bits - !unsigned) - 1, min = if (unsigned) 0 else -2^(bits - 1))
}
