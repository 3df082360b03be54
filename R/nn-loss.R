# Loss modules: settings of a loss function. See functional_module().

#' @include nn-functional.R
NULL

nn_loss <- nn_module("nn_loss", initialize = function(reduction = "mean") keep_settings())
nn_weighted_loss <- nn_module("nn_weighted_loss", nn_loss, initialize = function(weight = NULL, reduction = "mean") keep_settings())

loss_module <- function(classname, fn, settings = alist(), inputs = c("input", "target"), inherit = nn_loss, checks = list()) {
  inject(functional_module(classname, !!ensym(fn), settings, inputs, inherit = inherit, checks = checks))
}

#' Loss modules
#'
#' Modules that compare a prediction with a target; the functions, their arguments and the rule that class labels count
#' from 1 are in [nnf_mse_loss()].
#'
#' @inheritParams nnf_mse_loss
#' @param keepdim whether the last dimension is kept with size 1.
#' @param dim the dimension of the vectors.
#' @returns A module with the method `forward(input, target)`. It is `forward(input1, input2, target)` for
#'   `nn_cosine_embedding_loss()` and `nn_margin_ranking_loss()`, `forward(anchor, positive, negative)` for the triplet
#'   losses, `forward(log_input, target)` for `nn_poisson_nll_loss()`, `forward(log_probs, targets, input_lengths, target_lengths)` for `nn_ctc_loss()`, `forward(x1, x2)` for
#'   `nn_pairwise_distance()` and `nn_cosine_similarity()`, and `forward(input, target, var)` for `nn_gaussian_nll_loss()`.
#' @examplesIf torch::torch_is_installed()
#' loss <- nn_mse_loss()
#' loss(torch_tensor(c(1, 2)), torch_tensor(c(1, 4)))
#' @export
nn_mse_loss <- loss_module("nn_mse_loss", nnf_mse_loss, alist(reduction = "mean"))

#' @rdname nn_mse_loss
#' @export
nn_l1_loss <- loss_module("nn_l1_loss", nnf_l1_loss, alist(reduction = "mean"))

#' @rdname nn_mse_loss
#' @export
nn_smooth_l1_loss <- loss_module("nn_smooth_l1_loss", nnf_smooth_l1_loss, alist(reduction = "mean", beta = 1))

#' @rdname nn_mse_loss
#' @export
nn_soft_margin_loss <- loss_module("nn_soft_margin_loss", nnf_soft_margin_loss, alist(reduction = "mean"))

#' @rdname nn_mse_loss
#' @export
nn_kl_div_loss <- loss_module(
  "nn_kl_div_loss", nnf_kl_div, alist(reduction = "mean", log_target = FALSE),
  checks = list(reduction = word_of("none", "mean", "sum", "batchmean"))
)

#' @rdname nn_mse_loss
#' @export
nn_multilabel_margin_loss <- loss_module(
  "nn_multilabel_margin_loss", nnf_multilabel_margin_loss, alist(reduction = "mean")
)

#' @rdname nn_mse_loss
#' @export
nn_cross_entropy_loss <- loss_module(
  "nn_cross_entropy_loss", nnf_cross_entropy,
  alist(weight = NULL, ignore_index = -100, reduction = "mean", label_smoothing = 0), inherit = nn_weighted_loss
)

#' @rdname nn_mse_loss
#' @export
nn_nll_loss <- loss_module(
  "nn_nll_loss", nnf_nll_loss,
  alist(weight = NULL, ignore_index = -100, reduction = "mean"), inherit = nn_weighted_loss
)

#' @rdname nn_mse_loss
#' @export
nn_bce_loss <- loss_module(
  "nn_bce_loss", nnf_binary_cross_entropy, alist(weight = NULL, reduction = "mean"), inherit = nn_weighted_loss
)

#' @rdname nn_mse_loss
#' @export
nn_bce_with_logits_loss <- loss_module(
  "nn_bce_with_logits_loss", nnf_binary_cross_entropy_with_logits,
  alist(weight = NULL, reduction = "mean", pos_weight = NULL)
)

#' @rdname nn_mse_loss
#' @export
nn_multilabel_soft_margin_loss <- loss_module(
  "nn_multilabel_soft_margin_loss", nnf_multilabel_soft_margin_loss,
  alist(weight = NULL, reduction = "mean"), inherit = nn_weighted_loss
)

#' @rdname nn_mse_loss
#' @export
nn_multi_margin_loss <- loss_module(
  "nn_multi_margin_loss", nnf_multi_margin_loss,
  alist(p = 1, margin = 1, weight = NULL, reduction = "mean"), inherit = nn_weighted_loss
)

#' @rdname nn_mse_loss
#' @export
nn_poisson_nll_loss <- loss_module(
  "nn_poisson_nll_loss", nnf_poisson_nll_loss,
  alist(log_input = TRUE, full = FALSE, eps = 1e-8, reduction = "mean"), c("log_input", "target")
)

#' @rdname nn_mse_loss
#' @export
nn_hinge_embedding_loss <- loss_module(
  "nn_hinge_embedding_loss", nnf_hinge_embedding_loss, alist(margin = 1, reduction = "mean")
)

#' @rdname nn_mse_loss
#' @export
nn_cosine_embedding_loss <- loss_module(
  "nn_cosine_embedding_loss", nnf_cosine_embedding_loss,
  alist(margin = 0, reduction = "mean"), c("input1", "input2", "target")
)

#' @rdname nn_mse_loss
#' @export
nn_margin_ranking_loss <- loss_module(
  "nn_margin_ranking_loss", nnf_margin_ranking_loss,
  alist(margin = 0, reduction = "mean"), c("input1", "input2", "target")
)

#' @rdname nn_mse_loss
#' @export
nn_triplet_margin_loss <- loss_module(
  "nn_triplet_margin_loss", nnf_triplet_margin_loss,
  alist(margin = 1, p = 2, eps = 1e-6, swap = FALSE, reduction = "mean"), c("anchor", "positive", "negative")
)

#' @rdname nn_mse_loss
#' @export
nn_triplet_margin_with_distance_loss <- loss_module(
  "nn_triplet_margin_with_distance_loss", nnf_triplet_margin_with_distance_loss,
  alist(distance_function = NULL, margin = 1, swap = FALSE, reduction = "mean"), c("anchor", "positive", "negative")
)

#' @rdname nn_mse_loss
#' @export
nn_ctc_loss <- loss_module(
  "nn_ctc_loss", nnf_ctc_loss, alist(blank = 0, reduction = "mean", zero_infinity = FALSE),
  c("log_probs", "targets", "input_lengths", "target_lengths")
)

#' @rdname nn_mse_loss
#' @export
nn_pairwise_distance <- functional_module(
  "nn_pairwise_distance", nnf_pairwise_distance, alist(p = 2, eps = 1e-6, keepdim = FALSE), c("x1", "x2")
)

#' @rdname nn_mse_loss
#' @export
nn_cosine_similarity <- functional_module(
  "nn_cosine_similarity", nnf_cosine_similarity, alist(dim = 2, eps = 1e-8), c("x1", "x2")
)

#' @rdname nn_mse_loss
#' @export
nn_huber_loss <- loss_module("nn_huber_loss", nnf_huber_loss, alist(reduction = "mean", delta = 1))

#' @rdname nn_mse_loss
#' @export
nn_gaussian_nll_loss <- loss_module(
  "nn_gaussian_nll_loss", nnf_gaussian_nll_loss, alist(full = FALSE, eps = 1e-6, reduction = "mean"),
  c("input", "target", "var")
)

#' @rdname nn_mse_loss
#' @export
nn_aum_loss <- loss_module("nn_aum_loss", nnf_area_under_min_fpr_fnr)
