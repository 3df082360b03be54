# Ctrl-C in compiled R functions.

test_that("an interrupt ends a loop of any kind soon", {
  skip_if_no_torch()
  skip_on_os("windows")
  loops <- list(
    numbers = list(function(n) { k <- 0; i <- 0; while (i < n) { k <- k + sqrt(i); i <- i + 1 }; k }, 1e12),
    tensors = list(function(x, n) { for (i in seq_len(n)) x <- x * 0.5 + 1; x }, torch_ones(3), 2000000000L),
    strings = list(function(n) { s <- ""; while (nchar(s) < n) if (s == "x") s <- "y"; s }, 5L),
    vectors = list(function(n) { repeat { out <- lapply(1:1000, function(i) i * 2.0); if (length(out) == 5L) break }; n }, 1L),
    elements = list(function(x) { repeat { x[1] <- x[2] + 1; if (as.logical(x[1] < 0)) break }; x }, torch_ones(3)),
    sorted = list(function(v) { repeat { if (length(unique(order(v))) == 5L) break }; v }, as.numeric(300000:1)),
    sets = list(function(v) { repeat { if (any(v %in% c(1, v * 2) & v < 0)) break }; v }, as.numeric(1:300000)),
    sums = list(function(v) { repeat { v <- cumsum(v * 2) - v; if (sum(v) > 5) break }; v }, numeric(300000)),
    mapped = list(function(v) { repeat { if (length(Map(function(a, b) a * b, v, v)) == 5L) break }; v }, numeric(300000)),
    folded = list(function(v) { repeat { if (Reduce(function(a, b) a + b, v) > 5) break }; v }, numeric(300000)),
    tasks = list(function(n) {
      repeat if (jit_wait(jit_fork(function(z) { v <- numeric(100000); for (i in 1:100) v <- v + z; sum(v) }, n)) < 0) break
      n
    }, 1),
    forked = list(function(x) {
      jit_wait(jit_fork(function(z) { repeat { z <- z * 0.5; if (as.logical(z$sum() > 10)) break }; z }, x))
    }, torch_ones(3))
  )
  for (name in names(loops)) {
    program <- do.call(jit_script, c(loops[[name]][1], lapply(loops[[name]][-1], example_of)))
    system(sprintf("(sleep 0.5; kill -INT %d) &", Sys.getpid()))
    start <- proc.time()[["elapsed"]]
    expect_true(tryCatch({ do.call(program, loops[[name]][-1]); FALSE }, interrupt = function(i) TRUE), info = name)
    # Half a second until the signal comes, as long for the program to end, and as long again where others compute.
    expect_lt(proc.time()[["elapsed"]] - start, 1.5)
  }
})
