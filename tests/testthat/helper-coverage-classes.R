# The members of classes that R users know (fixtures/classes.tsv: class, its base, member, kind, formals), and PyTorch's classes.
# tools/coverage.R prints both.

class_chain <- function(class) {
  chain <- list()
  while (!is.null(class)) {
    chain <- c(chain, list(class))
    class <- class$get_inherit()
  }
  chain
}

# Why a member is not there, or takes something else: by class and member, by class (`*`), or for all classes.
member_reasons <- c(
  "optim_adamw loop_fun" = "the rule is one function of lists of parameters", "nn_sequential initialize" = "its row of nn_prune_head()",
  "nn_Module print" = "printing is S3", "nn_Module .replace_values_from_table" = "a step of their clone()",
  "* .save_to_state_dict" = "state dict hooks", "* .load_from_state_dict" = "state dict hooks", "nn_Module training_" = "`training` is a field",
  "nn_Module non_persistent_buffers_" = "an attribute of the buffer", "nn_conv2d conv_forward_" = "a step of `forward`",
  "nn_conv_nd initialize" = "the subclass says whether it is transposed", "nn_conv_transpose_nd initialize" = "the same",
  "nn_conv_transpose_nd .output_padding" = "a step of `forward`", "nn_poisson_nll_loss forward" = "`input`, as PyTorch has it",
  "nn_rnn_base permute_hidden" = "a step of `forward`", "nn_lstm permute_hidden" = "a step of `forward`",
  "nn_utils_weight_norm initialize" = "defaults for both", "OptimizerIgnite zero_grad" = "takes one argument more",
  "nn_Module zero_grad" = "takes one argument more", "tensor_dataset .getitem" = "takes the index alone",
  "nn_norm_base_ check_input_dim" = "of the classes below it"
)
# Bound where a method asks for them.
asked_for <- c("parameters_", "buffers_", "modules_")

# One row a member: `verdict` is "works and agrees", "left out", "another kind" (what is an R6 object there is an S3 object, a
# tensor or a function here, and has a page and tests of its own) or "wrong".
class_coverage <- function(known = fixture("classes.tsv")) {
  judge <- function(class, member, type, formals) {
    object <- get0(class, asNamespace("torch"))
    r6 <- if (R6::is.R6Class(object)) object else attr(object, "r6_class", exact = TRUE)
    if (is.null(r6)) return(c("another kind", ""))
    reason <- c(member_reasons[paste(class, member)], member_reasons[paste("*", member)])
    reason <- reason[!is.na(reason)]
    if (length(reason)) return(c("left out", reason[[1]]))
    if (member %in% asked_for) return(c("works and agrees", "where a method asks"))
    parts <- c("public_methods", "active", "public_fields", "private_methods", "private_fields")
    members <- unlist(lapply(class_chain(r6), function(one) lapply(parts, function(part) one[[part]])), recursive = FALSE)
    found <- Filter(function(part) member %in% names(part), members)
    if (!length(found)) return(c("wrong", "missing"))
    found <- found[[1]][[member]]
    if (is.function(found) && grepl("method", type) && formals_differ(as.list(formals(found)), known_formals(formals))) {
      return(c("wrong", paste0("has other formals than ", formals)))
    }
    c("works and agrees", "")
  }
  judged <- mapply(judge, known$class, known$member, known$type, known$formals)
  cbind(known[c("class", "member")], verdict = judged[1, ], note = judged[2, ], row.names = NULL)
}

# PyTorch's classes of a module by their R form; `left_out` says why some are not there.
python_classes <- list(
  list(module = "torch.optim", prefix = "optim_", left_out = c(Optimizer = "optimizer()")),
  list(
    module = "torch.optim.lr_scheduler", prefix = "lr_", left_out = c(
      ChainedScheduler = "lr_chained()", LRScheduler = "lr_scheduler()", ReduceLROnPlateau = "lr_reduce_on_plateau()"
    )
  ),
  list(
    module = "torch.distributions", prefix = "distr_", left_out = c(
      Distribution = "distribution()", ExponentialFamily = "`natural_params` of distribution()", TransformedDistribution = "distr_transformed()",
      Transform = "transforms are functions that transform_*() make", CumulativeDistributionTransform = "a class of transforms"
    )
  )
)

# "MultiStepLR" as "lr_multi_step", "AffineTransform" as "transform_affine".
r_form <- function(name, prefix) {
  snake <- tolower(gsub("([A-Z]+)([A-Z][a-z])", "\\1_\\2", gsub("([a-z0-9])([A-Z])", "\\1_\\2", name)))
  if (grepl("_transform$", snake)) return(paste0("transform_", sub("_transform$", "", snake)))
  paste0(prefix, if (prefix == "lr_") sub("_?lr$", "", snake) else snake)
}

python_coverage <- function() {
  names <- python_eval("
import importlib, inspect
result = {}
for name in modules:
  module = importlib.import_module(name)
  result[name] = [n for n, c in inspect.getmembers(module, inspect.isclass) if not n.startswith('_') and c.__module__.startswith(name)]
", modules = vapply(python_classes, `[[`, "", "module"))
  # Some names have another place for the underscore.
  exported <- gsub("_", "", getNamespaceExports("torch"))
  rows <- lapply(python_classes, function(it) {
    classes <- names[[it$module]]
    there <- gsub("_", "", vapply(classes, r_form, "", it$prefix)) %in% exported
    reason <- it$left_out[classes]
    data.frame(
      module = it$module, class = classes, verdict = ifelse(there, "works and agrees", ifelse(is.na(reason), "wrong", "left out")),
      note = ifelse(there | is.na(reason), "", reason)
    )
  })
  do.call(rbind, rows)
}
