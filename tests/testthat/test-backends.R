test_that("backends are those that PyTorch names", {
  skip_if_no_torch()
  answer <- python_eval(c(
    "b = torch.backends",
    "result = dict(mkl=b.mkl.is_available(), mkldnn=b.mkldnn.is_available(), openmp=b.openmp.is_available(),",
    "  mps=b.mps.is_available(), cudnn=b.cudnn.is_available())"
  ))
  expect_identical(backends_mkl_is_available(), answer$mkl)
  expect_identical(backends_mkldnn_is_available(), answer$mkldnn)
  expect_identical(backends_openmp_is_available(), answer$openmp)
  expect_identical(backends_mps_is_available(), answer$mps)
  expect_identical(backends_cudnn_is_available(), answer$cudnn)
  if (!answer$cudnn) expect_null(backends_cudnn_version())
  skip_if(answer$mps, "This machine has MPS")
  expect_snapshot(show_error(backends_mps_synchronize()))
})
