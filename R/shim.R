# Builds the shim (`inst/shim`, a CMake project) against a LibTorch and keeps it in the cache. `configure` sources this
# file before the package exists, so it needs base R only.

shim_source <- function() {
  if (is.null(the$shim_source)) system.file("shim", package = "torch", mustWork = TRUE) else the$shim_source
}

shim_file <- function() if (os_name() == "windows") "torchshim.dll" else library_file("torchshim")

# The shim is built without its C++ tests.
shim_sources <- function(source = shim_source()) {
  files <- list.files(source, "^CMakeLists[.]txt$|[.](cmake|h|hpp|c|cc|cpp)$", recursive = TRUE)
  sort(files[!grepl("^(tests|build)/", files)], method = "radix")
}

# The contract that the glue was built with, in the form in which ts_contract() tells that of a shim.
shim_contract <- function() {
  files <- file.path(shim_source(), "include", c("torch_shim.h", "torch_shim_functions.h"))
  paste(tools::md5sum(files), collapse = "-")
}

# Names a shim by all that it depends on.
shim_key <- function(lt) {
  source <- shim_source()
  files <- shim_sources(source)
  facts <- tempfile()
  on.exit(unlink(facts))
  writeLines(c(
    paste(files, tools::md5sum(file.path(source, files))),
    lt$version, lt$cxx11_abi, lt$cuda, R.version$arch, R.version$os
  ), facts)
  paste0(lt$version, "-", substr(tools::md5sum(facts), 1, 16))
}

# Where the shim for this LibTorch lies, or NULL when it is not built.
shim_path <- function(lt) {
  path <- shim_target(lt)
  if (file.exists(path)) path
}

shim_target <- function(lt) torch_cache("shim", shim_key(lt), shim_file())

#' Build the library between R and LibTorch
#'
#' torch reaches LibTorch through a small C++ library, the shim. It is built for the LibTorch found on this machine,
#' with CMake and a C++20 compiler, and kept in the user's cache folder. [install_torch()] and the installation of the
#' package build it by themselves; call this function when LibTorch was exchanged afterwards.
#'
#' @param quiet Say nothing but errors.
#' @param force Build it even if it is there.
#' @return The path of the shim, invisibly.
#' @seealso [install_torch_sitrep()] tells whether it is built.
#' @export
torch_build_shim <- function(quiet = FALSE, force = FALSE) {
  lt <- libtorch_find()
  if (is.null(lt)) {
    runtime_error("LibTorch is not installed. Run `install_torch()`.")
  }
  target <- shim_target(lt)
  if (file.exists(target) && !force) {
    return(invisible(target))
  }
  lacking <- shim_tools_lacking()
  if (length(lacking) > 0) {
    runtime_error(paste0("The shim can't be built.\n", paste(lacking, collapse = "\n")))
  }
  if (!quiet) {
    message("Building the shim for LibTorch ", lt$version, " (a few minutes, once)")
  }
  build <- shim_build_folder()
  on.exit(unlink(build, recursive = TRUE))
  log <- torch_cache("shim", "build.log")
  if (!shim_compile(lt, build, log)) {
    runtime_error(paste0(
      "The shim could not be built. The whole log is in ", log, "\nIts end:\n",
      paste(utils::tail(readLines(log, warn = FALSE), 15), collapse = "\n")
    ))
  }
  built <- list.files(build, paste0("^", shim_file(), "$"), recursive = TRUE, full.names = TRUE)[[1]]
  if (shim_has_own_library(built)) {
    runtime_error(paste0(
      "The shim can't be used: the compiler puts its own copy of the C++ library into it, and LibTorch has another. ",
      "Name a compiler that does not in the environment variable `CXX`, and try again."
    ))
  }
  shim_keep(built, target)
  shim_forget_old()
  invisible(target)
}

# What is missing for a build, one sentence for each thing.
shim_tools_lacking <- function() {
  c(
    if (!nzchar(Sys.which("cmake"))) {
      "CMake is missing. Install it: `apt-get install cmake` (Debian, Ubuntu), `brew install cmake` (macOS)."
    },
    if (!has_cxx20()) {
      paste(
        "A C++20 compiler is missing. Install one: `apt-get install g++` (Debian, Ubuntu),",
        "`xcode-select --install` (macOS), or name one in the environment variable `CXX`."
      )
    }
  )
}

has_cxx20 <- function() {
  # CMake finds Microsoft's compiler by itself, although it is not on the path.
  if (os_name() == "windows") {
    return(TRUE)
  }
  compilers <- Sys.getenv("CXX")
  if (!nzchar(compilers)) {
    compilers <- Sys.which(c("c++", "g++", "clang++"))
    compilers <- compilers[nzchar(compilers)]
  }
  probe <- tempfile(fileext = ".cpp")
  on.exit(unlink(probe))
  writeLines("#include <concepts>\ntemplate <std::integral T> T f(T x) { return x; }\nint main() { return f(0); }", probe)
  any(vapply(compilers[seq_len(min(1, length(compilers)))], function(compiler) {
    system(paste(compiler, "-std=c++20 -fsyntax-only", shQuote(probe)), ignore.stdout = TRUE, ignore.stderr = TRUE) == 0
  }, NA))
}

# The folder is always the same, so that ccache recognises the files. If a second session builds meanwhile, it gets
# another folder.
shim_build_folder <- function() {
  build <- torch_cache("shim", "build")
  dir.create(dirname(build), recursive = TRUE, showWarnings = FALSE)
  abandoned <- isTRUE(difftime(Sys.time(), file.mtime(build), units = "hours") > 2)
  if (abandoned) {
    unlink(build, recursive = TRUE)
  }
  if (!dir.create(build, showWarnings = FALSE)) {
    build <- tempfile("shim-")
    dir.create(build)
  }
  build
}

shim_compile <- function(lt, build, log) {
  source <- file.path(build, "source")
  out <- file.path(build, "out")
  for (file in shim_sources()) {
    copy <- file.path(source, file)
    dir.create(dirname(copy), recursive = TRUE, showWarnings = FALSE)
    file.copy(file.path(shim_source(), file), copy)
  }
  unlink(log)
  run <- function(...) {
    output <- without_library_path(suppressWarnings(system2("cmake", c(...), stdout = TRUE, stderr = TRUE)))
    cat(output, file = log, sep = "\n", append = TRUE)
    is.null(attr(output, "status"))
  }
  run(
    "-S", shQuote(source), "-B", shQuote(out), "-DCMAKE_BUILD_TYPE=Release",
    shQuote(paste0("-DTORCH_INCLUDE=", paste(lt$include, collapse = ";"))),
    shQuote(paste0("-DTORCH_LIB=", lt$lib)),
    paste0("-DTORCH_CXX11_ABI=", lt$cxx11_abi),
    paste0("-DTORCH_VERSION=", lt$version),
    if (nzchar(Sys.which("ccache"))) shQuote(paste0("-DCMAKE_CXX_COMPILER_LAUNCHER=", ccache))
  ) && run("--build", shQuote(out), "--config", "Release", "--parallel", build_jobs())
}

# How many files are compiled at a time. Each takes a gigabyte of memory, and a container may have less of that than the
# machine says.
build_jobs <- function() {
  asked <- Sys.getenv("CMAKE_BUILD_PARALLEL_LEVEL")
  if (nzchar(asked)) return(asked)
  limited <- !tolower(Sys.getenv("_R_CHECK_LIMIT_CORES_", "false")) %in% c("false", "")
  cores <- if (limited) 2L else parallel::detectCores()
  number_in <- function(file, pattern) {
    lines <- if (file.exists(file)) grep(pattern, readLines(file, warn = FALSE), value = TRUE)
    if (length(lines)) as.numeric(gsub("[^0-9]", "", lines[[1]]))
  }
  bytes <- c(number_in("/proc/meminfo", "^MemAvailable:") * 1024, number_in("/sys/fs/cgroup/memory.max", "^[0-9]+$"))
  as.character(max(1, min(8, cores, bytes %/% 2^30, na.rm = TRUE)))
}

# A compiler may put a C++ library of its own into what it builds. Beside that of LibTorch it would end R.
shim_has_own_library <- function(file) {
  if (os_name() != "linux") return(FALSE)
  content <- readBin(file, "raw", file.size(file))
  # A message of libstdc++ that no header holds.
  length(grepRaw("locale::facet::_S_create_c_locale", content, fixed = TRUE)) > 0
}

# ccache leaves out files that use a precompiled header unless it gets these settings.
ccache <- "cmake;-E;env;CCACHE_SLOPPINESS=pch_defines,time_macros;ccache"

# Another session sees either the old file or the whole new one.
shim_keep <- function(built, target) {
  dir.create(dirname(target), recursive = TRUE, showWarnings = FALSE)
  partial <- paste0(target, ".partial-", Sys.getpid())
  on.exit(unlink(partial))
  if (!file.copy(built, partial) || !file.rename(partial, target)) {
    runtime_error(paste0("The shim could not be written to ", dirname(target), ". Free space or mend its permissions."))
  }
}

# Each change of the sources makes a new shim; the newest are kept for sessions and checkouts that use them.
shim_forget_old <- function(keep = 5) {
  shims <- list.files(torch_cache("shim"), paste0("^", shim_file(), "$"), recursive = TRUE, full.names = TRUE)
  newest_first <- shims[order(file.mtime(shims), decreasing = TRUE)]
  unlink(dirname(newest_first[-seq_len(keep)]), recursive = TRUE)
}
