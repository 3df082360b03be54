# What became of a program's operators, and what they cost.

#' What became of a program's operators
#'
#' `jit_explain()` runs a traced, compiled or loaded function until its plan is final, and tells for each operator of the plan
#' in which kernel it is computed, or why it is in none, from which line or module it comes, and what it costs.
#'
#' `f` is called some ten times; tensors that it changes in place and the states of random numbers are put back.
#'
#' Operators outside of kernels run one by one, as they do when they are called from R. The reasons:
#'
#' * "kernels do not compute it": convolutions, indexing and the like, which LibTorch computes;
#' * "it writes into its argument": `add_()` and its kin;
#' * "it has no neighbour to run with": one operator alone is no gain;
#' * "there is no compiler of C that could make kernels", "kernels can't be kept in their folder": see [install_torch_sitrep()];
#' * "it only shows memory in another way": views whose results leave the kernels;
#' * what stands behind a kernel's name is why LibTorch computed all of it at the last call: arguments that are no plain tensors
#'   on the CPU, too many sizes, a kernel that is being compiled or that the compiler refused, the fuser switched off.
#'
#' @param f A script function, method or module.
#' @param ... Arguments for `f`. Gradients of those that require them are not part of what is told.
#' @param times How many calls are measured.
#' @return A data frame of class `jit_explanation`, one row an operator in the order of execution: `operator`; `kernel` (its
#'   name, `NA` for an operator that runs by itself); `why` (the reason, `NA` in a kernel that ran); `file`, `line`, `scope` (the
#'   module); `seconds` and `bytes` a call (of a kernel in its first row, `NA` where loops and branches leave open which
#'   operator it was), 0 bytes for one that only shows memory in another way; `bandwidth`, the share of this machine's memory
#'   bandwidth that was reached, as a copy of 32 MB has it; `operations` of floating point a call: two for each pair of numbers in
#'   a product of matrices or a convolution, one for each number and operator in a kernel, sums and products outside of kernels,
#'   `NA` where LibTorch does not count them; `arithmetic`, the share of the operations a second that a product of two matrices of
#'   1,000 rows and columns reaches. `plot()` draws the plan.
#' @section Source: LibTorch's `RecordFunction` observers.
#' @seealso [jit_profile()], [with_jit_fusion()]
#' @examplesIf torch::torch_is_installed()
#' x <- torch_randn(50, 50)
#' f <- jit_trace(function(x, w) torch_tanh(torch_matmul(x, w) * 2 + 1), x, x)
#' jit_explain(f, x, x)
#' @export
jit_explain <- function(f, ..., times = 5) {
  if (!inherits(f, c("script_function", "script_method", "script_module"))) {
    type_error(sprintf("`f` must be a script function, method or module, not %s.", friendly_type(f)))
  }
  if (!(is_scalar_integerish(times) && !is.na(times) && times >= 1)) {
    value_error(sprintf("`times` must be a positive whole number, not %s.", friendly_type(times)))
  }
  tensors <- Filter(function(x) is_torch_tensor(x) && x$layout == torch_strided(), as.list(unlist(list(...))))
  if (inherits(f, "script_module")) tensors <- c(tensors, f$parameters, f$buffers)
  restore <- keep_state(tensors)
  on.exit(restore())
  method <- if (inherits(f, "script_module")) script_trace(f) else f
  if (is.null(method)) value_error("`f` has no method `forward`.")
  handle <- attr(method, "handle", exact = TRUE)
  graph <- graph_for(handle, ..., class = "graph_function")
  groups <- cpp_fuser_groups(handle)
  rows <- explained_nodes(graph$nodes(), groups)
  events <- profiled(for (i in seq_len(times)) .External2(C_call, handle, ...))$events
  rows <- with_costs(rows, events[events$depth == 0, ], times, groups)
  most <- machine_speeds()
  rows$bandwidth <- rows$bytes / rows$seconds / most$bandwidth
  rows$arithmetic <- rows$operations / rows$seconds / most$arithmetic
  structure(rows, class = c("jit_explanation", "data.frame"), graph = graph)
}

# One row an operator of a plan: nodes of LibTorch's own (constants, lists, control flow) are no work.
explained_nodes <- function(nodes, groups) {
  is_group <- startsWith(nodes$kind, "torchshim::fused")
  id <- rep(NA_integer_, nrow(nodes))
  id[is_group] <- vapply(nodes$attributes[is_group], function(attributes) as.integer(attributes$group), 0L)
  # The search includes loops and branches inside of a kernel.
  group <- id
  for (i in seq_len(nrow(nodes))) if (is.na(id[i])) group[i] <- group[nodes$parent[i]]
  name_of <- function(id) sprintf("torchshim::fused_%d", id)
  names(groups) <- vapply(groups, function(one) one[[6]], "")
  keep <- which(startsWith(nodes$kind, "aten::"))
  kernel <- ifelse(is.na(group[keep]), NA_character_, name_of(group[keep]))
  reasons <- vapply(nodes$kind[keep], cpp_fuser_reason, "")
  why <- ifelse(nzchar(reasons), reasons, the$no_kernels %||% "it has no neighbour to run with")
  why[!is.na(kernel)] <- vapply(kernel[!is.na(kernel)], function(name) groups[[name]][[3]] %||% "", "")
  why[why == ""] <- NA_character_
  data.frame(
    operator = sub("^aten::", "", nodes$kind[keep]), kernel = kernel, why = unname(why), file = nodes$file[keep],
    line = nodes$line[keep], scope = nodes$scope[keep]
  )
}

# The seconds, bytes and operations of a call. An observer tells only names. So the k-th event of a name belongs to the k-th
# operator of that name, provided that there are equally many.
with_costs <- function(rows, events, times, groups) {
  costs <- c("seconds", "bytes", "operations")
  for (cost in costs) rows[[cost]] <- rep(NA_real_, nrow(rows))
  named <- vapply(groups, function(one) one[[6]], "")
  single <- is.na(rows$kernel) | !is.na(rows$why)
  first <- !is.na(rows$kernel) & is.na(rows$why) & !duplicated(rows$kernel)
  for (k in which(first)) {
    here <- events$name == rows$kernel[k]
    rows$seconds[k] <- sum(events$seconds[here]) / times
    rows$bytes[k] <- sum(events$bytes[here]) / times
    rows$operations[k] <- groups[[match(rows$kernel[k], named)]][[7]]
  }
  for (operator in unique(rows$operator[single])) {
    at <- which(single & rows$operator == operator)
    here <- events[events$name == paste0("aten::", operator), ]
    if (nrow(here) != times * length(at)) next
    for (cost in costs) rows[[cost]][at] <- rowMeans(matrix(here[[cost]], length(at)))
  }
  # LibTorch's counters know few operators.
  rows$operations[rows$operations %in% 0] <- NA
  rows
}

# How many bytes a second a copy reads and writes, and how many operations a second a product of matrices takes, on as many
# threads as there are now: the best of several tries.
machine_speeds <- function() {
  threads <- torch_get_num_threads()
  if (!identical(the$speeds$threads, threads)) {
    least <- function(work) {
      min(vapply(1:5, function(i) {
        start <- Sys.time()
        work()
        as.numeric(Sys.time() - start, units = "secs")
      }, 0))
    }
    x <- torch_ones(8e6)
    y <- torch_empty(8e6)
    z <- torch_ones(1000, 1000)
    the$speeds <- list(
      threads = threads, bandwidth = 2 * 32e6 / least(function() y$copy_(x)),
      arithmetic = 2e9 / least(function() torch_mm(z, z))
    )
  }
  the$speeds
}

#' @export
print.jit_explanation <- function(x, ...) {
  # A selection without all of these columns is a plain data frame.
  if (!all(c("operator", "kernel", "why", "file", "seconds", "bytes", "bandwidth", "operations", "arithmetic") %in% names(x))) return(NextMethod())
  kernels <- unique(x$kernel[!is.na(x$kernel) & is.na(x$why)])
  alone <- is.na(x$kernel) | !is.na(x$why)
  cli::cat_line(sprintf(
    "%d operators: %d in %d kernel%s, %d by themselves", nrow(x), sum(!alone), length(kernels),
    if (length(kernels) == 1) "" else "s", sum(alone)
  ))
  place <- ifelse(is.na(x$file), x$scope, paste0(basename(x$file), ":", x$line))
  shown <- data.frame(
    operator = x$operator, kernel = ifelse(alone, "", match(x$kernel, kernels)),
    us = ifelse(is.na(x$seconds), "", formatC(x$seconds * 1e6, digits = 1, format = "f")),
    MB = ifelse(is.na(x$bytes), "", formatC(x$bytes / 1e6, digits = 2, format = "f")),
    bandwidth = percent(x$bandwidth),
    Mflop = ifelse(is.na(x$operations), "", formatC(x$operations / 1e6, digits = 2, format = "f")), arithmetic = percent(x$arithmetic),
    where = place, why = ifelse(is.na(x$why), "", x$why)
  )
  print(shown, row.names = FALSE, right = FALSE)
  invisible(x)
}

percent <- function(share) ifelse(is.na(share), "", paste0(round(100 * share), " %"))

#' @export
plot.jit_explanation <- function(x, ...) {
  plot(attr(x, "graph"), ...)
  invisible(x)
}

#' Profile of R code
#'
#' `jit_profile()` notes each operator that LibTorch runs while a piece of R code runs, with its time, the bytes that
#' it reads and writes, and the R call that it comes from. Operators inside of traced and compiled programs, of
#' gradients, and of data loaders in this process are noted too.
#'
#' @param expr R code.
#' @param profile What `jit_profile()` gave.
#' @param file A path, as a rule ending in `.json`.
#' @return `jit_profile()` an object of class `jit_profile`, a list: `value` of `expr`, and `events`, a data frame with one row an
#'   operator in the order of their ends: `name`, `place` (the R call, `""` for what ran on another thread), `start` and `seconds`,
#'   `self` (without the operators that it calls), `bytes`, `operations` of floating point (of sums, products and convolutions, and of
#'   what calls them), `depth` (0: called from R or from a program), `thread`.
#'   `as.data.frame()` gives the events, `print()` shows operators and places by time, `plot()` draws the events as flames, time from left to right.
#'   `jit_profile_save()` writes what browsers show at `chrome://tracing`, and gives `file`, invisibly.
#' @section Source: LibTorch's `RecordFunction` observers.
#' @seealso [jit_explain()]
#' @examplesIf torch::torch_is_installed()
#' x <- torch_randn(100, 100, requires_grad = TRUE)
#' jit_profile(torch_tanh(torch_matmul(x, x))$sum()$backward())
#' @export
jit_profile <- function(expr) {
  found <- profiled(expr)
  structure(found, class = "jit_profile")
}

profiled <- function(expr) {
  cpp_profile_start()
  done <- FALSE
  on.exit(if (!done) cpp_profile_stop())
  value <- expr
  done <- TRUE
  columns <- cpp_profile_stop()
  events <- data.frame(
    name = as.character(unlist(columns[[1]])), place = as.character(unlist(columns[[2]])), start = as.numeric(unlist(columns[[3]])),
    seconds = as.numeric(unlist(columns[[4]])), bytes = as.numeric(unlist(columns[[5]])), depth = as.integer(unlist(columns[[6]])),
    thread = as.integer(unlist(columns[[7]])), operations = as.numeric(unlist(columns[[8]]))
  )
  # "by `call` at file:line", as errors of traces tell it.
  events$place <- trimws(sub("^ *by `(.*)`(.*)$", "\\1\\2", events$place))
  if (nrow(events)) events$start <- events$start - min(events$start)
  list(value = value, events = with_self(events))
}

# An event ends after the events inside of it. Their time is subtracted from the next event that ends at a lower
# depth.
with_self <- function(events) {
  self <- events$seconds
  inside <- list()
  for (i in seq_len(nrow(events))) {
    thread <- as.character(events$thread[i])
    depth <- events$depth[i] + 1L
    sums <- inside[[thread]] %||% numeric()
    length(sums) <- max(length(sums), depth + 1L)
    sums[is.na(sums)] <- 0
    self[i] <- max(0, self[i] - sums[depth + 1L])
    sums[depth + 1L] <- 0
    sums[depth] <- sums[depth] + events$seconds[i]
    inside[[thread]] <- sums
  }
  events$self <- self
  events[c("name", "place", "start", "seconds", "self", "bytes", "operations", "depth", "thread")]
}

by_time <- function(keys, seconds, n = 15) {
  total <- sort(tapply(seconds, keys, sum), decreasing = TRUE)
  calls <- table(keys)[names(total)]
  utils::head(data.frame(
    key = names(total), calls = as.integer(calls), ms = round(1e3 * as.numeric(total), 3),
    share = paste0(round(100 * as.numeric(total) / sum(total)), " %")
  ), n)
}

#' @export
print.jit_profile <- function(x, ...) {
  events <- x$events
  cli::cat_line(sprintf("%d operators in %s ms", nrow(events), format(round(1e3 * sum(events$self), 2))))
  if (nrow(events) == 0) return(invisible(x))
  by_name <- by_time(events$name, events$self)
  print(stats::setNames(by_name, c("operator", "calls", "ms", "share")), row.names = FALSE, right = FALSE)
  top <- events$depth == 0
  places <- by_time(ifelse(nzchar(events$place[top]), events$place[top], "another thread"), events$seconds[top])
  cli::cat_line()
  print(stats::setNames(places, c("from", "calls", "ms", "share")), row.names = FALSE, right = FALSE)
  invisible(x)
}

#' @export
as.data.frame.jit_profile <- function(x, ...) x$events

#' @export
plot.jit_profile <- function(x, ...) {
  events <- x$events
  if (nrow(events) == 0) value_error("`x` holds no operator that could be drawn.")
  names <- unique(events$name)
  palette <- c("#4c78a8", "#f58518", "#54a24b", "#e45756", "#72b7b2", "#eeca3b", "#b279a2", "#9d755d")
  colours <- stats::setNames(rep_len(palette, length(names)), names)
  ends <- events$start + events$seconds
  graphics::plot(
    NULL, xlim = c(0, max(ends)) * 1e3, ylim = c(0, max(events$depth) + 1), xlab = "milliseconds", ylab = "operators in operators",
    bty = "n", yaxt = "n"
  )
  graphics::rect(events$start * 1e3, events$depth, ends * 1e3, events$depth + 1, col = colours[events$name], border = NA)
  wide <- events$seconds > 0.04 * max(ends)
  if (any(wide)) {
    graphics::text(
      (events$start + events$seconds / 2)[wide] * 1e3, events$depth[wide] + 0.5, sub("^aten::", "", events$name[wide]), cex = 0.7
    )
  }
  invisible(x)
}

#' @rdname jit_profile
#' @export
jit_profile_save <- function(profile, file) {
  if (!inherits(profile, "jit_profile")) {
    type_error(sprintf("`profile` must be what `jit_profile()` gives, not %s.", friendly_type(profile)))
  }
  if (!is_string(file)) type_error(sprintf("`file` must be a path, not %s.", friendly_type(file)))
  events <- profile$events
  trace <- data.frame(
    name = events$name, ph = rep("X", nrow(events)), ts = events$start * 1e6, dur = events$seconds * 1e6,
    pid = rep(1L, nrow(events)), tid = events$thread
  )
  trace$args <- data.frame(place = events$place, bytes = events$bytes)
  writeLines(jsonlite::toJSON(list(traceEvents = trace), auto_unbox = TRUE, digits = 3), file)
  invisible(file)
}
