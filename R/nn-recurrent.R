# Recurrent layers: one operator for all layers, directions and steps; and their cells, which are one step.

#' @include nn-module.R nn-packed.R
NULL

#' Recurrent layers
#'
#' Layers over sequences: `nn_rnn()` with \eqn{h_t = \tanh(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh})}, `nn_lstm()` and
#' `nn_gru()` with gates.
#'
#' @section Shapes:
#' L is the length of the sequences, N the size of the batch, D is 2 if `bidirectional` and else 1, H is `hidden_size` (in
#' outputs `proj_size`, if that is not 0).
#'
#' | | shape |
#' |---|---|
#' | `input` | `(L, N, input_size)`; with `batch_first` `(N, L, input_size)`; `(L, input_size)` without a batch; or a packed sequence |
#' | `hx`, hidden state | `(D * num_layers, N, H)`; zeros if `NULL`; for `nn_lstm()` a list of two, `h` and `c` |
#' | output | as `input`, with D * H in the place of `input_size` |
#'
#' @param input_size,hidden_size numbers of features of the input and of the hidden state.
#' @param num_layers number of layers; each takes the output of the one before.
#' @param nonlinearity `"tanh"`, which `NULL` means too, or `"relu"`.
#' @param bias whether there are biases.
#' @param batch_first whether the batch is the first dimension of input and output.
#' @param dropout probability of an element of the output of a layer to be dropped in training, but for the last one.
#' @param bidirectional whether a second layer beside each goes from the end of the sequence to the beginning.
#' @param proj_size if not 0, the hidden state is projected to so many features.
#' @param ... Must be empty.
#' @returns A module with the parameters `weight_ih_l1`, `weight_hh_l1`, `bias_ih_l1`, `bias_hh_l1`, with `proj_size` also
#'   `weight_hr_l1`, and so on for layers 2, ...; those of the other direction end in `_reverse`. PyTorch counts the layers from
#'   0: `$load_state_dict()` takes such a state dict too, and [save_state_dict()] writes it. Initial values are uniform on \eqn{\pm 1 / \sqrt{hidden\_size}}. `forward(input, hx = NULL)` returns a list of the output (packed if the input is) and
#'   the hidden state after the last step, for `nn_lstm()` a list of two.
#' @section Errors:
#' An input or a hidden state of a wrong shape is a `value_error`.
#' @source LibTorch's `lstm`, `gru`, `rnn_tanh` and `rnn_relu`; Hochreiter and Schmidhuber (1997), Long short-term memory; Cho et
#'   al. (2014), Learning phrase representations using RNN encoder-decoder for statistical machine translation.
#' @seealso [nn_utils_rnn_pack_padded_sequence()], [nn_lstm_cell()]
#' @examplesIf torch::torch_is_installed()
#' lstm <- nn_lstm(3, 5, batch_first = TRUE)
#' out <- lstm(torch_randn(2, 7, 3))
#' out[[1]]$shape
#' out[[2]][[1]]$shape
#' @name nn_recurrent
#' @aliases nn_rnn nn_lstm nn_gru
NULL

nn_rnn_base <- nn_module(
  "nn_rnn_base",
  initialize = function(mode, input_size, hidden_size, num_layers = 1, bias = TRUE, batch_first = FALSE, dropout = 0,
                        bidirectional = FALSE, proj_size = 0) {
    keep_settings()
    check_size(input_size, "input_size", from = 0)
    check_size(hidden_size, "hidden_size")
    check_size(num_layers, "num_layers")
    check_probability(dropout, "dropout")
    if (proj_size >= hidden_size) {
      value_error(sprintf("`proj_size` must be less than `hidden_size`, %s, not %s.", format(hidden_size), format(proj_size)))
    }
    if (dropout > 0 && num_layers == 1) {
      warn("`dropout` acts between layers, and there is only one: it does nothing.")
    }
    gates <- c(LSTM = 4, GRU = 3, RNN_TANH = 1, RNN_RELU = 1)[[mode]]
    outputs <- private$outputs()
    for (layer in seq_len(num_layers)) {
      for (end in private$ends()) {
        inputs <- if (layer == 1) input_size else outputs * length(private$ends())
        shapes <- list(
          weight_ih = c(gates * hidden_size, inputs), weight_hh = c(gates * hidden_size, outputs),
          bias_ih = if (bias) gates * hidden_size, bias_hh = if (bias) gates * hidden_size,
          weight_hr = if (proj_size > 0) c(proj_size, hidden_size)
        )
        for (name in names(shapes)[!vapply(shapes, is.null, NA)]) {
          name_of_layer <- paste0(name, "_l", layer, end)
          self$register_parameter(name_of_layer, nn_parameter(torch_empty(shapes[[name]])))
          private$weights <- c(private$weights, name_of_layer)
        }
      }
    }
    self$reset_parameters()
  },
  reset_parameters = function() {
    bound <- scale_of_fan(self$hidden_size)
    for (name in private$weights) nn_init_uniform_(self[[name]], -bound, bound)
  },
  # A hidden state with the sequences of its batch in another order.
  permute_hidden = function(hx, permutation) {
    if (is.list(hx)) lapply(hx, reordered, by = permutation) else reordered(hx, permutation)
  },
  # There is nothing to do: weights lie where LibTorch wants them, and on CUDA LibTorch arranges them itself.
  flatten_parameters = function() invisible(),
  forward = function(input, hx = NULL) {
    weights <- lapply(private$weights, function(name) self[[name]])
    dropout <- if (self$num_layers == 1) 0 else self$dropout
    operator <- switch(self$mode, LSTM = torch_lstm, GRU = torch_gru, RNN_TANH = torch_rnn_tanh, torch_rnn_relu)
    if (is_packed_sequence(input)) {
      first <- input$batch_sizes[1]
      n <- .Call(C_count, first)
      state <- private$hidden(hx, input$data, as_size(n, list(first)), n, input$sorted_indices)
      out <- operator(
        data = input$data, batch_sizes = input$batch_sizes, hx = state, params = weights, has_biases = self$bias,
        num_layers = self$num_layers, dropout = dropout, train = self$training, bidirectional = self$bidirectional
      )
      output <- new_packed_sequence(out[[1]], input$batch_sizes, input$sorted_indices, input$unsorted_indices)
      hidden <- lapply(out[-1], reordered, by = input$unsorted_indices)
      return(list(output, private$as_given(hidden)))
    }
    check_tensor(input, "input")
    ndim <- length(.Call(C_shape, input))
    if (!ndim %in% 2:3) {
      value_error(sprintf("`input` must have 3 dimensions, or 2 without a batch, not %d.", ndim))
    }
    if (.Call(C_shape, input)[ndim] != self$input_size) {
      value_error(sprintf(
        "The last dimension of `input` must be `input_size`, %s, not %s.", format(self$input_size), .Call(C_shape, input)[ndim]
      ))
    }
    batched <- ndim == 3
    batch_dim <- if (self$batch_first) 1L else 2L
    if (!batched) input <- torch_unsqueeze(input, batch_dim)
    state <- private$hidden(hx, input, input$size(batch_dim), .Call(C_shape, input)[batch_dim], batched = batched)
    out <- operator(
      input = input, hx = state, params = weights, has_biases = self$bias, num_layers = self$num_layers, dropout = dropout,
      train = self$training, bidirectional = self$bidirectional, batch_first = self$batch_first
    )
    output <- if (batched) out[[1]] else torch_squeeze(out[[1]], batch_dim)
    list(output, private$as_given(lapply(out[-1], function(h) if (batched) h else torch_squeeze(h, 2L))))
  },
  private = list(
    weights = character(),
    ends = function() if (self$bidirectional) c("", "_reverse") else "",
    outputs = function() if (self$proj_size > 0) self$proj_size else self$hidden_size,
    sizes = function() if (self$mode == "LSTM") c(private$outputs(), self$hidden_size) else private$outputs(),
    # The hidden state in the operator's form: one tensor, or a list of two. `batch` is a size that a trace follows,
    # and `n` is its number.
    hidden = function(hx, input, batch, n, order = NULL, batched = TRUE) {
      two <- self$mode == "LSTM"
      layers <- self$num_layers * length(private$ends())
      if (is.null(hx)) {
        zeros <- lapply(private$sizes(), function(size) {
          torch_zeros(c(layers, batch, size), dtype = input$dtype, device = input$device)
        })
        return(if (two) zeros else zeros[[1]])
      }
      given <- if (two) hx else list(hx)
      if (!is.list(given) || length(given) != 1 + two || !all(vapply(given, is_torch_tensor, NA))) {
        type_error(sprintf("`hx` must be %s, not %s.", if (two) "a list of two tensors" else "a tensor", friendly_type(hx)))
      }
      if (!batched) given <- lapply(given, torch_unsqueeze, 2L)
      for (i in seq_along(given)) {
        wanted <- c(layers, n, private$sizes()[i])
        if (!identical(as.numeric(.Call(C_shape, given[[i]])), as.numeric(wanted))) {
          value_error(sprintf(
            "`hx%s` must have the shape (%s), not (%s).", if (two) sprintf("[[%d]]", i) else "",
            toString(if (batched) wanted else wanted[-2]),
            toString(if (batched) .Call(C_shape, given[[i]]) else .Call(C_shape, given[[i]])[-2])
          ))
        }
      }
      self$permute_hidden(if (two) given else given[[1]], order)
    },
    as_given = function(hidden) if (self$mode == "LSTM") unname(hidden) else hidden[[1]],
    names_here = function(names, prefix) count_layers(names, 0L, 1L, prefix)
  )
)

# Layers count from 1 here and from 0 in PyTorch. Changes the names of a state dict: where layers count from `from`,
# they then count from `to`. With `prefix` it changes only the recurrent module of that prefix.
count_layers <- function(names, from, to, prefix = NULL) {
  parts <- regmatches(names, regexec(layer_pattern, names, perl = TRUE))
  found <- which(lengths(parts) > 0L)
  parts <- matrix(unlist(parts[found]), nrow = 5L)
  numbers <- as.numeric(parts[4L, ])
  for (at in intersect(parts[2L, ], prefix %||% parts[2L, ])) {
    mine <- which(parts[2L, ] == at)
    if (min(numbers[mine]) != from || !any(endsWith(parts[3L, mine], "weight_hh_l"))) next
    parts[4L, mine] <- sprintf("%.0f", numbers[mine] + to - from)
    names[found[mine]] <- apply(parts[-1L, mine, drop = FALSE], 2L, paste0, collapse = "")
  }
  names
}
layer_pattern <- "^((?:.*?[.])??)((?:parametrizations[.])?(?:weight|bias)_(?:ih|hh|hr)_l)([0-9]+)((?:[_.].*)?)$"

check_no_more <- function(..., call = caller_env()) {
  if (!...length()) return()
  name <- names2(list(...))[1]
  value_error(if (nzchar(name)) sprintf("`%s` is no argument of this layer.", name) else "There are too many arguments.", call)
}

# The sequences of a batch in another order.
reordered <- function(hidden, by) if (is.null(by)) hidden else torch_index_select(hidden, 2L, by)

#' @rdname nn_recurrent
#' @export
nn_rnn <- nn_module(
  "nn_rnn", nn_rnn_base,
  initialize = function(input_size, hidden_size, num_layers = 1, nonlinearity = NULL, bias = TRUE, batch_first = FALSE,
                        dropout = 0, bidirectional = FALSE, ...) {
    check_no_more(...)
    self$nonlinearity <- check_choice(nonlinearity %||% "tanh", c("tanh", "relu"), "nonlinearity")
    super$initialize(
      paste0("RNN_", toupper(self$nonlinearity)), input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional
    )
  }
)

#' @rdname nn_recurrent
#' @export
nn_lstm <- nn_module(
  "nn_lstm", nn_rnn_base,
  initialize = function(input_size, hidden_size, num_layers = 1, bias = TRUE, batch_first = FALSE, dropout = 0,
                        bidirectional = FALSE, proj_size = 0, ...) {
    check_no_more(...)
    super$initialize("LSTM", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size)
  }
)

#' @rdname nn_recurrent
#' @export
nn_gru <- nn_module(
  "nn_gru", nn_rnn_base,
  initialize = function(input_size, hidden_size, num_layers = 1, bias = TRUE, batch_first = FALSE, dropout = 0,
                        bidirectional = FALSE, ...) {
    check_no_more(...)
    super$initialize("GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional)
  }
)

# ---- cells --------------------------------------------------------------------------------------------------------------

#' Recurrent cells
#'
#' One step of [nn_rnn()], [nn_lstm()] and [nn_gru()], for loops of one's own.
#'
#' @inheritParams nn_rnn
#' @returns A module with the parameters `weight_ih`, `weight_hh`, `bias_ih` and `bias_hh`. `forward(input, hx = NULL)` takes an
#'   input of shape `(N, input_size)` or `(input_size)` and a state of shape `(N, hidden_size)` or `(hidden_size)`, and returns
#'   the new state; for `nn_lstm_cell()` a state is a list of two, `h` and `c`.
#' @source LibTorch's `rnn_tanh_cell`, `rnn_relu_cell`, `lstm_cell` and `gru_cell`.
#' @examplesIf torch::torch_is_installed()
#' cell <- nn_gru_cell(3, 5)
#' h <- NULL
#' for (x in torch_unbind(torch_randn(7, 2, 3))) h <- cell(x, h)
#' h$shape
#' @export
nn_rnn_cell <- nn_module(
  "nn_rnn_cell",
  initialize = function(input_size, hidden_size, bias = TRUE, nonlinearity = "tanh") {
    nonlinearity <- check_choice(nonlinearity, c("tanh", "relu"), "nonlinearity")
    keep_settings()
    cell_parameters(self, 1)
  },
  reset_parameters = function() cell_reset(self),
  forward = function(input, hx = NULL) {
    cell <- if (self$nonlinearity == "tanh") torch_rnn_tanh_cell else torch_rnn_relu_cell
    cell_step(self, input, hx, cell)
  }
)

#' @rdname nn_rnn_cell
#' @export
nn_lstm_cell <- nn_module(
  "nn_lstm_cell",
  initialize = function(input_size, hidden_size, bias = TRUE) {
    keep_settings()
    cell_parameters(self, 4)
  },
  reset_parameters = function() cell_reset(self),
  forward = function(input, hx = NULL) cell_step(self, input, hx, torch_lstm_cell, states = 2)
)

#' @rdname nn_rnn_cell
#' @export
nn_gru_cell <- nn_module(
  "nn_gru_cell",
  initialize = function(input_size, hidden_size, bias = TRUE) {
    keep_settings()
    cell_parameters(self, 3)
  },
  reset_parameters = function() cell_reset(self),
  forward = function(input, hx = NULL) cell_step(self, input, hx, torch_gru_cell)
)

cell_parameters <- function(self, gates) {
  check_size(self$input_size, "input_size", from = 0)
  check_size(self$hidden_size, "hidden_size")
  rows <- gates * self$hidden_size
  shapes <- list(
    weight_ih = c(rows, self$input_size), weight_hh = c(rows, self$hidden_size),
    bias_ih = if (self$bias) rows, bias_hh = if (self$bias) rows
  )
  for (name in names(shapes)) {
    self$register_parameter(name, if (!is.null(shapes[[name]])) nn_parameter(torch_empty(shapes[[name]])))
  }
  self$reset_parameters()
}

cell_reset <- function(self) {
  bound <- scale_of_fan(self$hidden_size)
  for (parameter in self$named_parameters(recursive = FALSE)) nn_init_uniform_(parameter, -bound, bound)
}

cell_step <- function(self, input, hx, cell, states = 1) {
  check_tensor(input, "input", caller_env())
  batched <- length(.Call(C_shape, input)) == 2
  if (!batched) input <- torch_unsqueeze(input, 1L)
  if (is.null(hx)) {
    zeros <- torch_zeros(c(input$size(1), self$hidden_size), dtype = input$dtype, device = input$device)
    hx <- if (states == 2) list(zeros, zeros) else zeros
  } else if (!batched) {
    hx <- if (states == 2) lapply(hx, torch_unsqueeze, 1L) else torch_unsqueeze(hx, 1L)
  }
  out <- cell(input, hx, self$weight_ih, self$weight_hh, self$bias_ih, self$bias_hh)
  if (states == 2) out <- unname(out)
  if (batched) out else if (states == 2) lapply(out, torch_squeeze, 1L) else torch_squeeze(out, 1L)
}
