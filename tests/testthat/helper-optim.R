# The oracle of the optimisers: a fixed problem, stepped here and, for all cases in one process, in PyTorch.
problem <- function(dtype = torch_float(), device = "cpu") {
  tensor <- function(x) torch_tensor(x, dtype = dtype, device = device, requires_grad = TRUE)
  list(
    w = tensor(matrix(c(0.5, -1, 2, 0.3, -0.7, 1.1), 2)), b = tensor(c(0.1, -0.2)),
    # Has a gradient in every third step; `never` has none.
    seldom = tensor(array(seq(-1, 1, length.out = 12), c(2, 3, 2))), never = tensor(c(1, 2))
  )
}

# The parameters after every tenth step, flat, and the state dict at the end. Each second step is made with a closure,
# and each with `closure = TRUE`. What `maximize` is to reach is the negative loss. `half`: how things were after 50
# steps.
run_steps <- function(make, steps = 100, sign = 1, closure = FALSE, device = "cpu", half = NULL) {
  before <- torch_get_default_dtype()
  torch_set_default_dtype(torch_double())
  on.exit(torch_set_default_dtype(before))
  params <- problem(torch_double(), device)
  opt <- make(params)
  if (!is.null(half)) {
    with_no_grad(Map(function(param, value) param$copy_(value), params, half$params))
    # Positions as in Python.
    groups <- lapply(opt$state_dict()$param_groups, function(group) replace(group, "params", list(group$params - 1L)))
    opt$load_state_dict(list(param_groups = groups, state = half$state))
  }
  x <- torch_tensor(matrix(c(1, 2, -1, 0.5, 3, 1), 2), dtype = torch_double(), device = device)
  steps <- seq(if (is.null(half)) 1 else 51, steps)
  path <- lapply(steps, function(i) {
    loss <- function() {
      opt$zero_grad(set_to_none = TRUE)
      loss <- ((nnf_linear(x, params$w, params$b) - i / 10)^2)$mean()
      if (i %% 3 == 0) loss <- loss + (params$seldom^2)$mean()
      loss <- loss * sign
      loss$backward()
      loss
    }
    if (closure || i %% 2 == 0) {
      opt$step(loss)
    } else {
      loss()
      opt$step()
    }
    unlist(lapply(params, function(p) as_array(p$detach()$cpu()$flatten())), use.names = FALSE)
  })
  list(path = do.call(rbind, path[steps %% 10 == 0]), dict = opt$state_dict(), params = unname(params))
}

# `cases`: texts that make an optimiser. `halves`: for each how things were here after 50 steps, with which PyTorch is
# to go on.
python_steps <- function(cases, halves = NULL) {
  answers <- python_eval("
torch.set_default_dtype(torch.float64)
def number(x):
  if isinstance(x, torch.Tensor): return x.flatten().tolist()
  if isinstance(x, (list, tuple)): return [w for v in x for w in as_list(number(v))]
  return x
def as_list(x): return x if isinstance(x, list) else [x]
def pack(x):
  if isinstance(x, torch.Tensor): return {'shape': list(x.shape), 'values': as_list(x.flatten().tolist())}
  return [pack(v) for v in x] if isinstance(x, (list, tuple)) else x
def unpack(x):
  if isinstance(x, dict): return torch.tensor(as_list(x['values'])).reshape(as_list(x['shape']))
  return [unpack(v) for v in x] if isinstance(x, list) else x
def run(case, half):
  w = torch.tensor([[0.5, 2, -0.7], [-1, 0.3, 1.1]], requires_grad=True)
  b = torch.tensor([0.1, -0.2], requires_grad=True)
  seldom = torch.linspace(-1, 1, 12).reshape(2, 3, 2).permute(2, 1, 0).contiguous().requires_grad_()
  never = torch.tensor([1., 2.], requires_grad=True)
  x = torch.tensor([[1., -1, 3], [2, 0.5, 1]])
  params = [w, b, seldom, never]
  opt = eval('torch.optim.' + case)
  sign = -1 if 'maximize=True' in case else 1
  path = []
  if half is not None:
    with torch.no_grad():
      for p, v in zip(params, half['params']): p.copy_(unpack(v))
    state = {int(k) - 1: {n: unpack(v) for n, v in s.items()} for k, s in dict(half['state']).items()}
    opt.load_state_dict({'state': state, 'param_groups': opt.state_dict()['param_groups']})
  for i in range(1 if half is None else 51, 101):
    def loss():
      opt.zero_grad()
      loss = ((torch.nn.functional.linear(x, w, b) - i / 10) ** 2).mean()
      if i % 3 == 0: loss = loss + (seldom ** 2).mean()
      loss = loss * sign
      loss.backward()
      return loss
    if 'LBFGS' in case or i % 2 == 0:
      opt.step(loss)
    else:
      loss()
      opt.step()
    if i % 10 == 0: path.append([v for p in params for v in p.detach().flatten().tolist()])
    if i == 50:
      state = {k: {n: pack(v) for n, v in s.items()} for k, s in opt.state_dict()['state'].items()}
      middle = json.dumps({'params': [pack(p) for p in params], 'state': state})
  if half is not None: return {'path': path}
  end = opt.state_dict()
  state = {str(k + 1): {n: number(v) for n, v in s.items()} for k, s in end['state'].items()}
  groups = [{n: number(v) for n, v in g.items()} for g in end['param_groups']]
  return {'path': path, 'state': state, 'groups': groups, 'half': middle}
halves = halves or [None] * len(cases)
result = [json.dumps(run(case, half)) for case, half in zip(cases, halves)]
", cases = as.list(cases), halves = lapply(halves, pack_half))
  lapply(answers, jsonlite::fromJSON, simplifyDataFrame = FALSE)
}

# Tensors as JSON holds them, and back.
pack <- function(x) {
  if (is.list(x)) return(lapply(x, pack))
  if (!is_torch_tensor(x)) return(x)
  list(shape = as.list(x$shape), values = as.list(as_array(x$detach()$to(dtype = torch_double())$flatten())))
}

unpack <- function(x) {
  if (!is.list(x)) return(x)
  if (!setequal(names(x), c("shape", "values")) || length(x) == 0) return(lapply(x, unpack))
  torch_tensor(as.numeric(unlist(x$values)), dtype = torch_double())$reshape(as.integer(unlist(x$shape)))
}

pack_half <- function(half) list(params = pack(half$params), state = pack(half$dict$state))
unpack_half <- function(json) unpack(jsonlite::fromJSON(json, simplifyVector = FALSE))

without_fused <- function(code) {
  known <- the$fused
  on.exit(the$fused <- known)
  names <- c("adam", "adamw", "sgd", "adagrad")
  the$fused <- as.list(set_names(rep(FALSE, 4), paste0("optim_", names, " Double cpu")))
  code
}

# The cases that this PyTorch has: an older one may lack a rule or an argument, or may not count what a line search of
# L-BFGS asks for towards `max_eval`.
cases_of_python <- function() {
  has <- python_eval("
import inspect
def has(case):
  name, given = case.split('(', 1)
  rule = getattr(torch.optim, name, None)
  if rule is None or ('maximize' in given and 'maximize' not in inspect.signature(rule).parameters): return False
  return not ('max_eval' in given and 'strong_wolfe' in given) or 'max_ls=max_eval' in inspect.getsource(rule)
result = [has(case) for case in cases]
", cases = as.list(names(optim_cases)))
  names(optim_cases)[unlist(has)]
}

has_maximizing_lbfgs <- function() package_version(libtorch_find()$version) >= "2.14"

# Path, state dict and groups of a case here and in PyTorch.
expect_steps_of_pytorch <- function(case, ours, theirs) {
  expect_equal(ours$path, theirs$path, tolerance = 1e-6, info = case)
  state <- lapply(ours$dict$state, function(state) lapply(state[order(names(state))], plain_value))
  # What L-BFGS uses within a step.
  theirs$state <- lapply(theirs$state, function(state) state[names(state) != "al"])
  expected <- lapply(theirs$state, function(state) lapply(state[order(names(state))], plain_value))
  expect_equal(state, if (length(expected)) expected else set_names(list(), character()), tolerance = 1e-6, info = case)
  # How PyTorch computes, and what AdamW is there, are no hyperparameters here.
  more <- c("foreach", "fused", "capturable", "differentiable", if (grepl("^Adam", case)) "decoupled_weight_decay")
  if (grepl("^LBFGS", case) && !has_maximizing_lbfgs()) more <- c(more, "maximize")
  compared <- function(groups) lapply(groups, function(group) sort(setdiff(names(group), more)))
  expect_equal(compared(ours$dict$param_groups), compared(theirs$groups), info = case)
}

plain_value <- function(x) {
  if (is.list(x)) return(as.numeric(unlist(lapply(x, plain_value))))
  if (is_torch_tensor(x)) x <- as_array(x$to(dtype = torch_double())$flatten())
  as.numeric(x)
}

# How each rule is called here, under the text that makes the same in PyTorch; `seldom` and `never` are left out where
# parameters must be matrices.
optim_cases <- list(
  "Adam(params, lr=0.1)" = function(p) optim_adam(p, lr = 0.1),
  "Adam(params, lr=0.1, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1, amsgrad=True)" = function(p) {
    optim_adam(p, lr = 0.1, betas = c(0.8, 0.9), eps = 1e-3, weight_decay = 0.1, amsgrad = TRUE)
  },
  "Adam(params, maximize=True)" = function(p) optim_adam(p, maximize = TRUE),
  "Adam([{'params': [w, never], 'lr': 0.2}, {'params': [b, seldom], 'weight_decay': 0.3}], lr=0.1)" = function(p) {
    groups <- list(list(params = p[c("w", "never")], lr = 0.2), list(params = p[c("b", "seldom")], weight_decay = 0.3))
    optim_adam(groups, lr = 0.1)
  },
  "AdamW(params, lr=0.1, weight_decay=0.2)" = function(p) optim_adamw(p, lr = 0.1, weight_decay = 0.2),
  "AdamW(params, amsgrad=True, maximize=True)" = function(p) optim_adamw(p, amsgrad = TRUE, maximize = TRUE),
  "Adamax(params)" = function(p) optim_adamax(p),
  "Adamax(params, lr=0.1, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1, maximize=True)" = function(p) {
    optim_adamax(p, lr = 0.1, betas = c(0.8, 0.9), eps = 1e-3, weight_decay = 0.1, maximize = TRUE)
  },
  "NAdam(params)" = function(p) optim_nadam(p),
  "NAdam(params, lr=0.1, weight_decay=0.1, momentum_decay=0.01, decoupled_weight_decay=True)" = function(p) {
    optim_nadam(p, lr = 0.1, weight_decay = 0.1, momentum_decay = 0.01, decoupled_weight_decay = TRUE)
  },
  "NAdam(params, lr=0.05, weight_decay=0.1, maximize=True)" = function(p) {
    optim_nadam(p, lr = 0.05, weight_decay = 0.1, maximize = TRUE)
  },
  "RAdam(params)" = function(p) optim_radam(p),
  "RAdam(params, lr=0.1, betas=(0.8, 0.9), weight_decay=0.1, maximize=True)" = function(p) {
    optim_radam(p, lr = 0.1, betas = c(0.8, 0.9), weight_decay = 0.1, maximize = TRUE)
  },
  "RAdam(params, lr=0.1, weight_decay=0.1, decoupled_weight_decay=True)" = function(p) {
    optim_radam(p, lr = 0.1, weight_decay = 0.1, decoupled_weight_decay = TRUE)
  },
  "SGD(params, lr=0.01)" = function(p) optim_sgd(p, lr = 0.01),
  "SGD(params, lr=0.01, momentum=0.9, dampening=0.1, weight_decay=0.1)" = function(p) {
    optim_sgd(p, lr = 0.01, momentum = 0.9, dampening = 0.1, weight_decay = 0.1)
  },
  "SGD(params, lr=0.01, momentum=0.9, nesterov=True, maximize=True)" = function(p) {
    optim_sgd(p, lr = 0.01, momentum = 0.9, nesterov = TRUE, maximize = TRUE)
  },
  "SGD([{'params': [w, b], 'momentum': 0.5}, {'params': [seldom, never]}], lr=0.1)" = function(p) {
    optim_sgd(list(list(params = p[c("w", "b")], momentum = 0.5), list(params = p[c("seldom", "never")])), lr = 0.1)
  },
  "ASGD(params)" = function(p) optim_asgd(p),
  "ASGD(params, lr=0.1, lambd=0.01, alpha=0.5, t0=30, weight_decay=0.1, maximize=True)" = function(p) {
    optim_asgd(p, lr = 0.1, lambda = 0.01, alpha = 0.5, t0 = 30, weight_decay = 0.1, maximize = TRUE)
  },
  "Rprop(params)" = function(p) optim_rprop(p),
  "Rprop(params, lr=0.1, etas=(0.3, 1.1), step_sizes=(1e-3, 0.2), maximize=True)" = function(p) {
    optim_rprop(p, lr = 0.1, etas = c(0.3, 1.1), step_sizes = c(1e-3, 0.2), maximize = TRUE)
  },
  "Adagrad(params)" = function(p) optim_adagrad(p),
  "Adagrad(params, lr=0.1, lr_decay=0.01, weight_decay=0.1, initial_accumulator_value=0.2, eps=1e-3, maximize=True)" =
    function(p) {
      optim_adagrad(
        p, lr = 0.1, lr_decay = 0.01, weight_decay = 0.1, initial_accumulator_value = 0.2, eps = 1e-3, maximize = TRUE
      )
    },
  "Adadelta(params)" = function(p) optim_adadelta(p),
  "Adadelta(params, lr=0.5, rho=0.8, eps=1e-4, weight_decay=0.1, maximize=True)" = function(p) {
    optim_adadelta(p, lr = 0.5, rho = 0.8, eps = 1e-4, weight_decay = 0.1, maximize = TRUE)
  },
  "RMSprop(params)" = function(p) optim_rmsprop(p),
  "RMSprop(params, alpha=0.9, momentum=0.5, centered=True, weight_decay=0.1)" = function(p) {
    optim_rmsprop(p, alpha = 0.9, momentum = 0.5, centered = TRUE, weight_decay = 0.1)
  },
  "RMSprop(params, centered=True, eps=1e-3, maximize=True)" = function(p) {
    optim_rmsprop(p, centered = TRUE, eps = 1e-3, maximize = TRUE)
  },
  "Adafactor(params)" = function(p) optim_adafactor(p),
  "Adafactor(params, lr=0.1, beta2_decay=-0.5, eps=(1e-5, 0.01), d=1.5, weight_decay=0.1, maximize=True)" =
    function(p) {
      optim_adafactor(
        p, lr = 0.1, beta2_decay = -0.5, eps = c(1e-5, 0.01), d = 1.5, weight_decay = 0.1, maximize = TRUE
      )
    },
  "LBFGS([w, b])" = function(p) optim_lbfgs(p[c("w", "b")]),
  "LBFGS([w, b], lr=0.1, max_iter=5, history_size=3)" = function(p) {
    optim_lbfgs(p[c("w", "b")], lr = 0.1, max_iter = 5, history_size = 3)
  },
  # With smaller tolerances steps go by rounding errors.
  "LBFGS([w, b], tolerance_grad=1e-4, tolerance_change=1e-5, line_search_fn='strong_wolfe')" = function(p) {
    optim_lbfgs(p[c("w", "b")], tolerance_grad = 1e-4, tolerance_change = 1e-5, line_search_fn = "strong_wolfe")
  },
  "LBFGS([w, b], max_iter=4, max_eval=7, tolerance_change=1e-4, line_search_fn='strong_wolfe')" = function(p) {
    optim_lbfgs(p[c("w", "b")], max_iter = 4, max_eval = 7, tolerance_change = 1e-4, line_search_fn = "strong_wolfe")
  },
  "LBFGS([w, b], tolerance_grad=1e-4, tolerance_change=1e-5, line_search_fn='strong_wolfe', maximize=True)" = function(p) {
    optim_lbfgs(
      p[c("w", "b")], tolerance_grad = 1e-4, tolerance_change = 1e-5, line_search_fn = "strong_wolfe", maximize = TRUE
    )
  },
  "Muon([w])" = function(p) optim_muon(p$w),
  "Muon([w], lr=0.1, momentum=0.8, nesterov=False, ns_steps=3, adjust_lr_fn='match_rms_adamw')" = function(p) {
    optim_muon(p$w, lr = 0.1, momentum = 0.8, nesterov = FALSE, ns_steps = 3, adjust_lr_fn = "match_rms_adamw")
  }
)
