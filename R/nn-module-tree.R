# Trees of modules, gone through without recursion: networks of a thousand levels exist, and C's stack ends before R's.

tensor_classes <- c("nn_parameter", "nn_buffer")

# The modules at and below `self`, see cpp_module_tree(). The class of a module may replace `method`; then that module
# stands for all below it.
tree_of <- function(self, method = NULL, kinds = NULL, marks = NULL) cpp_module_tree(self, method, marks, kinds)

# Calls `own(self, members)` for the modules that have `method` of the base class, and `other(module)` for the others.
each_module <- function(self, method, own, other, kinds = NULL, children_first = FALSE) {
  tree <- tree_of(self, method, kinds)
  for (i in if (children_first) tree$children_first else seq_along(tree$module)) {
    if (tree$apart[i]) other(tree$module[[i]]) else own(tree$module[[i]], tree$members[[i]])
  }
}

# All tensors of one kind in the tree of modules, each once. Those of the children come before the module's own. In
# PyTorch they come after: where that makes a difference, an attribute has the places in that order.
tree_members <- function(self, field, class) {
  tree <- tree_of(self, field, class)
  members <- tree$members
  members[tree$apart] <- lapply(tree$module[tree$apart], function(module) module[[field]])
  n <- lengths(members)
  if (!any(n > 0L)) return(list())
  parents_first <- unlist(lapply(members, function(one) in_python_order(seq_along(one), one))) + rep(cumsum(n) - n, n)
  children_first <- order(match(rep(seq_along(n), n), tree$children_first))
  members <- unlist(unname(members), recursive = FALSE)
  names(members) <- paste0(rep(prefixes_of(tree, ""), n), names(members))
  same <- tensor_identities(members)
  once <- children_first[!duplicated(same[children_first])]
  there <- match(unique(same[parents_first]), same[once])
  members <- members[once]
  if (!is.unsorted(there)) return(members)
  attr(members, "python_order") <- there
  if (class == "nn_parameter") with_places(members, there) else members
}

# Parts of the list, `Filter(f, model$parameters)`, or several lists put together, have no attribute for the whole: each parameter
# knows by which name it stood in which tree, and at which place in PyTorch's order.
with_places <- function(members, order) {
  # A number for each list: an address may be that of another module before.
  the$n_trees <- (the$n_trees %||% 0) + 1
  places <- order(order)
  for (i in seq_along(members)) attr(members[[i]], "place") <- list(tree = the$n_trees, path = names(members)[i], at = places[i])
  members
}

# The order in which PyTorch has these parameters. The ones of a tree that stand one behind the other, by their names there, are
# put into that of the tree.
python_order <- function(params) {
  whole <- attr(params, "python_order")
  if (length(whole) == length(params)) return(whole)
  places <- lapply(unname(params), attr, "place", exact = TRUE)
  known <- unlist(Map(function(place, name) identical(place$path, name), places, names2(params)))
  if (!any(known)) return(seq_along(params))
  # Each of the others stands for itself.
  tree <- ifelse(known, vapply(places, function(place) place$tree %||% 0, 0), -seq_along(params))
  run <- cumsum(c(TRUE, tree[-1L] != tree[-length(tree)]))
  order(run, vapply(places, function(place) place$at %||% 0L, 1L))
}

# `x` has an element for each of `members`, a module's parameters.
in_python_order <- function(x, members) {
  order <- attr(members, "python_order")
  if (length(order) == length(x)) x[order] else x
}

# Tensors that come back from readRDS() have no address; each stands for itself.
tensor_identities <- function(tensors) {
  address <- function(x) tryCatch(tensor_address(x), error = function(e) obj_address(x))
  tryCatch(vapply(tensors, tensor_address, ""), error = function(e) vapply(tensors, address, ""))
}

tree_modules <- function(self) {
  tree <- tree_of(self, "modules")
  modules <- unlist(lapply(seq_along(tree$module), function(i) {
    module <- tree$module[[i]]
    if (tree$apart[i]) module$modules else list(module_callable(module))
  }), recursive = FALSE)
  modules[!duplicated(lapply(modules, module_identity))]
}

# The module and all below it, by their paths.
module_tree <- function(module, path = "") {
  self <- attr(module, "module", exact = TRUE)
  if (is.null(self)) return(script_tree(module, path))
  tree <- tree_of(self)
  paths <- below(path, tree$path)
  unlist(lapply(seq_along(paths), function(i) {
    found <- tree$module[[i]]
    if (tree$apart[i]) module_tree(found, paths[i]) else set_names(list(module_callable(found)), paths[i])
  }), recursive = FALSE)
}

script_tree <- function(module, path) {
  children <- module$children
  inner <- Map(function(child, name) script_tree(child, below(path, name)), unname(children), names(children))
  c(set_names(list(module), path), unlist(unname(inner), recursive = FALSE))
}

below <- function(path, names) if (path == "") names else ifelse(names == "", path, paste0(path, ".", names))

# Of each module of a tree the name that its parent has for it.
names_in_tree <- function(tree) {
  above <- nchar(tree$path[pmax(tree$parent, 1L)])
  substring(tree$path, above + 1L + (above > 0L))
}
