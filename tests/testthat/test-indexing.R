a <- array(1:60 + 0.5, c(3, 4, 5))

test_that("numbers, slices and missing indices read as in base R", {
  skip_if_no_torch()
  x <- torch_tensor(a)
  same <- function(got, expected) expect_identical(as_array(got), expected)
  same(x[1, 2, 3], a[1, 2, 3])
  same(x[2, , ], a[2, , ])
  same(x[, 3, ], a[, 3, ])
  same(x[2], a[2, , ])
  same(x[, , 5], a[, , 5])
  same(x[], a)
  same(x[2:3, 1:4, 2], a[2:3, 1:4, 2])
  same(x[1:3:2, , ], a[c(1, 3), , ])
  same(x[, 1:4:3, 1:5:2], a[, c(1, 4), c(1, 3, 5)])
  same(x[-1, , ], a[3, , ])
  same(x[, -2, -5], a[, 3, 1])
  same(x[2:-1, 2:N, 3:N], a[2:3, 2:4, 3:5])
  same(x[-2:-1, , ], a[2:3, , ])
  same(x[, 1:-2, ], a[, 1:3, ])
  same(x[N, N, N], a[3, 4, 5])
  same(x[.., 1], a[, , 1])
  same(x[1, ..], a[1, , ])
  same(x[1, .., 2], a[1, , 2])
  same(x[1, 2, 3, ..], a[1, 2, 3])
  i <- 2
  n <- 3
  same(x[i, i:n, (i + 1):(n + 2)], a[2, 2:3, 3:5])
  same(x[1, 2:100, 1], a[1, 2:4, 1])
})

test_that("drop = FALSE keeps the dimension of a number", {
  skip_if_no_torch()
  x <- torch_tensor(a)
  expect_identical(as_array(x[1, 2:3, 4, drop = FALSE]), a[1, 2:3, 4, drop = FALSE])
  expect_identical(as_array(x[-1, , -1, drop = FALSE]), a[3, , 5, drop = FALSE])
  expect_identical(dim(x[1, drop = FALSE]), c(1L, 4L, 5L))
})

test_that("new axes stand where they are written", {
  skip_if_no_torch()
  x <- torch_tensor(a)
  expect_identical(dim(x[newaxis, ..]), c(1L, 3L, 4L, 5L))
  expect_identical(dim(x[, newaxis, 1, ]), c(3L, 1L, 5L))
  expect_identical(dim(x[.., NULL]), c(3L, 4L, 5L, 1L))
  expect_identical(as_array(x[, NULL, 2, 1:2])[, 1, ], a[, 2, 1:2])
  expect_identical(dim(torch_scalar_tensor(1)[newaxis]), 1L)
  expect_identical(dim(torch_scalar_tensor(1)[]), integer())
})

test_that("vectors take positions, each on its own dimension", {
  skip_if_no_torch()
  x <- torch_tensor(a)
  same <- function(got, expected) expect_identical(as_array(got), expected)
  same(x[c(3, 1), , ], a[c(3, 1), , ])
  same(x[c(1, 2), c(1, 3), 2], a[c(1, 2), c(1, 3), 2])
  same(x[c(1, 1, 3), 2:3, c(5, 1)], a[c(1, 1, 3), 2:3, c(5, 1)])
  same(x[, c(-1, 1), ], a[, c(4, 1), ])
  i <- 1:3
  same(x[, i, ], a[, i, ])
  same(x[, c(TRUE, FALSE, TRUE, FALSE), ], a[, c(1, 3), ])
  flags <- c(FALSE, TRUE, TRUE)
  same(x[flags, , 1], a[flags, , 1])
  same(x[torch_tensor(c(2L, 3L)), , 1], a[2:3, , 1])
  same(x[torch_tensor(c(-1L, 2L)), , 1], a[c(3, 2), , 1])
  same(x[torch_scalar_tensor(2L), , 1], a[2, , 1])
  same(x[torch_tensor(flags), , ], a[flags, , ])
  same(x[NA, 1, 1], a[, 1, 1])
  grid <- matrix(c(1, 2, 3, 1), 2)
  got <- as_array(x[grid, 1, 1])
  expect_identical(got, matrix(a[grid, 1, 1], 2))
})

test_that("a mask may span dimensions", {
  skip_if_no_torch()
  m <- matrix(c(1, -2, 3, -4, 5, -6), 2)
  x <- torch_tensor(m)
  row_major <- function(v) as.vector(t(v))
  expect_identical(as_array(x[x > 0]), row_major(m)[row_major(m) > 0])
  mask <- matrix(c(TRUE, FALSE, TRUE, TRUE, FALSE, FALSE), 2)
  expect_identical(as_array(x[mask]), row_major(m)[row_major(mask)])
  cube <- torch_tensor(a)
  plane <- a[, , 1] > 6
  expect_identical(as_array(cube[torch_tensor(plane), 2]), as.vector(t(a[, , 2]))[as.vector(t(plane))])
  expect_identical(dim(cube[torch_tensor(a < 0)]), 0L)
})

test_that("slices can be made beforehand", {
  skip_if_no_torch()
  x <- torch_tensor(a)
  expect_identical(as_array(x[slc(2, 3), 1, 1]), a[2:3, 1, 1])
  expect_identical(as_array(x[1, slc(1, Inf, 3), 1]), a[1, c(1, 4), 1])
  expect_identical(as_array(x[1, 1, slc(-3, -1)]), a[1, 1, 3:5])
  s <- slc(2, -1)
  expect_identical(as_array(x[s, 1, 1]), a[2:3, 1, 1])
  expect_output(print(s), "<slice>", fixed = TRUE)
})

test_that("random indices agree with a naive model", {
  skip_if_no_torch()
  set.seed(11)
  whole <- function(n) list(quote(expr = ), seq_len(n), FALSE)
  number <- function(n) {
    i <- sample(n, 1)
    list(if (runif(1) < 0.5) i else i - n - 1, i, TRUE)
  }
  slice <- function(n) {
    ends <- sort(sample(n, 2, replace = TRUE))
    step <- sample(3, 1)
    written <- ifelse(runif(2) < 0.3, ends - n - 1, ends)
    expression <- if (step == 1 && runif(1) < 0.5) bquote(.(written[1]):.(written[2])) else
      bquote(.(written[1]):.(written[2]):.(step))
    list(expression, seq(ends[1], ends[2], by = step), FALSE)
  }
  positions <- function(n) {
    i <- sample(n, sample(2:4, 1), replace = TRUE)
    list(ifelse(runif(length(i)) < 0.3, i - n - 1, i), i, FALSE)
  }
  mask <- function(n) {
    m <- runif(n) < 0.6
    if (n == 1) return(whole(n))
    list(m, which(m), FALSE)
  }
  kinds <- list(whole, number, slice, positions, mask)
  for (round in 1:150) {
    sizes <- sample(1:5, sample(1:4, 1), replace = TRUE)
    data <- array(sample(1000, prod(sizes)), sizes)
    x <- torch_tensor(data)
    picks <- lapply(sizes, function(n) kinds[[sample(length(kinds), 1)]](n))
    given <- lapply(picks, `[[`, 1)
    expected <- do.call(`[`, c(list(data), lapply(picks, `[[`, 2), drop = FALSE))
    dropped <- vapply(picks, `[[`, NA, 3)
    drop <- runif(1) < 0.7
    shape <- if (drop) dim(expected)[!dropped] else dim(expected)
    # A trailing run of whole dimensions may be left out or written as `..`.
    blank <- vapply(given, identical, NA, quote(expr = ))
    tail <- rev(cumprod(rev(blank))) == 1
    if (any(tail) && !all(tail) && runif(1) < 0.5) given <- c(given[!tail], if (runif(1) < 0.5) quote(..))
    # A new axis somewhere.
    if (drop && !any(vapply(given, identical, NA, quote(..))) && runif(1) < 0.3) {
      at <- sample(0:length(given), 1)
      given <- append(given, list(quote(newaxis)), at)
      kept <- sum(!dropped[seq_len(at)])
      shape <- append(shape, 1L, kept)
    }
    call <- as.call(c(list(quote(`[`), quote(x)), given, if (!drop) list(drop = FALSE)))
    got <- eval(call)
    info <- paste(toString(sizes), deparse1(call))
    expect_identical(dim(got), as.integer(shape), info = info)
    expect_identical(as.vector(as_array(got)), as.vector(expected), info = info)
  }
})

test_that("a trace holds an operator for each entry of an index", {
  skip_if_no_torch()
  x <- torch_tensor(a)
  operators <- function(f) {
    graph <- jit_trace(f, x)$graph
    regmatches(as.character(graph), gregexpr("(?<=aten::)[a-z_]+", as.character(graph), perl = TRUE))[[1]]
  }
  expect_identical(operators(function(x) x[1, 2:3, newaxis, c(1, 3)]), c("select", "slice", "unsqueeze", "index"))
})

test_that("numbers and slices are views, vectors and masks copies", {
  skip_if_no_torch()
  x <- torch_zeros(3, 4)
  x[2, ]$fill_(7)
  x[, 1:2]$add_(1)
  expected <- matrix(0, 3, 4)
  expected[2, ] <- 7
  expected[, 1:2] <- expected[, 1:2] + 1
  expect_identical(as_array(x), expected)
  x[c(1, 2), ]$fill_(100)
  x[x > 0]$fill_(100)
  expect_identical(as_array(x), expected)
})

test_that("an empty index selects nothing, and NA assigns nothing", {
  skip_if_no_torch()
  x <- torch_tensor(matrix(1:6, 2))
  expect_identical(dim(x[integer(), ]), c(0L, 3L))
  expect_identical(dim(x[, logical()]), c(2L, 0L))
  x[integer(), ] <- 9L
  expect_identical(as_array(x), matrix(1:6, 2))
  expect_error(x[NA] <- 5, "must not be NA in an assignment", class = "value_error")
  expect_error(x[1, NA] <- 5, "must not be NA in an assignment", class = "value_error")
  expect_identical(as_array(x[NA, 1]), 1:2)
  expect_identical(as_array(x), matrix(1:6, 2))
})

test_that("indices that are none are refused", {
  skip_if_no_torch()
  x <- torch_tensor(matrix(1:6, 2))
  expect_error(x[0, 1], "1-based", class = "value_error")
  expect_error(x[0:1, 1], "1-based", class = "value_error")
  expect_error(x[c(0, 1), ], "starts at 1|1-based")
  expect_error(x[torch_tensor(0L), ], "starts at 1|1-based")
  expect_error(x[1.5, ], "whole number", class = "value_error")
  expect_error(x[c(1, 1.5), ], "whole number", class = "value_error")
  expect_error(x[NA_integer_, ], "whole number", class = "value_error")
  expect_error(x[c(1, NA), ], "NA", class = "value_error")
  expect_error(x[c(1L, NA), ], "NA", class = "value_error")
  expect_error(x[c(1, Inf), ], "whole numbers", class = "value_error")
  expect_error(x[c(TRUE, NA), ], "NA", class = "value_error")
  expect_error(x[NaN, ], class = "value_error")
  expect_error(x[Inf, ], class = "error")
  expect_error(x[1e30, ], class = "error")
  expect_error(x[3, ], "out of range")
  expect_error(x[-3, ], "out of range")
  expect_error(x[c(1, 3), ], "out of (range|bounds)")
  expect_error(x[c(TRUE, FALSE, TRUE), ], "mask|shape")
  expect_error(x[1, 1, 1], "Too many indices", class = "value_error")
  expect_error(x[1, 1, ], "Too many indices", class = "value_error")
  expect_error(x["a", ], "Unsupported index", class = "type_error")
  expect_error(x[factor("a"), ], "Unsupported index", class = "type_error")
  expect_error(x[list(1), ], "Unsupported index", class = "type_error")
  expect_error(x[torch_tensor(1.5), ], "long and boolean", class = "type_error")
  expect_error(x[1:2:0, ], "0", class = "value_error")
  expect_error(x[1:2:-1, ], "step", class = "value_error")
  expect_error(x[1:NA, ], "slice", class = "value_error")
  expect_error(x["a":2, ], "slice", class = "value_error")
  expect_error(x[.., 1, ..], class = "error")
  expect_error(x[1.5:2, ], "whole|slice", class = "value_error")
  expect_error(torch_scalar_tensor(1)[1], "Too many indices", class = "value_error")
  expect_error(x[stop("mine"), ], "mine")
  expect_error(x[nowhere, ], "nowhere")
  expect_error(x[slc("a", 2), ], "slice", class = "value_error")
})

test_that("a slice that counts down is an error, and one to the end may be empty", {
  skip_if_no_torch()
  x <- torch_tensor(1:5)
  k <- 5
  expect_snapshot(error = TRUE, {
    x[3:1]
    x[N:1]
    x[(k + 1):k]
    x[slc(-1, -3)]
  })
  expect_error(x[3:1] <- 0L, "counts down", class = "value_error")
  for (call in expression(x[-1:4], x[5:1:2], x[.., 2:1], x[newaxis, 2:1])) {
    expect_error(eval(call), "counts down", class = "value_error", info = deparse(call))
  }
  expect_identical(as.integer(x), 1:5)
  empty <- expression(x[6:N], x[6:-1], x[slc(9, Inf)], x[4:-3], x[6:8])
  for (call in empty) expect_identical(eval(call)$shape, 0L, info = deparse(call))
  expect_identical(as.integer(x[(3:1)]), 3:1)
  expect_identical(as.integer(x[-3:5]), 3:5)
  expect_identical(as.integer(x[-9:2]), 1:2)
  expect_identical(as.integer(x[N:N]), 5L)
  expect_identical(as.integer(x[1][newaxis][N:1]), 1L)
})

test_that("several vectors are crossed in assignments, as in reading and in base R", {
  skip_if_no_torch()
  a <- array(1:120 + 0, c(2, 3, 4, 5))
  same <- function(assign) {
    x <- torch_tensor(a)
    expect_identical(as_array(assign(x)), assign(a))
  }
  same(function(x) { x[c(1, 2), c(1, 3), 1, 1] <- 0; x })
  same(function(x) { x[, c(1, 3), , c(5, 1)] <- 0; x })
  same(function(x) { x[1, c(3, 1), c(1, 2, 4), 2] <- matrix(c(-1, -2, -3, -4, -5, -6), 2); x })
  same(function(x) { x[c(2, 1), , c(4, 1), c(1, 2)] <- array(-(1:24), c(2, 3, 2, 2)); x })
  same(function(x) { x[c(TRUE, FALSE), c(FALSE, TRUE, TRUE), 1, 1:2] <- 0; x })
  x <- torch_tensor(matrix(0, 3, 3))
  x[c(1, 3), c(1, 2)] <- 1
  expect_identical(as_array(x), matrix(c(1, 0, 1, 1, 0, 1, 0, 0, 0), 3))
  # What is read by these indices is what was put there, also where a mask takes several dimensions.
  x <- torch_tensor(a)
  m <- torch_tensor(matrix(c(TRUE, FALSE, FALSE, TRUE, TRUE, FALSE), 2))
  value <- torch_arange(1, 6)$reshape(c(3, 2))
  x[m, 2, c(1, 4)] <- value
  expect_identical(as_array(x[m, 2, c(1, 4)]), as_array(value))
  expect_error(x[c(1, 2), c(1, 2), 1, 1] <- c(1, 2, 3), "shape")
})

test_that("the last position and a variable of that name are told apart once", {
  skip_if_no_torch()
  x <- torch_arange(1, 5)
  home <- torch:::the
  reset <- function() home$told_last <- NULL
  withr::defer(reset())
  reset()
  N <- 2
  expect_warning(out <- x[2:N], "`N` is the last position, not the variable `N`, which is 2", class = "torch_index_warning")
  expect_identical(as_array(out), c(2, 3, 4, 5))
  expect_silent(x[2:N])
  expect_identical(as_array(x[slc(2, N)]), 2)
  expect_identical(as_array(x[(N)]), 2)
  reset()
  expect_warning(x[N], class = "torch_index_warning")
  reset()
  expect_warning((function() x[1:(N - 1)])(), class = "torch_index_warning")
  reset()
  N <- 5
  expect_silent(x[2:N])
  N <- function() 1
  expect_silent(x[2:N])
})

test_that("what is no index is an error, whatever class it has", {
  skip_if_no_torch()
  x <- torch_ones(3)
  for (i in list(list(), list(1, 2))) expect_error(x[structure(i, class = "slice")], class = "type_error")
  for (i in list(torch_int(), Sys.Date(), factor("a"), torch_device("cpu"))) expect_error(x[i], "Unsupported index", class = "type_error")
  expect_identical(as_array(x[bit64::as.integer64(2)]), 1)
  expect_identical(as_array(torch_arange(1, 3)[bit64::as.integer64(c(3, 1))]), c(3, 1))
})

test_that("sparse tensors are sliced by copies", {
  skip_if_no_torch()
  m <- matrix(c(1, 0, 0, 2, 0, 3, 4, 0, 5), 3)
  s <- torch_tensor(m)$to_sparse()
  dense <- function(x) as_array(x$to_dense())
  expect_identical(dense(s[2:3]), m[2:3, ])
  expect_identical(dense(s[1:2, 2:3]), m[1:2, 2:3])
  expect_identical(dense(s[4:N]), m[0, ])
  expect_identical(dense(head(s, 1)), m[1, , drop = FALSE])
  expect_identical(dense(tail(s, c(2, 1))), m[2:3, 3, drop = FALSE])
  csr <- suppressWarnings(s$to_sparse_csr())
  expect_identical(dense(head(csr, 2)), m[1:2, ])
  expect_true(head(csr, 2)$layout == csr$layout)
  expect_identical(dense(tail(suppressWarnings(s$to_sparse_csc()), 1)), m[3, , drop = FALSE])
})

test_that("assignment changes the tensor in place, for all its aliases", {
  skip_if_no_torch()
  start <- matrix(c(1, 2, 3, 4, 5, 6), 2)
  x <- torch_tensor(start)
  alias <- x
  x[1, 2] <- 10
  start[1, 2] <- 10
  expect_identical(as_array(alias), start)
  expect_identical(alias, x)
  x[, 1] <- c(20, 30)
  start[, 1] <- c(20, 30)
  x[2, 2:3] <- torch_tensor(c(40, 50))
  start[2, 2:3] <- c(40, 50)
  expect_identical(as_array(alias), start)
  x[1, ] <- 0
  start[1, ] <- 0
  expect_identical(as_array(alias), start)
  x[c(2, 1), 1] <- c(7, 8)
  start[c(2, 1), 1] <- c(7, 8)
  expect_identical(as_array(alias), start)
  x[, c(3, 1)] <- 5
  start[, c(3, 1)] <- 5
  expect_identical(as_array(alias), start)
  x[x > 6] <- -1
  start[start > 6] <- -1
  expect_identical(as_array(alias), start)
  x[c(FALSE, TRUE), ] <- 9
  start[2, ] <- 9
  expect_identical(as_array(alias), start)
  x[] <- 3
  expect_identical(as_array(alias), matrix(3, 2, 3))
  x[..] <- matrix(1:6, 2)
  expect_identical(as_array(alias), matrix(as.double(1:6), 2))
  x[1:2, 1:3:2] <- matrix(c(0, 0, 1, 1), 2)
  expect_identical(as_array(alias), matrix(c(0, 0, 3, 4, 1, 1), 2))
  x[-1, N] <- TRUE
  expect_identical(as_array(alias)[2, 3], 1)
})

test_that("random assignments agree with base R", {
  skip_if_no_torch()
  set.seed(12)
  for (round in 1:150) {
    sizes <- sample(1:4, sample(1:4, 1), replace = TRUE)
    data <- array(as.double(seq_len(prod(sizes))), sizes)
    x <- torch_tensor(data, dtype = "double")
    alias <- x
    vector_at <- if (runif(1) < 0.6) sample(length(sizes), 1) else 0
    picks <- lapply(seq_along(sizes), function(d) {
      n <- sizes[d]
      if (d == vector_at) {
        # Each position once: of several values for one, any may win.
        i <- sample(n, sample(n, 1))
        if (length(i) < 2) return(list(1:n == i, i, FALSE))
        if (runif(1) < 0.3) return(list(torch_tensor(i), i, FALSE))
        return(list(ifelse(runif(length(i)) < 0.3, i - n - 1L, i), i, FALSE))
      }
      if (runif(1) < 0.3) return(list(quote(expr = ), seq_len(n), FALSE))
      if (runif(1) < 0.5) return(rep(list(sample(n, 1)), 2) |> c(TRUE))
      ends <- sort(sample(n, 2, replace = TRUE))
      list(bquote(.(ends[1]):.(ends[2]):2), seq(ends[1], ends[2], by = 2), FALSE)
    })
    target <- lapply(picks, `[[`, 2)
    shape <- lengths(target)
    dropped <- vapply(picks, `[[`, NA, 3)
    value <- if (runif(1) < 0.3) 1000 else array(1000 + seq_len(prod(shape)), shape)
    given <- if (length(value) == 1) value[1] else array(value, shape[!dropped])
    if (runif(1) < 0.4 && length(given) > 1) given <- torch_tensor(given)
    call <- as.call(c(list(quote(`[`), quote(x)), lapply(picks, `[[`, 1)))
    eval(as.call(list(quote(`<-`), call, quote(given))))
    data <- do.call(`[<-`, c(list(data), target, list(value)))
    expect_identical(as.vector(as_array(alias)), as.vector(data), info = paste(toString(sizes), deparse1(call)))
  }
})

test_that("NA is NaN to a floating-point tensor", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, 2, 3))
  x[2] <- NA
  x[x > 2] <- NA_integer_
  expect_identical(as_array(x), c(1, NaN, NaN))
  y <- torch_tensor(1:3)
  expect_error(y[1] <- NA, "NA", class = "value_error")
})

test_that("the value takes the dtype of the tensor", {
  skip_if_no_torch()
  x <- torch_tensor(1:3)
  x[1] <- 7.9
  expect_identical(as_array(x), c(7L, 2L, 3L))
  x[2:3] <- c(4.5, 5.5)
  expect_identical(as_array(x), c(7L, 4L, 5L))
  x[c(1, 3)] <- c(1, 2)
  expect_identical(as_array(x), c(1L, 4L, 2L))
  flags <- torch_tensor(c(TRUE, TRUE))
  flags[1] <- FALSE
  expect_identical(as_array(flags), c(FALSE, TRUE))
  d <- torch_tensor(c(0.1, 0.2), dtype = "double")
  d[1] <- 0.3
  d[c(2, 2)] <- 0.4
  expect_equal(as_array(d), c(0.3, 0.4), tolerance = 1e-15)
  z <- torch_tensor(c(1i, 2))
  z[1] <- 3 - 1i
  expect_identical(as_array(z), c(3 - 1i, 2 + 0i))
})

test_that("assignments that can't be are refused", {
  skip_if_no_torch()
  x <- torch_zeros(2, 3)
  expect_error(x[3, 1] <- 1, "out of range")
  expect_error(x[0, 1] <- 1, "1-based", class = "value_error")
  expect_error(x[, 1] <- c(1, 2, 3), "size|shape|expand")
  expect_error(x[1, 1] <- "a", "value", class = "type_error")
  expect_error(x[1, 1] <- NULL, "value", class = "type_error")
  expect_error(x[1, 1] <- list(1), "value", class = "type_error")
  expect_error(x[1, 1, 1] <- 1, "Too many indices", class = "value_error")
  expect_error(x[1, drop = FALSE] <- 1, "`drop`", class = "value_error")
  expect_error(x[[1]] <- 1, "use `[<-`", fixed = TRUE, class = "type_error")
  expect_identical(as_array(x), matrix(0, 2, 3))
})

test_that("gradients flow through reading and assignment", {
  skip_if_no_torch()
  x <- torch_tensor(matrix(c(1, 2, 3, 4), 2), requires_grad = TRUE)
  (x[1, ] * c(10, 20))$sum()$backward()
  expect_identical(as_array(x$grad), matrix(c(10, 0, 20, 0), 2))
  v <- torch_tensor(c(5, 6), requires_grad = TRUE)
  y <- torch_zeros(2, 2)
  y[1, ] <- v
  (y * torch_tensor(matrix(c(2, 0, 3, 0), 2)))$sum()$backward()
  expect_identical(as_array(v$grad), c(2, 3))
})

test_that("indices are evaluated in the caller's frame, once", {
  skip_if_no_torch()
  x <- torch_arange(1, 5)
  calls <- 0
  two <- function() {
    calls <<- calls + 1
    2
  }
  expect_identical(x[two()]$item(), 2)
  expect_identical(as_array(x[two():4]), c(2, 3, 4))
  expect_identical(calls, 2)
  pick <- function(x, ...) x[...]
  expect_identical(as_array(pick(x, 2:3)), c(2, 3))
  i <- 3
  f <- function(i) x[i]$item()
  expect_identical(f(5), 5)
  expect_identical(vapply(1:3, function(k) x[k]$item(), 1), c(1, 2, 3))
})

test_that("the ends of a slice are those of the frame that wrote it, however it comes to the brackets", {
  skip_if_no_torch()
  x <- torch_arange(1, 6)
  n <- 2
  here <- function(i) as.numeric(i)
  handed_on <- function(...) {
    n <- 5
    x[...]
  }
  expect_equal(here(handed_on(n:N)), 2:6)
  expect_equal(here((function(...) handed_on(...))(n:(N - 1))), 2:5)
  expect_equal(here(handed_on(1:N:n)), c(1, 3, 5))
  expect_equal(here(lapply(list(x), `[`, n:N)[[1]]), 2:6)
  expect_equal(here(do.call(`[`, list(x, quote(n:N)))), 2:6)
  expect_equal(here(with(list(n = 4), x[n:N])), 4:6)
  expect_equal(here((function(...) local(x[...]))(n:3)), 2:3)
  y <- torch_arange(1, 6)
  (function(...) y[...] <<- 0)(n:N)
  expect_equal(here(y), c(1, 0, 0, 0, 0, 0))
})

test_that("where an element of `...` was written is found in the calls", {
  where <- function(x, ...) lapply(seq_len(...length()), function(i) dots_environment(parent.frame(2), i))
  here <- environment()
  expect_identical(where(1, a, b), list(here, here))
  through <- function(first, ...) {
    inside <- environment()
    expect_identical(where(1, first, ..., x), list(inside, here, here, inside))
    expect_identical(local(where(1, ...)), list(here, here))
  }
  through(1, a + b, c)
  expect_identical(lapply(1, where, a)[[1]], list(here))
  expect_identical(do.call(where, list(1, quote(a))), list(here))
})

test_that("dimensions of 1 before those of the place are dropped from a value", {
  skip_if_no_torch()
  x <- torch_zeros(2, 3)
  x[2, 1] <- torch_ones(1)
  x[1, ] <- torch_ones(1, 3) * 2
  x[1, 2] <- torch_ones(1, 1) * 3
  expect_identical(as_array(x), matrix(c(2, 1, 3, 0, 2, 0), 2))
  x[1:2, 1] <- torch_zeros(1, 1, 2)
  x[c(1, 2), 3] <- torch_ones(1, 2) * 4
  expect_identical(as_array(x), matrix(c(0, 0, 3, 0, 4, 4), 2))
  expect_error(x[1, ] <- torch_ones(2, 3), class = "torch_error")
})

test_that("a method of R's that is called without its tensor says so", {
  skip_if_no_torch()
  for (name in c("[", "[<-")) {
    expect_error(getS3method(name, "torch_tensor")(), "^`x` is missing: it must be a tensor", class = "type_error")
  }
})

test_that("a single number is taken, or not, by a single logical", {
  skip_if_no_torch()
  x <- torch_scalar_tensor(2)
  expect_identical(as.numeric(x[x > 1]), 2)
  expect_identical(x[x > 3]$shape, 0L)
  x[x > 3] <- 7
  expect_identical(as.numeric(x), 2)
  x[x > 1] <- torch_tensor(5)
  expect_identical(as.numeric(x), 5)
})
