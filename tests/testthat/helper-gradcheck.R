# Derivatives of operators against central differences. The list is the registry's: every operator that takes and gives
# tensors. Its cases are those of the oracle (helper-oracle-cases.R) and of templates below, with all floating tensors as
# leaves of float64, moved off the points where they have equal or whole values. For a loss L, the real part of the sum of
# all results times random weights, and random directions v, dL along v is compared with (L(x + hv) - L(x - hv)) / 2h: of
# reverse mode, of reverse mode through its own graph (second derivatives), and of forward mode. tools/gradcheck.R prints
# the report.

# --- cases ---------------------------------------------------------------------------------------------------------

image <- function(n = 4L) floats(1L, 2L, n, n)
labels <- function(n, of) whole(n, from = 1L, to = of)
loss_cases <- function(...) {
  list(
    list(self = floats(3, 4), target = floats(3, 4), ...), list(self = floats(3, 4), target = floats(3, 4), reduction = 2L, ...),
    list(self = floats(3), target = floats(3), reduction = 0L, ...)
  )
}
# An argument that is no leaf.
fixed <- function(x) {
  x$fixed <- TRUE
  x
}

# Probabilities, inside of their range, and logarithms of such that add up to 1.
chance <- function(...) floats(..., from = 0.25, to = 0.75)
log_chances <- function(...) {
  x <- floats(...)
  x$logarithms <- TRUE
  x
}

gradcheck_templates <- list(
  "_linalg_eigh" = quote(list(list(A = definite(3)), list(A = definite(2, 3)))),
  adaptive_avg_pool2d = quote(list(list(self = image(), output_size = c(2L, 3L)))),
  adaptive_avg_pool3d = quote(list(list(self = floats(1, 2, 4, 4, 4), output_size = c(2L, 3L, 2L)))),
  adaptive_max_pool1d = quote(list(list(self = floats(2, 3, 8), output_size = 3L))),
  adaptive_max_pool2d = quote(list(list(self = image(), output_size = c(2L, 3L)))),
  adaptive_max_pool3d = quote(list(list(self = floats(1, 2, 4, 4, 4), output_size = c(2L, 3L, 2L)))),
  affine_grid_generator = quote(list(list(theta = floats(2, 2, 3), size = c(2L, 1L, 3L, 4L), align_corners = TRUE))),
  alpha_dropout = quote(list(list(input = floats(3, 4), p = 0.5, train = TRUE))),
  avg_pool2d = quote(list(list(self = image(), kernel_size = 2L), list(self = image(5L), kernel_size = 3L, stride = 2L, padding = 1L, count_include_pad = FALSE))),
  avg_pool3d = quote(list(list(self = floats(1, 2, 4, 4, 4), kernel_size = 2L))),
  batch_norm = quote(list(list(input = floats(4, 3), weight = floats(3), bias = floats(3), running_mean = NULL, running_var = NULL, training = TRUE, momentum = 0.1, eps = 1e-5, cudnn_enabled = FALSE))),
  bilinear = quote(list(list(input1 = floats(2, 3), input2 = floats(2, 4), weight = floats(5, 3, 4), bias = floats(5)))),
  binary_cross_entropy = quote(list(list(self = chance(3, 2), target = chance(3, 2)), list(self = chance(3, 2), target = chance(3, 2), weight = positive(2), reduction = 2L))),
  binary_cross_entropy_with_logits = quote(loss_cases()),
  col2im = quote(list(list(self = floats(1, 8, 4), output_size = c(3L, 3L), kernel_size = 2L, dilation = 1L, padding = 0L, stride = 1L))),
  column_stack = quote(list(list(tensors = list(floats(3), floats(3, 2))))),
  concat = quote(list(list(tensors = list(floats(2, 3), floats(1, 3))), list(tensors = list(floats(2, 3), floats(2, 1)), dim = 2L))),
  concatenate = quote(list(list(tensors = list(floats(2, 3), floats(2, 1)), dim = -1L))),
  constant_pad_nd = quote(list(list(self = floats(2, 3), pad = c(1L, 2L), value = 1), list(self = floats(2, 3), pad = c(-1L, 0L, 1L, 1L)))),
  conv_depthwise3d = quote(list(list(self = floats(1, 2, 3, 3, 3), weight = floats(2, 1, 2, 2, 2), kernel_size = 2L, bias = floats(2), stride = 1L, padding = 0L, dilation = 1L))),
  convolution = quote(list(list(input = image(), weight = floats(3, 2, 2, 2), bias = floats(3), stride = 1L, padding = 1L, dilation = 1L, transposed = FALSE, output_padding = 0L, groups = 1L))),
  copy = quote(list(list(self = floats(2, 3), src = floats(3)))),
  cosine_embedding_loss = quote(list(list(input1 = floats(3, 4), input2 = floats(3, 4), target = values(c(1, -1, 1))))),
  cross_entropy_loss = quote(list(list(self = floats(3, 4), target = labels(3, 4L)), list(self = floats(3, 4), target = unit(3, 4), label_smoothing = 0.1), list(self = floats(3, 4), target = labels(3, 4L), weight = positive(4), reduction = 2L))),
  ctc_loss = quote(list(list(log_probs = log_chances(6, 2, 4), targets = values(c(1L, 2L, 3L, 1L), c(2, 2), "int64"), input_lengths = c(6L, 5L), target_lengths = c(2L, 2L)))),
  cumulative_trapezoid = quote(list(list(y = floats(2, 4)), list(y = floats(2, 4), x = floats(2, 4), dim = 2L))),
  dropout = quote(list(list(input = floats(3, 4), p = 0.5, train = TRUE))),
  elu = quote(list(list(self = floats(5)), list(self = floats(5), alpha = 2, scale = 1.5, input_scale = 0.5))),
  embedding = quote(list(list(weight = floats(5, 3), indices = whole(2, 2, from = 1L)))),
  embedding_bag = quote(list(list(weight = floats(5, 3), indices = values(c(0L, 4L, 2L, 2L), 4, "int64"), offsets = values(c(0L, 2L), 2, "int64")), list(weight = floats(5, 3), indices = values(c(0L, 4L, 2L, 2L), 4, "int64"), offsets = values(c(0L, 2L), 2, "int64"), per_sample_weights = floats(4)), list(weight = floats(5, 3), indices = values(c(0L, 4L, 2L, 1L), 4, "int64"), offsets = values(c(0L, 2L), 2, "int64"), mode = 2L))),
  feature_alpha_dropout = quote(list(list(input = floats(3, 4, 2), p = 0.5, train = TRUE))),
  feature_dropout = quote(list(list(input = floats(3, 4, 2), p = 0.5, train = TRUE))),
  fill = quote(list(list(self = floats(2, 3), value = floats(integer())))),
  fractional_max_pool2d = quote(list(list(self = image(5L), kernel_size = 2L, output_size = 3L, random_samples = fixed(chance(1, 2, 2))))),
  fractional_max_pool3d = quote(list(list(self = floats(1, 1, 4, 4, 4), kernel_size = 2L, output_size = 2L, random_samples = fixed(chance(1, 1, 3))))),
  frobenius_norm = quote(list(list(self = floats(3, 4), dim = c(1L, 2L)), list(self = floats(3, 4), dim = 2L, keepdim = TRUE))),
  gelu = quote(list(list(self = floats(5)), list(self = floats(5), approximate = "tanh"))),
  glu = quote(list(list(self = floats(3, 4)), list(self = floats(4, 3), dim = 1L))),
  gradient = quote(list(list(self = floats(5)), list(self = floats(4, 5), dim = 2L))),
  grid_sampler = quote(list(list(input = image(), grid = floats(1, 3, 3, 2, from = -0.75, to = 0.75), interpolation_mode = 0L, padding_mode = 0L, align_corners = FALSE))),
  grid_sampler_2d = quote(list(list(input = image(), grid = floats(1, 3, 3, 2, from = -0.75, to = 0.75), interpolation_mode = 0L, padding_mode = 1L, align_corners = TRUE), list(input = image(), grid = floats(1, 3, 3, 2, from = -0.75, to = 0.75), interpolation_mode = 2L, padding_mode = 0L, align_corners = FALSE))),
  grid_sampler_3d = quote(list(list(input = floats(1, 2, 3, 3, 3), grid = floats(1, 2, 2, 2, 3, from = -0.75, to = 0.75), interpolation_mode = 0L, padding_mode = 0L, align_corners = FALSE))),
  group_norm = quote(list(list(input = floats(3, 4, 2), num_groups = 2L, weight = floats(4), bias = floats(4)))),
  gru = quote(list(list(input = floats(4, 2, 3), hx = floats(1, 2, 2), params = list(floats(6, 3), floats(6, 2), floats(6), floats(6)), has_biases = TRUE, num_layers = 1L, dropout = 0, train = FALSE, bidirectional = FALSE, batch_first = FALSE))),
  gru_cell = quote(list(list(input = floats(2, 3), hx = floats(2, 2), w_ih = floats(6, 3), w_hh = floats(6, 2), b_ih = floats(6), b_hh = floats(6)))),
  hardtanh = quote(list(list(self = floats(5)), list(self = floats(5), min_val = -0.5, max_val = 2))),
  hinge_embedding_loss = quote(list(list(self = floats(4), target = values(c(1L, -1L, 1L, -1L), 4, "int64")))),
  hspmm = quote(list(list(mat1 = coo(2, 3), mat2 = floats(3, 2)))),
  huber_loss = quote(loss_cases(delta = 0.7)),
  im2col = quote(list(list(self = image(), kernel_size = 2L, dilation = 1L, padding = 0L, stride = 1L))),
  index_put = quote(list(list(self = floats(3, 4), indices = list(values(c(1L, 3L), 2, "int64"), values(c(2L, 2L), 2, "int64")), values = floats(2)), list(self = floats(3, 4), indices = list(whole(4, from = 1L, to = 3L)), values = floats(4), accumulate = TRUE))),
  instance_norm = quote(list(list(input = floats(2, 3, 4), weight = floats(3), bias = floats(3), running_mean = NULL, running_var = NULL, use_input_stats = TRUE, momentum = 0.1, eps = 1e-5, cudnn_enabled = FALSE))),
  kl_div = quote(list(list(self = floats(3, 4, from = -3, to = -1), target = chance(3, 4)), list(self = floats(3, 4), target = floats(3, 4), log_target = TRUE))),
  l1_loss = quote(loss_cases()),
  layer_norm = quote(list(list(input = floats(2, 3, 4), normalized_shape = 4L, weight = floats(4), bias = floats(4)), list(input = floats(2, 3, 4), normalized_shape = c(3L, 4L)))),
  leaky_relu = quote(list(list(self = floats(5)), list(self = floats(5), negative_slope = 0.3))),
  linalg_cross = quote(list(list(self = floats(4, 3), other = floats(4, 3)), list(self = floats(3, 4), other = floats(3, 4), dim = 1L))),
  linalg_diagonal = quote(list(list(A = floats(3, 4)), list(A = floats(2, 3, 4), offset = 1L))),
  linalg_lu = quote(list(list(A = floats(3, 3)), list(A = floats(4, 3)))),
  linalg_lu_factor = quote(list(list(A = floats(3, 3)))),
  linalg_lu_factor_ex = quote(list(list(A = floats(3, 3)))),
  linalg_lu_solve = quote(list(list(LU = triangle(3), pivots = values(1:3, 3, "int32"), B = floats(3, 2)))),
  linalg_matmul = quote(list(list(self = floats(2, 3), other = floats(3, 4)))),
  linalg_matrix_exp = quote(list(list(self = unit(3, 3)), list(self = unit(2, 3, 3)))),
  linalg_solve_ex = quote(list(list(A = definite(3), B = floats(3, 2)))),
  linalg_vander = quote(list(list(x = floats(3)), list(x = floats(2, 3), N = 2L))),
  linalg_vecdot = quote(list(list(x = floats(2, 3), y = floats(2, 3)), list(x = floats(3, 2), y = floats(3, 2), dim = 1L))),
  linear = quote(list(list(input = floats(2, 3), weight = floats(4, 3), bias = floats(4)), list(input = floats(2, 2, 3), weight = floats(4, 3)))),
  linspace = quote(list(list(start = floats(integer()), end = floats(integer()), steps = 5L, dtype = "float64"))),
  logspace = quote(list(list(start = floats(integer()), end = floats(integer()), steps = 5L, dtype = "float64"))),
  lstm = quote(list(list(input = floats(4, 2, 3), hx = list(floats(1, 2, 2), floats(1, 2, 2)), params = list(floats(8, 3), floats(8, 2), floats(8), floats(8)), has_biases = TRUE, num_layers = 1L, dropout = 0, train = FALSE, bidirectional = FALSE, batch_first = FALSE))),
  lstm_cell = quote(list(list(input = floats(2, 3), hx = list(floats(2, 2), floats(2, 2)), w_ih = floats(8, 3), w_hh = floats(8, 2), b_ih = floats(8), b_hh = floats(8)))),
  margin_ranking_loss = quote(list(list(input1 = floats(4), input2 = floats(4), target = values(c(1L, -1L, 1L, -1L), 4, "int64"), margin = 0.3))),
  max_pool1d = quote(list(list(self = floats(2, 3, 8), kernel_size = 2L))),
  max_pool1d_with_indices = quote(list(list(self = floats(2, 3, 8), kernel_size = 3L, stride = 2L))),
  max_pool2d = quote(list(list(self = image(), kernel_size = 2L))),
  max_pool2d_with_indices = quote(list(list(self = image(5L), kernel_size = 3L, stride = 2L, padding = 1L))),
  max_pool3d = quote(list(list(self = floats(1, 2, 4, 4, 4), kernel_size = 2L))),
  max_pool3d_with_indices = quote(list(list(self = floats(1, 2, 4, 4, 4), kernel_size = 2L))),
  max_unpool2d = quote(list(list(self = floats(1, 1, 2, 2), indices = values(c(1L, 4L, 11L, 16L), c(1, 1, 2, 2), "int64"), output_size = c(4L, 4L)))),
  max_unpool3d = quote(list(list(self = floats(1, 1, 1, 2, 2), indices = values(c(1L, 4L, 11L, 16L), c(1, 1, 1, 2, 2), "int64"), output_size = c(1L, 4L, 4L), stride = c(1L, 2L, 2L), padding = 0L))),
  mode = quote(list(list(self = floats(3, 4)), list(self = floats(3, 4), dim = 1L, keepdim = TRUE))),
  mse_loss = quote(loss_cases()),
  multi_margin_loss = quote(list(list(self = floats(3, 4), target = values(c(1L, 4L, 2L), 3, "int64")), list(self = floats(3, 4), target = values(c(1L, 4L, 2L), 3, "int64"), p = 2, margin = 0.7))),
  multilabel_margin_loss = quote(list(list(self = floats(2, 4), target = values(c(4L, 1L, -1L, 1L, 2L, -1L, 1L, 3L), c(2, 4), "int64")))),
  native_batch_norm = quote(list(list(input = floats(4, 3), weight = floats(3), bias = floats(3), running_mean = NULL, running_var = NULL, training = TRUE, momentum = 0.1, eps = 1e-5))),
  native_channel_shuffle = quote(list(list(self = floats(1, 4, 2, 2), groups = 2L))),
  native_dropout = quote(list(list(input = floats(3, 4), p = 0.5, train = TRUE))),
  native_group_norm = quote(list(list(input = floats(3, 4, 2), weight = floats(4), bias = floats(4), N = 3L, C = 4L, HxW = 2L, group = 2L, eps = 1e-5))),
  native_layer_norm = quote(list(list(input = floats(2, 3, 4), normalized_shape = 4L, weight = floats(4), bias = floats(4), eps = 1e-5))),
  nll_loss = quote(list(list(self = floats(3, 4), target = labels(3, 4L)), list(self = floats(3, 4), target = labels(3, 4L), weight = positive(4), reduction = 2L))),
  nll_loss2d = quote(list(list(self = floats(1, 3, 2, 2), target = whole(1, 2, 2, from = 1L, to = 3L)))),
  nll_loss_nd = quote(list(list(self = floats(3, 4), target = labels(3, 4L)))),
  norm_except_dim = quote(list(list(v = floats(3, 4), pow = 2L, dim = 1L))),
  nuclear_norm = quote(list(list(self = floats(3, 4)), list(self = floats(2, 3, 4), dim = c(2L, 3L)))),
  pad = quote(list(list(self = floats(1, 2, 4), pad = c(1L, 2L), mode = "reflect"), list(self = floats(1, 2, 4), pad = c(1L, 2L), mode = "circular"), list(self = floats(2, 4), pad = c(1L, 2L)))),
  pad_sequence = quote(list(list(sequences = list(floats(3, 2), floats(2, 2)), batch_first = TRUE))),
  pairwise_distance = quote(list(list(x1 = floats(3, 4), x2 = floats(3, 4)), list(x1 = floats(3, 4), x2 = floats(3, 4), p = 3, keepdim = TRUE))),
  pixel_unshuffle = quote(list(list(self = floats(1, 2, 4, 4), downscale_factor = 2L))),
  poisson_nll_loss = quote(list(list(input = floats(3), target = positive(3), log_input = TRUE, full = FALSE, eps = 1e-8, reduction = 1L), list(input = positive(3), target = floats(3, from = 1.5, to = 3), log_input = FALSE, full = TRUE, eps = 1e-8, reduction = 2L))),
  reflection_pad1d = quote(list(list(self = floats(2, 4), padding = c(1L, 2L)))),
  reflection_pad2d = quote(list(list(self = image(), padding = c(1L, 2L, 0L, 1L)))),
  reflection_pad3d = quote(list(list(self = floats(1, 2, 3, 3, 3), padding = c(1L, 1L, 0L, 1L, 2L, 0L)))),
  replication_pad1d = quote(list(list(self = floats(2, 4), padding = c(1L, 2L)))),
  replication_pad2d = quote(list(list(self = image(), padding = c(1L, 2L, 0L, 1L)))),
  replication_pad3d = quote(list(list(self = floats(1, 2, 3, 3, 3), padding = c(1L, 1L, 0L, 1L, 2L, 0L)))),
  rms_norm = quote(list(list(input = floats(2, 3, 4), normalized_shape = 4L, weight = floats(4), eps = 1e-5))),
  rnn_relu = quote(list(list(input = floats(4, 2, 3), hx = floats(1, 2, 2), params = list(floats(2, 3), floats(2, 2), floats(2), floats(2)), has_biases = TRUE, num_layers = 1L, dropout = 0, train = FALSE, bidirectional = FALSE, batch_first = FALSE))),
  rnn_relu_cell = quote(list(list(input = floats(2, 3), hx = floats(2, 2), w_ih = floats(2, 3), w_hh = floats(2, 2), b_ih = floats(2), b_hh = floats(2)))),
  rnn_tanh = quote(list(list(input = floats(4, 2, 3), hx = floats(1, 2, 2), params = list(floats(2, 3), floats(2, 2), floats(2), floats(2)), has_biases = TRUE, num_layers = 1L, dropout = 0, train = FALSE, bidirectional = FALSE, batch_first = FALSE))),
  rnn_tanh_cell = quote(list(list(input = floats(2, 3), hx = floats(2, 2), w_ih = floats(2, 3), w_hh = floats(2, 2), b_ih = floats(2), b_hh = floats(2)))),
  row_stack = quote(list(list(tensors = list(floats(2, 3), floats(3))))),
  rrelu = quote(list(list(self = floats(5)), list(self = floats(5), lower = 0.1, upper = 0.3, training = TRUE))),
  rsub = quote(list(list(self = floats(2, 3), other = floats(3)), list(self = floats(2, 3), other = 2, alpha = 3))),
  segment_reduce = quote(list(list(data = floats(5, 2), reduce = "sum", lengths = values(c(2L, 3L), 2, "int64")), list(data = positive(5, 2), reduce = "prod", lengths = values(c(2L, 3L), 2, "int64")))),
  slow_conv3d = quote(list(list(self = floats(1, 2, 3, 3, 3), weight = floats(2, 2, 2, 2, 2), kernel_size = 2L, bias = floats(2), stride = 1L, padding = 1L))),
  slow_conv_dilated2d = quote(list(list(self = image(5L), weight = floats(3, 2, 2, 2), kernel_size = 2L, bias = floats(3), dilation = 2L))),
  slow_conv_dilated3d = quote(list(list(self = floats(1, 2, 4, 4, 4), weight = floats(2, 2, 2, 2, 2), kernel_size = 2L, bias = floats(2), dilation = 2L))),
  slow_conv_transpose2d = quote(list(list(self = image(3L), weight = floats(2, 3, 2, 2), kernel_size = 2L, bias = floats(3), stride = 2L))),
  slow_conv_transpose3d = quote(list(list(self = floats(1, 2, 2, 2, 2), weight = floats(2, 3, 2, 2, 2), kernel_size = 2L, bias = floats(3)))),
  smooth_l1_loss = quote(loss_cases(beta = 0.7)),
  soft_margin_loss = quote(list(list(self = floats(3, 4), target = fixed(floats(3, 4))), list(self = floats(3), target = fixed(floats(3)), reduction = 2L))),
  softplus = quote(list(list(self = floats(5)), list(self = floats(5), beta = 2, threshold = 1))),
  softshrink = quote(list(list(self = floats(5)), list(self = floats(5), lambd = 1))),
  special_log_softmax = quote(list(list(self = floats(2, 3), dim = 2L))),
  special_logsumexp = quote(list(list(self = floats(2, 3), dim = 1L))),
  special_multigammaln = quote(list(list(self = floats(3, from = 2.5, to = 4), p = 2L))),
  special_polygamma = quote(list(list(n = 1L, self = positive(3)))),
  special_softmax = quote(list(list(self = floats(2, 3), dim = -1L))),
  sum = quote(c(dim_cases(\() floats(2, 3), several = TRUE), list(list(self = coo(2, 3))))),
  thnn_conv2d = quote(list(list(self = image(), weight = floats(3, 2, 2, 2), kernel_size = 2L, bias = floats(3), padding = 1L))),
  threshold = quote(list(list(self = floats(5), threshold = 0.5, value = 2))),
  trapezoid = quote(list(list(y = floats(2, 4)), list(y = floats(2, 4), x = floats(2, 4), dim = 2L))),
  triplet_margin_loss = quote(list(list(anchor = floats(3, 4), positive = floats(3, 4), negative = floats(3, 4)), list(anchor = floats(3, 4), positive = floats(3, 4), negative = floats(3, 4), p = 3, swap = TRUE))),
  upsample_bicubic2d = quote(list(list(self = image(), output_size = c(5L, 7L), align_corners = FALSE))),
  upsample_bilinear2d = quote(list(list(self = image(), output_size = c(5L, 7L), align_corners = TRUE))),
  upsample_linear1d = quote(list(list(self = floats(1, 2, 4), output_size = 7L, align_corners = FALSE))),
  upsample_nearest1d = quote(list(list(self = floats(1, 2, 4), output_size = 7L))),
  upsample_nearest2d = quote(list(list(self = image(), output_size = c(5L, 7L)))),
  upsample_nearest3d = quote(list(list(self = floats(1, 2, 3, 3, 3), output_size = c(4L, 5L, 6L)))),
  upsample_trilinear3d = quote(list(list(self = floats(1, 2, 3, 3, 3), output_size = c(4L, 5L, 6L), align_corners = FALSE)))
)
of_fft <- c(
  "fft2", "fftn", "ifft2", "ifftn", "rfft2", "rfftn", "irfft2", "irfftn", "hfft", "hfft2", "hfftn", "ihfft", "ihfft2", "ihfftn",
  "fftshift", "ifftshift"
)
gradcheck_templates[paste0("fft_", of_fft)] <- list(
  quote(list(list(self = floats(3, 4)), list(self = complexes(3, 4)), list(self = floats(3, 4), norm = "ortho")))
)

# Operators of the registry that have no cases, by why.
gradcheck_left_out <- c(
  "^__|^bitwise_|^(gcd|lcm)_?$" = "takes no floating numbers",
  "^_" = "internal",
  "_backward" = "the derivative of another operator: second derivatives reach it",
  "^(cudnn|miopen|mps|mkldnn|fbgemm|quantized|nested)_" = "of another backend",
  "_copy$" = "the operator of the view gives the same",
  "^(q_|quantize_|fake_quantize|choose_qparams|int_repr|dequantize)" = "quantized tensors",
  "^(sparse_|to_sparse|to_mkldnn|ccol|crow|col_indices|row_indices|coalesce|indices$|values$|smm|sspaddmm|resize_as_sparse)" = "layouts other than strided",
  "^(batch_norm_|conv_depthwise3d|slice_inverse|glu_jvp|linalg__powsum|multilabel_margin_loss_forward|nll_loss2?d?_forward|log_sigmoid_forward|slow_conv3d_forward|convolution_overrideable|normal_functional|rrelu_with_noise|thnn_)" = "internal",
  "^(binomial|cauchy|exponential|geometric|log_normal|random|uniform)$" = "functional form of an operator that draws in place",
  "^(set_?|resize_?|resize_as_?|lift|lift_fresh|zero|new_empty|new_empty_strided|empty_like|new_ones|pin_memory|record_stream)$" = "moves or makes memory",
  "^(all|any|count_nonzero|unique_consecutive|copy_sparse|empty_quantized|fused_moving)" = "gives no floating numbers",
  "(dense_tensors|embedding_renorm|hash_tensor|unique_dim|nonzero_numpy|one_hot|isin|native_norm|histogramdd|align_|rename|refine_names|linalg_ldl)" = "gives no derivative"
)

# Results that are known only up to a factor, or not at all, and what of them is known.
gradcheck_results <- list(
  linalg_eig = function(r) list(r[[1]], torch_abs(r[[2]])),
  linalg_eigh = function(r) list(r[[1]], torch_abs(r[[2]])),
  "_linalg_eigh" = function(r) list(r[[1]], torch_abs(r[[2]])),
  linalg_svd = function(r) svd_results(r[[1]], r[[2]], r[[3]]$mT()),
  "_linalg_svd" = function(r) svd_results(r[[1]], r[[2]], r[[3]]$mT()),
  svd = function(r) svd_results(r[[1]], r[[2]], r[[3]])
)
svd_results <- function(u, s, v) {
  k <- utils::tail(dim(s), 1)
  list(torch_abs(torch_narrow(u, -1, 1, k)), s, torch_abs(torch_narrow(v, -1, 1, k)))
}

# Where LibTorch's derivative is not the limit of differences: of real or complex numbers, by which kind, and why that is so.
gradcheck_reasons <- utils::read.table(sep = "|", strip.white = TRUE, header = TRUE, quote = "", text = "
  operator           | numbers | kind    | reason
  _standard_gamma    | real    | first   | the draw is by rejection; the derivative is that of the distribution's quantile
  normal             | real    | all     | mean and deviation of a draw have derivative zero by definition
  as_strided_scatter | all     | first   | LibTorch's formula is wrong here; PyTorch's own gradcheck finds the same
  logical_and_       | all     | all     | in place LibTorch does not see that the result is constant
  logical_not_       | all     | all     | in place LibTorch does not see that the result is constant
  logical_or_        | all     | all     | in place LibTorch does not see that the result is constant
  logical_xor_       | all     | all     | in place LibTorch does not see that the result is constant
  silu_              | complex | all     | out of place LibTorch refuses complex numbers; in place it uses the real formula
  nan_to_num_        | complex | all     | out of place LibTorch refuses complex numbers; in place it uses the real formula
  cholesky_inverse   | all     | forward | LibTorch's formula is wrong here; PyTorch's own gradcheck finds the same
  triangular_solve   | all     | forward | LibTorch's formula is wrong for transpose and unitriangular; PyTorch's own gradcheck finds the same
  _fw_primal         | all     | forward | it drops the tangent, which is what it is for
")

gradcheck_operators <- function() {
  schemas <- read_schemas(readLines(op_file("aten.txt")))
  arguments <- lapply(schemas$arguments, parse_arguments)
  own <- !vapply(arguments, is_out_overload, NA) & grepl("Tensor", schemas$arguments) & grepl("Tensor", schemas$returns)
  unsafe <- vapply(op_notes, function(note) identical(note$unsafe, "yes"), NA)
  setdiff(unique(schemas$operator[own]), names(unsafe)[unsafe])
}

# Argument lists of an operator: those above, else the oracle's, else by its formals, in the usual domains.
gradcheck_arguments <- function(operator) {
  base <- sub("([^_])_$", "\\1", operator)
  variant$dtype <- "float64"
  withr::defer(variant$dtype <- "float32")
  given <- function(templates) unique(Filter(Negate(is.null), unname(templates)))
  templates <- given(gradcheck_templates[c(operator, base)])
  if (!length(templates)) {
    functions <- unlist(lapply(c(operator, base), op_function_name))
    templates <- given(c(oracle_templates[functions], oracle_method_templates[paste0("$", c(operator, base))]))
  }
  out <- unlist(lapply(templates, function(t) eval(t)), recursive = FALSE)
  f <- op_function(operator)
  needed <- names(Filter(function(v) is.symbol(v) && !nzchar(as.character(v)), as.list(formals(f))))
  first <- names(formals(f))[1]
  if (!length(out) && length(needed) <= 1 && first %in% c("self", "input", "x", "A")) {
    out <- lapply(list(
      floats(2, 3), unit(4), positive(integer()), floats(2, 1, 3, from = 1.25, to = 3), floats(3, 3), complexes(2, 3)
    ), function(x) stats::setNames(list(x), first))
  }
  if (!length(out) && length(needed) <= 2 && isTRUE(needed[2] %in% c("other", "exponent", "x", "n"))) {
    out <- lapply(list(
      list(floats(2, 3), floats(2, 3)), list(floats(2, 3), positive(3)), list(positive(2, 1), positive(1, 3)),
      list(unit(2, 2), unit(integer())), list(positive(3), 1.5), list(complexes(2, 3), complexes(3)),
      list(whole(3, from = 1L), positive(2, 3)), list(positive(3), whole(3, from = 1L))
    ), stats::setNames, needed)
  }
  Filter(function(a) any(vapply(a, has_float, NA)), out)
}

is_float <- function(x) {
  inherits(x, "oracle_tensor") && grepl("^(float|complex|bfloat)", x$dtype) && !isTRUE(x$fixed)
}
has_float <- function(x) if (is.list(x) && !inherits(x, "oracle_tensor")) any(vapply(x, has_float, NA)) else is_float(x)

# --- one case ------------------------------------------------------------------------------------------------------

# The values of a leaf: no two equal, none whole or half, inside of the range that they came from.
leaf_values <- function(x, complex) {
  n <- length(x$values)
  off <- function() stats::runif(n, 0.02, 0.08)
  v <- if (is.complex(x$values)) x$values * 0.9 + complex(n, off(), off()) else x$values * 0.9 + off()
  if (complex && !is.complex(v)) v <- complex(n, v, off() * 5)
  dtype <- if (is.complex(v)) "complex128" else "float64"
  (if (n) torch_tensor(v, dtype = dtype) else torch_empty(0, dtype = dtype))$reshape(x$shape)
}

# Arguments with the leaves in their places.
with_leaves <- function(arguments, leaves) {
  at <- 0
  place <- function(x) {
    if (is_float(x)) {
      at <<- at + 1
      t <- leaves[[at]]
      # Operators on such matrices read one half.
      if (isTRUE(x$symmetric)) t <- (t + t$mT()$conj()) / 2
      if (isTRUE(x$triangular)) t <- t$triu(1) + torch_diag_embed(torch_real(t$diagonal()))
      if (isTRUE(x$logarithms)) t <- t$log_softmax(-1)
      return(if (nzchar(x$kind)) oracle_kinds[[x$kind]][[1]](t) else t)
    }
    if (inherits(x, "oracle_tensor")) return(decode_here(x, new.env()))
    if (is.list(x)) lapply(x, place) else x
  }
  lapply(arguments, place)
}

leaves_of <- function(arguments, complex = FALSE) {
  if (is_float(arguments)) return(list(leaf_values(arguments, complex)))
  if (inherits(arguments, "oracle_tensor") || !is.list(arguments)) return(list())
  unlist(lapply(unname(arguments), leaves_of, complex), recursive = FALSE)
}

# All float64 and complex128 tensors among the results.
float_results <- function(r) {
  if (is.list(r)) return(unlist(lapply(unname(r), float_results), recursive = FALSE))
  if (!is_torch_tensor(r) || is_undefined_tensor(r)) return(list())
  if (!as.character(r$dtype) %in% c("Double", "ComplexDouble")) return(list())
  list(dense(r))
}

dense <- function(x) if (x$layout == torch_strided()) x else x$to_dense()

dot <- function(a, b) {
  sum <- torch_tensor(0, dtype = "double")
  for (i in seq_along(a)) {
    if (is_undefined_tensor(a[[i]])) next
    product <- dense(a[[i]]) * b[[i]]$conj()
    sum <- sum + torch_sum(if (product$is_complex()) torch_real(product) else product)
  }
  sum
}

random_like <- function(tensors) lapply(tensors, function(t) torch_randn_like(t$detach()))

# Whether two numbers are the same but for the errors of differences, which grow with the size of what is differenced.
close_enough <- function(have, wanted, size) abs(have - wanted) <= 1e-5 * max(1, abs(have), abs(wanted)) + 1e-9 * abs(size)

# Directions: all leaves at once, twice, then each of several alone.
directions <- function(leaves) {
  v <- random_like(leaves)
  alone <- lapply(seq_along(leaves), function(i) Map(function(t, j) if (i == j) t else torch_zeros_like(t), v, seq_along(leaves)))
  c(list(v, random_like(leaves)), if (length(leaves) > 1) alone)
}

# d/dt of loss(leaves + t v) at 0, and how large the loss is.
difference_quotient <- function(loss, leaves, v, h = 1e-6) {
  at <- function(t) with_no_grad(loss(Map(function(x, d) x + t * d, leaves, v)))$item()
  up <- at(h)
  down <- at(-h)
  c((up - down) / (2 * h), max(abs(up), abs(down)))
}

# What one case says: "agrees", "no gradient" (no result wants one), "no values" (an error or NaN), or how it differs; of
# first, second and forward derivatives. `f` takes the arguments of the case.
gradcheck_case <- function(f, arguments, complex = FALSE) {
  none <- list(first = "no values", second = "no values", forward = "no values")
  values <- leaves_of(arguments, complex)
  call <- function(leaves) {
    torch_manual_seed(3)
    float_results(f(with_leaves(arguments, leaves)))
  }
  leaves <- lapply(values, function(x) x$clone()$requires_grad_(TRUE))
  out <- tryCatch(call(leaves), error = function(e) NULL)
  if (is.null(out)) return(none)
  wants <- vapply(out, function(t) t$requires_grad, NA)
  if (!any(wants)) return(lapply(none, function(x) "no gradient"))
  weights <- random_like(out)
  loss <- function(leaves) dot(call(leaves)[wants], weights[wants])
  if (!is.finite(loss(values)$item())) return(none)
  v <- directions(values)
  compare <- function(loss, along) {
    for (d in v) {
      wanted <- difference_quotient(loss, values, d)
      have <- along(d)
      if (!close_enough(have, wanted[1], wanted[2])) return(sprintf("%.6g, not %.6g", have, wanted[1]))
    }
    "agrees"
  }
  answer <- function(code) tryCatch(code, error = function(e) paste("error:", sub("\n.*", "", conditionMessage(e))))
  gradients <- function(leaves, create) autograd_grad(loss(leaves), leaves, create_graph = create, allow_unused = TRUE)
  first <- answer({
    g <- gradients(leaves, FALSE)
    compare(loss, function(d) dot(g, d)$item())
  })
  second <- if (first != "agrees") "no values" else answer({
    u <- random_like(values)
    slope <- function(leaves) dot(gradients(leaves, TRUE), u)
    at <- slope(leaves)
    if (!at$requires_grad) {
      "no gradient"
    } else {
      g <- autograd_grad(at, leaves, allow_unused = TRUE)
      compare(function(x) with_enable_grad(slope(lapply(x, function(t) t$detach()$requires_grad_(TRUE)))), function(d) dot(g, d)$item())
    }
  })
  forward <- answer(compare(loss, function(d) {
    with_forward_ad({
      results <- call(Map(forward_ad_make_dual, values, d))[wants]
      tangents <- lapply(results, function(t) forward_ad_unpack_dual(t)$tangent %||% torch_zeros_like(t))
      dot(tangents, weights[wants])$item()
    })
  }))
  list(first = first, second = second, forward = forward)
}

# The R function of an operator, of a list of arguments; in place on a copy.
gradcheck_function <- function(operator) {
  exported <- get0(op_function_name(operator), asNamespace("torch"), mode = "function")
  f <- op_function(operator)
  in_place <- is_in_place(operator)
  known <- gradcheck_results[[operator]] %||% identity
  run <- function(arguments) {
    self <- intersect(names(arguments), c("self", "input"))[1]
    if (in_place) arguments[[self]] <- arguments[[self]]$clone()
    if (all(names(arguments) %in% names(formals(f)))) return(do.call(f, arguments))
    if (!is.null(exported) && all(names(arguments) %in% names(formals(exported)))) return(do.call(exported, arguments))
    do.call(`[[`(arguments[[self]], operator), arguments[names(arguments) != self])
  }
  function(arguments) {
    r <- run(arguments)
    if (is.list(r) && !all(vapply(r, is_torch_tensor, NA))) r else known(r)
  }
}

# --- all operators -------------------------------------------------------------------------------------------------

# One row an operator: for each kind of derivative
#   agrees              with differences, in all cases that could be compared
#   explained           some differ, for a reason of gradcheck_reasons
#   differs             some differ
#   not differentiable  its results record nothing, or LibTorch has no formula
#   left out            no case could be compared
# how many cases agreed, and notes.
gradcheck <- function(operators = gradcheck_operators(), seed = 1, most = 8) {
  do.call(rbind, lapply(operators, gradcheck_operator, seed, most))
}

gradcheck_operator <- function(operator, seed, most, f = gradcheck_function(operator)) {
  withr::local_seed(seed)
  row <- function(first, second = "", forward = "", cases = 0L, note = "") {
    data.frame(operator = operator, first = first, second = second, forward = forward, cases = cases, note = note)
  }
  reason <- gradcheck_left_out[vapply(names(gradcheck_left_out), grepl, NA, operator)]
  why <- if (length(reason)) reason[[1]] else "no cases"
  arguments <- gradcheck_arguments(operator)
  if (!length(arguments)) return(row("left out", note = why))
  if (length(arguments) > most) arguments <- arguments[sort(sample(length(arguments), most))]
  real <- lapply(arguments, function(a) gradcheck_case(f, a))
  complex <- lapply(utils::head(arguments, 2), function(a) gradcheck_case(f, a, complex = TRUE))
  numbers <- c(
    ifelse(vapply(arguments, has_complex, NA), "complex", "real"), rep("complex", length(complex))
  )
  results <- c(real, complex)
  explained <- gradcheck_reasons[gradcheck_reasons$operator == operator, ]
  verdict <- function(kind) {
    said <- vapply(results, `[[`, "", kind)
    differ <- grepl(", not ", said, fixed = TRUE)
    explained <- explained[explained$kind %in% c("all", kind), ]
    known <- differ & ("all" %in% explained$numbers | numbers %in% explained$numbers)
    if (any(differ & !known)) return(c("differs", said[differ & !known][1]))
    if (any(known)) return(c("explained", explained$reason[1]))
    if (any(said == "agrees")) return(c("agrees", ""))
    errors <- grep("^error", said, value = TRUE)
    if (any(said == "no gradient") || any(grepl(no_formula, errors))) return(c("not differentiable", errors[1] %|% ""))
    c("left out", errors[1] %|% "")
  }
  all <- lapply(c(first = "first", second = "second", forward = "forward"), verdict)
  if (all$first[1] == "left out" && (!nzchar(all$first[2]) || length(reason))) return(row("left out", note = why))
  notes <- vapply(all, `[[`, "", 2)
  notes <- notes[nzchar(notes)]
  row(
    all$first[1], all$second[1], all$forward[1], sum(vapply(results, `[[`, "", "first") == "agrees"),
    paste0(names(notes), if (length(notes)) ": ", notes, collapse = "; ")
  )
}

# What LibTorch says when an operator has no derivative.
no_formula <- "not implemented|does not support"
`%|%` <- function(x, y) if (is.na(x)) y else x
has_complex <- function(x) {
  if (is.list(x) && !inherits(x, "oracle_tensor")) any(vapply(x, has_complex, NA)) else is_float(x) && is.complex(x$values)
}
