# LibTorch and the shim are opened at the first use, in this order and by absolute path. R sets LD_LIBRARY_PATH, and a
# library that is found by it might not be the chosen one.

load_torch <- function(...) {
  if (cpp_is_loaded()) return(invisible(TRUE))
  libtorch <- libtorch_find()
  if (is.null(libtorch)) {
    torch_abort(
      "LibTorch is not installed. Run `install_torch()`, or set TORCH_HOME to the folder of a LibTorch.",
      "torch_install_error", call = NULL
    )
  }
  shim <- shim_path(libtorch)
  if (is.null(shim)) {
    torch_abort(
      sprintf("There is no shim for the LibTorch %s in `%s` yet. Run `torch_build_shim()`.", libtorch$version, libtorch$home),
      "torch_install_error", call = NULL
    )
  }
  files <- libtorch_files(libtorch)
  memory <- memory_options()
  built_for <- cpp_load_shim(files, shim, shim_contract())
  if (!identical(built_for, libtorch$version)) {
    torch_abort(
      sprintf(
        "The shim was built for LibTorch %s, but `%s` holds %s. Run `torch_build_shim(force = TRUE)`.",
        built_for, libtorch$home, libtorch$version
      ),
      "torch_install_error", call = NULL
    )
  }
  check_mapped(files)
  do.call(configure_memory, memory)
  set_program_rules()
  set_kernel_compiler()
  the$libtorch_loaded <- libtorch
  invisible(TRUE)
}

# Two LibTorchs in one process corrupt each other. So the mapped files must be the chosen ones.
check_mapped <- function(files) {
  maps <- "/proc/self/maps"
  if (!file.exists(maps)) return(invisible())
  mapped <- unique(sub("^.*?(/.*)$", "\\1", grep("libtorch_cpu\\.so", readLines(maps), value = TRUE), perl = TRUE))
  wanted <- normalizePath(grep("torch_cpu", files, value = TRUE))
  if (!setequal(mapped, wanted)) {
    torch_abort(
      paste0(
        "This R session holds another LibTorch than the one chosen: ", paste0("`", mapped, "`", collapse = ", "),
        " instead of `", wanted, "`. Start a new session without it."
      ),
      "torch_install_error", call = NULL
    )
  }
}
