# How modules show themselves: as the call that would make them, with what they hold, and as a table of layers.

#' @include nn-module.R
NULL

# ---- labels -------------------------------------------------------------------------------------------------------------

# "nn_linear(3, 8)". A setting is an argument of `initialize` whose value the module keeps in a field of that name, as
# the layers of the package do; so the label of a module that a user wrote shows its settings too.
module_label <- function(module) {
  if (inherits(module, "script_module")) return(cpp_module_type_name(script_handle(module)))
  settings <- module_settings(attr(module, "module", exact = TRUE))
  text <- vapply(settings, setting_text, "")
  named <- names2(settings) != ""
  text[named] <- paste(names(settings)[named], "=", text[named])
  # There is no such call for a module that does not keep its arguments.
  call <- if (length(settings) > 0L || attr(settings, "whole")) paste0("(", paste(text, collapse = ", "), ")")
  paste0(class(module)[[1L]], call)
}

# Arguments without a default go by position, as users write them. The others are shown where they are not the
# default. The attribute `whole` says whether the module keeps all of its arguments.
module_settings <- function(self) {
  arguments <- as.list(formals(self$initialize))
  settings <- list()
  whole <- by_position <- !"..." %in% names(arguments)
  for (name in setdiff(names(arguments), "...")) {
    required <- is_missing(arguments[[name]])
    value <- kept_setting(self, name, !required && is_bool(arguments[[name]]))
    if (is.null(value)) {
      whole <- whole && !required && exists(name, envir = self, inherits = FALSE)
      by_position <- by_position && !required
    } else if (required || !is_default(value, arguments[[name]])) {
      settings <- c(settings, set_names(list(value), if (required && by_position) "" else name))
    }
  }
  structure(settings, whole = whole)
}

# Gives NULL if the module does not keep the setting, or keeps something that can't be shown.
kept_setting <- function(self, name, is_flag) {
  if (!exists(name, envir = self, inherits = FALSE)) return(NULL)
  value <- get(name, envir = self, inherits = FALSE)
  # `bias = TRUE` asks for a parameter of that name, and `bias = FALSE` for none.
  if (is_flag && (is.null(value) || is_torch_tensor(value))) return(!is.null(value))
  if (!is.atomic(value) || is.null(value) || length(value) == 0L || length(value) > 8L) return(NULL)
  if (length(value) > 1L && all(value %in% value[[1L]])) value[[1L]] else value
}

# A default that is computed may do anything: it is not evaluated, and its setting is shown.
is_default <- function(value, default) {
  if (is.call(default)) {
    if (!all(all.names(default) %in% c("-", "+", "*", "/", "^", "(", "c"))) return(FALSE)
    default <- eval(default, baseenv())
  }
  if (!is.atomic(default)) return(FALSE)
  isTRUE(all.equal(as.vector(value), default, check.attributes = FALSE))
}

setting_text <- function(value) {
  text <- if (is.object(value)) format(value) else if (is.character(value)) encodeString(value, quote = "\"") else {
    vapply(value, format, "", digits = 6)
  }
  if (length(text) == 1L) text else paste0("c(", paste(text, collapse = ", "), ")")
}

# ---- print --------------------------------------------------------------------------------------------------------------

#' @export
print.nn_module <- function(x, ...) {
  if (inherits(x, "nn_module_generator")) return(print_generator(x))
  self_of(x)
  cat(sprintf("%s: an `nn_module` containing %s parameters.\n", module_label(x), count_parameters(x)))
  print_members(x)
  invisible(x)
}

#' @export
print.script_module <- function(x, ...) {
  if (is_dead(script_handle(x))) return(print_dead(x, "script_module"))
  mode <- if (is.null(x$training)) "" else if (x$training) ", in train mode" else ", in eval mode"
  cat(sprintf("%s: a `script_module` containing %s parameters%s.\n", module_label(x), count_parameters(x), mode))
  methods <- as.character(module_part(script_handle(x), "methods"))
  print_section("Methods", set_names(methods), function(name) {
    signature <- script_signature(cpp_module_method(script_handle(x), name))
    sub("^[^(]*", "", signature)
  }, separator = "")
  print_members(x)
  invisible(x)
}

# R has read this object back without the thing that its handle pointed to.
print_dead <- function(x, kind) {
  cat("<", kind, "> dead\n", sep = "")
  invisible(x)
}

print_members <- function(x) {
  print_section("Modules", x$children, function(child) {
    sprintf("%s #%s parameters", module_label(child), count_parameters(child))
  })
  print_section("Parameters", x$named_parameters(recursive = FALSE), describe_tensor)
  print_section("Buffers", x$named_buffers(recursive = FALSE), describe_tensor)
}

count_parameters <- function(module) format_count(number_of_values(module$parameters))

# Gives NA if one of the tensors is dead.
number_of_values <- function(tensors) {
  sum(0, vapply(tensors, function(x) if (is_dead(x)) NA_real_ else prod(.Call(C_shape, x)), 0))
}

format_count <- function(n) ifelse(is.na(n), "unknown", format(n, big.mark = ",", scientific = FALSE))

describe_tensor <- function(x) {
  if (is_dead(x)) return("<dead tensor>")
  shape <- .Call(C_shape, x)
  paste0(as.character(x$dtype), " [", if (length(shape)) paste0("1:", shape, collapse = ", "), "]")
}

print_section <- function(title, members, describe, separator = ": ") {
  if (length(members) == 0L) return(invisible())
  cat("\n", format(cli::rule(left = title)), "\n", sep = "")
  cat(sprintf("%s %s%s%s\n", cli::symbol$bullet, names(members), separator, vapply(members, describe, "")), sep = "")
}

#' @export
format.nn_module <- function(x, ...) {
  if (inherits(x, "nn_module_generator")) sprintf("<nn_module_generator> %s", class(x)[[1L]]) else module_label(x)
}

#' @importFrom utils str
#' @export
str.nn_module <- function(object, ...) cat(" ", format(object), "\n", sep = "")
