# The programs of inst/examples and the code of the users' two documents, as they stand there.

# PyTorch warns that Python 3.14 and later may not run its programs in the form of files.
run_example <- function(script, output) {
  env <- c(callr::rcmd_safe_env(), PYTHONWARNINGS = "ignore::FutureWarning")
  callr::rscript(script, output, libpath = .libPaths(), show = FALSE, fail_on_status = FALSE, env = env)
}

test_that("the demo trains, saves, and gets the same predictions from R, Python and C++", {
  skip_on_cran()
  skip_if_no_torch()
  skip_if_not_installed("callr")
  lacking <- shim_tools_lacking()
  skip_if(length(lacking) > 0, lacking[1])
  output <- withr::local_tempdir()
  script <- system.file("examples/deploy/run.R", package = "torch")

  demo <- run_example(script, output)
  said <- strsplit(demo$stdout, "\n")[[1]]

  expect_equal(demo$status, 0, info = paste(demo$stdout, demo$stderr))
  losses <- as.numeric(sub("Epoch: [0-9]+, loss: ", "", grep("^Epoch: ", said, value = TRUE)))
  expect_length(losses, 10)
  expect_lt(losses[10], losses[1] / 1.5)
  # What the post expects for (1, 1, 1) is about -1.6; a network with dropout stays a little nearer to 0.
  answers <- function(language) as.numeric(sub(".*: +", "", grep(paste0("^  ", language, ": "), said, value = TRUE)))
  expect_lt(abs(answers("R")[1] + 1.6), 0.6)
  expect_equal(answers("C[+][+]"), answers("R"), tolerance = 1e-6)
  if (!is.null(libtorch_find()$python)) {
    expect_equal(answers("Python"), answers("R"), tolerance = 1e-6)
  }
  result <- regmatches(said, regexec("network ([0-9.]+) km, lm ([0-9.]+) km", said))
  rmse <- as.numeric(unlist(Filter(length, result))[-1])
  expect_lt(rmse[1], rmse[2] / 2)
  written <- c("loss.png", "predicted.png", "network.png", "graphs.txt", "quakes.pt")
  expect_gt(min(file.size(file.path(output, written))), 1000)
  expect_match(demo$stdout, paste(written[1:3], collapse = ".*"))
  # Each tensor and graph stands under a line that says what it is.
  shown <- grep("^(torch_tensor$|graph[(]|<script)", said)
  expect_length(shown, 7)
  expect_match(said[shown - 1], "(:|says)$")
  expect_match(demo$stderr, "^\\s*Warning: `as.numeric[^\n]*\n*$")
})

# The other examples: what of their output is the network's score and the base model's, and whether less is better.
example_scores <- list(
  embeddings = list("network +([0-9.]+) g", "lm, a parabola for each chick +([0-9.]+) g", less = TRUE),
  series = list("^network.* ([0-9.]+)$", "^lm .* ([0-9.]+)$", less = TRUE),
  images = list("network ([0-9.]+) %", "lm ([0-9.]+) %", less = FALSE),
  mixture = list("log-likelihood of .* network ([-0-9.]+)", ", lm ([-0-9.]+)$", less = FALSE)
)

for (name in names(example_scores)) {
  test_that(sprintf("the example '%s' beats its base model, draws, and answers the same in Python", name), {
    skip_on_cran()
    skip_if_no_torch()
    skip_if_not_installed("callr")
    output <- withr::local_tempdir()
    script <- system.file("examples", name, "train.R", package = "torch")

    ran <- run_example(script, output)
    said <- strsplit(ran$stdout, "\n")[[1]]

    expect_equal(ran$status, 0, info = paste(ran$stdout, ran$stderr))
    expect_equal(ran$stderr, "")
    found <- function(pattern) {
      hits <- regmatches(said, regexec(pattern, said))
      as.numeric(Filter(length, hits)[[1]][2])
    }
    scores <- example_scores[[name]]
    network <- found(scores[[1]])
    base <- found(scores[[2]])
    if (scores$less) expect_lt(network, base) else expect_gt(network, base)
    answer <- function(language) {
      start <- paste0("^  ", language, ": +")
      trimws(sub(start, "", grep(start, said, value = TRUE)))
    }
    if (!is.null(libtorch_find()$python)) expect_equal(answer("Python"), answer("R"))
    expect_length(list.files(output, "loss[.]png$"), 1)
    expect_gt(min(file.size(list.files(output, "[.](png|pt)$", full.names = TRUE))), 1000)
  })
}

# --- the post --------------------------------------------------------------------------------------------------------

test_that("post: a traced function takes other shapes than its example", {
  skip_if_no_torch()
  f_t <- jit_trace(function(x) torch_sum(x), torch_tensor(c(2, 2)))
  expect_output(print(f_t), "<script_function>")
  x <- torch_randn(c(3, 3))
  expect_equal(as_array(f_t(x)), as_array(torch_sum(x)))
  expect_length(f_t(x)$shape, 0)
})

test_that("post: a trace holds only the branch that was taken, also after loading and in Python", {
  skip_if_no_torch()
  f <- function(x) {
    if (as.numeric(torch_sum(x)) > 0) torch_tensor(1) else torch_tensor(2)
  }
  expect_warning(f_t <- jit_trace(f, torch_tensor(c(2, 2))), "torch_sum(x)", fixed = TRUE, class = "torch_tracer_warning")
  expect_equal(as.numeric(f(torch_tensor(-1))), 2)
  expect_equal(as.numeric(f_t(torch_tensor(-1))), 1)

  file <- withr::local_tempfile()
  jit_save(f_t, file)
  f_t_new <- jit_load(file)
  expect_equal(as.numeric(f_t_new(torch_tensor(-1))), 1)
  expect_equal(python_eval("result = torch.jit.load(file)(torch.tensor([-1.])).tolist()", file = file), 1)
})

test_that("post: constants are folded and unused results are gone from the graph", {
  skip_if_no_torch()
  graph <- as.character(jit_trace(blog_function, torch_tensor(0))$graph)
  values <- regmatches(graph, gregexpr("(?<=value=)[^]]+", graph, perl = TRUE))[[1]]
  expect_equal(values, c("20.", "1"))
  operators <- regmatches(graph, gregexpr("aten::\\w+", graph))[[1]]
  expect_equal(operators, "aten::add")
})

test_that("post: graph_for() shows the plan that ran", {
  skip_if_no_torch()
  f <- function(x) {
    m1 <- torch_eye(5)
    x <- x$mul(m1)
    m2 <- torch_arange(start = 1, end = 25)$view(c(5, 5))
    x <- x$add(m2)
    x <- torch_relu(x)
    x$matmul(m2)
  }
  v <- jit_trace(f, torch_eye(5))
  expect_equal(as_array(v(torch_eye(5))), as_array(f(torch_eye(5))))
  initial <- as.character(v$graph)
  plan <- as.character(v$graph_for(torch_eye(5)))
  expect_match(initial, "aten::eye")
  # The matrices are constants of the plan: they are made once.
  expect_no_match(plan, "aten::(eye|arange)")
  expect_match(plan, "aten::mul.*aten::add.*aten::relu|prim::TensorExprGroup")
  expect_match(plan, "aten::matmul")
})

# --- the TorchScript vignette ----------------------------------------------------------------------------------------

test_that("vignette: functions and modules are traced and called as before", {
  skip_if_no_torch()
  traced_fn <- jit_trace(function(x) torch_relu(x), torch_tensor(c(-1, 0, 1)))
  expect_match(as.character(traced_fn$graph), "aten::relu")
  expect_equal(as.numeric(traced_fn(torch_tensor(c(-2, 3)))), c(0, 3))

  module <- nn_module(
    initialize = function() {
      self$linear1 <- nn_linear(10, 10)
      self$linear2 <- nn_linear(10, 1)
    },
    forward = function(x) {
      x %>%
        self$linear1() %>%
        nnf_relu() %>%
        self$linear2()
    }
  )
  instance <- module()
  traced_module <- jit_trace(instance, torch_randn(10, 10))
  expect_s3_class(traced_module, c("script_module", "nn_module"), exact = TRUE)
  x <- torch_randn(3, 10)
  expect_equal(as_array(traced_module(x)), as_array(instance(x)))
})

test_that("vignette: a loop is unrolled for the example, another length is an error", {
  skip_if_no_torch()
  fn <- function(x) {
    x %>%
      torch_unbind(dim = 1) %>%
      lapply(function(x) x$sum()) %>%
      torch_stack(dim = 1)
  }
  traced_fn <- jit_trace(fn, torch_randn(10, 5, 5))
  x <- torch_randn(10, 5, 5)
  expect_equal(as_array(traced_fn(x)), as_array(fn(x)), tolerance = 1e-6)
  expect_error(traced_fn(torch_randn(11, 5, 5)), "Expected 10 elements in a list but found 11", class = "torch_error")
})

test_that("vignette: dropout stays in the mode of its trace if that is asked for, and follows the mode if not", {
  skip_if_no_torch()
  ones <- torch_ones(30, 30)
  drops <- function(module) any(as_array(module(ones)) == 0)

  as_traced <- jit_trace(nn_dropout(), torch_ones(5, 5), respect_mode = FALSE)
  as_traced$eval()
  expect_true(drops(as_traced))

  by_mode <- jit_trace(nn_dropout(), torch_ones(5, 5))
  expect_true(drops(by_mode))
  by_mode$eval()
  expect_false(drops(by_mode))
})

test_that("vignette: a number can't be an example input", {
  skip_if_no_torch()
  fn <- function(x, y) {
    x + y
  }
  expect_error(jit_trace(fn, torch_tensor(1), 1), "Only tensors or", class = "value_error")
})

test_that("vignette: TorchScript text is compiled", {
  skip_if_no_torch()
  tr <- jit_compile("
def fn (x: Tensor):
  return torch.relu(x)
")
  expect_equal(as.numeric(tr$fn(torch_tensor(c(-1, 0, 1)))), c(0, 0, 1))
})

test_that("vignette: a saved program is loaded in R and in Python", {
  skip_if_no_torch()
  file <- withr::local_tempfile()
  jit_save(jit_trace(function(x) torch_relu(x), torch_tensor(1)), file)
  loaded <- jit_load(file)
  expect_equal(as.numeric(loaded(torch_tensor(c(-1, 0, 1)))), c(0, 0, 1))
  from_python <- python_eval("result = torch.jit.load(file)(torch.tensor([-1., 0., 1.])).tolist()", file = file)
  expect_equal(from_python, c(0, 0, 1))
})

test_that("vignette: a program that Python traced or scripted runs in R", {
  skip_if_no_torch()
  folder <- withr::local_tempdir()
  python_eval("
@torch.jit.script
def halves(x):
    while bool(x.sum() > 1):
        x = x / 2
    return x
halves.save(folder + '/script')
torch.jit.trace(lambda x: x.cos(), torch.zeros(2)).save(folder + '/trace')
result = 0
", folder = folder)
  expect_equal(as.numeric(jit_load(file.path(folder, "script"))(torch_tensor(c(4, 4)))), c(0.5, 0.5))
  expect_equal(as.numeric(jit_load(file.path(folder, "trace"))(torch_tensor(c(0, 1)))), cos(0:1), tolerance = 1e-6)
})

test_that("vignette: each row of the table of types makes the round trip", {
  skip_if_no_torch()
  round_trip <- function(type, x) {
    jit_compile(sprintf("def fn(x: %s) -> %s:\n  return x", type, type))$fn(x)
  }
  expect_equal(as.numeric(round_trip("Tensor", torch_tensor(c(1, 2)))), c(1, 2))
  pair <- round_trip("Tuple[Tensor, int]", jit_tuple(list(torch_tensor(1), 2L)))
  expect_equal(as.numeric(pair[[1]]), 1)
  expect_equal(pair[[2]], 2)
  expect_identical(round_trip("bool", jit_scalar(TRUE)), TRUE)
  expect_identical(round_trip("bool", TRUE), TRUE)
  expect_equal(round_trip("int", jit_scalar(3L)), 3)
  expect_equal(round_trip("int", 3L), 3)
  expect_equal(round_trip("float", jit_scalar(1.5)), 1.5)
  expect_equal(round_trip("float", 1.5), 1.5)
  expect_identical(round_trip("str", "a"), "a")
  expect_equal(round_trip("complex", 1 + 2i), 1 + 2i)
  expect_equal(round_trip("List[int]", 1:3), c(1, 2, 3))
  expect_equal(round_trip("List[float]", c(1, 2.5)), c(1, 2.5))
  expect_identical(round_trip("List[bool]", c(TRUE, FALSE)), c(TRUE, FALSE))
  expect_identical(round_trip("List[str]", c("a", "b")), list("a", "b"))
  expect_equal(round_trip("List[List[int]]", list(1:2, 3L)), list(c(1, 2), 3))
  expect_null(round_trip("Optional[int]", NULL))
  expect_equal(round_trip("Optional[int]", 1L), 1)
  expect_equal(as.numeric(round_trip("Dict[str, Tensor]", list(a = torch_tensor(1)))$a), 1)
  expect_equal(round_trip("Dict[str, int]", list(a = 1L, b = 2L)), list(a = 1, b = 2))
})
