# Attention, and the layers of transformers, which are built of it.

#' @include nn-module.R nn-layers.R nn-containers.R
NULL

#' Attention with several heads, as a function
#'
#' What [nn_multihead_attention()] computes, with its weights as arguments. Use the module, or
#' [torch_scaled_dot_product_attention()], unless the weights come from elsewhere.
#'
#' @param query,key,value tensors of shape `(L, N, E)`, `(S, N, Ek)` and `(S, N, Ev)`, with `batch_first` `(N, L, E)` and so
#'   on; or without N.
#' @param embed_dim_to_check E, to be checked.
#' @param num_heads number of heads; divides E.
#' @param in_proj_weight,in_proj_bias the three projections of the input one below the other, `(3 E, E)` and `(3 E)`.
#' @param bias_k,bias_v one more key and value, of shape `(1, 1, E)`, or `NULL`.
#' @param add_zero_attn whether a key and a value of zeros are added.
#' @param dropout_p probability of an attention weight to be dropped in training.
#' @param out_proj_weight,out_proj_bias the projection of the result, `(E, E)` and `(E)`.
#' @param training whether to drop.
#' @param key_padding_mask of shape `(N, S)`: which keys are padding. Bool, with `TRUE` for keys to ignore, or numbers
#'   to add.
#' @param need_weights whether the attention weights are given too.
#' @param attn_mask `(L, S)` or `(N * num_heads, L, S)`: bool, `TRUE` for what must not be attended to, or numbers to add.
#' @param avg_weights whether the weights are averaged over the heads.
#' @param use_separate_proj_weight whether `q_proj_weight`, `k_proj_weight` and `v_proj_weight` are used.
#' @param q_proj_weight,k_proj_weight,v_proj_weight projections of shape `(E, E)`, `(E, Ek)` and `(E, Ev)`.
#' @param static_k,static_v keys and values after the projection, `(N * num_heads, S, E / num_heads)`.
#' @param batch_first whether the batch comes first.
#' @param is_causal whether each position attends only to those up to itself.
#' @returns A list of two: a tensor of the shape of `query`, and the weights, of shape `(N, L, S)`, with
#'   `avg_weights = FALSE` `(N, num_heads, L, S)`; `NULL` without `need_weights`.
#' @source Vaswani et al. (2017), Attention is all you need.
#' @export
nnf_multi_head_attention_forward <- function(query, key, value, embed_dim_to_check, num_heads, in_proj_weight, in_proj_bias,
                                             bias_k, bias_v, add_zero_attn, dropout_p, out_proj_weight, out_proj_bias,
                                             training = TRUE, key_padding_mask = NULL, need_weights = TRUE,
                                             attn_mask = NULL, avg_weights = TRUE, use_separate_proj_weight = FALSE,
                                             q_proj_weight = NULL, k_proj_weight = NULL, v_proj_weight = NULL,
                                             static_k = NULL, static_v = NULL, batch_first = FALSE, is_causal = FALSE) {
  same_key <- identical(query, key)
  same_value <- identical(key, value)
  batched <- length(.Call(C_shape, query)) == 3
  # From here on the batch comes first.
  first <- function(x) if (!batched) torch_unsqueeze(x, 1L) else if (batch_first) x else torch_transpose(x, 1L, 2L)
  query <- first(query)
  key <- if (same_key) query else first(key)
  value <- if (same_value) key else first(value)
  if (!batched && !is.null(key_padding_mask)) key_padding_mask <- torch_unsqueeze(key_padding_mask, 1L)
  embed_dim <- .Call(C_shape, query)[3]
  if (embed_dim != embed_dim_to_check) {
    value_error(sprintf("The last dimension of `query` must be %s, not %s.", format(embed_dim_to_check), embed_dim))
  }
  if (embed_dim %% num_heads != 0) {
    value_error(sprintf("`num_heads` must divide the size of the embedding, %s, not %s.", embed_dim, format(num_heads)))
  }

  parts <- if (use_separate_proj_weight) {
    bias <- if (is.null(in_proj_bias)) list(NULL, NULL, NULL) else torch_chunk(in_proj_bias, 3L)
    Map(torch_linear, list(query, key, value), list(q_proj_weight, k_proj_weight, v_proj_weight), bias)
  } else if (same_key && same_value) {
    torch_chunk(torch_linear(query, in_proj_weight, in_proj_bias), 3L, dim = -1L)
  } else {
    weight <- torch_chunk(in_proj_weight, 3L)
    bias <- if (is.null(in_proj_bias)) list(NULL, NULL, NULL) else torch_chunk(in_proj_bias, 3L)
    Map(torch_linear, list(query, key, value), weight, bias)
  }
  n <- query$size(1)
  if (!is.null(bias_k)) {
    parts[[2]] <- torch_cat(list(parts[[2]], torch_expand(bias_k, c(n, 1L, -1L))), dim = 2L)
    parts[[3]] <- torch_cat(list(parts[[3]], torch_expand(bias_v, c(n, 1L, -1L))), dim = 2L)
  }
  # (N, L, E) as (N, heads, L, E / heads).
  heads <- function(x) torch_transpose(torch_unflatten(x, -1L, c(num_heads, -1L)), 2L, 3L)
  given <- function(x) torch_unflatten(x, 1L, c(-1L, num_heads))
  q <- heads(parts[[1]])
  k <- if (is.null(static_k)) heads(parts[[2]]) else given(static_k)
  v <- if (is.null(static_v)) heads(parts[[3]]) else given(static_v)
  if (add_zero_attn) {
    k <- nnf_pad(k, c(0, 0, 0, 1))
    v <- nnf_pad(v, c(0, 0, 0, 1))
  }
  added <- (!is.null(bias_k)) + isTRUE(add_zero_attn)
  check_masks(attn_mask, key_padding_mask, .Call(C_shape, query), .Call(C_shape, key)[2], num_heads)
  # A mask of the padding alone leaves the future to be hidden.
  if (is_causal && is.null(attn_mask)) {
    size <- c(.Call(C_shape, query)[2], .Call(C_shape, key)[2])
    attn_mask <- torch_ones(size, dtype = torch_bool(), device = query$device)$triu(1)
  }
  mask <- attention_mask(attn_mask, key_padding_mask, num_heads, q, added)

  dropout <- if (training) dropout_p else 0
  weights <- NULL
  if (need_weights) {
    scores <- torch_matmul(q * (1 / sqrt(embed_dim / num_heads)), torch_transpose(k, -2L, -1L))
    if (!is.null(mask)) scores <- scores + mask
    weights <- torch_softmax(scores, dim = -1L)
    if (dropout > 0) weights <- nnf_dropout(weights, dropout)
    out <- torch_matmul(weights, v)
  } else {
    out <- torch_scaled_dot_product_attention(q, k, v, mask, dropout)
  }
  out <- torch_linear(torch_flatten(torch_transpose(out, 2L, 3L), start_dim = -2L), out_proj_weight, out_proj_bias)
  if (need_weights && avg_weights) weights <- torch_mean(weights, dim = 2L)
  if (!batched) {
    out <- torch_squeeze(out, 1L)
    if (need_weights) weights <- torch_squeeze(weights, 1L)
  } else if (!batch_first) {
    out <- torch_transpose(out, 1L, 2L)
  }
  list(out, weights)
}

check_masks <- function(attn_mask, key_padding_mask, query, keys, num_heads, call = caller_env()) {
  check <- function(mask, arg, ...) {
    if (is.null(mask)) return()
    if (!is_torch_tensor(mask)) type_error(sprintf("`%s` must be a tensor, not %s.", arg, friendly_type(mask)), call)
    shapes <- list(...)
    if (any(vapply(shapes, function(shape) identical(as.numeric(.Call(C_shape, mask)), as.numeric(shape)), NA))) return()
    wanted <- paste(vapply(shapes, function(shape) sprintf("(%s)", toString(shape)), ""), collapse = " or ")
    value_error(sprintf("`%s` must have the shape %s, not (%s).", arg, wanted, toString(.Call(C_shape, mask))), call)
  }
  check(attn_mask, "attn_mask", c(query[2], keys), c(query[1] * num_heads, query[2], keys))
  check(key_padding_mask, "key_padding_mask", c(query[1], keys))
}

# Both masks as one to add, of a shape that broadcasts to (N, heads, L, S); `added` keys at the end are never masked.
attention_mask <- function(attn_mask, key_padding_mask, num_heads, like, added) {
  masks <- list()
  if (!is.null(attn_mask)) {
    mask <- additive_mask(attn_mask, like)
    masks <- list(if (length(.Call(C_shape, mask)) == 3) torch_unflatten(mask, 1L, c(-1L, num_heads)) else mask)
  }
  if (!is.null(key_padding_mask)) masks <- c(masks, additive_mask(key_padding_mask, like)$unsqueeze(2)$unsqueeze(2))
  if (!length(masks)) return(NULL)
  mask <- Reduce(`+`, masks)
  if (added > 0) nnf_pad(mask, c(0, added)) else mask
}

additive_mask <- function(mask, like) {
  if (mask$dtype != torch_bool() && !mask$is_floating_point()) {
    value_error(sprintf("A mask must be of bools, or of numbers to add, which are floating, not of dtype %s.", format(mask$dtype)))
  }
  if (mask$dtype != torch_bool()) return(mask$to(dtype = like$dtype))
  torch_zeros_like(mask, dtype = like$dtype)$masked_fill_(mask, -Inf)
}

#' Attention with several heads
#'
#' Each position of `query` takes a weighted mean of `value`; the weights say how well it fits the positions of `key`.
#'
#' @inheritParams nnf_multi_head_attention_forward
#' @param embed_dim E, the size of the embedding.
#' @param dropout probability of an attention weight to be dropped in training.
#' @param bias whether the projections have biases.
#' @param add_bias_kv whether there is one more key and value, which are learned.
#' @param kdim,vdim sizes Ek and Ev of keys and values; E if `NULL`.
#' @returns A module with the parameters `in_proj_weight`, or `q_proj_weight`, `k_proj_weight` and `v_proj_weight` where `kdim` or
#'   `vdim` is not E, `in_proj_bias`, `out_proj$weight`, `out_proj$bias` and, with `add_bias_kv`, `bias_k` and `bias_v`. Its
#'   `forward(query, key, value, key_padding_mask = NULL, need_weights = TRUE, attn_mask = NULL, avg_weights = TRUE, is_causal =
#'   FALSE)` returns a list of the result and the weights, see [nnf_multi_head_attention_forward()]. Without `need_weights` it
#'   is faster: LibTorch's fused attention computes it.
#' @source Vaswani et al. (2017), Attention is all you need.
#' @examplesIf torch::torch_is_installed()
#' attention <- nn_multihead_attention(8, 2, batch_first = TRUE)
#' x <- torch_randn(3, 5, 8)
#' attention(x, x, x)[[1]]$shape
#' @export
nn_multihead_attention <- nn_module(
  "nn_multihead_attention",
  initialize = function(embed_dim, num_heads, dropout = 0, bias = TRUE, add_bias_kv = FALSE, add_zero_attn = FALSE, kdim = NULL,
                        vdim = NULL, batch_first = FALSE) {
    keep_settings(except = c("bias", "add_bias_kv"))
    self$kdim <- kdim <- kdim %||% embed_dim
    self$vdim <- vdim <- vdim %||% embed_dim
    check_size(embed_dim, "embed_dim")
    check_size(num_heads, "num_heads")
    if (embed_dim %% num_heads != 0) {
      value_error(sprintf("`num_heads` must divide `embed_dim`, %s, not be %s.", format(embed_dim), format(num_heads)))
    }
    self$head_dim <- embed_dim / num_heads
    self$qkv_same_embed_dim <- kdim == embed_dim && vdim == embed_dim
    if (self$qkv_same_embed_dim) {
      self$in_proj_weight <- nn_parameter(torch_empty(3 * embed_dim, embed_dim))
      for (name in c("q_proj_weight", "k_proj_weight", "v_proj_weight")) self$register_parameter(name, NULL)
    } else {
      self$q_proj_weight <- nn_parameter(torch_empty(embed_dim, embed_dim))
      self$k_proj_weight <- nn_parameter(torch_empty(embed_dim, kdim))
      self$v_proj_weight <- nn_parameter(torch_empty(embed_dim, vdim))
      self$register_parameter("in_proj_weight", NULL)
    }
    self$in_proj_bias <- if (bias) nn_parameter(torch_empty(3 * embed_dim))
    self$out_proj <- nn_linear(embed_dim, embed_dim, bias = bias)
    self$bias_k <- if (add_bias_kv) nn_parameter(torch_empty(1, 1, embed_dim))
    self$bias_v <- if (add_bias_kv) nn_parameter(torch_empty(1, 1, embed_dim))
    self$reset_parameters()
  },
  reset_parameters = function() {
    for (name in c("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")) {
      if (!is.null(self[[name]])) nn_init_xavier_uniform_(self[[name]])
    }
    if (!is.null(self$in_proj_bias)) {
      nn_init_zeros_(self$in_proj_bias)
      nn_init_zeros_(self$out_proj$bias)
    }
    for (name in c("bias_k", "bias_v")) if (!is.null(self[[name]])) nn_init_xavier_normal_(self[[name]])
  },
  forward = function(query, key, value, key_padding_mask = NULL, need_weights = TRUE, attn_mask = NULL, avg_weights = TRUE,
                     is_causal = FALSE) {
    nnf_multi_head_attention_forward(
      query, key, value, self$embed_dim, self$num_heads, self$in_proj_weight, self$in_proj_bias, self$bias_k, self$bias_v,
      self$add_zero_attn, self$dropout, self$out_proj$weight, self$out_proj$bias, self$training, key_padding_mask,
      need_weights, attn_mask, avg_weights, !self$qkv_same_embed_dim, self$q_proj_weight, self$k_proj_weight,
      self$v_proj_weight, batch_first = self$batch_first, is_causal = is_causal
    )
  }
)

# ---- transformers -------------------------------------------------------------------------------------------------------

#' Transformers
#'
#' `nn_transformer_encoder_layer()` is attention of a sequence to itself and then a net of two linear layers at each
#' position, both with a residual connection and a layer norm. `nn_transformer_decoder_layer()` attends to itself and
#' to the encoder's result, `memory`. `nn_transformer_encoder()` and `nn_transformer_decoder()` are several such
#' layers one after the other, `nn_transformer()` is both together.
#'
#' @param d_model E, the number of features of a position.
#' @param nhead number of heads of attention.
#' @param dim_feedforward size of the net's hidden layer.
#' @param dropout probability of an element to be dropped in training.
#' @param activation `"relu"`, `"gelu"`, or a function of a tensor.
#' @param layer_norm_eps added to the variance in the norms.
#' @param batch_first whether the batch is the first dimension.
#' @param norm_first whether the norms come before attention and net, and not behind.
#' @param bias whether linear layers and norms have biases.
#' @param encoder_layer,decoder_layer a layer; the encoder or decoder holds copies of it.
#' @param num_layers,num_encoder_layers,num_decoder_layers numbers of layers.
#' @param norm a module for the result, or `NULL`.
#' @param custom_encoder,custom_decoder modules to use instead.
#' @returns Modules. S and T are the lengths of source and target, N is the size of the batch.
#' * encoder (layer): `forward(src, mask, src_key_padding_mask, is_causal)`, of a layer `src_mask`; `src` and the result have the
#'   shape `(S, N, E)`, with `batch_first` `(N, S, E)`.
#' * decoder (layer): `forward(tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask, tgt_is_causal,
#'   memory_is_causal)`; `tgt` and the result have the shape `(T, N, E)`.
#' * `nn_transformer()`: `forward(src, tgt, src_mask, tgt_mask, memory_mask, src_key_padding_mask, tgt_key_padding_mask,
#'   memory_key_padding_mask)`; `$generate_square_subsequent_mask(size)` is the mask of causal attention.
#'
#' All masks are `NULL` at first and mean what they mean to [nnf_multi_head_attention_forward()]. In evaluation without
#' gradients and masks, with `batch_first`, LibTorch's fused layer computes a layer of the encoder.
#' @source Vaswani et al. (2017), Attention is all you need; LibTorch's `_transformer_encoder_layer_fwd`.
#' @examplesIf torch::torch_is_installed()
#' layer <- nn_transformer_encoder_layer(8, 2, 16, batch_first = TRUE)
#' encoder <- nn_transformer_encoder(layer, num_layers = 2)
#' encoder(torch_randn(3, 5, 8))$shape
#' @name nn_transformer
#' @aliases nn_transformer_encoder_layer
NULL

activation_of <- function(activation, call = caller_env()) {
  if (is.function(activation)) return(activation)
  switch(if (is_string(activation)) activation else "",
    relu = nnf_relu, gelu = nnf_gelu,
    value_error(sprintf("`activation` must be \"relu\", \"gelu\" or a function, not %s.", friendly_type(activation)), call)
  )
}

# The parts that encoder and decoder layers share: attentions, two linear layers, a norm and a dropout behind each of them.
# `frame` has the arguments of `initialize`.
make_transformer_layer <- function(self, attentions, frame) {
  self$norm_first <- frame$norm_first
  self$activation <- activation_of(frame$activation, frame)
  with(mget(c("d_model", "nhead", "dim_feedforward", "dropout", "layer_norm_eps", "batch_first", "bias"), frame), {
    attention <- function() nn_multihead_attention(d_model, nhead, dropout = dropout, bias = bias, batch_first = batch_first)
    for (name in attentions) self$add_module(name, attention())
    self$add_module("linear1", nn_linear(d_model, dim_feedforward, bias = bias))
    self$add_module("dropout", nn_dropout(dropout))
    self$add_module("linear2", nn_linear(dim_feedforward, d_model, bias = bias))
    ends <- seq_len(length(attentions) + 1L)
    for (name in paste0("norm", ends)) self$add_module(name, nn_layer_norm(d_model, eps = layer_norm_eps, bias = bias))
    for (name in paste0("dropout", ends)) self$add_module(name, nn_dropout(dropout))
  })
}

#' @rdname nn_transformer
#' @export
nn_transformer_encoder_layer <- nn_module(
  "nn_transformer_encoder_layer",
  initialize = function(d_model, nhead, dim_feedforward = 2048, dropout = 0.1, activation = "relu", layer_norm_eps = 1e-5,
                        batch_first = FALSE, norm_first = FALSE, bias = TRUE) {
    make_transformer_layer(self, "self_attn", environment())
    private$fused_activation <- if (identical(activation, "relu") || identical(activation, "gelu")) activation
  },
  forward = function(src, src_mask = NULL, src_key_padding_mask = NULL, is_causal = FALSE) {
    if (is.null(src_mask) && is.null(src_key_padding_mask) && !is_causal && private$can_fuse(src)) return(private$fused(src))
    attend <- function(x) {
      out <- self$self_attn(
        x, x, x, attn_mask = src_mask, key_padding_mask = src_key_padding_mask, need_weights = FALSE, is_causal = is_causal
      )
      self$dropout1(out[[1]])
    }
    net <- function(x) self$dropout2(self$linear2(self$dropout(self$activation(self$linear1(x)))))
    if (self$norm_first) {
      src <- src + attend(self$norm1(src))
      src + net(self$norm2(src))
    } else {
      src <- self$norm1(src + attend(src))
      self$norm2(src + net(src))
    }
  },
  private = list(
    fused_activation = NULL,
    can_fuse = function(src) {
      !self$training && !.Call(C_grad_mode, NULL) && !cpp_is_tracing() && self$self_attn$batch_first &&
        !is.null(private$fused_activation) && !is.null(self$linear1$bias) && length(.Call(C_shape, src)) == 3 &&
        self$self_attn$num_heads %% 2 == 0 && self$norm1$eps == self$norm2$eps
    },
    fused = function(src) {
      attention <- self$self_attn
      torch__transformer_encoder_layer_fwd(
        src, attention$embed_dim, attention$num_heads, attention$in_proj_weight, attention$in_proj_bias,
        attention$out_proj$weight, attention$out_proj$bias, private$fused_activation == "gelu", self$norm_first, self$norm1$eps,
        self$norm1$weight, self$norm1$bias, self$norm2$weight, self$norm2$bias, self$linear1$weight, self$linear1$bias,
        self$linear2$weight, self$linear2$bias
      )
    }
  )
)

#' @rdname nn_transformer
#' @export
nn_transformer_decoder_layer <- nn_module(
  "nn_transformer_decoder_layer",
  initialize = function(d_model, nhead, dim_feedforward = 2048, dropout = 0.1, activation = "relu", layer_norm_eps = 1e-5,
                        batch_first = FALSE, norm_first = FALSE, bias = TRUE) {
    make_transformer_layer(self, c("self_attn", "multihead_attn"), environment())
  },
  forward = function(tgt, memory, tgt_mask = NULL, memory_mask = NULL, tgt_key_padding_mask = NULL,
                     memory_key_padding_mask = NULL, tgt_is_causal = FALSE, memory_is_causal = FALSE) {
    attend <- function(x) {
      out <- self$self_attn(
        x, x, x, attn_mask = tgt_mask, key_padding_mask = tgt_key_padding_mask, need_weights = FALSE, is_causal = tgt_is_causal
      )
      self$dropout1(out[[1]])
    }
    attend_memory <- function(x) {
      out <- self$multihead_attn(
        x, memory, memory, attn_mask = memory_mask, key_padding_mask = memory_key_padding_mask, need_weights = FALSE,
        is_causal = memory_is_causal
      )
      self$dropout2(out[[1]])
    }
    net <- function(x) self$dropout3(self$linear2(self$dropout(self$activation(self$linear1(x)))))
    if (self$norm_first) {
      tgt <- tgt + attend(self$norm1(tgt))
      tgt <- tgt + attend_memory(self$norm2(tgt))
      tgt + net(self$norm3(tgt))
    } else {
      tgt <- self$norm1(tgt + attend(tgt))
      tgt <- self$norm2(tgt + attend_memory(tgt))
      self$norm3(tgt + net(tgt))
    }
  }
)

copies_of <- function(layer, n) nn_module_list(lapply(seq_len(n), function(i) layer$clone(deep = TRUE)))

#' @rdname nn_transformer
#' @export
nn_transformer_encoder <- nn_module(
  "nn_transformer_encoder",
  initialize = function(encoder_layer, num_layers, norm = NULL) {
    keep_settings(except = c("encoder_layer", "norm"))
    check_size(num_layers, "num_layers")
    self$layers <- copies_of(encoder_layer, num_layers)
    self$norm <- norm
  },
  forward = function(src, mask = NULL, src_key_padding_mask = NULL, is_causal = FALSE) {
    for (layer in as.list(self$layers)) {
      src <- layer(src, src_mask = mask, src_key_padding_mask = src_key_padding_mask, is_causal = is_causal)
    }
    if (is.null(self$norm)) src else self$norm(src)
  }
)

#' @rdname nn_transformer
#' @export
nn_transformer_decoder <- nn_module(
  "nn_transformer_decoder",
  initialize = function(decoder_layer, num_layers, norm = NULL) {
    keep_settings(except = c("decoder_layer", "norm"))
    check_size(num_layers, "num_layers")
    self$layers <- copies_of(decoder_layer, num_layers)
    self$norm <- norm
  },
  forward = function(tgt, memory, tgt_mask = NULL, memory_mask = NULL, tgt_key_padding_mask = NULL,
                     memory_key_padding_mask = NULL, tgt_is_causal = FALSE, memory_is_causal = FALSE) {
    for (layer in as.list(self$layers)) {
      tgt <- layer(
        tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask, tgt_is_causal, memory_is_causal
      )
    }
    if (is.null(self$norm)) tgt else self$norm(tgt)
  }
)

#' @rdname nn_transformer
#' @export
nn_transformer <- nn_module(
  "nn_transformer",
  initialize = function(d_model = 512, nhead = 8, num_encoder_layers = 6, num_decoder_layers = 6, dim_feedforward = 2048,
                        dropout = 0.1, activation = "relu", custom_encoder = NULL, custom_decoder = NULL, layer_norm_eps = 1e-5,
                        batch_first = FALSE, norm_first = FALSE, bias = TRUE) {
    self$d_model <- plain_setting(d_model)
    self$nhead <- plain_setting(nhead)
    self$batch_first <- batch_first
    part <- function(stack, layer, n) {
      layer <- layer(d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias)
      stack(layer, n, nn_layer_norm(d_model, eps = layer_norm_eps, bias = bias))
    }
    self$encoder <- custom_encoder %||% part(nn_transformer_encoder, nn_transformer_encoder_layer, num_encoder_layers)
    self$decoder <- custom_decoder %||% part(nn_transformer_decoder, nn_transformer_decoder_layer, num_decoder_layers)
    for (parameter in self$parameters) if (length(.Call(C_shape, parameter)) > 1) nn_init_xavier_uniform_(parameter)
  },
  forward = function(src, tgt, src_mask = NULL, tgt_mask = NULL, memory_mask = NULL, src_key_padding_mask = NULL,
                     tgt_key_padding_mask = NULL, memory_key_padding_mask = NULL, src_is_causal = FALSE, tgt_is_causal = FALSE,
                     memory_is_causal = FALSE) {
    memory <- self$encoder(src, src_mask, src_key_padding_mask, src_is_causal)
    self$decoder(
      tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask, tgt_is_causal, memory_is_causal
    )
  },
  generate_square_subsequent_mask = function(size) torch_full(c(size, size), -Inf)$triu(1)
)
