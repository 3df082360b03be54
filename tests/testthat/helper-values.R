# Random TorchScript types with values: in R, as Python writes them, and what is to come back to R.
some <- function(x) x[[sample.int(length(x), 1)]]

random_scalar <- function(type) {
  switch(type,
    int = {
      x <- some(list(0, 1, -1, 2^31, -2^40, 2^53, sample.int(1e6, 1)))
      list(r = if (abs(x) < 2^31 && runif(1) < 0.5) as.integer(x) else x, python = sprintf("%.0f", x), back = as.double(x))
    },
    float = {
      x <- some(list(0, -0.5, 1e300, 1e-300, Inf, -Inf, NaN, rnorm(1)))
      list(r = x, python = if (is.finite(x)) sprintf("%.17g", x * 1.0) else sprintf("float('%s')", tolower(x)), back = x)
    },
    bool = {
      x <- runif(1) < 0.5
      list(r = x, python = if (x) "True" else "False", back = x)
    },
    str = {
      x <- some(list("", "a", "\u00e9t\u00e9", "two words", paste(sample(letters, 30, TRUE), collapse = "")))
      list(r = x, python = encodeString(x, quote = "'"), back = x)
    }
  )
}

# list(type, draw): draw() gives a new value of the type.
random_type <- function(depth) {
  kinds <- c("int", "float", "bool", "str")
  if (depth > 0) kinds <- c(kinds, "List", "List", "Tuple", "Dict", "Optional")
  kind <- some(kinds)
  switch(kind,
    List = {
      of <- random_type(depth - 1)
      list(type = sprintf("List[%s]", of$type), draw = function() {
        items <- lapply(seq_len(sample(0:3, 1)), function(i) of$draw())
        back <- lapply(items, `[[`, "back")
        vector <- switch(of$type, int = , float = numeric(), bool = logical())
        if (!is.null(vector)) back <- c(vector, unlist(back))
        r <- lapply(items, `[[`, "r")
        as_vector <- of$type %in% c("int", "float", "bool", "str") && length(r) > 0 && runif(1) < 0.5
        list(r = if (as_vector) unlist(r) else r, python = sprintf("[%s]", python_items(items)), back = back)
      })
    },
    Tuple = {
      of <- lapply(seq_len(sample(1:3, 1)), function(i) random_type(depth - 1))
      type <- sprintf("Tuple[%s]", paste(vapply(of, `[[`, "", "type"), collapse = ", "))
      list(type = type, draw = function() {
        items <- lapply(of, function(one) one$draw())
        list(r = lapply(items, `[[`, "r"), python = sprintf("(%s,)", python_items(items)), back = lapply(items, `[[`, "back"))
      })
    },
    Dict = {
      key <- some(c("str", "str", "int", "float", "bool"))
      of <- random_type(depth - 1)
      list(type = sprintf("Dict[%s, %s]", key, of$type), draw = function() {
        keys <- switch(key,
          str = sample(c("a", "b", "key three"), sample(0:3, 1)),
          int = sample(c(-1, 0, 7, 2^40), sample(0:4, 1)),
          float = sample(c(0.5, -2, 1e10), sample(0:3, 1)),
          bool = sample(c(TRUE, FALSE), sample(0:2, 1))
        )
        items <- lapply(keys, function(k) of$draw())
        text <- switch(key,
          str = encodeString(keys, quote = "'"), int = sprintf("%.0f", keys), float = sprintf("float(%.17g)", keys),
          bool = ifelse(keys, "True", "False")
        )
        r <- lapply(items, `[[`, "r")
        back <- lapply(items, `[[`, "back")
        pairs <- paste0(text, rep(": ", length(text)), vapply(items, `[[`, "", "python"), collapse = ", ")
        list(
          r = if (key == "str") structure(r, names = keys) else jit_dict(keys, r), python = sprintf("{%s}", pairs),
          back = if (key == "str") structure(back, names = keys) else jit_dict(keys, back)
        )
      })
    },
    Optional = {
      of <- random_type(depth - 1)
      if (startsWith(of$type, "Optional")) return(of)
      list(type = sprintf("Optional[%s]", of$type), draw = function() {
        if (runif(1) < 0.4) list(r = NULL, python = "None", back = NULL) else of$draw()
      })
    },
    list(type = kind, draw = function() random_scalar(kind))
  )
}

python_items <- function(items) paste(vapply(items, `[[`, "", "python"), collapse = ", ")
