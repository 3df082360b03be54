# Programs that several tests of TorchScript use.
unit_of_many <- function() {
  jit_compile("
    def scale(x, k: int = 2, name: str = 'p'):
      return x * k
    def or_minus_one(x: Optional[int] = None) -> int:
      if x is None:
        return -1
      return x
    def parts(x: List[int], d: Dict[str, float], t: Tuple[int, str]) -> Tuple[int, float, str]:
      return (x[0] + len(x), d['k'], t[1])
    def thrice(x):
      return scale(x, 3)
  ")
}

small_net <- nn_module(
  "small_net",
  initialize = function() {
    self$one <- nn_linear(3, 4)
    self$norm <- nn_batch_norm1d(4)
    self$two <- nn_linear(4, 1)
  },
  forward = function(x) self$two(nnf_relu(self$norm(self$one(x))))
)

saved_net <- function(net = small_net(), env = parent.frame()) {
  file <- withr::local_tempfile(fileext = ".pt", .local_envir = env)
  jit_save(jit_trace(net, torch_randn(5, 3)), file)
  file
}

# The lines of a plan without the names of its values, sorted. In which order a kernel takes its sizes LibTorch leaves to
# chance, and with it their names and those of what follows.
plan_lines <- function(text) sort(gsub("%[[:alnum:]_.]+|-[0-9]+", "%", strsplit(text, "\n")[[1]]))

# The operators of PyTorch in the graph of a program, in the order in which it holds them.
graph_operators <- function(f) {
  text <- as.character(f$graph)
  regmatches(text, gregexpr("aten::\\w+", text))[[1]]
}

# The function of a blog post whose graph tests look at.
blog_function <- function(x) {
  a <- 7
  b <- 11
  c <- 2
  d <- a + b + c
  e <- a + b + c + 25
  x + d
}
