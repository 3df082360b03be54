test_that("every rule steps as PyTorch's, and state dicts go both ways", {
  skip_if_no_torch()
  run <- function(case, ...) {
    sign <- if (grepl("maximize=True", case)) -1 else 1
    run_steps(optim_cases[[case]], sign = sign, closure = grepl("LBFGS", case), ...)
  }
  cases <- cases_of_python()
  expected <- python_steps(cases)
  gone_on <- python_steps(cases, lapply(cases, run, steps = 50))
  for (i in seq_along(cases)) {
    expect_steps_of_pytorch(cases[[i]], run(cases[[i]]), expected[[i]])
    has_fused <- grepl("^(Adam|AdamW|SGD|Adagrad)\\(", cases[[i]])
    if (has_fused) expect_steps_of_pytorch(cases[[i]], without_fused(run(cases[[i]])), expected[[i]])
    # PyTorch with our state dict, and we with PyTorch's.
    second_half <- expected[[i]]$path[6:10, ]
    expect_equal(gone_on[[i]]$path, second_half, tolerance = 1e-6, info = cases[[i]])
    half <- unpack_half(expected[[i]]$half)
    expect_equal(run(cases[[i]], half = half)$path, second_half, tolerance = 1e-6, info = cases[[i]])
  }
})

test_that("the fused operators are used where LibTorch has them for the CPU", {
  skip_if_no_torch()
  skip_if(package_version(libtorch_find()$version) < "2.6")
  for (make in list(optim_adam, optim_adamw, optim_adagrad, function(p) optim_sgd(p, lr = 0.01))) run_steps(make, 1)
  expect_true(all(unlist(the$fused[paste0("optim_", c("adam", "adamw", "adagrad", "sgd"), " Double cpu")])))
})
test_that("parameters without a gradient are left out, and have no state", {
  skip_if_no_torch()
  for (make in list(function(p) optim_adam(p), function(p) optim_sgd(p, lr = 0.1, momentum = 0.9))) {
    params <- problem()
    opt <- make(params)
    opt$step()
    expect_length(opt$state_dict()$state, 0)
    params$b$sum()$backward()
    w <- as_array(params$w)
    opt$step()
    expect_identical(as_array(params$w), w)
    expect_named(opt$state_dict()$state, "2")
    (params$w$sum() + params$b$sum())$backward()
    opt$step()
    expect_named(opt$state_dict()$state, c("1", "2"))
    opt$zero_grad(set_to_none = TRUE)
    expect_true(is_undefined_tensor(params$w$grad))
    b <- as_array(params$b)
    opt$step()
    expect_identical(as_array(params$b), b)
  }
})

test_that("a closure is run with gradients and its loss returned", {
  skip_if_no_torch()
  x <- torch_tensor(2, requires_grad = TRUE)
  opt <- optim_sgd(x, lr = 0.25)
  loss <- with_no_grad(opt$step(function() {
    opt$zero_grad()
    loss <- x^2
    loss$backward()
    loss
  }))
  expect_identical(loss$item(), 4)
  expect_identical(x$item(), 1)
})

test_that("all of torch.optim is here", {
  skip_if_no_torch()
  theirs <- python_eval("
import inspect
result = [n for n, c in inspect.getmembers(torch.optim, inspect.isclass) if issubclass(c, torch.optim.Optimizer)]
")
  theirs <- setdiff(theirs, "Optimizer")
  ours <- paste0("optim_", ifelse(theirs == "SparseAdam", "sparse_adam", tolower(theirs)))
  expect_identical(setdiff(ours, getNamespaceExports("torch")), character())
  # SparseAdam has a test of its own. A PyTorch that is older than a rule can't be asked for it.
  expect_identical(setdiff(theirs, c("SparseAdam", sub("[(].*", "", names(optim_cases)))), character())
})

test_that("a step reads nothing beside the parameters, whatever a state dict holds", {
  skip_if_no_torch()
  small <- torch_ones(2, requires_grad = TRUE)
  sum(small)$backward()
  large <- torch_ones(3, requires_grad = TRUE)
  sum(large)$backward()
  for (make in list(optim_adam, optim_adamw, optim_adagrad, function(p) optim_sgd(p, lr = 0.1, momentum = 0.9))) {
    from <- make(small)
    from$step()
    to <- make(large)
    expect_error(to$load_state_dict(from$state_dict()), "of shape \\(2\\) in the state of parameter 1, whose shape is \\(3\\)", class = "value_error")
    moved <- torch_ones(2, requires_grad = TRUE)
    sum(moved)$backward()
    opt <- make(moved)
    with_no_grad(moved$set_(torch_ones(5)))
    expect_error(opt$step(), "A gradient must have the shape of its parameter, \\(5\\), not \\(2\\)", class = "value_error")
  }
})
