# The cases of the oracle (helper-oracle.R) on the GPU, against the CPU, which the oracle compares with PyTorch.

# Numbers of whatever came: tensors are made dense and put one after the other.
numbers_of <- function(x) {
  if (is.list(x)) return(unlist(lapply(x, numbers_of)))
  if (is_torch_tensor(x) && is_undefined_tensor(x)) return(numeric())
  if (!is_torch_tensor(x)) return(if (is.numeric(x) || is.logical(x) || is.complex(x)) c(Re(x), Im(x)) else numeric())
  if (x$layout != torch_strided()) x <- x$to_dense()
  if (x$is_quantized()) x <- x$dequantize()
  x <- x$detach()$cpu()$resolve_conj()$resolve_neg()$flatten()
  x <- if (x$is_complex()) torch_view_as_real(x$to(dtype = "cdouble"))$flatten() else x$double()
  as.numeric(x)
}
outline_of <- function(x) {
  if (is.list(x)) return(lapply(unname(x), outline_of))
  if (is_torch_tensor(x) && !is_undefined_tensor(x)) list(as.character(x$dtype), dim(x)) else class(x)
}
precision_of <- function(case) {
  dtypes <- unlist(rapply(case$arguments, function(a) a, classes = "character"))
  if (any(c("float16", "bfloat16", "complex32", "float8_e4m3fn", "float8_e5m2") %in% dtypes)) 3e-2 else 2e-3
}

# What differs, "" if nothing does. What fails on the CPU tells nothing.
cuda_difference <- function(case, device = "cuda") {
  run <- function(device) tryCatch(suppressWarnings(run_here(case, device)), error = identity)
  here <- run("cpu")
  if (inherits(here, "error")) return(NA_character_)
  there <- run(device)
  if (inherits(there, "error")) return(paste("error:", conditionMessage(there)))
  if (identical(here$g, "error") != identical(there$g, "error")) return("gradient: one side fails")
  if (!identical(outline_of(here), outline_of(there))) return("dtype or shape")
  v <- numbers_of(there)
  wanted <- numbers_of(here)
  close <- (is.nan(v) & is.nan(wanted)) | v == wanted | abs(v - wanted) <= precision_of(case) * (1 + abs(wanted))
  if (all(close %in% TRUE)) "" else sprintf("values %s, not %s", toString(format(v)), toString(format(wanted)))
}

# What may differ: names and messages, and why.
cuda_reasons <- c(
  "other numbers are drawn" = "^[$]?(torch_)?(rand|normal|bernoulli|multinomial|poisson|cauchy|exponential|geometric|log_normal|uniform|random|rrelu|dropout|alpha_dropout|feature)",
  "which of equal values comes first is open" = "^[$]?(torch_)?(sort|argsort|median|nanmedian|mode|quantile|nanquantile|topk|kthvalue|msort|index_put_?)$",
  "bases and signs are open" = "^[$]?(torch_|linalg_)?(eigh?|eigvals|svd|lstsq)$",
  "what was not asked for is left out" = "^torch_unique_consecutive$",
  "it is about the CPU" = "^[$](is_cuda|_autocast_to_(full|reduced)_precision)$",
  "a complex number divided by zero" = "^torch_(div|divide|true_divide)$",
  "a fault of LibTorch's" = "^torch_channel_shuffle$"
)
no_form <- "not implemented for|has no form for|NYI|not supported on CUDA"

test_that("operators give on the device what they give on the CPU", {
  skip_if_no_cuda()
  open <- paste(cuda_reasons, collapse = "|")
  cases <- Filter(function(case) !grepl(open, case$name), oracle_cases(1))
  share <- withr::with_seed(2, unlist(tapply(
    seq_along(cases), vapply(cases, `[[`, "", "name"), function(i) i[sample(length(i), min(length(i), 5))]
  )))
  differences <- vapply(cases[share], cuda_difference, "")
  names <- vapply(cases[share], `[[`, "", "name")
  expect_gt(sum(differences %in% ""), 0.7 * length(share))
  differences[grepl(no_form, differences)] <- NA
  rows <- data.frame(name = names, difference = differences)[!differences %in% c("", NA), ]
  expect_identical(rows, rows[0, ])
})
