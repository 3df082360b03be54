test_that("a module goes to Python and gives the same numbers there", {
  skip_if_no_torch()
  net <- small_net()$eval()
  file <- saved_net(net)
  x <- matrix(c(1, 2, 3, -1, 0.5, 0), 2, byrow = TRUE)
  there <- python_eval("
m = torch.jit.load(file)
result = dict(out=m(torch.tensor(x)).tolist(), training=m.training,
  parameters=[n for n, p in m.named_parameters()], state=list(m.state_dict()),
  grad=[p.requires_grad for p in m.parameters()])", file = file, x = x)
  expect_equal(c(there$out), as.numeric(net(torch_tensor(x))), tolerance = 1e-6)
  expect_false(there$training)
  expect_setequal(there$parameters, names(net$parameters))
  expect_setequal(there$state, names(net$state_dict()))
  expect_true(all(there$grad))
})

test_that("a module comes from Python and gives the same numbers here", {
  skip_if_no_torch()
  folder <- withr::local_tempdir()
  there <- python_eval("
import torch.nn as nn
torch.manual_seed(1)
m = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))
x = torch.randn(6, 3)
m.train()(x)
s = torch.jit.script(m)
s.eval().save(folder + '/scripted')
torch.jit.trace(m.eval(), x).save(folder + '/traced')
result = dict(x=x.tolist(), out=s(x).tolist(), parameters=[n for n, p in s.named_parameters()],
  mean=m[1].running_mean.tolist())", folder = folder)
  for (kind in c("scripted", "traced")) {
    loaded <- jit_load(file.path(folder, kind))
    expect_s3_class(loaded, c("script_module", "nn_module"), exact = TRUE)
    expect_equal(as.numeric(loaded(torch_tensor(there$x))), c(there$out), tolerance = 1e-6)
    expect_setequal(names(loaded$parameters), there$parameters)
    expect_equal(as.numeric(loaded$buffers[["1.running_mean"]]), there$mean, tolerance = 1e-6)
    expect_false(loaded$training)
  }
  # What PyTorch scripted switches by its own `training`.
  loaded <- jit_load(file.path(folder, "scripted"))
  loaded$train()
  expect_equal(vapply(loaded$modules, function(m) m$training, NA), rep(TRUE, 5))
  before <- as_array(loaded$buffers[["1.running_mean"]])
  loaded(torch_tensor(there$x))
  expect_false(isTRUE(all.equal(as_array(loaded$buffers[["1.running_mean"]]), before)))
})

test_that("what R loads and saves again Python still reads", {
  skip_if_no_torch()
  file <- saved_net()
  again <- withr::local_tempfile()
  loaded <- jit_load(file)
  with_no_grad(loaded$two$bias$fill_(42))
  with_no_grad(loaded$two$weight$zero_())
  expect_identical(withVisible(jit_save(loaded, again))$visible, FALSE)
  expect_equal(python_eval("result = torch.jit.load(again)(torch.ones(2, 3)).flatten().tolist()", again = again), c(42, 42))
})

test_that("bytes go to a raw vector and back, to and from Python too", {
  skip_if_no_torch()
  net <- small_net()$eval()
  traced <- jit_trace(net, torch_randn(5, 3))
  bytes <- jit_serialize(traced)
  expect_type(bytes, "raw")
  x <- torch_randn(4, 3)
  back <- jit_unserialize(bytes)
  expect_equal(as_array(back(x)), as_array(net(x)))
  expect_true(back$two$weight$requires_grad)
  # They are the bytes of a file.
  file <- withr::local_tempfile()
  writeBin(bytes, file)
  expect_equal(as_array(jit_load(file)(x)), as_array(net(x)))
  size <- python_eval("result = sum(p.numel() for p in torch.jit.load(file).parameters())", file = file)
  expect_equal(size, 3 * 4 + 4 + 2 * 4 + 4 + 1)
  expect_snapshot({
    show_error(jit_serialize(jit_compile("def f(x):\n  return x\n")$f))
    show_error(jit_unserialize("a"))
  })
  expect_error(jit_unserialize(raw(0)), "`obj` can't be read", class = "torch_error")
  expect_error(jit_unserialize(bytes[seq_len(length(bytes) %/% 2)]), "`obj` can't be read", class = "torch_error")
})

test_that("a file for mobile loads like any other, and holds bytecode", {
  skip_if_no_torch()
  net <- nn_linear(2, 1)
  traced <- jit_trace(net, torch_ones(1, 2))
  file <- withr::local_tempfile()
  jit_save_for_mobile(traced, file)
  x <- torch_randn(3, 2)
  expect_equal(as_array(jit_load(file)(x)), as_array(net(x)))
  python <- "import zipfile\nresult = [n.split('/')[-1] for n in zipfile.ZipFile(file).namelist()]"
  expect_true("bytecode.pkl" %in% python_eval(python, file = file))
  jit_save(traced, file)
  expect_false("bytecode.pkl" %in% python_eval(python, file = file))
})

test_that("tensors are loaded to the device that is asked for", {
  skip_if_no_torch()
  file <- saved_net()
  expect_equal(jit_load(file, device = "cpu")$two$weight$device$type, "cpu")
  expect_equal(jit_load(file, device = torch_device("cpu"))$two$weight$device$type, "cpu")
  expect_equal(jit_load(file, device = "meta")$two$weight$device$type, "meta")
  expect_error(jit_load(file, device = "nope"), "nope", class = "torch_error")
  expect_error(jit_load(file, device = 1), "`device` must be", class = "type_error")
})

test_that("what is no file or no program is named", {
  skip_if_no_torch()
  withr::local_dir(withr::local_tempdir())
  dir.create("folder")
  writeLines("garbage", "garbage.pt")
  saveRDS(1, "object.rds")
  file.create("empty.pt")
  traced <- jit_trace(nn_linear(1, 1), torch_ones(1, 1))
  jit_save(traced, "whole.pt")
  bytes <- readBin("whole.pt", "raw", file.size("whole.pt"))
  writeBin(bytes[seq_len(length(bytes) %/% 2)], "half.pt")
  expect_snapshot({
    show_error(jit_load("nowhere.pt"))
    show_error(jit_load("folder"))
    show_error(jit_load(1))
    show_error(jit_save(1, "x.pt"))
    show_error(jit_save(traced, "folder"))
    show_error(jit_save(traced, "no/such/folder.pt"))
    show_error(jit_save(traced, c("a", "b")))
  })
  for (file in c("garbage.pt", "object.rds", "empty.pt", "half.pt")) {
    expect_error(jit_load(file), paste0("`", file, "` can't be read"), class = "torch_error")
  }
  # R lives, and reads the whole one.
  expect_equal(as_array(jit_load("whole.pt")$weight), as_array(traced$weight))
})

test_that("a failed save leaves the old file whole and nothing beside it", {
  skip_if_no_torch()
  withr::local_dir(withr::local_tempdir())
  traced <- jit_trace(nn_linear(1, 1), torch_ones(1, 1))
  jit_save(traced, "model.pt")
  before <- tools::md5sum("model.pt")
  dead <- unserialize(serialize(traced, NULL))
  expect_error(jit_save(dead, "model.pt"), "dead", class = "value_error")
  # The writing itself fails half-way.
  namespace <- asNamespace("torch")
  real <- namespace$cpp_module_save
  half_written <- function(module, path, mobile) {
    writeLines("half", path)
    stop("the disk is full")
  }
  rlang::env_binding_unlock(namespace, "cpp_module_save")
  withr::defer({
    assign("cpp_module_save", real, namespace)
    rlang::env_binding_lock(namespace, "cpp_module_save")
  })
  assign("cpp_module_save", half_written, namespace)
  expect_error(jit_save(traced, "model.pt"), "disk is full")
  expect_equal(tools::md5sum("model.pt"), before)
  expect_equal(list.files(all.files = TRUE, no.. = TRUE), "model.pt")
})
