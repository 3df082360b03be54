# Against base R, on the same numbers.
m <- matrix(c(1, 2, 3, 4, 5, 7, 2, 0, 9), 3)
v <- c(3, 1, 4, 1, 5)
a <- array(c(5, 1, 4, 2, 8, 3), 2:4)

double <- function(x) torch_tensor(x, dtype = "double")

# `call` with the tensors of m, v and a gives what it gives with these.
same_as_r <- function(call, ...) {
  call <- substitute(call)
  ours <- eval(call, list(m = double(m), v = double(v), a = double(a)), parent.frame())
  r <- eval(call, list(m = m, v = v, a = a), parent.frame())
  expect_true(is_torch_tensor(ours), label = deparse1(call))
  expect_equal(as_array(ours), unname(r), label = deparse1(call))
}

test_that("sums and means of rows and columns are those of R", {
  skip_if_no_torch()
  same_as_r(rowSums(m))
  same_as_r(colSums(m))
  same_as_r(rowMeans(m))
  same_as_r(colMeans(m))
  for (d in 1:2) {
    same_as_r(rowSums(a, dims = d))
    same_as_r(colSums(a, dims = d))
    same_as_r(rowMeans(a, dims = d))
    same_as_r(colMeans(a, dims = d))
  }
  # Means of whole numbers have a fraction.
  expect_equal(as_array(colMeans(torch_tensor(matrix(1:4, 2)))), c(1.5, 3.5))
})

test_that("products and diagonals are those of R", {
  skip_if_no_torch()
  same_as_r(diag(m))
  same_as_r(diag(v))
  same_as_r(crossprod(m))
  same_as_r(crossprod(m, m[, 1]))
  same_as_r(crossprod(v))
  same_as_r(tcrossprod(m))
  same_as_r(tcrossprod(v))
  same_as_r(outer(v, v))
  same_as_r(outer(m, v))
  same_as_r(outer(v, 1:2, "-"))
  same_as_r(outer(1:2, v, "+"))
  same_as_r(outer(v, v, function(x, y) x * 2 + y))
  x <- double(m)
  diag(x) <- 9
  expect_equal(as_array(x), `diag<-`(m, 9))
  diag(x) <- c(1, 2, 3)
  expect_equal(as_array(x), `diag<-`(m, 1:3))
})

test_that("blocks, pairs, norms and scaled columns are those of R", {
  skip_if_no_torch()
  m <- matrix(c(1, -2, 4, 5, 6, 9), 3)
  x <- torch_tensor(m, dtype = "double")
  y <- torch_tensor(matrix(1:4, 2), dtype = "double")
  expect_equal(as_array(kronecker(x, y)), kronecker(m, matrix(1:4, 2)))
  expect_equal(as_array(kronecker(x, c(1, 2))), kronecker(m, c(1, 2)))
  expect_error(kronecker(x, y, "+"), "`FUN` must be", class = "value_error")
  expect_equal(as_array(y %o% 1:3), as_array(y) %o% 1:3)
  expect_identical(1:2 %o% 1:3, outer(1:2, 1:3))
  for (type in c("O", "1", "I", "F", "E", "M", "2", "f")) expect_equal(as.numeric(norm(x, type)), norm(m, type))
  expect_equal(as.numeric(norm(x)), norm(m))
  expect_identical(norm(m), base::norm(m))
  expect_error(norm(x, "x"), "`type` must be one of", class = "value_error")
  plain <- function(x) matrix(x, nrow(x))
  expect_equal(as_array(scale(x)), plain(scale(m)))
  expect_equal(as_array(scale(x, FALSE)), plain(scale(m, FALSE)))
  expect_equal(as_array(scale(x, TRUE, FALSE)), plain(scale(m, TRUE, FALSE)))
  expect_equal(as_array(scale(x, c(1, 2), c(3, 4))), plain(scale(m, c(1, 2), c(3, 4))))
})

test_that("what occurs first is told as R tells it", {
  skip_if_no_torch()
  for (values in list(c(3, 1, NaN, 3, 2, NaN), c(2L, 1L, 2L), c(TRUE, FALSE, TRUE), integer(), 5, matrix(c(1, 2, 2, 1), 2))) {
    x <- torch_tensor(values)
    flat <- as.vector(as_array(torch_flatten(x)))
    expect_identical(as_array(unique(x)), unique(flat))
    expect_identical(as_array(duplicated(x)), duplicated(flat))
  }
})

test_that("variances are those of R", {
  skip_if_no_torch()
  same_as_r(var(v))
  same_as_r(var(m))
  same_as_r(var(v, v^2))
  same_as_r(cov(m, m^2))
  same_as_r(cor(m))
  same_as_r(cor(v, v^2))
  same_as_r(cor(m[, 1:2], m[, 3]))
  same_as_r(sd(v))
  same_as_r(sd(m))
})

test_that("positions and choices are those of R", {
  skip_if_no_torch()
  same_as_r(which(v > 1))
  same_as_r(which.max(v))
  same_as_r(which.min(v))
  same_as_r(ifelse(m > 2, m, 0))
  same_as_r(ifelse(m > 2, 1, 0))
  # Rows of positions, in the order of the tensor's rows.
  r <- which(m > 4, arr.ind = TRUE)
  expect_equal(as_array(which(double(m) > 4, arr.ind = TRUE)), unname(r[order(r[, 1], r[, 2]), ]))
})

test_that("parts of complex numbers are those of R", {
  skip_if_no_torch()
  z <- c(1 + 2i, -3i, -1 + 0i)
  x <- torch_tensor(z, dtype = "cdouble")
  for (part in list(Re, Im, Mod, Arg, Conj)) expect_equal(as_array(part(x)), part(z))
  expect_equal(as_array(Re(double(v))), v)
  expect_equal(as_array(Im(double(v))), Im(v))
  expect_equal(as_array(Arg(double(-v))), Arg(-v))
})

test_that("gradients go through", {
  skip_if_no_torch()
  x <- torch_tensor(m, requires_grad = TRUE)
  (sum(var(x)) + sum(colMeans(x)) + sum(outer(x, x)) + sum(ifelse(x > 2, x, 0)) + sum(diag(x)))$backward()
  # Of each summand by hand: the variance sums (x - mean) over the columns, the outer product is sum(x)^2.
  centred <- rowSums(sweep(m, 2, colMeans(m)))
  expected <- matrix(centred, 3, 3) * 2 / 2 + 1 / 3 + 2 * sum(m) + (m > 2) + diag(3)
  expect_equal(as_array(x$grad), expected, tolerance = 1e-5)
})

test_that("plots take tensors", {
  skip_if_no_torch()
  grDevices::pdf(NULL)
  withr::defer(grDevices::dev.off())
  x <- double(v)
  expect_equal(hist(x)$counts, hist(v)$counts)
  expect_equal(hist(x, breaks = 2, main = "a")$breaks, hist(v, breaks = 2)$breaks)
  expect_equal(boxplot(double(m))$stats, boxplot(m)$stats)
  expect_equal(barplot(x), barplot(v))
  expect_equal(density(x)$y, density(v)$y)
  expect_no_error(graphics::image(double(m)))
})

test_that("values of R go to R's own functions", {
  skip_if_no_torch()
  expect_identical(diag(2), base::diag(2))
  expect_identical(diag(nrow = 3), base::diag(nrow = 3))
  expect_identical(colMeans(mtcars), base::colMeans(mtcars))
  expect_identical(var(mtcars), stats::var(mtcars))
  expect_identical(which(c(a = TRUE, b = FALSE)), base::which(c(a = TRUE, b = FALSE)))
  expect_identical(outer(1:2, 1:3, "+"), base::outer(1:2, 1:3, "+"))
  # The branch that is not taken is not evaluated.
  expect_identical(ifelse(c(TRUE, TRUE), 1, stop("not to be evaluated")), c(1, 1))
})

test_that("what has no meaning says what has", {
  skip_if_no_torch()
  x <- double(m)
  y <- double(a)
  w <- double(v)
  expect_snapshot(error = TRUE, {
    colSums(w)
    rowMeans(x, dims = 2)
    colMeans(x, na.rm = TRUE)
    diag(y)
    diag(w, 3)
    diag(x) <- 1:2
    var(y)
    var(x, w)
    cor(x, method = "spearman")
    which(x > 2)
    which(x)
    which.max(x)
  })
})
