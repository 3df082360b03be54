# Members that few classes of modules use: from outside `$` finds them here, and a method that asks for `self$<name>` makes
# them bindings of the modules of its class, see `bind_asked()`. Their `self` is the module's.

#' @include nn-module.R nn-hooks.R
NULL

more_members <- list(
  named_modules = function(remove_duplicate = TRUE) {
    check_switch(remove_duplicate, "remove_duplicate")
    tree <- module_tree(module_callable(self))
    if (remove_duplicate) tree[!duplicated(lapply(tree, module_identity))] else tree
  },
  named_children = function() {
    children <- self$children
    children[!duplicated(lapply(children, module_identity))]
  },
  get_submodule = function(target) submodule_at(self, check_path(target)),
  set_submodule = function(target, module) {
    path <- check_path(target)
    if (!length(path)) value_error("`target` must be the path of a module below this one, not an empty string.")
    parent <- submodule_at(self, path[-length(path)])
    if (!is_nn_module(module)) type_error(sprintf("`module` must be a module, not %s.", friendly_type(module)))
    if (inherits(parent, "script_module")) parent$add_module(path[length(path)], module) else parent[[path[length(path)]]] <- module
    invisible(module_callable(self))
  },
  print = function() print(module_callable(self)),
  .save_to_state_dict = function(prefix, keepvars) own_state(self, prefix, keepvars),
  .load_from_state_dict = function(state_dict, prefix) load_own_state(self, state_dict, prefix),
  get_parameter = function(target) tensor_at(self, target, "parameter"),
  get_buffer = function(target) tensor_at(self, target, "buffer"),
  requires_grad_ = function(requires_grad = TRUE) {
    check_switch(requires_grad, "requires_grad")
    for (x in self$parameters) set_requires_grad(x, requires_grad)
    invisible(module_callable(self))
  },
  type = function(dst_type) {
    if (!is_torch_dtype(dst_type)) type_error(sprintf("`dst_type` must be a dtype, not %s.", friendly_type(dst_type)))
    self$.apply(function(x) x$to(dtype = dst_type))
  },
  float = function() self$to(dtype = torch_float()),
  double = function() self$to(dtype = torch_double()),
  half = function() self$to(dtype = torch_half()),
  bfloat16 = function() self$to(dtype = torch_bfloat16()),
  to_empty = function(device) {
    device <- as_device(device)
    self$.apply(function(x) torch_empty_like(x, device = device))
  },
  register_forward_pre_hook = function(hook, prepend = FALSE) add_hook(self, "forward_pre", hook, prepend),
  register_forward_hook = function(hook, prepend = FALSE, always_call = FALSE) {
    add_hook(self, "forward", hook, prepend, always_call)
  },
  register_full_backward_pre_hook = function(hook, prepend = FALSE) add_hook(self, "backward_pre", hook, prepend),
  register_full_backward_hook = function(hook, prepend = FALSE) add_hook(self, "backward", hook, prepend),
  register_state_dict_pre_hook = function(hook) add_hook(self, "state_dict_pre", hook),
  register_state_dict_post_hook = function(hook) add_hook(self, "state_dict_post", hook),
  register_load_state_dict_pre_hook = function(hook) add_hook(self, "load_pre", hook),
  register_load_state_dict_post_hook = function(hook) add_hook(self, "load_post", hook)
)

# "a.b" as c("a", "b").
check_path <- function(target, call = caller_env()) {
  if (!is_string(target)) value_error(sprintf("`target` must be a path such as \"body.0\", not %s.", friendly_type(target)), call)
  strsplit(target, ".", fixed = TRUE)[[1]]
}

submodule_at <- function(self, path, call = caller_env()) {
  module <- module_callable(self)
  for (i in seq_along(path)) {
    children <- module$children
    if (is.null(children[[path[i]]])) {
      parent <- if (i == 1L) "the module" else sprintf("`%s`", paste(path[seq_len(i - 1L)], collapse = "."))
      value_error(sprintf("`target` finds no module: %s has no child `%s`; it has %s.", parent, path[i], words_of(names(children))), call)
    }
    module <- children[[path[i]]]
  }
  module
}

tensor_at <- function(self, target, kind, call = caller_env()) {
  path <- check_path(target, call)
  module <- submodule_at(self, path[-length(path)], call)
  own <- if (kind == "parameter") module$named_parameters(recursive = FALSE) else module$named_buffers(recursive = FALSE)
  name <- path[length(path)]
  if (!length(path) || is.null(own[[name]])) {
    value_error(sprintf("`target` finds no %s: %s has none called `%s`; it has %s.", kind, module_label(module), target, words_of(names(own))), call)
  }
  own[[name]]
}

words_of <- function(names) if (length(names)) paste0("`", names, "`", collapse = ", ") else "none"
