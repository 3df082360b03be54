# Random calls of operators inside a trace: tensors that the trace knows and its sizes stand among the arguments.

# Arguments made once, with places for what the trace gives: a function of the traced tensor for each.
fuzz_of_trace <- function(value, type) {
  if (stats::runif(1) < 0.4) return(function(x) value)
  type <- sub("\\?$", "", type)
  is_dense <- is_torch_tensor(value) && tryCatch(!value$is_sparse(), error = function(e) FALSE)
  if (type == "Tensor" && is_dense) {
    return(switch(sample(3, 1), function(x) x$clone(), function(x) value + x$sum()$to(dtype = value$dtype), function(x) x$t()))
  }
  if (type %in% c("int", "SymInt", "Scalar")) {
    return(switch(sample(3, 1), function(x) x$size(1), function(x) x$size(2) * 2L - 1L, function(x) -x$numel()))
  }
  if (grepl("^(Sym)?[Ii]nt\\[", type)) {
    return(switch(sample(3, 1), function(x) x$shape, function(x) c(x$size(1), 7L), function(x) c(-1L, x$size(2), x$size(1))))
  }
  function(x) value
}

# As fuzz_operator(), each call in a trace of its own which catches its error. What the trace must do all the same: it ends,
# gives what the function gives, and after a failure holds no node of the operator that failed.
fuzz_traced <- function(operator, n, seed, before = function(k) NULL) {
  arguments <- fuzz_table()[[operator]]
  if (is.null(arguments)) return(character())
  f <- op_function(operator)
  wrong <- character()
  for (k in seq_len(n)) {
    set.seed(seed * 1e4 + k)
    given <- fuzz_arguments(operator, arguments, f)
    of_trace <- Map(fuzz_of_trace, given$values, given$types)
    before(k)
    torch_manual_seed(1)
    failed <- FALSE
    program <- function(x) {
      y <- x * 2
      tryCatch(do.call(f, lapply(of_trace, function(g) g(x)), quote = TRUE), error = function(e) failed <<- TRUE)
      y + 1
    }
    problem <- tryCatch(suppressWarnings({
      traced <- jit_trace(program, torch_ones(2, 3), check_trace = FALSE)
      left <- grepl(paste0("aten::", operator, "("), traced$graph$text, fixed = TRUE)
      if (failed && left && !operator %in% fuzz_makes_arguments) "what failed is in the graph"
      else if (failed && !torch_equal(traced(torch_zeros(3, 2)), torch_ones(3, 2))) "the program gives something else"
    }), error = function(e) conditionMessage(e))
    if (is.character(problem)) wrong <- c(wrong, sprintf("call %d: %s", k, problem))
  }
  wrong
}

# Those that the arguments above are made with.
fuzz_makes_arguments <- c("clone", "add", "sum", "to", "t", "size", "numel", "mul", "sub", "neg", "_to_copy", "rsub")
