# The oracle of the schedulers: learning rates and momenta of two groups over epochs, here and in PyTorch.
lr_cases <- list(
  "StepLR(opt, 7, 0.5)" = function(opt) lr_step(opt, 7, 0.5),
  "StepLR(opt, 7, 0.5, last_epoch=12)" = function(opt) lr_step(opt, 7, 0.5, last_epoch = 12),
  "MultiStepLR(opt, [3, 10, 10, 40], 0.3)" = function(opt) lr_multi_step(opt, c(3, 10, 10, 40), 0.3),
  "ConstantLR(opt, 0.2, 9)" = function(opt) lr_constant(opt, 0.2, 9),
  "LinearLR(opt)" = function(opt) lr_linear(opt),
  "LinearLR(opt, 0.1, 0.4, 30)" = function(opt) lr_linear(opt, 0.1, 0.4, 30),
  "LinearLR(opt, 0.1, 0.4, 30, last_epoch=4)" = function(opt) lr_linear(opt, 0.1, 0.4, 30, last_epoch = 4),
  "ExponentialLR(opt, 0.9)" = function(opt) lr_exponential(opt, 0.9),
  "ExponentialLR(opt, 0.9, last_epoch=4)" = function(opt) lr_exponential(opt, 0.9, last_epoch = 4),
  "PolynomialLR(opt, 20, 1.5)" = function(opt) lr_polynomial(opt, 20, 1.5),
  "CosineAnnealingLR(opt, 10, 0.01)" = function(opt) lr_cosine_annealing(opt, 10, 0.01),
  "CosineAnnealingLR(opt, 80)" = function(opt) lr_cosine_annealing(opt, 80),
  "CosineAnnealingLR(opt, 30, last_epoch=12)" = function(opt) lr_cosine_annealing(opt, 30, last_epoch = 12),
  "CosineAnnealingWarmRestarts(opt, 7)" = function(opt) lr_cosine_annealing_warm_restarts(opt, 7),
  "CosineAnnealingWarmRestarts(opt, 5, 2, 0.01)" = function(opt) lr_cosine_annealing_warm_restarts(opt, 5, 2, 0.01),
  "LambdaLR(opt, lambda e: 0.9 ** e)" = function(opt) lr_lambda(opt, function(e) 0.9^e),
  "LambdaLR(opt, [lambda e: 1 / (1 + e), lambda e: 2])" = function(opt) {
    lr_lambda(opt, list(function(e) 1 / (1 + e), function(e) 2))
  },
  "MultiplicativeLR(opt, lambda e: 1 - e / 100)" = function(opt) lr_multiplicative(opt, function(e) 1 - e / 100),
  "OneCycleLR(opt, 2.0, 61)" = function(opt) lr_one_cycle(opt, 2, 61),
  "OneCycleLR(opt, [2.0, 1.0], epochs=7, steps_per_epoch=9, anneal_strategy='linear', three_phase=True, div_factor=9)" =
    function(opt) {
      lr_one_cycle(
        opt, c(2, 1), epochs = 7, steps_per_epoch = 9, anneal_strategy = "linear", three_phase = TRUE, div_factor = 9
      )
    },
  "OneCycleLR(opt, 2.0, 61, pct_start=0.5, cycle_momentum=False, final_div_factor=10)" = function(opt) {
    lr_one_cycle(opt, 2, 61, pct_start = 0.5, cycle_momentum = FALSE, final_div_factor = 10)
  },
  "CyclicLR(opt, 0.1, 1.0, 8)" = function(opt) lr_cyclic(opt, 0.1, 1, 8),
  "CyclicLR(opt, [0.1, 0.2], 1.0, 8, 3, mode='triangular2')" = function(opt) {
    lr_cyclic(opt, c(0.1, 0.2), 1, 8, 3, mode = "triangular2")
  },
  "CyclicLR(opt, 0.1, 1.0, 8, mode='exp_range', gamma=0.9, cycle_momentum=False)" = function(opt) {
    lr_cyclic(opt, 0.1, 1, 8, mode = "exp_range", gamma = 0.9, cycle_momentum = FALSE)
  },
  "CyclicLR(opt, 0.1, 1.0, 8, scale_fn=lambda x: 1 / x)" = function(opt) {
    lr_cyclic(opt, 0.1, 1, 8, scale_fn = function(x) 1 / x)
  },
  "ReduceLROnPlateau(opt, patience=3, factor=0.5, cooldown=2, min_lr=0.01)" = function(opt) {
    lr_reduce_on_plateau(opt, patience = 3, factor = 0.5, cooldown = 2, min_lr = 0.01)
  },
  "ReduceLROnPlateau(opt, mode='max', patience=1, threshold=0.3, threshold_mode='abs', min_lr=[0.1, 0.001])" =
    function(opt) {
      lr_reduce_on_plateau(
        opt, mode = "max", patience = 1, threshold = 0.3, threshold_mode = "abs", min_lr = c(0.1, 0.001)
      )
    },
  "ReduceLROnPlateau(opt, mode='max', patience=2, threshold=0.3)" = function(opt) {
    lr_reduce_on_plateau(opt, mode = "max", patience = 2, threshold = 0.3)
  },
  "SequentialLR(opt, [LinearLR(opt, 0.1, 1, 8), CosineAnnealingLR(opt, 20), ExponentialLR(opt, 0.8)], [8, 40])" =
    function(opt) {
      schedulers <- list(lr_linear(opt, 0.1, 1, 8), lr_cosine_annealing(opt, 20), lr_exponential(opt, 0.8))
      lr_sequential(opt, schedulers, c(8, 40))
    },
  "SequentialLR(opt, [ConstantLR(opt, 0.1, 4), CosineAnnealingWarmRestarts(opt, 6), StepLR(opt, 5, 0.5)], [10, 30])" =
    function(opt) {
      schedulers <- list(lr_constant(opt, 0.1, 4), lr_cosine_annealing_warm_restarts(opt, 6), lr_step(opt, 5, 0.5))
      lr_sequential(opt, schedulers, c(10, 30))
    },
  "ChainedScheduler([ConstantLR(opt, 0.1, 5), ExponentialLR(opt, 0.95), StepLR(opt, 13)])" = function(opt) {
    lr_chained(list(lr_constant(opt, 0.1, 5), lr_exponential(opt, 0.95), lr_step(opt, 13)))
  },
  "SequentialLR(opt, [ChainedScheduler([LinearLR(opt), StepLR(opt, 2, 0.9)]), PolynomialLR(opt, 12)], [7])" =
    function(opt) {
      first <- lr_chained(list(lr_linear(opt), lr_step(opt, 2, 0.9)))
      lr_sequential(opt, list(first, lr_polynomial(opt, 12)), 7)
    },
  "SWALR(opt, 0.02, anneal_epochs=12)" = function(opt) lr_swa(opt, 0.02, anneal_epochs = 12),
  "SWALR(opt, [0.02, 0.5], anneal_epochs=0, anneal_strategy='linear')" = function(opt) {
    lr_swa(opt, c(0.02, 0.5), anneal_epochs = 0, anneal_strategy = "linear")
  }
)

lr_optimizer <- function(by_betas = FALSE, groups = 2) {
  groups <- list(
    list(params = torch_ones(1, requires_grad = TRUE)), list(params = torch_ones(1, requires_grad = TRUE), lr = 0.05)
  )[seq_len(groups)]
  opt <- if (by_betas) optim_adam(groups, lr = 0.5) else optim_sgd(groups, lr = 0.5, momentum = 0.7)
  for (i in seq_along(groups)) opt$param_groups[[i]]$initial_lr <- opt$param_groups[[i]]$lr
  opt
}

lr_metric <- function(epoch) (epoch %% 7) * sin(epoch)

lr_step_on <- function(scheduler, epochs) {
  opt <- scheduler$optimizer
  rows <- lapply(epochs, function(epoch) {
    momenta <- vapply(opt$param_groups, function(group) group$momentum %||% group$betas[[1]], 0)
    row <- c(group_values(opt, "lr"), momenta, scheduler$get_last_lr())
    if (inherits(scheduler, "lr_reduce_on_plateau")) scheduler$step(lr_metric(epoch)) else scheduler$step()
    row
  })
  rows <- do.call(rbind, rows)
  n <- length(opt$param_groups)
  expect_identical(rows[, seq_len(n)], rows[, 2 * n + seq_len(n)])
  rows[, seq_len(2 * n)]
}

# lr_optimizer() and lr_step_on() in Python.
lr_program <- "
import math, warnings
from torch.optim.lr_scheduler import *
from torch.optim.swa_utils import SWALR
warnings.simplefilter('ignore')
def make(case, by_betas=False, groups=2):
  one = lambda: [torch.ones(1, requires_grad=True)]
  groups = [{'params': one()}, {'params': one(), 'lr': 0.05}][:groups]
  opt = torch.optim.Adam(groups, lr=0.5) if by_betas else torch.optim.SGD(groups, lr=0.5, momentum=0.7)
  for g in opt.param_groups: g['initial_lr'] = g['lr']
  return opt, eval(case, dict(globals(), opt=opt))
def curve(opt, scheduler, case, epochs):
  momentum = lambda g: g['betas'][0] if 'betas' in g else g['momentum']
  steps = []
  for epoch in epochs:
    steps.append([g['lr'] for g in opt.param_groups] + [momentum(g) for g in opt.param_groups])
    if 'Plateau' in case: scheduler.step((epoch % 7) * math.sin(epoch))
    else: scheduler.step()
  return steps
"

python_lr_curves <- function(cases, by_betas = FALSE, epochs = 60) {
  answers <- python_eval(paste0(lr_program, "
def run(case):
  opt, scheduler = make(case, by_betas)
  steps = curve(opt, scheduler, case, range(epochs))
  def plain(x):
    if isinstance(x, dict): return {str(k): plain(v) for k, v in x.items() if not callable(v)}
    if isinstance(x, (list, tuple)): return [plain(v) for v in x]
    return str(x) if isinstance(x, float) and math.isinf(x) else x
  return json.dumps({'curve': steps, 'state': plain(scheduler.state_dict())})
result = [run(case) for case in cases]
"), cases = as.list(cases), by_betas = by_betas, epochs = epochs)
  lapply(answers, jsonlite::fromJSON, simplifyDataFrame = FALSE)
}
