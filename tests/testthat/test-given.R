# What is said where an argument is missing that must be given.

home <- asNamespace("torch")
required <- function(f) {
  formals <- as.list(formals(f))
  names(Filter(rlang::is_missing, formals[names(formals) != "..."]))
}
# R's own functions, of which an S4 method made generics, and `%*%` speak as R does.
is_ours <- function(f) {
  is.function(f) && !is.primitive(f) && !methods::is(f, "standardGeneric") && identical(topenv(environment(f)), home)
}
exports <- Filter(is_ours, mget(setdiff(sort(getNamespaceExports(home)), "%*%"), home, inherits = TRUE))
exports <- exports[lengths(lapply(exports, required)) > 0]

# Nothing if a call names one of the arguments in an error of the package that shows this call, else what it says.
not_told <- function(call, missing, env = globalenv()) {
  error <- tryCatch({
    suppressWarnings(eval(call, env))
    NULL
  }, error = identity)
  text <- deparse(call, nlines = 1L)
  if (is.null(error)) return(paste0(text, ": no error"))
  # What this LibTorch lacks is told before anything else.
  if (grepl("needs LibTorch", conditionMessage(error), fixed = TRUE)) return(NULL)
  names <- any(vapply(missing, function(it) grepl(paste0("\\b", it, "\\b"), conditionMessage(error)), NA))
  if (names && inherits(error, "torch_error") && identical(conditionCall(error)[[1]], call[[1]])) return(NULL)
  sprintf("%s: %s, of %s", text, conditionMessage(error), deparse(conditionCall(error), nlines = 1L))
}
all_told <- function(calls) expect_identical(as.character(unlist(calls)), character())

test_that("an exported function without arguments names the one that is missing, in the user's call", {
  expect_gt(length(exports), 750)
  all_told(lapply(names(exports), function(name) not_told(call(name), required(exports[[name]]))))
})

test_that("each argument that is missing is named before the others are looked at", {
  # The glue reads all arguments, and a generic only the first.
  asked <- Filter(function(f) !any(c(".External2", "UseMethod") %in% all.names(body(f))), exports)
  # It may go without its second argument.
  asked$install_torch_from_file <- NULL
  calls <- lapply(names(asked), function(name) {
    names <- required(asked[[name]])
    lapply(names[-1], function(it) {
      others <- setdiff(names, it)
      not_told(as.call(c(as.symbol(name), structure(vector("list", length(others)), names = others))), it)
    })
  })
  expect_gt(length(unlist(lapply(asked, function(f) required(f)[-1]))), 200)
  all_told(calls)
})

test_that("methods say the same", {
  net <- nn_linear(2, 2)
  objects <- list(
    net = net, list = nn_module_list(), dict = nn_module_dict(list(a = net)), x = torch_ones(2, 2),
    optimizer = optim_sgd(net$parameters, lr = 1), data = tensor_dataset(torch_ones(3, 2)), normal = distr_normal(0, 1),
    traced = jit_trace(net, torch_ones(1, 2))
  )
  objects$scheduler <- lr_step(objects$optimizer, 1)
  methods <- list(
    net = c("forward", "apply", "load_state_dict", "register_buffer", "register_parameter", "get_submodule", "register_forward_hook"),
    list = c("append", "insert", "extend"), dict = c("update", "pop"), x = c("new_zeros", "register_hook", "where", "set_grad_"),
    optimizer = c("load_state_dict", "add_param_group"), data = c(".getitem", ".getbatch"), scheduler = "load_state_dict",
    normal = "expand", traced = c("register_buffer", "add_module", "add_constant", "find_method", "load_state_dict", "apply")
  )
  all_told(lapply(names(methods), function(of) lapply(methods[[of]], function(name) {
    f <- objects[[of]]
    f <- eval(call("$", quote(f), as.symbol(name)))
    not_told(as.call(list(call("$", as.symbol(of), as.symbol(name)))), required(f), list2env(objects, parent = globalenv()))
  })))
  expect_error(net(), "^`input` is missing", class = "value_error")
})

test_that("an argument that the caller lacks is missing too, and one that has a default there is not", {
  by_name <- function(x, p = 0.5) nnf_dropout(x, p)
  by_dots <- function(...) nnf_relu(...)
  expect_error(by_name(), "^`input` is missing", class = "value_error")
  expect_error(by_dots(), "^`input` is missing", class = "value_error")
  expect_identical(as.vector(by_dots(torch_tensor(-1))), 0)
  expect_identical(by_name(torch_ones(2, 3))$shape, c(2L, 3L))
})

test_that("functions that ask themselves, and what stands where sources are kept, are left as they are", {
  expect_identical(nn_prune_head(nn_sequential(nn_relu(), nn_relu()))$children |> length(), 1L)
  expect_error(jit_compile(), "^One of `source` and `file` must be given", class = "value_error")
  f <- eval(parse(text = c("function(x, y = 1) {", "  x + y # a note", "}"), keep.source = TRUE))
  asked <- asking(f)
  expect_error(asked(), "^`x` is missing")
  expect_identical(asked(2), 3)
  expect_match(capture.output(print(asked)), "a note", fixed = TRUE, all = FALSE)
  expect_no_match(capture.output(print(asked)), "missing", fixed = TRUE)
  expect_identical(as.list(body(asking(function(x, y) if (missing(y)) x else y)))[[3]], quote(if (missing(y)) x else y))
})

test_that("programs hold what was written", {
  program <- jit_script(function(x) nnf_relu6(x))
  expect_false(grepl("missing", program$code))
  expect_equal(as.vector(program(torch_tensor(c(-1, 9)))), c(0, 6))
})
