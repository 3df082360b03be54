# Loss functions. Reductions are names in R and numbers in LibTorch. Class labels count from 1, which is the business of
# the operators (inst/ops/notes.tsv).

#' Loss functions
#'
#' Each compares `input` with `target` elementwise, or sample by sample, and reduces the result. The modules are in
#' [nn_mse_loss()].
#'
#' @section Class labels:
#' An integer `target` holds class labels that count from 1. `ignore_index` is a label too: samples that have it are left
#' out; 0 is an error. A floating `target` of `nnf_cross_entropy()` holds probabilities of the classes, of the shape of
#' `input`. In the target of `nnf_multilabel_margin_loss()` -1 ends the list of labels.
#'
#' @param input a floating tensor: predictions. For `nnf_cross_entropy()` unnormalised scores and for `nnf_nll_loss()`
#'   log probabilities, of shape `(N, C, ...)`; for `nnf_binary_cross_entropy()` probabilities; for `nnf_kl_div()` log
#'   probabilities.
#' @param input1,input2,anchor,positive,negative tensors to be compared.
#' @param target what to predict: of the shape of `input`, or class labels of shape `(N, ...)`; for margin ranking,
#'   cosine and hinge embedding loss 1 or -1.
#' @param label_smoothing how much of each target goes to all classes alike, from 0 to 1.
#' @param beta difference below which the loss is a square, above it an absolute value.
#' @param log_target whether `target` holds log probabilities too.
#' @param reduction `"mean"`, `"sum"`, or `"none"` for one value for each element or sample; for `nnf_kl_div()` also
#'   `"batchmean"`, which is what the definition says.
#' @param weight weights of the classes, or of the elements.
#' @param pos_weight weights of positive examples, one a class.
#' @param ignore_index a label to be left out.
#' @param margin how far apart scores should be.
#' @param p exponent of the norm.
#' @param eps avoids division by zero and log(0).
#' @param swap whether the distance of `positive` and `negative` is used where it is the smaller one.
#' @param distance_function a function of two tensors, `nnf_pairwise_distance()` if `NULL`.
#' @param log_input whether `input` is the logarithm of the rate.
#' @param full whether to add Stirling's approximation of the term that does not depend on `input`.
#' @param log_probs log probabilities of shape `(T, N, C)`.
#' @param targets,input_lengths,target_lengths labels, as LibTorch counts them, from 0; lengths of the sequences.
#' @param blank label of the blank, from 0.
#' @param delta where the loss turns from squared to linear.
#' @param var variances of the shape of `input`, or a number; those below `eps` count as `eps`, negative ones are an error.
#' @param zero_infinity whether infinite losses are set to zero.
#' @returns A tensor: 0-d, or with reduction `"none"` one value for each element or sample.
#' @examplesIf torch::torch_is_installed()
#' nnf_mse_loss(torch_tensor(c(1, 2)), torch_tensor(c(1, 4)))
#' nnf_cross_entropy(torch_randn(2, 3), torch_tensor(c(1L, 3L)))
#' @export
nnf_mse_loss <- function(input, target, reduction = "mean") {
  if (!identical(.Call(C_shape, input), .Call(C_shape, target))) {
    warn(sprintf(
      "`target` has shape (%s) and `input` (%s): the loss of all pairs after broadcasting is likely not what you want.",
      toString(.Call(C_shape, target)), toString(.Call(C_shape, input))
    ))
  }
  torch_mse_loss(input, target, reduction_code(reduction))
}

reduction_code <- function(reduction, call = caller_env()) {
  switch(reduction[[1L]],
    none = 0L, mean = 1L, sum = 2L,
    value_error(
      sprintf("`reduction` must be \"mean\", \"sum\" or \"none\", not \"%s\".", reduction[[1L]]),
      call = call
    )
  )
}

# Reduces a loss that was computed in R code here, where no operator does it.
reduce <- function(loss, reduction, call = caller_env()) {
  switch(reduction_code(reduction, call) + 1L, loss, loss$mean(), loss$sum())
}

#' @rdname nnf_mse_loss
#' @export
nnf_l1_loss <- function(input, target, reduction = "mean") torch_l1_loss(input, target, reduction_code(reduction))

#' @rdname nnf_mse_loss
#' @export
nnf_smooth_l1_loss <- function(input, target, reduction = "mean", beta = 1) {
  torch_smooth_l1_loss(input, target, reduction_code(reduction), beta)
}

#' @rdname nnf_mse_loss
#' @export
nnf_soft_margin_loss <- function(input, target, reduction = "mean") {
  torch_soft_margin_loss(input, target, reduction_code(reduction))
}

#' @rdname nnf_mse_loss
#' @export
nnf_cross_entropy <- function(input, target, weight = NULL, ignore_index = -100,
                              reduction = c("mean", "sum", "none"), label_smoothing = 0) {
  check_ignored_label(ignore_index)
  torch_cross_entropy_loss(input, target, weight, reduction_code(reduction), ignore_index, label_smoothing)
}

#' @rdname nnf_mse_loss
#' @export
nnf_nll_loss <- function(input, target, weight = NULL, ignore_index = -100, reduction = "mean") {
  check_ignored_label(ignore_index)
  torch_nll_loss_nd(input, target, weight, reduction_code(reduction), ignore_index)
}

check_ignored_label <- function(label, call = caller_env()) {
  if (label == 0) {
    value_error("`ignore_index` must be a 1 based class index or negative, not 0.", call = call)
  }
}

#' @rdname nnf_mse_loss
#' @export
nnf_binary_cross_entropy <- function(input, target, weight = NULL, reduction = c("mean", "sum", "none")) {
  torch_binary_cross_entropy(input, target, weight, reduction_code(reduction))
}

#' @rdname nnf_mse_loss
#' @export
nnf_binary_cross_entropy_with_logits <- function(input, target, weight = NULL,
                                                 reduction = c("mean", "sum", "none"), pos_weight = NULL) {
  torch_binary_cross_entropy_with_logits(input, target, weight, pos_weight, reduction_code(reduction))
}

#' @rdname nnf_mse_loss
#' @export
nnf_kl_div <- function(input, target, reduction = "mean", log_target = FALSE) {
  if (reduction == "batchmean") {
    return(torch_kl_div(input, target, 2L, log_target = log_target) / input$shape[[1L]])
  }
  if (reduction == "mean") {
    warn("`reduction = \"mean\"` averages over elements; use \"batchmean\" for the Kullback-Leibler divergence itself.")
  }
  torch_kl_div(input, target, reduction_code(reduction), log_target = log_target)
}

#' @rdname nnf_mse_loss
#' @export
nnf_poisson_nll_loss <- function(input, target, log_input = TRUE, full = FALSE, eps = 1e-8, reduction = "mean") {
  torch_poisson_nll_loss(input, target, log_input, full, eps, reduction_code(reduction))
}

#' @rdname nnf_mse_loss
#' @export
nnf_hinge_embedding_loss <- function(input, target, margin = 1, reduction = "mean") {
  torch_hinge_embedding_loss(input, target, margin, reduction_code(reduction))
}

#' @rdname nnf_mse_loss
#' @export
nnf_cosine_embedding_loss <- function(input1, input2, target, margin = 0, reduction = c("mean", "sum", "none")) {
  torch_cosine_embedding_loss(input1, input2, target, margin, reduction_code(reduction))
}

#' @rdname nnf_mse_loss
#' @export
nnf_margin_ranking_loss <- function(input1, input2, target, margin = 0, reduction = "mean") {
  torch_margin_ranking_loss(input1, input2, target, margin, reduction_code(reduction))
}

#' @rdname nnf_mse_loss
#' @export
nnf_multi_margin_loss <- function(input, target, p = 1, margin = 1, weight = NULL, reduction = "mean") {
  torch_multi_margin_loss(input, target, p, margin, weight, reduction_code(reduction))
}

#' @rdname nnf_mse_loss
#' @export
nnf_multilabel_margin_loss <- function(input, target, reduction = "mean") {
  torch_multilabel_margin_loss(input, target, reduction_code(reduction))
}

#' @rdname nnf_mse_loss
#' @export
nnf_multilabel_soft_margin_loss <- function(input, target, weight = NULL, reduction = "mean") {
  # This is the definition of the loss. The operator of the cross entropy with logits does not take targets of every
  # dtype.
  loss <- -(target * torch_log_sigmoid(input) + (1 - target) * torch_log_sigmoid(-input))
  if (!is.null(weight)) loss <- loss * weight
  reduce(loss$mean(-1L), reduction)
}

#' @rdname nnf_mse_loss
#' @export
nnf_triplet_margin_loss <- function(anchor, positive, negative, margin = 1, p = 2, eps = 1e-6, swap = FALSE,
                                    reduction = "mean") {
  torch_triplet_margin_loss(anchor, positive, negative, margin, p, eps, swap, reduction_code(reduction))
}

#' @rdname nnf_mse_loss
#' @export
nnf_triplet_margin_with_distance_loss <- function(anchor, positive, negative, distance_function = NULL, margin = 1,
                                                  swap = FALSE, reduction = "mean") {
  distance <- distance_function %||% nnf_pairwise_distance
  far <- distance(anchor, negative)
  if (swap) {
    far <- torch_minimum(far, distance(positive, negative))
  }
  reduce((distance(anchor, positive) - far + margin)$clamp_min(0), reduction)
}

#' @rdname nnf_mse_loss
#' @export
nnf_ctc_loss <- function(log_probs, targets, input_lengths, target_lengths, blank = 0,
                         reduction = c("mean", "sum", "none"), zero_infinity = FALSE) {
  # LibTorch reads past the end of its memory for a label that is out of range.
  if (is_torch_tensor(targets) && is_torch_tensor(log_probs) && !cpp_is_tracing()) {
    shape <- .Call(C_shape, log_probs)
    classes <- shape[length(shape)]
    if (as.logical(torch_any(targets < 0 | targets >= classes))) {
      value_error(sprintf("`targets` must hold labels from 0 to %d, as there are %d classes.", classes - 1L, classes))
    }
  }
  torch_ctc_loss(
    log_probs, targets, input_lengths, target_lengths, blank, reduction_code(reduction), zero_infinity
  )
}

#' @rdname nnf_mse_loss
#' @export
nnf_huber_loss <- function(input, target, reduction = "mean", delta = 1) {
  torch_huber_loss(input, target, reduction_code(reduction), delta)
}

#' @rdname nnf_mse_loss
#' @export
nnf_gaussian_nll_loss <- function(input, target, var, full = FALSE, eps = 1e-6, reduction = "mean") {
  if (!is_torch_tensor(var)) var <- torch_ones_like(input) * var
  if (!cpp_is_tracing() && as.logical(torch_any(var < 0))) value_error("`var` must not be negative.")
  # The divisor stays away from zero. That correction has no gradient of its own.
  var <- var + with_no_grad(torch_clamp(var, min = eps) - var)
  loss <- 0.5 * (torch_log(var) + (input - target)^2 / var)
  if (full) loss <- loss + 0.5 * log(2 * pi)
  reduce_loss(loss, reduction)
}

reduce_loss <- function(loss, reduction, call = caller_env()) {
  switch(reduction_code(reduction, call) + 1L, loss, torch_mean(loss), torch_sum(loss))
}

#' Area under the smaller of both error rates
#'
#' As the threshold on a prediction rises, fewer positives are found and fewer negatives are taken for positives. The
#' loss is the area under the smaller of the two error rates, as a function of the threshold. It is 0 if all positives
#' have larger predictions than all negatives.
#'
#' @param input a tensor of real-valued predictions.
#' @param target a tensor of as many elements: 1 for positives, anything else for negatives. Both must occur.
#' @returns A 0-d tensor; its gradient with respect to `input` is defined where no two predictions are equal.
#' @source Hillman and Hocking (2023), Optimizing ROC curves with a sort-based surrogate loss for binary classification and
#'   changepoint detection.
#' @examplesIf torch::torch_is_installed()
#' nnf_area_under_min_fpr_fnr(torch_tensor(c(-1, 2, 1)), torch_tensor(c(0L, 1L, 1L)))
#' @export
nnf_area_under_min_fpr_fnr <- function(input, target) {
  positive <- torch_flatten(target) == 1
  # The predictions, from the largest on.
  sorted <- torch_sort(-torch_flatten(input), dim = 1L)
  threshold <- sorted[[1]]
  positive <- positive[sorted[[2]]]$to(dtype = threshold$dtype)
  negative <- 1 - positive
  fpr <- torch_cumsum(negative, 1L) / torch_sum(negative)
  fnr <- 1 - torch_cumsum(positive, 1L) / torch_sum(positive)
  between <- torch_minimum(fpr, fnr)[1:-2]
  torch_sum(between * torch_diff(threshold))
}
