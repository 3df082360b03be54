# A tensor of every dtype that files hold, and of every shape that is another to them.
some_tensors <- function() {
  values <- torch_tensor(matrix(c(1, 0, 3, 2, 0, 5), 2))
  out <- list(
    double = values$double(), float = values, half = values$half(), bfloat = values$to(dtype = torch_bfloat16()), long = values$long(),
    int = values$int(), short = values$to(dtype = "int16"), char = values$to(dtype = "int8"), byte = values$to(dtype = "uint8"),
    bool = values$bool(), empty = torch_zeros(0, 3),
    none = torch_tensor(7)$reshape(integer()), turned = values$t(), part = values[, 2]
  )
  if (numeric_version(libtorch_find()$version) < "2.1") return(out)
  c(out, list(e5 = values$to(dtype = torch_float8_e5m2()), e4 = values$to(dtype = torch_float8_e4m3fn())))
}

# As R's serialization leaves a tensor where it may not write its memory.
dead_copy <- function(x) {
  withr::local_options(torch.serialize_in_rds = FALSE)
  unserialize(serialize(x, NULL))
}
