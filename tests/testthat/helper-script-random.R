# Random programs of jit_script()'s language, by a seed: what R gives for them is the oracle.

# Expressions of a type over variables of known types; `depth` is how far they nest.
random_expression <- function(type, variables, depth) {
  one <- function(...) sample(c(...), 1)
  # Programs of numbers alone have neither vectors nor strings.
  with_lists <- any(variables == "vector")
  here <- names(variables)[variables == type]
  if (depth == 0 || (length(here) && runif(1) < 0.3)) {
    if (length(here) && runif(1) < 0.8) return(one(here))
    return(switch(type,
      int = paste0(sample(-3:5, 1), "L"), double = format(round(runif(1, -4, 4), 2)), logical = one("TRUE", "FALSE"),
      vector = sprintf("c(%s, %s)", format(round(runif(1, -4, 4), 2)), format(round(runif(1, -4, 4), 2))),
      string = one("\"a\"", "\"bc\"", "\"\"")
    ))
  }
  sub <- function(type) random_expression(type, variables, depth - 1)
  switch(type,
    int = switch(if (with_lists) one("op", "if", "length", "nchar", "as") else one("op", "if", "as", "whole"),
      op = sprintf("(%s %s %s)", sub("int"), one("+", "-", "*"), sub("int")),
      "if" = sprintf("(if (%s) %s else %s)", sub("logical"), sub("int"), sub("int")),
      whole = sprintf("(%s %s %s)", sub("int"), one("%%", "%/%"), one("2L", "-3L", "7L")),
      length = sprintf("length(%s)", sub("vector")), nchar = sprintf("nchar(%s)", sub("string")),
      as = sprintf("as.integer(trunc(%s))", sprintf("min(max(%s, -100), 100)", sub("double")))
    ),
    double = switch(if (with_lists) one("op", "if", "fun", "element", "sum", "mod") else one("op", "if", "fun", "mod", "two"),
      op = sprintf("(%s %s %s)", sub(one("double", "int")), one("+", "-", "*", "/"), sub("double")),
      "if" = sprintf("(if (%s) %s else %s)", sub("logical"), sub("double"), sub("double")),
      fun = sprintf("%s(%s)", one("abs", "floor", "ceiling", "sqrt", "exp", "sign", "round"), sprintf("min(%s, 20)", sub("double"))),
      two = sprintf("%s(%s, %s)", one("min", "max"), sub("double"), sub("double")),
      element = sprintf("%s[[%s]]", sub("vector"), one("1", "2", "1L")), sum = sprintf("%s(%s)", one("sum", "min", "max", "mean"), sub("vector")),
      mod = sprintf("(%s %s %s)", sub("double"), one("%%", "%/%"), sub("double"))
    ),
    logical = switch(if (with_lists) one("compare", "and", "not", "string") else one("compare", "and", "not"),
      compare = sprintf("(%s %s %s)", sub(one("int", "double")), one("<", ">", "<=", ">=", "==", "!="), sub("double")),
      and = sprintf("(%s %s %s)", sub("logical"), one("&&", "||"), sub("logical")), not = sprintf("!%s", sub("logical")),
      string = sprintf("(%s == %s)", sub("string"), sub("string"))
    ),
    vector = switch(one("op", "rev", "c", "if"),
      op = sprintf("(%s %s %s)", sub("vector"), one("+", "-", "*"), sub("double")), rev = sprintf("rev(%s)", sub("vector")),
      c = sprintf("c(%s, %s)", sub("double"), sub("double")),
      "if" = sprintf("(if (%s) %s else %s)", sub("logical"), sub("vector"), sub("vector"))
    ),
    string = switch(one("paste", "if", "substr"),
      paste = sprintf("paste0(%s, %s)", sub("string"), sub("string")),
      "if" = sprintf("(if (%s) %s else %s)", sub("logical"), sub("string"), sub("string")),
      substr = sprintf("substr(%s, 1L, %s)", sub("string"), one("1L", "2L"))
    )
  )
}

# A variable that gets its first value in one branch or in both, and is read behind them.
first_values <- function(variables) {
  type <- sample(c("int", "double", if (any(variables == "string")) "vector"), 1)
  name <- sprintf("first%d", sample(1e6, 1))
  given <- function() sprintf("  %s <- %s", name, random_expression(type, variables, 2))
  read <- switch(type, int = "m <- m - %s", double = "y <- y * 0.5 + %s", vector = "y <- y + %s[[2]]")
  c(
    sprintf("if (%s) {", random_expression("logical", variables, 2)), given(), if (runif(1) < 0.6) c("} else {", given()), "}",
    sprintf(read, name)
  )
}

random_statements <- function(variables, n, depth, in_loop = FALSE) {
  lines <- character()
  for (i in seq_len(n)) {
    kind <- sample(
      c("assign", "if", "for", "while", "element", "first", if (in_loop) "leave"), 1, prob = c(5, 2, 1, 1, 1, 0.5, if (in_loop) 1)
    )
    if (kind == "element" && !any(variables == "vector")) kind <- "while"
    if (depth == 0 && kind %in% c("if", "for", "while", "first")) kind <- "assign"
    name <- sample(names(variables)[names(variables) != "i"], 1)
    block <- function(loop = in_loop) paste0("  ", random_statements(variables, 2, depth - 1, loop))
    lines <- c(lines, switch(kind,
      assign = sprintf("%s <- %s", name, random_expression(variables[[name]], variables, 2)),
      "if" = c(sprintf("if (%s) {", random_expression("logical", variables, 2)), block(), "} else {", block(), "}"),
      "for" = c(sprintf("for (k%d in seq_len(%d)) {", depth, sample(0:3, 1)), block(TRUE), "}"),
      "while" = c(sprintf("w%d <- 0L", depth), sprintf("while (w%d < 3L && %s) {", depth, random_expression("logical", variables, 1)),
        sprintf("  w%d <- w%d + 1L", depth, depth), block(FALSE), "}"),
      first = first_values(variables),
      element = sprintf("v[%s] <- %s", sample(c("1", "2L"), 1), random_expression("double", variables, 2)),
      leave = sprintf("if (%s) %s", random_expression("logical", variables, 1), sample(c("break", "next"), 1))
    ))
  }
  lines
}

# A function of a whole number, a number, a vector of two and a string, that gives a list of them.
random_program <- function(seed) {
  withr::local_seed(seed)
  variables <- c(n = "int", x = "double", v = "vector", s = "string", y = "double", m = "int")
  lines <- c("y <- x", "m <- n", random_statements(variables, 5, 2), "list(m, y, v, s, n, x)")
  eval(parse(text = c("function(n, x, v, s) {", paste0("  ", lines), "}"), keep.source = TRUE)[[1]])
}

# A function of a whole number and a number whose loops are machine code as a rule.
random_number_program <- function(seed) {
  withr::local_seed(seed)
  variables <- c(n = "int", x = "double", y = "double", m = "int", b = "logical")
  lines <- c("y <- x", "m <- n", "b <- n > 0L", random_statements(variables, 4, 3), "for (turn in seq_len(4)) {")
  lines <- c(lines, paste0("  ", random_statements(variables, 5, 2, TRUE)), "}", "list(m, y, b, x, n)")
  eval(parse(text = c("function(n, x) {", paste0("  ", lines), "}"), keep.source = TRUE)[[1]])
}

# NULL if the program gives what R gives, for some arguments; else what differs. Where R's whole numbers overflow, or R has
# NA, there is nothing to compare.
random_difference <- function(seed, numbers = FALSE) {
  f <- if (numbers) random_number_program(seed) else random_program(seed)
  types <- list(n = "int", x = "float", v = "List[float]", s = "str")
  program <- tryCatch(do.call(jit_script, c(list(f), types[names(formals(f))])), error = identity)
  if (inherits(program, "error")) {
    refused <- grepl("code that is never run", conditionMessage(program), fixed = TRUE)
    return(if (!refused) paste("not compiled:", conditionMessage(program)))
  }
  for (arguments in list(list(2L, 1.5, c(1, -2), "ab"), list(-1L, 0, c(0, 3), ""), list(5L, -2.5, c(-1, 0.5), "b"))) {
    arguments <- arguments[seq_along(formals(f))]
    wanted <- tryCatch(suppressWarnings(do.call(f, arguments)), error = identity)
    got <- tryCatch(do.call(program, arguments), error = identity)
    missed <- inherits(wanted, "error") && grepl("^object '.*' not found$", conditionMessage(wanted))
    if (missed && !inherits(got, "error")) return("R misses a variable, and the program does not")
    if (inherits(wanted, "error")) next
    if (anyNA(unlist(wanted[c(1, 5)])) || any(abs(unlist(wanted[c(1, 5)])) > 2^31 - 1)) next
    # R gives NA for these.
    if (inherits(got, "error") && grepl("has no whole number|NA in R", conditionMessage(got))) next
    if (inherits(got, "error")) return(paste("fails:", conditionMessage(got)))
    same <- all.equal(lapply(got, unlist), wanted, tolerance = 1e-9, check.attributes = FALSE)
    if (!isTRUE(same)) return(paste(c("differs:", same, deparse(got), deparse(wanted)), collapse = " "))
  }
  NULL
}
