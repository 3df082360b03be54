# LibTorch's own words, as it says them of tensors that an operator has no kernel for.
test_that("a device that is not there is one sentence, wherever it is asked for", {
  skip_if_no_torch()
  skip_if(cuda_is_available(), "There is a CUDA device")
  x <- torch_ones(2)
  expected <- "There is no CUDA device that this LibTorch can use: `install_torch_sitrep()` tells which LibTorch it is."
  message_of <- function(expr) conditionMessage(tryCatch(expr, error = identity))
  expect_equal(message_of(torch_ones(2, device = "cuda")), expected)
  expect_equal(message_of(torch_randn(2, device = "cuda:1")), expected)
  expect_equal(message_of(torch_tensor(1, device = "cuda")), expected)
  expect_equal(message_of(x$cuda()), expected)
  expect_equal(message_of(x$to(device = "cuda")), expected)
  expect_equal(message_of(nn_linear(1, 1)$cuda()), expected)
  expect_equal(message_of(with_device(torch_zeros(2), device = "cuda")), expected)
  expect_equal(message_of(jit_ops$aten$ones(list(2), device = "cuda")), expected)
  expect_equal(message_of(cuda_synchronize()), expected)
  expect_match(message_of(torch_ones(2, device = "mps")), "There is no MPS device", fixed = TRUE)
  # In a program, with the place there.
  unit <- jit_compile("def f(x):\n  return torch.ones(2, device='cuda')\n")
  expect_match(message_of(unit$f(x)), expected, fixed = TRUE)
  expect_match(message_of(unit$f(x)), "device='cuda'", fixed = TRUE)
  expect_lt(nchar(message_of(unit$f(x))), 400)
  # The whole is kept.
  expect_match(tryCatch(torch_ones(2, device = "cuda"), error = identity)$cpp_trace, "registered at|Exception raised")
})

test_that("an operator without a form for a kind of tensor says so, and what helps", {
  skip_if_no_torch()
  x <- torch_ones(2, 3)
  expect_snapshot(error = TRUE, {
    x$to_sparse()$cumsum(1)
    suppressWarnings(torch_quantize_per_tensor(x, 1, 0, torch_quint8()))$cumsum(1)
    torch_ones(2, device = "meta")$nonzero()
  })
})

test_that("every rule makes a sentence of what it is for, and other messages stay", {
  sentence <- function(...) plain_message(paste0(...))
  dump <- paste0(
    "Could not run 'aten::cumsum.out' with arguments from the '%s' backend. This could be because the operator doesn't exist. ",
    "'aten::cumsum.out' is only available for these backends: [CPU, Meta].\n\nCPU: registered at X.cpp:1 [kernel]\n"
  )
  expect_equal(
    sentence(sprintf(dump, "MkldnnCPU")),
    "`cumsum` has no form for MKL-DNN tensors: use `x$to_dense()` to make an ordinary one."
  )
  expect_equal(sentence(sprintf(dump, "SparseCsrCPU")), "`cumsum` has no form for sparse CSR tensors: use `x$to_dense()` to make an ordinary one.")
  expect_equal(sentence(sprintf(dump, "CUDA")), "`cumsum` has no form for tensors of CUDA.")
  no_cuda <- no_device("cuda")
  expect_equal(sentence("PyTorch is not linked with support for cuda devices"), no_cuda)
  expect_equal(sentence("Cannot initialize CUDA without ATen_cuda library. PyTorch splits its backend into two."), no_cuda)
  expect_equal(sentence("No CUDA GPUs are available"), no_cuda)
  expect_equal(sentence("CUDA error: CUDA driver version is insufficient for CUDA runtime version\nSearch for"), no_cuda)
  advice <- "\nCUDA kernel errors might be asynchronously reported at some other API call.\nFor debugging consider passing"
  expect_match(sentence("CUDA error: device-side assert triggered", advice), "^A computation on the GPU failed.*says more\\.$")
  expect_match(
    sentence("CUDA error: misaligned address\nSearch for `cudaErrorMisalignedAddress' in docs", advice),
    "^CUDA error: misaligned address\\. It may come from an earlier call.*tells which\\.$"
  )
  expect_equal(
    sentence("There were no tensor arguments to this function (e.g., an empty list), but no fallback function is registered for schema aten::_cat.  This usually means"),
    "`_cat` needs at least one tensor."
  )
  expect_equal(
    sentence("n > 0 INTERNAL ASSERT FAILED at \"/build/aten/src/X.cpp\":12, please report a bug to PyTorch. Expected more."),
    "Expected more. (A check inside of LibTorch, X.cpp:12.)"
  )
  expect_equal(
    sentence("n > 0 INTERNAL ASSERT FAILED at \"/build/aten/src/X.cpp\":12, please report a bug to PyTorch. "),
    "`n > 0` does not hold. (A check inside of LibTorch, X.cpp:12.)"
  )
  expect_equal(sentence("It failed. Please file an issue on GitHub so that we see it."), "It failed.")
  expect_equal(
    sentence("Expected a to be true, but got false.  (Could this error message be improved?  If so, please report an enhancement request to PyTorch.)"),
    "Expected a to be true, but got false."
  )
  cuda <- "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 1 has a total capacity of 79.11 GiB of which 3.50 GiB is free. Including"
  expect_match(
    sentence(cuda),
    "^There is not enough memory of the CUDA device 1: 20.00 GiB were asked for, and of its 79.11 GiB 3.50 GiB are free\\. .*more\\.$"
  )
  number <- "A text is not a number of the kind that is needed, or is too large."
  for (bare in c("stoll", "stod", "stoi: no conversion", "invalid stoll argument")) expect_equal(sentence(bare), number)
  for (bare in c("vector::_M_range_check: __n (which is 5) >= this->size() (which is 3)",
                 "basic_string::at: __n (which is 5) >= this->size() (which is 3)",
                 "basic_string::substr: __pos (which is 5) > this->size() (which is 3)"))
    expect_equal(sentence(bare), "LibTorch looked for position 5, counted from 0, in a list or text of 3.")
  for (bare in c("map::at", "_Map_base::at", "unordered_map::at: key not found"))
    expect_equal(sentence(bare), "LibTorch looked for a key that is not there.")
  for (bare in c("bad optional access", "bad_optional_access", "std::bad_cast", "bad_function_call", "std::bad_variant_access", "bad any_cast"))
    expect_equal(sentence(bare), "LibTorch needs a value that is not there, or is of another kind.")
  for (bare in c("vector::_M_default_append", "basic_string::_M_create", "cannot create std::vector larger than max_size()"))
    expect_equal(sentence(bare), "A list or text would become longer than any can be.")
  kept <- c("bad cast of a spell", "stolls are for sale", "mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)", "The arguments fit no form of this operator.\nGiven: nothing.")
  expect_equal(vapply(kept, plain_message, ""), kept, ignore_attr = TRUE)
  in_program <- "No CUDA GPUs are available\nIn the TorchScript program:\n  File \"<source>\", line 2\n"
  expect_equal(plain_message(in_program), paste0(no_cuda, "\nIn the TorchScript program:\n  File \"<source>\", line 2\n"))
})

test_that("a lack of memory says what was asked for and what tensors hold", {
  skip_if_no_torch()
  for (cpu in c(
    "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 2048 bytes. Error code 12 (Cannot allocate memory)",
    "[enforce fail at alloc_cpu.cpp:80] data. DefaultCPUAllocator: not enough memory: you tried to allocate 2048 bytes."
  )) {
    expect_match(plain_message(cpu), "^There is not enough memory: 2.0 KiB were asked for, and tensors hold .*more\\.$")
  }
})

test_that("Python's names become R's", {
  skip_if_no_torch()
  expect_identical(plain_message("Use torch.linalg.qr, torch.hann_window, torch.nn.functional.softmax or torch.nosuch."), "Use linalg_qr, torch_hann_window, nnf_softmax or torch.nosuch.")
  expect_identical(plain_message("Specify retain_graph=True, dim=None."), "Specify retain_graph = TRUE, dim = NULL.")
  expect_identical(plain_message("PyTorch's `torch.save()` writes it."), "PyTorch's `torch.save()` writes it.")
  expect_identical(plain_message("Set `options(torch.int64 =)`, or torch.int64"), "Set `options(torch.int64 =)`, or torch_int64")
  expect_identical(plain_message("torch.qr has `torch.int64`"), "torch_qr has `torch.int64`")
  program <- "Unknown name\n  File \"<source>\", line 1\n  torch.ones(2, pin=True)\n  ~~~ <--- HERE"
  expect_identical(plain_message(program), program)
  x <- torch_tensor(2, requires_grad = TRUE)
  y <- x^2
  with_no_grad(x$mul_(2))
  expect_error(y$backward(), "with_detect_anomaly", class = "torch_runtime_error")
})

# A pattern that is tried anew at each letter took minutes for some thousand of them.
test_that("long text of the user in a message is read once", {
  skip_if_no_torch()
  for (long in c(strrep("a", 5000), strrep("a ", 5000), strrep(" ", 5000), strrep("a.", 2500), strrep("\n", 5000))) {
    expect_lt(system.time(expect_identical(plain_message(long), long))[["elapsed"]], 2)
    head <- "The following operation failed in the TorchScript interpreter.\nTraceback of TorchScript (most recent call last):\n"
    expect_lt(system.time(problem_first(paste0(head, long)))[["elapsed"]], 2)
  }
  expect_error(torch_ones(2)[strrep("a", 5000)], "not the character \"a{57}\\.\\.\\.\"")
})

test_that("an operator that programs can't hold is told by its name", {
  skip_if_no_torch()
  told <- "Programs have no operator for this form of `view()`: compute it outside of the trace."
  expect_identical(plain_message(
    "We don't have an op for aten::view but it isn't a special case.  Argument types: Tensor, int, \n\nCandidates:\n\taten::view(...)"
  ), told)
  # LibTorch 1.13 records it.
  said <- tryCatch(jit_trace(function(x) x$view(dtype = torch_int()), torch_ones(2)), error = conditionMessage)
  if (is.character(said)) expect_identical(said, told)
})
