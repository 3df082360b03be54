test_that("the checksum is zlib's for files of every length", {
  skip_if_no_torch()
  file <- withr::local_tempfile()
  jit_save(jit_trace(function(x) x + 1, torch_tensor(1)), file)
  files <- archive_files(file)
  withr::local_seed(1)
  bytes <- as.raw(sample(0:255, 70000, TRUE))
  # Every length up to some blocks, and long ones.
  lengths <- c(0:600, 65536 + 41, 70000)
  extra <- lapply(lengths, function(n) bytes[seq_len(n)])
  names(extra) <- sprintf("%s/extra/%d", sub("/.*", "", names(files)[1]), lengths)
  write_archive(c(files, extra), file)
  expect_identical(unname(jit_extra_files(jit_load(file), raw = TRUE)), unname(extra))
  # One bit of one file.
  for (n in c(5, 64, 300, 70000)) {
    torn <- extra
    changed <- torn[[sprintf("%s/extra/%d", sub("/.*", "", names(files)[1]), n)]]
    whole <- readBin(file, "raw", file.size(file))
    at <- grepRaw(changed, whole, fixed = TRUE, all = TRUE)
    at <- at[length(at)] + n - 1
    whole[at] <- xor(whole[at], as.raw(16))
    expect_error(jit_load(whole), "checksum is wrong", class = "torch_runtime_error")
  }
})

# Which of the archives are whole, says Python: unzip asks for passwords where a bit tells of one.
whole_archives <- function(folder) {
  files <- list.files(folder)
  python_eval("
import zipfile, os
def whole(file):
    try:
        return zipfile.ZipFile(file).testzip() is None
    except Exception:
        return False
result = [whole(os.path.join(folder, f)) for f in files]", folder = folder, files = files)
}

test_that("a change of one byte, and a cut anywhere, is an error or has no effect", {
  skip_if_no_torch()
  withr::local_seed(2)
  net <- jit_trace(nn_linear(3, 2), torch_ones(1, 3))
  x <- torch_ones(1, 3)
  truth <- as_array(net(x))
  bytes <- jit_serialize(net, extra_files = list(note = "mean 3", bytes = as.raw(0:9)))
  folder <- withr::local_tempdir()
  n <- length(bytes)
  places <- sample(n, 2000)
  changed <- lapply(places, function(i) replace(bytes, i, xor(bytes[i], as.raw(sample(255, 1)))))
  cut <- lapply(sample(n, 200) - 1, function(k) bytes[seq_len(k)])
  torn <- lapply(sample(n, 200), function(i) bytes[-(i + seq_len(sample(40, 1)) - 1)])
  all <- c(changed, cut, torn)
  outcome <- vapply(all, function(b) {
    # Not jit_load(): two conditions for each of two thousand errors take their time.
    loaded <- tryCatch(torch:::cpp_module_load(b, NULL, FALSE), torch_error = function(e) conditionMessage(e))
    if (is.character(loaded)) return(loaded)
    if (identical(as_array(torch:::new_script_module(loaded[[1]])(x)), truth)) "same" else "different"
  }, "")
  expect_equal(sum(outcome == "different"), 0)
  Map(function(b, i) writeBin(b, file.path(folder, sprintf("%04d.zip", i))), all, seq_along(all))
  whole <- whole_archives(folder)
  expect_length(whole, length(all))
  # What is damaged is refused; most of what does not matter is not.
  expect_equal(which(outcome == "same" & !whole), integer())
  expect_gt(sum(outcome == "same"), 200)
  expect_gt(sum(!whole), 500)
  # Each says why, in one line.
  errors <- outcome[outcome != "same"]
  expect_match(errors, "^[^\n]+$")
  expect_gt(length(unique(errors)), 15)
  expect_error(jit_load(changed[[which(outcome != "same")[1]]]), "`path` can't be read as a TorchScript program: ", class = "torch_error")
})

test_that("only code and extra files may be packed", {
  skip_if_no_torch()
  folder <- withr::local_tempdir()
  net <- jit_trace(nn_linear(3, 2), torch_ones(1, 3))
  jit_save(net, file.path(folder, "net.pt"), extra_files = list(note = strrep("a", 1000)))
  python_eval("
import zipfile
def pack(name, packed):
    whole = zipfile.ZipFile(folder + '/net.pt')
    out = zipfile.ZipFile(folder + '/' + name, 'w')
    for entry in whole.infolist():
        out.writestr(entry.filename, whole.read(entry.filename), zipfile.ZIP_DEFLATED if packed in entry.filename else zipfile.ZIP_STORED)
    out.close()
for name, packed in [('code', '/code/'), ('extra', '/extra/'), ('data', 'data.pkl'), ('version', '/version')]:
    pack(name, packed)
result = 1", folder = folder)
  x <- torch_ones(1, 3)
  for (name in c("code", "extra")) {
    read <- jit_load(file.path(folder, name))
    expect_equal(as_array(read(x)), as_array(net(x)))
    expect_identical(jit_extra_files(read)$note, strrep("a", 1000))
  }
  for (name in c("data", "version")) expect_error(jit_load(file.path(folder, name)), "is packed, as LibTorch packs nothing but code")
})

test_that("a directory that lies is refused", {
  skip_if_no_torch()
  withr::local_dir(withr::local_tempdir())
  net <- jit_trace(nn_linear(1, 1), torch_ones(1, 1))
  jit_save(net, "net.pt")
  files <- archive_files("net.pt")
  root <- sub("/.*", "", names(files)[1])
  rename <- function(from, to) {
    names(files)[names(files) == file.path(root, from)] <- to
    write_archive(files, "other.pt")
    jit_load("other.pt")
  }
  # The archives made here are good ones.
  expect_equal(as_array(rename("version", file.path(root, "version"))$weight), as_array(net$weight))
  # Of the two entries the first, with its data in the other's place.
  overlapping <- function() {
    bytes <- readBin(write_archive(files, "other.pt"), "raw", 1e5)
    headers <- grepRaw(bytes_of("PK", 1, 2), bytes, all = TRUE, fixed = TRUE)
    bytes[headers[2] + 42:45] <- bytes[headers[1] + 42:45]
    jit_load(bytes)
  }
  folder <- function() {
    bytes <- readBin(write_archive(files, "other.pt"), "raw", 1e5)
    headers <- grepRaw(bytes_of("PK", 1, 2), bytes, all = TRUE, fixed = TRUE)
    # LibTorch would leave the memory of a folder's bytes as it finds it.
    bytes[headers[1] + 38] <- as.raw(0x10)
    jit_load(bytes)
  }
  expect_snapshot({
    show_error(rename("version", "elsewhere/version"))
    show_error(rename("version", "version"))
    show_error(rename("version", file.path(root, "../../version")))
    show_error(rename("version", paste0("/", root, "/version")))
    show_error(rename("version", file.path(root, "data.pkl")))
    show_error(rename("data.pkl", file.path(root, "other.pkl")))
    show_error(overlapping())
    show_error(folder())
  })
})

# `values`: the pickle of the module's attributes.
hostile <- function(files, ..., name = "hostile.pt") {
  changes <- list(...)
  for (one in names(changes)) files[[grep(paste0("/", one, "$"), names(files))]] <- changes[[one]]
  write_archive(files, name)
}

test_that("values that would end the process in LibTorch are refused", {
  skip_if_no_torch()
  withr::local_dir(withr::local_tempdir())
  jit_save(jit_trace(nn_linear(3, 2), torch_ones(1, 3)), "net.pt")
  files <- archive_files("net.pt")
  values <- files[[grep("data.pkl$", names(files))]]
  change <- function(old, new) jit_load(hostile(files, data.pkl = replace_bytes(values, old, new)))
  instructions <- function(...) jit_load(hostile(files, data.pkl = bytes_of(0x80, 2, ..., ".")))
  numel <- bytes_of("cpuq", 7, "K", 6)
  sizes <- bytes_of("K", 0, "(K", 2, "K", 3, "t(")
  million <- bytes_of("J", 0x40, 0x42, 0x0f, 0)
  deep_type <- strrep("List[", 50000)
  expect_snapshot({
    show_error(change(numel, bytes_of("cpuq", 7, "K", 7)))
    show_error(change(numel, bytes_of("cpuq", 7, million)))
    show_error(change(sizes, bytes_of("K", 0, "(K", 3, "K", 3, "t(")))
    show_error(change(sizes, bytes_of(million, "(K", 2, "K", 3, "t(")))
    show_error(jit_load(hostile(files, `data/0` = raw(0))))
    show_error(instructions(")", rep(0x85, 1e6)))
    show_error(instructions("ctorch.jit._pickle\nrestore_type_tag\n(K", 1, "X", 0x90, 0xd0, 3, 0, deep_type, "tR"))
    show_error(instructions("K", 1, "r", 0xff, 0xff, 0xff, 0xff))
    show_error(instructions("R"))
    show_error(instructions("X", 0xff, 0xff, 0xff, 0xff))
  })
})

test_that("code that is nested without end is refused, code as deep as any is not", {
  skip_if_no_torch()
  withr::local_dir(withr::local_tempdir())
  jit_save(jit_compile("def f(x):\n  return torch.relu(x)\n")$f, "net.pt")
  files <- archive_files("net.pt")
  code <- rawToChar(files[[grep("__torch__.py$", names(files))]])
  returning <- function(expression) {
    text <- sub("torch.relu(x)", expression, code, fixed = TRUE)
    stopifnot(text != code)
    jit_load(hostile(files, `code/__torch__.py` = charToRaw(text)))
  }
  repeated <- function(n) {
    list(
      paste0(strrep("(", n), "x", strrep(")", n)), paste0(strrep("-", n), "x"), paste0(strrep("torch.neg(", n), "x", strrep(")", n)),
      paste(rep("x", n), collapse = " + "), paste0("x", strrep(".neg()", n)), paste0("x", strrep("[0]", n)),
      paste(rep("x", n), collapse = " if True else ")
    )
  }
  for (expression in repeated(1e5)) expect_error(returning(expression), "nested too deeply", class = "torch_error")
  for (expression in repeated(60)) expect_s3_class(returning(expression), "script_module")
  expect_equal(as.numeric(returning(paste(rep("x", 60), collapse = " + "))(torch_tensor(2))), 120)
  # Wide is not deep.
  wide <- paste0("x + sum([", strrep("-1, (-1), ", 5000), "2])")
  expect_s3_class(returning(sub("sum(", "len(", wide, fixed = TRUE)), "script_module")
})

test_that("whatever the program says, there is an error or a module, and R lives", {
  skip_if_no_torch()
  skip_if_not_installed("callr")
  folder <- withr::local_tempdir()
  withr::local_seed(3)
  scripted <- file.path(folder, "scripted")
  python_eval("
import torch.nn as nn
class M(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 2)
        self.n = nn.BatchNorm1d(2)
        self.k = (1, 'x')
    def forward(self, x):
        return self.n(self.a(x)) * torch.tensor([1., 2.])
torch.jit.script(M().eval()).save(file)
result = 0", file = scripted)
  traced <- file.path(folder, "traced")
  jit_save(jit_trace(nn_linear(3, 2), torch_ones(1, 3)), traced)
  sources <- lapply(c(scripted, traced), archive_files)
  for (i in 1:300) {
    files <- sources[[i %% 2 + 1]]
    at <- sample(grep("(pkl|py|version)$", names(files)), 1)
    bytes <- files[[at]]
    for (change in seq_len(sample(3, 1))) {
      place <- sample(length(bytes), 1)
      bytes <- switch(sample(4, 1),
        replace(bytes, place, as.raw(sample(0:255, 1))),
        bytes[-place],
        append(bytes, as.raw(sample(c(utf8ToInt("(.)0tqQJKMX]}ehjRbcu[]"), 0x80:0x8a), 1)), place),
        append(bytes, bytes[place + 0:5], sample(length(bytes), 1))
      )
      bytes <- bytes[!is.na(bytes)]
    }
    files[[at]] <- bytes
    write_archive(files, file.path(folder, sprintf("%03d.pt", i)))
  }
  outcome <- callr::r(function(files) {
    library(torch)
    vapply(files, function(file) {
      tryCatch({
        loaded <- jit_load(file)
        # It may still refuse to run.
        tryCatch({
          for (x in c(loaded$parameters, loaded$buffers)) x$sum()$item()
          loaded(torch_ones(2, 3))
          jit_serialize(loaded$clone())
        }, torch_error = function(e) NULL)
        "module"
      }, torch_error = function(e) "error")
    }, "")
  }, list(list.files(folder, "[.]pt$", full.names = TRUE)))
  expect_length(outcome, 300)
  expect_gt(sum(outcome == "error"), 100)
  expect_gt(sum(outcome == "module"), 20)
})
