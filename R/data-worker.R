# Workers: R processes that load batches for a data loader. They are forked where that is safe, and then have
# everything that the session has. Elsewhere they are new sessions, which get the dataset as a message. Tasks and
# batches are messages through a channel (src/worker.cpp). Workers get tasks by turns, so that a run is the same each
# time, and the session gives batches in the order of their tasks. The session never waits for a worker to take a
# task, only for batches: it sends a task only where the channel has room.

# ---- messages ------------------------------------------------------------------------------------------------------------

# Longer messages lie in shared memory, so that what waits in a channel is small.
longest_inline <- 4096

# An R object as bytes and shared memory. Handles in it become marks, as in files (R/save.R), and their tensors are
# written one behind the other. `is_ours` says that nobody else has these tensors. Their memory then serves the next
# ones at once, without waiting for R's collector.
pack_message <- function(x, call = NULL, is_ours = FALSE) {
  found <- new_collection(call, "A batch", instances = NULL)
  bytes <- serialize(x, NULL, xdr = FALSE, refhook = found$mark)
  tensors <- unname(mget(found$order, found$tensors))
  for (x in tensors) {
    if (is_special_layout(x) || !is_cpu(x)) {
      value_error(sprintf("A worker can send only dense tensors on the CPU, not %s.", type_line(x)), call)
    }
  }
  inline <- length(bytes) <= longest_inline
  sent <- if (inline) tensors else c(tensors, list(torch_tensor(bytes)))
  about <- list(bytes = if (inline) bytes)
  memory <- NULL
  if (length(sent)) {
    shapes <- lapply(sent, function(x) .Call(C_shape, x))
    dtypes <- vapply(sent, function(x) as.integer(unclass(x$dtype)), 0L)
    shared <- cpp_shared_tensors(NULL, shapes, dtypes)
    memory <- shared[[1L]]
    requires_grad <- vapply(sent, function(x) x$requires_grad, NA)
    for (i in seq_along(sent)) {
      # Only tensors that require gradients are detached, because a detached tensor holds the memory until R collects
      # it.
      shared[[2L]][[i]]$copy_(if (requires_grad[i]) sent[[i]]$detach() else sent[[i]])
    }
    cpp_shared_write(memory)
    cpp_shared_release(shared[[2L]])
    about <- c(about, list(
      keys = found$order, shapes = shapes, dtypes = dtypes, extra = found$extra, requires_grad = requires_grad
    ))
    if (is_ours) cpp_shared_release(tensors)
  }
  list(serialize(about, NULL, xdr = FALSE), memory)
}

is_cpu <- function(x) x$device$type == "cpu"

unpack_message <- function(message) {
  about <- unserialize(message[[1L]])
  if (is.null(message[[2L]])) return(unserialize(about$bytes))
  tensors <- cpp_shared_tensors(message[[2L]], about$shapes, about$dtypes)[[2L]]
  bytes <- about$bytes
  if (is.null(bytes)) {
    bytes <- as_array(tensors[[length(tensors)]])
    tensors <- tensors[-length(tensors)]
  }
  for (x in tensors[about$requires_grad[seq_along(tensors)]]) x$requires_grad_(TRUE)
  names(tensors) <- about$keys
  known <- c(tensors, if (length(about$extra)) revive_handles(about$extra, tensors, as_device("cpu")))
  unserialize(bytes, refhook = function(key) known[[key]])
}

# Gives FALSE if the other end of the channel is gone.
send_message <- function(channel, message) cpp_channel_send(channel, message[[1L]], message[[2L]])

# Gives NULL if the other end of the channel is gone.
receive_message <- function(channel) {
  message <- cpp_channel_receive(channel)
  if (!is.null(message)) unpack_message(message)
}

# ---- in the worker -------------------------------------------------------------------------------------------------------

#' Which worker this is
#'
#' In a process that loads batches for a [dataloader()] with `num_workers`, tells which one it is: in the methods of a
#' dataset and in `worker_init_fn`. An iterable dataset needs it to give each worker its share.
#'
#' @returns `NULL` in the main session; in a worker a list of `id` (from 1), `workers` (how many there are), `seed` (the
#'   worker's seed of R's random numbers) and `dataset` (its copy). The variable `.worker_info` in the global environment of
#'   a worker holds the first three.
#' @seealso [dataloader()], [iterable_dataset()]
#' @examples
#' get_worker_info()
#' @export
get_worker_info <- function() the$worker_info

# Answers tasks until the channel ends. `setup` holds what dataloader() got for workers and which worker this is.
serve_batches <- function(channel, loader, setup) {
  torch_set_num_threads(1)
  failure <- NULL
  fetch <- NULL
  is_ready <- FALSE
  live <- cpp_memory_stats(FALSE)[["live"]]
  # collate_items() always makes new tensors, which nobody else has.
  is_ours <- identical(loader$collate_fn, collate_items)
  while (!is.null(task <- receive_message(channel))) {
    if (!is.null(task$seeds)) {
      run <- task$run
      failure <- in_worker({
        begin_in_worker(loader, setup, task$seeds, is_ready)
        fetch <- batch_source(loader)
      })$failure
      is_ready <- TRUE
      next
    }
    about <- list(run = run, number = task$number)
    outcome <- if (is.null(failure)) in_worker(fetch(task$index)) else list(failure = failure)
    packed <- in_worker(pack_message(c(about, outcome), is_ours = is_ours))
    message <- if (is.null(packed$failure)) packed$value else pack_message(c(about, packed))
    if (!send_message(channel, message)) break
    live <- free_items(live)
  }
}

# R's collector frees the items of a batch. The worker calls it while no item is in use, so that the next items get
# the memory of the last ones.
longest_garbage <- 16 * 2^20
free_items <- function(live) {
  now <- cpp_memory_stats(FALSE)[["live"]]
  if (now - live < longest_garbage) return(min(live, now))
  gc(FALSE, FALSE, FALSE)
  cpp_memory_stats(FALSE)[["live"]]
}

begin_in_worker <- function(loader, setup, seeds, is_ready) {
  do.call(RNGkind, as.list(setup$kind))
  set.seed(seeds[[1L]])
  torch_manual_seed(seeds[[2L]])
  info <- list(id = setup$id, workers = setup$workers, seed = seeds[[1L]])
  the$worker_info <- c(info, list(dataset = loader$dataset))
  list2env(c(list(.worker_info = info), setup$globals), globalenv())
  if (is_ready) return()
  for (package in setup$packages) library(package, character.only = TRUE)
  if (is.function(setup$init)) setup$init(setup$id)
}

# A function that makes the batch of an index.
batch_source <- function(loader) {
  if (!loader$is_iterable) return(item_fetcher(loader))
  batches <- iterate_stream(loader, 0)
  function(index) batches()
}

# Gives the value or the failure in a form that a message can carry, and the warnings.
in_worker <- function(expr) {
  depth <- sys.nframe()
  warnings <- list()
  stack <- NULL
  outcome <- tryCatch(
    withCallingHandlers(
      list(value = expr),
      error = function(e) stack <<- calls_above(depth),
      warning = function(w) {
        warnings[[length(warnings) + 1L]] <<- conditionMessage(w)
        invokeRestart("muffleWarning")
      },
      # A forked process also has the calling handlers of the session, which are not meant for it.
      message = function(m) {
        cat(conditionMessage(m), file = stderr())
        invokeRestart("muffleMessage")
      }
    ),
    error = function(e) {
      call <- call_line(conditionCall(e))
      list(failure = list(message = text_of_error(e), class = class(e), call = call, stack = stack))
    }
  )
  if (length(warnings)) outcome$warnings <- warnings
  outcome
}

# Conditions of users' own classes may have no message, or several lines.
text_of_error <- function(e) {
  text <- paste(conditionMessage(e), collapse = "\n")
  if (nzchar(text)) text else sprintf("an error of class <%s> without a message", class(e)[[1L]])
}

# The user's calls between in_worker() and an error, a line each.
calls_above <- function(depth) {
  calls <- sys.calls()
  functions <- lapply(seq_along(calls), sys.function)
  at <- seq_along(calls) > depth
  ours <- vapply(functions, function(f) is.function(f) && identical(topenv(environment(f) %||% baseenv()), topenv()), NA)
  handling <- vapply(calls, function(call) is.symbol(call[[1L]]) && as.character(call[[1L]]) %in% handler_names, NA)
  lines <- vapply(calls[at & !ours & !handling], call_line, "")
  utils::tail(lines, 10L)
}

handler_names <- c(
  "tryCatch", "tryCatchList", "tryCatchOne", "doTryCatch", "withCallingHandlers", ".handleSimpleError", "h", "lapply", "FUN",
  "signalCondition", "abort", "signal_abort", "stop"
)

call_line <- function(call) {
  if (is.null(call)) return("")
  line <- deparse(call, width.cutoff = 70L, nlines = 1L)
  if (nchar(line) > 75L) paste0(substr(line, 1L, 72L), "...") else line
}

# Serves, and tells the session where the code of a data set ends that. `leave` ends the process.
serve_to_the_end <- function(channel, loader, setup, leave = function() NULL) {
  has_served <- FALSE
  tell <- function(why) {
    if (!has_served) send_message(channel, pack_message(list(fate = why)))
    leave()
  }
  on.exit(tell("jumped out of the code that makes batches, as a restart does, or an error condition without the class \"error\""))
  the$at_quit <- new_environment()
  reg.finalizer(the$at_quit, function(...) tell("called `quit()`"), onexit = TRUE)
  serve_batches(channel, loader, setup)
  has_served <- TRUE
}

# The whole life of a worker that is a session of its own.
worker_session <- function(channel) {
  begin <- receive_message(channel)
  if (is.null(begin)) return(invisible())
  cpp_end_with(begin$parent)
  serve_to_the_end(channel, begin$loader, begin$setup)
}

# ---- in the main session -------------------------------------------------------------------------------------------------

# Whether workers are forked. A forked process can use neither the windows of a front end nor CUDA, and system
# libraries outside of Linux do not stand a fork.
can_fork <- function() {
  wanted <- getOption("torch.fork_workers")
  if (is_bool(wanted)) return(wanted && .Platform$OS.type == "unix")
  Sys.info()[["sysname"]] == "Linux" && !nzchar(Sys.getenv("RSTUDIO")) && .Platform$GUI != "AQUA"
}

# What a worker needs to know of a loader.
loader_parts <- function(loader) {
  list(
    dataset = loader$dataset, batch_size = loader$batch_size, collate_fn = loader$collate_fn, drop_last = loader$drop_last,
    is_iterable = inherits(loader$dataset, "iterable_dataset"), in_batches = !is.null(loader$batch_sampler)
  )
}

# The workers of a loader. They end when the environment that this gives is collected, or with the session.
start_workers <- function(loader) {
  pool <- new_environment(list(workers = list(), run = 0L, is_closed = FALSE))
  reg.finalizer(pool, close_workers, onexit = TRUE)
  parts <- loader_parts(loader)
  forks <- can_fork()
  # A forked process must not free memory on a GPU that belongs to the session. After this collection it holds no
  # garbage there.
  if (forks && cuda_is_available()) gc()
  for (id in seq_len(loader$num_workers)) {
    setup <- list(
      id = id, workers = as.integer(loader$num_workers), kind = RNGkind(), packages = loader$worker_packages,
      globals = loader$worker_globals, init = loader$worker_init_fn
    )
    pool$workers[[id]] <- if (forks) fork_worker(parts, setup) else spawn_worker(parts, setup)
  }
  pool
}

# `the$channels` holds the session's ends of all channels. A forked process closes its copies. Otherwise it would keep
# a channel open whose worker waits for the end of it.
open_channel <- function() {
  ends <- cpp_channel_open()
  the$channels <- c(the$channels, ends[1L])
  ends
}

close_channel <- function(channel) {
  the$channels <- setdiff(the$channels, channel)
  cpp_channel_close(channel)
}

fork_worker <- function(parts, setup) {
  ends <- open_channel()
  parent <- Sys.getpid()
  pid <- cpp_worker_fork()
  if (pid == 0L) {
    # No code of the session may run here, not even when somebody calls quit().
    leave <- function() tools::pskill(Sys.getpid(), tools::SIGKILL)
    on.exit(leave())
    for (channel in the$channels) cpp_channel_close(channel)
    the$channels <- NULL
    # Nobody can answer questions here, so menu() would ask for ever. Only the package parallel can tell R that it is
    # not interactive.
    getNamespace("parallel")$mcinteractive(FALSE)
    cpp_end_with(parent)
    serve_to_the_end(ends[2L], parts, setup, leave)
  }
  cpp_channel_close(ends[2L])
  list(id = setup$id, pid = pid, channel = ends[1L], end = function() cpp_worker_end(pid))
}

spawn_worker <- function(parts, setup) {
  if (!is_installed("processx")) {
    runtime_error("`num_workers` needs the package processx where R can't be forked.", call = NULL)
  }
  ends <- open_channel()
  other_end <- processx::conn_create_fd(ends[2L])
  process <- processx::process$new(
    file.path(R.home("bin"), "R"),
    c("--no-echo", "--no-restore", "--no-save", "-e", "library(torch)", "-e", "getNamespace(\"torch\")$worker_session(3L)"),
    stdout = "", stderr = "", connections = list(other_end),
    env = c("current", R_LIBS = paste(.libPaths(), collapse = .Platform$path.sep), OMP_NUM_THREADS = "1")
  )
  # The channel ends with the worker only if nobody else has the worker's end of it.
  close(other_end)
  send_message(ends[1L], pack_message(list(loader = parts, setup = setup, parent = Sys.getpid())))
  list(id = setup$id, pid = process$get_pid(), channel = ends[1L], end = function() {
    # The channel may end a moment before the process does.
    process$wait(100)
    process$kill()
    -process$get_exit_status()
  })
}

# Ends the workers at once: they keep nothing that would be lost, and may be in the middle of something long.
close_workers <- function(pool) {
  if (pool$is_closed) return(invisible())
  pool$is_closed <- TRUE
  for (worker in pool$workers) {
    close_channel(worker$channel)
    worker$end()
  }
  invisible()
}

# Tells the workers that a run begins.
begin_run <- function(pool, seeds) {
  pool$run <- pool$run + 1L
  for (worker in pool$workers) {
    send_message(worker$channel, pack_message(list(run = pool$run, seeds = lapply(seeds, `+`, worker$id - 1L))))
  }
  pool$run
}

# An iterator over the batches of a loader that has workers.
iterate_workers <- function(loader, seed, skip) {
  is_iterable <- inherits(loader$dataset, "iterable_dataset")
  next_index <- if (is_iterable) function() NULL else without_first(own_iterator(loader$.index_sampler, "sampler"), skip)
  # The seeds of R's and of torch's random numbers in the workers.
  seeds <- list(sample.int(2147480000L, 1L), seed)
  pool <- loader$.workers
  if (is.null(pool) || pool$is_closed) pool <- start_workers(loader)
  if (loader$persistent_workers) loader$.workers <- pool
  run <- begin_run(pool, seeds)
  timeout <- if (loader$timeout > 0) loader$timeout else -1
  channels <- vapply(pool$workers, `[[`, 0L, "channel")
  ahead <- loader$prefetch_factor * length(channels)
  # `has_ended` marks workers whose share is at its end, and `last` is the worker that got the last task.
  has_ended <- logical(length(channels))
  last <- 0L
  sent <- 0L
  given <- 0L
  all_sent <- FALSE
  is_over <- FALSE
  arrived <- new_environment()
  owners <- integer()

  send_tasks <- function() {
    while (!all_sent && sent - given < ahead) {
      turn <- last %% length(channels) + 1L
      while (has_ended[turn] && !all(has_ended)) turn <- turn %% length(channels) + 1L
      if (has_ended[turn]) {
        all_sent <<- TRUE
        break
      }
      if (!cpp_channel_takes(channels[turn])) break
      index <- next_index()
      if (is_exhausted(index)) {
        all_sent <<- TRUE
        break
      }
      sent <<- sent + 1L
      last <<- turn
      owners[as.character(sent)] <<- turn
      if (!send_message(channels[turn], pack_message(list(number = sent, index = index)))) lost_worker(pool$workers[[turn]])
    }
  }
  receive_some <- function(until) {
    left <- if (timeout < 0) -1 else max(0, until - 1000 * proc.time()[["elapsed"]])
    ready <- cpp_channel_wait(channels, left)
    if (!length(ready)) {
      runtime_error(sprintf(
        "Worker %d timed out: batch %d did not come within %s ms.", owners[[as.character(given + 1L)]], given + 1L, format(timeout)
      ), call = NULL)
    }
    for (i in ready) {
      reply <- receive_message(channels[i])
      if (is.null(reply$run)) lost_worker(pool$workers[[i]], reply$fate)
      # Other replies belong to a run that the user has left.
      if (reply$run == run) arrived[[as.character(reply$number)]] <- reply
    }
  }
  take <- function() {
    until <- 1000 * proc.time()[["elapsed"]] + timeout
    repeat {
      send_tasks()
      if (given == sent && all_sent) return(exhausted())
      key <- as.character(given + 1L)
      while (is.null(reply <- arrived[[key]])) receive_some(until)
      rm(list = key, envir = arrived)
      given <<- given + 1L
      owner <- owners[[key]]
      owners <<- owners[names(owners) != key]
      for (text in reply$warnings) warning(sprintf("In worker %d: %s", owner, text), call. = FALSE)
      if (!is.null(reply$failure)) refuse_batch(owner, given, reply$failure)
      if (!is_exhausted(reply$value)) {
        # The worker of this batch gets another task while the session works on the batch.
        send_tasks()
        return(reply$value)
      }
      has_ended[owner] <<- TRUE
    }
  }
  send_tasks()
  batches <- function() {
    if (is_over) return(exhausted())
    if (pool$is_closed) runtime_error("The workers have ended: this run can't go on. Begin another one.")
    if (pool$run != run) runtime_error("The workers load another run of this loader: this one can't go on.")
    # Nobody waits for the workers after an error, a timeout or an interrupt.
    is_whole <- FALSE
    on.exit(if (!is_whole) close_workers(pool))
    batch <- take()
    is_over <<- is_exhausted(batch)
    if (is_over && !loader$persistent_workers) close_workers(pool)
    is_whole <- TRUE
    batch
  }
  list(batches = batches, close = function() if (!loader$persistent_workers) close_workers(pool))
}

# Tells why a worker has gone. `words` are its own.
lost_worker <- function(worker, words = NULL) {
  fate <- worker$end()
  how <- if (!is.null(words)) {
    words
  } else if (is.na(fate)) {
    "has ended"
  } else if (fate <= 0) {
    sprintf("has ended with status %d", -fate)
  } else {
    sprintf("was ended by signal %d%s", fate, if (fate == tools::SIGKILL) ", as where there is no memory" else "")
  }
  runtime_error(sprintf("Worker %d (process %d) %s.", worker$id, worker$pid, how), call = NULL)
}

refuse_batch <- function(id, number, failure) {
  where <- if (nzchar(failure$call)) sprintf("In `%s` of the worker.", failure$call)
  calls <- if (length(failure$stack)) paste0("Called there: ", paste0("`", failure$stack, "`", collapse = ", "))
  torch_abort(
    c(sprintf("Worker %d can't make batch %d: %s", id, number, failure$message), where, calls), "runtime_error",
    call = NULL, worker_error = failure
  )
}
