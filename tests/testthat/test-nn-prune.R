test_that("what is pruned is what PyTorch prunes, once and again, with its names", {
  skip_if_no_torch()
  skip_if_older("2.0")
  # Steps on one convolution. Random ones draw the same numbers of a seed.
  cases <- list(
    list("identity(m, 'weight')", "p.identity(m, 'weight')"),
    list("l1_unstructured(m, 'weight', 0.4)", "p.l1_unstructured(m, 'weight', 0.4)"),
    list("l1_unstructured(m, 'weight', 5)", "p.l1_unstructured(m, 'weight', 5)"),
    list("l1_unstructured(m, 'bias', 1L)", "p.l1_unstructured(m, 'bias', 1)"),
    list("l1_unstructured(m, 'weight', 1)", "p.l1_unstructured(m, 'weight', 1.0)"),
    list("l1_unstructured(m, 'weight', 0)", "p.l1_unstructured(m, 'weight', 0.0)"),
    list("l1_unstructured(m, 'weight', 3, importance_scores = -abs(m$weight))", "p.l1_unstructured(m, 'weight', 3, importance_scores=-m.weight.abs())"),
    list("random_unstructured(m, 'weight', 0.3)", "p.random_unstructured(m, 'weight', 0.3)"),
    list("random_structured(m, 'weight', 2, 1)", "p.random_structured(m, 'weight', 2, 0)"),
    list("ln_structured(m, 'weight', 0.5, 2, 1)", "p.ln_structured(m, 'weight', 0.5, 2, 0)"),
    list("ln_structured(m, 'weight', 1L, 1, -1)", "p.ln_structured(m, 'weight', 1, 1, -1)"),
    list("ln_structured(m, 'weight', 1L, Inf, 2)", "p.ln_structured(m, 'weight', 1, float('inf'), 1)"),
    list("custom_from_mask(m, 'bias', torch_tensor(c(1, 0, 1, 1)))", "p.custom_from_mask(m, 'bias', torch.tensor([1., 0, 1, 1]))"),
    list(c("l1_unstructured(m, 'weight', 0.3)", "l1_unstructured(m, 'weight', 0.5)", "random_unstructured(m, 'weight', 2)"),
      c("p.l1_unstructured(m, 'weight', 0.3)", "p.l1_unstructured(m, 'weight', 0.5)", "p.random_unstructured(m, 'weight', 2)")),
    list(c("ln_structured(m, 'weight', 1L, 2, 1)", "ln_structured(m, 'weight', 1L, 2, 1)", "ln_structured(m, 'weight', 1L, 2, 3)"),
      c("p.ln_structured(m, 'weight', 1, 2, 0)", "p.ln_structured(m, 'weight', 1, 2, 0)", "p.ln_structured(m, 'weight', 1, 2, 2)")),
    list(c("l1_unstructured(m, 'weight', 0.2)", "random_structured(m, 'weight', 1L, 1)", "custom_from_mask(m, 'weight', m$weight < 0.5)"),
      c("p.l1_unstructured(m, 'weight', 0.2)", "p.random_structured(m, 'weight', 1, 0)", "p.custom_from_mask(m, 'weight', m.weight < 0.5)")),
    list("global_unstructured(list(list(m, 'weight'), list(m, 'bias')), nn_utils_prune_l1_unstructured, amount = 0.4)",
      "p.global_unstructured([(m, 'weight'), (m, 'bias')], pruning_method=p.L1Unstructured, amount=0.4)"),
    list(c("l1_unstructured(m, 'bias', 2)", "global_unstructured(list(list(m, 'weight'), list(m, 'bias')), nn_utils_prune_random_unstructured, amount = 0.4)"),
      c("p.l1_unstructured(m, 'bias', 2)", "p.global_unstructured([(m, 'weight'), (m, 'bias')], pruning_method=p.RandomUnstructured, amount=0.4)"))
  )
  theirs <- python_eval("
import torch.nn.utils.prune as p
out = []
for steps in cases:
  m = torch.nn.Conv1d(3, 4, 2)
  with torch.no_grad():
    for x in m.parameters(): x.copy_(torch.sin(torch.arange(1, x.numel() + 1, dtype=torch.double)).view_as(x))
  torch.manual_seed(3)
  for step in steps: exec(step)
  m.double()
  for x in m.parameters(): x.data = torch.sin(torch.arange(1, x.numel() + 1, dtype=torch.double)).view_as(x)
  y = m(torch.ones(1, 3, 4, dtype=torch.double)); y.pow(2).sum().backward()
  out.append(dict(names=list(m.state_dict()), weight=m.weight.flatten().tolist(), bias=m.bias.flatten().tolist(), y=y.flatten().tolist(),
    grads={k: v.grad.flatten().tolist() for k, v in m.named_parameters()}, pruned=p.is_pruned(m)))
with open(path, 'w') as f: json.dump(out, f)
result = 1
", cases = lapply(cases, function(case) as.list(case[[2]])), path = file <- withr::local_tempfile())
  theirs <- jsonlite::read_json(file)
  sines <- function(x) torch_sin(torch_arange(1, x$numel(), dtype = torch_double()))$view_as(x)
  flat <- function(x) as.numeric(as_array(x$detach()$flatten()))
  verbs <- grep("^nn_utils_prune_", getNamespaceExports("torch"), value = TRUE)
  here <- list2env(setNames(mget(verbs, envir = asNamespace("torch")), sub("^nn_utils_prune_", "", verbs)), parent = environment())
  for (i in seq_along(cases)) {
    steps <- cases[[i]][[1]]
    here$m <- m <- nn_conv1d(3, 4, 2)
    with_no_grad(for (x in m$parameters) x$copy_(sines(x)))
    torch_manual_seed(3)
    for (step in steps) eval(parse(text = step), here)
    m$double()
    with_no_grad(for (x in m$parameters) x$copy_(sines(x)))
    label <- toString(steps)
    expect_setequal(names(m$state_dict()), unlist(theirs[[i]]$names))
    expect_identical(nn_utils_prune_is_pruned(m), theirs[[i]]$pruned)
    path <- withr::local_tempfile()
    torch_save(m, path)
    x <- torch_ones(1, 3, 4, dtype = torch_double())
    for (one in list(m, m$clone(deep = TRUE), torch_load(path))) {
      expect_equal(flat(one$weight), unlist(theirs[[i]]$weight), tolerance = 1e-6, label = label)
      expect_equal(flat(one$bias), unlist(theirs[[i]]$bias), tolerance = 1e-6, label = label)
      y <- one(x)
      expect_equal(flat(y), unlist(theirs[[i]]$y), tolerance = 1e-6, label = label)
      (y^2)$sum()$backward()
      for (name in names(one$parameters)) {
        expect_equal(flat(one$parameters[[name]]$grad), unlist(theirs[[i]]$grads[[name]]), tolerance = 1e-6, label = paste(label, name))
      }
    }
    expect_equal(flat(jit_trace(m, x)(x * 2)), flat(m(x * 2)))
  }
})

test_that("pruning is made permanent, and an optimiser goes on", {
  skip_if_no_torch()
  layer <- nn_linear(4, 3)
  weight <- layer$weight
  expect_invisible(nn_utils_prune_l1_unstructured(layer, "weight", 0.5))
  nn_utils_prune_l1_unstructured(layer, "weight", 2)
  expect_length(computed_by(layer)$weight, 2)
  expect_output(print(computed_by(layer)$weight), "of 2 methods")
  pruned <- as_array(layer$weight$detach())
  expect_identical(sum(pruned == 0), 8L)
  copy <- layer$clone(deep = TRUE)
  expect_invisible(nn_utils_prune_remove(layer, "weight"))
  expect_identical(as_array(layer$weight), pruned)
  expect_named(layer$state_dict(), c("bias", "weight"))
  expect_identical(tensor_address(layer$weight), tensor_address(weight))
  expect_false(nn_utils_prune_is_pruned(layer))
  expect_true(nn_utils_prune_is_pruned(nn_sequential(nn_relu(), copy)))
  # A state dict goes to a module that is pruned.
  other <- nn_utils_prune_identity(nn_linear(4, 3), "weight")
  other$load_state_dict(copy$state_dict())
  expect_identical(as_array(other$weight$detach()), pruned)
})

test_that("a user's method prunes, alone and after others, modules and tensors", {
  skip_if_no_torch()
  every_second <- R6::R6Class(
    "every_second", inherit = nn_utils_prune_base_pruning_method,
    public = list(compute_mask = function(t, default_mask) {
      mask <- default_mask$clone()
      flat <- mask$view(-1)
      flat[slc(2, Inf, 2)] <- 0
      mask
    })
  )
  layer <- nn_linear(4, 1)
  with_no_grad(layer$weight$copy_(torch_tensor(matrix(1:4, 1))))
  every_second$new()$apply(layer, "weight")
  expect_equal(as.numeric(as_array(layer$weight$detach())), c(1, 0, 3, 0))
  every_second$new()$apply(layer, "weight")
  expect_equal(as.numeric(as_array(layer$weight$detach())), c(1, 0, 0, 0))
  nn_utils_prune_global_unstructured(list(list(layer, "bias")), every_second)
  expect_true("bias_mask" %in% names(layer$buffers))
  expect_equal(as_array(every_second$new()$prune(torch_tensor(c(5, 6, 7)))), c(5, 0, 7))
  expect_equal(as_array(every_second$new()$prune(torch_tensor(c(5, 6, 7)), torch_tensor(c(0, 1, 1)))), c(0, 0, 7))
})

test_that("mistakes with pruning are told", {
  skip_if_no_torch()
  layer <- nn_linear(4, 3)
  broken <- R6::R6Class("broken", inherit = nn_utils_prune_base_pruning_method, public = list(compute_mask = function(t, default_mask) 1))
  expect_snapshot(error = TRUE, {
    nn_utils_prune_l1_unstructured(layer, "weight", -1)
    nn_utils_prune_l1_unstructured(layer, "weight", 1.5)
    nn_utils_prune_l1_unstructured(layer, "weight", NA)
    nn_utils_prune_l1_unstructured(layer, "weight", 13)
    nn_utils_prune_l1_unstructured(layer, "height", 1)
    nn_utils_prune_l1_unstructured(3, "weight", 1)
    nn_utils_prune_l1_unstructured(layer, "weight", 1, importance_scores = torch_ones(2))
    nn_utils_prune_ln_structured(layer, "bias", 0.5, 2, 1)
    nn_utils_prune_ln_structured(layer, "weight", 0.5, 2, 3)
    nn_utils_prune_custom_from_mask(layer, "weight", 1)
    nn_utils_prune_custom_from_mask(layer, "weight", torch_ones(2, 2, 2))
    nn_utils_prune_global_unstructured(list(layer), nn_utils_prune_l1_unstructured, amount = 1)
    nn_utils_prune_global_unstructured(list(list(layer, "weight")), "l1", amount = 1)
    nn_utils_prune_global_unstructured(list(list(layer, "weight")), nn_utils_prune_ln_structured, amount = 1, n = 2)
    nn_utils_prune_remove(layer, "weight")
    broken$new()$apply(layer, "weight")
    nn_utils_prune_base_pruning_method$new()$apply(layer, "weight")
  })
  expect_named(layer$state_dict(), c("weight", "bias"))
})

test_that("every name of torch.nn.utils has its R form, or a reason", {
  skip_if_no_torch()
  skip_if_older("2.5")
  left_out <- c(
    clip_grad_norm = "deprecated", clip_grads_with_norm_ = "a step of nn_utils_clip_grad_norm_()",
    convert_conv2d_weight_memory_format = "`$to(memory_format =)`", convert_conv3d_weight_memory_format = "`$to(memory_format =)`",
    fuse_conv_bn_weights = "a step of nn_utils_fuse_conv_bn_eval()", fuse_linear_bn_weights = "a step of nn_utils_fuse_linear_bn_eval()",
    skip_init = "`$to_empty()`", stateless_functional_call = "deprecated", parametrize_parametrization_list = "made by registering",
    parametrize_type_before_parametrizations = "the class of a module does not change", rnn_invert_permutation = "`$argsort()`",
    rnn_packed_sequence = "made by packing", rnn_bind = "a helper"
  )
  theirs <- python_eval("
import inspect, re, importlib
def snake(n): return re.sub('(?<=[a-z0-9])(?=[A-Z])', '_', n).lower()
result = []
u = torch.nn.utils
for n in dir(u):
  o = getattr(u, n)
  if not n.startswith('_') and not inspect.ismodule(o): result.append(n)
for m in ['parametrize', 'parametrizations', 'prune', 'stateless', 'rnn']:
  mod = importlib.import_module('torch.nn.utils.' + m)
  for n in dir(mod):
    if not n.startswith('_') and not n.endswith('_') and getattr(getattr(mod, n), '__module__', None) == mod.__name__: result.append(m + '_' + snake(n))
")
  there <- paste0("nn_utils_", theirs) %in% getNamespaceExports("torch")
  expect_setequal(theirs[!there], names(left_out))
})
