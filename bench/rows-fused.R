# Fused programs against PyTorch's eager operators, and compiled modules against PyTorch's frozen ones.

# What is compared with PyTorch's frozen modules.
fused_modules <- function() {
  mlp <- nn_sequential(nn_linear(10, 64), nn_relu(), nn_linear(64, 64), nn_relu(), nn_linear(64, 1))
  cell <- nn_module(
    initialize = function() {
      self$input <- nn_linear(16, 128)
      self$hidden <- nn_linear(32, 128)
    },
    forward = function(x, h, c) {
      gates <- (self$input(x) + self$hidden(h))$chunk(4, 2)
      state <- torch_sigmoid(gates[[2]]) * c + torch_sigmoid(gates[[1]]) * torch_tanh(gates[[3]])
      list(torch_sigmoid(gates[[4]]) * torch_tanh(state), state)
    }
  )()
  block <- nn_module(
    initialize = function() {
      for (name in c("q", "k", "v", "o")) self[[name]] <- nn_linear(64, 64)
      self$norm1 <- nn_layer_norm(64)
      self$norm2 <- nn_layer_norm(64)
      self$wide <- nn_linear(64, 256)
      self$narrow <- nn_linear(256, 64)
    },
    forward = function(x) {
      y <- self$norm1(x)
      heads <- function(z) z$view(c(8, 20, 4, 16))$transpose(2, 3)
      scores <- torch_matmul(heads(self$q(y)), heads(self$k(y))$transpose(3, 4)) / 4
      z <- torch_matmul(nnf_softmax(scores, -1), heads(self$v(y)))$transpose(2, 3)$reshape(c(8, 20, 64))
      x <- x + self$o(z)
      x + self$narrow(nnf_gelu(self$wide(self$norm2(x))))
    }
  )()
  list(
    mlp = list(mlp, torch_randn(32, 10)),
    cell = list(cell, torch_randn(32, 16), torch_randn(32, 32), torch_randn(32, 32)),
    block = list(block, torch_randn(8, 20, 64))
  )
}

fused_rows <- function() {
  chain <- function(x) {
    y <- torch_tanh(x * 2 + 1)
    z <- y^2 / 3
    torch_tanh(z * 1.5 - 0.5) * y + z - torch_sigmoid(y)
  }
  adam <- function(p, g, m, v) {
    m <- m * 0.9 + g * 0.1
    v <- v * 0.999 + g * g * 0.001
    list(p - 0.001 * (m / 0.1) / (torch_sqrt(v / 0.001) + 1e-8), m, v)
  }
  likelihood <- function(x, mu, log_sigma) torch_sum(-0.5 * ((x - mu) / torch_exp(log_sigma))^2 - log_sigma - 0.9189385)
  by_hand <- list(
    gelu = function(x) 0.5 * x * (1 + torch_tanh(0.7978845608 * (x + 0.044715 * x^3))),
    softmax = function(x) {
      e <- torch_exp(x - torch_amax(x, 2, TRUE))
      e / torch_sum(e, 2, TRUE)
    },
    layer_norm = function(x) {
      d <- x - torch_mean(x, 2, TRUE)
      d / torch_sqrt(torch_mean(d * d, 2, TRUE) + 1e-5)
    }
  )
  warm <- function(f, ...) {
    arguments <- list(...)
    traced <- jit_trace(f, ...)
    jit_warmup(traced, ...)
    function() do.call(traced, arguments)
  }
  frozen <- lapply(fused_modules(), function(it) {
    it[[1]]$eval()
    run <- do.call(warm, it)
    function() with_no_grad(run())
  })
  row <- function(work, says, n, goal) list(work = work, says = says, n = n, goal = goal)
  large <- torch_randn(1e6)
  square <- torch_randn(1000, 1000)
  leaf <- torch_randn(1e6, requires_grad = TRUE)
  traced <- jit_trace(chain, torch_randn(10))
  jit_warmup(traced, leaf)
  result <- traced(leaf)
  above <- torch_randn(1e6)
  scores <- torch_randn(256, 1000, requires_grad = TRUE)
  classes <- torch_randint(1, 1001, 256, dtype = torch_long())
  entropy <- warm(nnf_cross_entropy, scores, classes)
  list(
    fused_chain_16 = row(warm(chain, torch_randn(16)), "12 operators fused, 16 numbers", 5000, 0.3),
    fused_chain_1000 = row(warm(chain, torch_randn(1000)), "12 operators fused, 1,000 numbers", 5000, 0.3),
    fused_chain = row(warm(chain, large), "12 operators fused, 1e6 numbers", 20, 0.1),
    fused_backward = row(function() autograd_grad(result, leaf, above, retain_graph = TRUE), "their gradient", 20, 0.2),
    fused_gelu = row(warm(by_hand$gelu, large), "GELU (tanh) written out, 1e6 numbers", 20, 0.33),
    fused_softmax = row(warm(by_hand$softmax, square), "softmax written out, 1000×1000", 20, 0.33),
    fused_layer_norm = row(warm(by_hand$layer_norm, square), "layer norm written out, 1000×1000", 20, 0.33),
    fused_adam = row(warm(adam, large, torch_randn(1e6), torch_randn(1e6), torch_rand(1e6)), "Adam's update of 1e6 numbers", 10, 0.33),
    fused_likelihood = row(
      warm(likelihood, large, torch_tensor(0.1), torch_tensor(0.2)), "normal log-likelihood of 1e6 numbers", 20, 0.33
    ),
    fused_entropy = row(
      function() autograd_grad(entropy(), scores), "cross entropy of 256×1000 scores, forward and backward", 100, 0.5
    ),
    frozen_mlp = row(frozen$mlp, "traced MLP (10-64-64-1), 32 rows, against a frozen one", 5000, 0.9),
    frozen_cell = row(frozen$cell, "traced LSTM cell, 32 rows, 32 units, against a frozen one", 5000, 0.7),
    frozen_block = row(frozen$block, "traced transformer block, 8×20×64, against a frozen one", 500, 0.9)
  )
}
