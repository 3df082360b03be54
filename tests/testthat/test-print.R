numbers <- dataset(
  "numbers",
  initialize = function(n, scale = 2) {
    self$n <- n
    self$scale <- scale
    self$values <- torch_arange(1, n)
  },
  .getitem = function(i) self$values[i],
  .length = function() self$n
)

test_that("datasets, samplers, data loaders, iterators and optimisers say what they are and hold", {
  skip_if_no_torch()
  loader <- dataloader(numbers(5), batch_size = 2, shuffle = TRUE, drop_last = TRUE)
  nameless <- dataset(.getitem = function(i) i)
  net <- nn_linear(3, 8)
  groups <- list(list(params = list(net$weight)), list(params = list(net$bias), lr = 0.1))
  expect_snapshot({
    print(numbers(5))
    print(tensor_dataset(x = torch_ones(5, 3), y = torch_ones(5)))
    print(dataset_subset(numbers(5), 2:3))
    print(nameless())
    print(iterable_dataset("stream", .iter = function() as_iterator(1:3))())
    print(loader)
    print(dataloader(numbers(1)))
    print(loader$sampler)
    print(loader$batch_sampler)
    print(dataloader_make_iter(loader))
    print(as_iterator(1:3))
    print(sampler("mine", .iter = function() as_iterator(1:3)))
    print(sampler("mine", .iter = function() as_iterator(1:3))())
    print(optim_adam(net$parameters, lr = 0.01))
    print(optim_sgd(groups, lr = 1, momentum = 0.9))
    print(cuda_amp_grad_scaler())
    print(slc(1, 5, 2))
  })
})

test_that("a print method that a class has itself comes first", {
  skip_if_no_torch()
  own <- dataset("own", print = function(...) cat("mine\n"), .length = function() 1)
  expect_output(print(own()), "^mine$")
})

test_that("what R read back without its memory is printed as such", {
  skip_if_no_torch()
  again <- dead_copy
  model <- nn_sequential(nn_linear(2, 2), nn_relu())
  unit <- jit_compile("def f(x):\n    return x\n")
  expect_output(print(again(model)), "unknown parameters")
  expect_output(print(again(jit_trace(model, torch_ones(1, 2)))), "<script_module> dead", fixed = TRUE)
  expect_output(print(again(jit_trace(function(x) x, torch_ones(1)))), "<script_function> dead", fixed = TRUE)
  expect_output(print(again(unit$f$graph)), "<torch_graph> dead", fixed = TRUE)
  expect_output(print(again(unit)), "<torch_compilation_unit> dead", fixed = TRUE)
  expect_identical(format(again(torch_ones(1))), "<dead tensor>")
})

test_that("values are described in a line", {
  skip_if_no_torch()
  values <- list(
    torch_ones(2, 3), nn_linear(2, 3), mean, 1:3, 1:20, "a", NULL, list(), list(a = 1, 2), as.list(1:9), mtcars, globalenv(),
    list(torch_ones(2), list(torch_ones(3))), strrep("long ", 40)
  )
  text <- vapply(values, describe_value, "")
  expect_snapshot(cat(text, sep = "\n"))
  expect_true(all(nchar(text) <= 60))
})
