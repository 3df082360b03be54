# Finds a LibTorch and describes it without loading it. `configure` sources this file before the package exists, so it
# needs base R only.

# The state of the session: which LibTorch was found, and what was loaded.
the <- new.env(parent = emptyenv())

torch_cache <- function(...) file.path(tools::R_user_dir("torch", "cache"), ...)

# Where install_torch() puts a LibTorch.
libtorch_target <- function() {
  home <- Sys.getenv("TORCH_HOME")
  if (nzchar(home)) path.expand(home) else torch_cache("libtorch")
}

library_file <- function(name, os = os_name()) {
  switch(os,
    windows = paste0(name, ".dll"),
    macos = paste0("lib", name, ".dylib"),
    paste0("lib", name, ".so")
  )
}

os_name <- function() {
  if (.Platform$OS.type == "windows") "windows" else if (Sys.info()[["sysname"]] == "Darwin") "macos" else "linux"
}

# The LibTorch to use, or NULL. It is searched for once a session, and again when TORCH_HOME changes.
libtorch_find <- function(recheck = FALSE) {
  home <- Sys.getenv("TORCH_HOME")
  if (recheck || is.null(the$found) || the$found$torch_home != home) {
    the$found <- list(libtorch = libtorch_search(home), torch_home = home)
  }
  the$found$libtorch
}

libtorch_search <- function(home) {
  if (nzchar(home)) {
    return(libtorch_in_torch_home(path.expand(home)))
  }
  for (look in list(libtorch_in_cache, libtorch_of_python, libtorch_of_system)) {
    libtorch <- look()
    if (!is.null(libtorch)) {
      return(libtorch)
    }
  }
  NULL
}

libtorch_in_torch_home <- function(home) {
  for (look in list(libtorch_in_folder, libtorch_of_system)) {
    libtorch <- look(home, "TORCH_HOME")
    if (!is.null(libtorch)) {
      return(libtorch)
    }
  }
  runtime_error(paste0(
    "`TORCH_HOME` holds no LibTorch: ", home, "\n",
    "It must be a folder with `lib/` (", library_file("torch_cpu"), " in it) and `include/`: ",
    "an unpacked LibTorch zip, pip's `torch` folder, or `/usr` for Debian's libtorch-dev.\n",
    "Correct it, forget it with `Sys.unsetenv(\"TORCH_HOME\")`, or fill an empty folder with `install_torch()`."
  ), call = NULL)
}

libtorch_in_cache <- function() libtorch_in_folder(torch_cache("libtorch"), "install_torch")

# A folder may be a LibTorch itself or a virtual environment with pip's torch in it.
libtorch_in_folder <- function(folder, source) {
  packages <- c(
    Sys.glob(file.path(folder, "lib", "python*", "site-packages", "torch")),
    file.path(folder, "Lib", "site-packages", "torch")
  )
  for (home in c(folder, packages)) {
    libtorch <- libtorch_describe(home, source)
    if (!is.null(libtorch)) {
      return(libtorch)
    }
  }
  NULL
}

# find_spec() says where torch is without importing it, which would take a second and load its libraries. The working
# directory is not searched: a folder named `torch` there is no Python package.
libtorch_of_python <- function(python = Sys.which(if (os_name() == "windows") "python" else "python3")) {
  if (!nzchar(python)) {
    return(NULL)
  }
  code <- paste(
    "import importlib.util, os, sys",
    "sys.path = [p for p in sys.path if p]",
    "spec = importlib.util.find_spec('torch')",
    "print(sys.executable)",
    "print(os.path.dirname(spec.origin) if spec and spec.origin else '')",
    sep = "; "
  )
  answer <- without_library_path(suppressWarnings(
    system2(python, c("-c", shQuote(code)), stdout = TRUE, stderr = FALSE)
  ))
  if (length(answer) != 2 || !nzchar(answer[[2]])) {
    return(NULL)
  }
  libtorch_describe(answer[[2]], "python", python = answer[[1]])
}

# Debian's libtorch-dev. Tests have the system elsewhere.
libtorch_of_system <- function(prefix = the$system, source = "system") {
  if (is.null(prefix)) prefix <- "/usr"
  libs <- Sys.glob(file.path(prefix, "lib", c(paste0(R.version$arch, "-*"), "."), library_file("torch_cpu")))
  if (length(libs) == 0) {
    return(NULL)
  }
  python <- if (dir.exists(file.path(prefix, "lib/python3/dist-packages/torch"))) file.path(prefix, "bin/python3")
  libtorch_describe(prefix, source, lib = dirname(libs[[1]]), python = python)
}

# The flags that tell a compiler where LibTorch's headers are, written for a shell. They leave out the system's own
# folder. If that is named as a further folder, it comes before the C++ library's headers, and these then don't find
# the C library's.
libtorch_include_flags <- function(lt) {
  folders <- lt$include[!normalizePath(lt$include, mustWork = FALSE) %in% c("/usr/include", "/usr/local/include")]
  paste("-isystem", vapply(folders, shQuote, ""), collapse = " ")
}

libtorch_describe <- function(home, source, lib = file.path(home, "lib"), python = python_beside(home)) {
  include <- file.path(home, "include")
  if (!file.exists(file.path(lib, library_file("torch_cpu"))) || !dir.exists(file.path(include, "torch"))) {
    return(NULL)
  }
  home <- normalizePath(home, winslash = "/")
  lib <- normalizePath(lib, winslash = "/")
  list(
    home = home,
    lib = lib,
    include = file.path(home, c("include", "include/torch/csrc/api/include")),
    version = libtorch_version(home),
    cuda = file.exists(file.path(lib, library_file("torch_cuda"))),
    cxx11_abi = libtorch_cxx11_abi(home, lib),
    source = source,
    python = python
  )
}

# The version in numbers alone. Debian's Python calls its 1.13 "1.13.0a0", and a nightly build is
# "2.14.0.dev20260101".
plain_version <- function(text) {
  sub("[^0-9.].*", "", sub("[.]?dev([0-9]+)", ".\\1", sub("[+].*", "", text)))
}

libtorch_version <- function(home) {
  python <- file.path(home, "version.py")
  if (file.exists(python)) {
    line <- grep("^__version__ *=", readLines(python), value = TRUE)
    return(plain_version(sub("^[^'\"]*['\"]([^'\"]+).*", "\\1", line[[1]])))
  }
  zip <- file.path(home, "build-version")
  if (file.exists(zip)) {
    return(plain_version(trimws(readLines(zip, n = 1, warn = FALSE))))
  }
  headers <- file.path(home, "include/torch", c("headeronly/version.h", "csrc/api/include/torch/version.h"))
  for (header in headers[file.exists(headers)]) {
    lines <- readLines(header)
    number <- function(part) {
      sub(".* ", "", grep(paste0("^#define TORCH_VERSION_", part, " "), lines, value = TRUE))
    }
    version <- c(number("MAJOR"), number("MINOR"), number("PATCH"))
    if (length(version) == 3) {
      return(paste(version, collapse = "."))
    }
  }
  NA_character_
}

# Only LibTorch before 2.8 may have the old C++ ABI of libstdc++. Its CMake file tells.
libtorch_cxx11_abi <- function(home, lib) {
  configs <- file.path(c(file.path(home, "share"), lib), "cmake/Torch/TorchConfig.cmake")
  for (config in configs[file.exists(configs)]) {
    flag <- grep("_GLIBCXX_USE_CXX11_ABI=[01]", readLines(config), value = TRUE)
    if (length(flag) > 0) {
      return(sub(".*_GLIBCXX_USE_CXX11_ABI=([01]).*", "\\1", flag[[1]]))
    }
  }
  "1"
}

# The Python of the environment in which `home` is pip's torch folder.
python_beside <- function(home) {
  packages <- dirname(home)
  if (basename(packages) != "site-packages") {
    return(NULL)
  }
  python <- if (os_name() == "windows") {
    file.path(packages, "../../Scripts/python.exe")
  } else {
    file.path(packages, "../../../bin/python3")
  }
  # This is the path of the link itself and not of the file that it points to. Python knows its environment by the
  # path with which it is started.
  if (file.exists(python)) {
    file.path(normalizePath(dirname(python), winslash = "/"), basename(python))
  }
}

# The libraries of a LibTorch, in the order in which they must be opened.
libtorch_files <- function(lt) {
  names <- c("c10", "torch_cpu", "torch", if (lt$cuda) c("c10_cuda", "torch_cuda"))
  c(cuda_parts(lt), file.path(lt$lib, vapply(names, library_file, "", USE.NAMES = FALSE)))
}

# CUDA's libraries open these libraries by name when they run. The order is such that none needs a later one. The
# loader searches LD_LIBRARY_PATH before the folder of the library that asks. R adds the system's folder to
# LD_LIBRARY_PATH. A library of that name there may have another version, so LibTorch's own is opened first.
cuda_parts <- function(lt, path = Sys.getenv("LD_LIBRARY_PATH")) {
  if (!lt$cuda || os_name() != "linux") return(character())
  names <- c(
    "cudnn_graph", "cudnn_ops", "cudnn_cnn", "cudnn_adv", "cudnn_heuristic", "cudnn_engines_precompiled",
    "cudnn_engines_runtime_compiled", "nvJitLink", "nvrtc", "nvrtc-builtins"
  )
  folders <- c(lt$lib, file.path(dirname(lt$home), "nvidia/*/lib"))
  own <- unlist(lapply(names, function(name) Sys.glob(file.path(folders, paste0("lib", name, ".so*")))))
  elsewhere <- setdiff(normalizePath(strsplit(path, ":")[[1]], mustWork = FALSE), normalizePath(dirname(own)))
  own[vapply(own, function(file) any(file.exists(file.path(elsewhere, basename(file)))), NA)]
}

# R puts the system's library folder into LD_LIBRARY_PATH. There a child process would find another LibTorch than its
# own.
without_library_path <- function(expr) {
  old <- Sys.getenv("LD_LIBRARY_PATH", NA)
  if (!is.na(old)) {
    on.exit(Sys.setenv(LD_LIBRARY_PATH = old))
    Sys.unsetenv("LD_LIBRARY_PATH")
  }
  expr
}
