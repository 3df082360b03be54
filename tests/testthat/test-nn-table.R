# Every layer of the table in helper-layers.R against PyTorch's: the same weights, the same inputs.

# All tensors in a result, in order.
flat_results <- function(x) if (is_torch_tensor(x)) list(x) else unlist(lapply(unname(x), flat_results), recursive = FALSE)
# R counts the layers of a recurrent net from 1.
python_name <- function(name) {
  found <- regmatches(name, regexec("_l([0-9]+)(_reverse)?$", name))
  for (i in which(lengths(found) > 0)) {
    name[i] <- sub("_l[0-9]+(_reverse)?$", sprintf("_l%d\\1", as.integer(found[[i]][2]) - 1L), name[i])
  }
  name
}
as_numbers <- function(x) as.list(as.double(as_array(torch_flatten(x$detach()$to(dtype = torch_double())))))

python_layers <- "
from torch import nn
def flat(x):
  if x is None: return []
  return [x] if isinstance(x, torch.Tensor) else [t for part in x for t in flat(part)]
def numbers(x): return [] if x is None else x.detach().double().flatten().tolist()
def tensor(i):
  x = torch.tensor(i['values'], dtype=torch.double if i['grad'] else None).reshape(i['shape'])
  if not i['grad'] and x.is_floating_point(): x = x.double()
  return x.requires_grad_(i['grad'])
result = []
for case in cases:
  module = eval('nn.' + case['py']).double()
  own = module.state_dict()
  module.load_state_dict({k: torch.tensor(v).reshape(own[k].shape).to(own[k].dtype) for k, v in case['state'].items()})
  inputs = [tensor(i) for i in case['inputs']]
  out = {}
  if not case['random']:
    outputs = flat(module(*inputs))
    loss = sum((o * torch.cos(torch.arange(o.numel()).double().reshape(o.shape))).sum() for o in outputs)
    if loss.requires_grad: loss.backward()
    out['train'] = [numbers(o) for o in outputs]
    out['inputs'] = [numbers(i.grad) for i in inputs]
    out['parameters'] = {k: numbers(p.grad) for k, p in module.named_parameters()}
  out['state'] = {k: numbers(v) for k, v in module.state_dict().items()}
  module.eval()
  with torch.no_grad(): out['eval'] = [numbers(o) for o in flat(module(*inputs))]
  result.append(out)
"

test_that("outputs, gradients and states of all layers are PyTorch's, and go with them into files", {
  skip_if_no_torch()
  withr::local_seed(11)
  cases <- lapply(layer_cases, function(case) {
    module <- eval(parse(text = case$r)[[1]])$to(dtype = torch_double())
    state <- module$state_dict()
    list(case = case, module = module, state = state, inputs = lapply(case$inputs, layer_input))
  })
  expected <- python_eval(paste(python_layers, "\nresult = json.dumps(result)"), cases = lapply(cases, function(it) {
    names <- python_name(names(it$state))
    list(
      py = it$case$py, random = it$case$random, state = set_names(lapply(it$state, as_numbers), names),
      inputs = lapply(it$inputs, `[`, c("values", "shape", "grad"))
    )
  }))
  expected <- jsonlite::fromJSON(expected, simplifyVector = FALSE)
  folder <- withr::local_tempdir()
  traced <- list()
  for (k in seq_along(cases)) {
    it <- cases[[k]]
    want <- expected[[k]]
    same <- function(got, wanted, what) {
      expect_equal(unlist(lapply(got, as_numbers)), unlist(wanted), tolerance = 1e-7, info = paste(it$case$r, what))
    }
    inputs <- lapply(it$inputs, function(input) if (input$grad) input$tensor$clone()$requires_grad_(TRUE) else input$tensor)
    if (!it$case$random) {
      outputs <- flat_results(do.call(it$module, inputs))
      loss <- Reduce(`+`, lapply(outputs, function(o) sum(o * torch_cos((torch_arange(1, o$numel(), dtype = "double") - 1)$reshape(o$shape)))))
      if (loss$requires_grad) loss$backward()
      same(outputs, want$train, "output in training")
      gradient <- function(x) if (is_undefined_tensor(x$grad)) torch_tensor(numeric()) else x$grad
      same(lapply(inputs, gradient), want$inputs, "gradients of inputs")
      grads <- lapply(it$module$parameters, gradient)
      names(grads) <- python_name(names(grads))
      expect_setequal(as.character(names(grads)), as.character(names(want$parameters)))
      same(grads[names(want$parameters)], want$parameters, "gradients of parameters")
    }
    state <- it$module$state_dict()
    names(state) <- python_name(names(state))
    expect_setequal(as.character(names(state)), as.character(names(want$state)))
    same(state[names(want$state)], want$state, "state after a step")
    it$module$eval()
    inputs <- lapply(inputs, function(x) x$detach())
    evaluated <- with_no_grad(flat_results(do.call(it$module, inputs)))
    same(evaluated, want$eval, "output in evaluation")
    copy <- it$module$clone(deep = TRUE)
    same(with_no_grad(flat_results(do.call(copy, inputs))), want$eval, "output of a clone")
    saved <- torch_load(torch_serialize(it$module))
    same(with_no_grad(flat_results(do.call(saved, inputs))), want$eval, "output of what was saved")
    if (is.null(it$case$untraced)) {
      file <- file.path(folder, paste0(k, ".pt"))
      program <- do.call(jit_trace, c(list(it$module), inputs))
      jit_save(program, file)
      same(flat_results(do.call(jit_load(file), inputs)), want$eval, "output of its file")
      traced[[length(traced) + 1]] <- list(
        file = file, inputs = lapply(it$inputs, function(i) list(
          values = as.list(as_array(torch_flatten(i$tensor))), shape = i$shape, double = i$tensor$is_floating_point()
        )), k = k
      )
    }
  }
  in_python <- python_eval("
def flat(x):
  return [] if x is None else [x] if isinstance(x, torch.Tensor) else [t for part in x for t in flat(part)]
def answer(case):
  inputs = [torch.tensor(i['values'], dtype=torch.double if i['double'] else None).reshape(i['shape']) for i in case['inputs']]
  return [o.detach().double().flatten().tolist() for o in flat(torch.jit.load(case['file'])(*inputs))]
result = json.dumps([answer(case) for case in traced])
", traced = traced)
  in_python <- jsonlite::fromJSON(in_python, simplifyVector = FALSE)
  for (i in seq_along(traced)) {
    k <- traced[[i]]$k
    expect_equal(unlist(in_python[[i]]), unlist(expected[[k]]$eval), tolerance = 1e-7, info = paste(layer_cases[[k]]$r, "in Python"))
  }
})

# PyTorch's layers that R has by another name, or not at all.
other_names <- c(
  Module = "nn_module", ModuleDict = "nn_module_dict", ModuleList = "nn_module_list", RNNBase = "nn_rnn_base", KLDivLoss = "nn_kl_div_loss",
  LogSigmoid = "nn_log_sigmoid", MultiLabelMarginLoss = "nn_multilabel_margin_loss", MultiLabelSoftMarginLoss = "nn_multilabel_soft_margin_loss",
  BCEWithLogitsLoss = "nn_bce_with_logits_loss"
)
left_out <- c(
  Container = "obsolete there", NLLLoss2d = "obsolete there", CrossMapLRN2d = "obsolete there, `nn_local_response_norm()` is the same",
  DataParallel = "several devices in one process", SyncBatchNorm = "several processes", RNNCellBase = "holds no layer",
  LinearCrossEntropyLoss = "a linear layer and `nn_cross_entropy_loss()`", ParameterDict = "parameters are assigned by name",
  ParameterList = "parameters are assigned by name"
)
# Layers whose test is elsewhere: test-nn-lazy.R, test-nn-layers.R, test-nnf-pool.R, test-nnf-loss.R, test-nn-containers.R.
elsewhere <- c(
  "^nn_lazy_", "^nn_fractional_", "^nn_(ctc|multilabel_margin)_loss$", "^nn_(module|sequential|module_list|module_dict|rnn_base)$"
)

test_that("all layers of PyTorch are there, each with a line in the table", {
  skip_if_no_torch()
  classes <- python_eval("
nn = torch.nn
result = [n for n in dir(nn) if isinstance(getattr(nn, n), type) and issubclass(getattr(nn, n), nn.Module)]
")
  plain <- gsub("(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})", "_", classes, perl = TRUE)
  names <- paste0("nn_", tolower(plain))
  names <- ifelse(classes %in% names(other_names), other_names[classes], names)
  flat <- function(x) gsub("_", "", x)
  ours <- grep("^nn_", ls(asNamespace("torch")), value = TRUE)
  names <- ours[match(flat(names), flat(ours))]
  expect_identical(setdiff(classes[is.na(names)], names(left_out)), character())
  expect_identical(intersect(classes[!is.na(names)], names(left_out)), character())
  in_table <- unique(sub("[(].*", "", vapply(layer_cases, `[[`, "", "r")))
  tested <- vapply(names, function(name) is.na(name) || name %in% in_table || any(vapply(elsewhere, grepl, NA, name)), NA)
  expect_identical(unname(names[!tested]), character())
})

test_that("layers know their settings as fields", {
  skip_if_no_torch()
  # What is no setting of the layer, but how it is made.
  skipped <- c("bias", "...", "device", "dtype", ".weight", "add_bias_kv", "init", "head_bias")
  for (case in layer_cases) {
    call <- parse(text = case$r)[[1]]
    name <- as.character(call[[1]])
    if (name %in% c("nn_identity") || grepl("transformer", name)) next
    module <- eval(call)
    fields <- setdiff(names(formals(get(name))), skipped)
    for (field in fields) expect_true(exists(field, attr(module, "module"), inherits = FALSE), info = paste(name, field))
  }
})
