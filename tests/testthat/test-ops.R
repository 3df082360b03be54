test_that("every argument that counts from 1 for R users does", {
  skip_if_no_torch()
  known <- utils::read.delim(test_path("fixtures/index-arguments.tsv"), quote = "", colClasses = "character")
  counts <- function(operator, argument, kind) {
    # Written by hand.
    if (operator == "stride") return(TRUE)
    facts <- torch:::op_facts(operator)
    argument %in% if (startsWith(kind, "index")) facts$index else facts$positions
  }
  wrong <- !unlist(Map(counts, known$name, known$argument, known$kind))
  expect_identical(known[wrong, c("name", "argument")], known[0, c("name", "argument")])
})

test_that("the arguments decide on the overload", {
  skip_if_no_torch()
  m <- matrix(c(3, 1, 2, 6, 5, 4), 2)
  x <- torch_tensor(m)
  expect_identical(torch_sum(x)$item(), sum(m))
  expect_identical(as_array(torch_sum(x, 1)), colSums(m))
  expect_identical(as_array(torch_sum(x, dim = c(1, 2))), sum(m))
  expect_identical(torch_max(x)$item(), 6)
  expect_length(torch_max(x, dim = 1), 2)
  expect_identical(as_array(torch_max(x, other = torch_tensor(m[, 3:1]))), pmax(m, m[, 3:1]))
  expect_identical(as_array(torch_add(x, 1)), m + 1)
  expect_identical(as_array(torch_add(x, x, alpha = 2)), 3 * m)
  expect_identical(as_array(torch_pow(x, 2)), m^2)
  expect_identical(as_array(torch_pow(2, x)), 2^m)
  expect_identical(as_array(torch_pow(x, x)), m^m)
  expect_identical(as_array(torch_clamp(x, 2, 4)), pmin(pmax(m, 2), 4))
  expect_identical(as_array(torch_clamp(x, max = 4)), pmin(m, 4))
  expect_identical(as_array(torch_clamp(x, min = torch_tensor(c(2, 3, 5)))), sapply(1:3, \(j) pmax(m[, j], c(2, 3, 5)[j])))
  expect_identical(as_array(torch_where(x > 2, x, 0)), ifelse(m > 2, m, 0))
  expect_identical(as_array(torch_where(x > 2, 1, -1)), ifelse(m > 2, 1, -1))
  expect_identical(dim(torch_squeeze(torch_zeros(1, 2, 1))), 2L)
  expect_identical(dim(torch_squeeze(torch_zeros(1, 2, 1), 1)), c(2L, 1L))
  if (numeric_version(libtorch_find()$version) >= "2.0") {
    expect_identical(dim(torch_squeeze(torch_zeros(1, 2, 1), c(1, 3))), 2L)
  }
  expect_identical(lengths(lapply(torch_split(torch_arange(1, 7), 3), as_array)), c(3L, 3L, 1L))
  expect_identical(lengths(lapply(torch_split(torch_arange(1, 7), c(2, 5)), as_array)), c(2L, 5L))
  expect_identical(as_array(torch_div(x, 2, rounding_mode = "floor")), m %/% 2)
  expect_error(torch_sum(x, nothing = 1), "unused argument")
  expect_error(torch_sum(x, dim = "a"), "`dim` must be NULL or a vector of whole numbers, not the character", class = "type_error")
})

test_that("R vectors stand for tensors where a tensor is due", {
  skip_if_no_torch()
  expect_identical(as_array(torch_relu(c(-1, 2))), c(0, 2))
  expect_identical(as_array(torch_cat(list(c(1, 2), torch_tensor(3)))), c(1, 2, 3))
  expect_identical(as_array(torch_cat(torch_tensor(c(1, 2)))), c(1, 2))
  expect_identical(as_array(torch_matmul(diag(2), matrix(c(1, 2, 3, 4), 2))), matrix(c(1, 2, 3, 4), 2))
})

test_that("the ranking of all overloaded operators", {
  skip_if_no_torch()
  skip_if(torch:::libtorch_find()$version != "2.13.0", "The ranking is recorded for LibTorch 2.13.0")
  schemas <- torch:::read_schemas(readLines(torch:::op_file("aten.txt")))
  unsafe <- vapply(torch:::op_notes, function(note) identical(note$unsafe, "yes"), NA)
  overloaded <- setdiff(names(which(table(schemas$operator) > 1)), names(unsafe)[unsafe])
  rank <- function(key) {
    overloads <- torch:::read_schemas(torch:::cpp_op_ranking(key))$overload
    if (length(overloads) > 1) paste0(key, ": ", paste(ifelse(nzchar(overloads), overloads, "-"), collapse = " "))
  }
  expect_snapshot(writeLines(unlist(lapply(c(overloaded, names(torch:::r_operators)), rank))))
})

test_that("the table is the registry of LibTorch", {
  skip_if_no_torch()
  table <- readLines(torch:::op_file("aten.txt"))
  if (torch:::libtorch_find()$version == "2.13.0") {
    live <- grep("^aten::", torch:::operator_schemas("dispatcher"), value = TRUE)
    expect_identical(setdiff(live, table), character())
    expect_identical(setdiff(table, live), character())
    expect_identical(anyDuplicated(table), 0L)
  }
  problems <- character()
  for (name in torch:::op_names) {
    message <- tryCatch({
      stopifnot(length(torch:::cpp_op_ranking(name)) > 0)
      ""
    }, error = conditionMessage)
    if (nzchar(message) && !grepl("not in LibTorch|needs LibTorch|does not check its arguments", message)) problems <- c(problems, paste(name, message))
  }
  expect_identical(problems, character())
})

test_that("every name of the export list is there", {
  names <- readLines(torch:::op_file("exports.txt"))
  expect_identical(setdiff(names, getNamespaceExports("torch")), character())
})

test_that("the notes name operators and arguments that exist", {
  notes <- do.call(rbind, torch:::op_notes)
  expect_identical(setdiff(notes$operator, torch:::op_names), character())
  schemas <- torch:::read_schemas(readLines(torch:::op_file("aten.txt")))
  wrong <- character()
  for (i in seq_len(nrow(notes))) {
    rows <- schemas[schemas$operator == notes$operator[i], ]
    known <- unique(unlist(lapply(rows$arguments, function(a) torch:::parse_arguments(a)$name)))
    used <- unlist(lapply(notes[i, c("positions", "counts", "index")], torch:::note_fields))
    used <- c(used, names(torch:::note_renames(notes[i, ])))
    bad <- setdiff(used, known)
    if (length(bad)) wrong <- c(wrong, paste(notes$operator[i], bad))
  }
  expect_identical(wrong, character())
})

# One call for each kind of argument and result that the registry has.
test_that("every type of the registry is converted", {
  skip_if_no_torch()
  x <- torch_tensor(matrix(c(1, 2, 3, 4), 2))
  v <- torch_tensor(c(3, 1, 2))
  image <- torch_ones(1, 1, 4, 4)
  call <- function(name, ...) call_torch_function(name, ..., quiet = TRUE)
  arguments <- list(
    "Tensor" = \() expect_identical(as_array(torch_neg(v)), c(-3, -1, -2)),
    "Tensor?" = \() expect_identical(as_array(torch_bincount(torch_tensor(c(1L, 2L, 2L)), weights = c(5, 1, 2))), c(5, 3)),
    "Tensor[]" = \() expect_identical(as_array(torch_cat(list(v, v))), c(3, 1, 2, 3, 1, 2)),
    "Tensor?[]" = \() expect_identical(as_array(torch_index(x, list(NULL, torch_tensor(2L)))), matrix(c(3, 4))),
    "Scalar" = \() expect_identical(as_array(torch_full(2, 7L)), c(7L, 7L)),
    "Scalar?" = \() expect_identical(as_array(torch_clamp(v, min = NULL, max = 2)), c(2, 1, 2)),
    "Scalar[]" = \() expect_identical(lapply(call("torch__foreach_add", list(v, v), scalars = c(1, 2)), as_array), list(c(4, 2, 3), c(5, 3, 4))),
    "int" = \() expect_identical(as_array(torch_diag_embed(v, 0L, -2L, -1L)), diag(c(3, 1, 2))),
    "int?" = \() expect_identical(as_array(torch_diff(v, n = 1, dim = 1, prepend = NULL)), c(-2, 1)),
    "int[]" = \() expect_identical(as_array(torch_permute(x, c(2, 1))), matrix(c(1, 3, 2, 4), 2)),
    "int[]?" = \() expect_equal(as_array(torch_fft_fftn(v$to(dtype = "double"), dim = 1)), fft(c(3, 1, 2))),
    "int[1]" = \() expect_identical(as_array(torch_flip(v, 1)), c(2, 1, 3)),
    "int[1]?" = \() expect_identical(as_array(torch_sum(x, dim = NULL)), 10),
    "int[2]" = \() expect_identical(as_array(torch_avg_pool2d(image, 2)), array(1, c(1, 1, 2, 2))),
    "int[2]?" = \() expect_identical(as_array(call("torch__test_optional_filled_intlist", torch_tensor(c(1L, 2L), dtype = "int"), 5L)), c(6L, 7L)),
    "int[3]" = \() expect_identical(dim(torch_avg_pool3d(torch_ones(1, 1, 2, 2, 2), c(2, 1, 2))), c(1L, 1L, 1L, 2L, 1L)),
    "SymInt" = \() expect_identical(as_array(torch_select(x, 1, 2)), c(2, 4)),
    "SymInt?" = \() expect_identical(as_array(torch_repeat_interleave(v, 2L)), c(3, 3, 1, 1, 2, 2)),
    "SymInt[]" = \() expect_identical(dim(torch_reshape(x, c(4, -1))), c(4L, 1L)),
    "SymInt[]?" = \() expect_identical(dim(torch_fft_fft2(x, s = c(3, 3))), c(3L, 3L)),
    "SymInt[1]" = \() expect_identical(as_array(torch_roll(v, 1, 1)), c(2, 3, 1)),
    "SymInt[1]?" = \() expect_identical(dim(call("torch_fft_fftn", x, s = 4, dim = 2)), c(2L, 4L)),
    "SymInt[2]" = \() expect_identical(dim(torch_conv2d(image, image[, , 1:2, 1:2], stride = 2)), c(1L, 1L, 2L, 2L)),
    "SymInt[3]" = \() expect_identical(dim(torch_conv3d(torch_ones(1, 1, 3, 3, 3), torch_ones(1, 1, 2, 2, 2))), c(1L, 1L, 2L, 2L, 2L)),
    "SymInt[4]" = \() expect_identical(dim(call("torch_reflection_pad2d", image, c(1, 1, 2, 2))), c(1L, 1L, 8L, 6L)),
    "SymInt[6]" = \() expect_identical(dim(call("torch_replication_pad3d", torch_ones(1, 1, 2, 2, 2), 1:6)), c(1L, 1L, 13L, 9L, 5L)),
    "float" = \() expect_identical(as_array(torch_isclose(v, v + 0.5, atol = 1)), c(TRUE, TRUE, TRUE)),
    "float?" = \() expect_equal(as_array(torch_logit(torch_tensor(0), eps = 0.25)), log(0.25 / 0.75), tolerance = 1e-6),
    "float[]?" = \() expect_identical(dim(call("torch_upsample_nearest2d", input = image, output_size = NULL, scale_factors = c(2, 1))), c(1L, 1L, 8L, 4L)),
    "bool" = \() expect_identical(as_array(torch_sum(x, 1, keepdim = TRUE)), matrix(c(3, 7), 1)),
    "bool?" = \() expect_identical(as_array(torch_sort(v, stable = TRUE)[[1]]), c(1, 2, 3)),
    "bool[3]" = \() expect_length(call("torch_native_layer_norm_backward", x, x, 2, torch_zeros(2, 1), torch_ones(2, 1), torch_ones(2), torch_ones(2), c(TRUE, TRUE, FALSE)), 3),
    "str" = \() expect_identical(as_array(torch_einsum("ij->i", list(x))), c(4, 6)),
    "str?" = \() expect_identical(as_array(torch_div(v, 2, rounding_mode = "trunc")), c(1, 0, 1)),
    "Device?" = \() expect_identical(torch_zeros(1, device = "meta")$device$type, "meta"),
    "Layout?" = \() expect_true(torch_zeros(2, layout = torch_sparse_coo())$is_sparse()),
    "ScalarType" = \() expect_identical(as.character(call("torch_promote_types", torch_half(), "bfloat16")), "Float"),
    "ScalarType?" = \() expect_true(torch_sum(x, dtype = "double")$dtype == torch_double()),
    "MemoryFormat" = \() expect_equal(torch_zeros(1, 2, 3, 4)$contiguous(memory_format = torch_channels_last_format())$stride(), c(24, 1, 8, 2)),
    "MemoryFormat?" = \() expect_equal(torch_clone(torch_zeros(1, 2, 3, 4), memory_format = torch_channels_last_format())$stride(), c(24, 1, 8, 2)),
    "Generator?" = \() {
      draw <- function() {
        g <- torch_generator()
        g$set_current_seed(5)
        as_array(torch_bernoulli(torch_full(50, 0.5), generator = g))
      }
      expect_identical(draw(), draw())
    }
  )
  results <- list(
    "Tensor" = \() expect_s3_class(torch_neg(v), "torch_tensor"),
    "(Tensor, Tensor)" = \() expect_identical(lapply(torch_sort(v), as_array), list(c(1, 2, 3), c(2L, 3L, 1L))),
    "(Tensor, Tensor, Tensor)" = \() expect_identical(lengths(lapply(torch_unique_consecutive(torch_tensor(c(1, 1, 2)), return_inverse = TRUE, return_counts = TRUE), as_array)), c(2L, 3L, 2L)),
    "Tensor[]" = \() expect_identical(lapply(torch_unbind(x), as_array), list(c(1, 3), c(2, 4))),
    "bool" = \() expect_identical(torch_equal(x, x), TRUE),
    "int" = \() expect_identical(call("torch_dim", x), 2),
    "Scalar" = \() expect_identical(call("torch_item", torch_tensor(4)), 4),
    "ScalarType" = \() expect_true(torch_result_type(x, torch_tensor(1, dtype = "double")) == torch_double()),
    "()" = \() expect_null(call("torch__foreach_add_", list(x), scalar = 1))
  )
  for (type in names(arguments)) arguments[[type]]()
  for (type in names(results)) results[[type]]()

  # What is left has no value in R, or no operator on this machine takes it.
  elsewhere <- c(
    "Layout", "Stream", "Storage", "Device", "__torch__.torch.classes.rnn.CellParamsBase[]", "bool[2]", "bool[4]",
    "SymInt[5]"
  )
  schemas <- torch:::read_schemas(readLines(torch:::op_file("aten.txt")))
  types <- unlist(lapply(schemas$arguments, function(text) torch:::parse_arguments(text)$type))
  types <- unique(gsub("\\([a-z]!?( -> \\*)?(\\|[a-z])*!?\\)", "", types))
  expect_identical(setdiff(types, c(names(arguments), elsewhere)), character())
})

test_that("dimensions count from 1, in arguments and from the end", {
  skip_if_no_torch()
  a <- array(as.double(1:24), c(2, 3, 4))
  x <- torch_tensor(a)
  for (d in 1:3) {
    expect_identical(as_array(torch_sum(x, dim = d)), apply(a, (1:3)[-d], sum), info = d)
    expect_identical(as_array(torch_sum(x, dim = d - 4)), apply(a, (1:3)[-d], sum), info = d)
  }
  expect_identical(as_array(torch_sum(x, dim = c(1, 3))), apply(a, 2, sum))
  expect_identical(as_array(torch_permute(x, c(3, 1, 2))), aperm(a, c(3, 1, 2)))
  expect_identical(as_array(torch_transpose(x, 1, 3)), aperm(a, c(3, 2, 1)))
  expect_identical(as_array(torch_flatten(x[, , 1], start_dim = 1)), as.vector(t(a[, , 1])))
  expect_identical(dim(torch_flatten(x, start_dim = 2, end_dim = 3)), c(2L, 12L))
  expect_identical(dim(torch_unsqueeze(x, 1)), c(1L, 2L, 3L, 4L))
  expect_identical(dim(torch_unsqueeze(x, -1)), c(2L, 3L, 4L, 1L))
  expect_identical(dim(torch_stack(list(x, x), 4)), c(2L, 3L, 4L, 2L))
  expect_identical(dim(torch_movedim(x, 1, 3)), c(3L, 4L, 2L))
  expect_identical(as_array(torch_select(x, 3, 2)), a[, , 2])
  expect_identical(as_array(torch_narrow(x, 2, 2, 2)), a[, 2:3, ])
  expect_identical(dim(torch_tile(x, c(2, 1, 1))), c(4L, 3L, 4L))
  expect_identical(as_array(torch_flip(x, c(1, 2))), a[2:1, 3:1, ])
  expect_error(torch_sum(x, dim = 0), "starts at 1", class = "value_error")
  expect_error(torch_permute(x, c(0, 1, 2)), "starts at 1", class = "value_error")
})

test_that("positions count from 1, given and as results", {
  skip_if_no_torch()
  m <- matrix(c(3, 9, 1, 7, 8, 2), 2)
  x <- torch_tensor(m)
  expect_identical(torch_argmax(x)$item(), 2L + 2L)
  expect_identical(as_array(torch_argmax(x, dim = 1)), apply(m, 2, which.max))
  expect_identical(as_array(torch_argmin(x, dim = 2)), apply(m, 1, which.min))
  expect_identical(as_array(torch_argsort(x, dim = 2)), t(apply(m, 1, order)))
  sorted <- torch_sort(x, dim = 1, descending = TRUE)
  expect_identical(as_array(sorted[[2]]), apply(-m, 2, order))
  expect_identical(as_array(torch_max(x, dim = 2)[[2]]), apply(m, 1, which.max))
  expect_identical(as_array(torch_min(x, dim = 1)[[2]]), apply(m, 2, which.min))
  top <- torch_topk(x, 2, dim = 2)
  expect_identical(as_array(top[[2]]), t(apply(m, 1, function(r) order(-r)[1:2])))
  expect_identical(as_array(torch_nonzero(torch_tensor(c(0, 5, 0, 6)))), matrix(c(2L, 4L)))
  index <- matrix(c(2L, 1L, 3L, 3L), 2)
  expected <- matrix(m[cbind(as.vector(row(index)), as.vector(index))], 2)
  expect_identical(as_array(torch_gather(x, 2, torch_tensor(index))), expected)
  expect_identical(as_array(x$gather(2, torch_tensor(index))), expected)
  expect_identical(as_array(torch_index_select(x, 2, torch_tensor(c(3L, 1L)))), m[, c(3, 1)])
  expect_identical(as_array(torch_take(x, torch_tensor(c(1L, 6L)))), c(m[1, 1], m[2, 3]))
  expect_identical(as_array(torch_scatter(torch_zeros(1, 3), 2, torch_tensor(matrix(2L)), torch_tensor(matrix(5)))), matrix(c(0, 5, 0), 1))
  expect_identical(as_array(torch_bincount(torch_tensor(c(1L, 2L, 2L)))), tabulate(c(1, 2, 2)))
  expect_error(torch_index_select(x, 2, torch_tensor(0L)), "starts at 1")
  expect_error(torch_gather(x, 2, torch_tensor(matrix(0L))), "starts at 1")
  log_p <- log(matrix(c(0.2, 0.5, 0.3, 0.1, 0.1, 0.8), 2, byrow = TRUE))
  labels <- c(2L, 3L)
  loss <- -mean(log_p[cbind(1:2, labels)])
  expect_equal(torch_nll_loss(torch_tensor(log_p), torch_tensor(labels))$item(), loss, tolerance = 1e-6)
  expect_equal(torch_cross_entropy_loss(torch_tensor(log_p), torch_tensor(labels))$item(), loss, tolerance = 1e-6)
})

test_that("any operator can be called by name", {
  skip_if_no_torch()
  expect_identical(as_array(call_torch_function("torch_relu", c(-1, 2), quiet = TRUE)), c(0, 2))
  expect_warning(call_torch_function("torch__foreach_neg", list(torch_tensor(1))), "not exported")
  expect_no_warning(call_torch_function("torch_relu", torch_tensor(1)))
  for (name in list("torch_nowhere", "sum", "nn_linear", NA_character_, 1, c("torch_add", "torch_sub"))) {
    expect_error(call_torch_function(name, quiet = TRUE), "`name`", class = "value_error")
  }
})

test_that("an operator that an older LibTorch lacks says which has it", {
  skip_if_no_torch()
  names <- names(torch:::op_since)
  expect_identical(setdiff(names, torch:::op_names), character())
  version <- numeric_version(libtorch_find()$version)
  for (name in names) {
    call <- tryCatch(torch:::cpp_op_ranking(name), not_implemented_error = conditionMessage)
    if (version >= torch:::op_since[[name]]) {
      expect_length(grep("needs LibTorch", call), 0)
    } else {
      expect_identical(call, sprintf("`%s` needs LibTorch %s or later; this is LibTorch %s.", name, torch:::op_since[[name]], version))
    }
  }
})

test_that("forms with names of dimensions are not offered", {
  skip_if_no_torch()
  expect_error(torch_sum("a"), class = "type_error")
  expect_no_match(tryCatch(torch_sum("a"), error = conditionMessage), "Dimname|names")
})

test_that("operators are methods of tensors", {
  skip_if_no_torch()
  x <- torch_tensor(c(TRUE, TRUE, FALSE))
  y <- torch_tensor(c(TRUE, FALSE, FALSE))
  expect_identical(as_array(x$`__and__`(y)), c(TRUE, FALSE, FALSE))
  v <- torch_tensor(c(3, 1, 2))
  expect_identical(as_array(v$`repeat`(c(2, 2))), rbind(c(3, 1, 2, 3, 1, 2), c(3, 1, 2, 3, 1, 2)))
  expect_identical(as_array(v$sum(dim = 1, keepdim = TRUE)), 6)
  expect_identical(as_array(v$sort(descending = TRUE)[[1]]), c(3, 2, 1))
  expect_identical(as_array(v[["neg"]]()), c(-3, -1, -2))
  method <- v$add
  expect_identical(as_array(method(1)), c(4, 2, 3))
  w <- torch_tensor(0)
  expect_identical(as_array(w$add(1)), 1)
  expect_identical(as_array(method(1)), c(4, 2, 3))
  expect_error(v$nowhere, "nowhere", class = "value_error")
  expect_error(v$zeros(2), "zeros", class = "value_error")
})

test_that("names are completed", {
  skip_if_no_torch()
  names <- utils::.DollarNames(torch_tensor(1), "^ad")
  expect_true(all(c("add", "add_", "addmm") %in% names))
  expect_true(all(startsWith(names, "ad")))
  expect_true(all(c("shape", "backward", "to") %in% utils::.DollarNames(torch_tensor(1), "")))
})

test_that("a product is sampled where a sparse matrix has values", {
  skip_if_no_torch()
  sparse <- suppressWarnings(torch_tensor(diag(c(1, 2)))$to_sparse_csr())
  sampled <- torch_sparse_sampled_addmm(sparse, torch_ones(2, 3), torch_ones(3, 2), beta = 2, alpha = 0.5)
  expect_identical(as_array(sampled$to_dense()), diag(c(3.5, 5.5)))
})

test_that("every method that R users know is completed", {
  skip_if_no_torch()
  known <- fixture("tensor-methods.tsv")$name
  completed <- utils::.DollarNames(torch_tensor(1), "")
  expect_identical(setdiff(known[!startsWith(known, "_")], completed), character())
})

test_that("methods with arguments of their own", {
  skip_if_no_torch()
  x <- torch_tensor(matrix(c(1, 2, 3, 4), 2))
  expect_identical(as_array(x$addmm(x, x, 2)), 2 * as_array(x) + as_array(x) %*% as_array(x))
  expect_true(x$new_zeros(2, dtype = "int")$dtype == torch_int())
  expect_true(x$new_ones(c(2, 3), options = list(dtype = torch_double(), requires_grad = TRUE))$requires_grad)
  expect_identical(as_array(x$new_full(2, 7)), c(7, 7))
  expect_identical(dim(x$new_empty(c(3, 2), options = list(dtype = torch_int()))), c(3L, 2L))
  expect_identical(x$new_empty_strided(c(2, 2), c(1, 2))$stride(), c(1L, 2L))
  expect_identical(lapply(x$hsplit(sections = 2), dim), list(c(2L, 1L), c(2L, 1L)))
  expect_identical(lapply(x$tensor_split(sections = 2), dim), list(1:2, 1:2))
  expect_identical(x$length(), 4L)
  expect_identical(x[1]$storage()$data_ptr(), x$storage()$data_ptr())
  expect_false(x$clone()$storage()$data_ptr() == x$storage()$data_ptr())
  expect_false(x$has_names())
  expect_false(x$is_sparse_csr())
  expect_true(suppressWarnings(x$to_sparse_csr())$is_sparse_csr())
  y <- torch_zeros(1)
  y$set_data(x)
  expect_identical(as_array(y), as_array(x))
  x$set_grad_(torch_ones(2, 2))
  expect_identical(as_array(x$grad), matrix(1, 2, 2))
  expect_output(x$print(), "CPUFloatType")
  skip_if("align_to" %in% sub("^aten::([^.(]+).*", "\\1", torch:::operator_schemas("dispatcher")), "LibTorch has named tensors")
  expect_error(x$rename(c("a", "b")), "Named tensors are not in LibTorch", class = "not_implemented_error")
  expect_error(x$align_to("a"), "Named tensors", class = "not_implemented_error")
  expect_error(names(x) <- c("a", "b"), "Named tensors", class = "not_implemented_error")
})
