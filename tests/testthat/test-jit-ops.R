test_that("jit_ops calls any registered operator", {
  skip_if_no_torch()
  x <- torch_tensor(matrix(c(1, 2, 3, -4, 5, 6), 2))
  expect_equal(as_array(jit_ops$aten$relu(x)), pmax(as_array(x), 0))
  expect_equal(as.numeric(jit_ops$aten$add(torch_tensor(1), torch_tensor(2), alpha = 3)), 7)
  expect_equal(as.numeric(jit_ops$aten$sub(other = torch_tensor(1), self = torch_tensor(5))), 4)
  # Positions count from 0.
  expect_equal(jit_ops$aten$size(x, 1L), 3)
  expect_equal(as.numeric(jit_ops$aten$sum(x, 1L)), rowSums(as_array(x)))
  top <- jit_ops$aten$max(x, 1L)
  expect_null(names(top))
  expect_equal(as.numeric(top[[2]]), max.col(as_array(x)) - 1)
  expect_equal(as.numeric(jit_ops[["aten"]][["neg"]](torch_tensor(1))), -1)
})

test_that("values choose the overload, also among those that only TorchScript knows", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, 2))
  expect_equal(jit_ops$aten$add(1L, 2L), 3)
  expect_equal(jit_ops$aten$add("a", "b"), "ab")
  expect_equal(jit_ops$aten$add(c(1, 2), c(3, 4)), c(1, 2, 3, 4))
  expect_error(jit_ops$aten$add(c(1, 2), 3:4), "do not go together", class = "torch_runtime_error")
  expect_equal(as.numeric(jit_ops$aten$mul(x, 2)), c(2, 4))
  expect_equal(as.numeric(jit_ops$aten$pow(2, x)), c(2, 4))
  expect_equal(jit_ops$aten$len(list(x, x, x)), 3)
  expect_equal(jit_ops$aten$len(letters), 26)
  expect_equal(jit_ops$aten$len(list(a = x)), 1)
  expect_equal(jit_ops$aten$len("abc"), 3)
  expect_equal(jit_ops$aten$upper("abc"), "ABC")
  # An argument that is not wanted is left out, or NULL.
  expect_equal(as.numeric(jit_ops$aten$clamp(x, NULL, 1.5)), c(1, 1.5))
  expect_equal(as.numeric(jit_ops$aten$clamp(x, max = 1.5)), c(1, 1.5))
  # One argument more: the tensor to write into.
  out <- torch_zeros(2)
  expect_identical(jit_ops$aten$add(x, x, out = out), out)
  expect_equal(as.numeric(out), c(2, 4))
  jit_ops$aten$relu(torch_tensor(c(-1, 3)), out)
  expect_equal(as.numeric(out), c(0, 3))
})

test_that("calls of jit_ops agree with PyTorch's torch.ops", {
  skip_if_no_torch()
  x <- torch_tensor(matrix(1:6 / 7, 2))
  ops <- jit_ops$aten
  ours <- list(
    as.numeric(ops$std(x, 1, TRUE)), as.numeric(ops$std(x, c(0, 1), correction = 0)),
    as.numeric(ops$norm(x, 3)), as.numeric(ops$norm(x, 2, 1, FALSE)),
    as.numeric(ops$transpose(x, 0, 1)$flatten()), as.numeric(ops$select(x, 1, -1))
  )
  oracle <- python_eval("
x = torch.tensor([[1, 3, 5], [2, 4, 6]]) / 7
o = torch.ops.aten
result = [t.flatten().tolist() for t in [
    o.std(x, [1], True), o.std(x, [0, 1], correction=0), o.norm(x, 3), o.norm(x, 2, [1], False),
    o.transpose(x, 0, 1), o.select(x, 1, -1)]]")
  expect_equal(ours, oracle, tolerance = 1e-6)
})

test_that("jit_ops prints and completes", {
  skip_if_no_torch()
  expect_output(print(jit_ops), "^Object of class <torch_ops>$")
  expect_output(print(jit_ops$aten), "^<torch_ops>: Handle to namespace  aten $")
  expect_equal(attr(jit_ops$aten$relu, "opname"), "aten::relu")
  expect_true(all(c("aten", "prim") %in% utils::.DollarNames(jit_ops, "")))
  expect_equal(utils::.DollarNames(jit_ops$aten, "^relu_?$"), c("relu", "relu_"))
  expect_equal(utils::.DollarNames(jit_ops$aten$relu, ""), character())
  # One schema: the three lines alone.
  expect_equal(
    capture.output(print(jit_ops$aten$is_floating_point)),
    c("function_schema (name = aten::is_floating_point)", "arguments: self - TensorType ", "returns: BoolType ")
  )
  expect_equal(
    capture.output(print(jit_ops$aten$max_pool1d))[2:3],
    c(
      paste0(
        "arguments: self - TensorType, kernel_size - ListType, stride - ListType, padding - ListType, ",
        "dilation - ListType, ceil_mode - BoolType "
      ),
      "returns: TensorType "
    )
  )
  expect_equal(capture.output(print(jit_ops$prim$AutogradAdd))[2], "arguments: a - AnyType, b - AnyType ")
  expect_equal(capture.output(print(jit_ops$aten$manual_seed))[3], "returns: <none> ")
  expect_snapshot({
    print(jit_ops$aten$relu)
    show_error(jit_ops$aten$nope)
    show_error(jit_ops$nowhere$nope)
    show_error(jit_ops$aten$relu())
    show_error(jit_ops$aten$relu("a"))
    show_error(jit_ops$aten$relu(1))
    show_error(jit_ops$aten$relu(torch_tensor(1), b = 2))
    show_error(jit_ops$aten$is_floating_point(1:3, other = list(1)))
  })
})

test_that("no operator of the JIT alone kills R", {
  skip_if_no_torch()
  skip_on_cran()
  script <- withr::local_tempfile(lines = '
    library(torch)
    # One of the operators writes a file.
    setwd(tempdir())
    x <- torch_tensor(c(1, 2))
    value <- function(type) {
      switch(sub("\\\\[.*", "", type),
        Tensor = x, int = 1L, float = 1.5, bool = TRUE, str = "a", number = 1, complex = 1i, Device = "cpu",
        Optional = NULL, List = c(1, 2), Dict = list(a = 1), Tuple = list(), x
      )
    }
    tried <- 0
    for (name in unique(sub("[.(].*$", "", torch:::operator_schemas("jit")))) {
      parts <- strsplit(name, "::", fixed = TRUE)[[1]]
      # What needs the node of a graph is not found.
      op <- tryCatch(jit_ops[[parts[1]]][[parts[2]]], value_error = function(e) NULL)
      for (signature in if (!is.null(op)) torch:::cpp_op_signatures(name)) {
        try(do.call(op, lapply(signature$types, value)), silent = TRUE)
        try(do.call(op, lapply(seq_along(signature$types), function(i) "a")), silent = TRUE)
        tried <- tried + 1
      }
    }
    cat("tried", tried)
  ')
  # One of them writes a file of that name.
  withr::local_dir(withr::local_tempdir())
  output <- system2(file.path(R.home("bin"), "Rscript"), script, stdout = TRUE, stderr = FALSE)
  expect_match(output[length(output)], "^tried [4-9][0-9]{2}$")
})

# A library with two operators, compiled against the LibTorch in use, and a program that runs a saved module with it.
build_custom_operator <- function(folder) {
  libtorch <- libtorch_find()
  writeLines("
#include <ATen/core/Tensor.h>
#include <torch/library.h>
at::Tensor scaled(const at::Tensor& x, int64_t times) { return x.mul(2 * times); }
at::Tensor scaled_list(at::TensorList x) { return x[0].mul(2); }
TORCH_LIBRARY(r_test, m) {
  m.def(\"scaled(Tensor x, int times=1) -> Tensor\", scaled);
  m.def(\"scaled.list(Tensor[] x) -> Tensor\", scaled_list);
}", file.path(folder, "op.cpp"))
  writeLines("
#include <dlfcn.h>
#include <iostream>
#include <ATen/ops/ones.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>
int main(int, char** argv) {
  if (!dlopen(argv[1], RTLD_NOW)) return 1;
  auto module = torch::jit::load(argv[2]);
  std::cout << module.forward({at::ones({3})}).toTensor().sum().item<double>() << std::endl;
}", file.path(folder, "run.cpp"))
  compile <- function(...) {
    status <- system(paste(
      "g++ -std=c++20 -O0", paste0("-D_GLIBCXX_USE_CXX11_ABI=", libtorch$cxx11_abi), libtorch_include_flags(libtorch), ...,
      "-L", shQuote(libtorch$lib), paste0("-Wl,-rpath,", shQuote(libtorch$lib)), "-ltorch -ltorch_cpu -lc10 -ldl"
    ))
    if (status != 0) stop("the compiler failed")
  }
  compile("-fPIC -shared", shQuote(file.path(folder, "op.cpp")), "-o", shQuote(file.path(folder, "libop.so")))
  compile(shQuote(file.path(folder, "run.cpp")), "-o", shQuote(file.path(folder, "run")))
}

test_that("an operator of the user's library is called, traced, saved, and run in C++", {
  skip_if_no_torch()
  skip_on_cran()
  skip_on_os(c("windows", "mac"))
  skip_if(Sys.which("g++") == "", "There is no C++ compiler")
  folder <- withr::local_tempdir()
  build_custom_operator(folder)
  library <- file.path(folder, "libop.so")
  file.copy(library, file.path(folder, "again.so"))
  expect_error(jit_ops$r_test$scaled, "Operator not found", class = "value_error")
  expect_equal(jit_load_library(library), library)
  x <- torch_tensor(c(1, 2))
  expect_equal(as.numeric(jit_ops$r_test$scaled(x)), c(2, 4))
  expect_equal(as.numeric(jit_ops$r_test$scaled(times = 3, x)), c(6, 12))
  expect_equal(as.numeric(jit_ops$r_test$scaled(list(x))), c(2, 4))
  f <- jit_trace(function(x) jit_ops$r_test$scaled(x, 4) + 1, torch_ones(3))
  expect_match(as.character(f$graph), "r_test::scaled", fixed = TRUE)
  file <- file.path(folder, "f.pt")
  jit_save(f, file)
  expect_equal(as.numeric(jit_load(file)(x)), c(9, 17))
  run <- without_library_path(system2(file.path(folder, "run"), shQuote(c(library, file)), stdout = TRUE))
  expect_equal(as.numeric(run), 27)
  expect_snapshot(print(jit_ops$r_test$scaled))
  # The name is taken: an error, and R lives.
  expect_error(jit_load_library(file.path(folder, "again.so")), "register", class = "torch_runtime_error")
  expect_equal(as.numeric(jit_ops$r_test$scaled(x)), c(2, 4))
})

test_that("jit_load_library() refuses what is no library", {
  skip_if_no_torch()
  text <- withr::local_tempfile(lines = "no library")
  expect_error(jit_load_library(text), "Can't open", class = "torch_install_error")
  expect_snapshot({
    show_error(jit_load_library("nowhere.so"))
    show_error(jit_load_library(1))
    show_error(jit_load_library("."))
  })
})
