as_numbers_of <- function(tensors) lapply(tensors[sort(names(tensors))], function(x) as_array(x$detach()$double()))

# What Python's torch.load(weights_only=True) makes of the file: `code` sees it as `x` and gives `result`.
python_reads <- function(obj, code, ...) {
  file <- withr::local_tempfile(fileext = ".pth")
  save_state_dict(obj, file)
  python_eval(paste0("x = torch.load(file, weights_only=True)\n", code), file = file, ...)
}

# What `code` of Python's leaves in `x`, saved there and read here. `how`: further arguments of torch.save().
python_writes <- function(code, how = "", ...) {
  file <- withr::local_tempfile(fileext = ".pth", .local_envir = parent.frame())
  python_eval(paste0(code, "\ntorch.save(x, file", how, ")\nresult = 0"), file = file, ...)
  load_state_dict(file)
}

test_that("tensors of every dtype go both ways", {
  skip_if_no_torch()
  tensors <- c(some_tensors(), list(z = torch_tensor(c(1 + 2i, -3i)), zz = torch_tensor(1i)$to(dtype = torch_cdouble())))
  said <- python_reads(tensors, "
result = {k: [str(t.dtype), list(t.shape), list(t.stride()), (torch.view_as_real(t) if t.is_complex() else t).double().flatten().tolist()] for k, t in x.items()}
result = json.dumps(result)")
  said <- jsonlite::fromJSON(said, simplifyVector = FALSE)
  expect_named(said, names(tensors))
  for (name in names(tensors)) {
    x <- tensors[[name]]
    values <- if (x$is_complex()) torch_view_as_real(x) else x
    expect_identical(as.integer(unlist(said[[name]][[2]])), as.integer(dim(x)), info = name)
    expect_equal(as.double(unlist(said[[name]][[4]])), as.double(as_array(torch_flatten(values$double()))), info = name)
  }
  expect_identical(said$turned[[3]], list(1L, 3L))
  expect_identical(said$part[[3]], list(3L))
  again <- python_writes("
t = torch.tensor([[1, 3, 0], [0, 2, 5]])
names = ['double', 'float', 'half', 'bfloat16', 'long', 'int', 'short', 'int8', 'uint8', 'bool', 'float8_e5m2', 'float8_e4m3fn', 'uint16', 'uint64', 'cfloat', 'cdouble']
x = {n: t.to(getattr(torch, n)) for n in names}
x['empty'] = torch.zeros(0, 3); x['none'] = torch.tensor(7.); x['turned'] = t.t(); x['part'] = t[:, 1]; x['wide'] = torch.ones(1).expand(1000, 3)
x['conj'] = torch.tensor([1 + 2j, 3j]).conj(); x['neg'] = torch.tensor([1 + 2j, 3j]).conj().imag")
  expect_length(again, 23)
  for (name in names(again)[1:16]) {
    x <- again[[name]]
    if (x$is_complex()) x <- torch_real(x)
    values <- as.double(as_array(if (name == "uint64") x$to(dtype = "int64") else x$double()))
    expect_identical(values, if (name == "bool") c(1, 0, 1, 1, 0, 1) else c(1, 0, 3, 2, 0, 5), info = name)
  }
  expect_identical(dim(again$empty), c(0L, 3L))
  expect_identical(dim(again$none), integer())
  expect_identical(as_array(again$turned), matrix(c(1L, 3L, 0L, 0L, 2L, 5L), 3))
  expect_identical(as.double(again$wide$stride()), c(0, 0))
  expect_equal(as_array(again$conj), c(1 - 2i, -3i))
  expect_equal(as_array(again$neg), c(-2, -3))
})

test_that("memory that is shared is shared afterwards, and what is a part of much is alone", {
  skip_if_no_torch()
  x <- torch_arange(1, 6)
  said <- python_reads(list(a = x, b = x[2:4], c = x$view(c(2, 3))$t(), again = x), "
x['a'][2] = 100.
result = [x['b'].tolist(), x['c'].tolist()[2][0], x['a'] is x['again']]")
  expect_equal(said, list(c(2, 100, 4), 100, TRUE))
  file <- withr::local_tempfile()
  save_state_dict(list(torch_zeros(1e6)[1:2]), file)
  expect_lt(file.size(file), 5000)
  read <- python_writes("a = torch.arange(6.); x = {'a': a, 'b': a[1:4], 'c': a.view(2, 3).t(), 'again': a}")
  read$a[3] <- 100
  expect_identical(as_array(read$b), c(1, 100, 3))
  expect_identical(as_array(read$c)[3, 1], 100)
  expect_identical(tensor_address(read$a), tensor_address(read$again))
})

test_that("values of all kinds go both ways", {
  skip_if_no_torch()
  read <- python_writes("
from collections import OrderedDict, Counter, defaultdict
d = defaultdict(list); d['k'] = [1]
x = {'none': None, 'true': True, 'int': 3, 'big': 2**40, 'bigger': 2**60 + 1, 'huge': 2**80, 'minus': -5, 'float': 1.5, 'text': 'a\u00e4\u4e2d', 'complex': 1+2j,
  'ints': [1, 2, 3], 'one': [7], 'pair': (0.9, 0.999), 'mixed': [1, 'a', None], 'bools': [True, False], 'texts': ['a', 'b'], 'nested': {'a': {'b': [{}]}},
  'empty': [], 'dict': {}, 'keys': {1: 'a', 2.5: 'b', None: 'c', True: 'd'}, 'ordered': OrderedDict(a=1, b=2), 'counter': Counter('aab'), 'default': d,
  'bytes': b'\\x00\\xff', 'array': bytearray(b'ab'), 'set': {5}, 'dtype': torch.float16, 'device': torch.device('cuda:1'), 'size': torch.Size([2, 3]),
  'parameter': torch.nn.Parameter(torch.ones(2)), 'frozen': torch.nn.Parameter(torch.ones(2), requires_grad=False), 'needs': torch.ones(1, requires_grad=True)}")
  expect_identical(read$none, NULL)
  expect_true("none" %in% names(read))
  expect_identical(read[c("true", "int", "big", "minus", "float", "text", "complex")], list(
    true = TRUE, int = 3L, big = 2^40, minus = -5L, float = 1.5, text = "a\u00e4\u4e2d", complex = 1 + 2i
  ))
  expect_identical(as.character(read$bigger), "1152921504606846977")
  expect_identical(read$huge, 2^80)
  expect_identical(read[c("ints", "one", "pair", "bools", "texts", "empty")], list(
    ints = 1:3, one = list(7L), pair = c(0.9, 0.999), bools = c(TRUE, FALSE), texts = c("a", "b"), empty = list()
  ))
  expect_identical(read$mixed, list(1L, "a", NULL))
  expect_identical(read$nested, list(a = list(b = list(set_names(list(), character())))))
  expect_identical(read$dict, set_names(list(), character()))
  expect_identical(read$keys, list(`1` = "d", `2.5` = "b", None = "c"))
  expect_identical(read$ordered, list(a = 1L, b = 2L))
  expect_identical(read$counter, list(a = 2L, b = 1L))
  expect_identical(read$default, list(k = list(1L)))
  expect_identical(read$bytes, as.raw(c(0, 255)))
  expect_identical(read$array, charToRaw("ab"))
  expect_identical(read$set, list(5L))
  expect_true(read$dtype == torch_half())
  expect_identical(as.character(read$device), "cuda:1")
  expect_identical(read$size, 2:3)
  expect_true(is_nn_parameter(read$parameter) && read$parameter$requires_grad)
  expect_true(is_nn_parameter(read$frozen) && !read$frozen$requires_grad)
  expect_true(read$needs$requires_grad)

  values <- list(
    none = NULL, true = TRUE, int = 3L, float = 3, text = "a\u00e4", complex = 1 + 2i, ints = 1:3, one = list(7L), named = c(a = 1, b = 2),
    nested = list(a = list(b = list())), empty = character(), bytes = as.raw(c(0, 255)), dtype = torch_half(), device = torch_device("cuda", 1),
    parameter = nn_parameter(torch_ones(2)), big = bit64::as.integer64("1152921504606846977")
  )
  said <- python_reads(values, "
result = [repr(x[k]) for k in x]")
  expect_identical(said, c(
    "None", "True", "3", "3.0", "'a\u00e4'", "(1+2j)", "[1, 2, 3]", "[7]", "{'a': 1.0, 'b': 2.0}", "{'a': {'b': []}}", "[]", "b'\\x00\\xff'", "torch.float16",
    "device(type='cuda', index=1)", "Parameter containing:\ntensor([1., 1.], requires_grad=True)", "1152921504606846977"
  ))
  file <- withr::local_tempfile()
  save_state_dict(values, file)
  again <- load_state_dict(file)
  same <- setdiff(names(values), c("named", "empty", "parameter"))
  expect_equal(again[same], values[same])
  for (value in list(NULL, 1L, "a", torch_tensor(1)$item())) {
    save_state_dict(value, file)
    expect_identical(torch_load(file), value)
  }
})

test_that("files before PyTorch 1.6, of other protocols and through connections are read", {
  skip_if_no_torch()
  code <- "a = torch.arange(6.); x = {'a': a, 'b': a[1:4], 'half': a.half(), 'flag': torch.tensor([True, False]), 'none': torch.zeros(0), 'n': 5, 'l': [a.int()]}"
  for (how in c(", _use_new_zipfile_serialization=False", ", pickle_protocol=4", ", pickle_protocol=4, _use_new_zipfile_serialization=False")) {
    read <- python_writes(code, how)
    expect_identical(as_array(read$b), c(1, 2, 3))
    expect_identical(as_array(read$half$float()), as.double(0:5))
    expect_identical(as_array(read$flag), c(TRUE, FALSE))
    expect_identical(dim(read$none), 0L)
    expect_identical(read$n, 5L)
    expect_identical(as_array(read$l[[1]]), 0:5)
    read$a[2] <- 10
    expect_identical(as_array(read$b), c(10, 2, 3))
  }
  file <- withr::local_tempfile()
  connection <- gzfile(file)
  save_state_dict(list(a = 1L), connection)
  expect_identical(load_state_dict(gzfile(file)), list(a = 1L))
})

test_that("models and optimisers go both ways, and train on as if nothing had happened", {
  skip_if_no_torch()
  py <- "
torch.manual_seed(1)
net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Tanh(), torch.nn.Linear(4, 1)).double()
opt = torch.optim.Adam(net.parameters(), lr=0.01, betas=(0.8, 0.99), weight_decay=0.1, amsgrad=True)
X = torch.linspace(-1, 1, 24, dtype=torch.double).view(8, 3); Y = X.pow(2).sum(1, keepdim=True)
def train(n):
  for i in range(n):
    opt.zero_grad(); torch.nn.functional.mse_loss(net(X), Y).backward(); opt.step()
"
  start <- withr::local_tempfile()
  half <- withr::local_tempfile()
  ours <- withr::local_tempfile()
  answer <- function() "result = [torch.cat([p.flatten() for p in net.parameters()]).tolist(), net[1].running_mean.tolist()]"
  whole <- python_eval(paste0(py, "
torch.save({'net': net.state_dict(), 'opt': opt.state_dict()}, start)
train(100)
torch.save({'net': net.state_dict(), 'opt': opt.state_dict(), 'epoch': 100}, half)
train(100)\n", answer()), start = start, half = half)
  net <- nn_sequential(nn_linear(3, 4), nn_batch_norm1d(4), nn_tanh(), nn_linear(4, 1))$to(dtype = torch_double())
  opt <- optim_adam(net$parameters, lr = 0.5)
  x <- torch_linspace(-1, 1, 24, dtype = torch_double())$view(c(8, 3))
  y <- x$pow(2)$sum(2, keepdim = TRUE)
  train <- function(n) {
    for (i in seq_len(n)) {
      opt$zero_grad()
      nnf_mse_loss(net(x), y)$backward()
      opt$step()
    }
  }
  values <- function() unlist(lapply(net$parameters, function(p) as_array(p$detach()$flatten())), use.names = FALSE)
  from_python <- load_state_dict(half)
  expect_identical(from_python$epoch, 100L)
  net$load_state_dict(from_python$net)
  opt$load_state_dict(from_python$opt)
  train(100)
  expect_equal(values(), whole[[1]], tolerance = 1e-6)
  expect_equal(as_array(net$buffers[[1]]), whole[[2]], tolerance = 1e-6)

  from_start <- load_state_dict(start)
  net$load_state_dict(from_start$net)
  opt <- optim_adam(net$parameters, lr = 0.5)
  opt$load_state_dict(from_start$opt)
  train(100)
  save_state_dict(list(net = net, opt = opt, scheduler = lr_step(opt, 5)), ours)
  resumed <- python_eval(paste0(py, "
x = torch.load(ours, weights_only=True)
net.load_state_dict(x['net'])
opt.load_state_dict(x['opt'])
assert x['scheduler']['step_size'] == 5
train(100)\n", answer()), ours = ours)
  expect_equal(resumed[[1]], whole[[1]], tolerance = 1e-6)
  # One parameter is a list of one.
  one <- optim_sgd(torch_ones(1, requires_grad = TRUE), lr = 0.1)
  expect_identical(python_reads(one$state_dict(), "result = [x['param_groups'][0]['params'], x['state']]"), list(0L, set_names(list(), character())))
  # What came from Python goes back with its positions.
  said <- python_reads(from_python$opt, "result = [x['param_groups'][0]['params'], list(x['state'].keys())]")
  expect_identical(said[1, ], 0:5)
  expect_identical(said[2, ], 0:5)
})

test_that("what would run code is refused by its name, and nothing runs", {
  skip_if_no_torch()
  folder <- withr::local_tempdir()
  path <- function(name) file.path(folder, name)
  python_eval("
import os, sys
sys.setrecursionlimit(10**5)
class Evil:
  def __reduce__(self): return (os.system, ('touch ' + folder + '/mark',))
evil = {'a': torch.ones(1), 'b': Evil()}
def save(x, name, **how): torch.save(x, folder + '/' + name, **how)
save(evil, 'evil'); save(evil, 'evil_old', _use_new_zipfile_serialization=False); save(evil, 'evil_4', pickle_protocol=4)
save(torch.nn.Linear(2, 1), 'linear'); save({'a': torch.eye(2).to_sparse()}, 'sparse'); save({(1, 2): 3}, 'keys'); save({'f': torch.Tensor}, 'class')
l = []; l.append(l); save(l, 'circle')
x = []
for i in range(600): x = [x]
save(x, 'deep')
x = [1.0] * 10
for i in range(40): x = [x, x]
save(x, 'bomb')
result = 0", folder = folder)
  refused <- function(name, why) expect_error(load_state_dict(path(name)), why, class = "torch_runtime_error")
  for (name in c("evil", "evil_old", "evil_4")) {
    refused(name, "it would run `(posix|os)\\.system`")
    expect_error(torch_load(path(name)), "it would run `(posix|os)\\.system`", class = "torch_runtime_error")
  }
  expect_false(file.exists(path("mark")))
  refused("linear", "it would run `torch\\.nn\\.modules\\.linear\\.Linear`")
  refused("sparse", "_rebuild_sparse_tensor")
  refused("keys", "keys are no strings")
  refused("class", "`torch.Tensor`, which is no value")
  refused("circle", "a list holds itself")
  refused("deep", "nested too deeply")
  deep <- torch_ones(1)
  for (i in 1:600) deep <- list(a = deep)
  expect_error(save_state_dict(deep, path("too_deep")), "`obj` can't be written to a file of Python's: it is nested too deeply", class = "value_error")
  expect_length(load_state_dict(path("bomb")), 2)
  file <- path("program")
  jit_save(jit_trace(function(x) x, torch_ones(1)), file)
  expect_error(load_state_dict(file), "use `jit_load\\(\\)`", class = "torch_runtime_error")
})

test_that("pickles that lie are refused", {
  skip_if_no_torch()
  # The old form with a pickle of one's own in it.
  pickle <- function(...) c(as.raw(c(0x80, 2)), ..., charToRaw("."))
  text <- function(x) c(charToRaw("X"), writeBin(nchar(x), raw(), endian = "little"), charToRaw(x))
  int <- function(n) c(charToRaw("J"), writeBin(as.integer(n), raw(), endian = "little"))
  global <- function(module, name) charToRaw(sprintf("c%s\n%s\n", module, name))
  magic <- as.raw(c(0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19))
  file <- function(value, keys = charToRaw("]"), data = raw()) {
    c(pickle(magic), pickle(int(1001)), pickle(charToRaw("}")), pickle(value), pickle(keys), data)
  }
  storage <- function(numel) {
    c(charToRaw("(("), text("storage"), global("torch", "FloatStorage"), text("0"), text("cpu"), int(numel), charToRaw("NtQ"))
  }
  tensor <- function(numel = 2, offset = 0, size = 2, stride = 1) {
    c(global("torch._utils", "_rebuild_tensor_v2"), storage(numel), int(offset), int(size), as.raw(0x85), int(stride), as.raw(0x85), charToRaw("\x89"),
      global("collections", "OrderedDict"), charToRaw(")RtR"))
  }
  memory <- c(writeBin(c(2L, 0L), raw(), endian = "little"), writeBin(c(1, 2), raw(), size = 4, endian = "little"))
  key <- c(charToRaw("]"), text("0"), charToRaw("a"))
  expect_identical(as_array(torch_load(file(tensor(), key, memory))), c(1, 2))
  bad <- list(
    file(tensor(3), key, memory), file(tensor(2e9), key, memory), file(tensor(-1), key, memory), file(tensor(offset = 1), key, memory), file(tensor(offset = -1), key, memory),
    file(tensor(size = 3), key, memory), file(tensor(size = -2), key, memory), file(tensor(stride = 2), key, memory), file(tensor(stride = -1), key, memory),
    file(tensor(), key, utils::head(memory, -1)), file(tensor(), charToRaw("]"), memory), file(tensor(), c(key, text("0"), charToRaw("a")), c(memory, memory)),
    file(charToRaw("t")), file(charToRaw("R")), file(charToRaw("h\x01")), file(charToRaw("0")), file(charToRaw("]N(e")), file(charToRaw("})u")), file(raw()),
    file(c(charToRaw("X"), as.raw(c(255, 255, 255, 255)))), file(charToRaw("Q")), file(storage(2), key, memory), file(as.raw(0xff)), file(charToRaw("r\xff\xff\xff\xff")),
    # A list that is copied again and again.
    file(c(charToRaw("(("), rep(charToRaw("N"), 1e5), charToRaw("lq\x01"), rep(c(global("builtins", "set"), charToRaw("h\x01"), as.raw(0x85), charToRaw("R")), 1e4), charToRaw("t")))
  )
  for (i in seq_along(bad)) expect_error(torch_load(bad[[i]]), "can't be read", class = "torch_runtime_error", info = i)
  expect_snapshot({
    torch_load(bad[[1]])
    torch_load(bad[[6]])
    torch_load(bad[[10]])
    torch_load(file(global("os", "system")))
    torch_load(bad[[25]])
  }, error = TRUE)
})

test_that("what Python has no form for is told, with its place", {
  skip_if_no_torch()
  expect_snapshot({
    save_state_dict(list(a = list(1, mean)), tempfile())
    save_state_dict(list(a = factor("x")), tempfile())
    save_state_dict(list(a = NA), tempfile())
    save_state_dict(list(a = 1, 2), tempfile())
    save_state_dict(list(a = 1, a = 2), tempfile())
    save_state_dict(list(w = torch_eye(2)$to_sparse()), tempfile())
    save_state_dict(list(w = matrix(1:4, 2)), tempfile())
    save_state_dict(list(a = 1), "no/such/folder/file")
    save_state_dict(list(a = 1), 5)
  }, error = TRUE)
})

test_that("states go with their parameters, whichever of a module's the optimiser has", {
  skip_if_no_torch()
  net <- nn_module(
    initialize = function() {
      self$l <- nn_linear(2, 2, bias = FALSE)
      self$k <- nn_linear(2, 2, bias = FALSE)
      self$w <- nn_parameter(torch_ones(2, 2))
    }
  )
  a <- net()
  b <- net()
  # Each parameter is known by its gradient. In PyTorch the module's own come first.
  number <- function(p) match(tensor_address(p), vapply(list(a$w, a$l$weight, a$k$weight, b$w, b$l$weight, b$k$weight), tensor_address, ""))
  cases <- list(
    list(a$parameters, 1:3), list(Filter(function(p) TRUE, a$parameters), 1:3), list(a$parameters[-2], 1:2),
    list(c(a$parameters, b$parameters), 1:6), list(unname(a$parameters), 1:3), list(list(a$l$weight, a$w), 2:1),
    list(c(b$parameters, a$parameters[1]), c(4:6, 2)), list(list(list(params = a$parameters[-1]), list(params = b$parameters)), c(1, 3, 4:6))
  )
  for (case in cases) {
    opt <- optim_adam(case[[1]], betas = c(0.5, 0.5))
    for (p in unlist(lapply(opt$param_groups, `[[`, "params"))) p$grad <- torch_full_like(p, number(p))
    opt$step()
    kept <- python_reads(list(opt = opt), "result = [x['opt']['state'][i]['exp_avg'][0, 0].item() for g in x['opt']['param_groups'] for i in g['params']]")
    expect_equal(kept * 2, as.numeric(case[[2]]))
    # And back, from positions from 0.
    file <- withr::local_tempfile(fileext = ".pth")
    save_state_dict(opt, file)
    again <- optim_adam(case[[1]])
    again$load_state_dict(load_state_dict(file))
    for (group in again$param_groups) for (p in group$params) {
      expect_equal(as.numeric(again$state$get(p)$exp_avg[1, 1]) * 2, number(p))
    }
  }
})

test_that("Adagrad's sums are there before the first step", {
  skip_if_no_torch()
  a <- torch_ones(2, requires_grad = TRUE)
  b <- torch_ones(3, requires_grad = TRUE)
  opt <- optim_adagrad(list(a, b), lr = 0.1, initial_accumulator_value = 0.5)
  a$grad <- torch_ones(2)
  opt$step()
  sums <- python_reads(list(opt = opt), "
p = [torch.ones(2, requires_grad=True), torch.ones(3, requires_grad=True)]
o = torch.optim.Adagrad(p, lr=0.1, initial_accumulator_value=0.5)
o.load_state_dict(x['opt'])
p[1].grad = torch.ones(3)
o.step()
result = [o.state[p[0]]['sum'].tolist(), o.state[p[1]]['sum'].tolist()]")
  expect_equal(sums, list(c(1.5, 1.5), c(1.5, 1.5, 1.5)))
})

test_that("the states of all layers have PyTorch's names in files, and are read by these names", {
  skip_if_no_torch()
  cases <- Filter(function(case) length(eval(parse(text = case$r)[[1]])$state_dict()) > 0, layer_cases)
  modules <- lapply(cases, function(case) eval(parse(text = case$r)[[1]]))
  ours <- withr::local_tempfile(fileext = ".pth")
  theirs <- withr::local_tempfile(fileext = ".pth")
  save_state_dict(lapply(modules, function(module) module$state_dict()), ours)
  same <- python_eval("
import warnings
from torch import nn
warnings.simplefilter('ignore')
modules = [eval('torch.nn.' + case) for case in cases]
torch.save([m.state_dict() for m in modules], theirs)
result = []
for m, state in zip(modules, torch.load(ours, weights_only=True)):
  m.load_state_dict(state)
  result.append(all(torch.equal(v.flatten(), state[k].flatten()) for k, v in m.state_dict().items()))
", cases = vapply(cases, `[[`, "", "py"), ours = ours, theirs = theirs)
  expect_identical(vapply(cases, `[[`, "", "r")[!same], character())
  read <- load_state_dict(theirs)
  for (i in seq_along(modules)) {
    modules[[i]]$load_state_dict(read[[i]])
    expect_equal(unname(as_numbers_of(modules[[i]]$state_dict())), unname(as_numbers_of(read[[i]])), info = cases[[i]]$r)
  }
})

test_that("layers are counted as PyTorch does in files, in modules within modules too, and where weights have other forms", {
  skip_if_no_torch()
  tagger <- nn_module(
    initialize = function() {
      self$first <- nn_sequential(nn_lstm(2, 3, 11, bidirectional = TRUE), nn_identity())
      self$second <- nn_utils_parametrizations_weight_norm(nn_gru(6, 2, 2), "weight_hh_l2")
      self$weight_ih_l1 <- nn_parameter(torch_zeros(1))
    },
    forward = function(x) self$second(self$first(x)[[1]])
  )()
  file <- withr::local_tempfile(fileext = ".pth")
  save_state_dict(tagger, file)
  names <- names(load_state_dict(file))
  expect_true(all(c(
    "weight_ih_l1", "first.0.weight_ih_l0", "first.0.bias_hh_l10_reverse", "second.weight_ih_l0",
    "second.parametrizations.weight_hh_l1.original0"
  ) %in% names))
  expect_false(any(c("first.0.weight_ih_l11", "second.parametrizations.weight_hh_l2.original0") %in% names))
  expect_length(names, length(tagger$state_dict()))
  before <- as_numbers_of(tagger$state_dict())
  for (p in tagger$parameters) nn_init_zeros_(p)
  tagger$load_state_dict(load_state_dict(file))
  expect_identical(as_numbers_of(tagger$state_dict()), before)
  other <- tagger$clone(deep = TRUE)
  other$load_state_dict(load_state_dict(file), .refer_to_state_dict = TRUE)
  expect_identical(as_numbers_of(other$state_dict()), before)
})

test_that("states of optimisers go with their parameters, although PyTorch has these in another order", {
  skip_if_older("2.0")
  py <- "
net = torch.nn.TransformerEncoderLayer(4, 2, 6, dropout=0., batch_first=True).double()
other = torch.nn.Linear(4, 1).double()
opt = torch.optim.Adam([{'params': net.parameters(), 'lr': 0.02}, {'params': other.parameters()}], lr=0.01)
x = torch.linspace(-1, 1, 24, dtype=torch.double).view(2, 3, 4)
def train(n):
  for i in range(n):
    opt.zero_grad(); other(net(x)).pow(2).mean().backward(); opt.step()
def answer(): return {k: v.flatten().tolist() for k, v in net.state_dict().items()}
def everything(): return {'net': net.state_dict(), 'other': other.state_dict(), 'opt': opt.state_dict()}
"
  half <- withr::local_tempfile()
  ours <- withr::local_tempfile()
  whole <- python_eval(paste0(py, "torch.manual_seed(3)\ntrain(20)\ntorch.save(everything(), half)\ntrain(20)\nresult = answer()"), half = half)
  net <- nn_transformer_encoder_layer(4, 2, 6, dropout = 0, batch_first = TRUE)$double()
  other <- nn_linear(4, 1)$double()
  x <- torch_linspace(-1, 1, 24, dtype = "double")$view(c(2, 3, 4))
  resumed <- function(read, n) {
    opt <- optim_adam(list(list(params = net$parameters, lr = 0.5), list(params = other$parameters)))
    net$load_state_dict(read$net)
    other$load_state_dict(read$other)
    opt$load_state_dict(read$opt)
    for (i in seq_len(n)) {
      opt$zero_grad()
      other(net(x))$pow(2)$mean()$backward()
      opt$step()
    }
    opt
  }
  opt <- resumed(load_state_dict(half), 10)
  save_state_dict(list(net = net, other = other, opt = opt), ours)
  there <- python_eval(paste0(py, "
x0 = torch.load(ours, weights_only=True)
net.load_state_dict(x0['net']); other.load_state_dict(x0['other']); opt.load_state_dict(x0['opt'])
train(10)\nresult = answer()"), ours = ours)
  opt <- resumed(load_state_dict(ours), 10)
  here <- lapply(net$state_dict(), function(x) as_array(x$flatten()))
  expect_setequal(names(here), names(whole))
  for (name in names(whole)) {
    expect_equal(there[[name]], whole[[name]], tolerance = 1e-5, info = name)
    expect_equal(here[[name]], whole[[name]], tolerance = 1e-5, info = name)
  }
  # Within R positions stay as R has them.
  again <- optim_adam(list(list(params = net$parameters), list(params = other$parameters)))
  again$load_state_dict(opt$state_dict())
  expect_equal(lapply(again$state_dict()$state, as_numbers_of), lapply(opt$state_dict()$state, as_numbers_of))
  plain <- optim_adam(c(unname(net$parameters), unname(other$parameters)))
  read <- load_state_dict(ours)$opt
  read$param_groups <- list(utils::modifyList(read$param_groups[[1]], list(params = 0:13)))
  expect_error(plain$load_state_dict(read), "`exp_avg` of shape \\(4, 4\\) in the state of parameter 2, whose shape is \\(12, 4\\)", class = "value_error")
})
