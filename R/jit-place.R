# Where the user's code is while it is traced: for the nodes of the graph, and for warnings.

# State of the trace that runs: the sources that the shim knows by now, the warnings given, and those that wait. While
# it looks at calls, which may hold sizes, reading these is nobody's doing. The frames up to the floor are the tracer's.
new_trace <- function() {
  list2env(
    list(sources = new.env(parent = emptyenv()), given = character(), waiting = list(), looking = FALSE, floor = 0L),
    parent = emptyenv()
  )
}

look <- function(code) {
  trace <- the$trace
  trace$looking <- TRUE
  on.exit(trace$looking <- FALSE)
  code
}

# The call that the user wrote into this package, above frame `n`, and the place where it stands: list(call, file, line,
# text, first_line, begin, end), positions in bytes of the text.
user_place <- function(n) {
  call_place(entry_frame(n))
}

call_place <- function(n) {
  call <- if (n > 0L) sys.call(n)
  caller <- sys.parents()[n]
  f <- if (length(caller) && caller > 0L) sys.function(caller)
  # A call that something evaluates later, as a pipe does, has no reference of its own: the pipe's call has.
  reference <- NULL
  for (i in rev(seq_len(n))) {
    if (i <= (the$trace$floor %||% 0L)) break
    reference <- attr(sys.call(i), "srcref")
    if (!is.null(reference)) break
  }
  if (!is.null(reference) && i < n) f <- if (sys.parents()[i] > 0L) sys.function(sys.parents()[i])
  attr(call, "srcref") <- NULL
  c(list(call = call, key = obj_address(if (is.null(f)) call else body(f))), place_in_file(reference, f) %||% place_in_text(call, f))
}

# With a source reference: the lines of the function that holds the call, or of the call itself outside functions.
place_in_file <- function(reference, f) {
  if (is.null(reference)) return(NULL)
  srcfile <- attr(reference, "srcfile")
  whole <- attr(f, "srcref")
  if (!identical(attr(whole, "srcfile"), srcfile) || whole[1] > reference[1] || whole[3] < reference[3]) whole <- reference
  lines <- tryCatch(getSrcLines(srcfile, whole[1], whole[3]), error = function(e) NULL)
  if (length(lines) < reference[3] - whole[1] + 1) return(NULL)
  bytes <- c(0, cumsum(nchar(lines, "bytes") + 1))
  file <- basename(srcfile$filename)
  list(
    file = if (nzchar(file)) file else "<text>", line = reference[1], text = paste(lines, collapse = "\n"),
    first_line = whole[1], begin = bytes[reference[1] - whole[1] + 1] + reference[2] - 1,
    end = bytes[reference[3] - whole[1] + 1] + reference[4]
  )
}

# Without: the text of the function, as R writes it.
place_in_text <- function(call, f) {
  call <- as_user_wrote(call)
  text <- paste(deparse(if (is.null(f)) call else f, width.cutoff = 120L), collapse = "\n")
  begin <- regexpr(deparse(call, width.cutoff = 120L)[1], text, fixed = TRUE, useBytes = TRUE)
  end <- begin - 1 + attr(begin, "match.length")
  if (begin < 1) {
    begin <- 1
    end <- nchar(text, "bytes")
  }
  line <- nchar(gsub("[^\n]", "", substring(text, 1, begin))) + 1L
  list(file = NULL, line = line, text = text, first_line = 1L, begin = begin - 1, end = end)
}

# Called by the glue before each operator: the source's number and the bytes in it. Gives the warnings that wait.
trace_place <- function(...) {
  trace <- the$trace
  n <- sys.nframe() - 1L
  place <- look(user_place(n))
  waiting <- trace$waiting
  trace$waiting <- list()
  for (read in waiting) warn_frozen(read)
  key <- paste(place$key, place$first_line)
  if (is.null(trace$sources[[key]])) {
    trace$sources[[key]] <- cpp_trace_source(place$file %||% "<R function>", place$text, place$first_line)
  }
  c(trace$sources[[key]], as.integer(c(place$begin, place$end)))
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
  c(list(call = NULL, source = as.character(reference)[1]), place_in_file(reference, NULL))
}

warn_frozen <- function(place) {
  warn_of_trace(place, "takes a value out of the trace: the program holds what it is now as a constant.")
}

warn_of_trace <- function(place, problem) {
  trace <- the$trace
  text <- place$source %||% look(deparse(as_user_wrote(place$call), width.cutoff = 60L)[1])
  where <- if (!is.null(place$file)) sprintf(" at %s:%d", place$file, place$line) else ""
  key <- paste(text, where)
  if (key %in% trace$given) return(invisible())
  trace$given <- c(trace$given, key)
  warn(sprintf("`%s`%s %s", text, where, problem), class = "torch_tracer_warning")
}
