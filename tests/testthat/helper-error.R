# For snapshots of errors: class, call and message, printed alike by every version of testthat and rlang.
show_error <- function(expr) {
  error <- tryCatch({
    expr
    NULL
  }, error = identity)
  if (is.null(error)) {
    return(cat("no error\n"))
  }
  call <- conditionCall(error)
  cat(class(error)[[1]], if (!is.null(call)) c(" in ", if (identical(call[[1]], quote(`<-`))) deparse(call) else c(as.character(call[[1]]), "()")), "\n", sep = "")
  cat(conditionMessage(error), "\n", sep = "")
}
