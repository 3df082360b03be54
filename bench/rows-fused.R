# Fused programs against PyTorch's eager operators, and compiled modules against PyTorch's frozen ones.

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
  row <- function(work, says, n, goal) list(work = work, says = says, n = n, goal = goal)
  large <- torch_randn(1e6)
  square <- torch_randn(1000, 1000)
  leaf <- torch_randn(1e6, requires_grad = TRUE)
  traced <- jit_trace(chain, torch_randn(10))
  jit_warmup(traced, leaf)
  result <- traced(leaf)
  above <- torch_randn(1e6)
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
    )
  )
}
