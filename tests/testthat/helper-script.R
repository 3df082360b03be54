# Lines of the test files move.
without_lines <- function(lines) gsub("line [0-9]+", "line N", lines)

plain <- function(value) {
  if (is_torch_tensor(value)) return(as_array(value$detach()))
  if (is.list(value)) return(lapply(unclass(value), plain))
  value
}

# Strings and vectors can't be examples: their types are said.
example_of <- function(value) {
  type <- switch(typeof(value), character = "str", integer = "int", double = "float", logical = "bool")
  if (is.null(type) || is_torch_tensor(value) || (type != "str" && length(value) == 1)) return(value)
  if (length(value) == 1) type else sprintf("List[%s]", type)
}

# The program, after it gave what the R function gives for these arguments, and left them as they were.
expect_same <- function(f, ..., program = NULL) {
  arguments <- list(...)
  program <- program %||% do.call(jit_script, c(list(f), lapply(arguments, example_of)))
  before <- lapply(arguments, plain)
  copies <- lapply(arguments, function(a) if (is_torch_tensor(a)) a$clone() else a)
  expect_equal(plain(do.call(program, arguments)), plain(do.call(f, copies)), tolerance = 1e-6)
  expect_identical(lapply(arguments, plain), before)
  invisible(program)
}

# Programs with real control flow, each with arguments: what they give compiled is compared with what R gives.
script_programs <- function() {
  list(
    newton = list(
      function(a, tolerance = 1e-12) {
        x <- if (a > 1) a else 1
        steps <- 0L
        repeat {
          better <- 0.5 * (x + a / x)
          steps <- steps + 1L
          if (abs(better - x) < tolerance * better || steps > 100L) break
          x <- better
        }
        list(root = better, steps = steps)
      },
      list(list(2), list(1e6), list(0.3))
    ),
    edit_distance = list(
      function(a, b) {
        n <- nchar(a)
        m <- nchar(b)
        cost <- torch_zeros(n + 1L, m + 1L)
        for (i in seq_len(n)) cost[i + 1L, 1] <- i
        for (j in seq_len(m)) cost[1, j + 1L] <- j
        for (i in seq_len(n)) {
          for (j in seq_len(m)) {
            same <- if (substr(a, i, i) == substr(b, j, j)) 0 else 1
            options <- c(
              as.numeric(cost[i, j + 1L]) + 1, as.numeric(cost[i + 1L, j]) + 1, as.numeric(cost[i, j]) + same
            )
            cost[i + 1L, j + 1L] <- min(options)
          }
        }
        as.numeric(cost[n + 1L, m + 1L])
      },
      list(list("kitten", "sitting"), list("flaw", "lawn"), list("same", "same"))
    ),
    greedy_merge = list(
      function(word, vocabulary) {
        tokens <- c("")
        tokens <- head(tokens, 0L)
        at <- 1L
        while (at <= nchar(word)) {
          end <- nchar(word)
          while (end > at && !(substr(word, at, end) %in% vocabulary)) end <- end - 1L
          tokens <- append(tokens, substr(word, at, end))
          at <- end + 1L
        }
        paste(tokens, collapse = "|")
      },
      list(list("unhappiness", c("un", "happi", "ness", "happy")), list("xyz", c("xy", "a")))
    ),
    k_means = list(
      function(x, centres, steps = 10L) {
        for (step in seq_len(steps)) {
          distances <- torch_cdist(x, centres)
          nearest <- torch_argmin(distances, dim = 2)
          moved <- centres$clone()
          for (k in seq_len(centres$size(1))) {
            mine <- nearest == k
            if (as.logical(mine$any())) moved[k, ] <- x[mine]$mean(dim = 1)
          }
          if (as.numeric((moved - centres)$abs()$max()) < 1e-6) break
          centres <- moved
        }
        centres
      },
      list(list(torch_tensor(cbind(c(1, 1.2, 5, 5.1, 0.9), c(1, 0.8, 5, 5.2, 1.1))), torch_tensor(rbind(c(0, 0), c(6, 6)))))
    ),
    kalman = list(
      function(y, seen, q = 0.1, r = 0.5) {
        level <- torch_zeros(1)
        variance <- torch_ones(1) * 10
        levels <- list()
        for (t in seq_len(y$size(1))) {
          variance <- variance + q
          if (as.logical(seen[t])) {
            gain <- variance / (variance + r)
            level <- level + gain * (y[t] - level)
            variance <- (1 - gain) * variance
          }
          levels[[t]] <- level
        }
        torch_cat(levels)
      },
      list(list(torch_tensor(c(1, 2, 0, 4, 5)), torch_tensor(c(TRUE, TRUE, FALSE, TRUE, TRUE))))
    ),
    recurrent = list(
      function(x, w, u, limit = 3) {
        state <- torch_zeros(w$size(1))
        steps <- 0L
        for (row in torch_unbind(x)) {
          state <- torch_tanh(w$matmul(row) + u$matmul(state))
          steps <- steps + 1L
          if (as.numeric(state$norm()) > limit) break
        }
        list(state = state, steps = steps)
      },
      list(list(torch_tensor(matrix(1:6 / 6, 3)), torch_tensor(matrix(1:6 / 4, 3)), torch_tensor(diag(3))), list(
        torch_tensor(matrix(1:6 / 6, 3)), torch_tensor(matrix(1:6 / 4, 3)), torch_tensor(diag(3)), 1
      ))
    ),
    beam = list(
      function(scores, width = 2L) {
        best <- list(list(path = c(0L), score = 0))
        for (t in seq_len(scores$size(1))) {
          grown <- head(best, 0L)
          for (hypothesis in best) {
            for (word in seq_len(scores$size(2))) {
              grown <- append(grown, list(list(
                path = c(hypothesis$path, word), score = hypothesis$score + as.numeric(scores[t, word])
              )))
            }
          }
          best <- head(grown, 0L)
          while (length(best) < width && length(best) < length(grown)) {
            top <- 0L
            for (i in seq_along(grown)) {
              used <- FALSE
              for (kept in best) if (identical(kept$score, grown[[i]]$score)) used <- TRUE
              if (!used && (top == 0L || grown[[i]]$score > grown[[top]]$score)) top <- i
            }
            best <- append(best, list(grown[[top]]))
          }
        }
        best[[1]]$path
      },
      list(list(torch_tensor(log(matrix(c(0.5, 0.1, 0.3, 0.3, 0.2, 0.6), 2)))))
    ),
    line_search = list(
      function(x, steps = 5L) {
        for (step in seq_len(steps)) {
          point <- x$detach()$requires_grad_(TRUE)
          loss <- ((point - 3)^2)$sum() + (point^4)$sum() * 0.01
          slope <- autograd_grad(loss, point)[[1]]
          size <- 1
          repeat {
            tried <- x - size * slope
            value <- ((tried - 3)^2)$sum() + (tried^4)$sum() * 0.01
            if (as.logical(value < loss$detach()) || size < 1e-4) break
            size <- size / 2
          }
          x <- x - size * slope
        }
        x
      },
      list(list(torch_tensor(c(-1, 5))))
    ),
    tree = list(
      function(feature, threshold, left, right, value, x) {
        node <- 1L
        while (feature[[node]] > 0L) {
          node <- if (as.logical(x[feature[[node]]] <= threshold[[node]])) left[[node]] else right[[node]]
        }
        value[[node]]
      },
      list(
        list(c(1L, 0L, 2L, 0L, 0L), c(0.5, 0, 1.5, 0, 0), c(2L, 0L, 4L, 0L, 0L), c(3L, 0L, 5L, 0L, 0L), c(0, 10, 0, 20, 30),
          torch_tensor(c(0.7, 2)))
      )
    ),
    slice_sampler = list(
      function(x, uniform) {
        at <- 1L
        log_density <- function(z) -z^2 / 2
        height <- log_density(x) + log(uniform[[at]])
        low <- x - uniform[[at + 1L]]
        high <- low + 1
        at <- at + 2L
        while (log_density(low) > height) low <- low - 1
        while (log_density(high) > height) high <- high + 1
        repeat {
          tried <- low + uniform[[at]] * (high - low)
          at <- at + 1L
          if (log_density(tried) >= height || at > length(uniform)) break
          if (tried < x) low <- tried else high <- tried
        }
        tried
      },
      list(list(0.5, c(0.3, 0.7, 0.95, 0.05, 0.5, 0.4)), list(-2, c(0.9, 0.1, 0.01, 0.99, 0.5, 0.5)))
    )
  )
}
