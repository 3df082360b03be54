# Operators: R functions made from the schema table, and the facts behind each of them.
#
# The table `inst/ops/aten.txt` holds one schema of LibTorch a line (written by tools/dump-schemas.R). While the package
# is installed a function `torch_<op>` is made of each operator: real formals, and a body that hands its own frame to the
# glue, which looks the operator up in LibTorch's registry. What a schema does not tell (what counts from 1, other names
# of arguments, order) stands in `inst/ops/notes.tsv`, one line an operator.

op_file <- function(name) {
  home <- getNamespaceInfo(topenv(), "path")
  files <- file.path(home, c("ops", "inst/ops"), name)
  files[file.exists(files)][1]
}

read_schemas <- function(lines) {
  pattern <- "^aten::([^.(]+)(?:\\.([^(]*))?\\((.*)\\) -> (.*)$"
  parts <- regmatches(lines, regexec(pattern, lines, perl = TRUE))
  data.frame(
    operator = vapply(parts, `[`, "", 2),
    overload = vapply(parts, `[`, "", 3),
    arguments = vapply(parts, `[`, "", 4),
    returns = vapply(parts, `[`, "", 5),
    stringsAsFactors = FALSE
  )
}

# The arguments of a schema, one a row: name, type, default (text, NA if none), keyword-only, out.
parse_arguments <- function(text) {
  if (!nzchar(text)) {
    return(data.frame(name = character(), type = character(), default = character(), keyword = logical()))
  }
  fields <- strsplit(text, ",\\s(?![^\\[]*\\])", perl = TRUE)[[1]]
  star <- fields == "*"
  keyword <- cumsum(star) > 0
  fields <- fields[!star]
  pattern <- "^(.*)\\s([A-Za-z_0-9]+)(?:=(.*))?$"
  parts <- regmatches(fields, regexec(pattern, fields, perl = TRUE))
  has_default <- grepl("=", sub("^.*\\s(?=[A-Za-z_0-9]+(=.*)?$)", "", fields, perl = TRUE), fixed = TRUE)
  data.frame(
    name = vapply(parts, `[`, "", 3),
    type = vapply(parts, `[`, "", 2),
    default = ifelse(has_default, vapply(parts, `[`, "", 4), NA_character_),
    keyword = keyword[!star],
    stringsAsFactors = FALSE
  )
}

# Overloads rank as in the glue: a tensor comes before a number, and a number before a list.
type_weight <- function(type) {
  type <- sub("\\?$", "", type)
  ifelse(grepl("^Dimname", type), 5,
    ifelse(grepl("\\[[0-9]*\\]$", type), 2,
      ifelse(grepl("^Tensor", type), 0,
        ifelse(type %in% c("Scalar", "int", "SymInt", "float", "bool", "complex"), 1,
          ifelse(type == "str", 3, 4)))))
}

# The R constant of a schema's default; the empty symbol where R has no form for it.
default_value <- function(text, is_position) {
  if (is.na(text)) return(quote(expr = ))
  if (text %in% c("None", "[]")) return(NULL)
  if (text %in% c("True", "False")) return(text == "True")
  if (grepl("^-?[0-9]+$", text)) {
    value <- as.numeric(text)
    if (is_position && value >= 0) value <- value + 1
    return(if (abs(value) < 2^31) as.integer(value) else value)
  }
  if (grepl("^-?[0-9.]+(e[-+]?[0-9]+)?$", text)) return(as.numeric(text))
  if (grepl("^\".*\"$", text) || grepl("^'.*'$", text)) return(substr(text, 2, nchar(text) - 1))
  if (grepl("^\\[[-0-9, ]+\\]$", text)) {
    value <- as.integer(strsplit(gsub("[][ ]", "", text), ",")[[1]])
    if (is_position) value <- ifelse(value >= 0L, value + 1L, value)
    return(value)
  }
  quote(expr = )
}

is_out_overload <- function(arguments) any(grepl("!", arguments$type[arguments$keyword], fixed = TRUE))

# The union of the overloads' formals in the order of their rank, keyword-only ones last. A default is shown where all
# overloads that have the argument agree on it.
union_formals <- function(overloads, note) {
  out <- vapply(overloads, is_out_overload, logical(1))
  if (!all(out)) overloads <- overloads[!out]
  weights <- lapply(overloads, function(a) type_weight(a$type))
  width <- max(lengths(weights), 1)
  keys <- vapply(weights, function(w) paste(formatC(c(w, rep(-1, width - length(w))), width = 2), collapse = ""), "")
  overloads <- overloads[order(keys, lengths(weights))]
  all <- do.call(rbind, overloads)
  if (is.null(all) || nrow(all) == 0) return(list())
  keyword <- tapply(all$keyword, factor(all$name, unique(all$name)), all)
  names <- c(names(keyword)[!keyword], names(keyword)[keyword])
  formals <- lapply(names, function(name) {
    texts <- unique(all$default[all$name == name])
    if (length(texts) != 1) return(quote(expr = ))
    default_value(texts, name %in% op_positions(note))
  })
  names(formals) <- names
  formals
}

# --- notes ---------------------------------------------------------------------------------------------------------

note_fields <- function(text) if (is.null(text) || is.na(text) || text == "-") character() else strsplit(text, " ")[[1]]

read_notes <- function(file) {
  notes <- utils::read.delim(file, comment.char = "#", colClasses = "character", quote = "", na.strings = "")
  split(notes, notes$operator)
}

# Arguments that count dimensions or positions from 1 when they are integers, by their name or by the note.
position_names <- c(
  "dim", "dims", "dim0", "dim1", "dim2", "start_dim", "end_dim", "axis", "axis0", "axis1", "dimension",
  "dims_self", "dims_other", "source", "destination", "index"
)
# Tensors of positions with these names count from 1 too.
index_names <- c("index", "indices", "col_indices", "row_indices", "plain_indices", "sorter")

# Numbers of these names must be whole for integer tensors. In R they may be integers or doubles.
whole_names <- c("alpha", "beta")

op_positions <- function(note) setdiff(c(position_names, note_fields(note$positions)), note_fields(note$counts))
op_index <- function(note) c(index_names, note_fields(note$index))

# Arguments that LibTorch has as numbers and everybody knows by words, and the words from 0.
word_names <- list(
  reduction = c("none", "mean", "sum"),
  compute_mode = c("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist"),
  interpolation_mode = c("bilinear", "nearest", "bicubic"),
  padding_mode = c("zeros", "border", "reflection")
)

# --- making the functions ------------------------------------------------------------------------------------------

new_op_function <- function(key, formals, env = topenv(), entry = quote(C_op)) {
  f <- function() NULL
  formals(f) <- formals
  # The parentheses make the result visible. Evaluating the arguments may have ended with an invisible value.
  body(f) <- bquote((.External2(.(entry), .(key))))
  environment(f) <- env
  f
}

# "from=to" pairs of a note: schema names to R names.
note_renames <- function(note) {
  pairs <- strsplit(note_fields(note$rename), "=", fixed = TRUE)
  structure(vapply(pairs, `[`, "", 2), names = vapply(pairs, `[`, "", 1))
}

# Formals written in a note, NULL if there are none.
noted_formals <- function(text) {
  if (is.null(text) || is.na(text) || text == "-") return(NULL)
  values <- as.list(formals(eval(parse(text = paste0("function", text, " NULL"), keep.source = FALSE))))
  # A constant such as -1L is a call in the text. As a value it differs from a call that a user gives.
  constant <- vapply(values, function(v) is.call(v) && all(all.names(v) %in% c("-", "c")), NA)
  values[constant] <- lapply(values[constant], eval)
  values
}

op_formals <- function(overloads, note) {
  noted <- noted_formals(note$formals)
  if (!is.null(noted)) return(noted)
  formals <- union_formals(overloads, note)
  renames <- note_renames(note)
  hit <- match(names(formals), names(renames))
  names(formals)[!is.na(hit)] <- renames[hit[!is.na(hit)]]
  formals
}

# Runs when the package is installed: assigns torch_<op> for every operator of the table that is not written by hand.
make_op_functions <- function(env, by_hand = character()) {
  schemas <- read_schemas(readLines(op_file("aten.txt")))
  notes <- read_notes(op_file("notes.tsv"))
  arguments <- split(lapply(schemas$arguments, parse_arguments), schemas$operator)
  for (operator in names(arguments)) {
    note <- notes[[operator]]
    name <- op_function_name(operator)
    # An operator whose R function was written by hand is called op_<operator>.
    if (name %in% by_hand) name <- paste0("op_", operator)
    assign(name, new_op_function(operator, op_formals(arguments[[operator]], note), env), envir = env)
  }
  assign("op_notes", notes, envir = env)
  assign("op_names", names(arguments), envir = env)
  assign("program_rules", read_program_rules(op_file("programs.tsv"), notes), envir = env)
}

# linalg_* and special functions keep LibTorch's own prefix.
op_function_name <- function(operator) if (startsWith(operator, "linalg_")) operator else paste0("torch_", operator)

op_exports <- function() {
  names <- readLines(op_file("exports.txt"))
  paste0("export(", names, ")")
}

# --- what the glue asks for ----------------------------------------------------------------------------------------

# The record behind a key: an operator's name; an R operator such as "+"; an R function as "abs(x)"; "ns::op" for
# jit_ops.
op_facts <- function(key) {
  if (key %in% names(r_operators)) {
    operators <- r_operators[[key]]
    note <- op_notes[[operators[1]]]
    return(list(
      operators = paste0("aten::", operators), formals = alist(e1 = , e2 = ), is_r_operator = TRUE,
      rename = c(self = "e1", other = "e2", exponent = "e2", mat2 = "e2")
    ))
  }
  if (endsWith(key, "(x)")) {
    operator <- r_functions[[sub("(x)", "", key, fixed = TRUE)]]
    return(list(operators = paste0("aten::", operator), formals = alist(x = ), rename = c(self = "x")))
  }
  refuse_unsafe(key)
  if (grepl("::", key, fixed = TRUE)) {
    return(list(operators = key, formals = jit_op_formals(key), all_overloads = TRUE))
  }
  note <- op_notes[[key]]
  f <- op_function(key)
  known <- !is.null(f)
  # An operator of another LibTorch or of a user's library is not in the table. It gets its formals from the registry.
  formals <- if (known) as.list(formals(f)) else registry_formals(key, note)
  list(
    operators = paste0("aten::", key),
    formals = formals,
    rename = note_renames(note),
    positions = op_positions(note),
    index = op_index(note),
    whole = c(whole_names, note_fields(note$whole)),
    words = lapply(word_names, function(words) as.list(set_names(seq_along(words) - 1L, words))),
    results = as.integer(note_fields(note$results)),
    results_of = note_fields(note$results_of),
    names = note_fields(note$names),
    since = op_since[key]
  )
}

# The first LibTorch with an operator that 1.13 had not.
op_since <- c(
  scaled_dot_product_attention = "2.0", empty_permuted = "2.1", nonzero_static = "2.1", rms_norm = "2.4", hash_tensor = "2.9"
)

# These operators end the process when their arguments are wrong, or read memory that a wrong argument points to.
# tools/fuzz.R found them.
refuse_unsafe <- function(operator) {
  name <- if (grepl("::", operator, fixed = TRUE)) operator else paste0("aten::", operator)
  rules <- program_rules$rule[program_rules$operator %in% c(name, sub("::.*$", "::", name))]
  if (!"refused" %in% rules) return()
  not_implemented_error(sprintf(
    "`%s` can't be called from R: LibTorch does not check its arguments, and wrong ones end the session.", operator
  ), call = entry_call(sys.nframe()))
}

# The function made from the table, also where one written by hand has its name; NULL if the table has no such operator.
op_function <- function(operator) {
  for (name in c(op_function_name(operator), paste0("op_", operator))) {
    f <- get0(name, topenv(), mode = "function", inherits = FALSE)
    if (!is.null(f) && is_op_function(f)) return(f)
  }
}

# Creation functions hand their frame to the glue too, but the glue reads it in another way.
is_op_function <- function(f) {
  call <- if (is.call(body(f)) && identical(body(f)[[1]], quote(`(`))) body(f)[[2]]
  is.call(call) && identical(call[[1]], quote(.External2)) && !identical(call[[2]], quote(C_create))
}

registry_formals <- function(key, note) {
  lines <- grep(paste0("^aten::", gsub("([.\\\\])", "\\\\\\1", key), "[.(]"), operator_schemas("dispatcher"), value = TRUE)
  if (!length(lines)) lines <- grep(paste0("^aten::", key, "[.(]"), operator_schemas("jit"), value = TRUE)
  op_formals(lapply(read_schemas(lines)$arguments, parse_arguments), note)
}

jit_op_formals <- function(key) {
  lines <- c(operator_schemas("dispatcher"), operator_schemas("jit"))
  lines <- lines[startsWith(lines, paste0(key, ".")) | startsWith(lines, paste0(key, "("))]
  arguments <- lapply(sub("^[^(]*\\((.*)\\) -> .*$", "\\1", lines), parse_arguments)
  names <- unique(unlist(lapply(arguments, `[[`, "name")))
  structure(rep(alist(x = ), length(names)), names = names)
}

# Message for a call that no overload takes: what was given, then the candidates as R writes them.
no_overload_message <- function(given, schemas) {
  given <- given[nzchar(names(given))]
  what <- paste0("`", names(given), "` is ", vapply(given, friendly_type, ""), collapse = ", ")
  raw <- grepl("::", attr(schemas, "key"), fixed = TRUE)
  candidates <- vapply(schemas, schema_in_r, "", raw = raw, USE.NAMES = FALSE)
  paste0(
    "The arguments fit no form of this operator.\n",
    "Given: ", if (length(given)) what else "nothing", ".\n",
    if (length(candidates) > 1) "It takes one of:\n" else "It takes:\n",
    paste0("  ", unique(candidates), collapse = "\n")
  )
}

# "aten::sum.dim_IntList(Tensor self, int[1]? dim, *, bool keepdim=False) -> Tensor" as R users write it:
# "torch_sum(self: tensor, dim: whole numbers or NULL, keepdim: logical = FALSE)".
# `raw`: for jit_ops, which takes what the schema says.
schema_in_r <- function(schema, raw = FALSE) {
  parts <- read_schemas(schema)
  arguments <- parse_arguments(sub("^[^(]*\\((.*)\\) -> .*$", "\\1", schema))
  arguments <- arguments[!grepl("!", arguments$type, fixed = TRUE) | !arguments$keyword, ]
  ours <- !raw && !is.na(parts$operator)
  note <- if (ours) op_notes[[parts$operator]]
  default <- vapply(seq_len(nrow(arguments)), function(i) {
    value <- list(default_value(arguments$default[i], ours && arguments$name[i] %in% op_positions(note)))
    if (identical(value, list(quote(expr = )))) return("")
    if (is.integer(value[[1]])) value <- lapply(value, as.double)
    paste0(" = ", paste(deparse(value[[1]]), collapse = ""))
  }, "")
  renames <- note_renames(note)
  name <- ifelse(arguments$name %in% names(renames), renames[arguments$name], arguments$name)
  paste0(
    if (ours) op_function_name(parts$operator) else sub("[.(].*$", "", schema),
    "(", paste0(name, ": ", type_in_words(arguments$type), default, collapse = ", "), ")"
  )
}

type_words <- c(
  Tensor = "tensor", Scalar = "number", int = "whole number", SymInt = "whole number", float = "number",
  complex = "complex number", bool = "logical", str = "string", ScalarType = "dtype", Device = "device", Layout = "layout",
  MemoryFormat = "memory format", Generator = "generator"
)

type_in_words <- function(type) {
  type <- gsub("\\([a-z]!?( -> \\*)?\\)", "", type)
  leaf <- sub("^([A-Za-z]+).*$", "\\1", type)
  word <- ifelse(leaf %in% names(type_words), type_words[leaf], leaf)
  list <- grepl("[", type, fixed = TRUE)
  plural <- ifelse(leaf == "Tensor", "list of tensors", ifelse(word == "logical", "logicals", paste0(word, "s")))
  paste0(ifelse(list, plural, word), ifelse(endsWith(type, "?"), " or NULL", ""))
}

# --- methods -------------------------------------------------------------------------------------------------------

# Tells what `x$name` is, as list(is_field, function), or NULL. The glue keeps the answer. The function is compiled
# here, because R compiles neither functions in lists nor the copies that `$` makes of a method.
tensor_member <- function(name) {
  member <- find_member(name)
  if (is.function(member[[2]])) member[[2]] <- compiler::cmpfun(member[[2]])
  member
}

find_member <- function(name) {
  field <- tensor_fields[[name]]
  if (!is.null(field)) return(list(TRUE, field))
  method <- tensor_methods[[name]]
  if (!is.null(method)) return(list(FALSE, method))
  f <- op_function(name)
  if (is.null(f)) {
    # Older versions of LibTorch have operators for these.
    if (name %in% named_methods) return(list(FALSE, no_named_tensors))
    if (!cpp_has_operator(paste0("aten::", name))) return(NULL)
    f <- new_op_function(name, registry_formals(name, op_notes[[name]]))
  }
  if (!takes_self(f, op_notes[[name]])) return(NULL)
  formals <- noted_formals(op_notes[[name]]$method)
  if (is.null(formals)) formals <- as.list(formals(f))[-1]
  list(FALSE, new_op_function(name, formals, topenv(), quote(C_method)))
}

# An operator is a method if its first argument is the tensor.
takes_self <- function(f, note) {
  first <- names(formals(f))[1]
  !is.null(first) && first %in% c("self", "input", "A", note_renames(note)[c("self", "input")])
}

unknown_member <- function(x, name) {
  value_error(sprintf("`%s` is neither a field nor a method of a tensor.", name), call = NULL)
}

#' @importFrom utils .DollarNames
#' @export
.DollarNames.torch_tensor <- function(x, pattern = "") {
  first <- vapply(op_names, function(op) {
    f <- op_function(op)
    !is.null(f) && takes_self(f, op_notes[[op]])
  }, NA)
  members <- unique(c(names(tensor_fields), names(tensor_methods), named_methods, op_names[first & !startsWith(op_names, "_")]))
  sort(grep(pattern, members, value = TRUE))
}

#' Call any operator of LibTorch by name
#'
#' Every operator of LibTorch's registry has a function `torch_<operator>` in this package, also those that are not
#' exported. This calls one of them.
#'
#' @param name Name of the function, beginning with `torch_` or `linalg_`.
#' @param ... Its arguments.
#' @param quiet `FALSE` warns that functions that are not exported may change.
#' @return What the operator gives.
#' @examplesIf torch::torch_is_installed()
#' call_torch_function("torch_relu", torch_tensor(c(-1, 1)), quiet = TRUE)
#' @export
call_torch_function <- function(name, ..., quiet = FALSE) {
  if (!is_string(name) || !grepl("^(torch|linalg)_", name)) {
    value_error("`name` must be the name of a function that begins with \"torch_\".")
  }
  f <- get0(name, topenv(), mode = "function", inherits = FALSE)
  if (is.null(f)) {
    operator <- sub("^torch_", "", name)
    if (!cpp_has_operator(paste0("aten::", operator))) {
      value_error(sprintf("`name` must be the name of an operator: LibTorch has no `%s`.", operator))
    }
    f <- new_op_function(operator, registry_formals(operator, op_notes[[operator]]))
  }
  if (!quiet && !name %in% getNamespaceExports(topenv())) {
    rlang::warn(sprintf("`%s()` is not exported: its arguments follow LibTorch and may change with it.", name))
  }
  f(...)
}
