# Reading and assigning with `[`: the expressions inside the brackets are read by the glue (src/indexing.cpp).

#' @export
`[.torch_tensor` <- function(x, ..., drop = TRUE) .External2(C_index)

#' @export
`[<-.torch_tensor` <- function(x, ..., value) .External2(C_assign)

#' A slice as an object
#'
#' What `start:end:step` is inside the brackets of a tensor.
#'
#' @param start,end Positions from 1, both included; negative ones count from the end, `Inf` is the last.
#' @param step A positive whole number.
#' @return A slice, to be used as an index.
#' @examplesIf torch::torch_is_installed()
#' torch_arange(1, 10)[slc(2, Inf, 3)]
#' @export
slc <- function(start, end, step = 1) structure(list(start, end, step), class = "slice")

#' @export
print.slice <- function(x, ...) {
  cat("<slice>\n")
  invisible(x)
}
