test_that("containers of modules are as lists of them", {
  skip_if_no_torch()
  layers <- list(nn_linear(1, 2), nn_relu(), nn_linear(2, 3))
  made <- list(
    nn_sequential(layers[[1]], layers[[2]], layers[[3]]), nn_module_list(layers),
    nn_module_dict(list(a = layers[[1]], b = layers[[2]], c = layers[[3]]))
  )
  for (container in made) {
    expect_length(container, 3)
    expect_identical(unname(as.list(container)), layers)
    expect_identical(unname(lapply(container, class)), lapply(layers, class))
    expect_identical(container[[2]], layers[[2]])
    expect_identical(unname(as.list(container[-2])), layers[-2])
    expect_s3_class(container[2:3], class(container)[1])
    seen <- list()
    loop(for (module in container) seen <- c(seen, list(module)))
    expect_identical(seen, layers)
    seen <- list()
    for (module in as.list(container)) seen <- c(seen, list(module))
    expect_identical(unname(seen), layers)
    expect_equal(unname(vapply(container, function(m) length(m$parameters), 1L)), c(2L, 0L, 2L))
    expect_equal(unname(Map(function(m, i) i, container, 1:3)), list(1L, 2L, 3L))
  }
  expect_identical(as.list(rev(made[[2]])), rev(layers))
  expect_null(names(made[[1]]))
  expect_equal(names(made[[3]]), c("a", "b", "c"))
  expect_equal(names(lapply(made[[3]], class)), c("a", "b", "c"))
  named <- nn_sequential(first = layers[[1]], second = layers[[3]])
  expect_equal(names(named), c("first", "second"))
  expect_equal(names(named[2]$children), "second")
  # A module that is no container gives its children.
  net <- nn_module("net", initialize = function() self$layer <- layers[[1]])()
  expect_identical(as.list(net), list(layer = layers[[1]]))
  expect_snapshot(error = TRUE, {
    made[[1]][[4]]
    made[[2]][[0]]
    made[[3]][[1:2]]
    made[[1]][[character()]]
    made[[1]][[c("0", "1")]]
    made[[1]][[NULL]] <- nn_relu()
  })
})

test_that("containers hold modules in order", {
  skip_if_no_torch()
  model <- nn_sequential(nn_linear(2, 3), act = nn_relu(), nn_linear(3, 1))
  expect_named(model$children, c("0", "act", "2"))
  expect_length(model, 3)
  x <- torch_randn(4, 2)
  expect_equal(as_array(model(x)), as_array(model[[3]](nnf_relu(model[[1]](x)))))
  expect_equal(as_array(model[1:2](x)), as_array(nnf_relu(model[[1]](x))))
  expect_length(nn_prune_head(model, 2), 1)
  expect_length(nn_prune_head(net(3)), 1)
  expect_error(nn_prune_head(model, 3), class = "value_error")

  modules <- nn_module_list(list(nn_relu()))
  modules$append(nn_tanh())
  modules$insert(2, nn_sigmoid())
  modules$extend(list(nn_linear(1, 1)))
  expect_identical(
    vapply(as.list(modules), function(m) class(m)[[1]], ""), c("nn_relu", "nn_sigmoid", "nn_tanh", "nn_linear")
  )
  expect_named(modules$parameters, c("3.weight", "3.bias"))
  expect_length(modules, 4)

  dict <- nn_module_dict(list(a = nn_linear(1, 1), b = nn_relu()))
  expect_named(dict$children, c("a", "b"))
  expect_error(nn_module_dict(list(nn_relu())), class = "value_error")
})

test_that("a list of modules is a list, or a container", {
  skip_if_no_torch()
  expect_error(nn_module_list(nn_linear(1, 1)), "`modules` must be a list of modules, not an nn_module", class = "type_error")
  expect_error(nn_module_list()$extend(1), "`modules` must be a list of modules", class = "type_error")
  both <- nn_module_list(nn_sequential(nn_relu(), nn_tanh()))
  expect_length(both, 2)
  for (at in list(0, 4, 1.5, NA, "a")) expect_error(both$insert(at, nn_relu()), "`index` must be a position from 1 to 3", class = "value_error")
  expect_error(both[3], "The module has 2 children: `i` must hold positions", class = "value_error")
  expect_error(nn_sequential(nn_relu())["a"], "The module has 1 child", class = "value_error")
  expect_length(both[-1], 1)
})

test_that("modules are put in and taken out as PyTorch does it", {
  skip_if_no_torch()
  theirs <- python_eval("
import torch.nn as nn
def names(m): return [n + ' ' + type(c).__name__ for n, c in m.named_children()]
result = []
for make in [lambda x: nn.Sequential(*x), nn.ModuleList]:
  m = make([nn.ReLU(), nn.Tanh()])
  m.append(nn.Sigmoid()); result.append(names(m))
  m.insert(1, nn.Identity()); result.append(names(m))
  m.extend(make([nn.SiLU(), nn.ELU()])); result.append(names(m))
  result.append([type(m.pop(-1)).__name__, type(m.pop(0)).__name__]); result.append(names(m))
d = nn.ModuleDict({'a': nn.ReLU(), 'b': nn.Tanh()})
d.update({'b': nn.ELU(), 'c': nn.SiLU()}); result.append(names(d))
result.append([type(d.pop('a')).__name__]); result.append(names(d))
d.clear(); result.append(['none'] + names(d))
")
  class_name <- function(m) {
    c(nn_relu = "ReLU", nn_tanh = "Tanh", nn_sigmoid = "Sigmoid", nn_identity = "Identity", nn_silu = "SiLU", nn_elu = "ELU")[[class(m)[1]]]
  }
  names_of <- function(m) paste(names(m$children), vapply(m$children, class_name, ""))
  ours <- list()
  note <- function(x) ours[[length(ours) + 1L]] <<- x
  for (make in list(function(x) nn_sequential(!!!x), nn_module_list)) {
    m <- make(list(nn_relu(), nn_tanh()))
    m$append(nn_sigmoid())
    note(names_of(m))
    m$insert(2, nn_identity())
    note(names_of(m))
    m$extend(make(list(nn_silu(), nn_elu())))
    note(names_of(m))
    note(c(class_name(m$pop()), class_name(m$pop(1))))
    note(names_of(m))
  }
  d <- nn_module_dict(list(a = nn_relu(), b = nn_tanh()))
  d$update(list(b = nn_elu(), c = nn_silu()))
  note(names_of(d))
  note(class_name(d$pop("a")))
  note(names_of(d))
  d$clear()
  note(c("none", names(d$children)))
  expect_identical(ours, lapply(theirs, as.character))
})

test_that("containers keep names, order and what they hold when children come and go", {
  skip_if_no_torch()
  model <- nn_sequential(nn_linear(2, 3), act = nn_relu(), nn_linear(3, 1))
  expect_s3_class(model$insert(1, nn_identity()), "nn_sequential")
  expect_named(model$children, c("0", "1", "act", "3"))
  expect_s3_class(model$pop(3), "nn_relu")
  expect_named(model$parameters, c("1.weight", "1.bias", "2.weight", "2.bias"))
  x <- torch_ones(1, 2)
  expect_equal(as_array(model(x)), as_array(model[[3]](model[[2]](x))))
  # A failed call leaves everything as it was.
  expect_error(model$insert(1, "layer"), class = "type_error")
  expect_length(model, 3)
  # The methods give way to children of their names, in classes that inherit and that ask for them, too.
  dict <- nn_module_dict(list(update = nn_relu(), keys = nn_tanh()))
  expect_s3_class(dict$update, "nn_relu")
  expect_s3_class(dict$pop("update"), "nn_relu")
  expect_type(dict$update, "closure")
  own <- nn_module("own", nn_module_dict, initialize = function() super$initialize(list()), add = function(x) self$update(list(x = x)))
  made <- own()
  made$add(nn_relu())
  expect_named(made$children, "x")
  expect_null(nn_linear(1, 1)$clear)
  expect_snapshot(error = TRUE, {
    model$pop(4)
    nn_module_list()$pop()
    dict$pop("none")
    dict$update(list(nn_relu()))
  })
})

test_that("what only has the class of a container is refused", {
  skip_if_no_torch()
  for (class in list("nn_sequential", c("nn_sequential", "nn_module"), "nn_module_list", c("nn_module_list", "nn_module"))) {
    forged <- structure(list(1), class = class)
    for (use in list(length, names, rev, function(x) x[1])) {
      expect_error(use(forged), "has the class of a module, but is none", class = "type_error", info = toString(class))
    }
  }
  for (forged in list(structure(list(1), class = c("nn_module", "R7")), structure(function(x) x, class = "nn_module"))) {
    for (use in list(print, summary)) expect_error(use(forged), "has the class of a module, but is none", class = "type_error")
  }
})
