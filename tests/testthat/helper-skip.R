skip_if_no_torch <- function() {
  skip_if_not(torch_is_installed(), "LibTorch is not installed")
}

# A job in the background of a shell without job control, which some CI makes, never gets SIGINT, nor do its children.
interrupts_arrive <- function() {
  tryCatch({
    tools::pskill(Sys.getpid(), tools::SIGINT)
    Sys.sleep(1)
    FALSE
  }, interrupt = function(i) TRUE)
}

skip_if_no_interrupts <- function() {
  skip_on_os("windows")
  skip_if_not(interrupts_arrive(), "SIGINT is ignored in this process")
}

skip_if_older <- function(version) {
  skip_if_no_torch()
  skip_if(numeric_version(libtorch_find()$version) < version, paste("needs LibTorch", version, "or later"))
}

skip_if_no_fuser <- function() {
  skip_if_not(jit_options()$own == "own", "There is no compiler of C for kernels")
}
