# Tracing: R functions and modules recorded into TorchScript.

#' Trace a function or a module
#'
#' Runs `func` once on example inputs and records the tensor operations into a TorchScript graph. R code around them is
#' run once and forgotten: control flow is not recorded, numbers become constants. Inputs and outputs are tensors, lists,
#' named lists and tuples of tensors, nested; other tensors that the function uses become constants of the graph.
#'
#' A module is traced once in each mode (`respect_mode = TRUE`): the result has the methods `trainforward` and
#' `evalforward`, and an ordinary `forward` that chooses by `self.training`, so that the saved file is called as
#' `model(x)` in Python and C++. With `respect_mode = FALSE` one trace is made in the module's mode, which later changes
#' of the mode do not alter. Source: LibTorch's `torch::jit::tracer::trace`.
#'
#' @section What stays as it was:
#' Tracing changes nothing: parameters, buffers, gradients and the mode of the module, R's and torch's random numbers are
#' after it what they were before, also after an error.
#'
#' @section Names:
#' The names of the function's arguments are those of the program, made fit for Python: `my.arg` becomes `my_arg`,
#' `lambda` becomes `lambda_`. In R both spellings may be used at the call, also after [jit_load()].
#'
#' @section Sizes:
#' A size that goes from `x$size(1)`, `x$shape`, `dim(x)` or `x$numel()` into an operator, as in
#' `x$view(c(x$size(1), -1))`, is recorded: the program works for other sizes. So is whole-number arithmetic with it
#' (`+`, `-`, `*`, `%/%`, `%%`, `sum()`, `prod()`), `c()`, `[` and `rep()`. Any other use makes it a constant.
#'
#' @section Positions:
#' The program counts as R does: tokens, classes and other positions that go into it, and those that it gives, are counted
#' **from 1, whoever calls it**. A client in Python or C++ that counts from 0 gets the wrong row without a word, and an
#' error only for a 0. With `index_base = 0` the border counts from 0: the program adds 1 to each tensor of integers that
#' comes in and takes 1 from each that it gives, and the R function in between counts from 1 as ever. The example inputs
#' are then counted from 0 too, and so are those of every call, from R as well. `index_base = c(tokens = 0)` says it of
#' single inputs, where other integers are counts and no positions.
#'
#' @section Warnings:
#' Where a value of the trace becomes a number of R (`as.numeric(x)`, `x$item()`, `if (as.logical(x))`, `length(x)`,
#' `seq_len(x$size(1))`) the program holds the number of the example. A warning of class `torch_tracer_warning` names
#' the call and its file and line.
#'
#' @section The check:
#' With `check_trace = TRUE` the graph is run on copies of the example inputs and compared with what the function gave;
#' with `check_inputs` also on further inputs, for which the R function runs once more. A warning of class
#' `torch_tracer_warning` names the first node that differs and its line in R. Programs that draw random numbers are
#' compared from the same random state.
#'
#' @param func A function, or an instance of an [nn_module()].
#' @param mod An instance of an [nn_module()].
#' @param ... For `jit_trace()` example inputs, by position or by name; for `jit_trace_module()` method name = list of
#'   example inputs (or one that is no list).
#' @param strict `FALSE` allows a named list as output without a warning.
#' @param respect_mode Whether `forward` is traced in train and in eval mode.
#' @param check_trace Whether the program is compared with the function.
#' @param check_inputs Further example inputs: a list with one element, a list of inputs, for each call. For
#'   `jit_trace_module()` such a list for each method, by name.
#' @param check_tolerance How far results may differ, relative and absolute.
#' @param index_base From where tensors of integers count in the program's inputs and results: 1, as in R, or 0, as in most
#'   other languages; or such numbers by the names of inputs.
#' @return A `script_function` or a `script_module`: callable, with `$graph`, `$graph_for(...)`, `$code`, `$schema`.
#' @seealso [jit_save()], [jit_compile()]
#' @examplesIf torch::torch_is_installed()
#' f <- jit_trace(function(x) torch_relu(x) + 20, torch_tensor(c(-1, 0, 1)))
#' f(torch_tensor(c(-3, 3)))
#' f$graph
#' @export
jit_trace <- function(func, ..., strict = TRUE, respect_mode = TRUE, check_trace = TRUE, check_inputs = NULL,
                      check_tolerance = 1e-5, index_base = 1) {
  check <- new_check(check_trace, list(forward = check_inputs), check_tolerance)
  check_index_base(index_base)
  if (inherits(func, "nn_module_generator")) {
    value_error("You must initialize the nn_module before tracing: call the generator first.")
  }
  if (inherits(func, "nn_module")) {
    label <- label_of(substitute(func), func)
    return(trace_module(func, list(forward = list(...)), strict, respect_mode, check, label, index_base))
  }
  if (!is_closure(func)) {
    value_error(sprintf(
      "jit_trace needs a function or nn_module: `func` is %s.",
      if (is.primitive(func)) "a primitive function, which must be wrapped in one of R" else friendly_type(func)
    ))
  }
  local_suspended_trace()
  restore <- keep_state(list())
  on.exit(restore(), add = TRUE, after = FALSE)
  label <- label_of(substitute(func), func)
  traced <- trace_call(func, list(...), NULL, "forward", strict, check, restore, func, label, index_base)
  new_script_function(name_in_r(traced$handle, traced$names))
}

#' @rdname jit_trace
#' @export
jit_trace_module <- function(mod, ..., strict = TRUE, respect_mode = TRUE, check_trace = TRUE, check_inputs = NULL,
                             check_tolerance = 1e-5, index_base = 1) {
  check <- new_check(check_trace, check_inputs, check_tolerance)
  check_index_base(index_base)
  trace_module(mod, list(...), strict, respect_mode, check, label_of(substitute(mod), mod), index_base)
}

# Records `func` on the inputs. `module` is the handle of the script module that gets the result as a method. Gives
# the callable's handle and the R names of its arguments. `restore` puts back everything that running `func` changes.
# `root` is the function or module that the user gave, and `label` is how the user wrote it. jit_trace() explains
# `base`.
trace_call <- function(func, inputs, module, method, strict, check, restore, root, label, base, call = caller_env()) {
  arguments <- match_inputs(func, inputs, call)
  unknown <- setdiff(names(base), arguments$names)
  if (length(unknown)) value_error(sprintf("`index_base` names `%s`, which is no input.", unknown[1]), call)
  run <- caller_of(func, arguments, base)
  copies <- if (check$enabled) copy_value(arguments$inputs)
  traced <- record(cpp_trace(run, arguments$inputs, arguments$identifiers, module, method), root, label)
  if (strict) warn_of_dict(traced[[2]], call)
  handle <- traced[[1]]
  restore()
  compare <- function(inputs, result) {
    got <- with_no_grad(cpp_callable_interpret(handle, inputs, arguments$identifiers))
    restore()
    same_value(got, result, check$tolerance)
  }
  accuse <- function(inputs, which) {
    where <- suppress_tracer_warnings(record(cpp_trace_difference(
      handle, run, inputs, arguments$identifiers, module, attr(restore, "state"), rep(check$tolerance, 2)
    ), root, label))
    restore()
    warn_of_difference(where, which, call)
  }
  if (check$enabled && !compare(copies, traced[[2]]) && !cpp_callable_is_random(handle)) accuse(copies, "the example inputs")
  further <- check$inputs[[if (method %in% c("trainforward", "evalforward")) "forward" else method]]
  for (i in seq_along(further)) {
    given <- further[[i]]
    more <- match_inputs(func, if (is_bare_list(given)) given else list(given), call)
    if (!identical(more$names, arguments$names)) {
      value_error(sprintf("`check_inputs[[%d]]` must have the inputs of the example: %s.", i, toString(arguments$names)), call)
    }
    copies <- copy_value(more$inputs)
    result <- run(more$inputs)
    restore()
    if (!compare(copies, result) && !cpp_callable_is_random(handle)) accuse(copies, sprintf("`check_inputs[[%d]]`", i))
  }
  list(handle = handle, names = arguments$names)
}

# Calls `func` on a list of values, by a call that reads as the user would write it: warnings and places show it.
caller_of <- function(func, arguments, base) {
  symbols <- lapply(arguments$identifiers, as.symbol)
  names(symbols) <- arguments$given
  call <- as.call(c(quote(func), symbols))
  # These inputs and results count from 0 at the border of the program.
  from_zero <- if (is.null(names(base))) rep(base == 0, length(symbols)) else arguments$names %in% names(base)[base == 0]
  function(values) {
    # eval() has two frames.
    if (!is.null(the$trace)) the$trace$floor <- sys.nframe() + 2L
    values[from_zero] <- lapply(values[from_zero], move_positions, 1L)
    scope <- list2env(structure(values, names = arguments$identifiers), parent = emptyenv())
    assign("func", func, envir = scope)
    value <- eval(call, scope)
    as_program_value(if (is.null(names(base)) && base == 0) move_positions(value, -1L) else value)
  }
}

check_index_base <- function(base, call = caller_env()) {
  if (is.numeric(base) && length(base) && all(base %in% 0:1) && (length(base) == 1 || is_named(base))) return(invisible())
  value_error(sprintf("`index_base` must be 0, 1 or such numbers by the names of inputs, not %s.", friendly_type(base)), call)
}

# Adds `by` to tensors of integers, also to those in lists.
move_positions <- function(x, by) {
  if (is_torch_tensor(x)) {
    is_count <- x$is_floating_point() || x$is_complex() || x$dtype == torch_bool()
    return(if (is_count) x else x + by)
  }
  if (is.list(x)) x[] <- lapply(x, move_positions, by)
  x
}

# Evaluates a call of the tracer with the state that src/ and jit-place.R share.
record <- function(code, func = NULL, label = "R") {
  outer <- the$trace
  the$trace <- new_trace(func, label)
  cpp_forget_places()
  on.exit({
    the$trace <- outer
    cpp_forget_places()
  })
  value <- code
  for (text in cpp_trace_warnings()) warn(sub("\\s+$", "", text), class = "torch_tracer_warning")
  value
}

suppress_tracer_warnings <- function(code) {
  withCallingHandlers(code, torch_tracer_warning = function(w) invokeRestart("muffleWarning"))
}

# A trace may begin while another one runs. The outer one goes on when `frame` ends.
local_suspended_trace <- function(frame = caller_env()) {
  load_torch()
  if (!cpp_is_tracing()) return(invisible())
  depth <- cpp_trace_suspend()
  outer <- the$trace
  the$trace <- NULL
  withr::defer({
    cpp_trace_resume(depth)
    the$trace <- outer
  }, envir = frame)
}

# A function that puts back values and gradients of the tensors, and the random states, as they are now.
keep_state <- function(tensors) {
  state <- cpp_state_save(unname(tensors))
  seed <- globalenv()$.Random.seed
  restore <- function() {
    cpp_state_restore(state)
    if (!is.null(seed)) {
      assign(".Random.seed", seed, envir = globalenv())
    } else if (exists(".Random.seed", globalenv(), inherits = FALSE)) {
      rm(".Random.seed", envir = globalenv())
    }
  }
  structure(restore, state = state)
}

# --- the check -----------------------------------------------------------------------------------------------------

new_check <- function(enabled, inputs, tolerance, call = caller_env()) {
  if (!is_bool(enabled)) value_error("`check_trace` must be TRUE or FALSE.", call)
  if (!is_double(tolerance, 1) || !isTRUE(tolerance >= 0)) value_error("`check_tolerance` must be a number, 0 or more.", call)
  for (set in if (is_bare_list(inputs)) inputs else list(inputs)) {
    if (is.null(set) || is_bare_list(set)) next
    type_error(sprintf("`check_inputs` must be a list of lists of inputs, not %s.", friendly_type(set)), call)
  }
  list(enabled = enabled, inputs = inputs, tolerance = tolerance)
}

copy_value <- function(x) {
  if (is_torch_tensor(x)) return(x$detach()$clone()$requires_grad_(x$requires_grad))
  if (is.list(x)) x[] <- lapply(x, copy_value)
  x
}

same_value <- function(a, b, tolerance) {
  if (is_torch_tensor(a) && is_torch_tensor(b)) {
    if (!identical(a$shape, b$shape) || a$dtype != b$dtype) return(FALSE)
    if (!a$is_floating_point() && !a$is_complex()) return(torch_equal(a, b))
    return(torch_allclose(a$detach(), b$detach(), rtol = tolerance, atol = tolerance, equal_nan = TRUE))
  }
  if (!is.list(a) || !is.list(b) || length(a) != length(b)) return(FALSE)
  all(vapply(seq_along(a), function(i) same_value(a[[i]], b[[i]], tolerance), NA))
}

warn_of_difference <- function(where, which, call) {
  where <- unlist(where)
  at <- if (length(where)) {
    sprintf(
      " The first node that differs is %s%s:\n  %s", where[1], if (nzchar(where[2])) paste0(" at ", where[2]) else "",
      sub("\n.*", "", where[3])
    )
  }
  warn(
    paste0("The program does not give what the R function gives for ", which, ".", at),
    class = "torch_tracer_warning", call = call
  )
}

warn_of_dict <- function(result, call) {
  if (!is.list(result) || inherits(result, "jit_tuple") || !length(result) || !is_named(result)) return(invisible())
  warn(
    paste(
      "The function gives a named list, a Dict in the program: its names are those of the example.",
      "`strict = FALSE` says that this is meant; `jit_tuple()` makes it a named tuple."
    ),
    class = "torch_tracer_warning", call = call
  )
}

# --- inputs and names ----------------------------------------------------------------------------------------------

# Inputs in the order of the function's formals, with the names they will have in the graph.
match_inputs <- function(func, inputs, call) {
  formals <- setdiff(names(formals(func)), "...")
  given <- names2(inputs)
  unknown <- setdiff(given, c("", formals))
  if (length(unknown) && !"..." %in% names(formals(func))) {
    value_error(sprintf("`%s` is no argument of the function.", unknown[1]), call)
  }
  free <- setdiff(formals, given)
  names <- given
  unnamed <- which(given == "")
  names[unnamed] <- c(free, paste0("input_", seq_along(unnamed)))[seq_along(unnamed)]
  if (length(unnamed) > length(free) && !"..." %in% names(formals(func))) {
    value_error(sprintf("The function takes %d argument%s, not %d.", length(formals), if (length(formals) == 1) "" else "s", length(inputs)), call)
  }
  order <- order(match(names, formals))
  for (i in seq_along(inputs)) check_traceable(inputs[[i]], names[i], call)
  list(
    inputs = lapply(unname(inputs[order]), as_program_value),
    given = ifelse(names %in% formals, names, given)[order],
    names = names[order],
    identifiers = python_identifiers(names[order])
  )
}

check_traceable <- function(x, name, call) {
  if (is_torch_tensor(x)) return(invisible())
  if (is.list(x)) {
    for (item in x) check_traceable(item, name, call)
    return(invisible())
  }
  value_error(sprintf(paste0(
    "Only tensors or (possibly nested) dict or tuples of tensors can be inputs to traced functions: `%s` is %s. ",
    "Make it a tensor by `torch_tensor()`, or let the function capture it."
  ), name, friendly_type(x)), call)
}

# One unique identifier of Python for each name.
python_identifiers <- function(names, call = caller_env()) {
  check_names(names, call)
  as.character(unlist(cpp_identifiers(enc2utf8(names))))
}

check_names <- function(names, call) {
  bad <- is.na(names) | !nzchar(names) | !validUTF8(names)
  if (any(bad)) {
    value_error(sprintf("A program can't have the name %s: it must be text with a character at least.", encodeString(names[bad][1], quote = "\"")), call)
  }
}

# The fields of named tuples, made identifiers too.
as_program_value <- function(x) {
  if (!is.list(x) || is_torch_tensor(x)) return(x)
  if (inherits(x, "jit_tuple") && is_named(x)) names(x) <- python_identifiers(names(x))
  x[] <- lapply(x, as_program_value)
  x
}

# A program's handle keeps the R names of its arguments. In files the module keeps them.
name_in_r <- function(handle, names) {
  if (!identical(names, cpp_callable_argument_names(handle))) attr(handle, "r_names") <- names
  handle
}

add_r_names <- function(module, method, names) {
  if (!identical(names, python_identifiers(names))) cpp_module_set_arguments(module, method, enc2utf8(names))
}

# A method's handle with the R names that its module holds.
named_method <- function(module, method) {
  handle <- cpp_module_method(module, method)
  if (is.null(handle)) return(handle)
  names <- cpp_module_arguments(module, method)
  if (!is.null(names)) attr(handle, "r_names") <- as.character(unlist(names))
  handle
}

# --- modules -------------------------------------------------------------------------------------------------------

trace_module <- function(mod, methods, strict, respect_mode, check, label, base, call = caller_env()) {
  if (!inherits(mod, "nn_module") || inherits(mod, "nn_module_generator")) {
    value_error(sprintf("`mod` must be an initialized nn_module, not %s.", friendly_type(mod)), call)
  }
  if (!is_bool(respect_mode)) value_error("`respect_mode` must be TRUE or FALSE.", call)
  if (length(methods) && any(names2(methods) == "")) {
    value_error("All arguments of `...` must be named: method name = example inputs.", call)
  }
  reserved <- intersect(names(methods), c("trainforward", "evalforward"))
  if (length(reserved)) value_error(sprintf("`%s` is a reserved name: the traces of `forward` have it.", reserved[1]), call)
  for (name in names(methods)) {
    if (!is.function(module_method(mod, name))) value_error(sprintf("Method `%s` does not exist in `mod`.", name), call)
  }
  refuse_backward_hooks(mod, call)
  local_suspended_trace()

  mode <- mod$training
  restore <- keep_module(mod)
  on.exit(restore(), add = TRUE, after = FALSE)

  handle <- script_module_handle(mod, NULL)
  for (name in names(methods)) {
    inputs <- methods[[name]]
    if (!is.list(inputs)) inputs <- list(inputs)
    method <- module_method(mod, name)
    trace <- function(as, mode = NULL) {
      in_mode <- function() {
        restore()
        if (!is.null(mode)) mod$train(mode)
      }
      in_mode()
      trace_call(method, inputs, handle, as, strict, check, structure(in_mode, state = attr(restore, "state")), mod, label, base, call)
    }
    if (name == "forward" && respect_mode) {
      train <- trace("trainforward", TRUE)
      eval <- trace("evalforward", FALSE)
      add_forward(handle, train$handle, eval$handle, call)
      for (as in c("trainforward", "evalforward", "forward")) add_r_names(handle, as, train$names)
    } else {
      traced <- trace(name)
      add_r_names(handle, name, traced$names)
    }
  }
  cpp_module_train(handle, mode)
  new_script_module(handle)
}

module_method <- function(mod, name) {
  if (name == "forward") unclass(mod) else mod[[name]]
}

# The method that chooses between the two traces.
add_forward <- function(module, train, eval, call) {
  types <- cpp_callable_types(train)
  if (!identical(types, cpp_callable_types(eval))) {
    value_error(sprintf(paste0(
      "The traces in train and in eval mode have different types, %s and %s, and can't be one `forward`. ",
      "Use `respect_mode = FALSE` to trace the present mode only."
    ), types[1], cpp_callable_types(eval)[1]), call)
  }
  cpp_module_add_choice(module, "forward", "trainforward", "evalforward")
}

# A script module with the parameters, buffers and children of an nn_module. All modules of the tree share one home
# for their types. `note` is called for each of them, for children after their parent.
script_module_handle <- function(mod, home, note = function(mod, handle) NULL) {
  if (inherits(mod, "script_module")) return(attr(mod, "handle", exact = TRUE))
  tree <- tree_of(attr(mod, "module", exact = TRUE), NULL, tensor_classes)
  names <- names_in_tree(tree)
  handles <- vector("list", length(names))
  for (i in seq_along(handles)) {
    module <- tree$module[[i]]
    if (tree$apart[i]) {
      handles[[i]] <- attr(module, "handle", exact = TRUE)
      next
    }
    callable <- if (i == 1L) mod else module_callable(module)
    handles[[i]] <- handle <- cpp_module_new(class(callable)[1], home)
    if (is.null(home)) home <- handle
    cpp_module_set_attribute(handle, "training", jit_scalar(module$training))
    own <- tree$members[[i]]
    for (name in names(own)) cpp_module_register(handle, name, own[[name]], is_nn_buffer(own[[name]]))
    note(callable, handle)
  }
  for (i in setdiff(tree$children_first, 1L)) cpp_module_add_child(handles[[tree$parent[i]]], names[i], handles[[i]])
  handles[[1L]]
}

# A function that puts the module back to what it is now: the values of `tensors`, which tensors it holds, and the modes
# of all its modules.
keep_module <- function(mod, tensors = c(mod$parameters, mod$buffers)) {
  modules <- mod$modules
  selves <- compact(lapply(modules, attr, "module", exact = TRUE))
  members <- lapply(selves, function(self) c(own_members(self, "torch_tensor"), list(training = self$training)))
  scripts <- Filter(function(m) inherits(m, "script_module"), modules)
  modes <- lapply(scripts, function(m) m$training)
  restore <- keep_state(tensors)
  structure(function() {
    Map(list2env, members, selves)
    Map(function(m, was) m$training <- was, scripts, modes)
    restore()
  }, state = attr(restore, "state"))
}
