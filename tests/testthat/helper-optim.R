# A few steps on a fixed problem; the parameters after each step, flat.
problem <- function() {
  list(
    w = torch_tensor(matrix(c(0.5, -1, 2, 0.3, -0.7, 1.1), 2), requires_grad = TRUE),
    b = torch_tensor(c(0.1, -0.2), requires_grad = TRUE)
  )
}

run_steps <- function(make, steps = 4) {
  params <- problem()
  opt <- make(params)
  x <- torch_tensor(matrix(c(1, 2, -1, 0.5, 3, 1), 2))
  lapply(seq_len(steps), function(i) {
    opt$zero_grad()
    ((nnf_linear(x, params$w, params$b) - i)^2)$sum()$backward()
    opt$step()
    unlist(lapply(params, function(p) as_array(p$detach()$flatten())), use.names = FALSE)
  })
}

python_steps <- function(optimizer, steps = 4) {
  python_eval(sprintf("
w = torch.tensor([[0.5, 2, -0.7], [-1, 0.3, 1.1]], requires_grad=True)
b = torch.tensor([0.1, -0.2], requires_grad=True)
x = torch.tensor([[1, -1, 3], [2, 0.5, 1]])
opt = torch.optim.%s
result = []
for i in range(1, %d):
  opt.zero_grad()
  ((torch.nn.functional.linear(x, w, b) - i) ** 2).sum().backward()
  opt.step()
  result.append([v for p in (w, b) for v in p.detach().flatten().tolist()])
", optimizer, steps + 1))
}

without_fused <- function(code) {
  known <- the$fused
  on.exit(the$fused <- known)
  the$fused <- as.list(set_names(
    rep(FALSE, 3), paste(c("adam", "adamw", "sgd"), as.character(torch_float()), "cpu")
  ))
  code
}

# `cases`: functions that make an optimiser, under the text that makes it in PyTorch.
expect_steps_of_pytorch <- function(cases) {
  for (case in names(cases)) {
    expected <- python_steps(case)
    expect_equal(do.call(rbind, run_steps(cases[[case]])), expected, tolerance = 1e-5, info = case)
    expect_equal(do.call(rbind, without_fused(run_steps(cases[[case]]))), expected, tolerance = 1e-5, info = case)
  }
}
