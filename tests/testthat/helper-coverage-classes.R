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
  "optim_adamw loop_fun" = "the rule is one function of lists of parameters", "nn_sequential initialize" = "nn_prune_head() takes the head itself",
  "nn_Module .replace_values_from_table" = "a step of their clone()"
)
# Steps of theirs that no user calls, of classes that have no R6 class here.
steps_of_theirs <- c(
  "AmpGradScaler [.].*", "torch_hook (x|pos)", "autograd_edge func", "nn_ScriptModule ([.]{2}ptr[.]{2}|[.]respects_mode)",
  "BaseDataLoaderIter [.](iter|next_index|next_data|length)", "utils_sampler_batch [.]iter_(batch_)?sampler"
)
# Objects of the classes that have no R6 class here: their members are asked of one.
class_objects <- alist(
  AmpGradScaler = cuda_amp_grad_scaler(), torch_hook = torch_ones(1, requires_grad = TRUE)$register_hook(identity),
  torch_autograd_context = {
    context <- NULL
    f <- autograd_function(
      forward = function(ctx, x) {
        ctx$save_for_backward(x = x)
        x$clone()
      },
      # What is saved is there as long as the derivative is computed.
      backward = function(ctx, grad) {
        context <<- as.list.environment(ctx, all.names = TRUE)
        list(x = grad)
      }
    )
    f(torch_ones(1, requires_grad = TRUE))$backward()
    context
  },
  autograd_edge = (torch_ones(1, requires_grad = TRUE) * 2)$grad_fn$next_functions[[1]], autograd_node = (torch_ones(1, requires_grad = TRUE) * 2)$grad_fn,
  torch_compilation_unit = jit_compile("def f(x):\n  return x"), torch_device = torch_device("cuda", 1),
  torch_Constraint = constraint_real, torch_IndependentConstraint = constraint_independent(constraint_real, 1), torch_Boolean = constraint_boolean,
  torch_IntegerInterval = constraint_integer_interval(0, 2), torch_IntegerGreaterThan = constraint_nonnegative_integer,
  torch_Real = constraint_real, torch_GreaterThan = constraint_greater_than(1), torch_GreaterThanEq = constraint_greater_than_eq(1),
  torch_LessThan = constraint_less_than(1), torch_Interval = constraint_interval(0, 1), torch_HalfOpenInterval = constraint_half_open_interval(0, 1),
  torch_PositiveDefinite = constraint_positive_definite, torch_LowerCholesky = constraint_lower_cholesky, torch_Simplex = constraint_simplex,
  torch_ExponentialFamily = distr_normal(0, 1), torch_Distribution = distr_normal(0, 1), torch_Bernoulli = distr_bernoulli(0.5),
  torch_Categorical = distr_categorical(torch_ones(2)), torch_Gamma = distr_gamma(1, 1), torch_Chi2 = distr_chi2(1),
  torch_MixtureSameFamily = distr_mixture_same_family(distr_categorical(torch_ones(2)), distr_normal(torch_zeros(2), 1)),
  torch_MultivariateNormal = distr_multivariate_normal(torch_zeros(2), torch_eye(2)), torch_Normal = distr_normal(0, 1), torch_Poisson = distr_poisson(1),
  torch_dtype = torch_float(), torch_generator = torch_generator(), dataset = tensor_dataset(torch_ones(2)),
  iterable_dataset = iterable_dataset(.iter = function() 1)(), torch_optimizer = optim_sgd(nn_linear(1, 1)$parameters, 0.1),
  State = optim_sgd(nn_linear(1, 1)$parameters, 0.1)$state, PackedSequence = nn_utils_rnn_pack_sequence(list(torch_ones(1, 1), torch_ones(2, 1)), enforce_sorted = FALSE),
  torch_script_module = jit_trace(nn_linear(1, 1), torch_ones(1, 1)), nn_ScriptModule = jit_trace(nn_linear(1, 1), torch_ones(1, 1)),
  torch_script_method = jit_trace(nn_linear(1, 1), torch_ones(1, 1))$forward, ScriptFunction = jit_trace(function(x) x, torch_ones(1)),
  torch_storage = torch_ones(2)$storage(), dataloader = dataloader(tensor_dataset(torch_ones(2))),
  BaseDataLoaderIter = dataloader(tensor_dataset(torch_ones(2)))$.iter(), utils_sampler = random_sampler(1:3), utils_sampler_sequential = sequential_sampler(1:3),
  utils_sampler_random = random_sampler(1:3), utils_sampler_batch = batch_sampler(sequential_sampler(1:3), 2), infinite_sampler = InfiniteSampler(),
  graph_function = jit_trace(function(x) x, torch_ones(1))$graph
)

# What such an object is instead of an R6 object, for members that every class there has.
structure_members <- c(ptr = "handles are not seen", initialize = "its function makes it", print = "printing is S3")

# Why a class has no object here, or such an object has no such member.
kind_reasons <- c(
  AmpOptState = "a value of theirs", r_session = "workers are processes of ours, ?dataloader", BaseDatasetFetcher = "a step of the loop over a data loader",
  IterableDatasetFetcher = "the same", MapDatasetFetcher = "the same", SingleProcessDataLoaderIter = "an iterator is a function",
  torch_dimname = "names of dimensions are strings", torch_dimname_list = "names of dimensions are strings", torch_variable_list = "lists of tensors are R's",
  torch_scalar = "numbers are R's", torch_layout = "printed and compared only", torch_memory_format = "printed and compared only",
  torch_qscheme = "printed and compared only", torch_Dependent = "constraints that depend on parameters are made when these are known",
  torch_IntegerLessThan = "no distribution has it", function_schema = "a schema is a text"
)

# A member of a class that is no R6 class here.
judge_object <- function(class, member, type, formals) {
  if (class %in% names(kind_reasons)) return(c("another kind", kind_reasons[[class]]))
  if (grepl(sprintf("^(%s)$", paste(steps_of_theirs, collapse = "|")), paste(class, member))) return(c("another kind", "a step of theirs"))
  if (member %in% names(structure_members)) return(c("another kind", structure_members[[member]]))
  if (is.null(object_cache[[class]])) {
    object_cache[[class]] <- eval(class_objects[[class]], new.env(parent = asNamespace("torch")))
  }
  object <- object_cache[[class]]
  if (startsWith(type, "private") && is.environment(object)) object <- object$.__enclos_env__$private
  found <- tryCatch(eval(call("$", quote(object), as.name(member))), error = function(e) NULL)
  if (is.null(found)) return(c("wrong", "missing"))
  if (grepl("method", type)) {
    if (!is.function(found)) return(c("wrong", "is no function"))
    have <- Filter(function(name) name != "...", names(formals(args(found))))
    known <- Filter(function(name) name != "...", names(known_formals(formals)))
    if (!all(known %in% have) && !is.primitive(found)) return(c("wrong", paste0("has other formals than ", formals)))
  }
  c("works and agrees", "asked of an object")
}
object_cache <- new.env()

# One row a member: `verdict` is "works and agrees", "left out", "another kind" (what is an R6 object there is an S3 object, a
# tensor or a function here, for the reason told) or "wrong".
class_coverage <- function(known = fixture("classes.tsv")) {
  judge <- function(class, member, type, formals) {
    object <- get0(class, asNamespace("torch"))
    r6 <- if (R6::is.R6Class(object)) object else attr(object, "r6_class", exact = TRUE)
    if (is.null(r6)) return(judge_object(class, member, type, formals))
    if (member %in% names(member_tables)) return(c("works and agrees", "where a method asks"))
    parts <- c("public_methods", "active", "public_fields", "private_methods", "private_fields")
    members <- unlist(lapply(class_chain(r6), function(one) lapply(parts, function(part) one[[part]])), recursive = FALSE)
    found <- Filter(function(part) member %in% names(part), c(members, list(more_members)))
    if (!length(found)) return(c("wrong", "missing"))
    found <- found[[1]][[member]]
    if (is.function(found) && grepl("method", type) && formals_differ(as.list(formals(found)), known_formals(formals), strict = FALSE)) {
      return(c("wrong", paste0("has other formals than ", formals)))
    }
    c("works and agrees", "")
  }
  judge_row <- function(class, member, type, formals) {
    judged <- judge(class, member, type, formals)
    reason <- member_reasons[paste(class, member)]
    if (judged[1] == "wrong" && !is.na(reason)) c("left out", reason[[1]]) else judged
  }
  judged <- mapply(judge_row, known$class, known$member, known$type, known$formals)
  cbind(known[c("class", "member")], verdict = judged[1, ], note = judged[2, ], row.names = NULL)
}

# PyTorch's classes of a module by their R form; some have another name (`named`), `left_out` says why others are not there.
python_classes <- list(
  list(module = "torch.optim", prefix = "optim_", named = c(Optimizer = "optimizer")),
  list(
    module = "torch.optim.lr_scheduler", prefix = "lr_",
    named = c(ChainedScheduler = "lr_chained", LRScheduler = "lr_scheduler", ReduceLROnPlateau = "lr_reduce_on_plateau")
  ),
  list(
    module = "torch.distributions", prefix = "distr_", named = c(Distribution = "distribution", TransformedDistribution = "distr_transformed"),
    left_out = c(
      ExponentialFamily = "`natural_params` of distribution()", Transform = "transforms are functions that transform_*() make",
      CumulativeDistributionTransform = "a class of transforms"
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
    there <- gsub("_", "", ifelse(classes %in% names(it$named), it$named[classes], vapply(classes, r_form, "", it$prefix))) %in% exported
    reason <- if (is.null(it$left_out)) rep(NA, length(classes)) else it$left_out[classes]
    data.frame(
      module = it$module, class = classes, verdict = ifelse(there, "works and agrees", ifelse(is.na(reason), "wrong", "left out")),
      note = ifelse(there | is.na(reason), "", reason)
    )
  })
  do.call(rbind, rows)
}
