test_that("resizing agrees with PyTorch where the module has no say", {
  skip_if_no_torch()
  withr::local_seed(4)
  x <- array(round(rnorm(2 * 5 * 6), 3), c(1, 2, 5, 6))
  g <- array(runif(3 * 3 * 2, -1, 1), c(1, 3, 3, 2))
  expected <- python_eval("
F = torch.nn.functional
x = torch.tensor(x, dtype=torch.double); g = torch.tensor(g, dtype=torch.double)
result = [y.flatten().tolist() for y in [
  F.interpolate(x, scale_factor=1.5, mode='bilinear', recompute_scale_factor=True), F.interpolate(x, scale_factor=0.7, mode='bicubic', antialias=True),
  F.interpolate(x, size=(3, 3), mode='bilinear', antialias=True), F.interpolate(x, scale_factor=0.5, mode='area'),
  F.grid_sample(x, g, mode='bicubic', align_corners=True)]]
", x = x, g = g)
  x <- torch_tensor(x, dtype = "double")
  g <- torch_tensor(g, dtype = "double")
  got <- list(
    nnf_interpolate(x, scale_factor = 1.5, mode = "bilinear", recompute_scale_factor = TRUE),
    nnf_interpolate(x, scale_factor = 0.7, mode = "bicubic", antialias = TRUE),
    nnf_interpolate(x, size = 3, mode = "bilinear", antialias = TRUE), nnf_interpolate(x, scale_factor = 0.5, mode = "area"),
    nnf_grid_sample(x, g, mode = "bicubic", align_corners = TRUE)
  )
  expect_equal(lapply(got, function(y) as_array(torch_flatten(y))), expected, tolerance = 1e-7)
})

test_that("resizing says what does not fit", {
  skip_if_no_torch()
  x <- torch_ones(1, 1, 4)
  expect_snapshot({
    nnf_interpolate(x)
    nnf_interpolate(x, size = 2, scale_factor = 2)
    nnf_interpolate(x, size = 2, mode = "bilinear")
    nnf_interpolate(x, size = 2, mode = "cubic")
    nnf_interpolate(x, size = 2, align_corners = TRUE)
    nnf_interpolate(x, size = c(2, 3))
    nnf_interpolate(x, size = 2, mode = "linear", antialias = TRUE)
    nn_zero_pad2d(c(1, 2))
  }, error = TRUE)
})
