# R's side of the bench: one row a list of the work, what it says in the table, iterations of one round, and the goal.

set_up_rows <- function() {
  torch_set_num_threads(1)
  torch_manual_seed(1)
  x2 <- torch_randn(2, 2)
  y2 <- torch_randn(2, 2)
  x10 <- torch_randn(10, 10)
  y10 <- torch_randn(10, 10)
  x4 <- torch_randn(4)
  doubles <- runif(1e6)
  floats <- torch_randn(1e6)
  big_x <- torch_randn(1024, 1024)
  big_y <- torch_randn(1024, 1024)

  two_layers <- nn_module(
    initialize = function() {
      self$l1 <- nn_linear(10, 32)
      self$l2 <- nn_linear(32, 1)
    },
    forward = function(x) self$l2(torch_relu(self$l1(x)))
  )
  net <- two_layers()
  x32 <- torch_randn(32, 10)
  y32 <- torch_randn(32, 1)

  blog <- nn_module(
    initialize = function() {
      self$l1 <- nn_linear(3, 8)
      self$l2 <- nn_linear(8, 16)
      self$l3 <- nn_linear(16, 1)
      self$d1 <- nn_dropout(0.2)
      self$d2 <- nn_dropout(0.2)
    },
    forward = function(x) {
      x %>%
        self$l1() %>%
        nnf_relu() %>%
        self$d1() %>%
        self$l2() %>%
        nnf_relu() %>%
        self$d2() %>%
        self$l3()
    }
  )
  toy <- dataset(
    name = "toy",
    initialize = function(n) {
      self$x <- torch_randn(n, 3)
      self$y <- self$x[, 1, drop = FALSE] * 0.2 - self$x[, 2, drop = FALSE] * 1.3 -
        self$x[, 3, drop = FALSE] * 0.5 + torch_randn(n, 1)
    },
    .getitem = function(i) list(x = self$x[i, ], y = self$y[i]),
    .length = function() self$x$size(1)
  )
  epoch <- function(batch_size) {
    model <- blog()
    loader <- dataloader(toy(1000), batch_size = batch_size, shuffle = TRUE)
    optimizer <- optim_adam(model$parameters, lr = 0.001)
    train_batch <- function(b) {
      output <- model(b$x)
      loss <- nnf_mse_loss(output, b$y)
      loss$backward()
      optimizer$step()
      optimizer$zero_grad()
      loss$item()
    }
    function() {
      losses <- c()
      loop(for (b in loader) losses <- c(losses, train_batch(b)))
    }
  }
  compiled_epoch <- function() {
    model <- blog()
    data <- toy(1000)
    optimizer <- optim_adam(model$parameters, lr = 0.001)
    loader <- dataloader(tensor_dataset(data$x, data$y), batch_size = 32, shuffle = TRUE)
    trainer <- torch:::new_trainer(model, nnf_mse_loss, optimizer, NULL, NULL)
    function() torch:::train_epoch(trainer, loader, Inf, NULL, NULL)
  }
  # Steps on batches made by hand.
  compiled_step <- function(hidden) {
    layers <- unlist(lapply(seq_len(hidden), function(i) list(nn_linear(10, 10), nn_relu())))
    model <- do.call(nn_sequential, c(layers, list(nn_linear(10, 1))))
    step <- jit_train_step(model, nnf_mse_loss, optim_sgd(model$parameters, lr = 0.01))
    function() step(x32, y32)
  }
  model <- blog()
  model$eval()
  thousand_steps <- function(x) {
    for (i in 1:1000) x <- x + 1
    x
  }
  traced <- jit_trace(model, torch_randn(1, 3))
  traced$eval()
  row1 <- torch_randn(1, 3)
  for (i in 1:5) traced(row1)
  # 25 layers of 4 MB.
  large <- tempfile(fileext = ".pt")
  layers <- do.call(nn_sequential, lapply(1:25, function(i) nn_linear(1024, 1024)))
  jit_save(jit_trace(layers$eval(), torch_randn(1, 1024), respect_mode = FALSE), large)
  compiled <- jit_compile("
    def empty(x):
      return x
    def containers(x: List[float], d: Dict[str, int], t: Tuple[Tensor, str]) -> Tuple[List[float], Dict[str, int], Tuple[Tensor, str]]:
      return x, d, t
  ")
  empty <- compiled$empty
  containers <- compiled$containers
  ten <- c(0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5)
  three <- list(one = 1, two = 2, three = 3)
  two <- list(x4, "two")
  # Its plan is made without autograd in view.
  for_inference <- jit_trace(model, torch_randn(1, 3))
  for_inference$eval()
  with_no_grad(jit_warmup(for_inference, row1))

  x10_1 <- torch_randn(10)
  mask <- x10_1 > 0
  target <- torch_randn(10)
  ten_tensors <- lapply(1:10, function(i) torch_randn(2, 2))
  table <- torch_randn(30, 4)
  nowhere <- file(nullfile(), "w")
  printed <- function(x) {
    sink(nowhere)
    print(x)
    sink()
  }

  whole <- sample.int(1e6)
  one <- torch_ones(1)
  small <- torch_randn(3, 4)
  # 40 MB.
  block <- torch_ones(1e7)
  mlp <- nn_module(
    initialize = function() {
      self$l1 <- nn_linear(3, 8)
      self$l2 <- nn_linear(8, 16)
      self$l3 <- nn_linear(16, 1)
    },
    forward = function(x) self$l3(torch_relu(self$l2(torch_relu(self$l1(x)))))
  )
  features <- torch_randn(1000, 3)
  answers <- torch_randn(1000, 1)
  items <- dataset(
    .getitem = function(i) list(x = features[i, ], y = answers[i]),
    .length = function() 1000
  )()

  fifty_layers <- do.call(nn_sequential, unlist(lapply(1:50, function(i) list(nn_linear(16, 16), nn_relu())), recursive = FALSE))
  rows16 <- torch_randn(8, 16)

  stepper <- function(make) {
    optimizer <- make(lapply(1:50, function(i) {
      p <- torch_randn(64, 64, requires_grad = TRUE)
      p$grad <- torch_randn(64, 64)
      p
    }))
    function() optimizer$step()
  }

  trainer <- function(model, x, y) {
    opt <- optim_adam(model$parameters)
    function() {
      opt$zero_grad()
      nnf_mse_loss(model(x), y)$backward()
      opt$step()
    }
  }
  backward_of <- function(model, x) {
    function() {
      out <- model(x)
      sum(if (is.list(out)) out[[1]] else out)$backward()
    }
  }
  conv_net <- function() {
    nn_sequential(
      nn_conv2d(1, 8, 3), nn_relu(), nn_max_pool2d(2), nn_conv2d(8, 16, 3), nn_relu(), nn_max_pool2d(2), nn_flatten(),
      nn_linear(400, 10)
    )
  }
  deep <- function() do.call(nn_sequential, unlist(lapply(1:50, function(i) list(nn_linear(8, 8), nn_relu()))))
  deep_net <- deep()
  stored <- tensor_dataset(torch_randn(10000, 10), torch_randn(10000))
  slow_items <- dataset(
    .getitem = function(i) {
      Sys.sleep(0.005)
      torch_full(16, i)
    },
    .length = function() 80
  )()
  image <- torch_randn(128, 128)
  large_items <- dataset(.getitem = function(i) image + i, .length = function() 1600)()
  ten_mb <- list(torch_randn(2621440))
  many <- lapply(stats::setNames(1:10000, paste0("t", 1:10000)), function(i) torch_randn(10))
  file <- tempfile()
  torch_save(ten_mb, ten_mb_file <- tempfile())
  torch_save(many, many_file <- tempfile())

  rows <- list(
    add_operator = list(work = function() x2 + y2, says = "`x + y`, 2×2 float", n = 20000, goal = 1.75),
    add_function = list(work = function() torch_add(x2, y2), says = "`torch_add(x, y)`", n = 20000, goal = 1.5),
    add_method = list(work = function() x2$add(y2), says = "`x$add(y)`", n = 20000, goal = 2.2),
    relu = list(work = function() torch_relu(x2), says = "`torch_relu(x)`", n = 20000, goal = 1.5),
    matmul_small = list(work = function() torch_matmul(x10, y10), says = "`torch_matmul(x, y)`, 10×10", n = 20000, goal = 1.5),
    as_array_small = list(work = function() as_array(x4), says = "`as_array(x)` of 4 numbers", n = 20000, goal = 2),
    from_doubles = list(work = function() torch_tensor(doubles), says = "1e6 doubles to float32", n = 50, goal = 1.2),
    to_doubles = list(work = function() as_array(floats), says = "1e6 float32 to doubles", n = 50, goal = 1.2),
    from_doubles_64 = list(
      work = function() torch_tensor(doubles, dtype = "double"), says = "1e6 doubles to float64", n = 50, goal = 1.2
    ),
    from_integers = list(work = function() torch_tensor(whole), says = "1e6 integers to int64", n = 50, goal = 1.5),
    zeros = list(work = function() torch_zeros(3), says = "`torch_zeros(3)`", n = 20000, goal = 3),
    randn = list(work = function() torch_randn(10, 10), says = "`torch_randn(10, 10)`", n = 20000, goal = 3),
    shape = list(work = function() x2$shape, says = "`x$shape`", n = 20000, goal = 3),
    item = list(work = function() one$item(), says = "`x$item()`", n = 20000, goal = 3),
    as_numeric = list(work = function() as.numeric(one), says = "`as.numeric(x)` of one number", n = 20000, goal = 3),
    matmul_1024 = list(work = function() torch_matmul(big_x, big_y), says = "matmul 1024²", n = 5, goal = 1.05),
    forward_backward = list(
      work = function() nnf_mse_loss(net(x32), y32)$backward(),
      says = "forward + backward, two-layer net, 32 rows", n = 500, goal = 1.5
    ),
    epoch_1 = list(work = epoch(1), says = "epoch of the blog's training, batch size 1", n = 1, goal = 1),
    epoch_32 = list(work = epoch(32), says = "epoch of the blog's training, batch size 32", n = 3, goal = 1),
    compiled_epoch_32 = list(
      work = compiled_epoch(), says = "epoch of the blog's training, batch size 32, compiled", n = 10, goal = 0.15
    ),
    compiled_step_0 = list(
      work = compiled_step(0), says = "compiled step of a linear model, 32 rows, SGD", n = 1000, goal = 0.7
    ),
    compiled_step_4 = list(
      work = compiled_step(4), says = "compiled step of an MLP of 4 hidden layers, 32 rows, SGD", n = 1000, goal = 0.5
    ),
    compiled_step_8 = list(
      work = compiled_step(8), says = "compiled step of an MLP of 8 hidden layers, 32 rows, SGD", n = 1000, goal = 0.5
    ),
    traced_forward = list(work = function() traced(row1), says = "traced forward of the blog's net", n = 2000, goal = 1.2),
    load_100mb = list(work = function() jit_load(large), says = "`jit_load(file)` of 100 MB", n = 10, goal = 1.1),
    empty_compiled = list(work = function() empty(x2), says = "empty compiled function, a tensor in and out", n = 20000, goal = 1),
    compiled_containers = list(
      work = function() containers(ten, three, two),
      says = "compiled function with list, dict, tuple in and out", n = 10000, goal = 1.5
    ),
    traced_mlp_no_grad = list(
      work = function() with_no_grad(for_inference(row1)), says = "traced MLP (3-8-16-1), one row, under `with_no_grad()`", n = 5000,
      goal = 1
    ),
    trace_deep = list(
      work = function() jit_trace(fifty_layers, rows16, check_trace = FALSE, respect_mode = FALSE), says = "`jit_trace()` of a 50-layer MLP",
      n = 10, goal = 2
    ),
    trace_long = list(
      work = function() jit_trace(thousand_steps, row1, check_trace = FALSE), says = "`jit_trace()` of 1,000 operators", n = 10,
      goal = 0.6
    ),
    index_number = list(work = function() x10_1[1], says = "`x[1]`", n = 20000, goal = 2.4),
    index_row = list(work = function() x10[3, ], says = "`m[3, ]`", n = 20000, goal = 3),
    index_slice = list(work = function() x10[1, 2:3], says = "`m[1, 2:3]`", n = 20000, goal = 3),
    index_mask = list(work = function() x10_1[mask], says = "`x[mask]`", n = 10000, goal = 1.5),
    index_assign = list(work = function() target[1:2] <<- 0, says = "`x[1:2] <- 0`", n = 20000, goal = 3),
    cat_ten = list(work = function() torch_cat(ten_tensors), says = "`torch_cat()` of 10 tensors", n = 20000, goal = 2),
    sum_method = list(work = function() x10$sum(dim = 1), says = "`x$sum(dim = 1)`", n = 20000, goal = 2.5),
    view_method = list(work = function() x4$view(c(2, 2)), says = "`x$view(c(2, 2))`", n = 20000, goal = 2.5),
    sum_function = list(work = function() sum(x10), says = "`sum(x)`", n = 20000, goal = 2),
    many_alive = list(
      work = function() {
        all <- lapply(1:1e5, function(i) torch_neg(x2))
        rm(all)
        gc()
      },
      says = "1e5 tensors alive and freed", n = 1, goal = 2
    ),
    print_small = list(work = function() printed(small), says = "`print(x)`, 3×4", n = 500, goal = 1),
    print_rows = list(work = function() printed(table), says = "`print(x)` of 30 rows", n = 100, goal = 2),
    build_mlp = list(work = function() mlp(), says = "making an MLP of three layers", n = 200, goal = 3),
    dataloader_items = list(
      work = function() loop(for (b in dataloader(items, batch_size = 32)) NULL),
      says = "`dataloader()` of 1,000 items of a dataset with `.getitem` alone, batches of 32", n = 3, goal = 3
    ),
    step_adam = list(
      work = stepper(optim_adam), says = "step of `optim_adam()`, 50 parameters of 64 × 64", n = 200, goal = 1
    ),
    step_sgd = list(
      work = stepper(function(p) optim_sgd(p, lr = 1e-5, momentum = 0.9)),
      says = "step of `optim_sgd()` with momentum, the same", n = 200, goal = 1
    ),
    step_rmsprop = list(
      work = stepper(optim_rmsprop), says = "step of `optim_rmsprop()`, the same", n = 200, goal = 1
    ),
    mlp_step = list(
      work = trainer(mlp(), torch_randn(32, 3), torch_randn(32, 1)),
      says = "forward, backward and Adam step of an MLP, 32 rows", n = 100, goal = 1
    ),
    conv_step = list(
      work = trainer(conv_net(), torch_randn(64, 1, 28, 28), torch_randn(64, 10)),
      says = "the same of a convolutional net, 64 images of 28 × 28", n = 5, goal = 1.05
    ),
    lstm = list(
      work = backward_of(nn_lstm(16, 32), torch_randn(50, 8, 16)), says = "LSTM, 50 steps, forward and backward", n = 10, goal = 1.05
    ),
    transformer = list(
      work = backward_of(nn_transformer_encoder_layer(64, 4, 128, dropout = 0, batch_first = TRUE), torch_randn(32, 20, 64)),
      says = "layer of a transformer's encoder, 32 × 20 × 64, forward and backward", n = 10, goal = 1.05
    ),
    tensor_dataset = list(
      work = function() loop(for (b in dataloader(stored, batch_size = 64)) NULL),
      says = "one pass over a `tensor_dataset()` of 10,000 rows in batches of 64", n = 5, goal = 0.3
    ),
    workers_slow_items = list(
      work = function() loop(for (b in dataloader(slow_items, batch_size = 4, num_workers = 2)) NULL),
      says = "`dataloader()` with 2 workers, 80 items that take 5 ms each, batches of 4", n = 1, goal = 1.1
    ),
    workers_large_batches = list(
      work = function() loop(for (b in dataloader(large_items, batch_size = 16, num_workers = 2)) NULL),
      says = "`dataloader()` with 2 workers, 100 batches of 1 MB", n = 1, goal = 1.3
    ),
    build_deep = list(work = function() deep(), says = "making an MLP of 50 layers", n = 20, goal = 2),
    state_dict = list(
      work = function() deep_net$load_state_dict(deep_net$state_dict()), says = "its `state_dict()` and `load_state_dict()`", n = 50, goal = 2
    ),
    save_large = list(work = function() torch_save(ten_mb, file), says = "`torch_save()` of 10 MB", n = 5, goal = 1),
    load_large = list(work = function() torch_load(ten_mb_file), says = "`torch_load()` of 10 MB", n = 10, goal = 1),
    save_many = list(work = function() torch_save(many, file), says = "`torch_save()` of 10,000 small tensors", n = 1, goal = 1.5),
    load_many = list(work = function() torch_load(many_file), says = "`torch_load()` of 10,000 small tensors", n = 1, goal = 1.5),
    temporaries = list(
      work = function() for (i in 1:10) y <- block * 2 + 1, says = "10 times `x * 2 + 1` of 40 MB", n = 1, goal = 3
    )
  )
  # As around a user's function: R goes through every variable of every frame on its way to a function of a package, and
  # here are more than fifty.
  here <- environment()
  lapply(rows, function(row) {
    if (!identical(environment(row$work), here)) return(row)
    used <- intersect(all.names(body(row$work)), ls(here))
    environment(row$work) <- list2env(mget(used, here), parent = globalenv())
    row
  })
}
