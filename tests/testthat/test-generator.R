test_that("a seed makes random numbers repeatable, and R's seed does not matter", {
  skip_if_no_torch()
  state <- torch_get_rng_state()
  withr::defer(torch_set_rng_state(state))
  torch_manual_seed(42)
  first <- as_array(torch_rand(5))
  set.seed(1)
  torch_manual_seed(42)
  expect_identical(as_array(torch_rand(5)), first)
  torch_manual_seed(43)
  expect_false(identical(as_array(torch_rand(5)), first))
})

test_that("the numbers of a seed are PyTorch's", {
  skip_if_no_torch()
  answer <- python_eval(c(
    "torch.manual_seed(7)",
    "result = dict(rand=torch.rand(4).tolist(), randn=torch.randn(3).tolist(), perm=torch.randperm(5).tolist())"
  ))
  local_torch_manual_seed(7)
  expect_equal(as_array(torch_rand(4)), answer$rand)
  expect_equal(as_array(torch_randn(3)), answer$randn)
  expect_equal(as_array(torch_randperm(5)), answer$perm)
})

test_that("with_ and local_ restore the state", {
  skip_if_no_torch()
  before <- as_array(torch_get_rng_state())
  one <- with_torch_manual_seed(as_array(torch_rand(3)), seed = 1)
  expect_identical(as_array(torch_get_rng_state()), before)
  f <- function() {
    local_torch_manual_seed(1)
    as_array(torch_rand(3))
  }
  expect_identical(f(), one)
  expect_identical(as_array(torch_get_rng_state()), before)
  expect_error(with_torch_manual_seed(stop("here"), seed = 1), "here")
  expect_identical(as_array(torch_get_rng_state()), before)
})

test_that("a state can be taken up again", {
  skip_if_no_torch()
  state <- torch_get_rng_state()
  expect_true(state$dtype == torch_uint8())
  first <- as_array(torch_rand(3))
  torch_set_rng_state(state)
  expect_identical(as_array(torch_rand(3)), first)
  expect_error(torch_set_rng_state(1), "tensor")
})

test_that("the number of threads is set and told", {
  skip_if_no_torch()
  counts <- callr::r(function() {
    library(torch)
    torch_set_num_interop_threads(3)
    torch_set_num_threads(2)
    c(torch_get_num_threads(), torch_get_num_interop_threads())
  })
  expect_equal(counts, c(2, 3))
})

test_that("a generator has a seed of its own", {
  skip_if_no_torch()
  skip_if_not_installed("bit64")
  g <- torch_generator()
  expect_s3_class(g, "torch_generator")
  expect_output(print(g), "torch_generator()", fixed = TRUE)
  g$set_current_seed(123)
  expect_s3_class(g$current_seed(), "integer64")
  expect_identical(as.character(g$current_seed()), "123")
  before <- as_array(torch_get_rng_state())
  draw <- function() as_array(torch_randint(0, 1000, 5, generator = g))
  first <- draw()
  expect_identical(as_array(torch_get_rng_state()), before)
  g$set_current_seed(123L)
  expect_identical(draw(), first)
  g$set_current_seed(bit64::as.integer64("9007199254740993"))
  expect_identical(as.character(g$current_seed()), "9007199254740993")
  for (seed in list("a", NULL, c(1, 2), NA, NA_real_)) {
    expect_error(g$set_current_seed(seed), "seed", class = "type_error")
    expect_error(torch_manual_seed(seed), "seed", class = "type_error")
  }
  expect_error(torch_manual_seed(1.5), "seed")
  expect_no_warning(expect_error(torch_manual_seed(1e300), "between -2\\^63", class = "value_error"))
  expect_error(g$set_current_seed(-Inf), "between", class = "value_error")
})

test_that("numbers of threads are whole and positive", {
  skip_if_no_torch()
  before <- torch_get_num_threads()
  withr::defer(torch_set_num_threads(before))
  torch_set_num_threads(2L)
  expect_identical(torch_get_num_threads(), 2L)
  expect_snapshot({
    show_error(torch_set_num_threads(0))
    show_error(torch_set_num_threads("a"))
    show_error(torch_set_num_threads(NA))
    show_error(torch_set_num_threads(1e10))
    show_error(torch_set_num_interop_threads(1.5))
  })
})

test_that("a forked process works with one thread", {
  skip_if_no_torch()
  skip_on_os("windows")
  skip_if_not_installed("callr")
  result <- callr::r(function() {
    library(torch)
    torch_set_num_threads(2)
    work <- function(i) {
      x <- torch_ones(300, 300, requires_grad = TRUE)
      y <- (torch_ones(1e6) + i)$sum() + x$mm(x)$sum()
      y$backward()
      c(y$item(), as.numeric(x$grad$sum()), torch_get_num_threads())
    }
    one <- work(0)
    list(one = one, forked = parallel::mclapply(1:2, work, mc.cores = 2), after = torch_get_num_threads())
  }, timeout = 60)
  expect_identical(result$one[3], 2)
  expect_equal(result$forked[[1]], c(2e6 + 300^3, 2 * 300^3, 1))
  expect_equal(result$forked[[2]], c(3e6 + 300^3, 2 * 300^3, 1))
  expect_identical(result$after, 2L)
})

test_that("a state is a tensor", {
  skip_if_no_torch()
  expect_error(torch_set_rng_state(NULL), "`state` must be a tensor, not NULL", class = "type_error")
  expect_error(torch_generator()$set_state(NULL), "`state` must be a tensor, not NULL", class = "type_error")
})
