# What is no object of ours although it says so, and functions that get nothing: an error each, in a process that a crash
# would end.

forged_run <- function(code, ...) {
  callr::r(code, list(...), timeout = 300)
}

test_that("methods that are called without arguments are errors", {
  skip_if_no_torch()
  tried <- forged_run(function() {
    library(torch)
    home <- asNamespace("torch")
    methods <- getNamespaceInfo(home, "S3methods")
    methods <- methods[grepl("torch|script|slice|nn_|dict|R7|size", methods[, 2]), ]
    tried <- 0
    for (name in unique(paste(methods[, 1], methods[, 2], sep = "."))) {
      f <- get0(name, home, mode = "function")
      if (is.null(f)) next
      tried <- tried + 1
      capture.output(suppressWarnings(tryCatch(f(), error = function(e) NULL)))
    }
    # What an operator of R says then.
    said <- tryCatch(getS3method("+", "torch_tensor")(), error = conditionMessage)
    list(tried = tried, said = said)
  })
  expect_gt(tried$tried, 150)
  expect_match(tried$said, "`e1` is missing: it must be a tensor.", fixed = TRUE)
})

test_that("objects with our classes on anything else end no process", {
  skip_if_no_torch()
  last <- withr::local_tempfile()
  errors <- tryCatch(forged_run(function(seed, last) {
    library(torch)
    set.seed(seed)
    home <- asNamespace("torch")
    classes <- c(
      "torch_tensor", "torch_dtype", "torch_device", "torch_layout", "torch_memory_format", "torch_qscheme", "torch_generator",
      "slice", "torch_dict", "torch_enum", "torch_size", "torch_callable", "script_function", "script_method", "script_module",
      "torch_script_object", "torch_future", "torch_compilation_unit", "torch_graph", "autograd_node", "nn_module", "nn_parameter",
      "nn_buffer", "nn_module_generator", "torch_optimizer", "dataset", "dataloader", "jit_tuple", "jit_scalar", "integer64",
      "torch_storage", "R7"
    )
    bases <- function() list(
      list(), list(1), list(NULL, NULL), list(1, "a", mean), list(keys = 1, values = 2), character(), "a", NA_character_,
      c("a", "b"), integer(), 0L, 99L, NA_integer_, numeric(), 1.5, logical(), NA, 1i, raw(), function(x, ...) x, new.env(),
      methods::new("externalptr"), quote(x + 1), y ~ x, expression(a)
    )
    forge <- function(base, class) {
      attr(base, "class") <- if (class == "nn_module") c(class, "R7") else class
      if (class %in% c("torch_enum", "script_module", "script_function", "nn_module")) {
        attr(base, "type") <- character()
        # A pointer is not copied: one that led to itself R could not walk.
        attr(base, "handle") <- if (typeof(base) == "externalptr") 1L else base
        attr(base, "module") <- list()
      }
      base
    }
    forged <- unlist(lapply(classes, function(class) lapply(bases(), function(base) tryCatch(forge(base, class), error = function(e) base))), recursive = FALSE)
    # Ours, with attributes of another.
    ours <- list(torch_tensor(1), torch_generator(), jit_trace(nn_linear(1, 1), torch_ones(1)), torch_float(), nn_relu())
    for (x in ours) for (class in sample(classes, 8)) forged <- c(forged, list(tryCatch(`class<-`(x, class), error = function(e) x)))
    good <- list(torch_tensor(matrix(c(1, 2, 3, 4), 2)), 1L, 1, "a", NULL, torch_tensor(1:3), list(torch_ones(2)), torch_float())
    methods <- getNamespaceInfo(home, "S3methods")
    names <- sort(unique(c(getNamespaceExports(home), paste(methods[, 1], methods[, 2], sep = "."))))
    names <- setdiff(names, c(grep("install|build|^jit_load|^local_|plot", names, value = TRUE), "torch_load"))
    errors <- 0
    deep <- character()
    for (name in names) {
      f <- get0(name, home, mode = "function")
      if (is.null(f)) next
      cat(name, file = last)
      for (k in 1:2) {
        arguments <- lapply(seq_len(sample(3, 1)), function(i) {
          pool <- if (stats::runif(1) < 0.6) forged else good
          pool[[sample(length(pool), 1)]]
        })
        capture.output(suppressMessages(suppressWarnings(tryCatch(print(do.call(f, arguments, quote = TRUE)), error = function(e) {
          errors <<- errors + 1
          # An error tells what is wrong, and is not R's own end of its stack.
          if (inherits(e, "stackOverflowError") || grepl("nested too deeply|stack usage", conditionMessage(e))) deep <<- c(deep, name)
        }))))
      }
    }
    list(errors = errors, deep = unique(deep))
  }, 1, last), error = function(e) stop("R ended in `", readLines(last, warn = FALSE), "()`: ", conditionMessage(e)))
  expect_gt(errors$errors, 1000)
  expect_identical(errors$deep, character())
})

test_that("a list of many R vectors is read, whatever R's stack of protected objects holds", {
  skip_if_no_torch()
  n <- 60000
  v <- rep(list(c(1, 2)), n)
  expect_identical(dim(torch_stack(v)), c(60000L, 2L))
  expect_identical(as_array(torch_cat(as.list(seq_len(n) + 0.5))[c(1, 256, 257, 258, n)]), c(1, 256, 257, 258, n) + 0.5)
  f <- jit_compile("def f(x: List[Optional[int]]) -> int:\n  return len(x)\n")$f
  expect_identical(f(as.list(seq_len(n))), 60000)
  g <- jit_trace(function(x) x[[1]] + x[[2]], list(torch_ones(1), torch_ones(1)))
  expect_identical(as_array(g(list(torch_ones(1), torch_ones(1)))), 2)
})
