# Programs as packages and books have them (see test-packages.R): images, graphs, sounds, texts.

test_that("images: transforms, boxes and masks, residual networks", {
  skip_if_no_torch()
  torch_manual_seed(4)
  withr::local_seed(4)
  image <- array(runif(4 * 6 * 3), c(4, 6, 3))
  to_tensor <- function(x) torch_tensor(x)$permute(c(3, 1, 2))
  x <- to_tensor(image)
  expect_plane <- function(got, plane, expected) expect_equal(as_array(got)[plane, , ], expected, tolerance = 1e-5)
  centre <- c(0.485, 0.456, 0.406)
  normalised <- x$clone()$sub_(torch_tensor(centre)$unsqueeze(2)$unsqueeze(3))$div_(torch_tensor(c(0.2, 0.3, 0.4))[, NULL, NULL])
  expect_plane(normalised, 3, (image[, , 3] - centre[3]) / 0.4)
  expect_plane(torch_flip(x, dim = -1), 1, image[, 6:1, 1])
  expect_plane(x$flip(-2), 2, image[4:1, , 2])
  expect_plane(x[.., 2:3, 3:5], 3, image[2:3, 3:5, 3])
  resized <- function(size, mode) nnf_interpolate(x$unsqueeze(1), size = size, mode = mode)$squeeze(1)
  expect_plane(resized(c(2, 3), "nearest"), 1, image[c(1, 3), c(1, 3, 5), 1])
  expect_identical(resized(c(8L, 12L), "bilinear")$shape, c(3L, 8L, 12L))
  planes <- x$unbind(dim = -3)
  gray <- (0.2989 * planes[[1]] + 0.587 * planes[[2]] + 0.114 * planes[[3]])$unsqueeze(dim = -3)
  expect_plane(gray, 1, apply(image, 1:2, function(v) sum(v * c(0.2989, 0.587, 0.114))))
  grid <- nnf_affine_grid(torch_tensor(c(1, 0, 0, 0, 1, 0))$reshape(c(1, 2, 3)), c(1, 3, 4, 6), align_corners = FALSE)
  expect_plane(nnf_grid_sample(x$unsqueeze(1), grid, align_corners = FALSE)$squeeze(1), 1, image[, , 1])
  page <- x$new_full(c(3, 11, 15), 0)
  page$narrow(2, 2, 4)$narrow(3, 9, 6)$copy_(x)
  expect_plane(page[, 2:5, 9:14], 1, image[, , 1])

  masks <- torch_zeros(2, 10, 10, dtype = torch_bool())
  masks[1, 2:4, 3:7] <- TRUE
  masks[2, 6, 1:10] <- TRUE
  boxes <- lapply(1:2, function(i) {
    at <- torch_where(masks[i, ..])
    vapply(list(at[[2]]$min(), at[[1]]$min(), at[[2]]$max(), at[[1]]$max()), function(v) v$item(), 1L)
  })
  expect_identical(boxes, list(c(3L, 2L, 7L, 4L), c(1L, 6L, 10L, 6L)))
  drawn <- torch_full(c(3, 10, 10), 255)$to(torch_uint8())
  drawn[, masks[1, ..]] <- torch_tensor(c(255, 0, 0))$to(dtype = torch_uint8())[, NULL]
  expect_identical(as_array(drawn)[2, 3:5, 2], as.raw(c(0, 0, 255))[c(3, 3, 3)])
  expect_identical(as_array(drawn)[2, 2:5, 3], as.raw(c(0, 0, 0, 255)))
  area <- function(b) (b[, 3] - b[, 1]) * (b[, 4] - b[, 2])
  overlap <- function(a, b) {
    low <- torch_max(a[, newaxis, 1:2], other = b[, 1:2])
    sides <- (torch_min(a[, newaxis, 3:4], other = b[, 3:4]) - low)$clamp(min = 0)
    both <- sides[, , 1] * sides[, , 2]
    both / (area(a)[, newaxis] + area(b) - both)
  }
  squares <- torch_tensor(rbind(c(0, 0, 2, 2), c(1, 1, 3, 3)))
  expect_equal(as_array(overlap(squares, squares)), matrix(c(1, 1 / 7, 1 / 7, 1), 2), tolerance = 1e-6)

  basic <- nn_module("basic", expansion = 1,
    initialize = function(inputs, outputs, stride = 1, shortcut = NULL) {
      self$conv <- nn_conv2d(inputs, outputs, kernel_size = 3, stride = stride, padding = 1, bias = FALSE)
      self$bn <- nn_batch_norm2d(outputs)
      self$relu <- nn_relu(inplace = TRUE)
      self$shortcut <- shortcut
    },
    forward = function(x) {
      around <- if (is.null(self$shortcut)) x else self$shortcut(x)
      self$relu(self$bn(self$conv(x)) + around)
    }
  )
  residual <- nn_module("residual",
    initialize = function(block) {
      self$width <- 4
      self$layer1 <- self$.make_layer(block, 8, 2)
      for (child in private$modules_) if (inherits(child, "nn_sequential")) child$apply(function(m) {
        if (inherits(m, "nn_batch_norm2d")) nn_init_constant_(m$weight, 0.5)
      })
      self$fc <- nn_linear(8 * block$public_fields$expansion, 2)
    },
    .make_layer = function(block, width, n) {
      shortcut <- nn_sequential(nn_conv2d(self$width, width, 1, stride = 2, bias = FALSE), nn_batch_norm2d(width))
      layers <- list(block(self$width, width, 2, shortcut))
      self$width <- width
      for (i in seq(2, n)) layers[[i]] <- block(self$width, width)
      do.call(nn_sequential, layers)
    },
    forward = function(x) self$fc(torch_flatten(nnf_adaptive_avg_pool2d(self$layer1(x), c(1, 1)), start_dim = 2))
  )
  one <- residual(basic)
  expect_identical(as_array(one$state_dict()[["layer1.0.shortcut.1.weight"]]), rep(0.5, 8))
  other <- residual(basic)
  other$load_state_dict(one$state_dict())
  input <- torch_randn(2, 4, 8, 8)
  expect_equal(as_array(one$eval()(input)), as_array(other$eval()(input)))
})

test_that("graphs of modules, batches by positions, tokens of numbers", {
  skip_if_no_torch()
  torch_manual_seed(5)
  graph <- nn_module("graph",
    initialize = function(modules, edges, output) {
      self$nodes <- nn_module_dict(modules)
      private$.edges <- edges
      self$output <- output
    },
    forward = function(...) {
      values <- list(...)
      for (name in names(self$edges)) values[[name]] <- do.call(self$nodes[[name]], unname(values[self$edges[[name]]]))
      values[[self$output]]
    },
    private = list(.edges = NULL),
    active = list(edges = function(value) if (missing(value)) private$.edges else rlang::abort("It is read only."))
  )
  merged <- nn_module("merged", forward = function(...) Reduce(torch_add, list(...)))
  g <- graph(
    list(a = nn_linear(2, 3), b = nn_linear(1, 3), m = merged(), o = nn_linear(3, 1)), list(a = "x", b = "y", m = c("a", "b"), o = "m"), "o"
  )
  p <- lapply(g$parameters, as_array)
  expect_named(p, paste0("nodes.", rep(c("a", "b", "o"), each = 2), c(".weight", ".bias")))
  x <- torch_randn(4, 2)
  y <- torch_randn(4, 1)
  inner <- as_array(x) %*% t(p[[1]]) + as_array(y) %*% t(p[[3]]) + rep(p[[2]] + p[[4]], each = 4)
  expect_equal(as_array(g(x = x, y = y)), inner %*% t(p[[5]]) + p[[6]], tolerance = 1e-5)
  expect_error(g$edges <- 1, "read only")
  for (name in grep("^nodes.a", names(g$parameters), value = TRUE)) g$parameters[[name]]$requires_grad_(FALSE)
  expect_identical(sum(vapply(g$parameters, function(p) p$requires_grad, NA)), 4L)
  g$load_state_dict(torch_load(torch_serialize(g$state_dict())))
  optimizer <- optim_adam(g$parameters)
  optimizer$load_state_dict(torch_load(torch_serialize(optimizer$state_dict())))

  # A dataset that decides in `initialize` how batches are made.
  task <- dataset("task",
    initialize = function(data) {
      self$data <- data
      self$.getbatch <- private$.rows
    },
    .getbatch = NULL, .length = function() nrow(self$data),
    private = list(.rows = function(index) list(
      x = list(numbers = torch_tensor(as.matrix(self$data[index, , drop = FALSE]))), .index = torch_tensor(index, dtype = torch_long())
    ))
  )
  batch <- dataloader_next(dataloader_make_iter(dataloader(task(mtcars[, 1:3]), batch_size = 10)))
  expect_equal(as_array(batch$x$numbers), unname(as.matrix(mtcars[1:10, 1:3])), tolerance = 1e-6)
  expect_identical(as_array(batch$.index), 1:10)

  tokens <- nn_module("tokens",
    initialize = function(n, size) {
      self$weight <- nn_parameter(torch_empty(n, size))
      self$bias <- nn_parameter(torch_empty(n, size))
      self$reset_parameters()
    },
    reset_parameters = function() {
      bound <- 1 / sqrt(self$weight$shape[2])
      for (name in c("weight", "bias")) nn_init_uniform_(self[[name]], -bound, bound)
    },
    forward = function(input) self$weight$unsqueeze(1) * input$unsqueeze(-1) + self$bias$unsqueeze(1)
  )
  k <- tokens(3, 4)
  expect_equal(as_array(k(torch_ones(2, 3)))[2, , ], as_array(k$weight) + as_array(k$bias), tolerance = 1e-6)
  expect_null(do.call(nn_linear, list(in_features = 2, out_features = 1, bias = FALSE))$bias)
})

test_that("sounds, series of several lengths, and what explains a network", {
  skip_if_no_torch()
  torch_manual_seed(6)
  wave <- torch_tensor(sin(2 * pi * (0:799) / 8))
  window <- torch_hann_window(80)
  spectrum <- torch_stft(wave, n_fft = 80, hop_length = 40, win_length = 80, window = window, center = FALSE, return_complex = TRUE)
  frames <- vapply(seq(1, 721, 40), function(at) Mod(fft(as_array(wave)[at:(at + 79)] * as_array(window))[1:41]), numeric(41))
  expect_equal(as_array(torch_abs(spectrum)), frames, tolerance = 1e-4)
  centred <- torch_stft(wave, 80, hop_length = 40, window = window, return_complex = TRUE)
  expect_equal(as_array(torch_istft(centred, 80, hop_length = 40, window = window, length = 800)), as_array(wave), tolerance = 1e-4)

  padded <- nn_utils_rnn_pad_sequence(list(torch_ones(3), torch_ones(5) * 2), batch_first = TRUE, padding_value = 0)
  expect_identical(as_array(padded), rbind(c(1, 1, 1, 0, 0), c(2, 2, 2, 2, 2)))
  lengths <- torch_tensor(c(3L, 5L))
  mask <- torch_arange(1, 5)$unsqueeze(1) <= lengths$unsqueeze(2)
  expect_identical(as_array(mask), as_array(padded > 0) | as_array(padded > 1))
  quantiles <- torch_tensor(c(0.1, 0.5, 0.9))
  pinball <- function(error) torch_max(quantiles * error, other = (quantiles - 1) * error)$sum(-1)$mean()
  expect_equal(pinball(torch_ones(4, 1))$item(), 1.5, tolerance = 1e-6)
  attention <- nn_multihead_attention(4, 2)
  z <- torch_randn(5, 2, 4)
  weights <- as_array(attention(z, z, z, attn_mask = torch_ones(5, 5)$tril() == 0)[[2]])
  expect_identical(unique(weights[1, , ][upper.tri(diag(5))]), 0)
  expect_equal(apply(weights, 1:2, sum), matrix(1, 2, 5), tolerance = 1e-5)

  model <- nn_sequential(nn_conv1d(2, 3, 2), nn_relu(), nn_flatten(), nn_linear(9, 2))
  kinds <- vapply(model$children, function(layer) class(layer)[1], "")
  expect_identical(unname(kinds), c("nn_conv1d", "nn_relu", "nn_flatten", "nn_linear"))
  conv <- model[[1]]
  x <- torch_randn(1, 2, 4, requires_grad = TRUE)
  relevance <- nnf_conv_transpose1d(conv(x), conv$weight, stride = conv$stride, padding = conv$padding)
  expect_identical(relevance$shape, x$shape)
  slope <- autograd_grad(autograd_grad(torch_sum(x^3), x, create_graph = TRUE)[[1]]$sum(), x)[[1]]
  expect_equal(as_array(slope), 6 * as_array(x), tolerance = 1e-5)
})

test_that("language models: made without memory, weights from files, tokens drawn one by one", {
  skip_if_no_torch()
  torch_manual_seed(7)
  attention <- nn_module("attention",
    initialize = function(width, heads, longest) {
      self$heads <- heads
      self$c_attn <- nn_linear(width, 3 * width)
      self$c_proj <- nn_linear(width, width)
      self$bias <- torch_ones(longest, longest)$bool()$tril()$view(c(1, 1, longest, longest)) |> nn_buffer(persistent = FALSE)
    },
    forward = function(x) {
      shape <- x$shape
      n <- shape[2]
      parts <- self$c_attn(x)$view(c(shape[1:2], self$heads, -1))$transpose(2, 3)$split(shape[3] / self$heads, dim = -1)
      scores <- parts[[1]]$matmul(parts[[2]]$transpose(-2, -1)) * (1 / sqrt(parts[[2]]$size(-1)))
      scores <- scores$masked_fill(self$bias[, , 1:n, 1:n] == 0, -Inf)
      nnf_softmax(scores, dim = -1)$matmul(parts[[3]])$transpose(2, 3)$contiguous()$view(shape) |> self$c_proj()
    }
  )
  block <- nn_module("block",
    initialize = function(width, heads, longest) {
      self$ln_1 <- nn_layer_norm(width)
      self$attn <- attention(width, heads, longest)
      self$ln_2 <- nn_layer_norm(width)
      self$mlp <- nn_sequential(nn_linear(width, 4 * width), nn_gelu(approximate = "tanh"), nn_linear(4 * width, width))
    },
    forward = function(x) {
      x <- x + self$attn(self$ln_1(x))
      x + self$mlp(self$ln_2(x))
    }
  )
  language_model <- nn_module("language_model",
    initialize = function(vocabulary, width, heads, longest, layers) {
      self$transformer <- nn_module_dict(list(
        wte = nn_embedding(vocabulary, width), wpe = nn_embedding(longest, width),
        h = nn_sequential(!!!lapply(seq_len(layers), \(i) block(width, heads, longest))), ln_f = nn_layer_norm(width)
      ))
      self$lm_head <- nn_linear(width, vocabulary, bias = FALSE)
    },
    forward = function(x) {
      at <- torch_arange(1, x$size(2), device = x$device)$to(dtype = "long")$unsqueeze(1)
      x <- self$transformer$wte(x) + self$transformer$wpe(at)
      self$lm_head(self$transformer$ln_f(self$transformer$h(x)))
    }
  )
  make <- function() language_model(11, 8, 2, 6, 2)
  model <- make()$eval()
  x <- torch_tensor(matrix(c(1, 5, 3, 2, 7, 11), 1), dtype = "long")
  out <- as_array(model(x))
  expect_identical(dim(out), c(1L, 6L, 11L))
  # What comes later changes nothing.
  other <- x$clone()
  other[1, 6] <- 2L
  expect_equal(as_array(model(other))[1, 1:5, ], out[1, 1:5, ], tolerance = 1e-5)
  file <- withr::local_tempfile(fileext = ".safetensors")
  save_safetensors(model$state_dict(), file)
  again <- with_device(device = "meta", make())
  expect_identical(again$lm_head$weight$device$type, "meta")
  again$load_state_dict(load_safetensors(file), .refer_to_state_dict = TRUE)
  # What no file holds is made anew.
  for (layer in 1:2) again$transformer$h[[layer]]$attn$bias <- model$transformer$h[[layer]]$attn$bias
  expect_equal(as_array(again$eval()(x)), out, tolerance = 1e-6)
  for (i in 1:3) {
    scores <- model(x[, -6:N])[, -1, ] / 0.8
    best <- torch_topk(scores, 3)
    scores[scores < best[[1]][, -1]$unsqueeze(2)] <- -Inf
    drawn <- torch_multinomial(nnf_softmax(scores, -1), num_samples = 1)
    expect_true(drawn$item() %in% as_array(best[[2]]))
    x <- torch_cat(list(x, drawn), dim = 2)
  }
  expect_identical(x$shape, c(1L, 9L))
})
