# The blog post on deploying a model without R, as one program: its code blocks in their order. Where the printed text
# is cut, what is missing stands again, marked `# restored`. Files go to tempfile(), coro::loop() is loop(), the device
# is the GPU only where there is one, and say() tells what is printed next.

library(torch)

device <- if (cuda_is_available()) "cuda" else "cpu"
# The figures are the same in each run.
set.seed(1)
torch_manual_seed(1)

say <- function(...) cat("", strwrap(paste(...), 100), sep = "\n")

# --- tracing a function ----------------------------------------------------------------------------------------------

f <- function(x) {
  torch_sum(x) # restored
} # restored

# call with example input tensor
f_t <- jit_trace(f, torch_tensor(c(2, 2)))

say("A function is traced: called once, while its tensor operations are written down. The result is a program:")
f_t # restored

say("It takes other shapes than the example had. The sum of 3 x 3 random numbers:")
f_t(torch_randn(c(3, 3)))

# --- control flow is not recorded ------------------------------------------------------------------------------------

f <- function(x) {
  if (as.numeric(torch_sum(x)) > 0) torch_tensor(1) else torch_tensor(2)
} # restored

say(
  "Decisions are not written down. Of `if (sum > 0) 1 else 2` the program has the branch that the example took, and",
  "torch warns:"
)
f_t <- jit_trace(f, torch_tensor(c(2, 2)))

say("So for a sum of -1 it says")
f_t(torch_tensor(-1)) # restored

# --- saving and loading ----------------------------------------------------------------------------------------------

function_file <- tempfile(fileext = ".pt")
jit_save(f_t, function_file)

f_t_new <- jit_load(function_file)
say("Saved to a file, loaded and asked again:")
f_t_new(torch_tensor(-1)) # restored

# --- the initial graph: constants are folded, what is not used is gone -----------------------------------------------

f <- function(x) {
  a <- 7
  b <- 11
  c <- 2
  d <- a + b + c
  e <- a + b + c + 25
  x + d
} # restored

f_t <- jit_trace(f, torch_tensor(0))
say("The graph of `x + 7 + 11 + 2`. R has done its arithmetic meanwhile, and what is not used is gone:")
f_t$graph # restored

# --- the graph after optimisation ------------------------------------------------------------------------------------

f <- function(x) {
  m1 <- torch_eye(5, device = device)
  x <- x$mul(m1)

  m2 <- torch_arange(start = 1, end = 25, device = device)$view(c(5, 5))
  x <- x$add(m2)
  x <- torch_relu(x)
  x$matmul(m2) # restored
} # restored

v <- jit_trace(f, torch_eye(5, device = device))

say(
  "LibTorch's plan of four operations on matrices, made while they ran. The two matrices that the function makes are",
  "constants now:"
)
v$graph_for(torch_eye(5, device = device))

# --- a model ---------------------------------------------------------------------------------------------------------

net <- nn_module(
  initialize = function() {
    self$l1 <- nn_linear(3, 8)
    self$l2 <- nn_linear(8, 16)
    self$l3 <- nn_linear(16, 1)
    self$d1 <- nn_dropout(0.2)
    self$d2 <- nn_dropout(0.2)
  }, # restored
  forward = function(x) {
    x %>%
      self$l1() %>%
      nnf_relu() %>%
      self$d1() %>%
      self$l2() %>%
      nnf_relu() %>%
      self$d2() %>%
      self$l3() # restored
  } # restored
) # restored

train_model <- net()

# --- training on a toy data set --------------------------------------------------------------------------------------

toy_dataset <- dataset(
  name = "toy_dataset",
  initialize = function(input_dim, n) {
    # Changes nothing: `df` is here R's density of the F distribution.
    df <- na.omit(df)
    self$x <- torch_randn(n, input_dim)
    self$y <- self$x[, 1, drop = FALSE] * 0.2 -
      self$x[, 2, drop = FALSE] * 1.3 -
      self$x[, 3, drop = FALSE] * 0.5 +
      torch_randn(n, 1)
  }, # restored
  .getitem = function(i) {
    list(x = self$x[i, ], y = self$y[i])
  }, # restored
  .length = function() {
    self$x$size(1) # restored
  } # restored
) # restored

input_dim <- 3
n <- 1000

train_ds <- toy_dataset(input_dim, n)

train_dl <- dataloader(train_ds, shuffle = TRUE)

optimizer <- optim_adam(train_model$parameters, lr = 0.001)
num_epochs <- 10

train_batch <- function(b) {
  optimizer$zero_grad() # restored
  output <- train_model(b$x)
  target <- b$y
  loss <- nnf_mse_loss(output, target)
  loss$backward() # restored
  optimizer$step() # restored
  loss$item() # restored
} # restored

say(
  "A network of three layers learns 0.2 a - 1.3 b - 0.5 c from 1000 rows with noise. The noise has variance 1, and no",
  "loss can be lower for long:"
)
for (epoch in 1:num_epochs) {
  train_loss <- c()
  loop(for (b in train_dl) {
    loss <- train_batch(b)
    train_loss <- c(train_loss, loss)
  }) # restored
  cat(sprintf("Epoch: %d, loss: %3.4f\n", epoch, mean(train_loss)))
} # restored

# --- tracing in eval mode, saving ------------------------------------------------------------------------------------

train_model$eval() # restored

train_model <- jit_trace(train_model, torch_tensor(c(1.2, 3, 0.1)))

model_file <- tempfile(fileext = ".pt")
jit_save(train_model, model_file)

# --- the prediction that a program without R gives as well: predict.py, cpp/predict.cpp ------------------------------

deploy_model <- jit_load(model_file)
say("The trained network from its file, for (1, 1, 1). Without noise the answer would be -1.6:")
deploy_model(torch_tensor(c(1, 1, 1)))
