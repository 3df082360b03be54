# Reading and assigning with `[`: the expressions inside the brackets are read by the glue (src/indexing.cpp).

#' @export
`[.torch_tensor` <- function(x, ..., drop = TRUE) (.External2(C_index))

#' @export
`[<-.torch_tensor` <- function(x, ..., value) .External2(C_assign)

# The environment in which the k-th element of `...` was written, where `...` is an argument of the function of
# `frame`. It is NULL if the function that wrote it has ended. The glue asks on R 4.5, whose C interface does not
# tell. The calls do tell: where a call hands on `...`, match.call() has `..k` in its place, and the element was
# written where that function was called.
dots_environment <- function(frame, k) {
  repeat {
    while (!exists("...", frame, inherits = FALSE)) frame <- parent.env(frame)
    # The first call with this frame is the function. The others are code that eval() runs in the frame.
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

# The glue calls this where `N` stands between the brackets and `frame` has a variable of that name. `size` is that of
# the dimension, below 0 if it is unknown. R's compiler may have made a promise of the variable.
tell_last <- function(frame, size) {
  if (isTRUE(the$told_last)) return()
  value <- get0("N", frame, mode = "numeric", inherits = FALSE)
  value <- size_parts(value)$numbers
  if (length(value) != 1 || isTRUE(value == size)) return()
  the$told_last <- TRUE
  rlang::warn(
    sprintf(
      paste(
        "Inside `[` of a tensor `N` is the last position, not the variable `N`, which is %s.",
        "Write `x[(N)]` or `x[slc(1, N)]` where the variable is meant. This is told once a session."
      ),
      format(value)
    ),
    class = "torch_index_warning"
  )
}

#' A slice as an object
#'
#' What `start:end:step` is inside the brackets of a tensor. It counts up: `x[3:1]` is an error, `x[(3:1)]` takes a vector of
#' positions, in that order. There `N` is the last position: where a variable `N` is meant,
#' and is another number, it is `x[slc(2, N)]` or `x[(N)]`; a warning of class `torch_index_warning` says so once a session.
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
