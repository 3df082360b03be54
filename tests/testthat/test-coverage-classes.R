test_that("the members of classes that R users know are there, and take what they give", {
  skip_if_no_torch()
  rows <- class_coverage()
  wrong <- rows[rows$verdict == "wrong", c("class", "member", "note")]
  expect_identical(wrong, wrong[0, ])
  expect_gt(sum(rows$verdict == "works and agrees"), 500)
  # What has another form here says which.
  expect_true(all(nzchar(rows$note[rows$verdict == "another kind"])))
  expect_lt(sum(rows$verdict == "another kind"), 160)
  # Each reason is of a row that has it.
  used <- rows$note[rows$verdict == "left out"]
  expect_setequal(used, member_reasons)
})

test_that("a member that is missing or takes something else is found", {
  skip_if_no_torch()
  known <- data.frame(
    class = c("nn_linear", "nn_linear", "nn_linear"), member = c("nothing", "forward", "forward"), type = "public method",
    formals = c("()", "(x, y)", "(input)")
  )
  expect_identical(class_coverage(known)$verdict, c("wrong", "wrong", "works and agrees"))
})

test_that("classes between are made and inherited from with the settings that their children have", {
  skip_if_no_torch()
  parent <- function(generator) attr(generator, "r6_class")$get_inherit()
  expect_identical(parent(nn_mse_loss)$classname, "nn_loss")
  mine <- nn_module("mine", nn_weighted_loss, initialize = function(weight = NULL) super$initialize(weight, "sum"), forward = function(input, target) self$weight)
  loss <- mine(torch_ones(2))
  expect_identical(loss$reduction, "sum")
  expect_true(is_nn_buffer(loss$weight))
  lenient <- nn_module("lenient", nn_batch_norm1d, check_input_dim = function(input) invisible())
  expect_error(nn_batch_norm1d(2)(torch_ones(3, 2, 2, 2)), "dimensions")
  expect_equal(lenient(2)(torch_randn(3, 2, 2, 2))$shape, c(3, 2, 2, 2))
  expect_error(nn_module("d", nn_dropout_nd)(2), "`p` must be a probability")
})

test_that("every optimiser, scheduler, distribution and transform of PyTorch is there, or left out for a reason", {
  skip_if_no_torch()
  skip_if_older("2.5")
  rows <- python_coverage()
  wrong <- rows[rows$verdict == "wrong", c("module", "class")]
  expect_identical(wrong, wrong[0, ])
  expect_gt(sum(rows$verdict == "works and agrees"), 80)
})
