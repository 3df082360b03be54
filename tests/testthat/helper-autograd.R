# A power whose derivative is an R function.
cube <- function() {
  autograd_function(
    forward = function(ctx, x, n = 3) {
      ctx$save_for_backward(x = x, n = n)
      x^n
    },
    backward = function(ctx, grad) {
      s <- ctx$saved_variables
      list(x = grad * s$n * s$x^(s$n - 1))
    }
  )
}
