test_that("Adam and AdamW step as those of PyTorch", {
  skip_if_no_torch()
  expect_steps_of_pytorch(list(
    "Adam([w, b], lr=0.1)" = function(p) optim_adam(p, lr = 0.1),
    "Adam([w, b], lr=0.1, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1, amsgrad=True)" = function(p) {
      optim_adam(p, lr = 0.1, betas = c(0.8, 0.9), eps = 1e-3, weight_decay = 0.1, amsgrad = TRUE)
    },
    "AdamW([w, b], lr=0.1, weight_decay=0.2)" = function(p) optim_adamw(p, lr = 0.1, weight_decay = 0.2),
    "Adam([{'params': [w], 'lr': 0.2}, {'params': [b]}], lr=0.1)" = function(p) {
      optim_adam(list(list(params = p$w, lr = 0.2), list(params = list(p$b))), lr = 0.1)
    }
  ))
})

test_that("plain numbers as step counts are taken", {
  skip_if_no_torch()
  params <- problem()
  opt <- optim_adam(params$w)
  params$w$sum()$backward()
  opt$step()
  state <- opt$state_dict()
  state$state[["1"]]$step <- 1
  opt$load_state_dict(state)
  opt$step()
  expect_equal(opt$state_dict()$state[["1"]]$step$item(), 2)
})
