# Files of other versions of LibTorch. fixtures/libtorch-1.13.1.pt was written by fixtures/compat.cpp on Debian 12's
# libtorch-dev 1.13.1: `compat make libtorch-1.13.1.pt`.

fixture <- function(name) testthat::test_path("fixtures", name)

# Its forward on the rows (0, 1, 2) and (3, 4, 5), in base R.
compat_result <- function() {
  x <- matrix(0:5, 2, byrow = TRUE) %*% t(matrix(0:5 / 10, 2, byrow = TRUE)) + rep(c(0, 0.1), each = 2)
  x * pnorm(x) + 0.5
}

rows <- function() torch_tensor(matrix(as.numeric(0:5), 2, byrow = TRUE))

test_that("a file of LibTorch 1.13.1 loads, runs, trains and is saved again", {
  skip_if_no_torch()
  net <- jit_load(fixture("libtorch-1.13.1.pt"), extra_files = "scaling.json")
  expect_equal(as_array(net(rows())), compat_result(), tolerance = 1e-6)
  expect_equal(jit_extra_files(net), list(scaling.json = "{\"mean\": 1.5}"))
  expect_equal(names(net$parameters), c("layer.weight", "layer.bias"))
  expect_equal(as.numeric(net$shift), 0.5)
  expect_equal(unlist(net$names), c("a", "b"))
  expect_equal(as.numeric(net$parts(rows())[[1]]$sum), 15)
  net$train()
  expect_equal(as_array(net(rows())), 2 * compat_result(), tolerance = 1e-6)
  net$eval()
  net(rows())$sum()$backward()
  with_no_grad(net$layer$bias$add_(net$layer$bias$grad))
  again <- jit_load(jit_serialize(net))
  expect_equal(as_array(again(rows())), as_array(net(rows())), tolerance = 1e-6)
  expect_false(isTRUE(all.equal(as_array(again(rows())), compat_result())))
})

# The folder of an unpacked libtorch-dev 1.13 may be named: nothing of it must be installed then.
old_libtorch <- function() {
  root <- Sys.getenv("TORCH_TEST_OLD_LIBTORCH", "/usr")
  versions <- file.path(root, "include/torch/csrc/api/include/torch/version.h")
  is_old <- file.exists(versions) && any(grepl("define TORCH_VERSION_MINOR 13", readLines(versions)))
  skip_if(!is_old, "Debian's libtorch-dev 1.13 is not installed")
  skip_if(!nzchar(Sys.which("g++")), "g++ is not installed")
  libraries <- Sys.glob(file.path(root, "lib", c("*", "."), "libtorch_cpu.so"))[1]
  list(include = file.path(root, "include"), lib = dirname(libraries), root = root)
}

compat_program <- function(env = parent.frame()) {
  old <- old_libtorch()
  program <- withr::local_tempfile(.local_envir = env)
  headers <- file.path(old$include, c("", "torch/csrc/api/include"))
  status <- without_library_path(system2("g++", c(
    "-std=c++17", "-w", shQuote(fixture("compat.cpp")), paste0("-I", shQuote(headers)),
    "-L", shQuote(old$lib), "-Wl,--allow-shlib-undefined", "-ltorch", "-ltorch_cpu", "-lc10", "-o", shQuote(program)
  )))
  if (status != 0) stop("compat.cpp can't be compiled")
  # The system's own loader finds what is installed.
  path <- if (old$root == "/usr") {
    NA
  } else {
    paste(unlist(lapply(file.path(c(old$root, dirname(old$root)), "lib"), list.dirs)), collapse = ":")
  }
  function(...) {
    out <- withr::with_envvar(c(LD_LIBRARY_PATH = path), system2(program, c(...), stdout = TRUE))
    if (!is.null(attr(out, "status"))) stop("compat ", paste(c(...), collapse = " "), " failed")
    out
  }
}

test_that("LibTorch 1.13.1 in C++ reads what we save, and writes what we read", {
  skip_if_no_torch()
  compat <- compat_program()
  file <- withr::local_tempfile(fileext = ".pt")
  network <- nn_module(
    initialize = function() {
      self$one <- nn_linear(3, 5)
      self$norm <- nn_batch_norm1d(5)
      self$shape <- nn_layer_norm(5)
      self$drop <- nn_dropout(0.3)
      self$two <- nn_linear(5, 2)
    },
    forward = function(x) self$two(self$drop(self$shape(nnf_gelu(self$norm(self$one(x))))))
  )
  net <- jit_trace(network(), torch_randn(4, 3))$eval()
  scripted <- jit_compile("
    def f(x, k: int = 2):
      out = []
      for i in range(k):
        out.append(x * i)
      return torch.stack(out).sum(0) + 1
  ")$f
  for (save in list(jit_save, jit_save_for_mobile)) {
    for (program in list(net, scripted)) {
      save(program, file, extra_files = list(scaling.json = "{\"mean\": 2}", bytes = as.raw(0:6)))
      there <- compat("run", file)
      truth <- as.numeric(program(rows())$t())
      # Small results are sums of large ones: their rounding is that of the largest.
      expect_length(head(there, -2), length(truth))
      expect_lt(max(abs(as.numeric(head(there, -2)) - truth)), 4e-6 * max(abs(truth)))
      expect_equal(tail(there, 2), c("{\"mean\": 2}", "7"))
    }
  }
  # What it makes is what the fixture holds.
  compat("make", file)
  expect_equal(as_array(jit_load(file)(rows())), compat_result(), tolerance = 1e-6)
})
