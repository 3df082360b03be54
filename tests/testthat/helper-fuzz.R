# Random calls of operators: arguments of the type that the schema wants, and now and then of any other.

# Not called: these are meant to end the process, wait for another, or change the session for all calls after them.
fuzz_left_out <- c(
  "_assert_async", "_functional_assert_async", "set_num_threads", "manual_seed", "_nnpack_available",
  # LAPACK's iteration never ends on NaN; linalg_eigvals() looks before it calls.
  "linalg_eigvals", "_linalg_eigvals",
  # It reads pivots that are not there; torch_lu_unpack() looks first.
  "lu_unpack"
)

fuzz_operators <- function() setdiff(op_names, fuzz_left_out)

pick <- function(x) x[[sample(length(x), 1)]]

fuzz_tensor <- function() {
  shape <- pick(list(integer(), 0L, 1L, 3L, c(2L, 3L), c(3L, 3L), c(0L, 3L), c(2L, 3L, 4L), c(1L, 2L, 4L, 4L), c(1L, 1L, 2L, 2L, 2L)))
  dtype <- pick(c("float", "float", "double", "int64", "int64", "int32", "bool", "uint8", "half", "bfloat16", "cfloat"))
  n <- prod(shape)
  # Integers at the ends of their range.
  if (dtype %in% c("int64", "int32") && stats::runif(1) < 0.2) {
    smallest <- torch_ones(shape, dtype = dtype)$bitwise_left_shift(if (dtype == "int64") 63L else 31L)
    return(switch(sample(3, 1), smallest, torch_full(shape, -1L, dtype = dtype), smallest - 1L))
  }
  v <- pick(list(round(stats::rnorm(n), 1), rep(0, n), sample(0:4, n, TRUE), c(NaN, Inf, -1, 1e30, 2)[seq_len(n) %% 5 + 1]))
  if (dtype %in% c("int64", "int32", "uint8", "bool")) v <- as.integer(ifelse(is.finite(v), pmin(abs(v), 5), 1))
  x <- torch_tensor(v, dtype = dtype)$reshape(shape)
  switch(sample(12, 1),
    if (length(shape) > 1) x$transpose(1, 2) else x,
    if (x$is_floating_point()) x$detach()$requires_grad_(TRUE) else x,
    tryCatch(x$to_sparse(), error = function(e) x),
    if (length(shape) && shape[1] > 1) x[1:2] else x,
    x
  ) %||% x
}

fuzz_int <- function() {
  pick(c(list(0L, 1L, 1L, 2L, 2L, 3L, -1L, -2L, 4L, 7L, 1, 2), if (stats::runif(1) < 0.1) list(100L, -100L, 2147483647L, 1e10, -1e15, NA, 1.5)))
}

fuzz_typed <- function(type) {
  if (endsWith(type, "?")) return(if (stats::runif(1) < 0.3) NULL else fuzz_typed(sub("\\?$", "", type)))
  if (grepl("\\[[0-9]*\\]$", type)) {
    inner <- sub("\\[[0-9]*\\]$", "", type)
    n <- sub("^.*\\[([0-9]*)\\]$", "\\1", type)
    n <- if (nzchar(n) && stats::runif(1) < 0.8) as.integer(n) else sample(0:4, 1)
    items <- lapply(seq_len(n), function(i) fuzz_typed(inner))
    scalars <- all(vapply(items, function(item) is.atomic(item) && length(item) == 1, NA))
    return(if (startsWith(inner, "Tensor") || !scalars) items else unlist(items))
  }
  switch(sub("\\(.*$", "", type),
    Tensor = fuzz_tensor(), Scalar = pick(list(0, 1, -1.5, 2L, TRUE, 1e30, NaN, 1i)), int = , SymInt = fuzz_int(),
    float = pick(list(0, 0.5, 1, -1, 2, 1e-5, Inf)), bool = pick(list(TRUE, FALSE)),
    str = pick(list("mean", "sum", "linear", "reflect", "ij->i", "", "trunc", "L", "fro", "left", "\u00e9")),
    ScalarType = pick(list("float", "double", "int64", "bool", "half", "cfloat", "quint8", torch_float())),
    Layout = pick(list(torch_strided(), torch_sparse_coo())), Device = pick(list("cpu", "meta")),
    MemoryFormat = pick(list(torch_contiguous_format(), torch_preserve_format(), torch_channels_last_format())),
    Generator = torch_generator(), fuzz_any()
  )
}

fuzz_any <- function() {
  pick(list(
    NULL, NA, TRUE, 1, -1L, 0, "a", NA_character_, character(), integer(), 1:3, c(1, NA), 1i, as.raw(1), list(), list(1, "a"),
    list(a = 1), mean, quote(x), globalenv(), factor("a"), data.frame(a = 1), matrix(1:4, 2), array(1, c(1, 1, 1)), Sys.Date(),
    torch_float(), torch_device("cpu"), torch_tensor(1)$grad, unserialize(serialize(torch_tensor(1), NULL)),
    bit64::as.integer64(5), list(torch_tensor(1), NULL), strtoi("77777777777"), new.env()
  ))
}

# Of one overload: values by the names of the function's formals, and their types.
fuzz_arguments <- function(operator, arguments, f) {
  overload <- pick(arguments)
  overload <- overload[is.na(overload$default) | stats::runif(nrow(overload)) < 0.4, ]
  renames <- note_renames(op_notes[[operator]])
  values <- lapply(overload$type, function(type) if (stats::runif(1) < 0.06) fuzz_any() else fuzz_typed(type))
  names(values) <- ifelse(overload$name %in% names(renames), renames[overload$name], overload$name)
  known <- names(values) %in% names(formals(f))
  list(values = values[known], types = overload$type[known])
}

# Makes `n` calls; before(k) is called ahead of each. Errors and warnings are answers like any other.
fuzz_operator <- function(operator, n, seed, before = function(k) NULL) {
  arguments <- fuzz_table()[[operator]]
  if (is.null(arguments)) return(0)
  f <- op_function(operator)
  values <- 0
  for (k in seq_len(n)) {
    set.seed(seed * 1e4 + k)
    given <- fuzz_arguments(operator, arguments, f)$values
    before(k)
    torch_manual_seed(1)
    result <- tryCatch(suppressWarnings(do.call(f, given, quote = TRUE)), error = function(e) e)
    if (!inherits(result, "error")) values <- values + 1
  }
  values
}

fuzz_table <- local({
  table <- NULL
  function() {
    if (is.null(table)) {
      schemas <- read_schemas(readLines(op_file("aten.txt")))
      parsed <- lapply(schemas$arguments, parse_arguments)
      own <- !vapply(parsed, is_out_overload, NA)
      table <<- split(parsed[own], schemas$operator[own])
    }
    table
  }
})
