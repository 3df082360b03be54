test_that("gradient descent steps as PyTorch's", {
  skip_if_no_torch()
  expect_steps_of_pytorch(list(
    "SGD([w, b], lr=0.01)" = function(p) optim_sgd(p, lr = 0.01),
    "SGD([w, b], lr=0.01, momentum=0.9, dampening=0.1, weight_decay=0.1)" = function(p) {
      optim_sgd(p, lr = 0.01, momentum = 0.9, dampening = 0.1, weight_decay = 0.1)
    },
    "SGD([w, b], lr=0.01, momentum=0.9, nesterov=True)" = function(p) {
      optim_sgd(p, lr = 0.01, momentum = 0.9, nesterov = TRUE)
    }
  ))
})
