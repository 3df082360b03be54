# Control flow of R functions that are compiled, and the types that variables find. What a program gives is compared with
# what R gives (helper-script.R).

test_that("control flow means what it means in R", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, -2, 3))
  expect_same(function(n) {
    steps <- 0L
    while (n != 1L) {
      n <- if (n %% 2L == 0L) n %/% 2L else 3L * n + 1L
      steps <- steps + 1L
    }
    steps
  }, 27L)
  for (n in c(1L, 4L)) expect_same(function(n) {
    total <- 0L
    for (i in n:1) total <- total * 2L + i
    total
  }, n)
  for (start in 0:3) expect_same(function(x, n) {
    i <- n
    repeat {
      i <- i + 1L
      if (i >= 6L) break
      if (i == 3L) next
      x <- x + i
    }
    x
  }, x, start)
  for (value in c(0, 1, 3)) expect_same(function(x) {
    if (x > 2) return(x)
    for (i in 1:3) if (i * x == 2) return(x * 10)
    -1
  }, value)
  for (word in c("a", "b", "c", "other")) {
    expect_same(function(word, x) switch(word, a = , b = x + 1, c = {
      y <- x * 2
      y * 2
    }, x - 1), word, 3)
  }
  for (n in c(0L, 2L, 5L)) expect_same(function(n) {
    y <- if (n > 3L) "large" else if (n > 1L) "middle" else "small"
    paste0(y, " ", n)
  }, n)
  # The loop's variable keeps its last value, and what a loop assigns is there after it.
  expect_same(function(n) {
    for (i in seq_len(n)) last <- i * 2L
    c(i, last)
  }, 4L)
  expect_error(jit_script(function(n) {
    for (i in seq_len(n)) last <- i
    last
  }, 1L)(0L), "object 'last' not found", class = "torch_runtime_error")
})

# Two rules of LibTorch's are wrong: what a loop's last round leaves is forgotten where it is asked what may be the same
# value, and a loop of one result may be computed behind what is used with it.
test_that("loops that change what the round before left give what R gives, in Python too", {
  skip_if_no_torch()
  in_while <- function(v, n) {
    w <- 0L
    while (w < 3L && n > 0L) {
      w <- w + 1L
      v[1] <- 3.65
      v <- c(3.38, -3.34)
    }
    v
  }
  in_place <- function(x, n) {
    x <- x$clone()
    for (i in seq_len(n)) {
      x$add_(1)
      x <- torch_zeros(2)
    }
    x
  }
  dictionary <- function(n) {
    d <- jit_dict(c("a"), c(1))
    for (i in seq_len(n)) {
      d[["a"]] <- 5
      d <- jit_dict(c("a"), c(2))
    }
    d[["a"]]
  }
  behind <- function(y, yes) {
    n <- 1
    z <- y * 2
    w <- z / 3
    if (yes) {
      z <- y * 3
      for (i in 1:3) n <- z * 2 + n
    } else {
      z <- 1
    }
    c(z, n, w)
  }
  summed <- function(v, yes) {
    total <- 0
    if (yes) {
      both <- list(v * 2, sum(v))
      total <- both[[2]] + sum(both[[1]])
    }
    total
  }
  branch_before <- function(n, s) {
    for (turn in 1:3) {
      n <- if (s == "") 5L else nchar(s)
      for (k in seq_len(1)) {
        s <- paste0(s, s)
        n <- nchar(s)
      }
    }
    if (s == "bc") {
      n <- 2L * n
      s <- paste0(s, "a")
    }
    n + nchar(s)
  }
  programs <- list(
    list(branch_before, 5L, "b"), list(in_while, c(1, 2), 1L), list(in_place, torch_ones(2), 3L), list(dictionary, 3L), list(behind, 1, TRUE),
    list(summed, c(1, 2, 3), TRUE)
  )
  for (it in programs) {
    program <- do.call(expect_same, it)
    for (i in 1:3) do.call(expect_same, c(it, list(program = program)))
    path <- withr::local_tempfile(fileext = ".pt")
    jit_save(program, path)
    arguments <- lapply(it[-1], function(a) if (is_torch_tensor(a)) as_array(a) else a)
    got <- python_eval("
m = torch.jit.load(path)
a = [torch.tensor(a, dtype=torch.float) if tensor and i == 0 else a for i, a in enumerate(arguments)]
flat = lambda r: r.tolist() if torch.is_tensor(r) else [flat(x) for x in r] if isinstance(r, (list, tuple)) else r
for i in range(3): r = m(*a)
result = flat(r)
", path = path, arguments = arguments, tensor = is_torch_tensor(it[[2]]))
    wanted <- plain(do.call(it[[1]], it[-1]))
    expect_equal(unlist(got), unlist(wanted), tolerance = 1e-6)
  }
})

test_that("a variable finds the type that all its values have", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, -2, 3))
  expect_same(function(x) {
    total <- 0
    for (i in 1:3) total <- total + x[i]
    total
  }, x)
  for (n in 0:4) expect_same(function(n) {
    best <- NULL
    for (i in seq_len(n)) if (is.null(best) || i %% 3L > best) best <- i %% 3L
    if (is.null(best)) -1L else best
  }, n)
  for (n in 1:3) expect_same(function(n) {
    y <- 1L
    for (i in seq_len(n)) y <- y / 2
    y
  }, n)
  for (n in 1:3) expect_same(function(n) {
    out <- list()
    for (i in seq_len(n)) out[[i]] <- i * 1.5
    length(out) + sum(unlist(out))
  }, n)
  expect_same(function(n) {
    words <- list()
    words[["one"]] <- n
    words[["two"]] <- n + 1L
    words[["one"]] + words[["two"]]
  }, 3L)
})

test_that("numbers that get their first value in a loop or branch are numbers, and missed where they have none", {
  skip_if_no_torch()
  programs <- list(
    repeated = function(n) {
      i <- 0L
      repeat {
        i <- i + 1L
        last <- i * 0.5
        if (i >= n) break
      }
      last
    },
    skipped = function(n) {
      for (i in seq_len(n)) {
        if (i %% 2L == 0L) next
        odd <- i
      }
      odd
    },
    logical = function(n) {
      if (n > 2L) big <- n > 3L
      if (n > 2L && big) 1L else 0L
    },
    wider = function(n) {
      if (n > 3L) y <- 1L else if (n > 0L) y <- 2.5
      y
    },
    inner = function(n) {
      if (n > 1L) y <- n * 2L
      add <- function(a) a + y
      add(1L)
    },
    nested = function(n) {
      for (i in seq_len(n)) {
        for (j in seq_len(i - 1L)) found <- i * 10L + j
      }
      found
    },
    both = function(n) {
      if (n > 1L) y <- 1L else z <- 2L
      if (n > 1L) y else z
    }
  )
  for (name in names(programs)) {
    program <- jit_script(programs[[name]], 1L)
    for (n in 0:5) {
      wanted <- tryCatch(programs[[name]](n), error = function(e) "no value")
      got <- tryCatch(program(n), error = function(e) if (grepl("^object '.*' not found", conditionMessage(e))) "no value" else e)
      expect_equal(got, wanted, info = paste(name, n))
    }
    expect_false(grepl("Optional", program$code), info = name)
  }
  expect_error(jit_script(function(n) {
    total <- 0
    for (i in seq_len(n)) {
      if (i > 1L) total <- total + before
      before <- i * 2
    }
    total
  }, 1L), "`before` has no value here", class = "torch_error")
  expect_error(jit_script(function(n) {
    if (n > 1L && FALSE) y <- n
    n + y
  }, 1L), "`y` has no value here", class = "torch_error")
  # What is no number is NULL until it has a value.
  expect_error(jit_script(function(n) {
    if (n > 1L) y <- torch_ones(2)
    y
  }, 1L)(1L), "object 'y' not found")
})
