# The reference pages of the operators, made from the tables (inst/ops) and the words below: one a family, for which roxygen
# evaluates op_page() when the documentation is built, and one each for those in pages.dcf, made by tools/pages.R.

read_titles <- function() {
  utils::read.delim(op_file("titles.tsv"), comment.char = "#", quote = "", colClasses = "character")
}

# The operators with a page of their own, which tools/pages.R makes: a list of their fields each.
read_pages <- function() {
  lines <- grep("^#", readLines(op_file("pages.dcf")), invert = TRUE, value = TRUE)
  table <- read.dcf(textConnection(lines), keep.white = "Example")
  lapply(seq_len(nrow(table)), function(i) {
    fields <- table[i, !is.na(table[i, ])]
    example <- names(fields) == "Example"
    fields[example] <- gsub("\n ", "\n", fields[example])
    fields[!example] <- gsub("\n", " ", fields[!example])
    as.list(fields)
  })
}

# The meaning of arguments by their names, which is the same on all pages.
argument_words <- c(
  self = "A tensor; an R vector or array will do.", other = "A tensor or a number.", A = "A tensor of matrices: the last two dimensions.",
  B = "The right side, a tensor.", dim = "A dimension, or several where the operator takes them; without it all.",
  dims = "Dimensions.", dim0 = "One dimension.", dim1 = "The first dimension.", dim2 = "The second dimension.",
  keepdim = "Whether the dimensions that are reduced stay, with size 1.", dtype = "A [torch_dtype] or its name, of the result.",
  alpha = "A number by which the second operand is multiplied.", beta = "A number by which `self` is multiplied.",
  value = "A number.", values = "A tensor of values.", min = "Lower bound.", max = "Upper bound.",
  generator = "A [torch_generator()]; `NULL` is the default one.", tensors = "A list of tensors.", matrices = "A list of matrices.",
  index = "An int64 tensor of positions from 1.", indices = "Positions from 1: an int64 tensor, or a list of tensors.",
  mask = "A bool tensor.", weight = "A tensor of weights, or a number.", weights = "A tensor of weights.", bias = "A tensor, or `NULL` for none.",
  stride = "Distance of neighbouring windows, or strides of the result.", padding = "Zeros around the input, or \"same\" or \"valid\".",
  dilation = "Distance of neighbouring elements within a window.", groups = "Number of groups of channels.",
  kernel_size = "Width of the windows.", output_size = "Size of the result.", output_padding = "Added to one side of the result.",
  input = "A tensor.", p = "Which norm, or a probability or dimension where the text says so.", n = "A whole number.", k = "A whole number.",
  q = "Probabilities.", unbiased = "Whether to divide by n - 1.", correction = "What is taken from n in the divisor.",
  rounding_mode = "`NULL`, `\"trunc\"` or `\"floor\"`.", exponent = "A tensor or a number.", descending = "Whether to sort downwards.",
  stable = "Whether equal elements keep their order.", largest = "Whether the largest are wanted, else the smallest.",
  sorted = "Whether the result is sorted.", upper = "Whether the upper triangle is meant; for `torch_rrelu_()` a bound.",
  rtol = "Relative tolerance.", atol = "Absolute tolerance.", tol = "Tolerance.", equal_nan = "Whether NaN equals NaN.",
  shape = "Sizes.", size = "Sizes.", split_size = "Size of the pieces, or a vector of sizes.", chunks = "Number of pieces.",
  start = "First position, from 1.", length = "Number of positions, or of samples.", start_dim = "First dimension to merge.",
  end_dim = "Last dimension to merge.", source = "Dimensions to move.", destination = "Where they go.", repeats = "How often.",
  shifts = "By how much.", offset = "Which diagonal: 0 the main one, positive above it.",
  diagonal = "Which diagonal: 0 the main one, positive above it.", norm = "`\"backward\"`, `\"forward\"` or `\"ortho\"`: where to divide.",
  ord = "Which norm: a number, `Inf`, `\"fro\"` or `\"nuc\"`.", memory_format = "A memory format.", num_samples = "How many to draw.",
  replacement = "Whether an element may be drawn again.", bins = "Number of bins.", minlength = "Least length of the result.",
  boundaries = "A sorted vector.", sorted_sequence = "A tensor, sorted along its last dimension.",
  right = "Whether equal elements count as below.", side = "`\"left\"` or `\"right\"`, as `right`.", sorter = "Positions that sort `sorted_sequence`, as [torch_argsort()] gives them.",
  interpolation = "`\"linear\"`, `\"lower\"`, `\"higher\"`, `\"midpoint\"` or `\"nearest\"`.", tensor1 = "A tensor.", tensor2 = "A tensor.",
  driver = "LAPACK's routine, by name.", out_dtype = "The dtype in which to accumulate.", equation = "Letters of the dimensions, as `\"ij,jk->ik\"`.",
  path = "Order of the products.", accumulate = "Whether to add to what is there.", eps = "A small number.", scale = "A number.",
  zero_point = "The integer that stands for 0.", axis = "The dimension of the channels.", check_errors = "Whether a failure is an error.",
  hermitian = "Whether the matrices are symmetric or Hermitian.", full_matrices = "Whether U and V are square.", ... = "Must be empty: what follows goes by name."
)

# Roxygen text of a family's page.
op_page <- function(family) {
  env <- topenv()
  table <- read_titles()
  table <- table[table$family == family, ]
  names <- vapply(table$operator, op_function_name, "", USE.NAMES = FALSE)
  # Operators with a page of their own are linked.
  own <- names %in% vapply(read_pages(), `[[`, "", "Page")
  # Markdown takes `[name()]: word` for the definition of a link, and shows nothing.
  listed <- ifelse(own, sprintf("[`%s()`][%s]", names, names), sprintf("`%s()`", names))
  functions <- mget(names[!own], env)
  usage <- Map(function(name, f) strwrap(paste0(name, formals_text(f)), 88, exdent = 2), names[!own], functions)
  arguments <- unique(unlist(lapply(functions, function(f) names(formals(f)))))
  known <- arguments[arguments %in% names(argument_words)]
  rest <- setdiff(arguments, known)
  schemas <- readLines(op_file("aten.txt"))
  c(
    if (!all(own)) c(paste("@aliases", paste(names[!own], collapse = " ")), "@usage"),
    gsub("%", "\\\\%", unlist(usage, use.names = FALSE)),
    sprintf("@param %s %s", gsub("...", "\\dots", known, fixed = TRUE), argument_words[known]),
    if (length(rest)) sprintf("@param %s As the schema below has them.", paste(rest, collapse = ",")),
    "@section Functions:", "",
    sprintf("* %s: %s.%s", listed, table$title, vapply(table$operator, counting_words, "")), "",
    "@section Source:", "LibTorch's operators, as its registry lists them:", "",
    "\\preformatted{", gsub("([%{}\\\\])", "\\\\\\1", schemas_of(table$operator, schemas)), "}"
  )
}

# A sentence that tells which arguments and results of an operator count from 1.
counting_words <- function(operator) {
  note <- op_notes[[operator]]
  formals <- names(formals(op_function(operator)))
  renamed <- function(x) ifelse(x %in% names(note_renames(note)), note_renames(note)[x], x)
  arguments <- intersect(formals, renamed(c(op_positions(note), op_index(note))))
  results <- note_fields(note$results)
  what <- c(
    if (length(arguments)) paste0("`", arguments, "`"),
    if (length(results)) if (any(results != "1")) paste("result", results) else "the result"
  )
  if (length(what)) paste0(" From 1: ", paste(what, collapse = ", "), ".") else ""
}

# The schemas of these operators, without the overloads that write into a tensor given as `out`.
schemas_of <- function(operators, schemas) {
  own <- sub("^aten::([^.(]+).*$", "\\1", schemas)
  unlist(lapply(operators, function(operator) {
    text <- schemas[own == operator]
    inside <- grepl("!\\)", sub("^.*[(, ]\\*, ", "", text)) & grepl("[(, ]\\*, ", text)
    out <- if (all(inside)) text else text[!inside]
    strwrap(sub("^aten::", "", out), width = 88, exdent = 4)
  }))
}

formals_text <- function(f) {
  formals <- as.list(formals(f))
  text <- vapply(seq_along(formals), function(i) {
    name <- names(formals)[i]
    if (is.symbol(formals[[i]]) && !nzchar(as.character(formals[[i]]))) return(name)
    paste0(name, " = ", paste(deparse(formals[[i]]), collapse = ""))
  }, "")
  paste0("(", paste(text, collapse = ", "), ")")
}

#' Operators of LibTorch
#'
#' Each function `torch_*()` or `linalg_*()` calls the operator of its name in LibTorch's registry; `x$operator(...)` is
#' the same as a method. They are on pages of their own by family: [pointwise][torch_pointwise],
#' [comparison][torch_comparison], [reductions][torch_reductions], [shapes and joining][torch_shapes],
#' [indexing][torch_indexing], [sorting and searching][torch_sorting], [linear algebra][torch_linear_algebra],
#' [Fourier transforms][torch_fft], [layers][torch_layers], [random numbers][torch_random_operators],
#' [dtypes and quantization][torch_dtype_operators]. Those that are used most have a page each. Functions that make tensors are with [torch_zeros()],
#' [torch_arange()], [torch_tensor()] and [torch_hann_window()].
#'
#' @section Arguments:
#' A tensor may be given as an R vector or array, which is read as [torch_tensor()] reads it; a single number is a number
#' to type promotion. Dimensions and positions count from 1, negative ones from the end, 0 is an error. An argument that
#' is not given takes LibTorch's default. Of several forms of an operator the one that fits the arguments best is called.
#'
#' @section Counting:
#' Positions count from 1 wherever they go in or come out, so that a result of one operator is an index for another.
#' Numbers that tell how many elements lie before something are counts, which begin with 0: `offset`, `diagonal`,
#' `storage_offset`, the `start` and `end` of `$slice()`, the cuts of `torch_tensor_split()`, `offsets` of embedding
#' bags, `crow_indices` of sparse matrices, and the results of `torch_searchsorted()` and `torch_bucketize()`, as
#' those of base R's `findInterval()`. The values of `torch_randperm()` and the labels of `nnf_ctc_loss()`, whose
#' blank is 0, begin with 0 too.
#'
#' The package named torch on CRAN counts as LibTorch does, from 0, in the positions that these give: `torch_cummax()`,
#' `torch_cummin()`, `torch_kthvalue()`, `torch_median(dim =)`, `$nanmedian(dim =)`, `torch_mode()`, `$argwhere()`,
#' `torch_unique_consecutive()` and its like (inverse indices), adaptive and fractional max
#' pooling, `torch_repeat_interleave()` of counts alone, `$col_indices()` and `$row_indices()`; and in the positions
#' that these take: `sorter` of `torch_searchsorted()`, `torch_embedding_bag()`, `torch_embedding_renorm_()`,
#' sparse matrices in compressed form, and derivatives that are operators of their own, such as
#' `torch_nll_loss_backward()`. Code written for it that adds 1 to one of these has to leave that out. Other differences:
#' `%/%` and `%%` round down, as they do for R's numbers, where it rounds towards zero.
#'
#' @section Errors:
#' If no form fits, a `type_error` lists them as R writes them. What LibTorch itself refuses (shapes that do not match, a
#' dimension that is not there) is a `torch_runtime_error` with its message, in which positions count from 1. An operator
#' that the LibTorch at hand lacks is a `not_implemented_error`. LibTorch's warnings are R warnings of class
#' `torch_warning`.
#'
#' @section Other operators:
#' All operators of the registry are methods of tensors, and functions for [call_torch_function()]; [jit_ops] has them
#' with the arguments that LibTorch gives them.
#'
#' @examplesIf torch::torch_is_installed()
#' x <- torch_tensor(matrix(1:6, 2), dtype = "float")
#' torch_sum(x, dim = 1)
#' x$softmax(dim = 2)
#' jit_ops$aten$sum
#' @name torch_operators
NULL

#' Operators on elements
#'
#' Each element of the result depends on one element of each argument. Arguments of different shapes are broadcast:
#' shapes are aligned at their last dimension, and a dimension of size 1 is as long as it must be. Arguments of different
#' dtypes are promoted; functions without whole results make floating-point numbers of integers. A name that ends in `_`
#' changes its argument.
#'
#' @eval op_page("pointwise")
#' @return A tensor of the broadcast shape.
#' @examplesIf torch::torch_is_installed()
#' x <- torch_tensor(c(-1.5, 0, 2))
#' torch_relu(x)
#' torch_pow(x, 2)
#' torch_clamp(x, min = -1, max = 1)
#' torch_div(7L, torch_tensor(2L), rounding_mode = "floor")
#' torch_add(torch_ones(2, 1), torch_ones(3))
#' @name torch_pointwise
NULL

#' Comparisons
#'
#' Element by element, with broadcasting, except where the text says that the answer is TRUE or FALSE.
#'
#' @eval op_page("comparison")
#' @return A bool tensor, an R logical, or for `torch_maximum()` and `torch_minimum()` a tensor of the promoted dtype.
#' @examplesIf torch::torch_is_installed()
#' x <- torch_tensor(c(1, 2, NaN))
#' torch_eq(x, 2)
#' torch_isnan(x)
#' torch_allclose(torch_tensor(1), torch_tensor(1 + 1e-9))
#' @name torch_comparison
NULL

#' Reductions
#'
#' From many elements to one, or from the elements along some dimensions to one each. Sums and products of integers and
#' logicals are int64, means want floating-point numbers. What runs along a dimension (`cumsum` and the like) keeps the
#' shape.
#'
#' @eval op_page("reductions")
#' @return A tensor, or a list of a tensor of values and a tensor of positions.
#' @examplesIf torch::torch_is_installed()
#' x <- torch_tensor(matrix(c(3, 1, 2, 6, 5, 4), 2))
#' torch_mean(x)
#' torch_sum(x, dim = 2, keepdim = TRUE)
#' torch_max(x, dim = 1)
#' torch_argmax(x)
#' torch_std(x, dim = c(1, 2))
#' @name torch_reductions
NULL

#' Shapes and joining
#'
#' Views share the memory of the tensor they come from: a change of one is a change of the other.
#'
#' @eval op_page("shapes")
#' @return A tensor, or a list of tensors.
#' @examplesIf torch::torch_is_installed()
#' x <- torch_arange(1, 6)
#' torch_reshape(x, c(2, -1))
#' torch_cat(list(x, x))
#' torch_stack(list(x, x), dim = 2)
#' torch_split(x, c(2, 4))
#' torch_transpose(torch_ones(2, 3), 1, 2)$shape
#' @name torch_shapes
NULL

#' Indexing by functions
#'
#' Beside `x[...]`. Tensors of positions are int64 and count from 1, negative ones from the end.
#'
#' @eval op_page("indexing")
#' @return A tensor.
#' @examplesIf torch::torch_is_installed()
#' x <- torch_tensor(matrix(1:6, 2))
#' torch_index_select(x, 2, torch_tensor(c(3L, 1L)))
#' torch_gather(x, 2, torch_tensor(matrix(c(2L, 3L))))
#' torch_index(x, list(torch_tensor(1:2), torch_tensor(2:3)))
#' torch_diag(x[, 1:2])
#' @name torch_indexing
NULL

#' Sorting and searching
#'
#' Positions that a search finds in a sequence (`torch_searchsorted()`, `torch_bucketize()`) are counts of what lies
#' before, so they begin with 0.
#'
#' @eval op_page("sorting")
#' @return A tensor, or a list of a tensor of values and a tensor of positions.
#' @examplesIf torch::torch_is_installed()
#' x <- torch_tensor(c(3, 1, 2))
#' torch_sort(x)
#' torch_topk(x, 2)
#' torch_searchsorted(torch_tensor(c(1, 3, 5)), torch_tensor(c(2, 6)))
#' @name torch_sorting
NULL

#' Linear algebra
#'
#' Matrices are the last two dimensions of a tensor; the dimensions before are a batch, and each of its matrices is
#' treated alone. Decompositions want floating-point or complex numbers.
#'
#' @eval op_page("linear algebra")
#' @return A tensor, or a list of tensors; named for `linalg_lstsq()` (solution, residuals, rank, singular_values),
#'   `linalg_cholesky_ex()` (L, info) and `linalg_inv_ex()` (inverse, info).
#' @examplesIf torch::torch_is_installed()
#' A <- torch_tensor(matrix(c(4, 1, 2, 3), 2))
#' torch_matmul(A, A)
#' linalg_solve(A, torch_tensor(c(1, 2)))
#' linalg_svdvals(A)
#' torch_einsum("ij,jk->ik", list(A, A))
#' @name torch_linear_algebra
NULL

#' Fourier transforms
#'
#' `torch_fft_fft(x)` holds the sums of `x[k] exp(-2 pi i j k / n)` over k, for j = 0, 1, ... With `norm = "ortho"` they
#' are divided by sqrt(n), with `"forward"` by n; the inverse divides by what is left of n.
#'
#' @eval op_page("fft")
#' @return A complex tensor, real for `torch_fft_irfft()` and `torch_istft()`.
#' @examplesIf torch::torch_is_installed()
#' torch_fft_fft(torch_tensor(c(1, 2, 3, 4)))
#' torch_fft_irfft(torch_fft_rfft(torch_tensor(c(1, 2, 3, 4))))
#' @name torch_fft
NULL

#' Layers as operators
#'
#' What `nnf_*()` and `nn_*()` are made of, with LibTorch's own arguments.
#'
#' @eval op_page("layers")
#' @return A tensor.
#' @examplesIf torch::torch_is_installed()
#' torch_conv1d(torch_ones(1, 1, 5), torch_ones(1, 1, 3))
#' torch_cosine_similarity(torch_ones(2, 3), torch_ones(2, 3))
#' @name torch_layers
NULL

#' Operators that draw random numbers
#'
#' From LibTorch's own generator: see [torch_manual_seed()].
#'
#' @eval op_page("random")
#' @return A tensor.
#' @examplesIf torch::torch_is_installed()
#' torch_manual_seed(1)
#' torch_bernoulli(torch_tensor(c(0.1, 0.9)))
#' torch_multinomial(torch_tensor(c(1, 2, 7)), 2)
#' @name torch_random_operators
NULL

#' Dtypes, complex and quantized numbers
#'
#' @eval op_page("dtypes")
#' @return A tensor, a [torch_dtype], or a logical.
#' @examplesIf torch::torch_is_installed()
#' torch_promote_types("int", "half")
#' torch_result_type(torch_tensor(1L), 1.5)
#' torch_complex(torch_tensor(c(1, 2)), torch_tensor(c(0, -1)))
#' @name torch_dtype_operators
NULL
