# Names for members, methods and arguments: Python's words, names that files give a meaning, and what is no identifier.

python_words <- c(
  "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif",
  "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not", "or",
  "pass", "raise", "return", "try", "while", "with", "yield"
)

odd_names <- c(
  python_words, "torch", "trainforward", "evalforward", "__annotations__", "__parameters__", "__buffers__", "__init__",
  "__getstate__", "__torch__", "ops", "aten", "fork", "inf", "nan", "CONSTANTS", "attribute", "uninitialized", "unchecked_cast",
  "annotate", "isinstance", "print", "int", "float", "bool", "str", "getattr", "_", "_r_names", "Tensor", "List", "len",
  "fc.1", ".hidden", "a b", "1", "0x", "x", "x_", "x.", "or_", "a-b", "a\"b", "a'b", "a\\b", "new\nline", "tab\there", "#", "(x)", "%x",
  "\u00e9t\u00e9", "\u65e5\u672c", "\U1F600", "layer", "weight2"
)
