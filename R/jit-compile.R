# TorchScript text and what it compiles to.

#' Compile TorchScript text
#'
#' TorchScript is the part of Python that LibTorch compiles and runs by itself. A source holds functions (`def`), classes
#' with `__init__` and methods, `NamedTuple`s and enums, in any order; together they are a compilation unit.
#'
#' Arguments without annotation are tensors. Indentation that all lines share is accepted, so is text pasted from a
#' Python file: docstrings, and imports of `torch`, `math`, `typing` and `enum`, whose names are there without. `torch.x`
#' is any operator of LibTorch, or a dtype, layout or memory format; `torch.linalg`, `torch.fft`, `torch.special`,
#' `torch.ops`, `torch.autograd`, `torch.no_grad()`, `torch.jit.fork`, `torch.jit.wait` and `torch.jit.annotate` are as in
#' Python. What the program prints arrives in R's output.
#'
#' @param source A string of TorchScript, or a connection to read it from.
#' @param file Instead of `source`: the path of a file to read.
#' @param units What the source may call besides its own names, one or a list of: a compilation unit, whose names are
#'   known as they are, or, where the list's element is named, behind that name (`units = list(geometry = unit)`:
#'   `geometry.area(x)`); a named `script_function`, compiled or traced (`units = list(model = traced)`: `model(x)`).
#' @return A compilation unit; `names(unit)` lists what it defines, `print(unit)` also the signatures. `unit$name` is,
#'   for a function, a `script_function`; for a class or a NamedTuple, a function that makes one; for an enum, the list
#'   of its members; `NULL` if there is no such name. All of them keep the unit alive.
#' @section Errors: What does not compile is an error of class `torch_runtime_error` that shows the line, with file and
#'   line number where they are known: `file`, a connection's, or the R file that `source` stands in if R keeps its
#'   source references. So do errors while the program runs. Functions that call themselves are refused, and calls, with
#'   the blocks around them, that are nested more than 1,000 levels deep.
#' @section Source: LibTorch's `CompilationUnit::define`, `ClassType`, `TupleType`, `EnumType`.
#' @seealso [jit_trace()] for R functions, [jit_module()] for methods as text, [jit_save()].
#' @examplesIf torch::torch_is_installed()
#' unit <- jit_compile("
#'   class Counter:
#'     def __init__(self, start: int = 0):
#'       self.n = start
#'     def add(self, k: int) -> int:
#'       self.n += k
#'       return self.n
#'
#'   def count(x, by: int = 1):
#'     counter = Counter()
#'     for i in range(len(x)):
#'       counter.add(by)
#'     print('counted to', counter.n)
#'     return x * counter.n
#' ")
#' unit
#' unit$count(torch_tensor(c(1, 2, 3)), by = 2)
#' @export
jit_compile <- function(source, file = NULL, units = NULL) {
  text <- script_text(if (!missing(source)) source, file, sys.call())
  used <- used_units(units)
  new_compilation_unit(cpp_unit_compile(text$text, text$file, text$line, used$handles, used$names))
}

# `made` keeps what `$` gave before, because programs call `unit$f()` in loops.
new_compilation_unit <- function(handle) {
  structure(list(handle = handle, made = new.env(parent = emptyenv())), class = c("torch_compilation_unit", "R7"))
}

# The text with the file and the line where it begins. `statement` is the user's call, which knows the R file if R
# keeps sources.
script_text <- function(source, file = NULL, statement = NULL, call = caller_env()) {
  if (!is.null(file)) {
    if (!is.null(source)) value_error("Only one of `source` and `file` can be given.", call)
    if (!is_string(file)) type_error(sprintf("`file` must be the path of a file, not %s.", friendly_type(file)), call)
    if (!file.exists(file) || dir.exists(file)) value_error(sprintf("There is no file `%s`.", file), call)
    return(list(text = script_lines(readLines(file, warn = FALSE, encoding = "UTF-8")), file = file, line = 1L))
  }
  if (is.null(source)) value_error("One of `source` and `file` must be given.", call)
  if (inherits(source, "connection")) {
    name <- summary(source)$description
    return(list(text = script_lines(readLines(source, warn = FALSE, encoding = "UTF-8")), file = name, line = 1L))
  }
  if (!is_string(source)) {
    type_error(sprintf("`source` must be one string of TorchScript or a connection, not %s.", friendly_type(source)), call)
  }
  if (!grepl("\n", source) && file.exists(source)) {
    value_error(sprintf("`source` must be TorchScript; `%s` is a file: use `file =`.", source), call)
  }
  lines <- strsplit(enc2utf8(source), "\n", fixed = TRUE)[[1]]
  place <- source_place(lines, statement)
  list(text = script_lines(lines), file = place$file, line = place$line)
}

# Removes the indentation that all lines share.
script_lines <- function(lines) {
  lines <- sub("\r$", "", lines)
  full <- grepl("\\S", lines)
  shared <- if (any(full)) min(attr(regexpr("^[ \t]*", lines[full]), "match.length")) else 0
  paste0(c(substring(lines, shared + 1), ""), collapse = "\n")
}

# The file and line at which these lines stand in the R file that holds the statement. The place is known only if the file
# has the lines exactly as they are here.
source_place <- function(lines, statement) {
  nowhere <- list(file = "<source>", line = 1L)
  ref <- attr(statement, "srcref", exact = TRUE)
  inner <- lines[-c(1, length(lines))]
  if (is.null(ref) || length(inner) == 0) return(nowhere)
  script <- as.character(ref, useSource = TRUE)
  last <- length(script) - length(inner)
  starts <- Filter(function(i) identical(script[i + seq_along(inner)], inner), seq_len(max(last, 0)))
  if (length(starts) != 1) return(nowhere)
  name <- attr(ref, "srcfile")$filename
  list(file = if (is_string(name) && nzchar(name)) name else "<source>", line = ref[[1]] + starts - 1L)
}

# The handles of units and functions, with the names that the source gives them.
used_units <- function(units, call = caller_env()) {
  if (is.null(units)) return(list(handles = list(), names = character()))
  if (is_unit(units)) units <- list(units)
  if (!is.list(units)) {
    type_error(
      sprintf("`units` must be a list of compilation units and script functions, not %s.", friendly_type(units)), call
    )
  }
  names <- names2(units)
  handles <- lapply(seq_along(units), function(i) {
    it <- units[[i]]
    if (is_unit(it)) return(unclass(it)$handle)
    if (!inherits(it, "script_function")) {
      type_error(sprintf("`units` must hold compilation units and script functions, not %s.", friendly_type(it)), call)
    }
    if (names[[i]] == "") value_error("`units` must name its functions: `units = list(f = fn)`.", call)
    attr(it, "handle", exact = TRUE)
  })
  list(handles = handles, names = names)
}

is_unit <- function(x) inherits(x, "torch_compilation_unit")

#' @export
`$.torch_compilation_unit` <- function(x, name) {
  made <- unclass(x)$made
  if (is.null(made[[name]])) made[[name]] <- unit_member(unclass(x)$handle, name)
  made[[name]]
}

unit_member <- function(handle, name) {
  kind <- cpp_unit_list(handle)[[name]][[1]]
  switch(
    if (is.null(kind)) "none" else kind,
    none = NULL,
    enum = cpp_unit_enum(handle, name),
    "function" = new_script_function(cpp_unit_function(handle, name)),
    new_script_function(cpp_unit_function(handle, name), c("script_class", "script_function"))
  )
}
#' @export
`[[.torch_compilation_unit` <- function(x, name) `$.torch_compilation_unit`(x, name)
#' @export
as.list.torch_compilation_unit <- function(x, ...) sapply(names(x), function(name) x[[name]], simplify = FALSE)
#' @export
names.torch_compilation_unit <- function(x) as.character(names(cpp_unit_list(unclass(x)$handle)))
#' @export
length.torch_compilation_unit <- function(x) length(names(x))
#' @importFrom utils .DollarNames
#' @export
.DollarNames.torch_compilation_unit <- function(x, pattern = "") grep(pattern, names(x), value = TRUE)
#' @export
print.torch_compilation_unit <- function(x, ...) {
  if (is_dead(unclass(x)$handle)) return(print_dead(x, "torch_compilation_unit"))
  cat("<torch_compilation_unit>\n")
  for (it in cpp_unit_list(unclass(x)$handle)) {
    it <- gsub("__torch__.", "", as.character(it), fixed = TRUE)
    switch(it[1],
      "function" = cat(it[2], "\n", sep = ""),
      enum = cat("enum ", it[2], ": ", paste(it[-(1:2)], collapse = ", "), "\n", sep = ""),
      cat(it[1], " ", it[2], "\n", sprintf("  %s\n", it[-(1:2)]), sep = "")
    )
  }
  invisible(x)
}

#' @export
print.script_class <- function(x, ...) print_callable(x, "script_class")

#' Script modules written as text
#'
#' `jit_module()` makes an empty script module. Parameters, buffers, constants and children are set with `$<-`, methods
#' are written in TorchScript with `$define()`, which also adds methods to a traced or loaded module. A method finds what
#' the module holds at that time under `self`, calls other methods of it, and calls children as in Python:
#' `self.layer(x)`. `for layer in self.layers` walks over the children of a child.
#'
#' @param name The name of the module's class, which graphs and saved files show.
#' @return A `script_module` in train mode. It can be called when it has a method `forward`. `$define(source, file =
#'   NULL)` takes what [jit_compile()] takes, methods only, and returns the module; if one method does not compile, none
#'   is added.
#' @section Source: LibTorch's `torch::jit::Module`, `CompilationUnit::define`.
#' @seealso [jit_trace_module()], [jit_save()]
#' @examplesIf torch::torch_is_installed()
#' affine <- jit_module("Affine")
#' affine$scale <- nn_parameter(torch_tensor(2))
#' affine$shift <- jit_scalar(1)
#' affine$define("
#'   def forward(self, x, times: int = 1):
#'     for i in range(times):
#'       x = self.once(x)
#'     return x
#'   def once(self, x):
#'     return x * self.scale + self.shift
#' ")
#' affine(torch_tensor(3), times = 2)
#' @export
jit_module <- function(name = "Module") {
  if (!is_string(name) || !grepl("^[A-Za-z_][A-Za-z0-9_]*$", name)) {
    value_error("`name` must be a string of letters, digits and underscores that begins with no digit.")
  }
  load_torch()
  handle <- cpp_module_new(name, NULL)
  cpp_module_set_attribute(handle, "training", jit_scalar(TRUE))
  new_script_module(handle)
}
