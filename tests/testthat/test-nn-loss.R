test_that("class weights of a loss move with it", {
  skip_if_no_torch()
  loss <- nn_cross_entropy_loss(weight = torch_ones(3))
  expect_named(loss$buffers, "weight")
  expect_length(nn_cross_entropy_loss()$buffers, 0)
})
