# Rosenbrock's function and others, in PyTorch and here: each is a hard way for the line search.
lbfgs_problems <- list(
  rosenbrock = list(
    start = c(-1.2, 1), r = function(x) (1 - x[1])^2 + 100 * (x[2] - x[1]^2)^2,
    python = "(1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2"
  ),
  waves = list(
    start = c(0.4, -2, 3), r = function(x) ((x^2) / 10 + torch_cos(x * 3))$sum(),
    python = "((x ** 2) / 10 + torch.cos(x * 3)).sum()"
  ),
  quartic = list(start = c(3, -1), r = function(x) ((x - 0.1)^4)$sum(), python = "((x - 0.1) ** 4).sum()"),
  steep = list(
    start = c(1, 2), r = function(x) torch_exp(x * 4)$sum() - x$sum(), python = "torch.exp(x * 4).sum() - x.sum()"
  )
)

test_that("the line search goes PyTorch's way, call by call", {
  skip_if_no_torch()
  for (options in list(list(), list(line_search_fn = "strong_wolfe"), list(lr = 5, line_search_fn = "strong_wolfe"))) {
    expected <- python_eval("
def run(start, f):
  x = torch.tensor(start, dtype=torch.float64, requires_grad=True)
  opt = torch.optim.LBFGS([x], **dict(options))
  seen = []
  def closure():
    opt.zero_grad()
    loss = eval(f, {'x': x, 'torch': torch})
    seen.append(loss.item())
    loss.backward()
    return loss
  for _ in range(4): opt.step(closure)
  return seen
result = {k: [v if abs(v) < 1e300 else str(v) for v in run(p['start'], p['python'])] for k, p in problems.items()}
", problems = lapply(lbfgs_problems, `[`, c("start", "python")), options = c(options, max_iter = 20))
    for (name in names(lbfgs_problems)) {
      x <- torch_tensor(lbfgs_problems[[name]]$start, dtype = torch_double(), requires_grad = TRUE)
      opt <- do.call(optim_lbfgs, c(list(x), options))
      seen <- c()
      for (i in 1:4) {
        opt$step(function() {
          opt$zero_grad()
          loss <- lbfgs_problems[[name]]$r(x)
          seen <<- c(seen, loss$item())
          loss$backward()
          loss
        })
      }
      expect_equal(seen, as.numeric(expected[[name]]), tolerance = 1e-6, info = paste(name, deparse1(options)))
    }
  }
})

test_that("the history goes with the state dict", {
  skip_if_no_torch()
  make <- function(x) optim_lbfgs(x, max_iter = 3, line_search_fn = "strong_wolfe")
  step <- function(opt, x) {
    opt$step(function() {
      opt$zero_grad()
      loss <- lbfgs_problems$rosenbrock$r(x)
      loss$backward()
      loss
    })$item()
  }
  x <- torch_tensor(c(-1.2, 1), requires_grad = TRUE)
  first <- make(x)
  for (i in 1:3) step(first, x)
  y <- x$detach()$clone()$requires_grad_(TRUE)
  second <- make(y)
  second$load_state_dict(first$state_dict())
  expect_identical(step(second, y), step(first, x))
  expect_identical(as_array(y), as_array(x))
})

test_that("what L-BFGS needs is told", {
  skip_if_no_torch()
  x <- torch_ones(2, requires_grad = TRUE)
  expect_snapshot(error = TRUE, {
    optim_lbfgs(list(list(params = x), list(params = torch_ones(1))))
    optim_lbfgs(x, line_search_fn = "wolfe")
    optim_lbfgs(x, max_iter = 0)
    optim_lbfgs(x)$step()
  })
})

test_that("a loss that is no number ends no search", {
  skip_if_no_torch()
  for (fn in list(NULL, "strong_wolfe")) {
    x <- torch_tensor(1, requires_grad = TRUE)
    opt <- optim_lbfgs(x, lr = 10, line_search_fn = fn)
    loss <- opt$step(function() {
      opt$zero_grad()
      loss <- torch_sqrt(x - 0.5) * 3
      loss$backward()
      loss
    })
    expect_equal(loss$item(), 3 * sqrt(0.5), tolerance = 1e-6)
  }
})

test_that("the maximum of a function is found as the minimum of its negative", {
  skip_if_no_torch()
  for (line_search_fn in list(NULL, "strong_wolfe")) {
    run <- function(maximize, sign) {
      x <- torch_tensor(lbfgs_problems$rosenbrock$start, dtype = torch_double(), requires_grad = TRUE)
      opt <- optim_lbfgs(x, lr = 0.1, line_search_fn = line_search_fn, maximize = maximize)
      losses <- vapply(1:5, function(i) {
        opt$step(function() {
          opt$zero_grad()
          loss <- lbfgs_problems$rosenbrock$r(x) * sign
          loss$backward()
          loss
        })$item()
      }, 0)
      list(losses = losses * sign, x = as_array(x))
    }
    expect_equal(run(TRUE, -1), run(FALSE, 1))
  }
})

test_that("a loss that is no number ends in NaN as PyTorch's does, not in an error", {
  skip_if_no_torch()
  counts <- any(grepl("max_eval", cases_of_python()))
  skip_if_not(counts, "This PyTorch does not count what a line search asks for towards `max_eval`")
  theirs <- python_eval("
result = []
for search in (None, 'strong_wolfe'):
  for first in (1, 2, 3):
    p = torch.tensor([1., 2.], requires_grad=True)
    opt = torch.optim.LBFGS([p], lr=1, line_search_fn=search, max_iter=5)
    n = [0]
    def closure():
      opt.zero_grad(); n[0] += 1
      loss = (p**4).sum() * (float('nan') if n[0] >= first else 1)
      loss.backward(); return loss
    opt.step(closure)
    result.append([repr(x) for x in p.tolist()] + [str(n[0])])
")
  mine <- NULL
  for (search in list(NULL, "strong_wolfe")) for (first in 1:3) {
    p <- torch_tensor(c(1, 2), requires_grad = TRUE)
    opt <- optim_lbfgs(list(p), lr = 1, line_search_fn = search, max_iter = 5)
    n <- 0
    opt$step(function() {
      opt$zero_grad()
      n <<- n + 1
      loss <- (p^4)$sum() * (if (n >= first) NaN else 1)
      loss$backward()
      loss
    })
    mine <- rbind(mine, c(as_array(p$detach()), n))
  }
  expect_equal(mine, matrix(as.numeric(theirs), ncol = 3), tolerance = 1e-5)
})
