# Every layer, with PyTorch's of the same settings and the inputs for both. Inputs: a kind and a shape. Kinds: `f` numbers,
# `p` numbers between 0 and 1, `s` signs, `i<n>` labels or positions from 1 to n, `z<n>` counts from 0 to n, `b` logicals. A layer
# of `random` is compared in evaluation only, one of `untraced` is not traced, for the reason it gives.
layer_case <- function(r, py, ..., random = FALSE, untraced = NULL) {
  list(r = r, py = py, inputs = c(...), random = random, untraced = untraced)
}

layer_cases <- list(
  layer_case("nn_linear(3, 8)", "Linear(3, 8)", "f 5,3"),
  layer_case("nn_linear(3, 2, bias = FALSE)", "Linear(3, 2, bias=False)", "f 3"),
  layer_case("nn_bilinear(2, 3, 4)", "Bilinear(2, 3, 4)", "f 5,2", "f 5,3"),
  layer_case("nn_identity()", "Identity()", "f 2,3"),
  layer_case("nn_embedding(5, 3, padding_idx = 2)", "Embedding(5, 3, padding_idx=1)", "i5 2,4"),
  layer_case("nn_embedding_bag(5, 3)", "EmbeddingBag(5, 3)", "i5 2,4"),
  layer_case("nn_embedding_bag(5, 3, mode = 'sum')", "EmbeddingBag(5, 3, mode='sum')", "i5 2,4"),
  layer_case("nn_embedding_bag(5, 3, mode = 'max')", "EmbeddingBag(5, 3, mode='max')", "i5 2,4"),
  layer_case("nn_embedding_bag(5, 3, padding_idx = 1)", "EmbeddingBag(5, 3, padding_idx=0)", "i5 3,4"),
  # ---- convolution
  layer_case("nn_conv1d(2, 3, 2, stride = 2)", "Conv1d(2, 3, 2, stride=2)", "f 2,2,7"),
  layer_case("nn_conv2d(4, 6, c(3, 2), padding = c(1, 0), groups = 2)", "Conv2d(4, 6, (3, 2), padding=(1, 0), groups=2)", "f 2,4,5,6"),
  layer_case("nn_conv2d(2, 3, 3, padding = 'same', dilation = 2)", "Conv2d(2, 3, 3, padding='same', dilation=2)", "f 1,2,7,7"),
  layer_case("nn_conv2d(2, 2, 3, padding = 2, padding_mode = 'circular')", "Conv2d(2, 2, 3, padding=2, padding_mode='circular')", "f 1,2,5,5"),
  layer_case("nn_conv3d(1, 2, 2)", "Conv3d(1, 2, 2)", "f 1,1,3,4,3"),
  layer_case("nn_conv_transpose1d(2, 3, 3, stride = 2, padding = 1)", "ConvTranspose1d(2, 3, 3, stride=2, padding=1)", "f 2,2,5"),
  layer_case(
    "nn_conv_transpose2d(4, 6, 3, stride = 2, output_padding = 1, groups = 2)",
    "ConvTranspose2d(4, 6, 3, stride=2, output_padding=1, groups=2)", "f 1,4,3,4"
  ),
  layer_case("nn_conv_transpose2d(2, 3, c(3, 2), dilation = 2, bias = FALSE)", "ConvTranspose2d(2, 3, (3, 2), dilation=2, bias=False)", "f 2,3,3"),
  layer_case("nn_conv_transpose3d(1, 2, 2)", "ConvTranspose3d(1, 2, 2)", "f 1,1,2,3,2"),
  # ---- normalisation
  layer_case("nn_batch_norm1d(3)", "BatchNorm1d(3)", "f 4,3"),
  layer_case("nn_batch_norm1d(3, momentum = NULL)", "BatchNorm1d(3, momentum=None)", "f 4,3,2", untraced = "the weight of a batch is a number that changes"),
  layer_case("nn_batch_norm2d(3, affine = FALSE)", "BatchNorm2d(3, affine=False)", "f 2,3,2,2"),
  layer_case("nn_batch_norm3d(2, track_running_stats = FALSE)", "BatchNorm3d(2, track_running_stats=False)", "f 2,2,2,2,2"),
  layer_case("nn_instance_norm1d(3, affine = TRUE)", "InstanceNorm1d(3, affine=True)", "f 2,3,4"),
  layer_case("nn_instance_norm2d(3, track_running_stats = TRUE)", "InstanceNorm2d(3, track_running_stats=True)", "f 2,3,4,2"),
  layer_case("nn_instance_norm2d(3)", "InstanceNorm2d(3)", "f 3,4,2"),
  layer_case("nn_instance_norm3d(2)", "InstanceNorm3d(2)", "f 2,2,2,2,3"),
  layer_case("nn_layer_norm(c(3, 4))", "LayerNorm((3, 4))", "f 2,3,4"),
  layer_case("nn_layer_norm(4, bias = FALSE)", "LayerNorm(4, bias=False)", "f 2,4"),
  layer_case("nn_rms_norm(4)", "RMSNorm(4)", "f 2,4"),
  layer_case("nn_group_norm(2, 4)", "GroupNorm(2, 4)", "f 2,4,3"),
  layer_case("nn_local_response_norm(2)", "LocalResponseNorm(2)", "f 2,5,3"),
  layer_case("nn_local_response_norm(3, 0.1, 0.5, 2)", "LocalResponseNorm(3, 0.1, 0.5, 2)", "f 2,5,3,2"),
  # ---- recurrence
  layer_case("nn_rnn(3, 4)", "RNN(3, 4)", "f 5,2,3"),
  layer_case("nn_rnn(3, 4, 2, nonlinearity = 'relu', bidirectional = TRUE, bias = FALSE)", "RNN(3, 4, 2, nonlinearity='relu', bidirectional=True, bias=False)", "f 5,2,3"),
  layer_case("nn_lstm(3, 4, 2, batch_first = TRUE)", "LSTM(3, 4, 2, batch_first=True)", "f 2,5,3"),
  layer_case("nn_lstm(3, 4, bidirectional = TRUE, proj_size = 2)", "LSTM(3, 4, bidirectional=True, proj_size=2)", "f 5,2,3"),
  layer_case("nn_lstm(3, 4)", "LSTM(3, 4)", "f 5,3"),
  layer_case("nn_gru(3, 4, 2, dropout = 0.5)", "GRU(3, 4, 2, dropout=0.5)", "f 5,2,3", random = TRUE),
  layer_case("nn_gru(3, 4, batch_first = TRUE)", "GRU(3, 4, batch_first=True)", "f 2,5,3", "f 1,2,4"),
  layer_case("nn_rnn_cell(3, 4)", "RNNCell(3, 4)", "f 2,3", "f 2,4"),
  layer_case("nn_rnn_cell(3, 4, nonlinearity = 'relu')", "RNNCell(3, 4, nonlinearity='relu')", "f 3"),
  layer_case("nn_lstm_cell(3, 4)", "LSTMCell(3, 4)", "f 2,3"),
  layer_case("nn_gru_cell(3, 4, bias = FALSE)", "GRUCell(3, 4, bias=False)", "f 2,3", "f 2,4"),
  # ---- attention
  layer_case("nn_multihead_attention(6, 2)", "MultiheadAttention(6, 2)", "f 4,2,6", "f 5,2,6", "f 5,2,6"),
  layer_case("nn_multihead_attention(6, 3, batch_first = TRUE, bias = FALSE)", "MultiheadAttention(6, 3, batch_first=True, bias=False)", "f 2,4,6", "f 2,5,6", "f 2,5,6"),
  layer_case("nn_multihead_attention(6, 2, kdim = 3, vdim = 4)", "MultiheadAttention(6, 2, kdim=3, vdim=4)", "f 4,2,6", "f 5,2,3", "f 5,2,4"),
  layer_case(
    "nn_multihead_attention(6, 2, add_bias_kv = TRUE, add_zero_attn = TRUE)",
    "MultiheadAttention(6, 2, add_bias_kv=True, add_zero_attn=True)", "f 4,2,6", "f 5,2,6", "f 5,2,6", "m 2,5"
  ),
  layer_case("nn_multihead_attention(6, 2)", "MultiheadAttention(6, 2)", "f 4,6", "f 5,6", "f 5,6"),
  layer_case("nn_transformer_encoder_layer(6, 2, 8, dropout = 0)", "TransformerEncoderLayer(6, 2, 8, dropout=0)", "f 4,2,6"),
  layer_case(
    "nn_transformer_encoder_layer(6, 2, 8, dropout = 0, activation = 'gelu', batch_first = TRUE, norm_first = TRUE)",
    "TransformerEncoderLayer(6, 2, 8, dropout=0, activation='gelu', batch_first=True, norm_first=True)", "f 2,4,6"
  ),
  layer_case("nn_transformer_decoder_layer(6, 2, 8, dropout = 0)", "TransformerDecoderLayer(6, 2, 8, dropout=0)", "f 4,2,6", "f 5,2,6"),
  layer_case(
    "nn_transformer_encoder(nn_transformer_encoder_layer(6, 2, 8, dropout = 0), 2, nn_layer_norm(6))",
    "TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 8, dropout=0), 2, nn.LayerNorm(6))", "f 4,2,6", "f 4,4"
  ),
  layer_case(
    "nn_transformer_decoder(nn_transformer_decoder_layer(6, 2, 8, dropout = 0, norm_first = TRUE, bias = FALSE), 2)",
    "TransformerDecoder(nn.TransformerDecoderLayer(6, 2, 8, dropout=0, norm_first=True, bias=False), 2)", "f 4,2,6", "f 5,2,6"
  ),
  layer_case("nn_transformer(6, 2, 1, 1, 8, dropout = 0)", "Transformer(6, 2, 1, 1, 8, dropout=0)", "f 4,2,6", "f 3,2,6"),
  # ---- pooling
  layer_case("nn_max_pool1d(2)", "MaxPool1d(2)", "f 2,2,7"),
  layer_case("nn_max_pool2d(3, stride = 2, padding = 1, ceil_mode = TRUE)", "MaxPool2d(3, stride=2, padding=1, ceil_mode=True)", "f 1,2,6,7"),
  layer_case("nn_max_pool3d(2)", "MaxPool3d(2)", "f 1,1,4,4,4"),
  layer_case("nn_avg_pool1d(2, padding = 1)", "AvgPool1d(2, padding=1)", "f 1,2,6"),
  layer_case("nn_avg_pool2d(c(2, 3), count_include_pad = FALSE)", "AvgPool2d((2, 3), count_include_pad=False)", "f 1,2,5,6"),
  layer_case("nn_avg_pool3d(2, divisor_override = 3)", "AvgPool3d(2, divisor_override=3)", "f 1,1,4,4,4"),
  layer_case("nn_lp_pool1d(2, 3)", "LPPool1d(2, 3)", "f 1,2,7"),
  layer_case("nn_lp_pool2d(3, c(2, 3), stride = 1)", "LPPool2d(3, (2, 3), stride=1)", "p 1,2,5,5"),
  layer_case("nn_lp_pool3d(2, 2)", "LPPool3d(2, 2)", "f 1,1,4,4,4"),
  layer_case("nn_adaptive_max_pool1d(3)", "AdaptiveMaxPool1d(3)", "f 1,2,7"),
  layer_case("nn_adaptive_max_pool2d(c(2, 3))", "AdaptiveMaxPool2d((2, 3))", "f 1,2,5,7"),
  layer_case("nn_adaptive_max_pool3d(2)", "AdaptiveMaxPool3d(2)", "f 1,1,3,4,5"),
  layer_case("nn_adaptive_avg_pool1d(3)", "AdaptiveAvgPool1d(3)", "f 1,2,7"),
  layer_case("nn_adaptive_avg_pool2d(2)", "AdaptiveAvgPool2d(2)", "f 1,2,5,7"),
  layer_case("nn_adaptive_avg_pool3d(2)", "AdaptiveAvgPool3d(2)", "f 1,1,3,4,5"),
  layer_case("nn_max_unpool1d(2)", "MaxUnpool1d(2)", "f 1,2,3", "u6 1,2,3"),
  layer_case("nn_max_unpool2d(2)", "MaxUnpool2d(2)", "f 1,2,2,2", "u16 1,2,2,2"),
  layer_case("nn_max_unpool3d(2)", "MaxUnpool3d(2)", "f 1,1,2,1,2", "u32 1,1,2,1,2"),
  # ---- activations
  layer_case("nn_relu()", "ReLU()", "f 2,3"),
  layer_case("nn_relu6()", "ReLU6()", "f 2,3"),
  layer_case("nn_leaky_relu(0.1)", "LeakyReLU(0.1)", "f 2,3"),
  layer_case("nn_rrelu()", "RReLU()", "f 2,3", random = TRUE),
  layer_case("nn_prelu(3)", "PReLU(3)", "f 2,3"),
  layer_case("nn_elu(0.5)", "ELU(0.5)", "f 2,3"),
  layer_case("nn_celu(0.5)", "CELU(0.5)", "f 2,3"),
  layer_case("nn_selu()", "SELU()", "f 2,3"),
  layer_case("nn_gelu()", "GELU()", "f 2,3"),
  layer_case("nn_gelu('tanh')", "GELU('tanh')", "f 2,3"),
  layer_case("nn_silu()", "SiLU()", "f 2,3"),
  layer_case("nn_mish()", "Mish()", "f 2,3"),
  layer_case("nn_sigmoid()", "Sigmoid()", "f 2,3"),
  layer_case("nn_tanh()", "Tanh()", "f 2,3"),
  layer_case("nn_hardtanh(-0.5, 0.7)", "Hardtanh(-0.5, 0.7)", "f 2,3"),
  layer_case("nn_hardsigmoid()", "Hardsigmoid()", "f 2,3"),
  layer_case("nn_hardswish()", "Hardswish()", "f 2,3"),
  layer_case("nn_log_sigmoid()", "LogSigmoid()", "f 2,3"),
  layer_case("nn_softplus(2, 10)", "Softplus(2, 10)", "f 2,3"),
  layer_case("nn_softsign()", "Softsign()", "f 2,3"),
  layer_case("nn_tanhshrink()", "Tanhshrink()", "f 2,3"),
  layer_case("nn_softshrink(0.3)", "Softshrink(0.3)", "f 2,3"),
  layer_case("nn_hardshrink(0.3)", "Hardshrink(0.3)", "f 2,3"),
  layer_case("nn_threshold(0.1, 7)", "Threshold(0.1, 7)", "f 2,3"),
  layer_case("nn_softmax(2)", "Softmax(1)", "f 2,3"),
  layer_case("nn_log_softmax(-1)", "LogSoftmax(-1)", "f 2,3"),
  layer_case("nn_softmin(1)", "Softmin(0)", "f 2,3"),
  layer_case("nn_softmax2d()", "Softmax2d()", "f 1,3,2,2"),
  layer_case("nn_glu(2)", "GLU(1)", "f 2,4"),
  layer_case("nn_dropout(0.3)", "Dropout(0.3)", "f 2,3", random = TRUE),
  layer_case("nn_dropout1d(0.3)", "Dropout1d(0.3)", "f 2,3,4", random = TRUE),
  layer_case("nn_dropout2d(0.3)", "Dropout2d(0.3)", "f 2,3,4,2", random = TRUE),
  layer_case("nn_dropout3d(0.3)", "Dropout3d(0.3)", "f 2,3,4,2,2", random = TRUE),
  layer_case("nn_alpha_dropout(0.3)", "AlphaDropout(0.3)", "f 2,3", random = TRUE),
  layer_case("nn_feature_alpha_dropout(0.3)", "FeatureAlphaDropout(0.3)", "f 2,3,4", random = TRUE),
  # ---- shapes and images
  layer_case("nn_flatten()", "Flatten()", "f 2,3,2"),
  layer_case("nn_unflatten(2, c(2, 3))", "Unflatten(1, (2, 3))", "f 2,6"),
  layer_case("nn_fold(c(4, 5), 2)", "Fold((4, 5), 2)", "f 1,8,12"),
  layer_case("nn_unfold(c(2, 3), stride = 2, padding = 1)", "Unfold((2, 3), stride=2, padding=1)", "f 1,2,5,5"),
  layer_case("nn_pixel_shuffle(2)", "PixelShuffle(2)", "f 1,8,2,3"),
  layer_case("nn_pixel_unshuffle(2)", "PixelUnshuffle(2)", "f 1,2,4,6"),
  layer_case("nn_channel_shuffle(2)", "ChannelShuffle(2)", "f 1,4,2,2"),
  layer_case("nn_upsample(scale_factor = 2)", "Upsample(scale_factor=2)", "f 1,2,3"),
  layer_case("nn_upsample(size = 5, mode = 'linear')", "Upsample(size=5, mode='linear')", "f 1,2,3"),
  layer_case("nn_upsample(scale_factor = c(2, 1.5), mode = 'bilinear', align_corners = TRUE)", "Upsample(scale_factor=(2, 1.5), mode='bilinear', align_corners=True)", "f 1,2,3,4"),
  layer_case("nn_upsample(size = c(5, 7), mode = 'bicubic')", "Upsample(size=(5, 7), mode='bicubic')", "f 1,2,3,4"),
  layer_case("nn_upsample(scale_factor = 2, mode = 'trilinear')", "Upsample(scale_factor=2, mode='trilinear')", "f 1,1,2,3,2"),
  layer_case("nn_upsample(size = c(2, 2), mode = 'area')", "Upsample(size=(2, 2), mode='area')", "f 1,2,3,4"),
  layer_case("nn_upsample(scale_factor = 1.7, mode = 'nearest-exact')", "Upsample(scale_factor=1.7, mode='nearest-exact')", "f 1,2,3,4"),
  layer_case("nn_upsampling_nearest2d(scale_factor = 2)", "UpsamplingNearest2d(scale_factor=2)", "f 1,2,3,4"),
  layer_case("nn_upsampling_bilinear2d(scale_factor = 2)", "UpsamplingBilinear2d(scale_factor=2)", "f 1,2,3,4"),
  layer_case("nn_zero_pad1d(2)", "ZeroPad1d(2)", "f 1,2,3"),
  layer_case("nn_zero_pad2d(c(1, 2, 0, 1))", "ZeroPad2d((1, 2, 0, 1))", "f 1,2,3,3"),
  layer_case("nn_zero_pad3d(1)", "ZeroPad3d(1)", "f 1,1,2,2,2"),
  layer_case("nn_constant_pad1d(2, 3.5)", "ConstantPad1d(2, 3.5)", "f 1,2,3"),
  layer_case("nn_constant_pad2d(c(1, 0, 2, 1), -1)", "ConstantPad2d((1, 0, 2, 1), -1)", "f 1,2,3,3"),
  layer_case("nn_constant_pad3d(1, 2)", "ConstantPad3d(1, 2.0)", "f 1,1,2,2,2"),
  layer_case("nn_reflection_pad1d(2)", "ReflectionPad1d(2)", "f 1,2,4"),
  layer_case("nn_reflection_pad2d(c(1, 2, 0, 1))", "ReflectionPad2d((1, 2, 0, 1))", "f 1,2,3,3"),
  layer_case("nn_reflection_pad3d(1)", "ReflectionPad3d(1)", "f 1,1,3,3,3"),
  layer_case("nn_replication_pad1d(2)", "ReplicationPad1d(2)", "f 1,2,4"),
  layer_case("nn_replication_pad2d(2)", "ReplicationPad2d(2)", "f 1,2,3,3"),
  layer_case("nn_replication_pad3d(1)", "ReplicationPad3d(1)", "f 1,1,2,2,2"),
  layer_case("nn_circular_pad1d(2)", "CircularPad1d(2)", "f 1,2,4"),
  layer_case("nn_circular_pad2d(1)", "CircularPad2d(1)", "f 1,2,3,3"),
  layer_case("nn_circular_pad3d(1)", "CircularPad3d(1)", "f 1,1,2,2,2"),
  # ---- losses and distances
  layer_case("nn_mse_loss()", "MSELoss()", "f 2,3", "f 2,3"),
  layer_case("nn_l1_loss('sum')", "L1Loss(reduction='sum')", "f 2,3", "f 2,3"),
  layer_case("nn_smooth_l1_loss()", "SmoothL1Loss()", "f 2,3", "f 2,3"),
  layer_case("nn_huber_loss(delta = 0.5)", "HuberLoss(delta=0.5)", "f 2,3", "f 2,3"),
  layer_case("nn_soft_margin_loss()", "SoftMarginLoss()", "f 2,3", "s 2,3"),
  layer_case("nn_kl_div_loss('batchmean')", "KLDivLoss(reduction='batchmean')", "f 2,3", "p 2,3"),
  layer_case("nn_cross_entropy_loss(label_smoothing = 0.2)", "CrossEntropyLoss(label_smoothing=0.2)", "f 4,3", "i3 4"),
  layer_case("nn_smooth_l1_loss(beta = 0.3)", "SmoothL1Loss(beta=0.3)", "f 2,3", "f 2,3"),
  layer_case("nn_kl_div_loss('sum', log_target = TRUE)", "KLDivLoss(reduction='sum', log_target=True)", "f 2,3", "f 2,3"),
  layer_case("nn_cross_entropy_loss()", "CrossEntropyLoss()", "f 4,3", "i3 4"),
  layer_case("nn_nll_loss(reduction = 'none')", "NLLLoss(reduction='none')", "f 4,3", "i3 4"),
  layer_case("nn_bce_loss()", "BCELoss()", "p 4", "p 4"),
  layer_case("nn_bce_with_logits_loss(pos_weight = torch_tensor(2))", "BCEWithLogitsLoss(pos_weight=torch.tensor([2.0]))", "f 4", "p 4"),
  layer_case("nn_multilabel_soft_margin_loss()", "MultiLabelSoftMarginLoss()", "f 2,3", "p 2,3"),
  layer_case("nn_multi_margin_loss()", "MultiMarginLoss()", "f 4,3", "i3 4"),
  layer_case("nn_poisson_nll_loss(full = TRUE)", "PoissonNLLLoss(full=True)", "f 4", "z5 4"),
  layer_case("nn_gaussian_nll_loss(full = TRUE)", "GaussianNLLLoss(full=True)", "f 4", "f 4", "p 4"),
  layer_case("nn_hinge_embedding_loss()", "HingeEmbeddingLoss()", "f 4", "s 4"),
  layer_case("nn_cosine_embedding_loss(0.1)", "CosineEmbeddingLoss(0.1)", "f 2,3", "f 2,3", "s 2"),
  layer_case("nn_margin_ranking_loss()", "MarginRankingLoss()", "f 4", "f 4", "s 4"),
  layer_case("nn_triplet_margin_loss(swap = TRUE)", "TripletMarginLoss(swap=True)", "f 2,3", "f 2,3", "f 2,3"),
  layer_case("nn_triplet_margin_with_distance_loss()", "TripletMarginWithDistanceLoss()", "f 2,3", "f 2,3", "f 2,3"),
  layer_case("nn_pairwise_distance(p = 3, keepdim = TRUE)", "PairwiseDistance(p=3, keepdim=True)", "f 2,3", "f 2,3"),
  layer_case("nn_cosine_similarity(2)", "CosineSimilarity(1)", "f 2,3", "f 2,3"),
  layer_case(
    "nn_adaptive_log_softmax_with_loss(6, 9, c(3, 6), div_value = 2, head_bias = TRUE)",
    "AdaptiveLogSoftmaxWithLoss(6, 9, [3, 6], div_value=2, head_bias=True)", "f 8,6", "i9 8",
    untraced = "which samples each cluster computes depends on their labels"
  )
)

# An input as R's tensor, and as Python reads it.
layer_input <- function(text) {
  kind <- sub(" .*", "", text)
  shape <- as.integer(strsplit(sub("^[^ ]* ", "", text), ",")[[1]])
  n <- prod(shape)
  most <- as.integer(sub("^[a-z]", "", kind))
  kind <- substr(kind, 1, 1)
  values <- switch(kind,
    f = round(rnorm(n), 3), p = round(runif(n, 0.05, 0.95), 3), s = sample(c(-1, 1), n, TRUE), i = sample(most, n, TRUE),
    # Positions of maxima: each once in a channel.
    u = unlist(lapply(seq_len(prod(shape[1:2])), function(i) sample(most, n / prod(shape[1:2])))),
    z = as.double(sample(0:most, n, TRUE)), m = rep(c(FALSE, FALSE, TRUE), length.out = n)
  )
  tensor <- torch_tensor(values, dtype = if (is.double(values)) "double")$reshape(shape)
  list(
    tensor = tensor, values = as.list(if (kind %in% c("i", "u")) values - 1 else values), shape = as.list(shape),
    grad = kind %in% c("f", "p")
  )
}
