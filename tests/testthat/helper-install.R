# A machine on which nothing is installed: an empty cache, no TORCH_HOME, no Python that works.
local_machine <- function(env = parent.frame()) {
  root <- normalizePath(withr::local_tempdir(.local_envir = env))
  found <- the$found
  source <- the$shim_source
  withr::defer(
    {
      the$found <- found
      the$shim_source <- source
      the$system <- NULL
    },
    envir = env
  )
  the$found <- NULL
  the$system <- file.path(root, "usr")
  the$shim_source <- tiny_shim(file.path(root, "shim"))
  # A folder first on the path, in which a test may put a python3 of its own.
  dir.create(file.path(root, "bin"))
  for (python in file.path(root, "bin", c("python3", "python"))) {
    writeLines(c("#!/bin/sh", "exit 1"), python)
    Sys.chmod(python, "755")
  }
  withr::local_envvar(
    R_USER_CACHE_DIR = file.path(root, "cache"), TORCH_HOME = NA, TORCH_URL = NA, CUDA = NA,
    PATH = paste(file.path(root, "bin"), Sys.getenv("PATH"), sep = .Platform$path.sep),
    .local_envir = env
  )
  withr::local_options(torch.url = NULL, torch.install_version = NULL, .local_envir = env)
  root
}

# A shim that builds in a second: it includes nothing.
tiny_shim <- function(folder) {
  dir.create(folder)
  writeLines(c(
    "cmake_minimum_required(VERSION 3.18)",
    "project(torchshim LANGUAGES CXX)",
    "file(WRITE ${CMAKE_BINARY_DIR}/args \"${TORCH_INCLUDE} ${TORCH_LIB} ${TORCH_CXX11_ABI} ${TORCH_VERSION}\")",
    "add_library(torchshim SHARED shim.cpp)"
  ), file.path(folder, "CMakeLists.txt"))
  writeLines("extern \"C\" int answer() { return 42; }", file.path(folder, "shim.cpp"))
  folder
}

# A folder that looks like an unpacked LibTorch zip, or like pip's `torch` folder.
fake_libtorch <- function(home, version = "2.9.1", pip = FALSE, cuda = FALSE) {
  write <- function(file, text = "") {
    dir.create(dirname(file.path(home, file)), recursive = TRUE, showWarnings = FALSE)
    writeLines(text, file.path(home, file))
  }
  for (name in c("c10", "torch_cpu", "torch", if (cuda) c("c10_cuda", "torch_cuda"))) {
    write(file.path("lib", library_file(name)))
  }
  write("include/torch/script.h")
  if (pip) {
    write("version.py", c("__all__ = ['__version__']", paste0("__version__ = '", version, "+cpu'")))
  } else {
    write("build-version", paste0(version, "+cpu"))
  }
  home
}

fake_python <- function(root, torch) {
  writeLines(c("#!/bin/sh", "echo /fake/python3", paste("echo", torch)), file.path(root, "bin/python3"))
}

fake_venv <- function(folder, version) {
  fake_libtorch(file.path(folder, "lib/python3.11/site-packages/torch"), version, pip = TRUE)
  dir.create(file.path(folder, "bin"))
  file.create(file.path(folder, "bin/python3"))
  folder
}

# Zips the folder `name` of `within` with Python, which is there where LibTorch can be installed by pip.
zip_folder <- function(within, name, file = file.path(within, paste0(name, ".zip"))) {
  python <- Filter(file.exists, c("/usr/bin/python3", "/usr/local/bin/python3", "/opt/homebrew/bin/python3"))
  skip_if(length(python) == 0, "Python is not installed")
  withr::local_dir(within)
  system2(python[[1]], c("-m", "zipfile", "-c", shQuote(file), shQuote(name)))
  file
}

without_paths <- function(root) {
  function(lines) gsub(root, "<root>", lines, fixed = TRUE)
}
