# Where the user's code is while it is traced: for the nodes of the graph, and for warnings.

# State of the trace that runs: the lines of source that it has read, the warnings given, and those that wait. While it
# looks at calls, which may hold sizes, reading these is nobody's doing. The frames up to the floor are the tracer's.
# `func` is what is traced and `label` how the user wrote it.
new_trace <- function(func = NULL, label = NULL) {
  list2env(
    list(
      func = func, label = label, paths = NULL, lines = new.env(parent = emptyenv()), given = character(),
      waiting = list(), looking = FALSE, floor = 0L
    ),
    parent = emptyenv()
  )
}

look <- function(code) {
  trace <- the$trace
  trace$looking <- TRUE
  on.exit(trace$looking <- FALSE)
  code
}

# The call that the user wrote into this package, above frame `n`, and the place where it stands; see call_place().
user_place <- function(n) {
  call_place(entry_frame(n))
}

# Where the call of frame `n` stands: list(call, name, file, line, source, begin, end). `name` is that of the file or of
# what else holds the call, `file` is NULL without one, `source` has the text around it, and positions are bytes of that.
call_place <- function(n, self = cpp_running_self(sys.frames(), the$trace$floor %||% 0L)) {
  call <- if (n > 0L) sys.call(n)
  # A call that something evaluates later, as a pipe does, has no reference of its own: the pipe's call has.
  reference <- NULL
  for (i in rev(seq_len(n))) {
    if (i <= (the$trace$floor %||% 0L)) break
    reference <- attr(sys.call(i), "srcref")
    if (!is.null(reference)) break
  }
  attr(call, "srcref") <- NULL
  caller <- if (!is.null(reference)) sys.parents()[i]
  place <- place_in_file(reference, if (length(caller) && caller > 0L) sys.function(caller))
  c(list(call = call), place %||% place_in_call(call, n, self))
}

# With a source reference: the lines of the function that holds the call, or of the call itself outside functions.
place_in_file <- function(reference, f) {
  if (is.null(reference)) return(NULL)
  srcfile <- attr(reference, "srcfile")
  whole <- attr(f, "srcref")
  if (!identical(attr(whole, "srcfile"), srcfile) || whole[1] > reference[1] || whole[3] < reference[3]) whole <- reference
  source <- source_lines(srcfile, whole[1], whole[3])
  if (is.null(source)) return(NULL)
  bytes <- source$bytes - source$bytes[1]
  list(
    name = source$name, file = source$name, line = reference[1], source = source,
    begin = bytes[reference[1] - whole[1] + 1] + reference[2] - 1, end = bytes[reference[3] - whole[1] + 1] + reference[4]
  )
}

# Read once a trace. `id` is the shim's number of it, when it has one.
source_lines <- function(srcfile, first, last) {
  known <- the$trace$lines
  key <- paste(obj_address(srcfile), first, last)
  if (!is.null(known[[key]])) return(known[[key]])
  lines <- tryCatch(getSrcLines(srcfile, first, last), error = function(e) NULL)
  if (length(lines) < last - first + 1) return(NULL)
  name <- basename(srcfile$filename)
  source <- new_source(paste(lines, collapse = "\n"), if (nzchar(name)) name else "<text>", first)
  source$bytes <- c(0, cumsum(nchar(lines, "bytes") + 1))
  source$srcfile <- srcfile
  if (!is.null(known)) known[[key]] <- source
  source
}

new_source <- function(text, name, first_line = 1L) {
  list2env(list(text = text, name = name, first_line = first_line, id = NULL), parent = emptyenv())
}

# Without: the call as R writes it, in the module that runs, or else in the function that made the call.
place_in_call <- function(call, n, self) {
  trace <- the$trace
  # The tracer's own call stands for the user's of the function or module.
  is_root <- !is.null(trace) && n == trace$floor + 1L
  text <- deparse(as_user_wrote(call), width.cutoff = 120L)
  if (is_root) text[1] <- sub("^func", trace$label, text[1])
  # What the tracer does itself.
  if (!is.null(trace) && n <= trace$floor) text <- trace$label
  name <- if (is_root) trace$label else calling_function(n)
  if (!is.null(self)) {
    path <- module_path(self)
    name <- toString(unique(c(path, parent.env(self$.__enclos_env__)$.classes[1])))
    if (is_root && !is.null(path)) text <- sprintf("%s(%s)", path, toString(names(formals(self$forward))[1]))
  }
  if (length(text) > 5L) text <- c(text[1:5], "...")
  text <- paste(text, collapse = "\n")
  # LibTorch marks no more than a part of a text, and names the place of no whole one.
  list(
    name = name, module = if (!is.null(self)) name, file = NULL, line = 1L, source = new_source(paste0(text, "\n"), name),
    begin = 0, end = nchar(text, "bytes")
  )
}

calling_function <- function(n) {
  caller <- if (n > 0L) sys.parents()[n] else 0L
  if (caller <= (the$trace$floor %||% 0L)) return(the$trace$label %||% "R")
  head <- sys.call(caller)[[1]]
  if (!is.null(the$trace) && caller == the$trace$floor + 1L) return(the$trace$label)
  if (is.symbol(head)) as.character(head) else "R"
}

# `net$first` of the module that is traced; NULL for one that it does not hold.
module_path <- function(self) {
  trace <- the$trace
  if (is.null(trace$paths)) {
    trace$paths <- new.env(parent = emptyenv())
    if (is_nn_module(trace$func)) note_paths(trace$func, trace$label, trace$paths)
  }
  trace$paths[[obj_address(self)]]
}

note_paths <- function(module, path, paths) {
  self <- attr(module, "module", exact = TRUE)
  if (is.null(self) || !is.null(paths[[obj_address(self)]])) return(invisible())
  paths[[obj_address(self)]] <- path
  children <- module$children
  for (name in names(children)) note_paths(children[[name]], paste0(path, "$", name), paths)
}

# How the user wrote what is traced, if that is short.
label_of <- function(expression, func) {
  text <- deparse(expression, width.cutoff = 60L)
  if (length(text) == 1 && nchar(text) <= 40 && !grepl("(", text, fixed = TRUE)) return(text)
  if (is_nn_module(func)) class(func)[1] else "function"
}

# Called by the glue before each operator: tells the shim the place, and gives the warnings that wait.
trace_place <- function(...) {
  trace <- the$trace
  if (length(trace$waiting)) {
    waiting <- trace$waiting
    trace$waiting <- list()
    for (read in waiting) warn_frozen(read)
  }
  cpp_set_place(sys.calls(), sys.frames(), sys.parents(), sys.nframe() - 1L, trace$floor)
}

# Called by the glue for a place of frame `n` that it has not met: the source's number and the bytes in it.
new_place <- function(n, self) {
  place <- look(call_place(n, self))
  source <- place$source
  if (is.null(source$id)) source$id <- cpp_trace_source(source$name, source$text, source$first_line)
  as.integer(c(source$id, place$begin, place$end))
}

# Called where a value leaves the graph.
trace_leaves <- function(...) {
  if (is.null(the$trace)) return(invisible())
  n <- sys.nframe() - 1L
  warn_frozen(look(user_place(n)))
}

# Called when the numbers of a size are read. Only noted: the reader is in the middle of something.
trace_note_read <- function(reference) {
  trace <- the$trace
  if (is.null(trace) || trace$looking) return(invisible())
  n <- sys.nframe() - 1L
  trace$waiting <- c(trace$waiting, list(look(reader_place(n, reference))))
}

# What reads is no function of this package: the call is that of the innermost function that the user's code called, or
# where that was a primitive function, the statement that R is at.
reader_place <- function(n, reference) {
  callers <- sys.parents()
  is_package <- function(i) {
    home <- environment(sys.function(i))
    is.null(home) || isNamespace(topenv(home)) || identical(topenv(home), .BaseNamespaceEnv)
  }
  # Up to the user's function; `n` is then what it called, or itself where that was no closure.
  user <- n
  # R names a frame that C++ called as its own caller: that is the one below it.
  while (user > 0L && is_package(user)) {
    n <- user
    user <- min(callers[user], user - 1L)
  }
  place <- call_place(n)
  if (n > user || is.null(reference)) return(place)
  c(list(call = NULL, statement = as.character(reference)[1]), place_in_file(reference, NULL))
}

warn_frozen <- function(place) {
  warn_of_trace(place, "takes a value out of the trace: the program holds what it is now as a constant.")
}

warn_of_trace <- function(place, problem) {
  trace <- the$trace
  text <- place$statement %||% look(deparse(as_user_wrote(place$call), width.cutoff = 60L)[1])
  where <- if (!is.null(place$file)) {
    sprintf(" at %s:%d", place$file, place$line)
  } else if (!is.null(place$module)) {
    sprintf(" in %s", place$module)
  } else {
    ""
  }
  key <- paste(text, where)
  if (key %in% trace$given) return(invisible())
  trace$given <- c(trace$given, key)
  warn(sprintf("`%s`%s %s", text, where, problem), class = "torch_tracer_warning")
}
