# Work on a GPU, R beside the PyTorch of the same LibTorch: `Rscript bench/gpu.R`. Where PyTorch is not beside LibTorch, the
# environment variable PYTHON names a Python that has it. Medians of rounds, each of `n` calls up to cuda_synchronize(), in µs.

suppressMessages(library(torch))
if (!cuda_is_available()) stop("There is no CUDA device.")

device <- "cuda"
large <- torch_randn(2^24, device = device)
square <- torch_randn(4096, 4096, device = device)

chain <- function(x) {
  y <- torch_tanh(x * 2 + 1)
  z <- y^2 / 3
  torch_tanh(z * 1.5 - 0.5) * y + z - torch_sigmoid(y)
}
gelu <- function(x) 0.5 * x * (1 + torch_tanh(0.7978845608 * (x + 0.044715 * x^3)))
softmax <- function(x) {
  e <- torch_exp(x - torch_amax(x, 2, TRUE))
  e / torch_sum(e, 2, TRUE)
}
adam <- function(p, g, m, v) {
  m <- m * 0.9 + g * 0.1
  v <- v * 0.999 + g * g * 0.001
  list(p - 0.001 * (m / 0.1) / (torch_sqrt(v / 0.001) + 1e-8), m, v)
}
recurrent <- function(x) {
  h <- torch_zeros_like(x)
  for (i in 1:100) h <- torch_tanh(h * 0.5 + x)
  h
}
mlp <- function(hidden) {
  layers <- list(nn_linear(10, 64), nn_relu())
  for (i in seq_len(hidden)) layers <- c(layers, nn_linear(64, 64), nn_relu())
  model <- do.call(nn_sequential, c(layers, nn_linear(64, 1)))
  model$cuda()
  model
}
convolutions <- function() {
  model <- nn_sequential(
    nn_conv2d(1, 8, 3), nn_relu(), nn_max_pool2d(2), nn_conv2d(8, 16, 3), nn_relu(), nn_max_pool2d(2), nn_flatten(),
    nn_linear(400, 10)
  )
  model$cuda()
  model
}

# Gives a function that compiles: how a program runs is decided when it runs first.
traced <- function(f, ...) {
  arguments <- list(...)
  function() {
    g <- jit_trace(f, ...)
    function() do.call(g, arguments)
  }
}
# The loop that users write, and one call for the same.
by_loop <- function(model, loss, x, y) {
  optimizer <- optim_adam(model$parameters, lr = 1e-3)
  function() {
    optimizer$zero_grad()
    loss(model(x), y)$backward()
    optimizer$step()
  }
}
by_step <- function(model, loss, x, y) {
  step <- jit_train_step(model, loss, optim_adam(model$parameters, lr = 1e-3))
  function() step(x, y)
}
rows_x <- torch_randn(32, 10, device = device)
rows_y <- torch_randn(32, 1, device = device)
images <- torch_randn(64, 1, 28, 28, device = device)
labels <- torch_randint(1, 11, 64, dtype = torch_long(), device = device)
vector <- torch_randn(1000, device = device)
small <- torch_randn(2, 2, device = device)

# name: calls a round, R eager, and what compiles it; PyTorch's by the same name in gpu.py.
rows <- list(
  add = list(2000, function() small + small, NULL),
  chain = list(50, function() chain(large), traced(chain, large)),
  gelu = list(50, function() gelu(large), traced(gelu, large)),
  softmax = list(50, function() softmax(square), traced(softmax, square)),
  adam = list(50, function() adam(large, large, large, large), traced(adam, large, large, large, large)),
  recurrent = list(20, function() recurrent(vector), function() {
    script <- jit_script(recurrent, vector)
    function() script(vector)
  }),
  mlp_forward = list(500, local({
    m <- mlp(1)
    function() with_no_grad(m(rows_x))
  }), function() {
    m <- traced(mlp(1), rows_x)()
    function() with_no_grad(m())
  }),
  mlp_step = list(
    200, by_loop(mlp(4), nnf_mse_loss, rows_x, rows_y), function() by_step(mlp(4), nnf_mse_loss, rows_x, rows_y)
  ),
  conv_step = list(100, by_loop(convolutions(), nnf_cross_entropy, images, labels), function() {
    by_step(convolutions(), nnf_cross_entropy, images, labels)
  })
)

took <- function(f, n) {
  for (i in seq_len(max(5, n %/% 5))) f()
  cuda_synchronize()
  1e6 * stats::median(vapply(1:7, function(round) {
    began <- Sys.time()
    for (i in seq_len(n)) f()
    cuda_synchronize()
    as.numeric(difftime(Sys.time(), began, units = "secs")) / n
  }, 0))
}

python <- Sys.getenv("PYTHON", "python3")
# Not with the library path that R sets: there may be another LibTorch.
theirs <- jsonlite::fromJSON(system2(python, "bench/gpu.py", stdout = TRUE, env = "LD_LIBRARY_PATH="))
cat(sprintf("%s, LibTorch %s\n\n", R.version.string, torch:::libtorch_find()$version))
cat("| work | R | R compiled | without fusion | PyTorch | PyTorch traced |\n|---|---|---|---|---|---|\n")
for (name in names(rows)) {
  row <- rows[[name]]
  compiled <- function() if (is.null(row[[3]])) NA else took(row[[3]](), row[[1]])
  figures <- c(took(row[[2]], row[[1]]), compiled(), with_jit_fusion(NULL, cuda = FALSE, compiled()), unlist(theirs[[name]]))
  cat("|", paste(c(name, ifelse(is.na(figures), "–", formatC(figures, digits = 1, format = "f"))), collapse = " | "), "|\n")
}
