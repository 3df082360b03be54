# What only PyTorch keeps, or keeps in another form: names of functions, counts of milestones, phases.
not_compared <- c(
  "_get_lr_called_within_step", "_is_initial", "lr_lambdas", "_schedule_phases", "_scale_fn_custom", "_scale_fn_ref",
  "milestones", "default_min_lr", "use_beta1", "_anneal_func_type", "_anneal_strategy", "anneal_strategy",
  "anneal_func", "pct_start"
)

expect_state_of_pytorch <- function(state, theirs, case) {
  # PyTorch counts no steps where learning rates restart, and `ChainedScheduler` has no epoch.
  if (!is.null(theirs$T_cur) || identical(theirs$`_step_count`, 0L)) theirs$`_step_count` <- state$`_step_count`
  if (is.null(theirs$last_epoch)) state$last_epoch <- NULL
  names <- setdiff(names(theirs), not_compared)
  expect_setequal(setdiff(names(state), not_compared), names)
  for (name in setdiff(names, "_schedulers")) {
    ours <- state[[name]]
    if (is.list(ours)) ours <- unlist(ours)
    if (is.numeric(ours) && any(is.infinite(ours))) ours <- tolower(as.character(ours))
    expect_equal(ours, theirs[[name]], tolerance = 1e-8, info = paste(case, name))
  }
  if (!is.null(theirs$`_schedulers`)) Map(expect_state_of_pytorch, state$`_schedulers`, theirs$`_schedulers`, case)
}

test_that("learning rates and momenta go PyTorch's way, with the same state dict", {
  # PyTorch 2.6 begins sequences of schedulers otherwise and keeps other fields.
  skip_if_older("2.13")
  for (by_betas in c(FALSE, TRUE)) {
    cases <- if (by_betas) grep("OneCycle|Cyclic", names(lr_cases), value = TRUE) else names(lr_cases)
    expected <- python_lr_curves(cases, by_betas)
    for (i in seq_along(cases)) {
      scheduler <- lr_cases[[cases[[i]]]](lr_optimizer(by_betas))
      expect_equal(lr_step_on(scheduler, 0:59), expected[[i]]$curve, tolerance = 1e-9, info = cases[[i]])
      expect_state_of_pytorch(scheduler$state_dict(), expected[[i]]$state, cases[[i]])
    }
  }
})

test_that("a scheduler goes on from its state dict", {
  skip_if_no_torch()
  for (case in names(lr_cases)) {
    whole <- lr_step_on(lr_cases[[case]](lr_optimizer()), 0:39)
    first <- lr_cases[[case]](lr_optimizer())
    lr_step_on(first, 0:19)
    opt <- lr_optimizer()
    second <- lr_cases[[case]](opt)
    opt$load_state_dict(first$optimizer$state_dict())
    second$load_state_dict(first$state_dict())
    expect_equal(lr_step_on(second, 20:39), whole[21:40, ], tolerance = 1e-12, info = case)
  }
})

test_that("wrong arguments are told", {
  skip_if_no_torch()
  opt <- lr_optimizer()
  expect_snapshot(error = TRUE, {
    lr_step(opt, 0)
    lr_step(1, 2)
    lr_multi_step(opt, "a")
    lr_constant(opt, 2)
    lr_linear(opt, start_factor = 0)
    lr_lambda(opt, 1)
    lr_lambda(opt, list(sin, cos, tan))
    lr_one_cycle(opt, 1)
    lr_one_cycle(opt, 1, 10, anneal_strategy = "exp")
    lr_one_cycle(optim_rprop(torch_ones(1, requires_grad = TRUE)), 1, 10)
    lr_cyclic(opt, 1, 2, mode = "square")
    lr_cyclic(opt, c(1, 2, 3), 2)
    lr_reduce_on_plateau(opt, factor = 2)
    lr_reduce_on_plateau(opt, mode = "low")
    lr_sequential(opt, list(lr_step(opt, 1)), 1)
    lr_sequential(lr_optimizer(), list(lr_step(opt, 1)), c())
    lr_chained(list(lr_reduce_on_plateau(opt)))
    lr_chained(list())
    lr_exponential(optim_sgd(torch_ones(1, requires_grad = TRUE), lr = 1), 0.9, last_epoch = 3)
    lr_step(opt, 3)$load_state_dict(1)
    lr_chained(list(lr_step(opt, 1)))$load_state_dict(lr_step(opt, 1)$state_dict())
  })
  scheduler <- lr_one_cycle(opt, 1, 2)
  scheduler$step()
  scheduler$step()
  expect_snapshot(scheduler$step(), error = TRUE)
})

test_that("messages tell what is set, where they are asked for", {
  skip_if_no_torch()
  expect_snapshot({
    scheduler <- lr_exponential(lr_optimizer(), 0.5, verbose = TRUE)
    scheduler$step()
    plateau <- lr_reduce_on_plateau(lr_optimizer(), patience = 0, verbose = TRUE)
    for (loss in list(torch_tensor(1), 1, 0.5)) plateau$step(loss)
  })
})

test_that("groups may be added later, and classes changed by their methods", {
  skip_if_no_torch()
  opt <- lr_optimizer()
  plateau <- lr_reduce_on_plateau(opt, patience = 0, min_lr = 0.04)
  opt$add_param_group(list(params = torch_ones(1, requires_grad = TRUE), lr = 1))
  for (loss in c(1, 1)) plateau$step(loss)
  expect_equal(plateau$get_last_lr(), c(0.05, 0.04, 0.1))
  always <- lr_scheduler("lr_always", lr_reduce_on_plateau, .is_better = function(a, best) FALSE)
  patient <- always(lr_optimizer(), patience = 1, cooldown = 1)
  for (loss in c(3, 2)) patient$step(loss)
  expect_equal(patient$get_last_lr(), c(0.05, 0.005))
  expect_true(patient$.in_cooldown())
  square <- function(start, end, pct) start + (end - start) * pct^2
  squared <- lr_scheduler("lr_squared", lr_one_cycle, .annealing_cos = square)
  cycle <- squared(lr_optimizer(), 1, 21, pct_start = 0.5, cycle_momentum = FALSE)
  for (i in 1:5) cycle$step()
  expect_equal(cycle$get_last_lr(), rep(0.04 + 0.96 * (5 / 9.5)^2, 2))
})

test_that("all of torch.optim.lr_scheduler is here", {
  skip_if_no_torch()
  theirs <- python_eval("
import inspect, torch.optim.lr_scheduler as s, torch.optim.swa_utils as u
result = [n for m in (s, u) for n, c in inspect.getmembers(m, inspect.isclass)
          if issubclass(c, s.LRScheduler) and n.lstrip('_') != 'LRScheduler']
")
  # StepLR is lr_step(), OneCycleLR lr_one_cycle(), ReduceLROnPlateau lr_reduce_on_plateau().
  words <- gsub("LR|Scheduler", "", sub("SWALR", "Swa", theirs))
  ours <- paste0("lr_", tolower(gsub("(?<=[a-z])(?=[A-Z])", "_", words, perl = TRUE)))
  expect_identical(setdiff(ours, getNamespaceExports("torch")), character())
  expect_identical(Filter(function(name) !any(startsWith(names(lr_cases), paste0(name, "("))), theirs), character())
})

test_that("learning rates that are none are told, with the function that gave them", {
  skip_if_no_torch()
  w <- torch_ones(1, requires_grad = TRUE)
  opt <- optim_sgd(list(w), lr = 0.1)
  two <- optim_sgd(list(list(params = w), list(params = torch_ones(1, requires_grad = TRUE))), lr = 0.1)
  giving <- function(x) lr_scheduler("giving", get_lr = function() x)
  expect_snapshot(error = TRUE, {
    lr_lambda(opt, function(epoch) NA)
    lr_lambda(opt, function(epoch) "a")
    lr_lambda(opt, function(epoch) c(1, 2))
    lr_lambda(opt, function(epoch) NULL)
    lr_multiplicative(opt, function(epoch) NaN)$step()
    giving(c(1, 2))(opt)
    giving("a")(opt)
    giving(NULL)(opt)
    giving(NA)(opt)
    giving(0.1)(two)
    lr_chained(3)
    lr_chained(list(3))
    lr_chained(list())
    lr_cyclic(opt, "a", 0.2)
    lr_cyclic(opt, 0.1, NA)
    lr_cyclic(opt, 0.1, 0.2, step_size_up = 0)
    lr_cyclic(opt, 0.1, 0.2, step_size_down = "a")
    lr_cyclic(opt, 0.1, 0.2, scale_fn = 3)
    lr_cyclic(opt, 0.1, 0.2, base_momentum = NULL)
    lr_cyclic(optim_adagrad(list(w)), 0.1, 0.2)
    lr_cyclic(two, c(0.1, 0.1, 0.1), 0.2)
  })
  expect_identical(opt$param_groups[[1]]$lr, 0.1)
  # A tensor of one element and a list are numbers too.
  lr_lambda(opt, function(epoch) torch_tensor(0.5))
  expect_equal(opt$param_groups[[1]]$lr, 0.05)
  giving(list(0.1, 0.2))(two)
  expect_equal(two$param_groups[[2]]$lr, 0.2)
})

test_that("tensors of one element and 64-bit integers are numbers", {
  skip_if_no_torch()
  skip_if_not_installed("bit64")
  opt <- optim_sgd(torch_ones(1, requires_grad = TRUE), lr = torch_tensor(0.5), momentum = bit64::as.integer64(0))
  expect_identical(opt$param_groups[[1]]$momentum, 0)
  schedule <- lr_step(opt, bit64::as.integer64(1), gamma = torch_tensor(0.5))
  schedule$step()
  expect_identical(schedule$get_last_lr(), 0.25)
  expect_identical(schedule$state_dict()$step_size, 1)
})

test_that("what is missing, and numbers that are none, are told before anything is set", {
  skip_if_no_torch()
  w <- torch_ones(1, requires_grad = TRUE)
  opt <- optim_sgd(w, lr = 1)
  expect_snapshot(error = TRUE, {
    lr_step()
    lr_step(opt)
    lr_cyclic(opt, 0.1)
    lr_one_cycle(opt)
    lr_one_cycle(opt, "a", total_steps = 5)
    lr_one_cycle(opt, 0.1, total_steps = 5, div_factor = 0)
    lr_sequential(opt, list(lr_step(opt, 1), lr_step(opt, 2)), "a")
    lr_sequential(opt, list(lr_step(opt, 1), lr_step(opt, 2)), NA)
    lr_reduce_on_plateau(opt)$step()
    opt$state$get(3)
    opt$state$set(NULL, 1)
    optimizer("mine", initialize = function(params) super$initialize(params, 3))(w)
    optim_sgd()
  })
  expect_identical(opt$param_groups[[1]]$lr, 1)
})

test_that("states of schedulers go to PyTorch and back by files, and both go on as the other would", {
  skip_if_older("2.13")
  ours <- withr::local_tempdir()
  theirs <- withr::local_tempdir()
  # With two groups, and all that can be with one.
  of_two <- grepl("(opt,|min_lr=|SWALR\\(opt,) ?\\[[0-9l]", names(lr_cases))
  cases <- c(names(lr_cases), names(lr_cases)[!of_two])
  groups <- rep(2:1, c(length(lr_cases), sum(!of_two)))
  expected <- lapply(seq_along(cases), function(i) {
    scheduler <- lr_cases[[cases[i]]](lr_optimizer(groups = groups[i]))
    lr_step_on(scheduler, 0:19)
    save_state_dict(list(optimizer = scheduler$optimizer, scheduler = scheduler), file.path(ours, i))
    lr_step_on(scheduler, 20:39)
  })
  curves <- python_eval(paste0(lr_program, "
curves = []
for i, case in enumerate(cases):
  opt, scheduler = make(case, groups=groups[i])
  x = torch.load(f'{ours}/{i + 1}', weights_only=True)
  opt.load_state_dict(x['optimizer'])
  scheduler.load_state_dict(x['scheduler'])
  curves.append(curve(opt, scheduler, case, range(20, 40)))
  opt, scheduler = make(case, groups=groups[i])
  curve(opt, scheduler, case, range(20))
  torch.save({'optimizer': opt.state_dict(), 'scheduler': scheduler.state_dict()}, f'{theirs}/{i + 1}')
result = json.dumps(curves)"), cases = as.list(cases), groups = groups, ours = ours, theirs = theirs)
  curves <- jsonlite::fromJSON(curves, simplifyVector = FALSE)
  for (i in seq_along(cases)) {
    expect_equal(matrix(unlist(curves[[i]]), 20, byrow = TRUE), expected[[i]], tolerance = 1e-9, info = cases[i])
    opt <- lr_optimizer(groups = groups[i])
    scheduler <- lr_cases[[cases[i]]](opt)
    read <- load_state_dict(file.path(theirs, i))
    opt$load_state_dict(read$optimizer)
    scheduler$load_state_dict(read$scheduler)
    expect_equal(lr_step_on(scheduler, 20:39), expected[[i]], tolerance = 1e-9, info = cases[i])
  }
})
