test_that("all distributions give the values, gradients and draws of PyTorch", {
  skip_if_older("2.13")
  expect_identical(distribution_differences(distribution_cases()), NULL)
})

test_that("a difference is found", {
  skip_if_older("2.13")
  wrong <- list(distribution_case(
    distr_gamma(a, rate), "Gamma(a, rate * 1.001)", list(a = c(0.5, 2), rate = c(1, 3)), c(0.3, 2)
  ))
  expect_match(distribution_differences(wrong), "log_prob|cdf|entropy|expand|mean|variance|stddev|mode|sample|perplexity")
})

test_that("densities, probabilities and quantiles are those of R's own functions", {
  skip_if_no_torch()
  for (case in distribution_cases()) {
    for (what in names(case$base)) {
      expect_equal(
        base_value_here(case, what), as.double(eval(case$base[[what]], c(case$p, list(x = case$x, u = case$u)))),
        tolerance = 1e-6, info = paste(deparse1(case$r), what)
      )
    }
  }
})

test_that("1e5 draws have the mean and the variance that the distribution says", {
  skip_if_no_torch()
  torch_manual_seed(11)
  for (case in distribution_cases()) {
    d <- distribution_here(case)
    mean <- tryCatch(d$mean, not_implemented_error = function(e) NULL)
    if (is.null(mean)) next
    variance <- d$variance
    if (!as.logical(torch_all(torch_isfinite(variance)))) next
    draws <- d$sample(1e5)
    expect_true(as.logical(torch_all(d$support$check(draws))), info = deparse1(case$r))
    # The circular mean and variance are others.
    if (inherits(d, "torch_VonMises")) next
    error <- (torch_mean(draws, dim = 1) - mean) / torch_sqrt(variance / 1e5 + 1e-12)
    expect_lt(as.numeric(torch_max(torch_abs(error))), 5, label = deparse1(case$r))
    # A few of them have no fourth moment.
    ratio <- (torch_var(draws, dim = 1) + 1e-9) / (variance + 1e-9)
    expect_lt(as.numeric(torch_max(torch_abs(torch_log(ratio)))), 0.3, label = deparse1(case$r))
  }
})

test_that("errors name the parameter or the value and what it must be", {
  skip_if_no_torch()
  d <- distr_normal(c(0, 1), 1)
  expect_snapshot({
    show_error(distr_normal(0))
    show_error(distr_normal(0, -1))
    show_error(distr_normal(0, c(1, -2, NaN)))
    show_error(distr_normal("a", 1))
    show_error(distr_normal(c(1, 2, 3), c(1, 2)))
    show_error(distr_normal(torch_tensor(1i), 1))
    show_error(distr_poisson(-1))
    show_error(distr_uniform(c(0, 3), c(1, 2)))
    show_error(distr_bernoulli())
    show_error(distr_bernoulli(probs = 0.1, logits = 1))
    show_error(distr_categorical(c(-1, 2)))
    show_error(distr_categorical(0.5))
    show_error(distr_binomial(1.5, 0.5))
    show_error(distr_multinomial(-1, c(0.5, 0.5)))
    show_error(distr_multivariate_normal(c(0, 0), covariance_matrix = matrix(c(1, 2, 2, 1), 2)))
    show_error(distr_multivariate_normal(c(0, 0), covariance_matrix = diag(3)))
    show_error(distr_multivariate_normal(c(0, 0)))
    show_error(distr_wishart(1, diag(3)))
    show_error(distr_wishart(1, c(1, 2)))
    show_error(distr_lkj_cholesky(1))
    show_error(distr_low_rank_multivariate_normal(c(0, 0), diag(3), c(1, 1)))
    show_error(distr_mixture_same_family(distr_normal(0, 1), distr_normal(0, 1)))
    show_error(distr_mixture_same_family(distr_categorical(c(0.5, 0.5)), distr_normal(c(0, 1, 2), 1)))
    show_error(distr_independent(distr_normal(0, 1), 1))
    show_error(distr_transformed(distr_normal(0, 1), 3))
    show_error(d$log_prob("a"))
    show_error(d$log_prob(c(1, 2, 3)))
    show_error(d$log_prob(c(NaN, 1)))
    show_error(distr_dirichlet(c(1, 2, 3))$log_prob(c(0.5, 0.5)))
    show_error(distr_categorical(c(0.5, 0.5))$log_prob(0))
    show_error(d$sample("a"))
    show_error(d$loc <- 1)
    show_error(distr_poisson(1)$rsample())
    show_error(distr_poisson(1)$icdf(0.5))
    show_error(distr_binomial(c(1, 2), 0.5)$enumerate_support())
    show_error(distribution(1))
    show_error(distribution("A", mean = 1))
    show_error(distribution("A", inherit = mean))
  })
})

test_that("with validate_args = FALSE nothing is checked", {
  skip_if_no_torch()
  d <- distr_normal(0, -1, validate_args = FALSE)
  expect_no_error(d$log_prob(NaN))
  expect_false(d$.validate_args)
  expect_true(distr_normal(0, 1)$.validate_args)
  withr::local_options(torch.validate_args = FALSE)
  expect_false(distr_normal(0, -1)$.validate_args)
  expect_error(distr_normal(0, -1, validate_args = TRUE), class = "value_error")
})

test_that("a distribution prints in a line", {
  skip_if_no_torch()
  expect_snapshot({
    distr_normal(0, c(1, 2))
    distr_categorical(logits = torch_zeros(2, 3))
    distr_transformed(distr_normal(0, 1), list(transform_exp(), transform_affine(1, 2)))
    distr_mixture_same_family(distr_categorical(c(0.5, 0.5)), distr_normal(c(0, 1), 1))
    str(distr_poisson(3))
    distr_normal
  })
})

test_that("numbers and tensors mix: numbers take dtype and batch of the tensors", {
  skip_if_no_torch()
  d <- distr_normal(0, torch_tensor(c(1, 2), dtype = "double"))
  expect_identical(d$batch_shape, 2L)
  expect_true(d$loc$dtype == torch_double())
  expect_true(d$sample()$dtype == torch_double())
  expect_identical(distr_normal(0, 1)$batch_shape, integer())
  expect_identical(distr_normal(0, 1)$sample()$shape, integer())
  expect_true(distr_normal(torch_tensor(0L), 1)$loc$dtype == torch_float())
  expect_identical(distr_normal(torch_zeros(2, 1), c(1, 2, 3))$sample(c(5, 4))$shape, c(5L, 4L, 2L, 3L))
  expect_equal(as.numeric(distr_normal(0, 1)$log_prob(0)), dnorm(0, log = TRUE), tolerance = 1e-6)
})

test_that("classes are those that R users know", {
  skip_if_no_torch()
  expect_identical(class(distr_normal(0, 1)), c("torch_Normal", "torch_ExponentialFamily", "torch_Distribution", "R6"))
  expect_identical(
    class(distr_chi2(1)), c("torch_Chi2", "torch_Gamma", "torch_ExponentialFamily", "torch_Distribution", "R6")
  )
  expect_s3_class(distr_log_normal(0, 1), "torch_TransformedDistribution")
  expect_s3_class(distr_categorical(c(0.5, 0.5))$support, "torch_IntegerInterval")
  expect_equal(as_array(distr_gamma(2, 3)$.natural_params[[2]]), -3)
  expect_identical(distr_gamma(2, 3)$.mean_carrier_measure, 0)
})

test_that("a class of the user's has all that the package's have", {
  skip_if_no_torch()
  home <- new.env(parent = globalenv())
  home$distribution <- distribution
  distr_rayleigh <- eval(quote(distribution(
    "Rayleigh",
    parameters = list(scale = torch::constraint_positive),
    support = torch::constraint_nonnegative,
    log_prob = function(value) log(value / scale^2) - (value / scale)^2 / 2,
    rsample = function(shape) scale * sqrt(-2 * log(torch::torch_rand(shape))),
    mean = function() scale * sqrt(pi / 2),
    double = function() distr_of(2 * scale)
  )), home)
  home$distr_of <- distr_rayleigh
  d <- distr_rayleigh(scale = c(1, 2))
  expect_s3_class(d, "torch_Rayleigh")
  expect_equal(as_array(d$log_prob(1.5)), log(1.5 / c(1, 4)) - (1.5 / c(1, 2))^2 / 2, tolerance = 1e-6)
  torch_manual_seed(1)
  expect_equal(as_array(d$sample(1e5)$mean(dim = 1)), as_array(d$mean), tolerance = 0.02)
  expect_true(d$has_rsample)
  expect_identical(d$expand(c(3, 2))$batch_shape, c(3L, 2L))
  expect_equal(as_array(d$double()$scale), c(2, 4))
  expect_error(d$entropy(), class = "not_implemented_error")
  expect_error(distr_rayleigh(-1), "`scale` must be positive", class = "value_error")
  expect_error(d$scale <- 3, class = "value_error")
})

test_that("gradients flow through draws, log probabilities and derived parameters", {
  skip_if_no_torch()
  logits <- torch_tensor(c(0.5, -1), requires_grad = TRUE)
  d <- distr_bernoulli(logits = logits)
  p <- with_no_grad(d$probs)
  expect_true(d$probs$requires_grad)
  expect_false(d$sample()$requires_grad)
  d$mean$sum()$backward()
  expect_equal(as_array(logits$grad), plogis(c(0.5, -1)) * (1 - plogis(c(0.5, -1))), tolerance = 1e-6)
})

test_that("what is derived of parameters has a graph after a backward pass too", {
  skip_if_no_torch()
  p <- torch_tensor(c(0.3, 0.6), requires_grad = TRUE)
  s <- torch_tensor(matrix(c(2, 0.5, 0.5, 1), 2), requires_grad = TRUE)
  families <- list(
    distr_geometric(p), distr_geometric(logits = p), distr_bernoulli(p), distr_binomial(3, p), distr_relaxed_bernoulli(torch_tensor(0.7), probs = p),
    distr_continuous_bernoulli(p), distr_weibull(p, p), distr_pareto(p, p), distr_kumaraswamy(p, p), distr_log_normal(p, p), distr_half_normal(p),
    distr_inverse_gamma(p, p), distr_chi2(p), distr_multivariate_normal(torch_zeros(2), covariance_matrix = s),
    distr_negative_binomial(3, p)
  )
  for (d in families) {
    value <- if (inherits(d, "RelaxedBernoulli")) torch_tensor(c(0.4, 0.6)) else torch_tensor(c(1, 1))
    gradient <- function() {
      p$grad <- NULL
      s$grad <- NULL
      d$log_prob(value)$sum()$backward()
      if (d$has_rsample) d$rsample()$sum()$backward()
      for (member in c("mean", "variance")) {
        x <- tryCatch(d[[member]], not_implemented_error = function(e) NULL)
        if (!is.null(x) && x$requires_grad) x$sum()$backward()
      }
      TRUE
    }
    for (i in 1:2) expect_true(gradient(), info = format(d))
  }
})

test_that("a distribution whose parameters were given as they are used may be differentiated again and again", {
  skip_if_no_torch()
  a <- torch_tensor(c(0.5, 2), requires_grad = TRUE)
  families <- list(
    distr_normal(0, a), distr_gamma(a, a), distr_beta(a, a), distr_student_t(a), distr_generalized_pareto(0, a, a),
    distr_fisher_snedecor(a, a), distr_dirichlet(a), distr_log_normal(0, a), distr_laplace(0, a)
  )
  for (d in families) {
    for (i in 1:2) {
      expect_no_error(d$log_prob(c(0.4, 0.6))$sum()$backward(), message = format(d))
      expect_no_error(d$rsample()$sum()$backward(), message = format(d))
    }
  }
})

test_that("log probabilities and draws of all distributions can be traced", {
  skip_if_no_torch()
  for (case in distribution_cases()) {
    p <- lapply(case$p, as_double_tensor)
    x <- as_double_tensor(case$x)
    # Counts stay whole.
    other <- lapply(set_names(names(p)), function(name) if (name == "n") p[[name]] else p[[name]] * 1.05)
    f <- function(...) {
      d <- eval(case$r, set_names(list(...), names(p)), globalenv())
      list(d$log_prob(x), d$sample(3))
    }
    label <- deparse1(case$r)
    expect_no_warning(program <- do.call(jit_trace, c(list(f), unname(p), check_trace = FALSE)), message = label)
    torch_manual_seed(4)
    here <- do.call(f, unname(other))
    torch_manual_seed(4)
    expect_equal(lapply(do.call(program, unname(other)), as_array), lapply(here, as_array), info = label)
  }
})

test_that("a traced batch may be of another size", {
  skip_if_no_torch()
  f <- jit_trace(
    function(loc, scale, x) distr_normal(loc, scale)$log_prob(x), torch_zeros(2), torch_ones(2), torch_zeros(3, 2)
  )
  x <- torch_randn(5, 4)
  expect_equal(
    as_array(f(torch_ones(4), torch_tensor(2), x)), dnorm(as_array(x), 1, 2, log = TRUE), tolerance = 1e-5
  )
  m <- torch_tensor(spd)
  g <- jit_trace(function(loc) distr_multivariate_normal(loc, scale_tril = linalg_cholesky(m))$sample(2), torch_zeros(2, 3))
  expect_identical(g(torch_zeros(5, 3))$shape, c(2L, 5L, 3L))
})

test_that("everything that torch.distributions exports is here", {
  skip_if_no_torch()
  there <- python_eval(c(
    "import torch.distributions as D",
    "result = dict(all=D.__all__, constraints=D.constraints.__all__)"
  ))
  snake <- function(x) tolower(gsub("([a-z0-9])([A-Z])|([A-Z])(?=[A-Z][a-z])", "\\1\\3_\\2", x, perl = TRUE))
  here <- ifelse(
    grepl(".Transform$", there$all), paste0("transform_", snake(sub("Transform$", "", there$all))),
    paste0("distr_", snake(there$all))
  )
  # Under another name: functions as they are called there, base classes as what makes such.
  other <- c(
    kl_divergence = "kl_divergence", register_kl = "register_kl", biject_to = "biject_to", transform_to = "transform_to",
    Distribution = "distribution", ExponentialFamily = "distribution", Transform = "transform_function",
    identity_transform = "transform_identity", TransformedDistribution = "distr_transformed"
  )
  known <- there$all %in% names(other)
  here[known] <- other[there$all[known]]
  # A constraint that depends on parameters is a function of them.
  dependent <- c("Constraint", "dependent", "dependent_property", "is_dependent", "MixtureSameFamilyConstraint")
  here <- c(here, paste0("constraint_", setdiff(there$constraints, dependent)))
  expect_gt(length(here), 80)
  expect_identical(setdiff(here, getNamespaceExports("torch")), character())
})
