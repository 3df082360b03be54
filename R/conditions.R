# Every error of the package goes through here: an rlang condition with a class that callers match on, the problem first,
# and the user's call.

# `call` is a call, NULL, or the frame of a function. A frame stands for the call by which the user came to that
# function.
torch_abort <- function(message, class, call = caller_env(), ...) {
  if (is.environment(call)) call <- call_into(call)
  abort(paste0(message, way_through_modules()), class = c(class, "torch_error"), call = call, ...)
}

value_error <- function(message, call = caller_env()) torch_abort(message, "value_error", call)
type_error <- function(message, call = caller_env()) torch_abort(message, "type_error", call)
runtime_error <- function(message, call = caller_env()) torch_abort(message, "runtime_error", call)
not_implemented_error <- function(message, call = caller_env()) torch_abort(message, "not_implemented_error", call)

# The glue calls this function. The error shows the call that the user made into this package, not the helpers below
# it. The condition keeps LibTorch's C++ trace, and `options(torch.cpp_trace = TRUE)` shows it.
abort_from_glue <- function(message, class, cpp_trace) {
  whole <- !is.null(cpp_trace) && isTRUE(getOption("torch.cpp_trace"))
  if (whole) message <- cpp_trace
  # LibTorch adds an address to the names of classes.
  message <- gsub(" \\(of Python compilation unit at: [^)]*\\)", "", sub("\\s+$", "", message))
  # A program that stops with a text of its own counts as it likes.
  is_own_text <- grepl("\nbuiltins.Exception: ", message, fixed = TRUE)
  if (!whole) message <- marks_in_place(plain_message(problem_first(message)))
  call <- entry_call(sys.nframe() - 1L)
  # The functions of `jit_ops` count positions from 0, as LibTorch does.
  if (class == "torch_runtime_error" && !is_own_text && !startsWith(paste(deparse(call[[1]]), collapse = ""), "jit_ops$")) {
    message <- count_from_one(message)
  }
  abort(paste0(message, way_through_modules()), class = c(class, "torch_error"), call = call, cpp_trace = cpp_trace)
}

# Which module within a module was called, as a line of a message.
way_through_modules <- function() {
  selves <- lapply(seq_len(sys.nframe()), function(i) {
    env <- environment(sys.function(i))
    self <- if (is.environment(env)) get0("self", env, inherits = FALSE)
    private <- if (is.environment(self)) self$.__enclos_env__$private
    if (is.environment(private) && exists(".hook_lists", private, inherits = FALSE)) self
  })
  path <- inner <- NULL
  for (self in compact(selves)) {
    if (identical(self, inner)) next
    children <- if (!is.null(inner)) inner$children
    at <- Position(function(child) identical(attr(child, "module", exact = TRUE), self), children)
    path <- if (is.na(at)) class(module_callable(self))[[1L]] else c(path, names(children)[at])
    inner <- self
  }
  if (length(path) > 1L) sprintf("\nIn `%s`, %s.", paste(path, collapse = "$"), module_label(module_callable(inner)))
}

# Positions in LibTorch's messages count from 0. What a pattern finds ends with such a position. A negative position
# counts from the end and stays as it is.
position_patterns <- c(
  "(?<=range of \\[)-?\\d+, -?\\d+(?=\\], but got)", "(?<=\\], but got )\\d+", "(?<=[Dd]imension )\\d+(?! ?D)",
  "(?<=[Ii]ndex )\\d+(?= (?:is )?out of (?:range|bounds))", "(?<=at index )\\d+", "(?<=Target )\\d+(?= is out of bounds)",
  "(?<=invalid max index: )\\d+", "(?<=in dim )\\d+", "(?<=of dim )\\d+", "(?<=^dim )\\d+(?= appears)",
  "(?<=reduction dim )\\d+", "(?<=tensor number )\\d+(?= in the list)", "(?<=at entry )\\d+",
  "(?<=start \\()\\d+(?=\\) \\+ length)", "(?<=cannot be identical )\\d+(?=, \\d+)", "(?<=cannot be identical )\\d+, \\d+",
  "(?<=output number )\\d+", "(?<=hook ')\\d+(?=')", "(?<=for dim )\\d+(?=, size is)", "(?<=but found index )\\d+"
)

count_from_one <- function(message) {
  # A TorchScript program that speaks of its own code counts as that code does: R code from 1.
  place <- regmatches(message, regexpr("\nIn the TorchScript program:\n(?s:.*)$", message, perl = TRUE))
  if (length(place) && grepl("^\nIn the TorchScript program:\n *File \"(?:<R function>|[^\"]*\\.[RrQ](?:md|nw)?)\"", place)) {
    return(paste0(count_from_one(substring(message, 1, nchar(message) - nchar(place))), place))
  }
  if (grepl("TorchScript|torch\\.jit", message)) return(message)
  message <- sub("in its (\\d+)th output", "in its output number \\1", message)
  for (pattern in position_patterns) {
    found <- gregexpr(pattern, message, perl = TRUE)
    text <- regmatches(message, found)[[1]]
    if (!length(text)) next
    number <- as.numeric(sub("^.*?(-?\\d+)$", "\\1", text, perl = TRUE))
    raised <- number + (number >= 0)
    regmatches(message, found) <- list(paste0(sub("-?\\d+$", "", text), format(raised, trim = TRUE, scientific = FALSE)))
  }
  message
}

# LibTorch's warnings, with the user's call as errors have it.
warn_from_glue <- function(message) {
  warning(structure(
    class = c("torch_warning", "warning", "condition"),
    list(message = plain_message(sub("\\s+$", "", message)), call = entry_call(sys.nframe() - 1L))
  ))
}

# LibTorch's interpreter first tells where it was and then what is wrong: it shows each call with the code around it,
# and all of that again in the source that a file was made from.
problem_first <- function(message) {
  head <- "^The following operation failed in the TorchScript interpreter.\\s*Traceback of TorchScript[^\n]*\n"
  if (!grepl(head, message)) return(message)
  message <- sub(head, "", message)
  # Without the name of Python's error, which is left out below, the key would be all that is said.
  message <- sub("RuntimeError: KeyError: (?=[^\n]*\\s*$)", "RuntimeError: There is no key ", message, perl = TRUE)
  parts <- regmatches(message, regexec("(?s)^(.*?)(?<!\\s)\\s*(?<![.\\w])(?:[.\\w]*(?:Error|Exception): )+(.*)$", message, perl = TRUE))[[1]]
  if (!length(parts)) return(message)
  # The error of a task comes inside the message of what waits for the task.
  if (grepl(head, parts[3])) return(problem_first(parts[3]))
  paste(c(parts[3], innermost_place(strsplit(parts[2], "\n", fixed = TRUE)[[1]])), collapse = "\n")
}

# LibTorch counts bytes where it marks code below its line. What is seen has letters, some of them wide, and tabs.
marks_in_place <- function(message) {
  if (!grepl("[^ -~\n]", message) || !grepl("~", message, fixed = TRUE)) return(message)
  lines <- strsplit(message, "\n", fixed = TRUE)[[1]]
  marks <- grep("^ *~+( <--- HERE)?$", lines)
  for (at in marks[marks > 1]) {
    mark <- regexpr("~+", lines[at])
    code <- charToRaw(lines[at - 1])
    end <- min(mark + attr(mark, "match.length") - 1, length(code))
    parts <- c(rawToChar(code[seq_len(min(mark - 1, length(code)))]), if (end >= mark) rawToChar(code[mark:end]) else "")
    if (!grepl("[^ -~]", lines[at - 1]) || !all(validUTF8(parts))) next
    Encoding(parts) <- "UTF-8"
    before <- strsplit(parts[1], "")[[1]]
    blank <- ifelse(before == "\t", "\t", strrep(" ", nchar(before, "width")))
    lines[at] <- paste0(paste(blank, collapse = ""), strrep("~", nchar(parts[2], "width")), substring(lines[at], mark + attr(mark, "match.length")))
  }
  paste(lines, collapse = "\n")
}

# The last of the calls that led to an error: where it stands, and its line of code with the mark below it.
innermost_place <- function(lines) {
  # The package's own functions that a program calls (builtins of `jit_script()`) are no place of the user's.
  calls <- grep("^ *File \"(?!R\", line).*\", line [0-9]+", lines, perl = TRUE)
  if (!length(calls)) return(character())
  block <- lines[seq(calls[length(calls)], length(lines))]
  own <- grep("^ *File \"R\", line", block)
  if (length(own)) block <- block[seq_len(own[1] - 1L)]
  mark <- grep("<--- HERE", block, fixed = TRUE)
  code <- if (length(mark) && mark[1] > 2) block[mark[1] - 1:0]
  more <- if (length(calls) > 1) "`options(torch.cpp_trace = TRUE)` shows the calls that led there."
  c("In the TorchScript program:", block[1], code, more)
}

# The user's call that led to a frame. If no running function has this frame, it is the call that led to where R is
# now; the glue calls in such a frame.
call_into <- function(frame) {
  n <- which(vapply(sys.frames(), identical, NA, frame))
  entry_call(if (length(n)) max(n) else sys.nframe() - 1L)
}

# A chain of the package's own functions leads down to frame `n`. This gives the frame of the outermost of them.
entry_frame <- function(n) cpp_entry_frame(sys.calls(), sys.frames(), sys.parents(), n)

# What the user called: the call of the entry frame above frame `n`.
entry_call <- function(n) {
  n <- entry_frame(n)
  call <- as_user_wrote(if (n > 0L) sys.call(n))
  # R calls a method by its own name, or by that of a group; the user wrote the generic's.
  generic <- if (n > 0L) get0(".Generic", sys.frame(n), inherits = FALSE)
  if (is.call(call) && is_string(generic) && !identical(call[[1]], quote(`<-`))) call[[1]] <- as.symbol(generic)
  call
}

# A generator replaces its own name in a call. This gives the name that the user wrote.
call_as_written <- function(call) if (is.function(call[[1]])) attr(call[[1]], "written", exact = TRUE)

as_user_wrote <- function(call) {
  if (is.call(call)) call[[1]] <- call_as_written(call) %||% call[[1]]
  # `x$grad <- value` is evaluated as `*tmp*` with what `value` is.
  if (is.call(call) && length(call) > 2L && identical(call[[2]], quote(`*tmp*`)) && grepl("<-", as.character(call[[1]])[1], fixed = TRUE)) {
    inner <- as.list(call)[-c(1L, length(call))]
    name <- sub("<-.*", "", as.character(call[[1]])[1])
    return(as.call(list(as.symbol("<-"), as.call(c(as.symbol(name), quote(x), inner[-1L])), quote(value))))
  }
  # R calls a method by its own name; the user wrote the generic's.
  if (is.call(call) && is.symbol(call[[1]])) {
    ours <- "(?<=.)\\.(torch_tensor|torch_size|nn_module|script_module|script_function|script_method|torch_script_object|torch_dict)$"
    call[[1]] <- as.symbol(sub(ours, "", as.character(call[[1]]), perl = TRUE))
  }
  call
}

# "a double vector of length 3", for messages.
friendly_type <- function(x) {
  if (is.null(x)) return("NULL")
  # A user may have put our classes on anything.
  if (typeof(x) == "externalptr") {
    if (is_torch_tensor(x)) return("a tensor")
    if (cpp_is_object(x)) return(paste("an instance of", object_part(x, "type")))
    return(paste0("a handle", class_note(x)))
  }
  if (is.function(x)) {
    return(if (inherits(x, "script_module")) "a script module" else if (inherits(x, "nn_module")) "an nn_module" else "a function")
  }
  if (is.environment(x)) return(paste0(if (is_distribution(x)) "a distribution" else "an environment", class_note(x)))
  if (is.data.frame(x)) return("a data frame")
  if (is.factor(x)) return("a factor")
  # A method may ask for the type in turn, so the value is looked at without its class.
  bare <- unclass(x)
  n <- length(bare)
  if (is.list(bare)) {
    if (inherits(x, "torch_dict")) return(sprintf("a torch_dict of length %d", length(bare$keys)))
    return(sprintf("a list of length %d%s", n, class_note(x)))
  }
  if (!is.atomic(bare)) return(paste0("an object of type ", typeof(x)))
  if (inherits(x, "torch_enum") && is_string(bare)) return(format(x))
  if (inherits(x, "R7") && n == 1) return(paste0("a ", class(x)[1]))
  if (inherits(x, c("Date", "POSIXct", "difftime"))) return(paste0("a ", class(x)[1]))
  type <- if (inherits(x, "integer64")) "integer64" else typeof(x)
  if (length(dim(bare)) == 2) return(sprintf("%s %s matrix", article(type), type))
  if (length(dim(bare)) > 0) return(sprintf("%s %s array", article(type), type))
  if (n != 1) return(sprintf("%s %s vector of length %d", article(type), type, n))
  if (type == "integer64") {
    text <- bit64::as.character.integer64(x)
    return(if (is.na(text)) "NA" else paste("the integer64", text))
  }
  if (is.na(bare)) return(if (is.double(bare) && is.nan(bare)) "NaN" else "NA")
  sprintf("the %s %s", if (type == "double") "number" else type, if (is.character(bare)) quoted(bare) else format(bare))
}

# A string in quotes, cut where it is long.
quoted <- function(text) {
  if (nchar(text, "bytes") > 60 && validUTF8(text)) text <- paste0(substr(text, 1, 57), if (nchar(text) > 57) "...")
  encodeString(text, quote = "\"")
}

article <- function(word) if (grepl("^[aeiou]", word)) "an" else "a"
class_note <- function(x) if (is.object(x)) paste0(" of class ", class(x)[1]) else ""
