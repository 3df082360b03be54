up_to <- function(n) {
  i <- 0
  function() if (i < n) i <<- i + 1 else as.symbol(".__exhausted__.")
}

test_that("loop() runs over iterators, vectors and lists", {
  seen <- c()
  expect_invisible(loop(for (x in up_to(3)) seen <- c(seen, x)))
  expect_identical(seen, c(1, 2, 3))
  expect_identical(x, 3)
  seen <- list()
  loop(for (x in list(1, "a", NULL)) seen <- c(seen, list(x)))
  expect_identical(seen, list(1, "a", NULL))
  loop(for (x in integer()) stop("not reached"))
  total <- 0
  loop(for (i in 1:3) loop(for (j in up_to(i)) total <- total + j))
  expect_identical(total, 10)
})

test_that("break, next and return work in the body", {
  seen <- c()
  loop(for (x in up_to(10)) {
    if (x == 2) next
    if (x == 5) break
    seen <- c(seen, x)
  })
  expect_identical(seen, c(1, 3, 4))
  find <- function(limit) {
    loop(for (x in up_to(10)) if (x > limit) return(x))
    "none"
  }
  expect_identical(find(3), 4)
  expect_identical(find(30), "none")
})

test_that("errors in the body end the loop", {
  expect_error(loop(for (x in up_to(3)) stop("in the body")), "in the body")
})

test_that("wrong loops are told", {
  expect_error(loop(while (TRUE) 1), class = "value_error")
  expect_error(loop(for (x in new.env()) 1), class = "type_error")
  expect_error(yield(1), "coro")
  expect_snapshot(error = TRUE, {
    loop(while (TRUE) 1)
    loop(for (x in new.env()) 1)
    yield(1)
  })
})

test_that("methods are registered for coro where it is installed", {
  skip_if_not_installed("coro")
  skip_if_no_torch()
  dl <- dataloader(tensor_dataset(torch_arange(1, 4)), batch_size = 2)
  n <- 0
  coro::loop(for (b in dl) n <- n + 1)
  expect_identical(n, 2)
})
