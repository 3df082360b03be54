# Functions whose operators become kernels, with the tensors that they are of; and random ones. What single operators give is
# the oracle.

# Of what the fuser has a formula: each computes with x and y, two matrices of 5 rows and 7 columns.
fused_functions <- list(
  add = function(x, y) x + y * 2, sub = function(x, y) 1 - x - y, mul = function(x, y) x * y + x, div = function(x, y) x / y / 3,
  neg = function(x, y) -x * y, abs = function(x, y) torch_abs(x) * y, square = function(x, y) torch_square(x) + y,
  reciprocal = function(x, y) torch_reciprocal(x) + y, sqrt = function(x, y) torch_sqrt(torch_abs(x) + 0.1) * y,
  rsqrt = function(x, y) torch_rsqrt(torch_abs(x) + 0.1) * y, addcmul = function(x, y) torch_addcmul(x, y, x, value = 0.5) * y,
  addcdiv = function(x, y) torch_addcdiv(x, y, torch_abs(y) + 1, value = 0.5) * x, lerp = function(x, y) torch_lerp(x, y, 0.3) + x,
  lerp_by = function(x, y) torch_lerp(x, y, torch_sigmoid(x)), fmod = function(x, y) torch_fmod(x, torch_abs(y) + 0.3) * 2,
  remainder = function(x, y) torch_remainder(x, torch_abs(y) + 0.3) * 2, hypot = function(x, y) torch_hypot(x, y) * 2,
  floor = function(x, y) torch_floor(x) + y, ceil = function(x, y) torch_ceil(x) + y, round = function(x, y) torch_round(x) * y,
  trunc = function(x, y) torch_trunc(x) * y, frac = function(x, y) torch_frac(x) * y, sign = function(x, y) torch_sign(x) * y,
  exp = function(x, y) torch_exp(x) * y, exp2 = function(x, y) torch_exp2(x) * y, expm1 = function(x, y) torch_expm1(x) * y,
  log = function(x, y) torch_log(torch_abs(x) + 0.1) * y, log2 = function(x, y) torch_log2(torch_abs(x) + 0.1) * y,
  log10 = function(x, y) torch_log10(torch_abs(x) + 0.1) * y, log1p = function(x, y) torch_log1p(torch_abs(x)) * y,
  sin = function(x, y) torch_sin(x) * y, cos = function(x, y) torch_cos(x) * y, tan = function(x, y) torch_tan(x * 0.4) * y,
  asin = function(x, y) torch_asin(torch_tanh(x)) * y, acos = function(x, y) torch_acos(torch_tanh(x)) * y,
  atan = function(x, y) torch_atan(x) * y, sinh = function(x, y) torch_sinh(x) * y, cosh = function(x, y) torch_cosh(x) * y,
  tanh = function(x, y) torch_tanh(x) * y, asinh = function(x, y) torch_asinh(x) * y,
  acosh = function(x, y) torch_acosh(torch_abs(x) + 1.5) * y, atanh = function(x, y) torch_atanh(torch_tanh(x) * 0.9) * y,
  atan2 = function(x, y) torch_atan2(x, y) * 2, erf = function(x, y) torch_erf(x) * y, erfc = function(x, y) torch_erfc(x) * y,
  xlogy = function(x, y) torch_xlogy(x, torch_abs(y) + 0.1) * 2, sigmoid = function(x, y) torch_sigmoid(x) * y,
  log_sigmoid = function(x, y) nnf_logsigmoid(x) * y, relu = function(x, y) nnf_relu(x) * y, relu6 = function(x, y) nnf_relu6(x * 4) * y,
  leaky_relu = function(x, y) nnf_leaky_relu(x, 0.1) * y, threshold = function(x, y) nnf_threshold(x, 0.1, 2) * y,
  elu = function(x, y) nnf_elu(x, 1.3) * y, selu = function(x, y) nnf_selu(x) * y, celu = function(x, y) nnf_celu(x, 2) * y,
  silu = function(x, y) nnf_silu(x) * y, mish = function(x, y) nnf_mish(x) * y, softplus = function(x, y) nnf_softplus(x * 10, 2, 20) * y,
  hardtanh = function(x, y) nnf_hardtanh(x, -0.5, 0.7) * y, hardswish = function(x, y) nnf_hardswish(x * 3) * y,
  hardshrink = function(x, y) nnf_hardshrink(x, 0.4) * y, maximum = function(x, y) torch_maximum(x, y) * 2,
  minimum = function(x, y) torch_minimum(x, y) * 2, clamp_min = function(x, y) x$clamp_min(0.2) * y,
  clamp_max = function(x, y) x$clamp_max(0.2) * y, clamp = function(x, y) torch_clamp(x, -0.3, 0.4) * y,
  clamp_above = function(x, y) torch_clamp(x, max = 0.4) * y, where = function(x, y) torch_where(x > y, x * 2, y * 3),
  masked_fill = function(x, y) x$masked_fill(x > 0, 1.5) * y, power_2 = function(x, y) x^2 * y, power_3 = function(x, y) x^3 * y,
  power_half = function(x, y) torch_abs(x)^0.5 * y, power_minus_1 = function(x, y) x^-1 * y, power_minus_2 = function(x, y) x^-2 * y,
  power = function(x, y) torch_abs(x)^1.7 * y, power_by = function(x, y) (torch_abs(x) + 0.1)^y * 2, power_of = function(x, y) 2^x * y,
  gelu = function(x, y) nnf_gelu(x) * y, gelu_tanh = function(x, y) nnf_gelu(x, approximate = "tanh") * y,
  compared = function(x, y) (x > y)$to(dtype = x$dtype) * x + (x <= 0.3)$to(dtype = x$dtype),
  logical = function(x, y) torch_where(torch_logical_and(x > 0, y > 0)$logical_or(torch_logical_not(x < -1)), x * y, y),
  sum = function(x, y) torch_sum(x * y), mean = function(x, y) torch_mean(x * y + 1), row_sum = function(x, y) torch_sum(x * y, 2),
  row_sum_kept = function(x, y) torch_sum(x * y, 2, TRUE) * x, row_mean = function(x, y) torch_mean(x * y, -1, TRUE) + x,
  row_most = function(x, y) torch_amax(x * y, 2, TRUE) * y, row_least = function(x, y) torch_amin(x * y, 2) + 1,
  softmax = function(x, y) nnf_softmax(x * 2, 2) * y, log_softmax = function(x, y) nnf_log_softmax(x * 2, 2) * y,
  layer_norm = function(x, y) nnf_layer_norm(x, 7, y[1, ], y[2, ]) * 2, mse_loss = function(x, y) nnf_mse_loss(x * 2, y),
  l1_loss = function(x, y) nnf_l1_loss(x * 2, y), smooth_l1_loss = function(x, y) nnf_smooth_l1_loss(x * 2, y),
  cross_entropy = function(x, y) nnf_binary_cross_entropy_with_logits(x * 2, torch_sigmoid(y)), gelu_alone = function(x, y) nnf_gelu(x),
  likelihood = function(x, y) torch_sum(-0.5 * ((x - y[1, 1]) / torch_exp(y[1, 2]))^2 - y[1, 2] - 0.9),
  broadcast = function(x, y) (x + y[1, ]) * torch_exp(y[, 1:1]), sums_inside = function(x, y) x * y[, 2:2] + torch_sum(x * y),
  var = function(x, y) torch_var(x * y) * 2, std = function(x, y) torch_std(x * y, unbiased = FALSE) + x, row_var = function(x, y) torch_var(x * y, 2),
  row_std = function(x, y) torch_std(x * y, 2, unbiased = FALSE, keepdim = TRUE) * x, column_var = function(x, y) torch_var(x * y, 1) * 2,
  scaled = function(x, y) (x - torch_mean(x, 1)) / (torch_std(x, 1, keepdim = TRUE) + 0.1) * y
)

# What became of the groups of a traced or compiled function at its last call: "" where kernels ran.
fused_groups <- function(f) {
  handle <- attr(if (inherits(f, "script_module")) script_method(f, "forward") else f, "handle", exact = TRUE)
  vapply(cpp_fuser_groups(handle), function(group) group[[3]], "")
}

# The operators of each group of a function.
fused_operators <- function(f) {
  vapply(cpp_fuser_groups(attr(f, "handle", exact = TRUE)), function(group) paste(unlist(group[[1]]), collapse = " "), "")
}

# The greatest difference between two tensors, beside the size of what is expected; NaN and infinities are equal to their like.
distance_of <- function(actual, expected, least = 1e-3) {
  if (!identical(actual$shape, expected$shape) || !(actual$dtype == expected$dtype)) return(Inf)
  a <- as.numeric(actual$detach()$to(dtype = "double"))
  b <- as.numeric(expected$detach()$to(dtype = "double"))
  if (length(a) == 0) return(0)
  if (!identical(is.nan(a), is.nan(b))) return(Inf)
  same <- is.nan(a) | a == b
  if (any(is.infinite(a) != is.infinite(b))) return(Inf)
  max(0, (abs(a - b) / (abs(b) + least))[!same])
}

# Values and gradients of a function and of its trace, which has other weights for each element of the result.
fused_distances <- function(f, ..., trace = jit_trace(f, ...), groups = trace) {
  leaves <- function() {
    lapply(list(...), function(x) if (x$is_floating_point()) x$detach()$clone()$requires_grad_() else x)
  }
  local_at_once()
  plain <- do.call(trace, list(...))
  why <- fused_groups(groups)
  ours <- leaves()
  theirs <- leaves()
  fused <- do.call(trace, ours)
  why <- c(why, fused_groups(groups))
  expected <- do.call(f, theirs)
  gradients <- 0
  if (expected$requires_grad) {
    weights <- torch_linspace(-1, 1, max(1, plain$numel()), dtype = plain$dtype)[seq_len(plain$numel())]$view(plain$shape)
    (fused * weights)$sum()$backward()
    (expected * weights)$sum()$backward()
    gradients <- vapply(seq_along(ours), function(i) {
      if (!ours[[i]]$is_floating_point()) return(0)
      here <- ours[[i]]$grad
      there <- theirs[[i]]$grad
      if (is_undefined_tensor(here) && is_undefined_tensor(there)) return(0)
      if (is_undefined_tensor(here) || is_undefined_tensor(there)) return(Inf)
      distance_of(here, there, 1e-2)
    }, 0)
  }
  list(value = max(distance_of(plain, expected), distance_of(fused, expected)), gradients = max(gradients), why = unique(why))
}

# Kernels run, and give what single operators give, values and gradients; `arguments` makes tensors of a dtype.
expect_fused_alike <- function(functions, arguments) {
  for (name in names(functions)) {
    for (dtype in c("float", "double")) {
      found <- do.call(fused_distances, c(list(functions[[name]]), arguments(dtype)))
      most <- if (dtype == "float") 1e-4 else 1e-11
      testthat::expect_lt(found$value, most, label = paste(name, dtype))
      testthat::expect_lt(found$gradients, most, label = paste("gradients of", name, dtype))
      testthat::expect_true(all(found$why == ""), label = paste(name, dtype, toString(found$why)))
    }
  }
}

# Calls wait for their kernels until the test ends.
local_at_once <- function(env = parent.frame()) {
  cpp_fuser_at_once(TRUE)
  withr::defer(cpp_fuser_at_once(FALSE), envir = env)
}

# --- random functions ----------------------------------------------------------------------------------------------------

# Tensors of a seed: shapes that broadcast to each other, of several dtypes and strides.
random_arguments <- function() {
  shape <- sample(c(1:4, 17, 40), sample(0:3, 1), replace = TRUE)
  one <- function() {
    own <- shape
    own[runif(length(own)) < 0.2] <- 1
    if (runif(1) < 0.2 && length(own)) own <- tail(own, sample(length(own), 1))
    dtype <- sample(c("float", "float", "float", "double", "int", "long", "bool"), 1)
    x <- torch_tensor(array(round(rnorm(max(1, prod(own))), 2), if (length(own)) own else 1))
    x <- if (length(own)) x$view(own) else x$view(integer())
    if (length(own) >= 2 && runif(1) < 0.3) x <- x$transpose(-1, -2)$contiguous()$transpose(-1, -2)
    if (length(own) >= 1 && runif(1) < 0.2) x <- torch_stack(list(x, x), -1)$select(-1, 1)
    if (dtype == "bool") x > 0 else x$to(dtype = dtype)
  }
  lapply(seq_len(3), function(i) one())
}

# An expression in a, b and c.
random_tensor_expression <- function(depth) {
  if (depth == 0) return(sample(c("a", "b", "c", "a", "b", "c", "0.5", "2", "2L"), 1))
  sub <- function() random_tensor_expression(depth - 1)
  switch(sample(c("op", "op", "op", "fun", "fun", "power", "where", "compare", "two", "reduce", "number", "view", "view", "product", "batch", "part", "side"), 1),
    op = sprintf("(%s %s %s)", sub(), sample(c("+", "-", "*", "/"), 1), sub()),
    fun = sprintf("torch_%s(tensor(%s))", sample(c("tanh", "sigmoid", "relu", "exp", "abs", "neg", "sin", "erf", "floor", "expm1"), 1), sub()),
    power = sprintf("(%s)^%s", sub(), sample(c("2", "3", "2L"), 1)),
    where = sprintf("torch_where(tensor(%s) > %s, tensor(%s), tensor(%s))", sub(), sub(), sub(), sub()),
    compare = sprintf("(tensor(%s) %s %s)", sub(), sample(c("<", ">", "<=", "==", "!="), 1), sub()),
    two = sprintf("torch_%s(tensor(%s), tensor(%s))", sample(c("maximum", "minimum"), 1), sub(), sub()),
    reduce = sprintf(sample(c("tensor(%s)$sum()", "tensor(%s)$mean(dtype = torch_double())", "last(%s)", "centred(%s)", "tensor(%s)$to(dtype = torch_float())"), 1), sub()),
    number = sprintf("(%s * %s)", sub(), format(round(runif(1, -2, 2), 2))),
    product = sprintf(sample(c("mixed(%s, %s)", "layer(%s, %s)"), 1), sub(), sub()),
    view = sprintf(sample(c("tensor(%s)$unsqueeze(1)$squeeze(1)", "tensor(%s)$expand_as(a)", "turned(%s)", "folded(%s)", "moved(%s)"), 1), sub()),
    batch = sprintf("batched(%s, %s)", sub(), sub()),
    part = sprintf(sample(c("tail_first(%s)", "unbound(%s)", "stepped(%s)", "summed(%s)", "spread(%s)", "twice_summed(%s)"), 1), sub()),
    side = sprintf(sample(c("beside(%s, %s)", "stacked(%s, %s)", "gated(%s, %s)"), 1), sub(), sub())
  )
}

random_fused_function <- function() {
  body <- replicate(sample(2:4, 1), random_tensor_expression(sample(2:3, 1)))
  text <- sprintf("function(a, b, c) {\n%s\n  tensor(%s)\n}",
    paste(sprintf("  %s <- %s", sample(c("a", "b", "c"), length(body), TRUE), body), collapse = "\n"), random_tensor_expression(3))
  tensor <- function(x) if (inherits(x, "torch_tensor")) x else torch_tensor(x)
  last <- function(x) {
    x <- tensor(x)
    if (x$ndim == 0) return(x)
    nnf_softmax(x$to(dtype = torch_float()), -1)
  }
  centred <- function(x) {
    x <- tensor(x)$to(dtype = torch_float())
    if (x$ndim == 0) x else x - x$mean(-1)$unsqueeze(-1)
  }
  # Sizes of a constant and of a traced tensor are not identical.
  same_shape <- function(x, y) x$ndim == y$ndim && all(as.integer(x$shape) == as.integer(y$shape))
  # Products of matrices that have the shape of the first.
  float <- function(x) tensor(x)$to(dtype = torch_float())
  mixed <- function(x, y) {
    x <- float(x)
    y <- float(y)
    if (x$ndim != 2 || !same_shape(x, y)) return(x)
    torch_mm(torch_mm(x, torch_t(y)) * 0.1, y) * 0.1
  }
  layer <- function(x, y) {
    x <- float(x)
    y <- float(y)
    if (x$ndim < 1 || y$ndim != 2 || tail(x$shape, 1) != y$shape[2]) return(x)
    nnf_relu(nnf_linear(x, torch_mm(torch_t(y), y) * 0.1, y[1, ]))
  }
  batched <- function(x, y) {
    x <- float(x)
    y <- float(y)
    if (x$ndim != 3 || !same_shape(x, y)) return(x)
    torch_matmul(torch_matmul(x, y$transpose(2, 3)) * 0.1, y) * 0.1
  }
  # Views that end in the shape that they began with.
  turned <- function(x) {
    x <- tensor(x)
    if (x$ndim < 2) x else (x$transpose(1, -1) * 2)$transpose(1, -1)
  }
  folded <- function(x) {
    x <- tensor(x)
    (x$reshape(c(-1, tail(c(1, x$shape), 1))) * 2)$reshape(x$shape)
  }
  moved <- function(x) {
    x <- tensor(x)
    if (x$ndim < 3) return(x)
    order <- c(2:x$ndim, 1)
    x$permute(order)$contiguous()$view(c(-1, 1))$view(x$shape[order])$permute(order(order)) + 1
  }
  # Parts that are put together again.
  tail_first <- function(x) {
    x <- tensor(x)
    if (x$ndim == 0 || tail(x$shape, 1) < 2) return(x)
    parts <- x$chunk(2, -1)
    torch_cat(list(parts[[2]] * 2, parts[[1]]), -1)
  }
  unbound <- function(x) {
    x <- tensor(x)
    if (x$ndim == 0) return(x)
    torch_stack(lapply(rev(torch_unbind(x, 1)), function(each) each + 1), 1)
  }
  stepped <- function(x) {
    x <- tensor(x)
    if (x$ndim == 0) return(x)
    torch_cat(list(x$slice(1, 1, x$size(1), 2) * 2, x), 1)$narrow(1, 2, x$size(1))
  }
  beside <- function(x, y) {
    x <- tensor(x)
    y <- tensor(y)
    if (x$ndim == 0 || !same_shape(x, y)) return(x)
    both <- torch_cat(list(x, y, x), 1)
    both$narrow(1, 2, x$size(1)) * both$select(1, -1)
  }
  stacked <- function(x, y) {
    x <- tensor(x)
    y <- tensor(y)
    if (!same_shape(x, y)) return(y)
    torch_stack(list(x, y), -1)$select(-1, 2) + x
  }
  summed <- function(x) {
    x <- tensor(x)$to(dtype = torch_float())
    if (x$ndim < 2) return(x)
    x * 0.1 + x$sum(-2, TRUE) - x$mean(1)
  }
  spread <- function(x) {
    x <- tensor(x)$to(dtype = torch_float())
    if (x$ndim == 0 || tail(x$shape, 1) < 2) return(x)
    x / (torch_std(x, -1, keepdim = TRUE) + 1) - torch_var(x, 1, unbiased = FALSE)
  }
  twice_summed <- function(x) {
    x <- tensor(x)$to(dtype = torch_float())
    if (x$ndim < 2) return(x)
    inner <- torch_sum(x * 0.1, -1)
    x * 0.1 + (torch_mean(inner, -1) + torch_sum(nnf_softmax(inner, -1) * inner, -1))$unsqueeze(-1)$unsqueeze(-1)
  }
  # Rows times what is smaller.
  gated <- function(x, y) {
    x <- tensor(x)$to(dtype = torch_float())
    y <- tensor(y)$to(dtype = torch_float())
    if (x$ndim < 2 || !same_shape(x, y)) return(x)
    x * 0.1 + torch_mean(x, -1, TRUE) * y$narrow(1, 1, 1)$narrow(-1, 1, 1)
  }
  functions <- list(
    twice_summed = twice_summed, gated = gated, spread = spread, tail_first = tail_first, unbound = unbound, stepped = stepped, beside = beside, stacked = stacked, summed = summed, tensor = tensor, last = last, centred = centred, mixed = mixed, layer = layer, batched = batched, turned = turned, folded = folded,
    moved = moved
  )
  eval(parse(text = text, keep.source = FALSE), list2env(functions, parent = asNamespace("torch")))
}

# What differs between the random function of a seed and its fused trace, or NULL.
random_fusion_difference <- function(seed) {
  set.seed(seed)
  torch_manual_seed(seed)
  f <- random_fused_function()
  arguments <- random_arguments()
  eager <- tryCatch(do.call(f, arguments), error = function(e) NULL)
  # No such sizes or types; nothing that is to be compared closely.
  if (is.null(eager) || eager$is_complex()) return(NULL)
  values <- as.numeric(eager$detach()$to(dtype = "double"))
  if (any(abs(values[is.finite(values)]) > 1e6)) return(NULL)
  found <- tryCatch(suppressWarnings(do.call(fused_distances, c(list(f), arguments))), error = function(e) conditionMessage(e))
  if (is.character(found)) return(found)
  if (found$value > 2e-4) return(sprintf("values differ by %.1e", found$value))
  if (found$gradients > 1e-2) return(sprintf("gradients differ by %.1e", found$gradients))
  NULL
}
