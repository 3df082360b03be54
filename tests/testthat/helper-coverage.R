# The coverage table: for each name that R users know, whether it is there, takes what they give, and is held against an
# oracle. fixtures/coverage.tsv has a line for each name that the oracle of the operators has no cases of: the test file
# that covers it or why it is left out. tools/coverage.R prints the table.

# Not tensors, but what is built on them.
other_families <- c(
  "data", "distributions", "jit", "lr_scheduler", "nn", "nn_init", "nn_utils", "nnf", "optim", "save/load"
)

known_formals <- function(text) as.list(formals(eval(parse(text = paste("function", text, "NULL")))))

# Names, order and defaults as users know them; a default list() is NULL here, and more arguments may follow. Unless `strict`, what
# users give may have a default.
formals_differ <- function(have, known, strict = TRUE) {
  value <- function(v) {
    if (is.symbol(v) && !nzchar(as.character(v))) return("missing")
    if (is.call(v)) v <- if (all(all.names(v) %in% c("c", "-", "list"))) eval(v) else deparse(v)
    if (identical(v, list()) || is.null(v)) "NULL" else paste(format(v), collapse = " ")
  }
  have <- have[names(have) != "..."]
  known <- known[names(known) != "..."]
  have <- have[seq_len(min(length(have), length(known)))]
  if (!identical(as.character(names(have)), as.character(names(known)))) return(TRUE)
  have <- vapply(have, value, "")
  known <- vapply(known, value, "")
  any(have != known & (strict | known != "missing"))
}

# Both tables as one: methods and fields begin with $.
coverage_names <- function(exports = fixture("exports.tsv"), members = fixture("tensor-methods.tsv")) {
  rbind(
    exports[c("name", "formals", "area")],
    data.frame(
      name = paste0("$", members$name), formals = members$formals,
      area = ifelse(members$kind == "method", "method", "field")
    )
  )
}

# Whether the test file has a test of the name, as far as its text tells.
test_mentions <- function(file, name) {
  path <- testthat::test_path(file)
  if (!file.exists(path)) return(FALSE)
  word <- gsub("([.%>$])", "\\\\\\1", if (startsWith(name, "$")) substring(name, 2) else name)
  pattern <- if (startsWith(name, "$")) paste0("[$]`?", word, "\\b") else paste0("(?<![[:alnum:]_.])", word, "(?![[:alnum:]_.])")
  any(grepl(pattern, readLines(path), perl = TRUE))
}

# One row a name: `verdict` is "works and agrees", "another family", "does not count", "left out" or "wrong"; `note` says
# why or how it is known. `oracle` is what oracle_compare() gives; without it, that there are cases is enough.
coverage_table <- function(known = coverage_names(), oracle = NULL) {
  by_hand <- fixture("coverage.tsv")
  cases <- if (is.null(oracle)) table(vapply(oracle_cases(), `[[`, "", "name")) else table(oracle$name)
  agreed <- table(oracle$name[oracle$agree])
  gave <- table(oracle$name[oracle$agree & oracle$how == "values"])
  count <- function(table, name) if (name %in% names(table)) table[[name]] else 0L
  exported <- getNamespaceExports("torch")
  row <- function(name, formals, area) {
    line <- by_hand[match(name, by_hand$name), ]
    given <- function(column) if (!is.na(line[[column]]) && line[[column]] != "-") line[[column]]
    answer <- function(verdict, note = "") {
      if (!is.null(given("formals"))) note <- paste0(note, "; other formals: ", given("formals"))
      data.frame(
        name = name, area = area, verdict = verdict, tried = count(cases, name), agree = count(agreed, name),
        values = count(gave, name), note = note
      )
    }
    if (area %in% other_families) return(answer("another family"))
    if (!is.null(given("uncounted"))) return(answer("does not count", given("uncounted")))
    if (!is.null(given("left_out"))) return(answer("left out", given("left_out")))
    is_member <- startsWith(name, "$")
    member <- if (is_member) find_member(substring(name, 2))
    if (if (is_member) is.null(member) else !name %in% exported) return(answer("wrong", "missing"))
    if (is_member && member[[1]] != (area == "field")) return(answer("wrong", "a method is a field or a field a method"))
    f <- if (is_member) member[[2]] else get(name, asNamespace("torch"))
    if (area != "field" && is.function(f) && is.null(given("formals")) && formals_differ(as.list(formals(f)), known_formals(formals))) {
      return(answer("wrong", paste0("has other formals than ", formals)))
    }
    test <- given("test")
    if (!is.null(test)) {
      return(if (test_mentions(test, name)) answer("works and agrees", test) else answer("wrong", paste(test, "does not name it")))
    }
    if (!count(cases, name)) return(answer("wrong", "has no case and no line in coverage.tsv"))
    if (!is.null(oracle)) {
      if (count(agreed, name) < count(cases, name)) {
        return(answer("wrong", oracle$difference[oracle$name == name & !oracle$agree][1]))
      }
      if (!count(gave, name)) return(answer("wrong", "no case gives values"))
    }
    answer("works and agrees", "oracle")
  }
  do.call(rbind, Map(row, known$name, known$formals, known$area))
}
