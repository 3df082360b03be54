skip_if_no_torch <- function() {
  skip_if_not(torch_is_installed(), "LibTorch is not installed")
}
