# A softmax over many classes that computes few of them.

#' @include nn-layers.R nn-containers.R
NULL

#' Adaptive softmax
#'
#' A softmax over very many classes, sorted by how often they occur. The frequent classes belong to a small softmax,
#' the head. The others are in clusters. Each cluster is one class of the head and has a softmax of its own, which is
#' computed only for the samples that need it. The rarer the classes of a cluster, the fewer numbers describe a sample
#' to it.
#'
#' @param in_features number of features of the input.
#' @param n_classes number of classes.
#' @param cutoffs increasing whole numbers: the head has the classes up to the first, the first cluster the classes
#'   after it up to the second, and so on to `n_classes`.
#' @param div_value factor by which the numbers that describe a sample decrease from one cluster to the next.
#' @param head_bias whether the head has a bias.
#' @returns A module with the children `head` and `tail`. For `input` of shape `(N, in_features)` or `(in_features)`:
#'   * `forward(input, target)`: a list of `output`, the log probabilities of the targets, of the shape of `target`, and `loss`,
#'     minus their mean. Targets are int64 labels from 1 to `n_classes`, else a `value_error`.
#'   * `$log_prob(input)`: log probabilities of all classes, `(N, n_classes)`.
#'   * `$predict(input)`: the most likely labels, from 1.
#' @source Grave et al. (2017), Efficient softmax approximation for GPUs.
#' @examplesIf torch::torch_is_installed()
#' layer <- nn_adaptive_log_softmax_with_loss(8, 100, cutoffs = c(10, 50))
#' layer(torch_randn(3, 8), torch_tensor(c(1L, 40L, 99L)))$loss
#' @export
nn_adaptive_log_softmax_with_loss <- nn_module(
  "nn_adaptive_log_softmax_with_loss",
  initialize = function(in_features, n_classes, cutoffs, div_value = 4, head_bias = FALSE) {
    keep_settings()
    if (!is.numeric(cutoffs) || !length(cutoffs) || anyNA(cutoffs) || any(cutoffs != trunc(cutoffs) | cutoffs <= 0 | cutoffs >= n_classes) ||
        is.unsorted(cutoffs, strictly = TRUE)) {
      value_error("`cutoffs` must be whole numbers that rise, from 1 to below `n_classes`.")
    }
    self$cutoffs <- cutoffs <- c(cutoffs, n_classes)
    self$shortlist_size <- cutoffs[1]
    self$n_clusters <- length(cutoffs) - 1L
    self$head_size <- self$shortlist_size + self$n_clusters
    self$head <- nn_linear(in_features, self$head_size, bias = head_bias)
    self$tail <- nn_module_list(lapply(seq_len(self$n_clusters), function(i) {
      hidden <- in_features %/% (div_value^i)
      nn_sequential(nn_linear(in_features, hidden, bias = FALSE), nn_linear(hidden, cutoffs[i + 1] - cutoffs[i], bias = FALSE))
    }))
  },
  reset_parameters = function() {
    self$head$reset_parameters()
    for (cluster in as.list(self$tail)) for (layer in as.list(cluster)) layer$reset_parameters()
  },
  forward = function(input, target) {
    check_ndim(input, 1:2)
    samples <- utils::head(.Call(C_shape, input), -1L)
    if (!identical(.Call(C_shape, target), samples)) {
      value_error(sprintf(
        "`target` must have a label for each sample of `input`, shape (%s), not %s.", paste(samples, collapse = ", "), shape_text(target)
      ))
    }
    batched <- length(samples) == 1
    if (!batched) {
      input <- torch_unsqueeze(input, 1L)
      target <- torch_unsqueeze(target, 1L)
    }
    outside <- target < 1L | target > self$n_classes
    if (as.logical(torch_any(outside))) value_error(sprintf("`target` must hold labels from 1 to %s.", format(self$n_classes)))
    # The class of the head, and the log probability within the cluster.
    position <- target$clone()
    within <- torch_zeros(target$shape, dtype = input$dtype, device = input$device)
    for (i in seq_len(self$n_clusters)) {
      low <- self$cutoffs[i]
      rows <- torch_squeeze(torch_nonzero(target > low & target <= self$cutoffs[i + 1]), 2L)
      if (rows$numel() == 0) next
      scores <- torch_log_softmax(self$tail[[i]](torch_index_select(input, 1L, rows)), dim = 2L)
      label <- torch_index_select(target, 1L, rows) - as.integer(low)
      within <- torch_index_copy(within, 1L, rows, torch_squeeze(torch_gather(scores, 2L, torch_unsqueeze(label, 2L)), 2L))
      position[rows] <- as.integer(self$shortlist_size + i)
    }
    scores <- torch_log_softmax(self$head(input), dim = 2L)
    output <- within + torch_squeeze(torch_gather(scores, 2L, torch_unsqueeze(position, 2L)), 2L)
    list(output = if (batched) output else torch_squeeze(output, 1L), loss = -torch_mean(output))
  },
  log_prob = function(input) {
    head <- torch_log_softmax(self$head(input), dim = -1L)
    parts <- lapply(seq_len(self$n_clusters), function(i) {
      torch_log_softmax(self$tail[[i]](input), dim = -1L) + torch_narrow(head, -1L, self$shortlist_size + i, 1L)
    })
    torch_cat(c(list(torch_narrow(head, -1L, 1L, self$shortlist_size)), parts), dim = -1L)
  },
  predict = function(input) torch_argmax(self$log_prob(input), dim = -1L)
)
