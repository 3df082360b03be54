again <- function(x) torch_load(torch_serialize(x))
size_of <- function(x) length(torch_serialize(x))
self_of <- function(module) attr(module, "module")
# `code` with another function of the package.
with_function <- function(name, f, code) {
  was <- get(name, asNamespace("torch"))
  on.exit(utils::assignInNamespace(name, was, "torch"))
  utils::assignInNamespace(name, f, "torch")
  code
}

test_that("the code of a class lies in a file once", {
  skip_if_no_torch()
  one <- size_of(nn_sequential(nn_linear(2, 1)))
  expect_lt(one, 60000)
  expect_lt(size_of(do.call(nn_sequential, lapply(1:21, function(i) nn_linear(2, 1)))) - one, 20 * 3000)
  block <- nn_module("block", initialize = function() self$a <- nn_linear(1, 1), forward = function(x) self$a(x), long = eval(parse(text = paste(
    "function() {", strrep("self$a; ", 2000), "}"
  ))))
  expect_lt(size_of(list(block(), block(), block())) - size_of(block()), 15000)
  expect_lt(size_of(nn_transformer(6, 2, 3, 3, 8)), 500000)
  optimizer <- size_of(optim_adam(nn_linear(1, 1)$parameters))
  expect_lt(optimizer, 110000)
})

test_that("what a module is made of is there again, each thing once", {
  skip_if_no_torch()
  shared <- new.env()
  shared$calls <- 0
  node <- nn_module("node",
    initialize = function(parent = NULL) {
      self$parent <- list(parent)
      self$layer <- nn_linear(2, 2)
      self$tables <- list(a = nn_linear(1, 1), b = list(nn_relu()))
      self$bound <- function(x) self$layer(x) + private$shift
      private$shift <- torch_ones(1)
      self$counter <- shared
    },
    forward = function(x) {
      self$counter$calls <- self$counter$calls + 1
      self$bound(x) * length(private$modules_)
    },
    private = list(shift = NULL, twice = function(x) 2 * x),
    active = list(half = function(value) self$layer$weight / 2)
  )
  deep <- nn_module("deep", node,
    initialize = function() {
      super$initialize()
      self$child <- node(self)
    },
    forward = function(x) self$child(super$forward(x)) + private$twice(1)
  )
  x <- torch_randn(3, 2)
  model <- deep()
  model$train(FALSE)
  handle <- model$child$register_forward_hook(function(module, inputs, output) output + 100)
  forward <- model$child$forward
  twin <- model$clone(deep = TRUE)
  saved <- again(list(forward = forward, a = model, b = nn_sequential(model, model), c = twin, shared = shared))
  expect_identical(as_array(saved$a(x)$detach()), as_array(model(x)$detach()))
  expect_identical(as_array(saved$c(x)$detach()), as_array(model(x)$detach()))
  expect_identical(self_of(saved$a), self_of(saved$b[[1]]))
  expect_identical(self_of(saved$a), self_of(saved$b[[2]]))
  expect_identical(saved$a$child$parent[[1]], self_of(saved$a))
  expect_identical(environment(saved$forward), environment(saved$a$child$forward))
  expect_identical(saved$shared, saved$a$counter)
  expect_identical(saved$shared$calls, shared$calls - 2 + 2)
  expect_identical(class(saved$a), class(model))
  expect_identical(names(saved$a$parameters), names(model$parameters))
  expect_identical(names(saved$a$state_dict()), names(model$state_dict()))
  expect_identical(as_array(saved$a$half$detach()), as_array(model$half$detach()))
  expect_false(saved$a$child$training)
  expect_identical(as_array(saved$a$tables$b[[1]](torch_tensor(-1))), 0)
  expect_error(saved$a$forward <- 1)
  # And once more, and copies of it.
  twice <- again(saved$a)
  expect_identical(as_array(twice$clone(deep = TRUE)(x)$detach()), as_array(model(x)$detach()))
  plain <- nn_sequential(nn_linear(1, 1), nn_lstm(2, 2))
  expect_lt(abs(size_of(again(plain)) - size_of(plain)), 500)
  expect_identical(as_array(again(model$child$clone())(x)$detach()), as_array(model$child(x)$detach()))
})

test_that("computed members, pruning and what users do to the bindings come back", {
  skip_if_no_torch()
  x <- torch_randn(4, 3)
  net <- nn_sequential(nn_utils_parametrizations_weight_norm(nn_linear(3, 3)), nn_utils_prune_l1_unstructured(nn_linear(3, 2), "weight", 0.5))
  saved <- again(net)
  expect_identical(as_array(saved(x)$detach()), as_array(net(x)$detach()))
  saved[[1]]$parametrizations$weight$original0$data()$mul_(2)
  expect_false(isTRUE(all.equal(as_array(saved(x)$detach()), as_array(net(x)$detach()))))
  # What no class explains is saved as it is.
  odd <- nn_linear(3, 2)
  self <- self_of(odd)
  unlockBinding("reset_parameters", self)
  self$reset_parameters <- function() "mine"
  expect_identical(again(odd)$reset_parameters(), "mine")
  lockBinding("reset_parameters", self)
  expect_identical(again(odd)$reset_parameters(), "mine")
  other <- nn_linear(3, 2)
  makeActiveBinding("now", function() 5, self_of(other))
  expect_identical(as_array(again(other)(x)$detach()), as_array(other(x)$detach()))
  lone <- nn_linear(3, 2)
  rm("cpu", envir = self_of(lone))
  expect_null(self_of(again(lone))$cpu)
  plain <- R6::R6Class("plain", public = list(n = 1, get = function() self$n))$new()
  both <- again(list(plain, nn_linear(1, 1)))
  expect_identical(both[[1]]$get(), 1)
})

test_that("a file of another version of a class, or of one that is gone, has its code", {
  skip_if_no_torch()
  x <- torch_ones(1, 2)
  block <- nn_module("block", nn_linear, forward = function(x) super$forward(x) + 1)
  model <- list(nn_lstm(2, 3), block(2, 2), nn_linear(2, 2))
  bytes <- torch_serialize(model)
  want <- as_array(model[[2]](x)$detach())
  read <- with_function("hash_of_code", function(code) "another", torch_load(bytes))
  expect_identical(as_array(read[[2]](x)$detach()), want)
  expect_identical(names(read[[1]]$parameters), names(model[[1]]$parameters))
  read <- with_function("installed_class", function(name) NULL, torch_load(bytes))
  expect_identical(as_array(read[[2]](x)$detach()), want)
  read[[3]]$weight <- nn_parameter(torch_zeros(2, 2))
  expect_length(read[[3]]$parameters, 2)
  expect_s3_class(read[[1]], c("nn_lstm", "nn_rnn_base", "nn_module"), exact = TRUE)
  expect_identical(as_array(again(read)[[2]](x)$detach()), want)
})

test_that("files in which each module has its code are read", {
  skip_if_no_torch()
  old <- readRDS(test_path("fixtures", "module-with-code.rds"))
  read <- torch_load(old$bytes)
  expect_identical(as.numeric(as_array(read[[1]](read[[2]])$detach())), old$out)
  expect_identical(as.numeric(as_array(again(read)[[1]](read[[2]])$detach())), old$out)
})

test_that("what a file says of modules is looked at, and runs no code", {
  skip_if_no_torch()
  # A file with these states, and marks of the environments `marked`.
  file_of <- function(object, states, classes = list(), marked = list()) {
    found <- new_collection(NULL)
    robj <- serialize(list(object = object, states = states, classes = classes), NULL, refhook = function(x) {
      for (key in names(marked)) if (identical(x, marked[[key]])) return(key)
    })
    found$instances <- list(instances = 1, classes = NULL)
    write_collection(found, "module", robj, NULL)
  }
  ran <- FALSE
  evil <- function(...) ran <<- TRUE
  self <- new.env()
  class <- function(...) {
    members <- list(public_methods = list(forward = evil, initialize = evil), active = list(now = evil), parent_env = new.env(), get_inherit = evil)
    members[...names()] <- list(...)
    list2env(members)
  }
  private <- list(.registered = character(), .computed = list(), .hook_lists = list(), .asked = character())
  state <- function(classes = list(class()), public = list(a = 1), hidden = private) list(classes = classes, public = public, private = hidden)
  mark <- structure(list(self), class = "torch_child_mark")
  read <- function(..., object = mark) torch_load(file_of(object, ..., marked = list(`instance1/self` = self)))
  good <- read(list(state()))
  expect_identical(self_of(good)$a, 1)
  expect_false(ran)
  bad <- list(
    list(list()), list(list(1)), list(list(state(classes = list()))), list(list(state(classes = list("nn_nothing")))), list(list(state(classes = 1:3))),
    list(list(state(list(class(public_methods = 1))))), list(list(state(list(class(public_methods = list(forward = 1)))))),
    list(list(state(list(class(active = list(f = sum)))))), list(list(state(list(class(parent_env = 1))))), list(list(state(list(class(public_methods = list(evil)))))),
    list(list(state(public = list(forward = 1)))), list(list(state(public = list(now = 1)))), list(list(state(public = list(.__enclos_env__ = 1)))),
    list(list(state(public = list(1)))), list(list(state(hidden = list()))), list(list(state(hidden = utils::modifyList(private, list(.computed = 1))))),
    list(list(state()), list(nn_linear = 1)), list(list(state()), list(nn_linear = list(hash = "a", public = 1))), list(1), list(list(state(public = list(a = structure(list(1), class = "torch_child_mark")))))
  )
  for (i in seq_along(bad)) expect_error(do.call(read, bad[[i]]), "can't be read", class = "torch_runtime_error", info = i)
  expect_error(read(list(), object = 1, marked = 1), class = "error")
  expect_false(ran)
})
