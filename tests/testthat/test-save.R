saved <- function(x, ...) {
  file <- withr::local_tempfile()
  torch_save(x, file)
  torch_load(file, ...)
}
# What the CRAN package torch 0.17 wrote.
fixture <- function(name) test_path("fixtures", "cran-torch-0.17", paste0(name, ".pt"))

test_that("a list that only looks like an optimiser's state is saved as it is", {
  skip_if_no_torch()
  file <- withr::local_tempfile()
  for (params in list(NA_real_, 1e300, c(1, NA))) {
    like <- list(param_groups = list(list(params = params)), state = list())
    expect_no_warning(torch_save(like, file))
    expect_identical(torch_load(file), like)
  }
})

test_that("tensors of every dtype come back, with what they need", {
  skip_if_no_torch()
  for (x in c(some_tensors(), list(torch_tensor(c(1 + 2i, -3i)), torch_tensor(1i)$to(dtype = torch_cdouble()), torch_tensor(c(1, 2), requires_grad = TRUE)))) {
    y <- saved(x)
    expect_true(y$dtype == x$dtype)
    expect_identical(dim(y), dim(x))
    expect_identical(y$requires_grad, x$requires_grad)
    expect_true(all.equal(y$to(dtype = if (x$is_complex()) "cdouble" else "double"), x$to(dtype = if (x$is_complex()) "cdouble" else "double")))
  }
  expect_identical(as_array(torch_load(torch_serialize(torch_tensor(1:3)))), 1:3)
  file <- withr::local_tempfile()
  connection <- gzfile(file, "wb")
  torch_save(list(a = torch_tensor(1)), connection)
  close(connection)
  expect_identical(as_array(torch_load(gzfile(file))$a), 1)
  expect_error(saved(torch_tensor(1), device = NULL), "Unexpected device", class = "value_error")
})

test_that("R objects of all kinds come back with their tensors, each once", {
  skip_if_no_torch()
  t1 <- torch_tensor(c(9, 8))
  x <- list(a = t1, b = list(1L, "text", t1), c = data.frame(u = 1:2, v = c("p", "q")), d = NULL, e = 1:10, f = factor("x"), g = as.Date("2026-11-26"))
  y <- saved(x)
  expect_identical(y[3:7], x[3:7])
  expect_identical(tensor_address(y$a), tensor_address(y$b[[3]]))
  y$a$add_(1)
  expect_identical(as_array(y$b[[3]]), c(10, 9))
  for (value in list(NULL, 1:3, "a", quote(x + y), list(), TRUE)) expect_identical(saved(value), value)
  f <- local({
    scale <- torch_tensor(3)
    function(x) x * scale
  })
  expect_identical(as_array(saved(f)(torch_tensor(2))), 6)
  data <- saved(tensor_dataset(x = t1, y = torch_tensor(1:2)))
  expect_identical(as_array(data$.getitem(2)$x), 8)
  g <- torch_generator()
  g$set_current_seed(5)
  again <- saved(list(g))[[1]]
  expect_identical(as_array(torch_normal(0, 1, 3, generator = again)), as_array(torch_normal(0, 1, 3, generator = g)))
})

test_that("modules come back whole, also of classes of one's own, with optimisers that share their parameters", {
  skip_if_no_torch()
  block <- nn_module(
    "block",
    initialize = function(n) {
      self$inner <- nn_sequential(nn_linear(n, 3), nn_batch_norm1d(3), nn_dropout(0.5))
      self$tied <- self$inner[[1]]$weight
      self$kept <- nn_buffer(torch_ones(1))
      self$hidden <- nn_buffer(torch_ones(1) * 2, persistent = FALSE)
      self$plain <- torch_ones(1) * 3
      self$n <- n
    },
    forward = function(x) self$inner(x) * self$kept * self$hidden * self$plain + self$n
  )
  model <- block(2)
  model(torch_randn(4, 2))
  model$eval()
  opt <- optim_adam(model$parameters, lr = 0.01)
  both <- saved(list(model = model, opt = opt))
  expect_s3_class(both$model, c("block", "nn_module"))
  x <- torch_randn(5, 2)
  expect_identical(as_array(both$model(x)$detach()), as_array(model(x)$detach()))
  expect_false(both$model$training)
  expect_named(both$model$state_dict(), names(model$state_dict()))
  expect_identical(tensor_address(both$model$tied), tensor_address(both$model$inner[[1]]$weight))
  expect_true(is_nn_parameter(both$model$tied) && both$model$tied$requires_grad)
  sum(both$model(x))$backward()
  both$opt$step()
  expect_false(isTRUE(all.equal(as_array(both$model(x)$detach()), as_array(model(x)$detach()))))
  net <- nn_sequential(nn_linear(2, 1), jit_trace(nn_linear(1, 1), torch_ones(1, 1)))
  expect_identical(as_array(saved(net)(x)$detach()), as_array(net(x)$detach()))
  f <- jit_trace(function(x) x * 2 + 1, torch_ones(1))
  expect_identical(as_array(saved(list(f))[[1]](x)), as_array(f(x)))
})

test_that("training goes on from a file as if it had not stopped, after a killed process too", {
  skip_if_no_torch()
  skip_if_not_installed("callr")
  file <- withr::local_tempfile()
  train <- function(file, steps, from, die = FALSE) {
    library(torch)
    if (is.null(from)) {
      torch_manual_seed(1)
      model <- nn_sequential(nn_linear(3, 8), nn_dropout(0.3), nn_tanh(), nn_linear(8, 1))
      opt <- optim_adam(model$parameters, lr = 0.01)
      state <- list(model = model, opt = opt, scheduler = lr_cosine_annealing(opt, 7), step = 0)
    }
    data <- tensor_dataset(x = torch_linspace(-1, 1, 96)$view(c(32, 3)))
    batches <- dataloader(data, batch_size = 8, shuffle = TRUE)
    if (!is.null(from)) {
      state <- torch_load(from)
      torch_set_rng_state(state$random)
      batches$load_state_dict(state$batches)
    }
    while (state$step < steps) {
      loop(for (batch in batches) {
        state$opt$zero_grad()
        nnf_mse_loss(state$model(batch$x), batch$x[, 1:1])$backward()
        state$opt$step()
        state$scheduler$step()
        state$step <- state$step + 1
        # In the middle of the second run over the data.
        if (state$step == 6) {
          torch_save(c(state[c("model", "opt", "scheduler", "step")], random = torch_get_rng_state(), batches = list(batches$state_dict())), file)
          if (die) tools::pskill(Sys.getpid(), tools::SIGKILL)
        }
      })
    }
    lapply(state$model$parameters, as_array)
  }
  whole <- callr::r(train, list(file, 12, NULL), libpath = .libPaths(), timeout = 120)
  unlink(file)
  expect_error(callr::r(train, list(file, 12, NULL, die = TRUE), libpath = .libPaths(), timeout = 120))
  resumed <- callr::r(train, list(file, 12, file), libpath = .libPaths(), timeout = 120)
  expect_identical(resumed, whole)
})

test_that("what can't be saved is told, and leaves an old file as it was", {
  skip_if_no_torch()
  file <- withr::local_tempfile()
  torch_save(torch_tensor(1), file)
  dead <- dead_copy(torch_tensor(1))
  graph <- jit_trace(function(x) x, torch_ones(1))$graph
  expect_error(torch_save(list(dead), file), "dead tensor", class = "value_error")
  expect_error(torch_save(list(graph), file), "can't be saved", class = "value_error")
  expect_error(torch_save(torch_ones(2, device = "meta"), file), "can't be saved: \\[ METAFloatType", class = "value_error")
  expect_identical(as_array(torch_load(file)), 1)
  expect_identical(list.files(dirname(file), paste0(basename(file), ".saving"), all.files = TRUE), character())
  expect_error(torch_save(torch_tensor(1), "no/such/folder/file"), "no folder", class = "value_error")
  expect_error(torch_load("nowhere"), "There is no file", class = "value_error")
})

test_that("files that the CRAN package wrote are read", {
  skip_if_no_torch()
  expect_identical(as_array(torch_load(fixture("tensor-float"))), matrix(c(1.5, -2, 3, 4.25, 5, -6.125), 2))
  expect_true(torch_load(fixture("tensor-requires-grad"))$requires_grad)
  expect_equal(as_array(torch_load(fixture("tensor-complex"))), c(1 + 2i, -3.5i))
  expect_identical(as_array(torch_load(fixture("tensor-bool"))), c(TRUE, FALSE, TRUE))
  expect_identical(as_array(torch_load(fixture("tensor-long"))), matrix(1:6, 2, byrow = TRUE))
  expect_identical(as_array(torch_load(fixture("tensor-0d"))), 7.5)
  expect_identical(dim(torch_load(fixture("tensor-empty"))), c(0L, 3L))
  expect_identical(as_array(torch_load(fixture("tensor-bfloat16"))$float()), c(1, 2.5))
  nested <- torch_load(fixture("list-nested"))
  expect_identical(tensor_address(nested$a), tensor_address(nested$b[[3]]))
  expect_identical(nested$c$v, c("p", "q"))
  expect_identical(as_array(torch_load(fixture("tensor-version2"))), c(9, 8))
  expect_identical(torch_load(fixture("list-version2"))$b, 2)
  expect_identical(torch_load(fixture("optimizer-state"))$state[[1]]$step, 3)
  net <- nn_module(
    initialize = function() {
      self$l1 <- nn_linear(3, 4)
      self$bn <- nn_batch_norm1d(4)
      self$l2 <- nn_linear(4, 1)
      self$scale <- nn_buffer(torch_tensor(0))
    },
    forward = function(x) self$l2(nnf_relu(self$bn(self$l1(x)))) * self$scale
  )()
  net$load_state_dict(torch_load(fixture("state-dict")))$eval()
  input <- torch_tensor(matrix(c(0.5, -1, 2, 1, 0, -0.25), 2))
  expect_equal(as.vector(as_array(net(input)$detach())), c(0.630485296, -0.217757419), tolerance = 1e-6)
})

test_that("safetensors of other programs are a list, with a warning", {
  skip_if_no_torch()
  file <- withr::local_tempfile()
  save_safetensors(list(a = torch_tensor(1)), file)
  expect_warning(x <- torch_load(file), "not written by R")
  expect_identical(as_array(x$a), 1)
})

test_that("reading runs no code, and what is damaged is an error and no end of R", {
  skip_if_no_torch()
  skip_if_not_installed("callr")
  good <- torch_serialize(list(model = nn_sequential(nn_linear(2, 2)), x = list(torch_tensor(1), data.frame(a = 1:3))))
  said <- callr::r(function(good) {
    library(torch)
    set.seed(1)
    out <- integer()
    for (i in 1:400) {
      bad <- good
      n <- sample(3, 1)
      at <- sample(length(bad), n)
      bad[at] <- as.raw(sample(0:255, n, TRUE))
      if (i %% 7 == 0) bad <- utils::head(bad, sample(length(bad), 1))
      result <- tryCatch({
        suppressWarnings(torch_load(bad))
        "read"
      }, torch_runtime_error = function(e) "refused", error = function(e) conditionMessage(e))
      out[result] <- (if (is.na(out[result])) 0L else out[result]) + 1L
    }
    as.list(out)
  }, list(good), libpath = .libPaths(), timeout = 300)
  expect_setequal(names(said), c("read", "refused"))
  expect_gt(said$refused, 50)
  # R believes what a stream says of vectors in another representation: here their class is no name.
  sequence <- serialize(list(1:10), NULL)
  expect_identical(cpp_stream_check(sequence), FALSE)
  at <- which(sequence == as.raw(238))[[1]] + 3
  expect_identical(sequence[at + 0:1], as.raw(c(0, 2)))
  expect_error(cpp_stream_check(replace(sequence, at, as.raw(4))), "described wrongly", class = "value_error")
  mapped <- sequence
  name <- which(mapped == charToRaw("c"))[[1]]
  mapped[name] <- charToRaw("d")
  expect_error(cpp_stream_check(mapped), "class is a package's", class = "value_error")
  for (value in list(1:10, c(1.5, 2), as.character(1:5), sort(c(3L, 1L, 2L)), sort(c("b", "a")), seq(1, 9))) {
    expect_identical(saved(list(value)), list(value))
  }
  # A promise as a value runs when it is looked at.
  nothing <- as.raw(c(0, 0, 0, 254))
  promise <- c(utils::head(serialize(NULL, NULL), -4), as.raw(c(0, 0, 0, 5)), nothing, nothing)
  expect_error(cpp_stream_check(promise), "promise", class = "value_error")
})

test_that("a stream that says what R believes without a look is refused", {
  int <- function(...) as.raw(unlist(lapply(c(...), function(x) bitwAnd(x %/% c(2^24, 2^16, 2^8, 1), 255L))))
  swap <- function(bytes, from, to) {
    at <- which(vapply(seq_len(length(bytes) - length(from) + 1), function(i) identical(bytes[i + seq_along(from) - 1], from), NA))
    replace(bytes, utils::tail(at, 1) + seq_along(to) - 1, to)
  }
  refused <- function(x, from, to, why, ...) {
    bytes <- serialize(x, NULL, ...)
    expect_type(cpp_stream_check(bytes), "logical")
    expect_error(cpp_stream_check(swap(bytes, from, to)), why, class = "value_error")
  }
  # A list that ends in something that is none: R would go on through its memory, or round and round.
  for (x in list(pairlist(1), structure(2, a = 1), quote(f(a)), structure(list(2), a = 1))) refused(x, int(254), int(253), "list")
  refused(array(0, c(3, 2)), int(3, 2), int(3, 3), "other sizes")
  refused(array(0, c(3, 2)), int(3, 2), int(-3, -2), "other sizes")
  refused(matrix(0, 2, 2, FALSE, list(c("a", "b"), NULL)), int(2, 2), int(4, 1), "names for other sizes")
  refused(list(1, 2), int(19, 2), int(16, 2), "where a text should be")
  refused(structure(1, class = "z"), int(16, 1), int(13, 1), "a class that is none")
  refused(c(a = 1), int(16, 1), int(16, 0), "more or fewer names")
  # A function without an environment, and an environment whose table has no place.
  refused(local(function(x) 1, globalenv()), int(253), int(251), "where an environment should be")
  refused(new.env(size = 1L), int(19, 1), int(19, 0), "environment that is none")
  refused(list(1:10), as.raw(c(0x40, 0x24)), as.raw(c(0xc0, 0x24)), "described wrongly")
  # The mark of a tensor where R has an environment.
  scope <- new.env(parent = globalenv())
  scope$x <- 1
  refused(new.env(parent = scope), charToRaw("environment1"), charToRaw("0xaaaaaaaaaa"), "where an environment should be",
    refhook = function(x) if (identical(x, scope)) "environment1"
  )
  # What R has in other representations is what it was.
  for (x in list(array(0, 2:3, list(NULL, 1:3)), structure(1:70, names = 1:70), sort(c(2, 1)[rep(1:2, 50)]), ts(1:3))) {
    expect_type(cpp_stream_check(serialize(x, NULL)), "logical")
  }
  inside <- function(...) environment()
  expect_true(cpp_stream_check(serialize(inside(1, 2, a = 3), NULL)))
})

test_that("programs that the CRAN package wrote are read", {
  skip_if_no_torch()
  expect_identical(as_array(jit_load(fixture("jit-function"))(torch_tensor(c(-1, 2)))), c(20, 22))
  net <- jit_load(fixture("jit-module"))$eval()
  out <- net(torch_tensor(matrix(c(0.5, -1, 2, 1, 0, -0.25), 2)))
  expect_equal(as.vector(as_array(out$detach())), c(0.0833057761, -0.6266801953), tolerance = 1e-6)
  expect_error(torch_load(fixture("jit-module")), "use `jit_load\\(\\)`", class = "torch_runtime_error")
})

test_that("classes and attributes of a tensor alone come back too", {
  skip_if_no_torch()
  expect_true(is_nn_parameter(saved(nn_parameter(torch_ones(2)))))
  x <- torch_ones(1)
  class(x) <- c("mine", class(x))
  attr(x, "unit") <- "m"
  expect_identical(attributes(saved(x)), attributes(x))
  expect_identical(attributes(saved(list(x))[[1]]), attributes(x))
  conjugate <- torch_tensor(c(1 + 2i, 3i))$conj()
  expect_equal(as_array(saved(conjugate)), c(1 - 2i, -3i))
  if (file.exists("/dev/full")) {
    full <- suppressWarnings(file("/dev/full"))
    expect_error(torch_save(torch_ones(1e5), full), "connection can't be written", class = "runtime_error")
  }
  bomb <- withr::local_tempfile()
  saveRDS(list(type = "list", version = 2, values = raw(2e8)), bomb)
  expect_error(torch_load(bomb), "packed too tightly", class = "torch_runtime_error")
  packed <- readBin(fixture("tensor-version2"), "raw", 1e5)
  n <- length(packed)
  wrong <- replace(packed, n - 6, xor(packed[n - 6], as.raw(1)))
  expect_silent(expect_error(torch_load(wrong), "checksum is wrong", class = "torch_runtime_error"))
  expect_error(torch_load(packed[1:4]), "can't be read", class = "torch_runtime_error")
})

test_that("R's own files and other processes carry tensors whole", {
  skip_if_no_torch()
  for (x in c(some_tensors(), list(torch_tensor(c(1 + 2i, -3i)), torch_tensor(c(1, 2), requires_grad = TRUE), nn_parameter(torch_ones(2))))) {
    y <- unserialize(serialize(x, NULL))
    expect_false(is_dead(y))
    expect_identical(attributes(y), attributes(x))
    expect_true(y$dtype == x$dtype)
    expect_identical(dim(y), dim(x))
    expect_identical(y$requires_grad, x$requires_grad)
    expect_identical(tensor_address(y), tensor_address(y))
    expect_true(all.equal(y$to(dtype = if (x$is_complex()) "cdouble" else "double"), x$to(dtype = if (x$is_complex()) "cdouble" else "double")))
  }
  # One object is one afterwards, and what was never used is saved as it was read.
  t1 <- torch_tensor(c(9, 8))
  y <- unserialize(serialize(unserialize(serialize(list(a = t1, b = list(t1)), NULL)), NULL))
  y$a$add_(1)
  expect_identical(as_array(y$b[[1]]), c(10, 9))
  expect_output(print(unserialize(serialize(t1, NULL))), "9")
  g <- torch_generator()
  g$set_current_seed(5)
  again <- unserialize(serialize(g, NULL))
  expect_identical(as_array(torch_normal(0, 1, 3, generator = again)), as_array(torch_normal(0, 1, 3, generator = g)))
  # A tensor with a hook is carried without it.
  h <- torch_ones(1, requires_grad = TRUE)
  h$register_hook(function(grad) stop("hook"))
  h <- unserialize(serialize(h, NULL))
  (h * 2)$backward()
  expect_identical(as_array(h$grad), 2)
  # What has no form in a file is dead, and the rest is there.
  mixed <- unserialize(serialize(list(torch_ones(2, device = "meta"), t1), NULL))
  expect_error(mixed[[1]] + 1, "dead tensor", class = "value_error")
  expect_identical(as_array(mixed[[2]]), c(9, 8))
  # Files of the older form of R's serialization have no place for it.
  expect_error(unserialize(serialize(t1, NULL, version = 2)) + 1, "dead tensor", class = "value_error")
  # A state that is none is an error and no end of R.
  expect_error(revive_handle(list(kind = "tensor", bytes = raw(3), device = "cpu")), "A tensor that R has saved can't be read", class = "torch_runtime_error")
  expect_error(revive_handle(1), "not what torch writes", class = "torch_runtime_error")
})

test_that("modules and optimisers go through saveRDS(), workspaces and other processes, and train on", {
  skip_if_no_torch()
  model <- nn_sequential(nn_linear(2, 3), nn_batch_norm1d(3), nn_linear(3, 1))
  opt <- optim_adam(model$parameters, lr = 0.01)
  x <- torch_randn(5, 2)
  train <- function(model, opt, x, n = 3) {
    for (i in seq_len(n)) {
      opt$zero_grad()
      sum(model(x)^2)$backward()
      opt$step()
    }
    lapply(model$parameters, function(p) as_array(p$detach()))
  }
  train(model, opt, x)
  file <- withr::local_tempfile()
  saveRDS(list(model = model, opt = opt), file)
  workspace <- withr::local_tempfile()
  save(model, opt, x, file = workspace)
  rds <- readRDS(file)
  loaded <- new.env()
  load(workspace, envir = loaded)
  expect_identical(tensor_address(rds$opt$param_groups[[1]]$params[[1]]), tensor_address(rds$model$parameters[[1]]))
  expect_equal(lapply(rds$opt$state_dict()$state[[2]], as_array), lapply(opt$state_dict()$state[[2]], as_array))
  expected <- train(model, opt, x)
  expect_identical(train(rds$model, rds$opt, x), expected)
  expect_identical(train(loaded$model, loaded$opt, loaded$x), expected)
  skip_if_not_installed("callr")
  load(workspace)
  far <- callr::r(function(model, opt, x, train) {
    environment(train) <- asNamespace("torch")
    values <- train(model, opt, x)
    list(values = values, model = model, sum = sum(x), same = identical(torch:::tensor_address(opt$param_groups[[1]]$params[[1]]), torch:::tensor_address(model$parameters[[1]])))
  }, list(model, opt, x, train), libpath = .libPaths(), timeout = 120)
  expect_identical(far$values, expected)
  expect_true(far$same)
  expect_identical(lapply(far$model$parameters, function(p) as_array(p$detach())), expected)
  expect_identical(as_array(far$sum), as_array(sum(x)))
  cluster <- parallel::makePSOCKcluster(1)
  on.exit(parallel::stopCluster(cluster))
  parallel::clusterCall(cluster, function(paths) .libPaths(paths), .libPaths())
  squares <- parallel::parLapply(cluster, list(torch_tensor(2), torch_tensor(3)), function(x) x^2)
  expect_identical(lapply(squares, as_array), list(4, 9))
})

test_that("what an optimiser keeps is found again in a file, whether it made a step before or not", {
  skip_if_no_torch()
  x <- nn_parameter(torch_ones(2))
  opt <- optim_adam(list(x))
  sum(x^2)$backward()
  opt$step()
  for (state in list(opt$state_dict(), NULL)) {
    if (!is.null(state)) opt$load_state_dict(state)
    for (again in list(saved(opt), unserialize(serialize(opt, NULL)))) {
      expect_equal(lapply(again$state_dict()$state[[1]], as_array), lapply(opt$state_dict()$state[[1]], as_array))
    }
  }
})

test_that("deep lists and S4 objects come back as they were", {
  skip_if_no_torch()
  deep <- list(torch_ones(1))
  for (i in 1:1000) deep <- list(deep, i)
  again <- saved(deep)
  for (i in 1:1000) again <- again[[1]]
  expect_identical(as_array(again[[1]]), 1)
  box <- methods::setClass("TorchTestBox", contains = "list", slots = c(unit = "character", weight = "ANY"), where = globalenv())
  on.exit(methods::removeClass("TorchTestBox", where = globalenv()))
  x <- box(list(torch_ones(1), 2), unit = "m", weight = torch_ones(2))
  y <- saved(list(x))[[1]]
  expect_true(isS4(y) && methods::is(y, "TorchTestBox"))
  expect_identical(y@unit, "m")
  expect_identical(as_array(y@weight), c(1, 1))
  expect_identical(as_array(y[[1]]), 1)
})

test_that("a list with attributes that no list has is refused", {
  skip_if_no_torch()
  found <- new_collection(NULL)
  marked <- list(address_mark(found$key_of(torch_ones(1))))
  robj <- serialize(structure(marked, zq = 1), NULL)
  at <- grepRaw("zq", robj, fixed = TRUE)
  robj <- robj[-(at + 0:1)]
  robj[at - 1] <- as.raw(0)
  expect_error(torch_load(write_collection(found, "list", robj, NULL)), "can't be read", class = "torch_runtime_error")
})

test_that("sparse tensors keep layout, values and places, in R's own files too", {
  skip_if_no_torch()
  skip_if_older("2.0")
  x <- torch_tensor(rbind(c(1, 0, 2, 0), c(0, 0, 3, 4)))
  many <- list(
    x$to_sparse(), suppressWarnings(x$to_sparse_csr()), x$to_sparse_csc(), x$to_sparse_bsr(c(1, 2)), x$to_sparse_bsc(c(2, 2)),
    torch_ones(2, 2, 2)$to_sparse(1), torch_zeros(2, 3)$to_sparse(), torch_tensor(c(TRUE, FALSE))$to_sparse(), x$to_sparse()$requires_grad_()
  )
  for (way in list(saved, function(x) unserialize(serialize(x, NULL)), function(x) saved(list(a = x))$a)) {
    for (sparse in many) {
      again <- way(sparse)
      expect_identical(format(again$layout), format(sparse$layout))
      expect_identical(again$dtype$.type(), sparse$dtype$.type())
      expect_identical(again$requires_grad, sparse$requires_grad)
      expect_identical(as_array(again$to_dense()), as_array(sparse$to_dense()))
    }
  }
  # One tensor in two places, and as a buffer.
  sparse <- many[[1]]
  module <- nn_module("graph", initialize = function(a) self$a <- nn_buffer(a), forward = function(x) self$a$matmul(x))(sparse)
  out <- saved(list(sparse, sparse, module))
  expect_identical(obj_address(out[[1]]), obj_address(out[[2]]))
  expect_equal(as_array(out[[3]](torch_ones(4, 1))), as_array(module(torch_ones(4, 1))))
  # Places beyond the size.
  entry <- list(kind = "sparse", layout = "sparse_coo", parts = c(indices = "i", values = "v"), size = 2:3, requires_grad = FALSE)
  forged <- function(i, ...) {
    entry <- utils::modifyList(entry, list(...))
    tryCatch(revive_handles(list(sparse1 = entry), list(i = i, v = torch_ones(1)), "cpu")$sparse1, torch_error = conditionMessage)
  }
  expect_true(is_torch_tensor(forged(torch_tensor(rbind(2L, 3L)))))
  for (wrong in list(torch_tensor(rbind(2L, 4L)), torch_tensor(rbind(-1L, 1L)), torch_tensor(2L), torch_ones(2, 1))) {
    expect_match(forged(wrong), "sparse tensor that is none")
  }
  expect_match(forged(torch_tensor(rbind(2L, 3L)), layout = "sparse_csr"), "sparse tensor that is none")
  expect_match(forged(torch_tensor(rbind(2L, 3L)), size = "a"), "sparse tensor that is none")
})

test_that("what came out of a file goes into one again: script functions, methods, their handles", {
  skip_if_no_torch()
  again <- function(x) torch_load(torch_serialize(x))
  f <- jit_trace(function(x) x * 2, torch_ones(1))
  for (once in list(again(f), again(list(f))[[1]], again(again(f)))) {
    expect_s3_class(once, "script_function")
    expect_equal(as.numeric(again(once)(torch_ones(1))), 2)
    file <- withr::local_tempfile(fileext = ".pt")
    jit_save(once, file)
    expect_equal(as.numeric(jit_load(file)(torch_ones(1))), 2)
  }
  net <- jit_trace(nn_linear(2, 1), torch_ones(1, 2))
  forward <- again(again(net$forward))
  expect_equal(as_array(forward(torch_ones(1, 2))), as_array(net(torch_ones(1, 2))))
})

test_that("what is read or written inside a trace is no part of the program", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, 2))
  own <- withr::local_tempfile()
  python <- withr::local_tempfile()
  safe <- withr::local_tempfile()
  module <- withr::local_tempfile()
  torch_save(x, own)
  save_state_dict(list(x = x), python)
  save_safetensors(list(x = x), safe)
  layer <- nn_linear(2, 2)
  torch_save(layer, module)
  reads <- list(
    function(y) y + torch_load(own), function(y) y + load_state_dict(python)$x, function(y) y + load_safetensors(safe)$x,
    function(y) {
      save_state_dict(list(y = y), withr::local_tempfile())
      torch_save(y, withr::local_tempfile())
      y * 3
    }
  )
  for (read in reads) {
    program <- expect_no_warning(jit_trace(read, torch_zeros(2)))
    expect_false(any(grepl("aten::(empty|set_|copy_)", as.character(program$graph))))
    other <- torch_tensor(c(5, -7))
    expect_equal(as_array(program(other)), as_array(read(other)))
  }
  # A constant that needs a gradient is refused, as one is that the function captures.
  weight <- torch_ones(2, requires_grad = TRUE)
  for (read in list(function(y) y * weight, function(y) torch_load(module)(y))) {
    expect_error(jit_trace(read, torch_zeros(2)), "requires grad as a constant", class = "torch_runtime_error")
  }
})

test_that("what could not be read back is refused when it is saved", {
  skip_if_no_torch()
  nested <- function(n, x = torch_ones(1)) {
    for (i in seq_len(n)) x <- list(a = x)
    x
  }
  file <- withr::local_tempfile()
  # R itself reads as deep a list: the depth is the file format's own.
  for (n in c(4900, 6000, 50000)) {
    x <- nested(n)
    result <- tryCatch({ torch_save(x, file); torch_load(file) }, value_error = identity)
    if (n < 5000) expect_identical(rapply(result, as_array, how = "unlist")[[1]], 1) else {
      expect_match(conditionMessage(result), "`obj` can't be saved: it is nested too deeply", fixed = TRUE)
      expect_false(file.exists(file))
      module <- nn_linear(1, 1)
      module$more <- x
      expect_error(torch_serialize(module), "nested too deeply", class = "value_error")
    }
    unlink(file)
  }
  chain <- new.env()
  for (i in 1:1e5) {
    link <- new.env()
    link$at <- chain
    chain <- link
  }
  expect_error(torch_save(chain, file), "nested too deeply", class = "value_error")
  # An RDS, as the older format of that package has it, whose values are nested deeply.
  old <- serialize(list(type = "list", version = 2, values = nested(4000, 1)), NULL)
  expect_error(torch_load(old), "nested too deeply", class = "torch_runtime_error")
})

test_that("arguments of the functions for files that are missing are named", {
  skip_if_no_torch()
  expect_snapshot(error = TRUE, {
    torch_save(1)
    torch_load()
    torch_serialize()
    save_state_dict(list())
    load_state_dict()
    save_safetensors(list())
    load_safetensors()
    safetensors_metadata()
  })
})
