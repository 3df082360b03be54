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
    show_error(jit_serialize(1))
    show_error(jit_unserialize("a"))
    show_error(jit_unserialize(bytes, "cpu"))
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
  expect_equal(tools::md5sum("model.pt"), before)
  expect_equal(list.files(all.files = TRUE, no.. = TRUE), "model.pt")
})

test_that("a full disk is an error that says so, and the old file stays", {
  skip_if_no_torch()
  skip_on_os(c("windows", "mac", "solaris"))
  disk <- withr::local_tempdir()
  mounted <- suppressWarnings(system2("mount", c("-t", "tmpfs", "-o", "size=256k", "tmpfs", disk), stdout = FALSE, stderr = FALSE)) == 0
  skip_if(!mounted, "A small disk can only be mounted by root")
  withr::defer(system2("umount", disk))
  file <- file.path(disk, "model.pt")
  jit_save(jit_trace(nn_linear(1, 1), torch_ones(1, 1)), file)
  before <- tools::md5sum(file)
  large <- jit_trace(nn_linear(300, 300), torch_ones(1, 300))
  for (save in list(jit_save, jit_save_for_mobile)) {
    expect_error(save(large, file), "`.*model.pt` can't be written: No space left on device", class = "torch_runtime_error")
    expect_equal(tools::md5sum(file), before)
    expect_equal(list.files(disk, all.files = TRUE, no.. = TRUE), "model.pt")
  }
})

test_that("a killed process leaves the old file whole, and what it left goes with the next save", {
  skip_if_no_torch()
  skip_on_os("windows")
  skip_if_not_installed("callr")
  folder <- withr::local_tempdir()
  file <- file.path(folder, "model.pt")
  small <- jit_trace(nn_linear(1, 1), torch_ones(1, 1))
  jit_save(small, file)
  before <- tools::md5sum(file)
  writer <- callr::r_bg(function(file) {
    library(torch)
    net <- jit_trace(nn_linear(4000, 4000), torch_ones(1, 4000))
    # Only a first file is saved whole, so that one is surely being written when the process is killed.
    repeat jit_save(net, file)
  }, list(file.path(folder, "other.pt")))
  withr::defer(writer$kill())
  hidden <- function() list.files(folder, "^[.]other[.]pt[.]saving-", all.files = TRUE)
  wait_for <- function(condition) {
    for (i in 1:1200) if (isTRUE(condition())) return(TRUE) else Sys.sleep(0.05)
    FALSE
  }
  expect_true(wait_for(function() file.exists(file.path(folder, "other.pt")) && length(hidden()) > 0))
  whole <- file.size(file.path(folder, "other.pt"))
  # Stopped where it writes, then killed.
  stopped <- wait_for(function() {
    writer$suspend()
    if (length(hidden())) return(TRUE)
    writer$resume()
    FALSE
  })
  expect_true(stopped)
  # A living process keeps its own.
  jit_save(small, file)
  expect_length(hidden(), 1)
  expect_equal(file.size(file.path(folder, "other.pt")), whole)
  writer$kill()
  expect_length(hidden(), 1)
  expect_equal(jit_load(file.path(folder, "other.pt"))$weight$shape, c(4000, 4000))
  jit_save(small, file.path(folder, "other.pt"))
  expect_length(hidden(), 0)
  expect_equal(as_array(jit_load(file.path(folder, "other.pt"))$weight), as_array(small$weight))
})

test_that("a file is on the disk before it takes its name, and its name is there at the end", {
  skip_if_no_torch()
  skip_on_os(c("windows", "mac", "solaris"))
  skip_if(!nzchar(Sys.which("strace")), "strace is not installed")
  folder <- normalizePath(withr::local_tempdir())
  log <- withr::local_tempfile()
  code <- withr::local_tempfile(lines = c(
    "library(torch)", sprintf("setwd(%s)", shQuote(folder)), "jit_save(jit_compile('def f(x):\n  return x')$f, 'model.pt')"
  ))
  rscript <- file.path(R.home("bin"), "Rscript")
  status <- system2("strace", c("-f", "-qq", "-y", "-e", "trace=fsync,rename,renameat2,renameat", "-o", shQuote(log), shQuote(rscript), shQuote(code)))
  skip_if(status != 0, "Processes can't be traced here")
  seen <- grep("model.pt|fsync", readLines(log), value = TRUE)
  expect_length(seen, 3)
  expect_match(seen[1], "fsync\\(.*/[.]model[.]pt[.]saving-.*= 0$")
  expect_match(seen[2], "rename.*[.]model[.]pt[.]saving-.*model[.]pt.*= 0$")
  expect_match(seen[3], paste0("fsync\\(\\d+<", folder, ">\\) += 0$"))
})

test_that("a saved file keeps the permissions of the one it replaces, and the link to it", {
  skip_if_no_torch()
  skip_on_os("windows")
  withr::local_dir(withr::local_tempdir())
  traced <- jit_trace(nn_linear(1, 1), torch_ones(1, 1))
  file.create("model.pt")
  Sys.chmod("model.pt", "600", use_umask = FALSE)
  file.symlink("model.pt", "link.pt")
  jit_save(traced, "link.pt")
  expect_equal(Sys.readlink("link.pt"), "model.pt")
  expect_equal(format(file.mode("model.pt")), "600")
  expect_equal(as_array(jit_load("model.pt")$weight), as_array(traced$weight))
  # A device is written to, not replaced.
  skip_if(!file.exists("/dev/null"))
  jit_save(traced, "/dev/null")
  expect_equal(file.size("/dev/null"), 0)
})

test_that("files have names in any script", {
  skip_if_no_torch()
  withr::local_dir(withr::local_tempdir())
  traced <- jit_trace(nn_linear(1, 1), torch_ones(1, 1))
  for (name in c("m\u00fcller \u6a21\u578b.pt", "no extension", "a'b\"c")) {
    jit_save(traced, name)
    expect_equal(as_array(jit_load(name)$weight), as_array(traced$weight))
  }
})

test_that("functions go to files and bytes with the names and defaults of their arguments", {
  skip_if_no_torch()
  unit <- unit_of_many()
  back <- jit_unserialize(jit_serialize(unit$scale))
  expect_s3_class(back, "script_module")
  expect_equal(as.numeric(back(torch_tensor(3))), 6)
  expect_equal(as.numeric(back(torch_tensor(3), k = 5)), 15)
  # A function that calls another of its unit.
  expect_equal(as.numeric(jit_unserialize(jit_serialize(unit$thrice))(torch_tensor(3))), 9)
  file <- withr::local_tempfile()
  jit_save(unit$scale, file)
  expect_equal(python_eval("f = torch.jit.load(file)\nresult = [f(torch.tensor(3.)).item(), f(torch.tensor(3.), k=5).item()]", file = file), c(6, 15))
})

test_that("extra files travel both ways, as text and as bytes", {
  skip_if_no_torch()
  withr::local_dir(withr::local_tempdir())
  file <- normalizePath("model.pt", mustWork = FALSE)
  bytes <- as.raw(c(0:255, 0))
  text <- "{\"mean\": 1.5, \"name\": \"M\u00fcller \u6a21\"}\n"
  for (save in list(jit_save, jit_save_for_mobile)) {
    save(jit_trace(nn_linear(1, 1), torch_ones(1, 1)), file, extra_files = list(scaling.json = text, `data/bytes` = bytes, empty = raw()))
    there <- python_eval("
extra = {'scaling.json': '', 'data/bytes': '', 'empty': ''}
torch.jit.load(file, _extra_files=extra)
result = dict(text=extra['scaling.json'].decode(), bytes=list(extra['data/bytes']), empty=len(extra['empty']))", file = file)
    expect_equal(there, list(text = text, bytes = as.integer(bytes), empty = 0L))
    loaded <- jit_load(file)
    extra <- jit_extra_files(loaded)
    expect_setequal(names(extra), c("scaling.json", "data/bytes", "empty"))
    expect_identical(extra$scaling.json, text)
    expect_identical(extra$`data/bytes`, bytes)
    expect_identical(extra$empty, "")
    expect_identical(jit_extra_files(loaded, raw = TRUE)$scaling.json, charToRaw(text))
  }
  python_eval("
torch.jit.script(torch.nn.Linear(1, 1)).save(file, _extra_files={'from': b'Python', 'bytes': bytes([0, 255])})
result = 0", file = file)
  expect_identical(jit_extra_files(jit_load(file))[c("from", "bytes")], list(from = "Python", bytes = as.raw(c(0, 255))))
})

test_that("extra files are kept, chosen and replaced", {
  skip_if_no_torch()
  traced <- jit_trace(nn_linear(1, 1), torch_ones(1, 1))
  expect_identical(jit_extra_files(traced), structure(list(), names = character()))
  loaded <- jit_unserialize(jit_serialize(traced, extra_files = c(a = "1", b = "2")))
  expect_mapequal(jit_extra_files(loaded), list(a = "1", b = "2"))
  expect_mapequal(jit_extra_files(loaded$clone()), list(a = "1", b = "2"))
  again <- jit_serialize(loaded)
  expect_mapequal(jit_extra_files(jit_load(again)), list(a = "1", b = "2"))
  expect_identical(jit_extra_files(jit_load(again, extra_files = "b")), list(b = "2"))
  expect_length(jit_extra_files(jit_load(again, extra_files = character())), 0)
  expect_identical(jit_extra_files(jit_load(jit_serialize(loaded, extra_files = list(c = "3")))), list(c = "3"))
  expect_length(jit_extra_files(jit_load(jit_serialize(loaded, extra_files = list()))), 0)
  expect_snapshot({
    show_error(jit_load(again, extra_files = c("a", "scaling.json")))
    show_error(jit_load(again, extra_files = 1))
    show_error(jit_serialize(traced, extra_files = list("a")))
    show_error(jit_serialize(traced, extra_files = c(a = "1", a = "2")))
    show_error(jit_serialize(traced, extra_files = list(a = 1)))
    show_error(jit_serialize(traced, extra_files = list(`../a` = "1")))
    show_error(jit_extra_files(1))
  })
})

test_that("connections are read and written, open or not", {
  skip_if_no_torch()
  withr::local_dir(withr::local_tempdir())
  traced <- jit_trace(nn_linear(3, 2), torch_ones(1, 3))
  same <- function(loaded) expect_equal(as_array(loaded$weight), as_array(traced$weight))
  # close() also destroys the connection, so each is made anew.
  for (make in list(file, gzfile, bzfile)) {
    expect_identical(withVisible({
      con <- make("model")
      jit_save(traced, con, extra_files = c(a = "1"))
    })$visible, FALSE)
    same(jit_load(con <- make("model")))
  }
  expect_equal(readBin("model", "raw", 2), charToRaw("BZ"))
  con <- file("model", "wb")
  jit_save(traced, con)
  close(con)
  same(jit_load("model"))
  con <- file("model", "rb")
  loaded <- jit_load(con, device = "cpu")
  close(con)
  same(loaded)
  con <- rawConnection(raw(), "wb")
  jit_save_for_mobile(traced, con)
  bytes <- rawConnectionValue(con)
  close(con)
  same(jit_load(bytes))
  con <- rawConnection(bytes)
  same(jit_load(con))
  close(con)
  writeLines("garbage", "garbage")
  expect_error(jit_load(file("garbage")), "The connection can't be read as a TorchScript program", class = "torch_error")
})

test_that("tensors that were saved on a device that is not there say what helps", {
  skip_if_no_torch()
  skip_if(cuda_is_available(), "CUDA is there")
  withr::local_dir(withr::local_tempdir())
  jit_save(jit_trace(nn_linear(3, 2), torch_ones(1, 3)), "net.pt")
  files <- archive_files("net.pt")
  values <- grep("data.pkl$", names(files))
  files[[values]] <- replace_bytes(files[[values]], bytes_of("X", 3, 0, 0, 0, "cpu"), bytes_of("X", 6, 0, 0, 0, "cuda:0"))
  write_archive(files, "cuda.pt")
  expect_snapshot(show_error(jit_load("cuda.pt")))
  expect_equal(as_array(jit_load("cuda.pt", device = "cpu")$weight), as_array(jit_load("net.pt")$weight))
})
