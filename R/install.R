#' Install LibTorch
#'
#' Puts a LibTorch into the user's cache folder and builds the library between it and R ([torch_build_shim()]).
#' Nothing is installed when a LibTorch is found already: the one that the environment variable `TORCH_HOME` names, the
#' one in the cache folder, the `torch` package of the `python3` on the path, or the system's (Debian's `libtorch-dev`),
#' in this order.
#'
#' By default LibTorch comes with pip: a virtual environment in the cache folder gets the package `torch`, from pip's
#' configured sources or else from PyTorch's own index. Without a usable Python, PyTorch's LibTorch zip is downloaded.
#' The option `torch.url` or the environment variable `TORCH_URL` names another source: the URL or the path of a
#' LibTorch zip or of a wheel of `torch`. If `TORCH_HOME` names an empty folder or one that is not there, LibTorch is
#' put into it.
#'
#' What is installed is complete or not there at all: it is unpacked beside its place and renamed at the end.
#'
#' @param reinstall Install anew, in the place of what an earlier call installed.
#' @param ... Any of
#'   * `version`: LibTorch's version; by default the option `torch.install_version`, or else `"2.13.0"`.
#'   * `type`: `"cpu"`, or a CUDA build such as `"cu130"`; by default what the environment variable `CUDA` says (a
#'     version such as `13.0`), or else `"cpu"`.
#'   * `sha256`: the checksum that a downloaded or local archive must have. A URL may carry it instead, as
#'     `#sha256=...` at its end. pip checks what it downloads by itself.
#'   * `timeout`: the seconds that a download may stall.
#' @param .inform_restart Say that R must be restarted, if LibTorch is in use by this session.
#' @return The folder of the LibTorch, invisibly.
#' @seealso [install_torch_from_file()], [install_torch_sitrep()]
#' @export
install_torch <- function(reinstall = FALSE, ..., .inform_restart = TRUE) {
  request <- install_request(...)
  home <- Sys.getenv("TORCH_HOME")
  fillable <- nzchar(home) && length(list.files(home)) == 0
  found <- if (!reinstall && !fillable) libtorch_find(recheck = TRUE)
  if (is.null(found)) {
    url <- install_url()
    if (is.null(url)) {
      install_from_index(request)
    } else {
      install_from_archive(url, request)
    }
    found <- installed_libtorch()
  } else {
    cli::cli_inform(c(i = "LibTorch {found$version} is in {.path {found$home}}."))
  }
  torch_build_shim()
  inform_restart(.inform_restart)
  invisible(found$home)
}

#' Install LibTorch from a local file
#'
#' @param version The version that the file must hold, or `NA` for any.
#' @param type Ignored: the file says whether it holds a CUDA build.
#' @param libtorch The path or the `file://` URL of a LibTorch zip or of a wheel of the Python package `torch`.
#' @param liblantern Ignored: torch builds the library between R and LibTorch on this machine.
#' @inheritParams install_torch
#' @inherit install_torch return
#' @seealso [get_install_libs_url()] for where to get the zip.
#' @export
install_torch_from_file <- function(version = NA, type = NA, libtorch, liblantern, ...) {
  if (missing(libtorch) || !rlang::is_string(libtorch)) {
    value_error("`libtorch` must be the path or the `file://` URL of a LibTorch zip or a wheel.")
  }
  if (is.null(local_path(libtorch))) {
    value_error(paste0(
      "`libtorch` must be a local file, not ", libtorch, ". ",
      "Call `install_torch()` with the environment variable `TORCH_URL` set to install from a URL."
    ))
  }
  if (!missing(liblantern)) {
    cli::cli_inform("{.arg liblantern} is ignored: torch builds its own library for LibTorch.")
  }
  dots <- list(...)
  restart <- dots[[".inform_restart"]]
  dots[[".inform_restart"]] <- NULL
  request <- do.call(install_request, dots)
  request$expected <- if (!is.na(version)) version
  install_from_archive(libtorch, request)
  torch_build_shim()
  inform_restart(is.null(restart) || restart)
  invisible(installed_libtorch()$home)
}

#' Is LibTorch installed?
#'
#' @param recheck Look again. What was found is remembered for the session.
#' @return `TRUE` if a LibTorch is found and the library between it and R is built, so that tensors can be made.
#' @export
torch_is_installed <- function(recheck = FALSE) {
  lt <- tryCatch(libtorch_find(recheck), error = function(e) NULL)
  !is.null(lt) && !is.null(shim_path(lt))
}

#' Where LibTorch is
#'
#' @param check_writable Raise an error if the folder can't be written to.
#' @return The folder of the LibTorch in use or, if there is none, the one that [install_torch()] would make.
#' @export
torch_install_path <- function(check_writable = FALSE) {
  lt <- tryCatch(libtorch_find(), error = function(e) NULL)
  path <- if (is.null(lt)) libtorch_target() else lt$home
  if (check_writable) {
    existing <- path
    while (!dir.exists(existing)) existing <- dirname(existing)
    if (file.access(existing, 2) != 0) {
      runtime_error(paste0(
        "LibTorch's folder can't be written to: ", path, ". ",
        "Name another one: `Sys.setenv(TORCH_HOME = \"...\")`."
      ))
    }
  }
  path
}

#' Report on the installation
#'
#' Prints which LibTorch is used and where it was found, whether the library between it and R is built, and what is
#' wrong with the command that mends it.
#'
#' @param verbose Print the report.
#' @return A list, invisibly: `libtorch` (the folder), `version`, `source`, `cuda`, `python` (the one beside that
#'   LibTorch), `shim` (the path of the library between R and LibTorch), `compiler` (of the kernels that programs are fused to, see
#'   [jit_options]), `problems`. What is not there is `NULL`.
#' @export
install_torch_sitrep <- function(verbose = TRUE) {
  problems <- character()
  lt <- tryCatch(libtorch_find(recheck = TRUE), error = function(e) {
    problems <<- conditionMessage(e)
    NULL
  })
  shim <- if (!is.null(lt)) shim_path(lt)
  if (is.null(lt) && length(problems) == 0) {
    problems <- "LibTorch is not installed. Run `torch::install_torch()`."
  }
  if (!is.null(lt) && is.null(shim)) {
    problems <- c(shim_tools_lacking(), "The shim is not built. Run `torch::torch_build_shim()`.")
  }
  report <- list(
    libtorch = lt$home, version = lt$version, source = lt$source, cuda = lt$cuda, python = lt$python, shim = shim,
    compiler = kernel_compiler()[1], problems = problems
  )
  if (verbose) {
    print_sitrep(report)
  }
  invisible(report)
}

print_sitrep <- function(report) {
  found_by <- c(
    TORCH_HOME = "the environment variable TORCH_HOME", install_torch = "install_torch()",
    python = "pip's torch of the python on the path", system = "the system's libtorch-dev"
  )
  line <- function(name, value) cli::cat_line(format(name, width = 10), if (is.null(value)) "none" else value)
  line("LibTorch", if (!is.null(report$version)) paste0(report$version, " (", found_by[[report$source]], ")"))
  line("folder", report$libtorch)
  line("CUDA", if (isTRUE(report$cuda)) "yes" else "no")
  line("Python", report$python)
  line("shim", report$shim)
  line("kernels", if (is.null(report$compiler)) {
    "none: no compiler of C was found, programs run operator by operator on the CPU"
  } else {
    paste("compiled by", report$compiler)
  })
  for (problem in report$problems) {
    cli::cat_line("! ", problem)
  }
}

#' Where PyTorch offers LibTorch
#'
#' @param version A version of LibTorch, or `NA` for the one that [install_torch()] installs.
#' @param type `"cpu"`, a CUDA build such as `"cu130"`, or `NA` for the one that [install_torch()] installs.
#' @return A list of URLs: `libtorch`, for [install_torch_from_file()] on a machine without network, and `liblantern`,
#'   which is `NA`: torch builds that library on this machine.
#' @export
get_install_libs_url <- function(version = NA, type = NA) {
  request <- install_request(version = version, type = type)
  list(libtorch = libtorch_zip_url(request$version, request$type), liblantern = NA_character_)
}

libtorch_zip_url <- function(version, type, os = os_name()) {
  build <- if (os == "macos") {
    paste0("macos-arm64-", version)
  } else {
    flavour <- if (os == "windows") {
      "win-shared-with-deps-"
    } else if (numeric_version(version) < "2.8") {
      "cxx11-abi-shared-with-deps-"
    } else {
      "shared-with-deps-"
    }
    paste0(flavour, version, "%2B", type)
  }
  paste0("https://download.pytorch.org/libtorch/", type, "/libtorch-", build, ".zip")
}

# What to install: the arguments of install_torch(), completed from options and environment.
install_request <- function(version = NA, type = NA, sha256 = NULL, timeout = 600, ..., call = rlang::caller_env()) {
  if (...length() > 0) {
    other <- names(list(...))
    value_error(paste0(
      "`...` must hold only `version`, `type`, `sha256` or `timeout`, by name",
      if (!is.null(other)) paste0(", not `", other[[1]], "`"), "."
    ), call = call)
  }
  if (isTRUE(is.na(version))) {
    version <- getOption("torch.install_version", "2.13.0")
  }
  if (!grepl("^[0-9]+[.][0-9]+[.][0-9]+$", version)) {
    value_error(paste0("`version` must look like \"2.13.0\", not \"", version, "\"."), call = call)
  }
  if (isTRUE(is.na(type))) {
    cuda <- Sys.getenv("CUDA", "cpu")
    type <- if (grepl("^[0-9]", cuda)) paste0("cu", gsub("[.]", "", cuda)) else cuda
  }
  if (!grepl("^(cpu|cu[0-9]+)$", type)) {
    value_error(paste0("`type` must be \"cpu\" or a CUDA build such as \"cu130\", not \"", type, "\"."), call = call)
  }
  list(version = version, type = type, sha256 = sha256, timeout = timeout)
}

install_url <- function() {
  url <- getOption("torch.url", Sys.getenv("TORCH_URL"))
  if (nzchar(url)) url
}

installed_libtorch <- function() libtorch_find(recheck = TRUE)

inform_restart <- function(wanted) {
  if (wanted && !is.null(the$libtorch_loaded)) {
    cli::cli_inform(c("!" = "Restart R to use the new LibTorch: this session goes on with the old one."))
  }
}

install_from_index <- function(request, call = rlang::caller_env()) {
  partial <- partial_folder(call)
  on.exit(unlink(partial, recursive = TRUE))
  python <- python_with_venv()
  if (is.null(python)) {
    cli::cli_inform(c(i = "No Python with {.pkg venv} is on the path: downloading PyTorch's LibTorch zip."))
    return(install_from_archive(libtorch_zip_url(request$version, request$type), request, call))
  }
  run <- function(python, ...) without_library_path(system2(python, c(...))) == 0
  if (!run(python, "-m", "venv", shQuote(partial))) {
    runtime_error(
      "Python could not make a virtual environment; its message is above. Install `python3-venv`.",
      call = call
    )
  }
  # macOS has only one build, and its version has no suffix.
  torch <- paste0("torch==", request$version, if (os_name() != "macos") paste0("+", request$type))
  index <- paste0("https://download.pytorch.org/whl/", request$type)
  pip <- function(...) {
    # The environment may be renamed later, and its scripts hold its path. So pip runs as a module.
    run(
      venv_python(partial), "-m", "pip", "install", "--no-input", "--disable-pip-version-check", ...,
      shQuote(torch), "numpy"
    )
  }
  cli::cli_inform(c(i = "Installing {torch} with pip."))
  if (!pip()) {
    cli::cli_inform(c(i = "pip's sources do not have it: asking PyTorch's index."))
    if (!pip("--index-url", index)) {
      runtime_error(paste0(
        "pip could not install ", torch, "; its message is above. ",
        "Get LibTorch another way: `install_torch_from_file(libtorch = \"<zip or wheel>\")`; ",
        "`get_install_libs_url()` tells where the zip is."
      ), call = call)
    }
  }
  place_libtorch(partial, call)
}

python_with_venv <- function() {
  for (python in Sys.which(c("python3", "python"))) {
    if (nzchar(python)) {
      status <- without_library_path(
        system2(python, c("-c", shQuote("import venv, ensurepip")), stdout = FALSE, stderr = FALSE)
      )
      if (status == 0) {
        return(python)
      }
    }
  }
  NULL
}

venv_python <- function(folder) {
  file.path(folder, if (os_name() == "windows") "Scripts/python.exe" else "bin/python")
}

# A LibTorch zip or a wheel (a zip too) by path or URL.
install_from_archive <- function(url, request, call = rlang::caller_env()) {
  partial <- partial_folder(call)
  on.exit(unlink(partial, recursive = TRUE))
  dir.create(partial, recursive = TRUE)
  sha256 <- request$sha256
  if (is.null(sha256) && grepl("#sha256=", url, fixed = TRUE)) {
    sha256 <- sub(".*#sha256=", "", url)
  }
  url <- sub("#sha256=.*", "", url)
  archive <- local_path(url)
  if (is.null(archive)) {
    archive <- file.path(partial, "archive.zip")
    download_archive(url, archive, request$timeout, call)
  } else if (!file.exists(archive)) {
    value_error(paste0("There is no file ", archive, ". Give the path of a LibTorch zip or a wheel of `torch`."), call = call)
  }
  check_sha256(archive, sha256, call)
  unpacked <- file.path(partial, "unpacked")
  tryCatch(
    utils::unzip(archive, exdir = unpacked),
    warning = function(w) {
      runtime_error(paste0("The archive can't be unpacked: ", url, ". It is broken or no zip. Get it again."), call = call)
    }
  )
  # A LibTorch zip has one folder, `libtorch`; a wheel has `torch` and others.
  found <- Filter(
    function(folder) !is.null(libtorch_describe(folder, "install_torch")),
    file.path(unpacked, c("libtorch", "torch"))
  )
  if (length(found) == 0) {
    runtime_error(paste0(
      "The archive holds no LibTorch: ", url, ". It must be a LibTorch zip with shared libraries or a wheel of `torch`; ",
      "`get_install_libs_url()` tells where they are."
    ), call = call)
  }
  version <- libtorch_version(found[[1]])
  if (!is.null(request$expected) && version != request$expected) {
    value_error(paste0("`version` must be that of the archive, ", version, ", not ", request$expected, "."), call = call)
  }
  place_libtorch(found[[1]], call)
}

# The path that a string without a scheme or a `file://` URL means; NULL for other URLs.
local_path <- function(url) {
  if (grepl("^file://", url)) {
    path <- utils::URLdecode(sub("^file://(localhost)?", "", url))
    # file:///C:/... means C:/...
    return(sub("^/([A-Za-z]:)", "\\1", path))
  }
  if (!grepl("^[a-z]+://", url)) path.expand(url)
}

download_archive <- function(url, file, timeout, call) {
  old <- options(timeout = max(timeout, getOption("timeout")))
  on.exit(options(old))
  failed <- function(e) {
    runtime_error(paste0(
      "LibTorch could not be downloaded from ", url, ": ", conditionMessage(e), ". ",
      "Try again, or name another source: `Sys.setenv(TORCH_URL = \"<URL or path>\")`."
    ), call = call)
  }
  tryCatch(
    {
      size <- remote_size(url)
      copy_with_progress(url, file, size)
    },
    # R reports a transfer that ends too early by a warning.
    error = failed,
    warning = failed
  )
}

remote_size <- function(url) {
  headers <- curlGetHeaders(url)
  # After redirects there are several answers, of which the last counts.
  size <- grep("^content-length:", headers, ignore.case = TRUE, value = TRUE)
  if (length(size) == 0) NA_real_ else as.numeric(sub("^[^:]*: *", "", trimws(utils::tail(size, 1))))
}

copy_with_progress <- function(url, file, size) {
  from <- url(url, "rb", method = "libcurl")
  on.exit(close(from))
  to <- file(file, "wb")
  on.exit(close(to), add = TRUE)
  bar <- cli::cli_progress_bar("Downloading LibTorch", total = size, type = "download")
  repeat {
    chunk <- readBin(from, "raw", 2^20)
    if (length(chunk) == 0) {
      break
    }
    writeBin(chunk, to)
    cli::cli_progress_update(length(chunk), id = bar)
  }
  cli::cli_progress_done(id = bar)
}

check_sha256 <- function(file, expected, call) {
  if (is.null(expected)) {
    return(invisible())
  }
  actual <- sha256(file)
  if (is.null(actual)) {
    runtime_error("`sha256` can't be checked: none of `sha256sum`, `shasum` and `openssl` is on the path.", call = call)
  }
  if (tolower(expected) != actual) {
    runtime_error(paste0(
      "The archive is not the expected one: its SHA-256 is\n", actual, ", not\n", expected, ".\n",
      "Get it again, or correct `sha256`."
    ), call = call)
  }
}

sha256 <- function(file) {
  tools <- list(sha256sum = NULL, shasum = c("-a", "256"), openssl = c("dgst", "-sha256", "-r"))
  for (tool in names(tools)) {
    if (nzchar(Sys.which(tool))) {
      return(sub("^\\\\?([0-9a-f]+).*", "\\1", system2(tool, c(tools[[tool]], shQuote(file)), stdout = TRUE)))
    }
  }
  NULL
}

# A folder beside the final place, on the same disk, so that one rename ends the installation. What a killed session
# left there is removed after a day.
partial_folder <- function(call) {
  target <- libtorch_target()
  # A folder that the user named may hold more than a LibTorch. It is filled and never replaced.
  if (nzchar(Sys.getenv("TORCH_HOME")) && length(list.files(target)) > 0) {
    runtime_error(paste0(
      "`TORCH_HOME` names a folder that is not empty: ", target, ". ",
      "Empty it, or install into the cache folder after `Sys.unsetenv(\"TORCH_HOME\")`."
    ), call = call)
  }
  dir.create(dirname(target), recursive = TRUE, showWarnings = FALSE)
  left <- Sys.glob(paste0(target, ".partial-*"))
  unlink(left[difftime(Sys.time(), file.mtime(left), units = "days") > 1], recursive = TRUE)
  paste0(target, ".partial-", Sys.getpid())
}

place_libtorch <- function(folder, call) {
  target <- libtorch_target()
  if (is.null(libtorch_in_folder(folder, "install_torch"))) {
    runtime_error("What pip installed holds no LibTorch with headers and shared libraries.", call = call)
  }
  old <- paste0(target, ".partial-old-", Sys.getpid())
  if (file.exists(target)) {
    file.rename(target, old)
  }
  if (!file.rename(folder, target)) {
    if (file.exists(old)) {
      file.rename(old, target)
    }
    runtime_error(paste0("LibTorch could not be moved to ", target, ". Free space or mend its permissions."), call = call)
  }
  unlink(old, recursive = TRUE)
}
