# Reading and assigning with `[`: the expressions inside the brackets are read by the glue (src/indexing.cpp).

#' @export
`[.torch_tensor` <- function(x, ..., drop = TRUE) .External2(C_index)

#' @export
`[<-.torch_tensor` <- function(x, ..., value) .External2(C_assign)

# The environment in which the k-th element of `...` was written that the function of `frame` got; NULL if that function
# has ended. The glue asks on R 4.5, whose C interface does not tell. The calls do: where one hands on `...`, match.call()
# has `..k` in its place, and the element was written where that function was called.
dots_environment <- function(frame, k) {
  repeat {
    while (!exists("...", frame, inherits = FALSE)) frame <- parent.env(frame)
    # The first with this frame is the function, the others are code that eval() runs in it.
    n <- Position(function(it) identical(it, frame), sys.frames())
    if (is.na(n)) return(NULL)
    caller <- sys.frame(sys.parents()[n])
    call <- match.call(sys.function(n), sys.call(n), expand.dots = FALSE, envir = caller)
    argument <- call$...[[k]]
    if (!is.symbol(argument) || !grepl("^[.][.][0-9]+$", argument)) return(caller)
    k <- as.integer(substring(as.character(argument), 3))
    frame <- caller
  }
}

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
