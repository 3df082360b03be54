# Where the user's code is while it is traced: for the nodes of the graph, and for warnings.

# The state of the trace that runs: the lines of source that it has read, the warnings that it gave, and those that
# wait. `looking` is TRUE while the tracer looks at calls. Calls may hold sizes, and reading these then is not the
# user's doing. The frames up to `floor` belong to the tracer. `func` is what is traced, and `label` is how the user
# wrote it.
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

# How R came from the user's code to frame `n`: list(called, statement, pipe, waiting, callers); see cpp_way().
way_to <- function(n) {
  way <- cpp_way(sys.calls(), sys.frames(), sys.parents(), n, the$trace$floor %||% 0L)
  list(called = way[1], statement = way[2], pipe = way[3], waiting = way[4], callers = way[-(1:4)])
}

# Where the call by which the user came to frame `n` stands, as list(text, name, file, line, source, begin, end).
# `text` is the call. `name` is the name of the file, or of what else holds the call; `file` is NULL if there is none.
# `source` has the text around the call, and `begin` and `end` are bytes of that text.
user_place <- function(n, self = cpp_running_self(sys.frames(), the$trace$floor %||% 0L)) {
  way <- way_to(n)
  call <- if (way$called > 0L) as_user_wrote(sys.call(way$called))
  attr(call, "srcref") <- NULL
  place_in_file(call, way) %||% place_in_call(as_written(call, way), way, self)
}

# A call in the form in which it stands in the code of its caller, as far as that is worth a search.
as_written <- function(call, way) {
  if (way$pipe > 0L) return(written_in(call, sys.call(way$pipe)))
  if (!length(way$callers) || !is.call(call) || !identical(call[[1]], quote(as.double))) return(call)
  written_in(call, body(sys.function(way$callers[1])), call)
}

# The forms in which the user may have written a call. magrittr puts a `.` before the arguments of a step, which the
# user did not write.
forms_of <- function(call) {
  forms <- list(call)
  if (!is.call(call)) return(forms)
  if (length(call) > 1 && identical(call[[2]], quote(.)) && !nzchar(names2(call)[2])) forms <- c(forms, list(call[-2]))
  # R calls as.numeric() by its other name.
  if (identical(call[[1]], quote(as.double))) {
    forms <- c(forms, lapply(forms, function(form) {
      form[[1]] <- quote(as.numeric)
      form
    }))
  }
  forms
}

# The form that stands in `code`. If none does, as with a step of a functional sequence, the form without `.` is the
# best guess.
written_in <- function(call, code, otherwise = forms[[length(forms)]]) {
  forms <- forms_of(call)
  for (form in forms) if (holds_call(code, form)) return(form)
  otherwise
}

holds_call <- function(code, call) {
  if (!is.call(code)) return(FALSE)
  if (identical(code, call)) return(TRUE)
  for (part in as.list(code)) if (!is_missing(part) && holds_call(part, call)) return(TRUE)
  FALSE
}

# The place of a call for which R has a source reference: that of the statement, or that of the part of it which is
# the call.
place_in_file <- function(call, way) {
  if (way$statement == 0L) return(NULL)
  caller <- sys.parents()[way$statement]
  place <- place_at(attr(sys.call(way$statement), "srcref"), if (caller > 0L) sys.function(caller))
  if (is.null(place)) return(NULL)
  place$text <- deparse_line(call)
  text <- text_between(place$source$text, place$begin, place$end)
  # If the statement itself is the call, its place is known. The last step of R's own pipe is not: it is a part of the
  # statement.
  if (way$statement == way$called && !grepl("|>", text, fixed = TRUE)) return(place)
  part <- part_of(text, forms_of(call), way$waiting)
  if (is.null(part)) return(place)
  place$text <- part$text
  place$line <- place$line + part$line
  place$end <- place$begin + part$end
  place$begin <- place$begin + part$begin
  place
}

# The source has the lines of the function that holds the statement, or those of a statement outside of functions.
place_at <- function(reference, f) {
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

text_between <- function(text, begin, end) {
  bytes <- charToRaw(text)[seq_len(end - begin) + begin]
  enc2utf8(`Encoding<-`(rawToChar(bytes), "UTF-8"))
}

# Where a call stands in a statement, as list(text, line, begin, end) with the line and the bytes counted from 0; NULL
# if it does not stand there. A pipe asks for its steps from the last to the first. So among several equal calls this
# takes the last but `waiting`.
part_of <- function(statement, forms, waiting) {
  found <- if (!grepl("|>", statement, fixed = TRUE)) part_as_text(statement, forms)
  if (!is.null(found)) return(found)
  data <- tryCatch(utils::getParseData(parse(text = statement, keep.source = TRUE)), error = function(e) NULL)
  lines <- strsplit(statement, "\n", fixed = TRUE)[[1]]
  heads <- lapply(forms, function(form) if (is.call(form)) form[[1]])
  forms <- lapply(forms, deparse)
  found <- Filter(function(i) {
    code <- parse(text = part_text(lines, data[i, ]), keep.source = FALSE)[[1]]
    is.call(code) && list(code[[1]]) %in% heads && list(deparse(code)) %in% forms
  }, which(data$token == "expr"))
  if (!length(found)) return(NULL)
  found <- found[order(data$line2[found], data$col2[found])]
  at <- data[found[max(1L, length(found) - waiting)], ]
  # R's own pipe makes an argument of what stands before it. Only the step is meant.
  parts <- data[data$parent == at$id, ]
  if ("PIPE" %in% parts$token) at <- parts[nrow(parts), ]
  bytes_to <- function(line, column) {
    sum(nchar(lines[seq_len(line - 1L)], "bytes") + 1) + nchar(substr(lines[line], 1L, column), "bytes")
  }
  list(
    text = part_text(lines, at)[1], line = at$line1 - 1L, begin = bytes_to(at$line1, at$col1 - 1L),
    end = bytes_to(at$line2, at$col2)
  )
}

# Does the same without a parser, which costs more than most operators. It finds a call that stands there once,
# written as R writes it.
part_as_text <- function(statement, forms) {
  for (form in forms) {
    text <- deparse(form, width.cutoff = 120L)
    if (length(text) > 1 || !grepl("^[[:alnum:]._$:]+\\(", text)) next
    at <- gregexpr(text, statement, fixed = TRUE)[[1]]
    if (at[1] < 0) next
    if (length(at) > 1 || grepl("[[:alnum:]._$:@]$", substr(statement, 1L, at - 1L))) return(NULL)
    before <- substr(statement, 1L, at - 1L)
    begin <- nchar(before, "bytes")
    return(list(
      text = text, line = nchar(gsub("[^\n]", "", before)), begin = begin, end = begin + nchar(text, "bytes")
    ))
  }
  NULL
}

part_text <- function(lines, at) {
  text <- lines[at$line1:at$line2]
  n <- length(text)
  text[n] <- substr(text[n], 1L, at$col2)
  text[1] <- substring(text[1], at$col1)
  text
}

# A trace reads each source once. `id` is the shim's number of the source, once it has one.
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

# The place of a call without a source reference: the call as R writes it, in the module that runs, or else in the
# function that made the call.
place_in_call <- function(call, way, self) {
  trace <- the$trace
  n <- way$called
  # The user does not see the tracer's own call. It stands for a call of the function or module that is traced.
  is_root <- !is.null(trace) && n == trace$floor + 1L
  text <- deparse(call, width.cutoff = 120L)
  if (is_root) text[1] <- sub("^func", trace$label, text[1])
  # This call belongs to the tracer itself.
  if (!is.null(trace) && n <= trace$floor) text <- trace$label
  name <- if (is_root) trace$label else calling_function(way$callers)
  if (!is.null(self)) {
    path <- module_path(self)
    name <- toString(unique(c(path, parent.env(self$.__enclos_env__)$.classes[1])))
    if (is_root && !is.null(path)) text <- sprintf("%s(%s)", path, toString(names(formals(self$forward))[1]))
  }
  if (length(text) > 5L) text <- c(text[1:5], "...")
  whole <- paste(text, collapse = "\n")
  # LibTorch marks a part of a text only, and does not name the place of a whole text. So a line break follows the
  # call.
  list(
    text = text[1], name = name, module = if (!is.null(self)) name, file = NULL, line = 1L,
    source = new_source(paste0(whole, "\n"), name), begin = 0, end = nchar(whole, "bytes")
  )
}

# Finds the name of the user's function: the first of these frames that was called by a name which the user gave.
calling_function <- function(callers) {
  trace <- the$trace
  for (i in seq_along(callers)) {
    if (!is.null(trace) && callers[i] == trace$floor + 1L) break
    head <- sys.call(callers[i])[[1]]
    is_named <- is.symbol(head) || is.call(head) && is_symbol(head[[1]], c("$", "::", ":::"))
    # lapply() and similar functions call by names of their own.
    if (is_named && !calls_on(callers[i]) && (i == length(callers) || !calls_on(callers[i + 1L]))) return(deparse_line(head))
  }
  trace$label %||% "R"
}

# Whether the function of a frame only calls on what it gets, as lapply() and pipes do.
calls_on <- function(n) cpp_calls_on(environment(sys.function(n)) %||% baseenv())

deparse_line <- function(call) deparse(call, width.cutoff = 60L)[1]

# The path of a module, such as `net$first`, in the module that is traced; NULL if it is not in there.
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
  if (is.null(self)) return(invisible())
  tree <- tree_of(self)
  names <- names_in_tree(tree)
  for (i in seq_along(names)) {
    if (i > 1L) path[i] <- paste0(path[tree$parent[i]], "$", names[i])
    key <- if (!tree$apart[i]) obj_address(tree$module[[i]])
    if (!is.null(key) && is.null(paths[[key]])) paths[[key]] <- path[i]
  }
}

# What the user wrote for the traced function or module, if that is short.
label_of <- function(expression, func) {
  text <- deparse(expression, width.cutoff = 60L)
  if (length(text) == 1 && nchar(text) <= 40 && !grepl("(", text, fixed = TRUE)) return(text)
  if (is_nn_module(func)) class(func)[1] else "function"
}

# The glue calls this before each operator. It tells the shim the place, and gives the warnings that wait.
trace_place <- function(...) {
  trace <- the$trace
  if (length(trace$waiting)) {
    waiting <- trace$waiting
    trace$waiting <- list()
    for (read in waiting) warn_frozen(read)
  }
  cpp_set_place(sys.calls(), sys.frames(), sys.parents(), sys.nframe() - 1L, trace$floor)
}

# The glue calls this when it meets a new place in what frame `n` does. It gives the source's number and the bytes in
# it.
new_place <- function(n, self) {
  place <- look(user_place(n, self))
  source <- place$source
  if (is.null(source$id)) source$id <- cpp_trace_source(source$name, source$text, source$first_line)
  as.integer(c(source$id, place$begin, place$end))
}

# The glue calls this where a value leaves the graph.
trace_leaves <- function(...) {
  if (is.null(the$trace)) return(invisible())
  n <- sys.nframe() - 1L
  warn_frozen(look(user_place(n)))
}

# The glue calls this when somebody reads the numbers of a size. The reader is in the middle of something, so the
# warning has to wait.
trace_note_read <- function(reference) {
  trace <- the$trace
  if (is.null(trace) || trace$looking) return(invisible())
  n <- sys.nframe() - 1L
  trace$waiting <- c(trace$waiting, list(look(reader_place(n, reference))))
}

# The reader is no function of this package. Its place is the innermost function that the user's code called. If that
# was a primitive function, it is the statement that R is at.
reader_place <- function(n, reference) {
  callers <- sys.parents()
  is_package <- function(i) {
    home <- environment(sys.function(i))
    is.null(home) || isNamespace(topenv(home)) || identical(topenv(home), .BaseNamespaceEnv)
  }
  # `user` becomes the frame of the user's function. `n` becomes the frame that it called, or the same one if it
  # called no closure.
  user <- n
  # R takes a frame that C++ called for its own caller. The real caller is the frame below it.
  while (user > 0L && is_package(user)) {
    n <- user
    user <- min(callers[user], user - 1L)
  }
  place <- user_place(n)
  if (n > user || is.null(reference)) return(place)
  c(list(text = as.character(reference)[1]), place_at(reference, NULL))
}

warn_frozen <- function(place) {
  warn_of_trace(place, "takes a value out of the trace: the program holds what it is now as a constant.")
}

warn_of_trace <- function(place, problem) {
  trace <- the$trace
  text <- place$text
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
