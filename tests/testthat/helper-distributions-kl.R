# A distribution of each class: the call here, the same in Python, and two sets of parameters, those of p and of q.
kl_case <- function(r, py, p, q) list(r = substitute(r), py = py, p = p, q = q)

kl_cases <- function() {
  list(
    Bernoulli = kl_case(distr_bernoulli(a), "Bernoulli(a)", list(a = c(0.2, 0.7)), list(a = c(0.5, 0.6))),
    Binomial = kl_case(distr_binomial(5, a), "Binomial(5, a)", list(a = c(0.2, 0.7)), list(a = c(0.5, 0.6))),
    Categorical = kl_case(
      distr_categorical(a), "Categorical(a)", list(a = simplex2), list(a = rbind(c(1, 1, 1), c(1, 2, 3)))
    ),
    OneHotCategorical = kl_case(
      distr_one_hot_categorical(a), "OneHotCategorical(a)", list(a = simplex2), list(a = rbind(c(1, 1, 1), c(1, 2, 3)))
    ),
    Geometric = kl_case(distr_geometric(a), "Geometric(a)", list(a = c(0.2, 0.7)), list(a = c(0.5, 0.6))),
    Poisson = kl_case(distr_poisson(a), "Poisson(a)", list(a = c(0.2, 3)), list(a = c(0.5, 0.6))),
    Beta = kl_case(distr_beta(a, b), "Beta(a, b)", list(a = c(0.8, 3), b = c(2, 3)), list(a = c(2, 3), b = c(0.7, 4))),
    ContinuousBernoulli = kl_case(
      distr_continuous_bernoulli(a), "ContinuousBernoulli(a)", list(a = c(0.2, 0.7)), list(a = c(0.5, 0.6))
    ),
    Dirichlet = kl_case(
      distr_dirichlet(a), "Dirichlet(a)", list(a = c(0.8, 3, 2)), list(a = rbind(c(1, 1, 1), c(1, 2, 3)))
    ),
    Exponential = kl_case(distr_exponential(a), "Exponential(a)", list(a = c(0.8, 3)), list(a = c(2, 3))),
    Gamma = kl_case(distr_gamma(a, b), "Gamma(a, b)", list(a = c(0.8, 3), b = c(2, 3)), list(a = c(2, 3), b = c(0.7, 4))),
    Gumbel = kl_case(distr_gumbel(a, b), "Gumbel(a, b)", list(a = c(0, 3), b = c(2, 3)), list(a = c(2, 3), b = c(0.7, 4))),
    HalfNormal = kl_case(distr_half_normal(a), "HalfNormal(a)", list(a = c(0.8, 3)), list(a = c(2, 3))),
    Laplace = kl_case(
      distr_laplace(a, b), "Laplace(a, b)", list(a = c(0, 3), b = c(2, 3)), list(a = c(2, 3), b = c(0.7, 4))
    ),
    Normal = kl_case(distr_normal(a, b), "Normal(a, b)", list(a = c(0, 3), b = c(2, 3)), list(a = c(2, 3), b = c(0.7, 4))),
    Pareto = kl_case(
      distr_pareto(a, b), "Pareto(a, b)", list(a = c(0.5, 1), b = c(2.5, 3)), list(a = c(0.05, 0.1), b = c(0.7, 4))
    ),
    Uniform = kl_case(
      distr_uniform(a, b), "Uniform(a, b)", list(a = c(0.1, 0.2), b = c(0.5, 0.9)), list(a = c(-1, -2), b = c(1.5, 2))
    ),
    Cauchy = kl_case(distr_cauchy(a, b), "Cauchy(a, b)", list(a = c(0, 3), b = c(2, 3)), list(a = c(2, 3), b = c(0.7, 4))),
    MultivariateNormal = kl_case(
      distr_multivariate_normal(a, b), "MultivariateNormal(a, b)", list(a = c(0, 1, 2), b = spd),
      list(a = c(1, 1, 0), b = spd2)
    ),
    LowRankMultivariateNormal = kl_case(
      distr_low_rank_multivariate_normal(a, b, c), "LowRankMultivariateNormal(a, b, c)",
      list(a = c(0, 1, 2), b = spd[, 1:2], c = c(1, 2, 0.5)),
      list(a = c(1, 1, 0), b = spd[, 1, drop = FALSE], c = c(1, 1, 0.5))
    ),
    Independent = kl_case(
      distr_independent(distr_normal(a, b), 1), "Independent(Normal(a, b), 1)",
      list(a = rbind(c(0, 3), c(1, 2)), b = c(2, 3)), list(a = c(2, 3), b = c(0.7, 4))
    ),
    TransformedDistribution = kl_case(
      distr_log_normal(a, b), "LogNormal(a, b)", list(a = c(0, 3), b = c(2, 3)), list(a = c(2, 3), b = c(0.7, 4))
    ),
    Chi2 = kl_case(distr_chi2(a), "Chi2(a)", list(a = c(0.8, 3)), list(a = c(2, 3)))
  )
}

# The pairs of PyTorch's registry, and two that it finds by the classes that theirs are made of.
kl_program <- "
import json, warnings
import torch.distributions as D
from torch.distributions.kl import _KL_REGISTRY
torch.set_default_dtype(torch.float64)
warnings.simplefilter('ignore')
def number(v): return v if v == v and abs(v) != float('inf') else str(v)
def enc(t): return dict(s=list(t.shape), v=[number(e) for e in t.detach().flatten().tolist()])
cases = json.load(open(file))
def make(name, which):
  p = {n: torch.tensor(v['v'], dtype=torch.float64).reshape(v['s']).requires_grad_() for n, v in cases[name][which].items()}
  return eval(cases[name]['py'], {**vars(D), **p}), list(p.values())
pairs = [(a.__name__, b.__name__) for a, b in _KL_REGISTRY] + [('Chi2', 'Gamma'), ('Gamma', 'Chi2')]
out = []
for a, b in pairs:
  if a not in cases or b not in cases: continue
  p, p_leaves = make(a, 'p')
  q, q_leaves = make(b, 'q')
  y = D.kl_divergence(p, q)
  g = []
  if torch.isfinite(y).all(): g = torch.autograd.grad(y.sum(), p_leaves + q_leaves, allow_unused=True)
  out.append(dict(p=a, q=b, y=enc(y), g=[enc(e) for e in g if e is not None]))
json.dump(out, open(file + '.out', 'w'))
result = len(out)
"

kl_differences <- function(cases) {
  file <- withr::local_tempfile(fileext = ".json")
  rows <- lapply(cases, function(case) list(py = case$py, p = lapply(case$p, flat), q = lapply(case$q, flat)))
  jsonlite::write_json(rows, file, digits = NA, auto_unbox = TRUE)
  n <- python_eval(kl_program, file = file)
  out <- lapply(jsonlite::read_json(paste0(file, ".out")), function(there) {
    p <- lapply(cases[[there$p]]$p, function(x) as_double_tensor(x)$requires_grad_(TRUE))
    q <- lapply(cases[[there$q]]$q, function(x) as_double_tensor(x)$requires_grad_(TRUE))
    y <- tryCatch(kl_divergence(
      eval(cases[[there$p]]$r, p, globalenv()), eval(cases[[there$q]]$r, q, globalenv())
    ), error = identity)
    d <- if (inherits(y, "error")) conditionMessage(y) else distribution_difference(y, there$y)
    if (is.null(d) && length(there$g)) {
      g <- autograd_grad(y$sum(), unname(c(p, q)), allow_unused = TRUE)
      g <- Filter(function(x) !is_undefined_tensor(x), g)
      if (length(g) != length(there$g)) return(sprintf("%s %s: %d gradients", there$p, there$q, length(g)))
      for (i in seq_along(g)) d <- d %||% distribution_difference(g[[i]], there$g[[i]])
    }
    if (!is.null(d)) sprintf("%s %s: %s", there$p, there$q, d)
  })
  list(n = n, different = unlist(out))
}
