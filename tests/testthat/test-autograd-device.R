# A device of its own thread (fixtures/device.cpp), in a session of its own, which is ended where it hangs.
with_toy_device <- function(code) {
  skip_if_no_torch()
  skip_on_cran()
  skip_if_not_installed("callr")
  skip_on_os(c("windows", "mac"))
  libtorch <- libtorch_find()
  skip_if(numeric_version(libtorch$version) < "2.9", "This LibTorch takes a device otherwise")
  skip_if(cuda_is_available(), "LibTorch has room for one kind of device")
  skip_if(Sys.which("g++") == "", "There is no C++ compiler")
  library <- withr::local_tempfile(fileext = ".so")
  expect_identical(system(paste(
    "g++ -std=c++20 -O0 -fPIC -shared", paste0("-D_GLIBCXX_USE_CXX11_ABI=", libtorch$cxx11_abi),
    libtorch_include_flags(libtorch), shQuote(test_path("fixtures/device.cpp")), "-o", library,
    "-L", shQuote(libtorch$lib), "-ltorch_cpu -lc10"
  )), 0L)
  callr::r(function(library, code) {
    library(torch)
    jit_load_library(library)
    code()
  }, list(library, code), timeout = 120)
}

test_that("the thread of a device is served: hooks, derivatives and gradients inside of them, to any depth", {
  got <- with_toy_device(function() {
    leaf <- function(x) torch_tensor(x)$to(device = "toy")$requires_grad_(TRUE)
    numbers <- function(x) as.numeric(x$cpu())
    out <- list()
    x <- leaf(c(1, 2, 3))
    (x * x)$sum()$backward()
    out$plain <- numbers(x$grad)
    x$grad <- NULL
    hook <- x$register_hook(function(g) g * 2)
    (x * x)$sum()$backward()
    out$hook <- numbers(x$grad)
    hook$remove()

    # Gradients inside of a hook need the thread that waits for it.
    w <- leaf(2)
    v <- leaf(3)
    v$register_hook(function(g) g * autograd_grad(with_enable_grad(w * w * w), w)[[1]])
    (v * 5)$backward()
    out$nested <- numbers(v$grad)
    deep <- function(k) {
      x <- leaf(1)
      x$register_hook(function(g) {
        depth <<- depth + 1
        autograd_set_grad_mode(TRUE)
        if (k > 1) deep(k - 1)
        NULL
      })
      (x * 2)$backward()
    }
    depth <- 0
    deep(70)
    out$depth <- depth
    unit <- jit_compile("def f(w):\n  g = torch.autograd.grad([(w * w * w).sum()], [w])[0]\n  assert g is not None\n  return g\n")
    u <- leaf(3)
    u$register_hook(function(g) g * with_enable_grad(unit$f(w)))
    (u * 5)$backward()
    out$program <- numbers(u$grad)

    cube <- autograd_function(
      function(ctx, x) {
        ctx$save_for_backward(x = x)
        x * x * x
      },
      function(ctx, grad) list(x = grad * 3 * ctx$saved_variables$x * ctx$saved_variables$x)
    )
    first <- autograd_grad(cube(w)$sum(), w, create_graph = TRUE)[[1]]
    out$derivatives <- c(numbers(first), numbers(autograd_grad(first$sum(), w)[[1]]))

    fails <- function(k) {
      x <- leaf(1)
      x$register_hook(function(g) {
        autograd_set_grad_mode(TRUE)
        if (k > 1) fails(k - 1) else stop("at the bottom")
      })
      (x * 2)$backward()
    }
    message <- function(code) tryCatch(code, error = conditionMessage, interrupt = function(i) "interrupted")
    out$errors <- c(message(fails(1)), message(fails(5)), message(fails(70)))
    y <- leaf(1)
    hook <- y$register_hook(function(g) {
      tools::pskill(Sys.getpid(), tools::SIGINT)
      Sys.sleep(5)
    })
    out$interrupt <- message((y * 2)$backward())
    hook$remove()
    y$register_hook(function(g) {
      warning("noticed")
      g
    })
    out$warning <- tryCatch((y * 2)$backward(), warning = conditionMessage)
    z <- leaf(1)
    (z * 2)$backward()
    out$after <- numbers(z$grad)
    out
  })
  if (!interrupts_arrive()) got$interrupt <- "interrupted"
  expect_mapequal(got, list(
    plain = c(2, 4, 6), hook = c(4, 8, 12), nested = 5 * 3 * 2^2, depth = 70, program = 5 * 3 * 2^2, derivatives = c(12, 12),
    errors = rep("at the bottom", 3), interrupt = "interrupted", warning = "noticed", after = 2
  ))
})
