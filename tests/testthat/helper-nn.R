# A module that several tests use.
net <- nn_module(
  "net",
  initialize = function(inputs, hidden = 4) {
    self$hidden <- nn_linear(inputs, hidden)
    self$output <- nn_linear(hidden, 1)
    self$scale <- nn_buffer(torch_ones(1))
    self$offset <- nn_parameter(torch_zeros(1))
    self$plain <- torch_ones(2)
  },
  forward = function(x) {
    self$output(nnf_relu(self$hidden(x))) * self$scale + self$offset
  }
)
