# Run by `configure`: builds the shim when a LibTorch is there. The package is not installed yet, so two of its files are
# sourced. A failure is told and is none of the installation: install_torch() builds the shim later.

runtime_error <- function(message, ...) stop(message, call. = FALSE)
source("R/libtorch.R")
source("R/shim.R")
the$shim_source <- file.path("inst", "shim")

# Newer versions of R hand `configure` the flags of their own packages. With what a debugger needs the shim would have
# 200 MB instead of 4.
if (nzchar(Sys.getenv("CXXFLAGS"))) Sys.setenv(CXXFLAGS = paste(Sys.getenv("CXXFLAGS"), "-g0"))

later <- function(why) message("** no shim yet: ", why, " `torch::install_torch()` builds it later.")

tryCatch(
  if (is.null(libtorch_find())) {
    later("no LibTorch was found.")
  } else if (length(shim_tools_lacking()) > 0) {
    later(paste(shim_tools_lacking(), collapse = " "))
  } else {
    message("** shim: ", torch_build_shim())
  },
  error = function(e) later(conditionMessage(e))
)
