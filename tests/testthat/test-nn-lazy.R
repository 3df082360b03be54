test_that("lazy layers take the size of their first input and are then as the others", {
  skip_if_no_torch()
  cases <- list(
    list(nn_lazy_linear(4), nn_linear(3, 4), c(2, 3)), list(nn_lazy_conv1d(4, 2), nn_conv1d(3, 4, 2), c(2, 3, 5)),
    list(nn_lazy_conv2d(4, 2, padding = 1), nn_conv2d(3, 4, 2, padding = 1), c(3, 5, 5)),
    list(nn_lazy_conv3d(4, 2), nn_conv3d(3, 4, 2), c(1, 3, 3, 3, 3)),
    list(nn_lazy_conv_transpose1d(4, 2), nn_conv_transpose1d(3, 4, 2), c(2, 3, 5)),
    list(nn_lazy_conv_transpose2d(4, 2, stride = 2), nn_conv_transpose2d(3, 4, 2, stride = 2), c(2, 3, 5, 5)),
    list(nn_lazy_conv_transpose3d(4, 2), nn_conv_transpose3d(3, 4, 2), c(1, 3, 2, 2, 2)),
    list(nn_lazy_batch_norm1d(), nn_batch_norm1d(3), c(4, 3)), list(nn_lazy_batch_norm2d(eps = 0.1), nn_batch_norm2d(3, eps = 0.1), c(2, 3, 2, 2)),
    list(nn_lazy_batch_norm3d(), nn_batch_norm3d(3), c(2, 3, 2, 2, 2)), list(nn_lazy_instance_norm1d(), nn_instance_norm1d(3), c(2, 3, 4)),
    list(nn_lazy_instance_norm2d(), nn_instance_norm2d(3), c(2, 3, 4, 4)), list(nn_lazy_instance_norm3d(), nn_instance_norm3d(3), c(2, 3, 2, 2, 2))
  )
  for (case in cases) {
    lazy <- case[[1]]
    layer <- case[[2]]
    expect_length(lazy$parameters, 0)
    input <- torch_randn(case[[3]])
    lazy(input)
    expect_identical(lapply(lazy$state_dict(), dim), lapply(layer$state_dict(), dim), info = class(lazy)[1])
    layer$load_state_dict(lazy$state_dict())
    expect_equal(as_array(lazy$eval()(input)), as_array(layer$eval()(input)), info = class(lazy)[1])
    expect_s3_class(lazy, class(layer)[1])
  }
  expect_error(nn_lazy_conv2d(4, 2)(torch_ones(3)), "too few dimensions", class = "value_error")
  expect_error(nn_lazy_linear()(torch_ones(3)), "out_features")
})

test_that("lazy layers are made for the state dict that they load", {
  skip_if_no_torch()
  cases <- list(
    list(nn_lazy_linear(4), nn_linear(3, 4), c(2, 3)), list(nn_lazy_conv1d(4, 2, groups = 2), nn_conv1d(6, 4, 2, groups = 2), c(2, 6, 5)),
    list(nn_lazy_conv2d(4, 2, bias = FALSE), nn_conv2d(3, 4, 2, bias = FALSE), c(3, 5, 5)),
    list(nn_lazy_conv3d(4, 2), nn_conv3d(3, 4, 2), c(1, 3, 3, 3, 3)),
    list(nn_lazy_conv_transpose2d(4, 2, groups = 2), nn_conv_transpose2d(6, 4, 2, groups = 2), c(2, 6, 5, 5)),
    list(nn_lazy_batch_norm2d(), nn_batch_norm2d(3), c(2, 3, 2, 2)),
    list(nn_lazy_batch_norm1d(affine = FALSE), nn_batch_norm1d(3, affine = FALSE), c(4, 3)),
    list(nn_lazy_instance_norm1d(affine = TRUE), nn_instance_norm1d(3, affine = TRUE), c(2, 3, 4))
  )
  for (case in cases) {
    lazy <- nn_sequential(nn_identity(), case[[1]])
    layer <- nn_sequential(nn_identity(), case[[2]])
    lazy$load_state_dict(layer$state_dict())
    input <- torch_randn(case[[3]])
    expect_identical(held(lazy$eval()(input)), held(layer$eval()(input)), info = class(case[[1]])[1])
  }
  expect_error(nn_lazy_linear(3)$load_state_dict(list()), "no entry `weight`", class = "value_error")
})
