test_that("boxes do not touch, each is below what it depends on, and edges go around boxes", {
  skip_if_no_torch()
  f <- jit_trace(function(x) {
    a <- torch_relu(x * 2)
    b <- torch_sigmoid(a) + x
    c <- torch_cat(list(a, b, x))
    list(torch_tanh(c) + torch_cat(list(x, x, x)), a)
  }, torch_ones(3))
  for (detail in c("operators", "all")) {
    picture <- graph_picture(f$graph, detail)
    at <- layered_layout(picture)
    left <- at$x - at$width / 2
    right <- at$x + at$width / 2
    n <- nrow(picture$nodes)
    pairs <- which(outer(seq_len(n), seq_len(n), `<`), arr.ind = TRUE)
    apart <- apply(pairs, 1, function(p) at$y[p[1]] != at$y[p[2]] || right[p[1]] < left[p[2]] || right[p[2]] < left[p[1]])
    expect_true(all(apart))
    expect_true(all(left >= 0 & right <= at$size[1] & at$y > 0 & at$y < at$size[2]))
    expect_true(all(at$y[picture$edges$to] > at$y[picture$edges$from]))
    # No way passes through a box at the height of its middle.
    for (i in seq_along(at$ways)) {
      way <- at$ways[[i]]
      inner <- way[-c(1, nrow(way)), , drop = FALSE]
      for (k in seq_len(nrow(inner))) expect_false(any(at$y == inner[k, 2] & left < inner[k, 1] & right > inner[k, 1]))
    }
  }
})

test_that("boxes are as near to their places as they can be without touching", {
  expect_equal(spread(c(0, 100), c(20, 20)), c(0, 100))
  # Both want the same place: they share the way.
  expect_equal(spread(c(50, 50), c(20, 20)), c(29, 71))
  expect_equal(spread(7, 20), 7)
})
