test_that("samplers decide what comes", {
  skip_if_no_torch()
  backwards <- sampler(
    "backwards",
    initialize = function(n) self$n <- n,
    .iter = function() as_iterator(rev(seq_len(self$n))),
    .length = function() self$n
  )
  values <- function(dl) lapply(batches_of(dl), function(b) as_array(b$y))
  dl <- dataloader(numbers(3), batch_size = 2, sampler = backwards(3))
  expect_length(dl, 2)
  expect_identical(values(dl), list(3:2, 1L))
  pairs <- sampler("pairs", .iter = function() as_iterator(list(c(1, 3), 2)), .length = function() 2)
  dl <- dataloader(numbers(3), batch_sampler = pairs())
  expect_length(dl, 2)
  expect_identical(values(dl), list(c(1L, 3L), 2L))
  again <- RandomSampler(numbers(3), replacement = TRUE, num_samples = 50)
  expect_length(again, 50)
  drawn <- c()
  loop(for (i in again) drawn <- c(drawn, i))
  expect_length(drawn, 50)
  expect_setequal(drawn, 1:3)
})
