# The executor's switches, and modules made for inference.

#' Optimisation of script functions
#'
#' LibTorch runs a script function through an executor: it watches the first run, then makes a plan for such arguments,
#' in which it joins operators to kernels ("fusion") where it can. These switches say how. They hold for functions that
#' have not run yet; a function keeps the plan that it has.
#'
#' * `set_jit_fusion()`, `with_jit_fusion()`, `local_jit_fusion()`: what is fused, by whom, and how many kernels LibTorch makes
#'   for it. A `"STATIC"` kernel serves one shape of the tensors, a `"DYNAMIC"` one all shapes. Each pair says how many kernels of
#'   that kind may be made before the next pair holds; after the last one, operators run one by one. The package sets
#'   `list(c("DYNAMIC", 10))`; LibTorch's own default begins with static kernels and compiles anew, a fifth of a second
#'   each, when a batch of another size comes.
#' * `set_jit_executor()`, `with_jit_executor()`, `local_jit_executor()`: the executor itself.
#' * `jit_options()`: all switches as they are.
#' * `jit_fuser_enabled()`: whether operators on that device are fused, by whomever.
#' * `jit_warmup()` runs a function until its plan is final and its kernels are compiled, so that no later run has to wait for
#'   it. For arguments that require gradients, the kernels of the gradients are compiled as well.
#'
#' On the CPU this package has a fuser of its own, since LibTorch's official builds have none there. It joins chains
#' of operators to kernels: operators that work element by element (arithmetic, comparisons, activations, elementary
#' functions), sums and the like along the last dimension or over all (`softmax`, `layer_norm`, losses), and their
#' gradients. A kernel is plain C. R's own compiler makes machine code of it in the background, while the program runs
#' operator by operator. It serves tensors of all sizes, and is kept on disk for later sessions
#' (`tools::R_user_dir("torch", "cache")`). Results differ from those of single operators by rounding: `float` numbers
#' by at most some units in the last place. Files that [jit_save()] writes hold the operators, never kernels.
#' [jit_explain()] tells what became of a program, and why an operator is in no kernel.
#'
#' Loops that compute with numbers, elements of vectors and single elements of tensors (`x[i, j]`, read and written)
#' become machine code as well, some hundred times as fast as LibTorch's interpreter. Numbers have exactly the results
#' and errors that they have there. If elements need gradients, or `x[i, ]` is more than an element, operators run one
#' by one as before.
#'
#' `options(torch.jit_fuser = "none")` (or `"exact"`) before LibTorch is first used holds for a session. The
#' environment variable `TORCH_KERNEL_CC` names another compiler.
#'
#' The `with_` functions run `code` and the `local_` functions hold until the calling function ends; both restore the
#' switches, also after an error.
#'
#' @param strategy A list of pairs `c("STATIC" or "DYNAMIC", number)`, or `NULL` to leave it.
#' @param code What to run.
#' @param cpu,cuda `TRUE` or `FALSE`: LibTorch's own fuser on that device; `NULL` leaves it. LibTorch's official builds have no
#'   compiler for the CPU: with `cpu = TRUE` they interpret the fused kernels, which shows what would be fused and is slow.
#'   `cpu = TRUE` turns this package's fuser off, unless `fuser` says otherwise.
#' @param fuser Who fuses on the CPU: `"own"`, this package's fuser; `"exact"`, the same, but only what is rounded as single
#'   operators round it (arithmetic, comparisons, choices; no gradients); `"nnc"`, LibTorch's; `"none"`; `"auto"`, this package's
#'   where there is a compiler of C; `NULL` leaves it.
#' @param executor `"profiling"` watches runs and makes plans for what it saw, `"simple"` makes one plan before the first
#'   run. `NULL`, here and below, leaves a switch as it is.
#' @param profiling `TRUE` or `FALSE`: whether the profiling executor watches runs before it makes a plan.
#' @param profiled_runs How many runs are watched.
#' @param optimize `TRUE` or `FALSE`: whether plans are optimised at all.
#' @param device A device, or its type: `"cpu"`, `"cuda"`.
#' @param f A script function, method or module.
#' @param ... Arguments for `f`.
#' @param .env The frame whose end restores the switches.
#' @return `with_` functions the value of `code`; `set_` and `local_` functions the earlier switches, invisibly, as a
#'   list; `jit_options()` a list with the elements `strategy`, `cpu`, `cuda`, `own`, `executor`, `profiling`, `profiled_runs`,
#'   `optimize`; `jit_fuser_enabled()` `TRUE` or `FALSE`; `jit_warmup()` its `f`, invisibly.
#' @section Source: LibTorch's `setFusionStrategy`, `getExecutorMode`, `getProfilingMode`, `getNumProfiledRuns`,
#'   `setGraphExecutorOptimize`, `overrideCanFuseOnCPU`, `GraphExecutor::isOptimized`.
#' @seealso [jit_graph], [jit_freeze()]
#' @examplesIf torch::torch_is_installed()
#' f <- with_jit_fusion(list(c("DYNAMIC", 10)), cpu = TRUE, {
#'   unit <- jit_compile("def f(x):\n  return torch.relu(x * 2 + 1)")
#'   jit_warmup(unit$f, torch_randn(5))
#' })
#' f$graph_for(torch_randn(5))
#' jit_fuser_enabled("cpu")
#' str(jit_options())
#' @name jit_options
NULL

#' @rdname jit_options
#' @export
jit_options <- function() {
  switches <- lapply(jit_switches, cpp_jit_switch, NULL)
  flag <- function(name) switches[[name]] != 0
  list(
    strategy = fusion_strategy(cpp_fusion_strategy(NULL)), cpu = flag("cpu"), cuda = flag("cuda"), own = c("none", "own", "exact")[[switches$own + 1L]],
    executor = if (flag("executor")) "profiling" else "simple", profiling = flag("profiling"),
    profiled_runs = switches$profiled_runs, optimize = flag("optimize")
  )
}

# Sets the switches that are given, and returns what these were before.
set_jit_options <- function(options) {
  options <- options[!vapply(options, is.null, NA)]
  was <- jit_options()[names(options)]
  for (name in names(options)) {
    value <- options[[name]]
    if (name == "strategy") {
      cpp_fusion_strategy(unlist(lapply(value, function(pair) c(pair[[1]] == "DYNAMIC", as.integer(pair[[2]])))))
    } else {
      if (name == "own" && is_string(value)) value <- match(value, c("none", "own", "exact")) - 1L
      cpp_jit_switch(jit_switches[[name]], if (name == "executor") value == "profiling" else value)
    }
  }
  was
}

fusion_strategy <- function(pairs) {
  depth <- pairs[c(FALSE, TRUE)]
  Map(function(dynamic, depth) c(if (dynamic) "DYNAMIC" else "STATIC", as.character(depth)), pairs[c(TRUE, FALSE)], depth)
}

# Who fuses on the CPU, as switches.
fuser_switches <- function(fuser, cpu, call) {
  if (is.null(fuser)) return(list(cpu = cpu, own = if (isTRUE(cpu)) 0L))
  if (!is_string(fuser) || !fuser %in% c("auto", "own", "exact", "nnc", "none")) {
    value_error("`fuser` must be \"auto\", \"own\", \"exact\", \"nnc\" or \"none\".", call)
  }
  if (fuser == "own" && is.null(kernel_compiler())) {
    runtime_error("`fuser = \"own\"` needs a compiler of C, and none was found: R's own is not there.", call)
  }
  list(cpu = cpu %||% (fuser == "nnc"), own = switch(fuser, auto = , own = 1L, exact = 2L, 0L))
}

fusion_options <- function(strategy, cpu, cuda, fuser, call = caller_env()) {
  if (!is.null(strategy)) {
    is_pair <- function(pair) {
      depth <- suppressWarnings(as.numeric(pair[[2]]))
      pair[[1]] %in% c("STATIC", "DYNAMIC") && !is.na(depth) && depth >= 0 && depth <= 1e6 && depth == trunc(depth)
    }
    if (!is.list(strategy) || length(strategy) == 0 || any(lengths(strategy) != 2) || !all(vapply(strategy, is_pair, NA))) {
      value_error(
        "`strategy` must be a list of pairs `c(\"STATIC\" or \"DYNAMIC\", number)`, such as `list(c(\"DYNAMIC\", 10))`.", call
      )
    }
  }
  c(
    list(strategy = strategy), fuser_switches(fuser, check_flag(cpu, "cpu", call), call),
    list(cuda = check_flag(cuda, "cuda", call))
  )
}

executor_options <- function(executor, profiling, profiled_runs, optimize, call = caller_env()) {
  if (!is.null(executor) && !(is_string(executor) && executor %in% c("profiling", "simple"))) {
    value_error("`executor` must be \"profiling\" or \"simple\".", call)
  }
  if (!is.null(profiled_runs) && !(is_scalar_integerish(profiled_runs) && !is.na(profiled_runs) && profiled_runs >= 1)) {
    value_error(sprintf("`profiled_runs` must be a positive whole number, not %s.", friendly_type(profiled_runs)), call)
  }
  list(
    executor = executor, profiling = check_flag(profiling, "profiling", call), profiled_runs = profiled_runs,
    optimize = check_flag(optimize, "optimize", call)
  )
}

check_flag <- function(x, name, call) {
  if (!is.null(x) && !is_bool(x)) value_error(sprintf("`%s` must be TRUE or FALSE, not %s.", name, friendly_type(x)), call)
  x
}

#' @rdname jit_options
#' @export
set_jit_fusion <- function(strategy = list(c("DYNAMIC", 10)), cpu = NULL, cuda = NULL, fuser = NULL) {
  invisible(set_jit_options(fusion_options(strategy, cpu, cuda, fuser)))
}

#' @rdname jit_options
#' @export
with_jit_fusion <- function(strategy = list(c("DYNAMIC", 10)), code, cpu = NULL, cuda = NULL, fuser = NULL) {
  was <- set_jit_options(fusion_options(strategy, cpu, cuda, fuser))
  on.exit(set_jit_options(was))
  code
}

#' @rdname jit_options
#' @export
local_jit_fusion <- function(strategy = list(c("DYNAMIC", 10)), cpu = NULL, cuda = NULL, fuser = NULL,
                             .env = parent.frame()) {
  was <- set_jit_options(fusion_options(strategy, cpu, cuda, fuser))
  withr::defer(set_jit_options(was), envir = .env)
  invisible(was)
}

#' @rdname jit_options
#' @export
set_jit_executor <- function(executor = NULL, profiling = NULL, profiled_runs = NULL, optimize = NULL) {
  invisible(set_jit_options(executor_options(executor, profiling, profiled_runs, optimize)))
}

#' @rdname jit_options
#' @export
with_jit_executor <- function(code, executor = NULL, profiling = NULL, profiled_runs = NULL, optimize = NULL) {
  was <- set_jit_options(executor_options(executor, profiling, profiled_runs, optimize))
  on.exit(set_jit_options(was))
  code
}

#' @rdname jit_options
#' @export
local_jit_executor <- function(executor = NULL, profiling = NULL, profiled_runs = NULL, optimize = NULL,
                               .env = parent.frame()) {
  was <- set_jit_options(executor_options(executor, profiling, profiled_runs, optimize))
  withr::defer(set_jit_options(was), envir = .env)
  invisible(was)
}

#' @rdname jit_options
#' @export
jit_fuser_enabled <- function(device = "cpu") {
  type <- torch_device(device)$type
  if (!type %in% c("cpu", "cuda")) return(FALSE)
  own <- type == "cpu" && cpp_jit_switch(jit_switches[["own"]], NULL) != 0
  own || cpp_jit_switch(jit_switches[[type]], NULL) != 0
}

#' @rdname jit_options
#' @export
jit_warmup <- function(f, ...) {
  if (!inherits(f, c("script_function", "script_method", "script_module"))) {
    type_error(sprintf("`f` must be a script function, method or module, not %s.", friendly_type(f)))
  }
  method <- if (inherits(f, "script_module")) script_method(f, "forward") else f
  if (is.null(method)) value_error("`f` has no method `forward`.")
  run_until_final(attr(method, "handle", exact = TRUE), ...)
  invisible(f)
}

# Runs the program as often as the executor watches it, and once more. The last run makes the final plan and its
# kernels.
run_until_final <- function(handle, ...) {
  cpp_fuser_at_once(TRUE)
  on.exit(cpp_fuser_at_once(FALSE))
  for (i in seq_len(cpp_jit_switch(jit_switches[["profiled_runs"]], NULL) + 1L)) {
    .External2(C_call, handle, ...)
    if (cpp_callable_is_optimised(handle)) break
  }
}

#' Modules for inference
#'
#' `jit_freeze()` gives a copy of a script module in which parameters, buffers and attributes are constants of the graph,
#' so that LibTorch computes ahead what depends on them only, joins batch norm with convolutions and linear layers, and
#' drops dropout. `jit_optimize_for_inference()` freezes as well and chooses operators that are fast on this machine; its
#' result is for use here, not for files. The module must be in eval mode, since the mode becomes a constant too:
#' `module$eval()`.
#'
#' @param module A script module.
#' @param preserved Names of attributes and of methods besides `forward` that the copy keeps.
#' @param optimize_numerics Whether operators may be joined in ways that change results by rounding.
#' @param other_methods Names of methods besides `forward` that are optimised and kept.
#' @return A new script module with tensors of its own; the old one stays as it is, and may be trained further.
#' @section Source: LibTorch's `torch::jit::freeze`, `torch::jit::optimize_for_inference`.
#' @seealso [jit_options], [jit_save()]
#' @examplesIf torch::torch_is_installed()
#' net <- nn_sequential(nn_linear(3, 8), nn_batch_norm1d(8), nn_relu(), nn_linear(8, 1))
#' traced <- jit_trace(net, torch_randn(4, 3))
#' traced$eval()
#' frozen <- jit_freeze(traced)
#' length(frozen$parameters)
#' frozen$graph
#' @export
jit_freeze <- function(module, preserved = NULL, optimize_numerics = TRUE) {
  check_inference(module, preserved, "preserved")
  new_script_module(cpp_module_freeze(script_handle(module), as.character(preserved), optimize_numerics))
}

#' @rdname jit_freeze
#' @export
jit_optimize_for_inference <- function(module, other_methods = NULL) {
  check_inference(module, other_methods, "other_methods")
  new_script_module(cpp_module_optimise(script_handle(module), as.character(other_methods)))
}

check_inference <- function(module, names, what, call = caller_env()) {
  if (!inherits(module, "script_module")) {
    type_error(sprintf("`module` must be a script module, not %s.", friendly_type(module)), call)
  }
  if (!is.null(names) && !is.character(names)) {
    type_error(sprintf("`%s` must be a character vector, not %s.", what, friendly_type(names)), call)
  }
  if (is.null(script_method(module, "forward"))) value_error("`module` has no method `forward`.", call)
  handle <- script_handle(module)
  # A frozen module has no mode.
  if ("training" %in% module_part(handle, "attributes") && cpp_module_train(handle, NULL)) {
    value_error("`module` is in train mode, which would become a constant of it. Call `module$eval()` before.", call)
  }
}
