# R functions compiled, control flow included: their trees, with what their names mean outside of them, go to the shim.

#' Compile R functions, control flow included
#'
#' `jit_script()` compiles an R function, with its `if`, `for`, `while`, `repeat`, `break`, `next` and `return()`, into a
#' TorchScript function of the same meaning. Nothing is run: unlike [jit_trace()], which records what one call of the
#' function does, all branches are in the program. It is called as the R function, saved by [jit_save()], and runs in Python
#' and C++ without R.
#'
#' # Types
#'
#' A program has a type for each variable. Those of the arguments come from examples (`jit_script(f, torch_randn(3), 5L)`),
#' from types as TorchScript writes them (`jit_script(f, x = "Tensor", n = "int")`), from a first line
#' `declare(type(x = Tensor, n = int))` of the function's body, or from their defaults (`n = 5L`); an argument of which
#' nothing is said is a tensor. All others follow. `1L`, `1:n` and `length(x)` are whole numbers, `1` and `n / 2` are
#' numbers; a whole number becomes a number where one is wanted, and a number that is whole (checked while the program runs)
#' a position or size. A variable that holds a whole number in one branch and a number in the other is a number; one that is
#' `NULL` at first may be `NULL` later, and must be asked for by `is.null()`; a sum that begins with 0 and goes on with
#' tensors is a tensor.
#'
#' # The language
#'
#' | R | in a program |
#' |---|---|
#' | `if`, `else`, `switch()`, `for`, `while`, `repeat`, `break`, `next`, `return()` | as in R, as statements and as values |
#' | `for` over `a:b`, `seq_len()`, `seq_along()`, vectors, lists, tensors (along the first dimension), dictionaries | as in R |
#' | `+ - * / ^ %% %/%`, comparisons, `& | && || !`, `xor()`, `abs()`, `sqrt()`, `round()`, `ifelse()`, ... | R's meaning for numbers and, element by element, for vectors, of which only single values are recycled; of tensors that of their operators |
#' | `x[i, ]`, `x[[i]]`, `x$a`, and their assignments | as in R: who holds the whole elsewhere does not see the change |
#' | `list()`, `list(a = )`, [jit_dict()], `c()`, `c(a = )`, `vector("list", n)`, `numeric(n)`, `seq()`, `append()`, `length()`, `rev()`, `names()`, `setNames()` | elements of a list are of one type, or each has its own and is asked for by a constant |
#' | `x$a <- NULL`, `x[[i]] <- NULL`, `x <- NULL; x[i] <- 1`, `is.null(x[["key"]])` | lists lose elements, and grow from nothing; of a list whose elements are of several types outside of loops and branches alone, where an element that may be NULL stays in the list as NULL |
#' | `lapply()`, `sapply()`, `vapply()`, `Map()`, `mapply()`, `Filter()`, `Reduce()`, `do.call()`, `function(x)` inside | as in R, of vectors and lists; `Map()` recycles single values only |
#' | functions as arguments, results and parts of lists, `missing()` | which function it is must be known before the program runs, but where it is called: `(if (slow) f else g)(x)`, `switch(n, f, g)(x)`, `functions[[i]](x)` |
#' | `stop()`, `warning()`, `stopifnot()`, `cat()`, `print()`, `paste()`, `paste0()`, `sprintf()`, `nchar()`, `substr()`, `strsplit()`, `chartr()`, `utf8ToInt()`, ... | messages and strings |
#' | `sort()`, `order()`, `cumsum()`, `which()`, `match()`, `union()`, `median()`, `quantile()`, `var()`, `cor()`, ... | as in R, of vectors |
#' | `dnorm()`, `pnorm()`, `qnorm()`, `plogis()`, `dexp()`, `dgamma()`, `dbinom()`, `lgamma()`, `choose()`, ... | as in R, of numbers and vectors; random numbers are tensors' (`torch_randn()`) |
#' | fields and methods of tensors, `torch_*()`, `linalg_*()`, `nnf_*()`, R's functions of tensors | as when R calls them, positions from 1 |
#' | `class()`, `inherits()`, `typeof()`, `is.numeric()`, ... | known before the program runs: the other branch is not compiled |
#' | [with_no_grad()], [with_enable_grad()], [autograd_grad()], `jit_fork()`, `jit_wait()` | as when R calls them |
#'
#' Other R functions that are called are compiled too, wherever they are written, and script functions are called. What the
#' function finds outside of itself, numbers, strings, tensors, is a constant of the program; when a variable or a function
#' there is another one since, R's own functions and operators included, the next call warns. Where R's functions were redefined
#' before, the program has the new ones; the words of the language (`if`, `{`, `<-`, `[`, ...) can't be redefined. Compiling
#' runs nothing of what is found: an active binding is refused. Only an argument of the function around that nobody has asked for
#' yet is computed then, and stays what it is. A variable of its own that the function may read before it has given it a value, as
#' `k` in `k <- k + 1`, begins with the value outside, as in R; where another assignment may come first, unless no type holds both.
#' Of a list or of a unit made by [jit_compile()] each part is known that is asked for by its name:
#' `settings$rate`, `unit$Color$RED`, `unit$Counter(5L)`.
#'
#' A default that is computed, `function(x, n = x$size(1))`, is no argument of the program where nothing is said of its type.
#' `...` of the function stands for as many arguments as there are examples behind the others. A function that is kept, in a
#' variable or list, has the values of what it reads of the function around it as they are then; where they change later, it
#' is refused.
#'
#' Not compiled: recursion, `<<-`, environments and R6 objects, `eval()`, `tryCatch()`, `on.exit()`, formulas, complex
#' numbers, `. %>% f`, `%<>%`, patterns (`grepl()`, `sub()`, `gsub()` and `strsplit()` look for text as it is). The message says what to write
#' instead.
#'
#' # What is not quite as in R
#'
#' * **NA.** Numbers have `NaN`. Logicals, whole numbers and strings have no NA: where R would give one, the program ends with an
#'   error. So does a comparison with `NaN`, wherever it stands (in R, `if` ends there); ask `is.nan()` before.
#' * **Whole numbers** have 64 bits. What R turns into NA, with a warning, from 2^31 on, is exact in a program up to 2^63; what
#'   is larger goes on at the other end.
#' * **Strings** are ordered by their bytes, as R orders them in the C locale: `"B" < "a"`.
#' * **Vectors** have neither names nor dimensions: `c(a = 1)` is a list, and so is what `lapply()` and `sapply()` make of a list
#'   with names or, as `sapply()` and `Map()` name it, of strings that are written; a matrix is a tensor. `sapply()` and
#'   `vapply()` make a list of vectors, where R may make a matrix. Positions behind the end are an error. `x[i] <- 1` there
#'   leaves `NaN` between, or makes a vector one element longer where there is no `NaN`.
#' * `x$item()` is a number, as a program knows no dtypes; of a comparison, `any()` or `all()` it is a logical.
#' * **Tensors** have no elements that a loop goes through as numbers: `lapply(x, f)` and its like are refused, `as.vector(x)`
#'   gives the numbers in R's order, `torch_unbind(x)` the parts along the first dimension, which `for` takes as well. A variable
#'   that is a number in one branch and a tensor in the other is a float32 tensor.
#' * **Sums and remainders.** `sum()`, `mean()`, `cumsum()` and their like add doubles in doubles, R in longer numbers where the
#'   machine has them: `sum(c(1e16, 1, -1e16))` is 0 here. `x %% y` is exact; R's own has lost digits of `x / y`, so that the last
#'   digits of `123456789.5 %% 0.1` differ.
#' * **The variable of a loop** without turns stays what it was before. In R it is NULL then.
#' * **An argument that is NULL by default**, `function(x, mask = NULL)`, is always NULL, and no argument, where neither an
#'   example nor a type such as `"Optional[Tensor]"` is given for it.
#' * **-0** that LibTorch computes of constants may become 0: it takes both for one constant.
#' * **First values** stand above what reads them: a variable that only the turn before has given a value is refused.
#' * **Arguments** of functions inside and outside are computed when the function is called, in their order, whether it asks for
#'   them or not.
#' * **Tensors are values**, as R's vectors are: after `y <- x`, `y[1] <- 0` changes `y` alone, and nothing that the caller holds.
#'   When R runs the same lines, `x` changes as well.
#' * `sapply()` and `vapply()` of functions that give vectors give a list; `cat()` and `print()` end their line and write numbers with up to 15
#'   digits, `message()` writes and is no condition.
#' * **Defaults** are computed when R computes them, but not in the middle of a loop or branch that changes what they read.
#' * `sprintf()` has a format that is known before the program runs.
#' * **What comes back** is what the table in [jit_values] says of its type: a list of numbers is a vector, as a program does not tell
#'   them apart, whole numbers are doubles, and strings a list. `invisible()` does not hide it.
#' * **Depth.** Code stands inside of other code up to 5,000 levels deep, as `a + b + c` of so many terms does, and up to 1,000
#'   branches and loops inside of each other, of which each `else if` is one.
#'
#' # Modules
#'
#' `jit_script(module)` compiles `forward` and what it calls: other methods, children, inherited ones too, `super$forward(x)`.
#' `self$weight`, `self$layer(x)`, `self$activation(x)` of a function in a field, `self$training`, and plain fields such as `self$eps` mean what they mean in R; a loop over the children of
#' a module list is unrolled, and `self$layers[[i]](x)` calls the child at a position that is computed, as `layer <- self$layers[[i]]`
#' with calls of `layer(x)` does. Methods may give buffers and fields new values of their type; a field to which no method gives one is a
#' constant. A tensor in a plain field is known as well; matrices, factors, dates, data frames, environments and [jit_dict()]
#' are refused where a method reads them. The program's tensors are those of
#' the module. `$train()` and `$eval()` work on what was compiled, and in Python on what was saved.
#'
#' @param f An R function, or an initialised module.
#' @param ... Examples of the arguments (of a module: of `forward`), or strings with their types, by position or name.
#' @param methods Names of the module's methods that the program has. Arguments of others than `forward` have the types of
#'   their defaults or of their `declare()`, or are tensors.
#' @return A `script_function`; of a module a `script_module`. `$code` shows it as TorchScript, `$graph` its graph. With
#'   `options(torch.jit_disable = TRUE)` it is `f` itself.
#' @section Errors: What can't be compiled, and what goes wrong while the program runs, is an error of class
#'   `torch_runtime_error` that shows the line of R code.
#' @section Source: LibTorch's `CompilationUnit::define` and `SugaredValue`.
#' @seealso [jit_explain_script()] tells which expression became what; [jit_trace()], [jit_compile()] for TorchScript text,
#'   [jit_save()].
#' @examplesIf torch::torch_is_installed()
#' collatz <- jit_script(function(n = 27L) {
#'   steps <- 0L
#'   while (n != 1L) {
#'     n <- if (n %% 2L == 0L) n %/% 2L else 3L * n + 1L
#'     steps <- steps + 1L
#'   }
#'   steps
#' })
#' collatz(27L)
#' relu_or_abs <- jit_script(function(x) if (sum(x) > 0) torch_relu(x) else abs(x))
#' relu_or_abs(torch_tensor(c(-3, 1)))
#' @export
jit_script <- function(f, ..., methods = "forward") {
  label <- label_of(substitute(f), f)
  if (inherits(f, "nn_module_generator")) value_error("`f` must be an initialized module: call the generator.")
  if (is_nn_module(f)) return(if (isTRUE(getOption("torch.jit_disable"))) f else script_module(f, list(...), methods))
  if (is.primitive(f)) type_error("`f` must be written in R, and this is a primitive function of R's: write `function(x)` around its call.")
  if (!is.function(f)) type_error(sprintf("`f` must be an R function, not %s.", friendly_type(f)))
  if (inherits(f, "script_function")) return(f)
  if (!is.null(operator_key(f)) || environmentName(topenv(environment(f))) %in% foreign_packages) {
    type_error("`f` must be a function of R code, and this is one that programs call: write `function(x)` around its call.")
  }
  given <- script_arguments(f, list(...))
  if (isTRUE(getOption("torch.jit_disable"))) return(f)
  load_torch()
  program <- script_program(f, if (grepl("^[A-Za-z.][A-Za-z0-9._]*$", label)) label else "f")
  made <- cpp_script_compile(program, given$types, given$examples)
  handle <- name_in_r(made[[1]], given$names)
  attr(handle, "left_out") <- left_out(f, given)
  new_scripted_function(handle, watched_of(program, made[[2]]))
}

# Formals that are NULL by default and of which nothing is said: in the program they are NULL, and no arguments.
left_out <- function(f, given) {
  is_null <- vapply(formals(f), is.null, NA)
  Filter(function(name) is.null(given$types[[name]]) && is.null(given$examples[[name]]), names(is_null)[is_null])
}

# Types and examples by the formals of the function; what goes into `...` stands last.
script_arguments <- function(f, given, call = caller_env()) {
  all <- names(formals(f))
  formals <- setdiff(all, "...")
  empty <- structure(vector("list", length(formals)), names = formals)
  out <- list(types = empty, examples = empty)
  declared <- declared_types(f, call)
  out$types[names(declared)] <- declared
  named <- names2(given) != ""
  unknown <- setdiff(names(given)[named], formals)
  if (length(unknown)) value_error(sprintf("`f` has no argument `%s`.", unknown[1]), call)
  names(given) <- names2(given)
  # Behind `...` arguments have their names.
  before <- if ("..." %in% all) all[seq_len(match("...", all) - 1L)] else all
  free <- setdiff(before, names(given))
  n <- min(sum(!named), length(free))
  more <- sum(!named) - n
  if (more > 0 && !"..." %in% all) {
    value_error(sprintf("`f` takes %d arguments, not %d.", length(formals), length(given)), call)
  }
  names(given)[!named] <- c(free[seq_len(n)], sprintf("dots_%d", seq_len(more)))
  for (name in names(given)) {
    value <- given[[name]]
    # A member of an enum is a string by its name.
    is_type <- is_string(value) && !inherits(value, "torch_enum")
    out$types[name] <- list(if (is_type) value else out$types[[name]])
    if (!is_type && is.atomic(value) && !is.null(dim(value))) {
      type_error(sprintf("`%s` must be a tensor, a vector or a list, not %s: make a tensor of it, by `torch_tensor()`.", name, friendly_type(value)), call)
    }
    out$examples[name] <- list(if (!is_type) list(script_value(value)))
  }
  for (name in names(Filter(is.character, out$types))) check_type_text(out$types[[name]], name, call)
  out$names <- append(formals, sprintf("dots_%d", seq_len(more)), length(before))
  if (!"..." %in% all) out$names <- formals
  out
}

type_pattern <- paste0(
  "^\\s*(?<type>(?:torch\\.)?Tensor|int|float|bool|str|complex|number|Device|Any|None|Stream|Generator|",
  "(?:List|Optional|Future)\\[\\s*(?&type)\\s*\\]|(?:Tuple|Union)\\[\\s*(?&type)(?:\\s*,\\s*(?&type))*\\s*\\]|",
  "Dict\\[\\s*(?:Tensor|int|float|bool|str|complex|Device)\\s*,\\s*(?&type)\\s*\\])\\s*$"
)

check_type_text <- function(text, name, call) {
  if (grepl(type_pattern, text, perl = TRUE)) return()
  value_error(sprintf(
    paste0(
      "`%s` has no type \"%s\". Types are \"Tensor\", \"int\", \"float\", \"bool\", \"str\" and what is made of them: \"List[float]\", ",
      "\"Dict[str, Tensor]\", \"Optional[int]\", \"Tuple[int, str]\". A string is no example: that the argument is one is said by `%s = \"str\"`."
    ), name, text, name
  ), call)
}

# `declare(type(x = Tensor, n = int))`, the first statement.
declared_types <- function(f, call) {
  line <- declaration(body(f))
  if (is.null(line)) return(list())
  types <- Filter(function(part) is.call(part) && identical(part[[1]], quote(type)), as.list(line)[-1])
  found <- lapply(unlist(lapply(types, function(part) as.list(part)[-1])), function(type) {
    if (is.character(type)) type else paste(deparse(type), collapse = "")
  })
  unknown <- setdiff(names(found), names(formals(f)))
  if (length(unknown)) value_error(sprintf("`declare()` speaks of `%s`, which is no argument of `f`.", unknown[1]), call)
  found
}

declaration <- function(code) {
  first <- if (is.call(code) && identical(code[[1]], quote(`{`)) && length(code) > 1) code[[2]]
  if (is.call(first) && identical(first[[1]], quote(declare))) first
}

#' @rdname jit_script
#' @export
jit_fork <- function(f, ...) f(...)

#' @rdname jit_script
#' @param x What `jit_fork()` gave.
#' @export
jit_wait <- function(x) x

# From 4.5 on R has it itself.
#' @rdname jit_script
#' @rawNamespace if (getRversion() < "4.5.0") export(declare)
declare <- function(...) invisible(NULL)

# --- the program -------------------------------------------------------------------------------------------------------

# The function and what it calls, each once; operators by their keys. `watched`: the values that it found outside.
script_program <- function(f, name) {
  program <- new_program()
  script_closure_at(f, name, program)
  as_program(program)
}

new_program <- function() {
  list2env(
    list(
      functions = list(), names = character(), closures = list(), operators = character(), members = list(), modules = list(),
      watched = list(), own = character(), asked = character()
    ),
    parent = emptyenv()
  )
}

# Reads the functions, those that they call, and the methods whose names they read: those that are left are no part of the program.
as_program <- function(program, methods = character()) {
  program$asked <- c("forward", methods)
  i <- 0L
  repeat {
    program$modules <- lapply(program$modules, take_methods, program)
    if (i == length(program$functions)) break
    while (i < length(program$functions)) {
      i <- i + 1L
      program$closures[[i]] <- script_closure(program$functions[[i]], program$names[[i]], program)
    }
  }
  as.list(program)[c("closures", "operators", "members", "modules", "watched", "own")]
}

# --- code and values ---------------------------------------------------------------------------------------------------

# A vector of one is a number; others are lists of numbers.
script_value <- function(value) if (is.atomic(value) && length(value) == 1) jit_scalar(value) else value

script_closure <- function(f, name, program) {
  source <- function_source(without_asking(f))
  code <- without_declaration(source$code)
  raises <- lapply(set_names(script_raises), function(name) binding_of(name, environment(f), "function")$value)
  names <- code_names(code, names(Filter(function(it) !is.null(it) && !is_user_function(it), raises)))
  closure <- list(name = name, file = source$file, text = source$text, line = source$line, code = code, places = source$places)
  # Of a variable of its own a function may read before it gives it a value what stands outside.
  own <- names$locals
  outside <- if (any(vapply(own, exists, NA, environment(f)))) intersect(own, as.character(cpp_script_outside(closure)))
  known <- lapply(names$names, script_known, environment(f), program, setdiff(own, outside))
  program$own <- c(program$own, outside)
  program$asked <- union(program$asked, substring(names$members, 2))
  for (member in setdiff(names$members, names(program$members))) {
    program$members[[member]] <- script_member(member, program)
  }
  closure$known <- Filter(Negate(is.null), known)
  closure
}

without_declaration <- function(code) {
  # NULL keeps the other statements where they stand in the text.
  if (!is.null(declaration(code[[3]]))) code[[3]][2] <- list(NULL)
  code
}

# The text of a function, its tree, and where in the text the parts of it stand, in bytes.
function_source <- function(f) {
  reference <- attr(f, "srcref")
  file <- attr(reference, "srcfile")$filename
  lines <- if (!is.null(reference)) as.character(reference, useSource = TRUE) else deparse(f)
  source <- tryCatch(parsed_source(lines), error = function(e) NULL)
  plain <- f
  attributes(plain) <- NULL
  # What a compiler or a debugger has changed is not what the text says any more. The places that functions and `{` keep are
  # not compared.
  as_written <- !is.null(source) && is_code_of(source$code, f)
  if (!as_written) {
    reference <- NULL
    source <- deparsed_source(plain)
  }
  source$file <- if (is_string(file) && nzchar(file)) basename(file) else "<R function>"
  source$line <- if (is.null(reference)) 1L else reference[[1]]
  source
}

is_code_of <- function(code, f, as_text = FALSE) {
  cpp_same_code(code[[2]], formals(f), as_text) && cpp_same_code(code[[3]], body(f), as_text)
}

# Text is shown, and says where things stand; numbers have all their digits. Code that was put together may mean something else
# than its text, as `-2` with `^ 2` behind it. Such code has no places, and so has code that R's parser does not take, as it takes
# no more than 50 brackets inside of each other.
deparsed_source <- function(f) {
  lines <- deparse(f)
  source <- tryCatch(parsed_source(lines), error = function(e) NULL)
  if (!is.null(source) && is_code_of(source$code, f)) return(source)
  exact <- tryCatch(parsed_code(deparse(f, control = c("keepNA", "keepInteger", "niceNames", "showAttributes", "digits17"))), error = function(e) NULL)
  if (!is.null(source) && !is.null(exact) && is_code_of(source$code, f, as_text = TRUE) && is_code_of(exact, f, as_text = TRUE)) {
    return(replace(source, "code", list(exact)))
  }
  code <- as.call(list(quote(`function`), formals(f), body(f)))
  list(code = code, text = enc2utf8(paste(lines, collapse = "\n")), places = parsed_places(NULL))
}

parsed_source <- function(lines) {
  text <- paste(lines, collapse = "\n")
  parsed <- parse(text = text, keep.source = TRUE)
  list(code = function_in(parsed), text = enc2utf8(text), places = parsed_places(utils::getParseData(parsed), lines))
}

parsed_code <- function(lines) function_in(parse(text = lines, keep.source = FALSE))

function_in <- function(parsed) {
  code <- parsed[[1]]
  while (is.call(code) && identical(code[[1]], quote(`(`))) code <- code[[2]]
  if (!is.call(code) || !identical(code[[1]], quote(`function`))) abort("no function")
  code
}

# Rows of expressions in their order, each with the row that holds it; the last number is of what holds the whole.
parsed_places <- function(rows, lines) {
  if (is.null(rows)) return(list(begin = integer(), end = integer(), parent = integer()))
  is_expression <- rows$token %in% c("expr", "equal_assign", "expr_or_assign_or_help", "expr_or_help")
  parent <- rows$parent
  # The head of a `for` has a row of its own around what it runs over.
  heads <- rows$id[rows$token == "forcond"]
  inside <- match(parent, heads)
  parent[!is.na(inside)] <- rows$parent[match(heads[inside[!is.na(inside)]], rows$id)]
  # Comments belong to no expression.
  kept <- which(is_expression & parent >= 0)
  kept <- kept[order(rows$line1[kept], rows$col1[kept], -rows$line2[kept], -rows$col2[kept])]
  starts <- c(0, cumsum(nchar(lines, "bytes") + 1))
  has_tabs <- grepl("\t", lines, fixed = TRUE)
  bytes <- function(line, column) {
    for (i in which(has_tabs[line])) column[i] <- letters_before(lines[line[i]], column[i])
    before <- substr(lines[line], 1, column)
    starts[line] + nchar(before, "bytes")
  }
  at <- match(parent[kept], rows$id[kept])
  at[is.na(at)] <- length(kept) + 1L
  list(
    begin = as.integer(bytes(rows$line1[kept], rows$col1[kept] - 1L)),
    end = as.integer(bytes(rows$line2[kept], rows$col2[kept])), parent = at - 1L
  )
}

# How many letters of a line stand up to a column as R's parser counts them: a tab goes on to the next multiple of 8.
letters_before <- function(line, column) {
  at <- n <- 0
  for (letter in strsplit(line, "")[[1]]) {
    at <- if (letter == "\t") 8 * ceiling((at + 1) / 8) else at + 1
    if (at > column) break
    n <- n + 1
  }
  n
}

# Names that the code reads, of members behind `$` too, and the variables that it has itself.
code_names <- function(code, raises = character()) {
  found <- list(names = new.env(), members = new.env(), locals = new.env())
  note <- function(kind, name) if (is.null(found[[kind]][[name]])) assign(name, length(found[[kind]]), found[[kind]])
  # With a stack of its own, pairs of what is open: code may be nested deeper than R's functions may call each other.
  open <- list(code, NULL)
  while (length(open)) {
    part <- open[[1]]
    open <- open[[2]]
    inner <- list()
    if (is.symbol(part)) {
      if (nzchar(part)) note("names", as.character(part))
    } else if (is.pairlist(part) && !is.null(part)) {
      for (name in names(part)) note("locals", name)
      inner <- as.list(part)
    } else if (is.call(part)) {
      head <- part[[1]]
      inner <- as.list(part)
      # Of an error of this package's own a program has the text as it is written.
      if (is.symbol(head) && as.character(head) %in% raises) inner <- inner[1]
      if (identical(head, quote(`$`)) && length(part) == 3) {
        member <- as.character(part[[3]])[1]
        is_super <- identical(part[[2]], quote(super))
        if (is_super) note("names", paste0("super$", member)) else note("members", paste0("$", member))
        if (!is_super && !is.null(path <- part_path(part))) note("names", path)
        inner <- if (!is_super) inner[2]
      } else if (identical(head, quote(`[[`)) && length(part) == 3 && is_string(part[[3]])) {
        note("members", paste0("$", part[[3]]))
        if (!is.null(path <- part_path(part))) note("names", path)
      } else if (identical(head, quote(`::`)) && length(part) == 3) {
        note("names", paste(as.character(part)[2:3], collapse = "::"))
        inner <- list()
      } else if (is.symbol(head) && as.character(head) %in% c("<-", "=", "for") && is.symbol(part[[2]])) {
        note("locals", as.character(part[[2]]))
      } else if (is.symbol(head) && is_string(text <- function_argument(part))) {
        note("names", text)
      }
    }
    missing <- vapply(inner, function(one) identical(one, quote(expr = )), NA)
    for (one in inner[!missing & lengths(inner) > 0L]) open <- list(one, open)
  }
  # In the order in which they were found.
  lapply(found, function(names) names(sort(unlist(as.list(names, all.names = TRUE)))) %||% character())
}

# What functions such as `sapply()` call: its name may be a string there.
function_argument <- function(code) {
  named <- c("FUN", "f", "what")
  at <- switch(as.character(code[[1]]), lapply = , sapply = , vapply = 3L, Map = , mapply = , Filter = , Reduce = , Find = , Position = , do.call = 2L, 0L)
  if (!at) return(NULL)
  by_name <- intersect(named, names(code))
  if (length(by_name)) code[[by_name[1]]] else if (at <= length(code)) code[[at]]
}

# The path "unit$Color$RED" of a part by names of a variable; NULL of all else.
part_path <- function(code) {
  if (is.symbol(code)) return(as.character(code))
  by_name <- is.call(code) && length(code) == 3 &&
    (identical(code[[1]], quote(`$`)) || (identical(code[[1]], quote(`[[`)) && is_string(code[[3]])))
  whole <- if (by_name) part_path(code[[2]])
  if (!is.null(whole)) paste0(whole, "$", as.character(code[[3]])[1])
}

# --- the function ------------------------------------------------------------------------------------------------------

# What the program holds as it was when it was compiled is looked at before each call: the glue finds what may be another value
# now, at a price of some 40 ns each.
new_scripted_function <- function(handle, watched) {
  if (!length(watched)) return(new_script_function(handle))
  attached <- parent.env(globalenv())
  tell <- function(suspects) attached <<- tell_changed(watched[suspects], attached)
  f <- function(...) (.External2(C_call_watched, handle, watched, attached, tell, ...))
  structure(f, class = "script_function", handle = handle)
}

watching <- function(module, watched) {
  if (!length(watched)) return(module)
  forward <- unclass(module)
  attached <- parent.env(globalenv())
  f <- function(...) {
    suspects <- .Call(C_script_suspects, watched, attached)
    if (!is.null(suspects)) attached <<- tell_changed(watched[suspects], attached)
    forward(...)
  }
  attributes(f) <- attributes(module)
  f
}

# Of values whose names are those of variables, too, what the program holds.
watched_of <- function(program, held) {
  Filter(function(it) is.function(it$value) || !it$name %in% program$own || it$name %in% unlist(held), program$watched)
}

# Returns what is attached first, once all is known to be as it was.
tell_changed <- function(watched, attached) {
  is_same <- vapply(watched, function(it) identical(value_at(it$steps, it$env, mode_of(it$value, it$steps)), it$value), NA)
  for (it in watched[!is_same]) {
    warn(sprintf(
      "`%s` is another %s now than when the function was compiled: the program holds the old one. Compile it again.",
      it$name, if (is.function(it$value)) "function" else "value"
    ), class = "torch_script_changed_warning")
  }
  if (all(is_same)) parent.env(globalenv()) else attached
}
