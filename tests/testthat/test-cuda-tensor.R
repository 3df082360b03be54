test_that("tensors are made on the device", {
  skip_if_no_cuda()
  expect_same_on_cuda(function(device) {
    list(
      torch_zeros(2, 3, device = device), torch_ones(c(2, 3), device = device, dtype = torch_long()),
      torch_full(c(2, 2), 1.5, device = device), torch_eye(3, device = device), torch_arange(1, 5, device = device),
      torch_linspace(0, 1, 5, device = device), torch_logspace(0, 2, 3, device = device),
      torch_tensor(matrix(1:6, 2), device = device), torch_tensor(c(TRUE, FALSE), device = device),
      torch_tensor(1.5, dtype = torch_double(), device = device), torch_tensor(complex(real = 1, imaginary = -2), device = device),
      torch_tensor(numeric(), device = device), torch_tensor(2^53, dtype = torch_long(), device = device),
      torch_scalar_tensor(3, device = device), torch_tril_indices(3, 3, device = device),
      torch_zeros_like(torch_ones(2, device = device)), torch_ones(2, device = device)$new_full(3, 7),
      torch_hann_window(4, device = device)
    )
  })
  for (x in list(
    torch_empty(2, device = "cuda"), torch_rand(2, device = "cuda"), torch_randn(2, device = "cuda"),
    torch_randint(0, 9, 4, device = "cuda"), torch_randperm(5, device = "cuda"),
    torch_empty_strided(c(2, 2), c(1, 2), device = "cuda"), torch_rand_like(torch_ones(2, device = "cuda")),
    torch_normal(torch_zeros(2, device = "cuda"), 1), torch_ones(1, device = torch_device("cuda", 0))
  )) {
    expect_identical(as.character(x$device), "cuda:0")
    expect_true(x$is_cuda)
  }
  expect_identical(sort(as.integer(torch_randperm(5, device = "cuda")$cpu())), 1:5 - (torch_randperm(1)$item() == 0))
  x <- torch_rand(1e5, device = "cuda")
  expect_equal(x$mean()$item(), 0.5, tolerance = 0.02)
  expect_true(torch_randn(3, device = "cuda", requires_grad = TRUE)$requires_grad)
  made <- with_device(list(torch_zeros(2), torch_tensor(1:2), torch_randn(2)), device = "cuda")
  expect_true(all(vapply(made, function(x) x$is_cuda, NA)))
})

test_that("tensors go to the device and back", {
  skip_if_no_cuda()
  m <- matrix(c(1.5, 2, -3, 4, 5, 6), 2)
  x <- torch_tensor(m)
  gpu <- torch_device("cuda", 0)
  there <- list(
    x$cuda(), x$to("cuda"), x$to(device = "cuda"), x$to(device = gpu), x$to("cuda:0"), x$to(gpu),
    x$to(other = torch_ones(1, device = "cuda")), x$to(device = "cuda", non_blocking = TRUE),
    x$cuda(device = gpu), x$cuda(0), x$cuda("cuda:0")
  )
  for (y in there) {
    expect_identical(as.character(y$device), "cuda:0")
    expect_equal(as_array(y), as_array(x))
    expect_equal(as_array(y$cpu()), as_array(x))
    expect_equal(as_array(y$to(device = "cpu")), as_array(x))
  }
  y <- there[[1]]
  expect_false(x$is_cuda)
  expect_false(y$cpu()$is_cuda)
  expect_identical(as.character(y$to(device = "cpu", dtype = torch_double())$dtype), "Double")
  expect_identical(as.character(y$to(torch_half())$device), "cuda:0")
  # Already there: the same object.
  expect_identical(y$cuda(), y)
  expect_identical(y$to(device = "cuda"), y)
  # To R.
  expect_equal(as.matrix(y), m)
  expect_equal(as.numeric(y), as.numeric(x))
  expect_identical(as.integer(torch_tensor(1:3, device = "cuda")), 1:3)
  expect_identical(as.logical(torch_tensor(c(TRUE, FALSE), device = "cuda")), c(TRUE, FALSE))
  expect_equal(torch_tensor(2.5, device = "cuda")$item(), 2.5)
  expect_equal(as_array(torch_tensor(1i, device = "cuda")), 1i)
  expect_equal(as.numeric(torch_tensor(c(1.5, 2), dtype = torch_half(), device = "cuda")), c(1.5, 2))
  expect_identical(dim(y), c(2L, 3L))
  expect_identical(length(y), 6L)
  if (torch_tensor(1, device = "cuda")$item() > 0) "a tensor is a condition" else fail()
  expect_true(as.logical(torch_tensor(1, device = "cuda") > 0))
  expect_output(print(y), "CUDAFloatType\\{2,3\\}")
  expect_output(print(torch_tensor(c(1.5, -2), device = "cuda")), " 1.5000\n-2.0000")
  # Also what does not lie in order.
  t <- y$t()
  expect_equal(as_array(t), t(m))
  expect_equal(as_array(t$cpu()), t(m))
  expect_equal(as_array(y[, 2]), m[, 2])
  expect_equal(as_array(x$t()$cuda()), t(m))
  # A copy over what is there.
  z <- torch_zeros(2, 3)
  z$copy_(y)
  expect_equal(as_array(z), m)
  z <- torch_zeros(2, 3, device = "cuda")
  z$copy_(x)
  expect_equal(as_array(z), m)
  big <- runif(1e6)
  expect_equal(as.numeric(torch_tensor(big, dtype = torch_double(), device = "cuda")), big)
})

test_that("page-locked memory is made and copied from", {
  skip_if_no_cuda()
  x <- torch_tensor(c(1, 2), pin_memory = TRUE)
  expect_true(x$is_pinned())
  expect_true(torch_empty_strided(c(2, 2), c(2, 1), pin_memory = TRUE)$is_pinned())
  y <- x$to(device = "cuda", non_blocking = TRUE)
  cuda_synchronize()
  expect_equal(as.numeric(y), c(1, 2))
  expect_false(y$is_pinned())
  batches <- list()
  loop(for (b in dataloader(tensor_dataset(torch_randn(6, 2), torch_randn(6)), batch_size = 4, pin_memory = TRUE)) {
    batches <- c(batches, b)
  })
  expect_true(all(vapply(batches, function(b) b$is_pinned(), NA)))
})

test_that("indexing reads on the device as on the CPU", {
  skip_if_no_cuda()
  a <- array(1:60 + 0.5, c(3, 4, 5))
  forms <- expression(
    x[1, 2, 3], x[2, , ], x[2], x[], x[2:3, 1:4, 2], x[1:3:2, , ], x[-1, , ], x[2:-1, 2:N, 3:N], x[.., 1], x[newaxis, ..],
    x[c(3, 1), , ], x[c(1, 2), c(1, 3), 2], x[, c(-1, 1), ], x[1, drop = FALSE], x[c(TRUE, FALSE, TRUE), , ], x[x > 30],
    x[torch_tensor(c(3L, 1L)), , ], x[torch_tensor(c(3L, 1L), device = device), , ],
    x[torch_tensor(c(TRUE, FALSE, TRUE), device = device)], x[torch_tensor(c(TRUE, FALSE, TRUE))],
    x[torch_tensor(2L, device = device), , ], x[, torch_tensor(matrix(c(1L, 4L, 2L, 2L), 2), device = device), ],
    x[slc(1, 3, 2)], x$index_select(2, torch_tensor(c(4L, 1L), device = device)), x$narrow(2, 2, 2), x$select(3, 5),
    x$gather(1, torch_ones(1, 4, 5, dtype = torch_long(), device = device)), x$take(torch_tensor(c(1L, 60L), device = device)),
    x$masked_select(x > 30), torch_nonzero(x > 58)
  )
  for (form in as.list(forms)) {
    expect_same_on_cuda(function(device) eval(form, list(x = torch_tensor(a, device = device), device = device)))
  }
  x <- torch_tensor(a, device = "cuda")
  # A position that is none leaves the device as it was.
  expect_error(x[4, , ], "size 3|dimension")
  expect_error(x[c(1, 7), , ], "out of bounds.*size 3")
  expect_error(x[, c(-5, 1), ], "out of bounds.*size 4")
  expect_error(x[c(1, 4), , ] <- 0, "out of bounds.*size 3")
  expect_error(x[torch_tensor(4L, device = "cuda")], "size 3")
  expect_error(x[torch_tensor(c(1L, 4L), device = "cuda"), , ], "out of bounds.*size 3")
  expect_error(x[torch_tensor(c(0L, 1L), device = "cuda"), , ], "found a 0")
  expect_equal(as_array(x), a)
})

test_that("indexing writes on the device as on the CPU", {
  skip_if_no_cuda()
  a <- array(1:24 + 0.5, c(2, 3, 4))
  writes <- expression(
    x[1, 2, 3] <- 100, x[1, , ] <- 0, x[, 2:3, c(1, 4)] <- -1, x[x > 20] <- 0, x[c(2, 1), , 1] <- c(7, 8, 9),
    x[1, , ] <- torch_zeros(3, 4), x[1, , ] <- torch_zeros(3, 4, device = device), x[.., 1] <- torch_tensor(5L),
    x[torch_tensor(2L, device = device), , ] <- 3, x[torch_tensor(c(TRUE, FALSE)), , ] <- 4,
    x[torch_tensor(c(TRUE, FALSE), device = device), , ] <- matrix(1:12 + 0, 3), x[c(1, 2), c(1, 3), 2] <- 1,
    x[] <- 9, x$masked_fill_(x > 10, 2), x$index_fill_(3, torch_tensor(c(1L, 4L), device = device), 0),
    x$scatter_(1, torch_ones(1, 3, 4, dtype = torch_long(), device = device), 7),
    x$index_add_(1, torch_tensor(2L, device = device), torch_ones(1, 3, 4, device = device))
  )
  for (write in as.list(writes)) {
    expect_same_on_cuda(function(device) {
      frame <- list2env(list(x = torch_tensor(a, device = device), device = device))
      eval(write, frame)
      frame$x
    })
  }
})

test_that("R's operators and functions work on the device", {
  skip_if_no_cuda()
  m <- matrix(c(1, -2, 3, 4, 5.5, 6), 2)
  forms <- expression(
    x + 1, 1 - x, x * x, x / 2, x^2, -x, x %% 2, x %/% 2, x > 1, x == x, !(x > 1), x > 1 & x < 5, x %*% t(x), abs(x), exp(x),
    sqrt(x * x), round(x), sum(x), mean(x), max(x), min(x), prod(x), range(x), cumsum(x), t(x), rbind(x, x), cbind(x, x), c(x, x),
    x + torch_tensor(2, device = device), x * torch_scalar_tensor(3), torch_maximum(x, 1), torch_logaddexp(x, 0), torch_nextafter(x, 9),
    torch_logical_and(x, TRUE), FALSE | (x > 1), TRUE & (x > 1), torch_atan2(x, 2), torch_where(x > 1, x, torch_zeros_like(x)), torch_clamp(x, 0, 4),
    torch_cat(list(x, x), dim = 1), torch_stack(list(x, x)), x$sum(dim = 2), x$max(dim = 2), torch_sort(x, dim = 2),
    torch_topk(x, 2), x$std(), torch_var_mean(x, dim = 1), torch_einsum("ij,kj->ik", list(x, x)), torch_argmax(x, dim = 2),
    torch_norm(x), torch_cumsum(x, 1), torch_unique_consecutive(x)[[1]], torch_quantile(x, 0.5), x$view(c(3, 2)), x$permute(c(2, 1)),
    nnf_softmax(x, dim = 2), nnf_one_hot(torch_tensor(c(1L, 3L), device = device)), linalg_svd(x)[[2]], linalg_inv(x %*% t(x)),
    linalg_solve(x %*% t(x), x), torch_fft_fft(x), torch_histc(x, 4), torch_bincount(torch_tensor(c(1L, 1L, 3L), device = device)),
    torch_searchsorted(torch_tensor(c(1, 3, 5), device = device), x), torch_cdist(x, x), torch_tril(x), torch_roll(x, 1, 1),
    torch_diff(x), x$to(dtype = "int"), x + c(1, 2, 3), matrix(1, 2, 2) %*% x, x > m, torch_cat(list(c(1, 2), x[, 1])),
    torch_where(x > 1, x, matrix(0, 2, 3)), x$index_select(2, c(3L, 1L)), torch_bincount(x$abs()$to(dtype = "long")$view(6), weights = 1:6 / 2), torch_allclose(x, x), torch_equal(x, x)
  )
  for (form in as.list(forms)) {
    got <- tryCatch(
      lapply(c("cuda", "cpu"), function(device) {
        held(eval(form, list(x = torch_tensor(m, device = device), device = device)))
      }),
      error = function(e) list(conditionMessage(e), NULL)
    )
    expect_equal(got[[1]], got[[2]], tolerance = 1e-5, info = deparse(form))
  }
})

test_that("tensors of two devices, and devices that are not there, are errors of a sentence", {
  skip_if_no_cuda()
  x <- torch_ones(2, 2)
  y <- torch_ones(2, 2, device = "cuda")
  expect_error(x + y, "same device")
  expect_error(torch_matmul(x, y), "same device|device")
  expect_error(nn_linear(2, 2)(y), "same device|device")
  expect_error(torch_cat(list(x, y)), "device")
  none <- paste0("cuda:", cuda_device_count())
  message <- function(code) tryCatch(code, error = conditionMessage)
  for (text in list(message(torch_ones(1, device = none)), message(x$to(device = none)), message(torch_tensor(1, device = none)))) {
    expect_lt(nchar(text), 300)
    expect_match(text, "device")
  }
  expect_error(x$cuda("cpu"), class = "value_error")
  expect_error(cuda_synchronize(cuda_device_count()), class = "value_error")
  expect_error(cuda_memory_stats("cpu"), class = "value_error")
  # None of that did any harm.
  expect_equal(as.numeric((y + y)$sum()), 8)
})

test_that("random numbers of the device have a seed and a state", {
  skip_if_no_cuda()
  draw <- function() as.numeric(torch_rand(3, device = "cuda"))
  torch_manual_seed(5)
  one <- draw()
  other <- draw()
  torch_manual_seed(5)
  expect_identical(draw(), one)
  expect_false(identical(one, other))
  state <- cuda_get_rng_state(0)
  expect_false(state$is_cuda)
  a <- draw()
  cuda_set_rng_state(state, 0)
  expect_identical(draw(), a)
  states <- cuda_get_rng_state()
  a <- draw()
  cuda_set_rng_state(states)
  expect_identical(draw(), a)
  before <- draw()
  state <- cuda_get_rng_state("cuda:0")
  inside <- with_torch_manual_seed(draw(), seed = 5)
  expect_identical(inside, one)
  expect_identical(as_array(cuda_get_rng_state(0)), as_array(state))
  # The same as PyTorch draws.
  theirs <- python_eval("torch.manual_seed(5)\nresult = torch.rand(3, device='cuda').double().tolist()")
  expect_equal(one, theirs)
  expect_error(torch_rand(2, device = "cuda", generator = torch_generator()), "cuda|generator")
})

test_that("the device tells what PyTorch tells", {
  skip_if_no_cuda()
  theirs <- python_eval("result = dict(count=torch.cuda.device_count(), current=torch.cuda.current_device(),
  capability=list(torch.cuda.get_device_capability()), runtime=torch.version.cuda, cudnn=torch.backends.cudnn.version())")
  expect_identical(cuda_device_count(), theirs$count)
  expect_identical(cuda_current_device(), theirs$current)
  expect_identical(unname(cuda_get_device_capability()), theirs$capability)
  expect_identical(format(cuda_runtime_version()), theirs$runtime)
  expect_identical(backends_cudnn_version(), cudnn_version(theirs$cudnn))
  expect_true(backends_cudnn_is_available())
  expect_invisible(cuda_synchronize())
})
