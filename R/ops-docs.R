# The reference page of the operators, made from the tables: aliases and usages of every exported operator.

# Roxygen text for `@eval`: needs the functions, so it is evaluated when the documentation is built.
op_page <- function() {
  env <- topenv()
  names <- Filter(
    function(name) exists(name, env, inherits = FALSE) && is_op_function(get(name, env)), readLines(op_file("exports.txt"))
  )
  functions <- mget(names, env)
  usage <- Map(function(name, f) paste0(name, sub("^function ", "", formals_text(f))), names, functions)
  arguments <- unique(unlist(lapply(functions, function(f) names(formals(f)))))
  c(
    "@name torch_operators",
    paste("@aliases", paste(names, collapse = " ")),
    "@usage", gsub("%", "\\\\%", unlist(usage, use.names = FALSE)),
    paste("@param", paste(gsub("...", "\\dots", arguments, fixed = TRUE), collapse = ","), "as the schema of the operator has them; see below.")
  )
}

formals_text <- function(f) {
  formals <- as.list(formals(f))
  text <- vapply(seq_along(formals), function(i) {
    name <- names(formals)[i]
    if (is.symbol(formals[[i]]) && !nzchar(as.character(formals[[i]]))) return(name)
    paste0(name, " = ", paste(deparse(formals[[i]]), collapse = ""))
  }, "")
  paste0("(", paste(text, collapse = ", "), ")")
}

#' Operators of LibTorch
#'
#' Each function calls the operator of its name in LibTorch's registry; `x$operator(...)` is the same as a method.
#' Tensors may be given as R vectors; a number is a number to type promotion. Dimensions and positions count from 1,
#' negative ones from the end. An argument that is not given takes the schema's default. Of several overloads the one
#' that fits the arguments best is called; if none fits, the error lists them.
#'
#' The names, types and defaults of the arguments are those of LibTorch's schemas: `x$operator` prints none of them, but
#' `jit_ops$aten$<operator>` does. Errors of LibTorch arrive as R errors of class `torch_runtime_error`.
#'
#' @eval op_page()
#' @return A tensor, or a list of tensors, a number or a logical, as the schema says.
#' @examplesIf torch::torch_is_installed()
#' x <- torch_tensor(matrix(1:6, 2), dtype = "float")
#' torch_sum(x, dim = 1)
#' x$softmax(dim = 2)
#' jit_ops$aten$sum
NULL
