# The oracle of the distributions. A case is a call here (`r`), the same in Python (`py`), the parameters `p` that both find
# by name, and values `x` whose probability is asked for; `base` are R's own functions, `own` members that differ on purpose.
# A new distribution gets a line. Everything is computed in double precision, and with the same seed draws must be equal.

distribution_case <- function(r, py, p, x, base = list(), u = c(0.1, 0.7), draws = TRUE, own = character()) {
  list(r = substitute(r), py = py, p = p, x = x, base = base, u = u, draws = draws, own = own)
}

spd <- matrix(c(2, 0.5, 0.3, 0.5, 1, -0.2, 0.3, -0.2, 1.5), 3)
spd2 <- aperm(array(c(spd, spd + diag(3)), c(3, 3, 2)), c(3, 1, 2))
simplex2 <- rbind(c(0.2, 0.3, 0.5), c(0.6, 0.1, 0.3))

distribution_cases <- function() {
  list(
    distribution_case(
      distr_normal(loc, scale), "Normal(loc, scale)", list(loc = c(-1, 0.5), scale = c(0.5, 2)), c(0.3, -2),
      list(d = quote(dnorm(x, loc, scale)), p = quote(pnorm(x, loc, scale)), q = quote(qnorm(u, loc, scale)))
    ),
    distribution_case(
      distr_log_normal(loc, scale), "LogNormal(loc, scale)", list(loc = c(-1, 0.5), scale = c(0.5, 1.2)), c(0.3, 2),
      list(d = quote(dlnorm(x, loc, scale)), p = quote(plnorm(x, loc, scale)), q = quote(qlnorm(u, loc, scale)))
    ),
    distribution_case(
      distr_half_normal(scale), "HalfNormal(scale)", list(scale = c(0.5, 2)), c(0.3, 2),
      list(d = quote(2 * dnorm(x, 0, scale)), p = quote(2 * pnorm(x, 0, scale) - 1))
    ),
    distribution_case(
      distr_uniform(low, high), "Uniform(low, high)", list(low = c(-1, 0), high = c(1, 3)), c(0.3, 2),
      list(d = quote(dunif(x, low, high)), p = quote(punif(x, low, high)), q = quote(qunif(u, low, high)))
    ),
    distribution_case(
      distr_exponential(rate), "Exponential(rate)", list(rate = c(0.5, 2)), c(0.3, 2),
      list(d = quote(dexp(x, rate)), p = quote(pexp(x, rate)), q = quote(qexp(u, rate)))
    ),
    distribution_case(
      distr_gamma(a, rate), "Gamma(a, rate)", list(a = c(0.5, 2), rate = c(1, 3)), c(0.3, 2),
      list(d = quote(dgamma(x, a, rate)), p = quote(pgamma(x, a, rate)), q = quote(qgamma(u, a, rate)))
    ),
    distribution_case(
      distr_chi2(df), "Chi2(df)", list(df = c(0.5, 4)), c(0.3, 2),
      list(d = quote(dchisq(x, df)), p = quote(pchisq(x, df)), q = quote(qchisq(u, df)))
    ),
    distribution_case(
      distr_inverse_gamma(a, rate), "InverseGamma(a, rate)", list(a = c(2.5, 3), rate = c(1, 3)), c(0.3, 2),
      list(
        d = quote(dgamma(1 / x, a, rate) / x^2), p = quote(1 - pgamma(1 / x, a, rate)), q = quote(1 / qgamma(1 - u, a, rate))
      )
    ),
    distribution_case(
      distr_beta(a, b), "Beta(a, b)", list(a = c(0.5, 2), b = c(1.5, 3)), c(0.3, 0.8),
      list(d = quote(dbeta(x, a, b)), p = quote(pbeta(x, a, b)), q = quote(qbeta(u, a, b)))
    ),
    distribution_case(
      distr_kumaraswamy(a, b), "Kumaraswamy(a, b)", list(a = c(0.5, 2), b = c(1.5, 3)), c(0.3, 0.8),
      # PyTorch's mode is NaN everywhere.
      own = "mode"
    ),
    distribution_case(
      distr_student_t(df, loc, scale), "StudentT(df, loc, scale)",
      list(df = c(2.5, 5), loc = c(0, 1), scale = c(1, 2)), c(0.3, -2),
      list(
        d = quote(dt((x - loc) / scale, df) / scale), p = quote(pt((x - loc) / scale, df)),
        q = quote(loc + scale * qt(u, df))
      )
    ),
    distribution_case(
      distr_cauchy(loc, scale), "Cauchy(loc, scale)", list(loc = c(-1, 0.5), scale = c(0.5, 2)), c(0.3, -2),
      list(d = quote(dcauchy(x, loc, scale)), p = quote(pcauchy(x, loc, scale)), q = quote(qcauchy(u, loc, scale)))
    ),
    distribution_case(
      distr_half_cauchy(scale), "HalfCauchy(scale)", list(scale = c(0.5, 2)), c(0.3, 2),
      list(d = quote(2 * dcauchy(x, 0, scale)), p = quote(2 * pcauchy(x, 0, scale) - 1))
    ),
    distribution_case(
      distr_laplace(loc, scale), "Laplace(loc, scale)", list(loc = c(-1, 0.5), scale = c(0.5, 2)), c(0.3, -2)
    ),
    distribution_case(
      distr_gumbel(loc, scale), "Gumbel(loc, scale)", list(loc = c(-1, 0.5), scale = c(0.5, 2)), c(0.3, -2)
    ),
    distribution_case(
      distr_weibull(scale, k), "Weibull(scale, k)", list(scale = c(0.5, 2), k = c(0.8, 3)), c(0.3, 2),
      list(d = quote(dweibull(x, k, scale)), p = quote(pweibull(x, k, scale)), q = quote(qweibull(u, k, scale))),
      # Where the density falls from the first, PyTorch's mode is NaN.
      own = "mode"
    ),
    distribution_case(
      distr_pareto(scale, alpha), "Pareto(scale, alpha)", list(scale = c(0.5, 2), alpha = c(2.5, 3)), c(0.6, 2.5)
    ),
    distribution_case(
      distr_generalized_pareto(loc, scale, k), "GeneralizedPareto(loc, scale, k)",
      list(loc = c(0, 1, 0), scale = c(0.5, 2, 1), k = c(0.2, -0.5, 0)), c(0.6, 2.5, 1), u = c(0.1, 0.7, 0.5)
    ),
    distribution_case(
      distr_fisher_snedecor(df1, df2), "FisherSnedecor(df1, df2)", list(df1 = c(3, 5), df2 = c(9.5, 14)), c(0.6, 2.5),
      list(d = quote(df(x, df1, df2)), p = quote(pf(x, df1, df2)), q = quote(qf(u, df1, df2)))
    ),
    distribution_case(
      distr_von_mises(loc, k), "VonMises(loc, k)", list(loc = c(0, 2), k = c(0.5, 6)), c(0.6, 2.5)
    ),
    # Around 0.5 PyTorch's quantiles have no gradients.
    distribution_case(
      distr_continuous_bernoulli(probs = probs), "ContinuousBernoulli(probs)", list(probs = c(0.2, 0.6, 0.9)),
      c(0.6, 0.5, 0.1), u = c(0.1, 0.5, 0.7)
    ),
    distribution_case(
      distr_continuous_bernoulli(logits = logits), "ContinuousBernoulli(logits=logits)", list(logits = c(-1, 2)), c(0.6, 0.5)
    ),
    distribution_case(
      distr_bernoulli(probs = probs), "Bernoulli(probs)", list(probs = c(0.2, 0.7)), c(0, 1),
      list(d = quote(dbinom(x, 1, probs)), p = quote(pbinom(x, 1, probs)))
    ),
    distribution_case(
      distr_bernoulli(logits = logits), "Bernoulli(logits=logits)", list(logits = c(-1, 2)), c(0, 1)
    ),
    distribution_case(
      distr_binomial(5, probs = probs), "Binomial(5, probs)", list(probs = c(0.2, 0.7)), c(0, 3),
      list(d = quote(dbinom(x, 5, probs)), p = quote(pbinom(x, 5, probs)))
    ),
    distribution_case(
      distr_binomial(n, logits = logits), "Binomial(n, logits=logits)", list(n = c(3, 5), logits = c(-1, 2)), c(0, 3)
    ),
    distribution_case(
      distr_geometric(probs = probs), "Geometric(probs)", list(probs = c(0.2, 0.7)), c(0, 3),
      list(d = quote(dgeom(x, probs)), p = quote(pgeom(x, probs)))
    ),
    distribution_case(
      distr_geometric(logits = logits), "Geometric(logits=logits)", list(logits = c(-1, 2)), c(0, 3)
    ),
    distribution_case(
      distr_negative_binomial(n, probs = probs), "NegativeBinomial(n, probs)",
      list(n = c(2.5, 4), probs = c(0.2, 0.7)), c(0, 3),
      list(d = quote(dnbinom(x, n, 1 - probs)), p = quote(pnbinom(x, n, 1 - probs)))
    ),
    distribution_case(
      distr_negative_binomial(n, logits = logits), "NegativeBinomial(n, logits=logits)",
      list(n = c(2.5, 4), logits = c(-1, 2)), c(0, 3)
    ),
    distribution_case(
      distr_poisson(rate), "Poisson(rate)", list(rate = c(0.5, 4)), c(0, 3),
      list(d = quote(dpois(x, rate)), p = quote(ppois(x, rate)))
    ),
    distribution_case(
      distr_categorical(probs = probs), "Categorical(probs)", list(probs = simplex2), c(1, 3),
      list(d = quote(probs[cbind(1:2, x)]))
    ),
    distribution_case(
      distr_categorical(logits = logits), "Categorical(logits=logits)", list(logits = simplex2), c(1, 3)
    ),
    distribution_case(
      distr_one_hot_categorical(probs = probs), "OneHotCategorical(probs)", list(probs = simplex2), diag(3)[c(1, 3), ]
    ),
    distribution_case(
      distr_one_hot_categorical_straight_through(logits = logits), "OneHotCategoricalStraightThrough(logits=logits)",
      list(logits = simplex2), diag(3)[c(1, 3), ]
    ),
    distribution_case(
      distr_multinomial(4, probs = probs), "Multinomial(4, probs)", list(probs = simplex2), rbind(c(1, 1, 2), c(4, 0, 0)),
      list(d = quote(vapply(1:2, function(i) dmultinom(x[i, ], 4, probs[i, ]), 0)))
    ),
    distribution_case(
      distr_multinomial(4, logits = logits), "Multinomial(4, logits=logits)", list(logits = simplex2),
      rbind(c(1, 1, 2), c(4, 0, 0))
    ),
    distribution_case(
      distr_relaxed_bernoulli(temperature, probs = probs), "RelaxedBernoulli(temperature, probs)",
      list(temperature = 0.7, probs = c(0.2, 0.7)), c(0.1, 0.6)
    ),
    distribution_case(
      distr_relaxed_bernoulli(temperature, logits = logits), "RelaxedBernoulli(temperature, logits=logits)",
      list(temperature = 0.7, logits = c(-1, 2)), c(0.1, 0.6)
    ),
    distribution_case(
      distr_relaxed_one_hot_categorical(temperature, probs = probs), "RelaxedOneHotCategorical(temperature, probs)",
      list(temperature = 0.7, probs = simplex2[1, ]), simplex2[1, ]
    ),
    distribution_case(
      distr_multivariate_normal(loc, covariance_matrix = m), "MultivariateNormal(loc, m)",
      list(loc = c(0, 1, 2), m = spd), rbind(c(1, 1, 1), c(0, -1, 2)),
      list(d = quote(apply(x, 1, function(x) exp(-sum((x - loc) * solve(m, x - loc)) / 2) / sqrt(det(2 * pi * m)))))
    ),
    distribution_case(
      distr_multivariate_normal(loc, precision_matrix = m), "MultivariateNormal(loc, precision_matrix=m)",
      list(loc = rbind(c(0, 1, 2), c(3, 2, 1)), m = spd), rbind(c(1, 1, 1), c(0, -1, 2))
    ),
    distribution_case(
      distr_multivariate_normal(loc, scale_tril = m$tril()), "MultivariateNormal(loc, scale_tril=m.tril())",
      list(loc = c(0, 1, 2), m = spd2), rbind(c(1, 1, 1), c(0, -1, 2))
    ),
    distribution_case(
      distr_low_rank_multivariate_normal(loc, w, d), "LowRankMultivariateNormal(loc, w, d)",
      list(loc = rbind(c(0, 1, 2), c(3, 2, 1)), w = spd[, 1:2], d = c(1, 2, 0.5)), rbind(c(1, 1, 1), c(0, -1, 2))
    ),
    distribution_case(
      distr_dirichlet(a), "Dirichlet(a)", list(a = rbind(c(1.5, 2, 3), c(2, 4, 1.1))), simplex2,
      list(d = quote(exp(rowSums((a - 1) * log(x) - lgamma(a)) + lgamma(rowSums(a)))))
    ),
    distribution_case(
      distr_logistic_normal(loc, scale), "LogisticNormal(loc, scale)", list(loc = c(0, 1), scale = c(0.5, 2)), simplex2
    ),
    distribution_case(
      distr_wishart(df, covariance_matrix = m), "Wishart(df, m)", list(df = c(4, 6), m = spd), spd2, draws = FALSE
    ),
    distribution_case(
      distr_wishart(df, precision_matrix = m), "Wishart(df, precision_matrix=m)", list(df = 4.5, m = spd), spd2,
      draws = FALSE
    ),
    distribution_case(
      distr_lkj_cholesky(3, a), "LKJCholesky(3, a)", list(a = c(0.8, 3)), t(chol(stats::cov2cor(spd)))
    ),
    distribution_case(
      distr_independent(distr_normal(loc, scale), 1), "Independent(Normal(loc, scale), 1)",
      list(loc = rbind(c(0, 1), c(2, 3)), scale = 2), rbind(c(0.1, 0.6), c(1, 2))
    ),
    distribution_case(
      distr_mixture_same_family(distr_categorical(probs), distr_normal(loc, scale)),
      "MixtureSameFamily(Categorical(probs), Normal(loc, scale))",
      list(probs = c(0.3, 0.7), loc = c(-1, 2), scale = c(1, 0.5)), c(0.1, 0.6)
    ),
    distribution_case(
      distr_mixture_same_family(distr_categorical(probs), distr_independent(distr_normal(loc, scale), 1)),
      "MixtureSameFamily(Categorical(probs), Independent(Normal(loc, scale), 1))",
      list(probs = c(0.3, 0.7), loc = rbind(c(0, 1), c(2, 3)), scale = 1), c(0.1, 0.6)
    ),
    distribution_case(
      distr_transformed(distr_uniform(low, high), list(transform_sigmoid()$inv, transform_affine(low, -2))),
      "TransformedDistribution(Uniform(low, high), [SigmoidTransform().inv, AffineTransform(low, -2.)])",
      list(low = c(0, 0.1), high = c(1, 0.9)), c(0.3, -0.6)
    ),
    distribution_case(
      distr_transformed(distr_normal(loc, scale), transform_stick_breaking()),
      "TransformedDistribution(Normal(loc, scale), StickBreakingTransform())",
      list(loc = rbind(c(0, 1), c(2, 3)), scale = 1), simplex2
    )
  )
}

distribution_members <- c("mean", "variance", "stddev", "mode", "batch_shape", "event_shape", "has_rsample")
distribution_program <- "
import torch.distributions as D
torch.set_default_dtype(torch.float64)
def number(v): return v if v == v and abs(v) != float('inf') else str(v)
def enc(t):
  if isinstance(t, (bool, int)): return dict(s=[], v=[float(t)])
  if isinstance(t, torch.Size): return dict(s=[len(t)], v=list(t))
  return dict(s=list(t.shape), v=[number(e) for e in t.detach().to(torch.float64).flatten().tolist()])
def sum_of(y): return y[torch.isfinite(y)].sum()
def run(row):
  p = {n: torch.tensor(v['v'], dtype=torch.float64).reshape(v['s']).requires_grad_() for n, v in dict(row['p']).items()}
  d = eval(row['py'], {**vars(D), **p})
  x = torch.tensor(row['x']['v'], dtype=torch.float64).reshape(row['x']['s'])
  if row['py'].startswith('Categorical'): x = x - 1
  u = torch.tensor(row['u'], dtype=torch.float64)
  out = {}
  def put(name, f):
    torch.manual_seed(7)
    try: y = f()
    except NotImplementedError: return
    out[name] = dict(y=enc(y), g=[])
    if isinstance(y, torch.Tensor) and y.requires_grad:
      try: g = torch.autograd.grad(sum_of(y), list(p.values()), allow_unused=True, retain_graph=True)
      except NotImplementedError: return
      out[name]['g'] = [None if e is None else enc(e) for e in g]
  put('log_prob', lambda: d.log_prob(x))
  put('cdf', lambda: d.cdf(x))
  put('icdf', lambda: d.icdf(u))
  put('entropy', lambda: d.entropy())
  put('perplexity', lambda: d.perplexity())
  put('support', lambda: d.support.check(x))
  put('enumerate_support', lambda: d.enumerate_support())
  put('expand', lambda: d.expand(torch.Size([2]) + d.batch_shape).log_prob(x))
  for m in members: put(m, lambda: getattr(d, m))
  if row['draws']:
    put('sample', lambda: d.sample((3,)))
    put('rsample', lambda: d.rsample((3,)))
  return out
import json, warnings
warnings.simplefilter('ignore')
result = 0
rows = json.load(open(file))
json.dump([run(row) for row in rows], open(file + '.out', 'w'))
"

flat <- function(x) {
  x <- as.array(x)
  list(v = as.list(as.double(aperm(x))), s = if (length(x) == 1 && length(dim(x)) == 1) list() else as.list(dim(x)))
}

as_double_tensor <- function(x) {
  x <- flat(x)
  torch_tensor(unlist(x$v), dtype = "float64")$reshape(as.integer(unlist(x$s)))
}

distribution_here <- function(case) eval(case$r, lapply(case$p, as_double_tensor), globalenv())

base_value_here <- function(case, what) {
  d <- distribution_here(case)
  value <- switch(what,
    d = exp(d$log_prob(as_double_tensor(case$x))),
    p = d$cdf(as_double_tensor(case$x)),
    q = d$icdf(as_double_tensor(case$u))
  )
  as.double(as_array(value))
}

# A list of the values and gradients that a case gives here, in the form of Python's answer.
run_distribution <- function(case) {
  p <- lapply(case$p, function(x) as_double_tensor(x)$requires_grad_(TRUE))
  d <- eval(case$r, p, globalenv())
  x <- as_double_tensor(case$x)
  u <- torch_tensor(case$u, dtype = "float64")
  out <- list()
  put <- function(name, f) {
    torch_manual_seed(7)
    y <- tryCatch(f(), not_implemented_error = function(e) NULL)
    if (is.null(y)) return()
    g <- list()
    if (is_torch_tensor(y) && y$requires_grad) {
      s <- torch_masked_select(y, torch_isfinite(y))$sum()
      # LibTorch has no derivative of some functions.
      g <- tryCatch(autograd_grad(s, p, allow_unused = TRUE, retain_graph = TRUE), torch_error = function(e) list())
    }
    out[[name]] <<- list(y = y, g = g)
  }
  put("log_prob", function() d$log_prob(x))
  put("cdf", function() d$cdf(x))
  put("icdf", function() d$icdf(u))
  put("entropy", function() d$entropy())
  put("perplexity", function() d$perplexity())
  put("support", function() d$support$check(x))
  put("enumerate_support", function() d$enumerate_support())
  put("expand", function() d$expand(c(2, d$batch_shape))$log_prob(x))
  for (m in distribution_members) put(m, function() d[[m]])
  if (case$draws) {
    put("sample", function() d$sample(3))
    if (d$has_rsample) put("rsample", function() d$rsample(3))
  }
  out
}

# What differs, NULL if nothing.
distribution_difference <- function(here, there, tolerance = 1e-6) {
  wanted <- as.double(unlist(there$v))
  if (!is_torch_tensor(here)) {
    here <- as.double(here)
    return(if (!identical(here, wanted)) sprintf("%s, not %s", toString(here), toString(wanted)))
  }
  if (!identical(as.integer(here$shape), as.integer(unlist(there$s)))) {
    return(sprintf("shape (%s), not (%s)", toString(here$shape), toString(unlist(there$s))))
  }
  have <- as.double(as_array(here$detach()$to(dtype = "double")$flatten()))
  close <- (is.nan(have) & is.nan(wanted)) | have == wanted | abs(have - wanted) <= tolerance * (1 + abs(wanted))
  if (!all(close %in% TRUE)) sprintf("%s, not %s", toString(signif(have, 7)), toString(signif(wanted, 7)))
}

distribution_differences <- function(cases) {
  rows <- lapply(cases, function(case) {
    list(py = case$py, p = lapply(case$p, flat), x = flat(case$x), u = I(case$u), draws = case$draws)
  })
  file <- withr::local_tempfile(fileext = ".json")
  jsonlite::write_json(rows, file, digits = NA, auto_unbox = TRUE)
  python_eval(distribution_program, file = file, members = distribution_members)
  answers <- jsonlite::read_json(paste0(file, ".out"))
  unlist(Map(function(case, there) {
    here <- run_distribution(case)
    one_based <- identical(case$r[[1]], quote(distr_categorical))
    unlist(lapply(setdiff(names(there), case$own), function(name) {
      label <- paste(deparse1(case$r), name)
      wanted <- there[[name]]
      have <- here[[name]]
      if (is.null(have)) return(paste(label, "is missing"))
      if (one_based && name %in% c("mode", "sample", "enumerate_support")) have$y <- have$y - 1
      d <- distribution_difference(have$y, wanted$y)
      if (is.null(d) && length(wanted$g) && name != "mode") {
        if (!length(have$g)) d <- "has no gradient"
        for (i in seq_along(have$g)) {
          zero <- function(x) is_undefined_tensor(x)
          if (zero(have$g[[i]]) || is.null(wanted$g[[i]])) {
            other <- if (zero(have$g[[i]])) unlist(wanted$g[[i]]$v) else as_array(have$g[[i]])
            if (any(as.double(other) != 0)) d <- paste("gradient", i, "is on one side only")
          } else {
            e <- distribution_difference(have$g[[i]], wanted$g[[i]])
            if (!is.null(e)) d <- paste("gradient", i, e)
          }
        }
      }
      if (!is.null(d)) paste(label, d, sep = ": ")
    }))
  }, cases, answers), use.names = FALSE)
}
