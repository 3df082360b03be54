small_net <- nn_module(
  "small_net",
  initialize = function() {
    self$one <- nn_linear(3, 4)
    self$norm <- nn_batch_norm1d(4)
    self$two <- nn_linear(4, 1)
  },
  forward = function(x) self$two(nnf_relu(self$norm(self$one(x))))
)

saved_net <- function(net = small_net(), env = parent.frame()) {
  file <- withr::local_tempfile(fileext = ".pt", .local_envir = env)
  jit_save(jit_trace(net, torch_randn(5, 3)), file)
  file
}

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

test_that("parameters are live, with their flags, and changes are seen by the program", {
  skip_if_no_torch()
  loaded <- jit_load(saved_net())
  x <- torch_randn(4, 3)
  expect_true(loaded$two$bias$requires_grad)
  expect_false(loaded$norm$running_mean$requires_grad)
  with_no_grad(loaded$parameters[["two.weight"]]$zero_())
  with_no_grad(loaded$two$bias$fill_(2))
  expect_equal(as.numeric(loaded(x)), rep(2, 4))
  expect_equal(as.numeric(loaded[["two"]]$bias), 2)
})

test_that("children, parameters and buffers are listed as in a module of R", {
  skip_if_no_torch()
  net <- small_net()
  loaded <- jit_load(saved_net(net))
  expect_equal(names(loaded$children), names(net$children))
  expect_length(loaded$modules, 4)
  expect_setequal(names(loaded$parameters), names(net$parameters))
  expect_setequal(names(loaded$buffers), names(net$buffers))
  expect_equal(names(loaded$norm$named_buffers(recursive = FALSE)), c("running_mean", "running_var", "num_batches_tracked"))
  expect_length(loaded$named_parameters(recursive = FALSE), 0)
  expect_equal(as_array(loaded[[1]]$weight), as_array(net$one$weight))
  expect_null(loaded$nothing)
  expect_error(loaded$one(torch_ones(1, 3)), "no `forward` method", class = "runtime_error")
  expect_output(print(loaded), "containing 29 parameters")
})

test_that("state dicts go between a module and its loaded program", {
  skip_if_no_torch()
  net <- small_net()
  loaded <- jit_load(saved_net())
  state <- net$state_dict()
  expect_setequal(names(loaded$state_dict()), names(state))
  loaded$load_state_dict(state)
  expect_equal(lapply(loaded$state_dict()[names(state)], as_array), lapply(state, as_array))
  x <- torch_randn(4, 3)
  expect_equal(as_array(loaded$eval()(x)), as_array(net$eval()(x)))
  expect_error(loaded$load_state_dict(state[-1]), "has no entry", class = "value_error")
})

test_that("a loaded module is trained on", {
  skip_if_no_torch()
  file <- withr::local_tempfile()
  jit_save(jit_trace(nn_linear(2, 1), torch_ones(1, 2)), file)
  loaded <- jit_load(file)
  x <- torch_randn(50, 2)
  y <- x$matmul(torch_tensor(matrix(c(2, -1), 2))) + 0.5
  optimizer <- optim_sgd(loaded$parameters, lr = 0.3)
  for (epoch in 1:100) {
    optimizer$zero_grad()
    loss <- nnf_mse_loss(loaded(x), y)
    loss$backward()
    optimizer$step()
  }
  expect_equal(as.numeric(loaded$weight), c(2, -1), tolerance = 1e-3)
  expect_equal(as.numeric(loaded$bias), 0.5, tolerance = 1e-3)
  loaded$zero_grad()
  expect_equal(as.numeric(loaded$weight$grad), c(0, 0))
  # What was learnt is in the next file.
  jit_save(loaded, file)
  expect_equal(as.numeric(jit_load(file)$weight), c(2, -1), tolerance = 1e-3)
})

test_that("the mode survives the file and is set by field or method", {
  skip_if_no_torch()
  expect_true(jit_load(saved_net())$training)
  loaded <- jit_load(saved_net(small_net()$eval()))
  expect_false(loaded$training)
  expect_false(loaded$norm$training)
  loaded$training <- TRUE
  expect_true(loaded$is_training())
  expect_true(loaded$norm$training)
  loaded$eval()
  expect_false(loaded$is_training())
  loaded$train(TRUE)
  expect_true(loaded$training)
})

test_that("a file with two traces and no forward is called by its mode", {
  skip_if_no_torch()
  file <- withr::local_tempfile()
  python_eval("
class M(torch.nn.Module):
    @torch.jit.export
    def trainforward(self, x):
        return x + 1
    @torch.jit.export
    def evalforward(self, x):
        return x + 2
torch.jit.script(M()).save(file)
result = 0", file = file)
  loaded <- jit_load(file)
  expect_equal(as.numeric(loaded(torch_tensor(0))), 1)
  loaded$eval()
  expect_equal(as.numeric(loaded(torch_tensor(0))), 2)
})

test_that("attributes, buffers and children can be added", {
  skip_if_no_torch()
  traced <- jit_trace(nn_linear(1, 1), torch_ones(1, 1))
  traced$note <- "written by R"
  traced$offset <- torch_tensor(3)
  traced$extra <- jit_trace(nn_linear(2, 2), torch_ones(1, 2))
  traced$scale <- nn_parameter(torch_tensor(4))
  file <- withr::local_tempfile()
  jit_save(traced, file)
  loaded <- jit_load(file)
  expect_equal(loaded$note, "written by R")
  expect_equal(as.numeric(loaded$buffers$offset), 3)
  expect_equal(as.numeric(loaded$parameters$scale), 4)
  expect_equal(as_array(loaded$extra$weight), as_array(traced$extra$weight))
  expect_snapshot({
    show_error(traced$register_buffer("b", torch_ones(1), persistent = FALSE))
    show_error(traced$register_module("b", nn_linear(1, 1)))
  })
})

test_that("methods show their graphs", {
  skip_if_no_torch()
  traced <- jit_trace(small_net(), torch_randn(5, 3))
  expect_s3_class(traced$trainforward, "script_method", exact = TRUE)
  expect_output(print(traced$trainforward), "^<script_method>$")
  expect_match(as.character(traced$graph), "^graph\\(%self : __torch__.small_net")
  expect_match(as.character(traced$graph), "aten::batch_norm")
  expect_s3_class(traced$trainforward$graph, "script_method_graph")
  expect_match(as.character(traced$graph_for(torch_randn(5, 3))), "aten::batch_norm")
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

test_that("a script module that came out of saveRDS() is dead, not dangerous", {
  skip_if_no_torch()
  file <- withr::local_tempfile()
  saveRDS(jit_trace(nn_linear(1, 1), torch_ones(1, 1)), file)
  dead <- readRDS(file)
  expect_error(dead(torch_ones(1, 1)), "dead", class = "value_error")
  expect_error(dead$weight, "dead", class = "value_error")
  expect_error(print(dead), "dead", class = "value_error")
})
