# Programs whose calls go n levels deep: each function calls the next, the last adds 1.

# As TorchScript text.
chain_of_functions <- function(n) {
  calls <- c(sprintf("f%d(x)", seq_len(n - 1) + 1), "x + 1")
  paste0("def f", seq_len(n), "(x):\n  return ", calls, "\n", collapse = "")
}
chain_of_methods <- function(n) {
  names <- c("forward", sprintf("m%d", seq_len(n - 1) + 1))
  calls <- c(sprintf("self.m%d(x)", seq_len(n - 1) + 1), "x + 1")
  paste0("def ", names, "(self, x):\n  return ", calls, "\n", collapse = "")
}

# As an archive. kind: the functions are methods of one class, methods `forward` of nested submodules, or functions.
chain_archive <- function(file, n, kind = c("methods", "submodules", "functions")) {
  kind <- match.arg(kind)
  small <- withr::local_tempfile()
  python_eval("
class M(torch.nn.Module):
    def forward(self, x):
        return x + 1
torch.jit.script(M()).save(file)
result = 0", file = small)
  files <- archive_files(small)
  at <- grep("code/__torch__.py$", names(files))
  code <- sub("\n+$", "\n", rawToChar(files[[at]]))
  last <- "torch.add(x, 1)"
  stopifnot(grepl(last, code, fixed = TRUE))
  k <- seq_len(n - 1)
  text <- switch(kind,
    methods = {
      calls <- c(sprintf("(self).m%d(x, )", k[-1]), last)
      methods <- paste0("  def m", k, "(self: __torch__.M,\n    x: Tensor) -> Tensor:\n    return ", calls, "\n", collapse = "")
      paste0(sub(last, "(self).m1(x, )", code, fixed = TRUE), methods)
    },
    functions = {
      calls <- c(sprintf("__torch__.f%d(x, )", k[-1]), last)
      functions <- paste0("def f", k, "(x: Tensor) -> Tensor:\n  return ", calls, "\n", collapse = "")
      paste0(sub(last, "__torch__.f1(x, )", code, fixed = TRUE), functions)
    },
    submodules = {
      # Without values of these types: a pickle that deep is refused by itself.
      field <- function(class) sprintf("  child : __torch__.%s\n", class)
      calls <- c(rep("(self.child).forward(x, )", n - 2), last)
      classes <- paste0(
        "class C", k, "(Module):\n  __parameters__ = []\n  __buffers__ = []\n", c(field(sprintf("C%d", k[-1])), ""),
        "  def forward(self: __torch__.C", k, ",\n    x: Tensor) -> Tensor:\n    return ", calls, "\n", collapse = ""
      )
      code <- sub("  def forward", paste0(field("C1"), "  def forward"), code, fixed = TRUE)
      paste0(sub(last, "(self.child).forward(x, )", code, fixed = TRUE), classes)
    }
  )
  files[[at]] <- charToRaw(text)
  write_archive(files, file)
}
