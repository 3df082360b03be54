test_that("distributions are on a GPU what they are on the CPU", {
  skip_if_no_cuda()
  for (case in distribution_cases()) {
    value_of <- function(what, device) {
      local_device(device)
      d <- eval(case$r, lapply(case$p, function(x) as_double_tensor(x)$to(device = device)), globalenv())
      x <- as_double_tensor(case$x)$to(device = device)
      tryCatch(
        switch(what, log_prob = d$log_prob(x), entropy = d$entropy(), mean = d$mean, variance = d$variance),
        not_implemented_error = function(e) "none"
      )
    }
    for (what in c("log_prob", "entropy", "mean", "variance")) expect_same_on_cuda(function(device) value_of(what, device))
  }
})

test_that("draws lie on the GPU and are in the support", {
  skip_if_no_cuda()
  for (case in distribution_cases()) {
    p <- lapply(case$p, function(x) as_double_tensor(x)$to(device = "cuda")$requires_grad_(TRUE))
    d <- eval(case$r, p, globalenv())
    draws <- d$sample(100)
    expect_true(draws$is_cuda, info = deparse1(case$r))
    expect_true(as.logical(d$support$check(draws)$all()), info = deparse1(case$r))
    if (d$has_rsample) expect_no_error(d$rsample(5)$sum()$backward())
  }
})
