# Whether tensors, and what holds them, are equal: for all.equal(), anyNA(), waldo and testthat.

#' Whether tensors and modules are equal
#'
#' `all.equal()` compares tensors by dtype, shape, device and values, modules by class, mode, parameters, buffers, settings
#' and children, script functions and modules also by their code, generators by their state. Lists, such as state dicts, are
#' compared element by element. `==` compares elements and gives a tensor, `identical()` knows only whether both are the same
#' R object. testthat's `expect_equal()` and `expect_identical()` (third edition) look at the same and at `requires_grad`.
#'
#' `anyNA()` tells whether a tensor holds NaN.
#'
#' @param target,current,x Tensors, modules, ...
#' @param tolerance Largest mean relative difference that counts as none. `NULL`: 0 for integer and bool tensors, else ten
#'   steps of the coarser dtype, and at least 1.5e-8.
#' @param recursive Not used.
#' @param ... Passed on; not used for tensors.
#' @return `TRUE`, or a character vector that tells the differences. `anyNA()` a logical.
#' @examplesIf torch::torch_is_installed()
#' all.equal(torch_tensor(1), torch_tensor(1 + 1e-7))
#' all.equal(nn_linear(2, 1), nn_linear(2, 1))
#' @method all.equal torch_tensor
#' @export
all.equal.torch_tensor <- function(target, current, tolerance = NULL, ...) {
  if (!is_torch_tensor(current)) return(sprintf("target is a tensor, current is %s", friendly_type(current)))
  holds <- c(tensor_state(target), tensor_state(current))
  if (any(holds != "values")) {
    return(if (holds[1] == holds[2]) TRUE else sprintf("target is %s, current is %s", holds[1], holds[2]))
  }
  facts <- list(
    dtype = c(as.character(target$dtype), as.character(current$dtype)),
    shape = c(toString(.Call(C_shape, target)), toString(.Call(C_shape, current))),
    device = c(as.character(target$device), as.character(current$device)),
    layout = c(format(target$layout), format(current$layout))
  )
  differs <- vapply(facts, function(fact) fact[1] != fact[2], NA)
  notes <- sprintf("%s: %s, %s", names(facts), vapply(facts, `[`, "", 1), vapply(facts, `[`, "", 2))[differs]
  if (differs[["shape"]] || "meta" %in% c(target$device$type, current$device$type)) return(if (length(notes)) notes else TRUE)
  values <- all_equal_values(target, current, tolerance)
  notes <- c(notes, if (!isTRUE(values)) values)
  if (length(notes)) notes else TRUE
}

tensor_state <- function(x) if (is_dead(x)) "dead" else if (is_undefined_tensor(x)) "undefined" else "values"

all_equal_values <- function(target, current, tolerance) {
  local_suspended_trace()
  plain <- function(x) {
    x <- x$detach()$cpu()
    with_no_grad(if (x$is_quantized()) x$dequantize() else if (x$layout == torch_strided()) x else x$to_dense())
  }
  both <- lapply(list(target, current), plain)
  if (both[[1]]$dtype == both[[2]]$dtype && torch_equal(both[[1]], both[[2]])) return(TRUE)
  is_inexact <- function(x) x$is_floating_point() || x$is_complex()
  if (is.null(tolerance)) {
    steps <- vapply(both, function(x) if (is_inexact(x)) torch_finfo(x$dtype)$eps else 0, 0)
    tolerance <- if (any(steps > 0)) max(1.5e-8, 10 * steps) else 0
  }
  values <- lapply(both, function(x) as.vector(as_array(if (is_inexact(x)) x else x$to(torch_double()))))
  out <- all.equal(values[[1]], values[[2]], tolerance = tolerance)
  # Different integers past 2^53 may become the same double.
  if (isTRUE(out) && tolerance == 0) "values differ" else out
}

#' @export
#' @rdname all.equal.torch_tensor
anyNA.torch_tensor <- function(x, recursive = FALSE) {
  local_suspended_trace()
  if (!x$is_floating_point() && !x$is_complex()) return(FALSE)
  torch_any(torch_isnan(with_no_grad(if (x$layout == torch_strided()) x else x$to_dense())))$item()
}

# What a module is made of, as a list that all.equal() and waldo go through.
module_contents <- function(x) {
  if (inherits(x, "script_module")) {
    return(list(class = class(x), training = x$training, program = program_contents(x), tensors = x$state_dict()))
  }
  self <- attr(x, "module", exact = TRUE)
  children <- x$children
  tensors <- own_tensors(self)
  known <- c(names(children), names(tensors), "training", names(nn_Module$public_methods), names(nn_Module$active))
  names <- sort(setdiff(ls(self), known))
  fields <- mget(names[!vapply(names, bindingIsActive, NA, env = self)], envir = self)
  list(
    class = class(x), training = self$training, tensors = tensors, fields = Filter(Negate(is.function), fields),
    children = lapply(children, module_contents)
  )
}

# What a script module or function computes: its code, and the tensors that stand there by name only.
program_contents <- function(x) {
  constants <- unlist(lapply(graph_rows(x$inlined_graph)$attributes, as.list), recursive = FALSE)
  list(code = x$code, constants = unname(Filter(is_torch_tensor, constants)))
}

#' @method all.equal nn_module
#' @export
all.equal.nn_module <- function(target, current, ...) {
  is_generator <- c(inherits(target, "nn_module_generator"), inherits(current, "nn_module_generator"))
  if (any(is_generator)) return(if (identical(target, current)) TRUE else "target, current are not the same generator")
  if (!is_nn_module(current)) return(sprintf("target is a module, current is %s", friendly_type(current)))
  if (identical(module_identity(target), module_identity(current))) return(TRUE)
  all.equal(module_contents(target), module_contents(current), ...)
}

#' @method all.equal script_function
#' @export
all.equal.script_function <- function(target, current, ...) {
  if (!inherits(current, "script_function")) return(sprintf("target is a script function, current is %s", friendly_type(current)))
  all.equal(program_contents(target), program_contents(current), ...)
}

#' @method all.equal torch_script_object
#' @export
all.equal.torch_script_object <- function(target, current, ...) {
  if (!inherits(current, "torch_script_object")) return(sprintf("target is a script object, current is %s", friendly_type(current)))
  parts <- function(x) lapply(set_names(c(object_part(x, "attributes"))), function(name) cpp_object_attribute(x, name))
  notes <- all.equal(object_part(target, "type"), object_part(current, "type"))
  if (isTRUE(notes)) all.equal(parts(target), parts(current), ...) else notes
}

# dtypes, devices, layouts, generators and nodes are the same or not.
#' @method all.equal R7
#' @export
all.equal.R7 <- function(target, current, ...) {
  if (identical(target, current)) return(TRUE)
  if (inherits(target, "torch_generator") && inherits(current, "torch_generator")) {
    return(if (isTRUE(all.equal(target$get_state(), current$get_state()))) TRUE else "the states of the generators differ")
  }
  sprintf("target is %s, current is %s", one_line(target), one_line(current))
}

one_line <- function(x) if (is.atomic(x)) trimws(paste(format(x), collapse = " ")) else friendly_type(x)

# What waldo (and so testthat's expect_equal) compares; registered when waldo is loaded.
compare_proxy.torch_tensor <- function(x, path = "x") {
  state <- tensor_state(x)
  object <- if (state != "values") state else {
    list(
      values = proxy_values(x), dtype = as.character(x$dtype), device = as.character(x$device), requires_grad = x$requires_grad,
      grad_fn = x$grad_fn$name
    )
  }
  list(object = object, path = paste0("compare_proxy(", path, ")"))
}

# Stands for the values where there are none, or where they are not those of an array.
proxy_values <- function(x) {
  if (x$device$type == "meta") return(type_line(x))
  layout <- layout_names[unclass(x$layout) + 1L]
  if (layout == "strided") as_array(x) else list(layout = layout, values = as_array(with_no_grad(x$to_dense())))
}

compare_proxy.nn_module <- function(x, path = "x") {
  if (inherits(x, "nn_module_generator")) return(list(object = attributes(x)$r6_class, path = path))
  list(object = module_contents(x), path = paste0("compare_proxy(", path, ")"))
}

register_compare_proxies <- function(...) {
  for (class in c("torch_tensor", "nn_module")) {
    registerS3method("compare_proxy", class, get(paste0("compare_proxy.", class)), envir = asNamespace("waldo"))
  }
}
