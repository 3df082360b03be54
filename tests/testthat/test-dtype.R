test_that("every spelling of a dtype is the same dtype", {
  skip_if_no_torch()
  expect_true(torch_float() == torch_float32())
  expect_true(torch_double() == torch_float64())
  expect_true(torch_long() == torch_int64())
  expect_true(torch_int() == torch_int32())
  expect_true(torch_half() == torch_float16())
  # Both parts counted.
  expect_true(torch_cfloat() == torch_cfloat64())
  expect_true(torch_chalf() == torch_cfloat32())
  expect_true(torch_cdouble() == torch_cfloat128())
  expect_true(torch_float() != torch_double())
  expect_false(torch_float() == torch_double())
  for (name in c("float", "float32", "double", "float64", "long", "int64", "half", "bfloat16", "cfloat", "bool", "uint8")) {
    expect_true(is_torch_dtype(torch_zeros(1, dtype = name)$dtype), info = name)
  }
  expect_error(torch_float() == "float", "not a dtype", class = "value_error")
  expect_error(1 != torch_float(), "not a dtype", class = "value_error")
})

test_that("a dtype knows its kind and size", {
  skip_if_no_torch()
  kinds <- list(
    float = c(TRUE, FALSE), double = c(TRUE, FALSE), half = c(TRUE, FALSE), bfloat16 = c(TRUE, FALSE),
    long = c(FALSE, FALSE), bool = c(FALSE, FALSE), uint8 = c(FALSE, FALSE), cfloat = c(FALSE, TRUE)
  )
  sizes <- c(float = 4, double = 8, half = 2, bfloat16 = 2, long = 8, bool = 1, uint8 = 1, cfloat = 8)
  for (name in names(kinds)) {
    dtype <- torch:::as_dtype(name)
    expect_identical(c(dtype$is_floating_point, dtype$is_complex), kinds[[name]], info = name)
    expect_equal(dtype$itemsize, sizes[[name]], info = name)
  }
})

test_that("the numbers of the table are LibTorch's", {
  skip_if_no_torch()
  table <- torch:::dtype_table
  names <- torch:::cpp_dtype_names()[table$code + 1L]
  lacks <- numeric_version(libtorch_find()$version) < ifelse(is.na(table$since), "0", table$since)
  expect_identical(names, ifelse(lacks, NA, table$name))
})

test_that("a dtype that this LibTorch lacks says from which version on it is there", {
  skip_if_no_torch()
  table <- torch:::dtype_table
  for (i in which(!is.na(table$since))) {
    name <- tolower(table$name[i])
    if (libtorch_find()$version >= numeric_version(table$since[i])) {
      expect_identical(unclass(torch_empty(1, dtype = name)$dtype), table$code[i])
    } else {
      message <- sprintf("`torch_%s()` needs LibTorch %s or later", name, table$since[i])
      expect_error(torch_empty(1, dtype = name), message, class = "not_implemented_error", fixed = TRUE)
      expect_error(torch_ones(1)$to(dtype = name), message, class = "not_implemented_error", fixed = TRUE)
    }
  }
})

test_that("dtypes, layouts and memory formats print", {
  expect_output(print(torch_float()), "torch_Float", fixed = TRUE)
  expect_output(print(torch_long()), "torch_Long", fixed = TRUE)
  expect_output(print(list(torch_bool())), "torch_Bool", fixed = TRUE)
  expect_identical(format(torch_half()), "torch_Half")
  expect_output(print(torch_strided()), "torch_strided", fixed = TRUE)
  expect_output(print(torch_channels_last_format()), "torch_channels_last_format", fixed = TRUE)
})

test_that("a name that is none is refused", {
  skip_if_no_torch()
  expect_error(torch_zeros(1, dtype = "flaot"), "flaot", class = "value_error")
  expect_error(torch_zeros(1, dtype = 6), "dtype", class = "type_error")
  expect_error(torch_zeros(1)$to(dtype = c("float", "int")), "dtype", class = "type_error")
})

test_that("the default dtype is set and given back", {
  skip_if_no_torch()
  expect_true(torch_get_default_dtype() == torch_float())
  before <- torch_set_default_dtype("double")
  withr::defer(torch_set_default_dtype("float"))
  expect_true(before == torch_float())
  expect_true(torch_get_default_dtype() == torch_double())
  expect_error(torch_set_default_dtype("long"), "floating-point", class = "value_error")
  expect_error(torch_set_default_dtype(NULL), "NULL", class = "value_error")
  expect_true(torch_get_default_dtype() == torch_double())
})

test_that("a memory format is the order of the elements", {
  skip_if_no_torch()
  x <- torch_zeros(2, 3, 4, 5)$contiguous(memory_format = torch_channels_last_format())
  expect_equal(x$stride(), c(3 * 4 * 5, 1, 3 * 5, 3))
  expect_equal(torch_empty_like(x)$stride(), x$stride())
  expect_equal(torch_empty_like(x, memory_format = torch_contiguous_format())$stride(), c(60, 20, 5, 1))
})

test_that("finfo and iinfo are PyTorch's", {
  skip_if_no_torch()
  floats <- c("float16", "bfloat16", "float32", "float64", "float8_e5m2", "float8_e4m3fn")
  ints <- c("uint8", "int8", "int16", "int32", "int64")
  expected <- python_eval(c(
    "f = lambda n: (lambda i: [i.bits, i.max, i.min, i.eps, i.tiny, i.resolution])(torch.finfo(getattr(torch, n)))",
    "g = lambda n: (lambda i: [i.bits, float(i.max), float(i.min)])(torch.iinfo(getattr(torch, n)))",
    "result = [[f(n) for n in floats], [g(n) for n in ints]]"
  ), floats = floats, ints = ints)
  for (i in seq_along(floats)) expect_equal(as.double(unlist(torch_finfo(floats[i]))), expected[[1]][i, ], info = floats[i])
  for (i in seq_along(ints)) expect_equal(as.double(unlist(torch_iinfo(ints[i]))), expected[[2]][i, ], info = ints[i])
  expect_identical(torch_finfo(torch_cfloat()), torch_finfo(torch_float()))
  expect_error(torch_finfo("int"), "floating-point", class = "type_error")
  expect_error(torch_iinfo("float"), "integer", class = "type_error")
  expect_error(torch_iinfo(NULL), "integer", class = "type_error")
})

test_that("a quantized tensor tells its scheme", {
  skip_if_no_torch()
  q <- suppressWarnings(torch_quantize_per_tensor(torch_tensor(c(0, 1)), 0.1, 10L, torch_quint8()))
  expect_true(is_torch_qscheme(q$qscheme()))
  expect_true(q$qscheme() == torch_per_tensor_affine())
  expect_output(print(q$qscheme()), "torch_per_tensor_affine")
})

test_that("quantized tensors turn back, alone and in a list", {
  skip_if_no_torch()
  q <- suppressWarnings(torch_quantize_per_tensor(torch_tensor(c(0, 1, 2)), 0.1, 10L, torch_quint8()))
  expect_equal(as_array(torch_dequantize(q)), c(0, 1, 2), tolerance = 1e-6)
  expect_equal(lapply(torch_dequantize(list(q, q)), as_array), list(c(0, 1, 2), c(0, 1, 2)), tolerance = 1e-6)
  expect_equal(as_array(q$dequantize()), c(0, 1, 2), tolerance = 1e-6)
  expect_identical(as.integer(as_array(q$int_repr())), c(10L, 20L, 30L))
})

test_that("layouts, memory formats, schemes and reductions are LibTorch's", {
  skip_if_no_torch()
  x <- torch_tensor(matrix(c(1, 0, 0, 2), 2))
  expect_true(is_torch_layout(x$layout))
  expect_true(x$layout == torch_strided())
  expect_true(x$to_sparse()$layout == torch_sparse_coo())
  expect_false(is_torch_layout("strided"))
  expect_true(is_torch_memory_format(torch_preserve_format()))
  expect_false(is_torch_memory_format(torch_strided()))
  expect_identical(x$t()$clone(memory_format = torch_preserve_format())$stride(), c(1L, 2L))
  expect_identical(x$t()$clone(memory_format = torch_contiguous_format())$stride(), c(2L, 1L))
  channels <- suppressWarnings(torch_quantize_per_channel(
    x, torch_tensor(c(0.5, 1), dtype = "double"), torch_tensor(c(0L, 0L)), 1L, torch_quint8()
  ))
  expect_true(channels$qscheme() == torch_per_channel_affine())
  expect_output(print(torch_per_tensor_symmetric()), "torch_per_tensor_symmetric")
  expect_output(print(torch_per_channel_symmetric()), "torch_per_channel_symmetric")
  known <- python_eval("result = {n: torch.nn._reduction.get_enum(n) for n in ['none', 'mean', 'sum']}")
  have <- list(none = torch_reduction_none(), mean = torch_reduction_mean(), sum = torch_reduction_sum())
  expect_identical(have, known)
})

test_that("a dtype is no number", {
  skip_if_no_torch()
  expect_error(torch_float() + 1, "`+` has no form for a torch_dtype", class = "type_error", fixed = TRUE)
  expect_error(2L > torch_int(), "no form for a torch_dtype", class = "type_error")
  expect_error(torch_ones(1) * torch_int(), "`e2` must be a tensor or a number, not a torch_dtype", class = "type_error")
  expect_error(torch_int() / torch_ones(1), "`e1` must be a tensor", class = "type_error")
  expect_identical(c(torch_float(), torch_int()), list(torch_float(), torch_int()))
})

test_that("a number that is no dtype's, with the class of one, is refused and ends nothing", {
  skip_if_no_torch()
  skip_if_not_installed("callr")
  said <- callr::r(libpath = .libPaths(), timeout = 120, function() {
    library(torch)
    message <- function(code) tryCatch({
      code
      "no error"
    }, error = conditionMessage)
    x <- torch_ones(2)
    made <- function(code, class = "torch_dtype") structure(code, class = class)
    forged <- list(made(99L), made(-1L), made(NA_integer_), made(256L))
    list(
      view = lapply(forged, function(d) message(x$view(d))),
      to = lapply(forged, function(d) message(x$to(dtype = d))),
      tensor = lapply(forged, function(d) message(torch_tensor(1, dtype = d))),
      ones = lapply(forged, function(d) message(torch_ones(2, dtype = d))),
      promote = lapply(forged, function(d) message(torch_promote_types(d, torch_int()))),
      layout = list(message(torch_empty_like(x, layout = made(99L, "torch_layout"))), message(x$contiguous(made(-3L, "torch_memory_format")))),
      print = vapply(forged, format, "")
    )
  })
  expect_false(any(unlist(said[names(said) != "print"]) == "no error"))
  expect_match(unlist(said$tensor), "`dtype` must be a torch_dtype or its name", fixed = TRUE)
  expect_equal(said$print, rep("torch_<no dtype>", 4))
})
