skip_on_os("windows")

test_that("TORCH_HOME comes first, then the cache, then Python", {
  root <- local_machine()
  fake_python(root, fake_libtorch(file.path(root, "python/torch"), "2.5.0", pip = TRUE))
  found <- libtorch_find()
  expect_equal(found$source, "python")
  expect_equal(found$version, "2.5.0")
  expect_equal(found$python, "/fake/python3")

  fake_venv(torch_cache("libtorch"), "2.6.0")
  expect_equal(libtorch_find()$source, "python")
  found <- libtorch_find(recheck = TRUE)
  expect_equal(found$source, "install_torch")
  expect_equal(found$version, "2.6.0")
  expect_equal(found$python, file.path(torch_cache("libtorch"), "bin/python3"))

  withr::local_envvar(TORCH_HOME = fake_libtorch(file.path(root, "home"), "2.7.0"))
  found <- libtorch_find()
  expect_equal(found$source, "TORCH_HOME")
  expect_equal(found$version, "2.7.0")
  expect_null(found$python)
})

test_that("a machine without LibTorch has none", {
  local_machine()
  expect_null(libtorch_find())
  expect_false(torch_is_installed())
  expect_equal(torch_install_path(), torch_cache("libtorch"))
})

test_that("a TORCH_HOME without LibTorch is an error that says what is expected", {
  root <- local_machine()
  dir.create(file.path(root, "empty"))
  withr::local_envvar(TORCH_HOME = file.path(root, "empty"))
  skip_on_os("mac")
  expect_snapshot(show_error(libtorch_find()), transform = without_paths(root))
  expect_false(torch_is_installed())
})

test_that("a folder `torch` in the working directory is not taken for Python's torch", {
  root <- local_machine()
  python <- Sys.glob("/usr/bin/python3")
  skip_if(length(python) == 0, "Python is not installed")
  fake_libtorch(file.path(root, "torch"), pip = TRUE)
  file.create(file.path(root, "torch/__init__.py"))
  withr::local_dir(root)
  expect_false(identical(libtorch_of_python(python)$home, file.path(root, "torch")))
})

test_that("a LibTorch is described without being loaded", {
  root <- local_machine()
  lt <- libtorch_describe(fake_libtorch(file.path(root, "cuda"), "2.9.1", cuda = TRUE), "TORCH_HOME")
  expect_named(lt, c("home", "lib", "include", "version", "cuda", "cxx11_abi", "source", "python"))
  expect_true(lt$cuda)
  expect_equal(lt$include, file.path(root, "cuda", c("include", "include/torch/csrc/api/include")))
  expect_equal(
    libtorch_files(lt),
    file.path(root, "cuda/lib", vapply(c("c10", "torch_cpu", "torch", "c10_cuda", "torch_cuda"), library_file, "")),
    ignore_attr = TRUE
  )
})

test_that("parts of CUDA that have a namesake in the library path are opened first", {
  skip_on_os(c("windows", "mac"))
  root <- local_machine()
  lt <- libtorch_describe(fake_libtorch(file.path(root, "site/torch"), "2.9.1", cuda = TRUE), "TORCH_HOME")
  made <- function(...) {
    files <- file.path(root, c(...))
    for (file in files) dir.create(dirname(file), recursive = TRUE, showWarnings = FALSE)
    file.create(files)
    files
  }
  own <- made("site/nvidia/cudnn/lib/libcudnn_ops.so.9", "site/nvidia/cudnn/lib/libcudnn_graph.so.9", "site/nvidia/cu13/lib/libnvrtc.so.13")
  made("system/libcudnn_graph.so.9", "system/libcudnn_ops.so.9", "system/libnvrtc.so.12")
  path <- paste(file.path(root, c("system", "none", "site/nvidia/cu13/lib")), collapse = ":")
  expect_equal(basename(cuda_parts(lt, path)), c("libcudnn_graph.so.9", "libcudnn_ops.so.9"))
  expect_setequal(normalizePath(cuda_parts(lt, path)), normalizePath(own[1:2]))
  expect_length(cuda_parts(lt, ""), 0)
  expect_length(cuda_parts(lt, file.path(root, "site/nvidia/cudnn/lib")), 0)
  withr::local_envvar(LD_LIBRARY_PATH = path)
  expect_equal(basename(libtorch_files(lt))[1:3], c("libcudnn_graph.so.9", "libcudnn_ops.so.9", "libc10.so"))
  expect_length(cuda_parts(replace(lt, "cuda", FALSE)), 0)
})

test_that("Debian's LibTorch tells version and ABI by its headers and CMake files", {
  root <- local_machine()
  lib <- file.path(root, "usr/lib", paste0(R.version$arch, "-linux-gnu"))
  api <- file.path(root, "usr/include/torch/csrc/api/include/torch")
  cmake <- file.path(lib, "cmake/Torch")
  for (folder in c(lib, api, cmake)) dir.create(folder, recursive = TRUE)
  file.create(file.path(lib, library_file("torch_cpu")))
  writeLines(paste("#define", c("TORCH_VERSION_MAJOR 1", "TORCH_VERSION_MINOR 13", "TORCH_VERSION_PATCH 1")),
    file.path(api, "version.h"))
  writeLines("set(TORCH_CXX_FLAGS \"-D_GLIBCXX_USE_CXX11_ABI=0\")", file.path(cmake, "TorchConfig.cmake"))

  lt <- libtorch_of_system(file.path(root, "usr"))
  expect_equal(lt$source, "system")
  expect_equal(lt$version, "1.13.1")
  expect_equal(lt$cxx11_abi, "0")
  expect_equal(lt$lib, lib)
  expect_equal(lt$include[[1]], file.path(root, "usr/include"))
  withr::local_envvar(TORCH_HOME = file.path(root, "usr"))
  expect_equal(libtorch_find()[names(lt) != "source"], lt[names(lt) != "source"])
  expect_equal(libtorch_find()$source, "TORCH_HOME")
})

test_that("a compiler is not told of the system's own include folder", {
  folders <- function(...) strsplit(libtorch_include_flags(list(include = c(...))), "-isystem ", fixed = TRUE)[[1]][-1]
  expect_length(folders("/usr/include", "/usr/include/torch/csrc/api/include"), 1)
  expect_match(folders("/usr/include", "/usr/include/torch/csrc/api/include"), "api/include", fixed = TRUE)
  expect_length(folders("/opt/a b/include", "/opt/a b/include/torch/csrc/api/include"), 2)
})

test_that("libraries bear the names of their system", {
  expect_equal(library_file("c10", "linux"), "libc10.so")
  expect_equal(library_file("c10", "macos"), "libc10.dylib")
  expect_equal(library_file("c10", "windows"), "c10.dll")
})

test_that("a child process does not see R's library path", {
  withr::local_envvar(LD_LIBRARY_PATH = "/nowhere")
  expect_equal(without_library_path(Sys.getenv("LD_LIBRARY_PATH", "unset")), "unset")
  expect_equal(Sys.getenv("LD_LIBRARY_PATH"), "/nowhere")
})

test_that("versions are numbers", {
  expect_identical(
    plain_version(c("2.13.0", "2.13.0+cpu", "1.13.0a0", "2.8.0rc1", "2.14.0.dev20260101+cu128", "2.6.0a0+git1eba9b3")),
    c("2.13.0", "2.13.0", "1.13.0", "2.8.0", "2.14.0.20260101", "2.6.0")
  )
})
