# Workers are forked here and, in some tests, sessions of their own.
skip_on_os("windows")

in_sessions <- function(code) withr::with_options(list(torch.fork_workers = FALSE), code)
is_running <- function(pids) vapply(pids, function(pid) {
  state <- tryCatch(suppressWarnings(readLines(sprintf("/proc/%d/stat", as.integer(pid)))), error = function(e) character())
  length(state) > 0 && !grepl("^[0-9]+ \\(.*\\) X ", state[1])
}, NA)
skip_if_no_proc <- function() skip_if_not(dir.exists("/proc/self"), "there is no /proc")
# A process that was killed takes a moment to be gone.
expect_gone <- function(pids) {
  skip_if_no_proc()
  limit <- Sys.time() + 10
  while (any(is_running(pids)) && Sys.time() < limit) Sys.sleep(0.02)
  testthat::expect_false(any(is_running(pids)))
}
# Of other programs there may be any.
shared_files <- function() dir("/dev/shm", "torch")

of_items <- dataset("of_items",
  initialize = function(f, n) {
    self$f <- f
    self$n <- n
  },
  .getitem = function(i) self$f(i), .length = function() self$n
)
loaded_by <- function(f, n = 4, ...) batches_of(dataloader(of_items(f, n), num_workers = 2, ...))
values_of <- function(f, n = 4, ...) vapply(loaded_by(f, n, ...), as.numeric, 0)
pids_of <- function(...) vapply(batches_of(dataloader(of_items(function(i) Sys.getpid(), 4), num_workers = 2, ...)), as.numeric, 0)

test_that("workers give the batches that the session would, in its order", {
  skip_if_no_torch()
  plain <- function(b) lapply(b, function(x) if (is_torch_tensor(x)) as_array(x) else x)
  for (size in c(1, 3)) {
    expected <- lapply(batches_of(dataloader(numbers(11), batch_size = size)), plain)
    expect_identical(lapply(batches_of(dataloader(numbers(11), batch_size = size, num_workers = 3)), plain), expected)
  }
  # The first ones take longest.
  expect_identical(values_of(function(i) {
    Sys.sleep((6 - i) / 50)
    i
  }, 6), c(1, 2, 3, 4, 5, 6))
  pids <- pids_of()
  expect_length(unique(pids), 2)
  expect_false(Sys.getpid() %in% pids)
  expect_identical(pids[1:2], pids[3:4])
  expect_gone(pids)
  expect_output(print(dataloader(numbers(3), num_workers = 2)), "num_workers: 2")
  torch_manual_seed(1)
  order <- lapply(batches_of(dataloader(numbers(11), batch_size = 3, shuffle = TRUE)), function(b) as_array(b$y))
  torch_manual_seed(1)
  shuffled <- lapply(batches_of(dataloader(numbers(11), batch_size = 3, shuffle = TRUE, num_workers = 2)), function(b) as_array(b$y))
  expect_identical(shuffled, order)
})

test_that("sessions of their own get the dataset, with its tensors, by a message", {
  skip_if_no_torch()
  skip_if_not_installed("processx")
  in_sessions({
    stored <- tensor_dataset(x = torch_arange(1, 10), y = torch_eye(10))
    together <- batches_of(dataloader(stored, batch_size = 4, num_workers = 2))
    expect_identical(lapply(together, function(b) as_array(b$x)), list(c(1, 2, 3, 4), c(5, 6, 7, 8), c(9, 10)))
    expect_identical(as_array(torch_cat(lapply(together, `[[`, "y"))), diag(10))
    pids <- pids_of()
    expect_length(unique(pids), 2)
    expect_gone(pids)
    expect_error(loaded_by(function(i) stop("number ", i)), "number 1", class = "runtime_error")
    factor <- 10
    scaled <- batches_of(dataloader(of_items(function(i) get("factor", globalenv()) * i, 3), num_workers = 2, worker_globals = "factor"))
    expect_identical(as.numeric(scaled[[3]]), 30)
    # Objects of the package's classes come with all that their methods use.
    model <- nn_linear(2, 1)
    computed <- function(i) model(torch_ones(2) * i)
    expect_equal(values_of(computed), vapply(1:4, function(i) as.numeric(computed(i)), 0))
    joined <- concat_dataset(list(stored, dataset_subset(stored, 3:4)))
    expect_identical(as_array(batches_of(dataloader(joined, batch_size = 12, num_workers = 1))[[1]]$x), c(1:10, 3, 4) + 0)
    attached <- loaded_by(function(i) "package:splines" %in% search(), worker_packages = "splines")
    expect_true(as_array(attached[[1]]))
  })
})

test_that("whatever a batch holds arrives as it was", {
  skip_if_no_torch()
  values <- list(
    torch_randn(2, 3), torch_tensor(5), torch_scalar_tensor(1.5), torch_empty(0, 3), torch_tensor(c(TRUE, FALSE)), torch_tensor(1:3),
    torch_tensor(c(1, 2), dtype = torch_half()), torch_tensor(c(1, 2), dtype = torch_bfloat16()), torch_tensor(1i), torch_randn(5, 4)$t(),
    torch_randn(3)$expand(c(4, 3)), torch_randn(300, 400)[, 7], torch_randn(1000, 1000), torch_tensor(as.raw(1:3)),
    torch_tensor(bit64::as.integer64("9007199254740993"))
  )
  for (forks in c(TRUE, FALSE)) {
    if (!forks) skip_if_not_installed("processx")
    withr::local_options(torch.fork_workers = forks)
    got <- loaded_by(function(i) values, 1, collate_fn = identity)[[1]][[1]]
    for (i in seq_along(values)) {
      expect_true(got[[i]]$dtype == values[[i]]$dtype)
      expect_identical(got[[i]]$shape, values[[i]]$shape)
      expect_true(torch_equal(got[[i]], values[[i]]))
    }
  }
  x <- torch_ones(2, requires_grad = TRUE)
  odd <- loaded_by(function(i) list(), 1, collate_fn = function(items) {
    list(
      x = x, again = x, y = x * 2, p = nn_parameter(torch_ones(2)), f = function(z) z + 1, e = as.environment(list(a = torch_ones(1))),
      long = seq_len(1e5) / 2, text = "é", nothing = NULL, frame = data.frame(a = 1:2, b = factor(c("u", "v"))), generator = torch_generator()
    )
  })[[1]]
  expect_true(odd$x$requires_grad && odd$x$is_leaf)
  expect_identical(tensor_address(odd$x), tensor_address(odd$again))
  expect_true(odd$y$requires_grad)
  expect_s3_class(odd$p, "nn_parameter")
  expect_identical(odd$f(1), 2)
  expect_identical(as_array(odd$e$a), 1)
  expect_identical(odd[c("long", "text", "frame")], list(
    long = seq_len(1e5) / 2, text = "é", frame = data.frame(a = 1:2, b = factor(c("u", "v")))
  ))
  expect_s3_class(odd$generator, "torch_generator")
  # Writing into a batch is no matter of the worker's.
  big <- loaded_by(function(i) torch_zeros(300, 300), 1)[[1]]
  big$add_(1)
  expect_identical(as.numeric(big$sum()), 90000)
})

test_that("small, large and larger batches have memory of their own", {
  skip_if_no_torch()
  # Up to 40 MB, not in the order of the sizes; a part of a larger tensor, and one whose memory is in another order.
  sizes <- c(10, 1e7, 3e5, 1e6, 10)
  batches <- loaded_by(function(i) {
    list(full = torch_full(sizes[i], i), part = torch_arange(1, 10)[3:6] * i, turned = torch_tensor(matrix(1:6 * i, 2))$t())
  }, n = length(sizes))
  for (i in seq_along(sizes)) {
    expect_equal(batches[[i]]$full$shape, c(1, sizes[i]))
    expect_true(all(batches[[i]]$full == i)$item())
    expect_equal(as_array(batches[[i]]$part), matrix(3:6 * i, 1))
    expect_equal(as_array(batches[[i]]$turned[1, ..]), t(matrix(1:6 * i, 2)))
  }
})

test_that("a worker frees the items of its batches before much memory waits", {
  skip_if_no_torch()
  # A fork inherits what waits in the session.
  gc()
  live <- values_of(function(i) {
    # 4 MB, of which nothing stays.
    torch_zeros(1e6)
    torch_tensor(torch:::cpp_memory_stats(FALSE)[["live"]], dtype = "double")
  }, n = 40, batch_size = 1)
  expect_lt(max(live) - min(live), 2 * torch:::longest_garbage)
})

test_that("sparse tensors travel", {
  skip_if_no_torch()
  got <- loaded_by(function(i) (torch_eye(2) * i)$to_sparse(), collate_fn = identity)
  expect_identical(lapply(unlist(got), function(x) as_array(x$to_dense()))[1:2], list(diag(2), 2 * diag(2)))
})

test_that("what can't travel is told", {
  skip_if_no_torch()
  expect_error(loaded_by(function(i) torch_ones(2, device = "meta"), collate_fn = identity), "only dense tensors on the CPU", class = "runtime_error")
  expect_error(loaded_by(function(i) jit_compile("def f(x):\n  return x")$f$graph, collate_fn = identity), "can't be", class = "runtime_error")
})

test_that("an error in a worker comes with its message and calls, and ends the workers", {
  skip_if_no_torch()
  read_row <- function(i) if (i == 3) stop("row ", i, " is broken") else i
  pids <- NULL
  loader <- dataloader(of_items(function(i) read_row(i), 6), num_workers = 2)
  it <- dataloader_make_iter(loader)
  pids <- vapply(environment(attr(it, "close"))$pool$workers, `[[`, 0L, "pid")
  dataloader_next(it)
  dataloader_next(it)
  error <- expect_error(dataloader_next(it), "Worker 1 can't make batch 3: row 3 is broken", class = "runtime_error")
  expect_match(conditionMessage(error), "In `read_row(i)` of the worker", fixed = TRUE)
  expect_match(conditionMessage(error), "Called there: `self$f(i)`, `read_row(i)`", fixed = TRUE)
  expect_identical(error$worker_error$message, "row 3 is broken")
  expect_gone(pids)
  expect_error(dataloader_next(it), "can't go on", class = "runtime_error")
  # One that collates says which item it was.
  expect_error(loaded_by(function(i) seq_len(i), batch_size = 2), "item 2 has length 2, item 1 1", class = "runtime_error")
  expect_snapshot(error = TRUE, loaded_by(function(i) read_row(i)))
})

test_that("warnings and messages of workers come through", {
  skip_if_no_torch()
  warned <- capture_warnings(values <- values_of(function(i) {
    if (i == 2) warning("careful with ", i)
    i
  }))
  expect_identical(warned, "In worker 2: careful with 2")
  expect_identical(values, c(1, 2, 3, 4))
  # The handlers of the session are not for them.
  seen <- tryCatch(values_of(function(i) {
    message("not here")
    i
  }), message = function(m) "caught")
  expect_identical(seen, c(1, 2, 3, 4))
})

test_that("a worker that is killed is an error, not a wait", {
  skip_if_no_torch()
  expect_error(loaded_by(function(i) if (i == 2) tools::pskill(Sys.getpid(), tools::SIGKILL) else i), "Worker 2 .* ended by signal 9", class = "runtime_error")
  # One that crashes or quits takes nothing of the session's with it.
  kept <- withr::local_tempfile(lines = "kept")
  expect_error(loaded_by(function(i) if (i == 1) quit("no") else i), "Worker 1 .* called `quit\\(\\)`", class = "runtime_error")
  expect_error(loaded_by(function(i) if (i == 1) tools::pskill(Sys.getpid(), 11) else i), "ended by signal 11", class = "runtime_error")
  expect_identical(readLines(kept), "kept")
  skip_if_not_installed("processx")
  in_sessions({
    expect_error(loaded_by(function(i) if (i == 2) tools::pskill(Sys.getpid(), 9) else i), "Worker 2 .* ended by signal 9", class = "runtime_error")
    expect_error(loaded_by(function(i) if (i == 2) quit("no") else i), "Worker 2 .* called `quit\\(\\)`", class = "runtime_error")
  })
})

test_that("whatever ends the code of a data set is told", {
  skip_if_no_torch()
  condition <- function(classes, message) structure(class = c(classes, "condition"), list(message = message, call = NULL))
  expect_snapshot_error(loaded_by(function(i) stop(condition(c("mine", "error"), NULL))))
  expect_snapshot_error(loaded_by(function(i) stop(condition(c("mine", "error"), c("one line", "another")))))
  expect_error(loaded_by(function(i) invokeRestart("abort")), "Worker [12] .* jumped out of the code", class = "runtime_error")
  expect_error(loaded_by(function(i) numeric(1e13)), "Worker 1 can't make batch 1: cannot allocate", class = "runtime_error")
  expect_error(loaded_by(identity, worker_packages = "nosuchpackage"), "no package called .nosuchpackage", class = "runtime_error")
})

test_that("a batch that does not come in time is an error", {
  skip_if_no_torch()
  it <- dataloader_make_iter(dataloader(of_items(function(i) {
    if (i == 2) Sys.sleep(100)
    i
  }, 4), num_workers = 2, timeout = 300))
  pids <- vapply(environment(attr(it, "close"))$pool$workers, `[[`, 0L, "pid")
  expect_identical(as.numeric(dataloader_next(it)), 1)
  took <- system.time(expect_error(dataloader_next(it), "Worker 2 timed out: batch 2 did not come within 300 ms", class = "runtime_error"))
  expect_lt(took[["elapsed"]], 5)
  expect_gone(pids)
})

test_that("random numbers of workers follow from the session's", {
  skip_if_no_torch()
  draw <- function(...) {
    set.seed(3)
    torch_manual_seed(4)
    t(vapply(loaded_by(function(i) list(runif(1), torch_rand(1)), 6, ...), function(b) c(as.numeric(b[[1]]), as.numeric(b[[2]])), c(0, 0)))
  }
  one <- draw()
  expect_identical(draw(), one)
  expect_false(anyDuplicated(one[, 1]) > 0 || anyDuplicated(one[, 2]) > 0)
  skip_if_not_installed("processx")
  expect_identical(in_sessions(draw()), one)
  loader <- dataloader(of_items(function(i) runif(1), 4), num_workers = 2)
  expect_false(any(vapply(batches_of(loader), as.numeric, 0) %in% vapply(batches_of(loader), as.numeric, 0)))
})

test_that("workers know who they are and what they were given", {
  skip_if_no_torch()
  expect_null(get_worker_info())
  a <- 7
  about <- of_items(
    function(i) list(get("a", globalenv()), get("begun", globalenv()), get_worker_info()$id, get_worker_info()$workers, .worker_info$seed), 4
  )
  begin <- function(id) assign("begun", 10 * id, globalenv())
  got <- batches_of(dataloader(about, num_workers = 2, worker_globals = "a", worker_init_fn = begin))
  got <- vapply(got, function(b) vapply(b, as.numeric, 0), numeric(5))
  expect_identical(got[1:4, ], rbind(7, c(10, 20, 10, 20), c(1, 2, 1, 2), 2))
  expect_identical(diff(got[5, 1:2]), 1)
  expect_false(exists("begun", globalenv()))
  expect_identical(as.numeric(loaded_by(function(i) get("b", globalenv()), worker_globals = list(b = 3))[[1]]), 3)
  expect_error(loaded_by(identity, worker_init_fn = function(id) stop("no start")), "no start", class = "runtime_error")
  expect_error(loaded_by(identity, worker_packages = "no.such.package"), "no.such.package", class = "runtime_error")
})

test_that("wrong options of workers are told", {
  skip_if_no_torch()
  d <- numbers(3)
  expect_snapshot(error = TRUE, {
    dataloader(d, num_workers = -1)
    dataloader(d, num_workers = 2, timeout = "long")
    dataloader(d, num_workers = 2, worker_init_fn = 1)
    dataloader(d, num_workers = 2, worker_globals = "no_such_variable")
    dataloader(d, num_workers = 2, worker_globals = 1)
    dataloader(d, num_workers = 2, worker_packages = 1)
    dataloader(d, num_workers = 2, prefetch_factor = 0)
    dataloader(d, num_workers = 2, persistent_workers = NA)
  })
})

shares <- iterable_dataset("shares",
  initialize = function(n) self$n <- n,
  .iter = function() {
    info <- get_worker_info()
    all <- seq_len(self$n)
    as_iterator(if (is.null(info)) all else all[all %% info$workers == info$id %% info$workers])
  }
)

test_that("iterable datasets give a share in each worker, as PyTorch's do", {
  skip_if_no_torch()
  given <- function(n, ...) lapply(batches_of(dataloader(shares(n), ...)), function(b) as.list(as_array(b)))
  all <- list(
    given(7, batch_size = 2, num_workers = 2), given(7, batch_size = 2, num_workers = 3, drop_last = TRUE), given(2, num_workers = 3),
    given(5, batch_size = 4, num_workers = 2)
  )
  # Without workers the dataset gives all.
  expect_identical(unlist(given(5, batch_size = 2)), 1:5)
  every <- iterable_dataset(.iter = function() as_iterator(1:2))()
  expect_identical(vapply(batches_of(dataloader(every, num_workers = 2)), as.numeric, 0), c(1, 1, 2, 2))
  python <- python_eval("
class Shares(torch.utils.data.IterableDataset):
    def __init__(self, n):
        self.n = n
    def __iter__(self):
        info = torch.utils.data.get_worker_info()
        return iter(range(info.id + 1, self.n + 1, info.num_workers))
def given(n, **options):
    return [b.tolist() for b in torch.utils.data.DataLoader(Shares(n), **options)]
result = [given(7, batch_size=2, num_workers=2), given(7, batch_size=2, num_workers=3, drop_last=True), given(2, num_workers=3),
          given(5, batch_size=4, num_workers=2)]
")
  as_lists <- function(x) lapply(x, function(batches) {
    lapply(if (is.matrix(batches)) asplit(batches, 1) else batches, function(b) as.list(as.integer(b)))
  })
  expect_identical(all, as_lists(python))
})

test_that("persistent workers stay for the next run, and no longer than the loader", {
  skip_if_no_torch()
  loader <- dataloader(of_items(function(i) Sys.getpid(), 8), num_workers = 2, persistent_workers = TRUE)
  pids <- function() vapply(batches_of(loader), as.numeric, 0)
  first <- pids()
  expect_identical(pids(), first)
  # A run that is left does not disturb the next one.
  loop(for (b in loader) break)
  it <- dataloader_make_iter(loader)
  expect_identical(as.numeric(dataloader_next(it)), first[1])
  expect_identical(pids(), first)
  expect_error(dataloader_next(it), "another run", class = "runtime_error")
  expect_true(all(is_running(pids())))
  last <- unique(pids())
  rm(loader, it)
  environment(pids) <- globalenv()
  gc()
  gc()
  expect_gone(last)
})

test_that("nothing is left when a loop is left", {
  skip_if_no_torch()
  skip_if_no_proc()
  before <- shared_files()
  large <- function(i) list(torch_full(c(300, 300), i), Sys.getpid())
  pids <- c()
  loop(for (b in dataloader(of_items(large, 100), num_workers = 2)) {
    pids <- c(pids, as.numeric(b[[2]]))
    if (length(pids) == 4) break
  })
  expect_length(unique(pids), 2)
  expect_gone(pids)
  find <- function() loop(for (b in dataloader(of_items(large, 100), num_workers = 2)) return(as.numeric(b[[2]])))
  expect_gone(find())
  # An iterator that nobody has any more.
  it <- dataloader_make_iter(dataloader(of_items(large, 100), num_workers = 2))
  pid <- as.numeric(dataloader_next(it)[[2]])
  expect_true(is_running(pid))
  rm(it)
  gc()
  expect_gone(pid)
  expect_identical(shared_files(), before)
})

# A session of its own that loads batches until `end` stops it; its workers.
stopped_session <- function(end, sleep = 0.01, env = parent.frame()) {
  skip_if_not_installed("callr")
  file <- withr::local_tempfile(.local_envir = env)
  session <- callr::r_bg(function(file, sleep) {
    library(torch)
    items <- dataset(.getitem = function(i) {
      cat(Sys.getpid(), "\n", file = file, append = TRUE)
      Sys.sleep(sleep)
      torch_ones(300, 300)
    }, .length = function() 1e5)()
    tryCatch(loop(for (b in dataloader(items, num_workers = 2)) NULL), interrupt = function(i) "interrupted")
  }, list(file, sleep), libpath = .libPaths(), supervise = FALSE)
  withr::defer(session$kill(), envir = env)
  pids <- integer()
  limit <- Sys.time() + 60
  while (length(unique(pids)) < 2 && Sys.time() < limit) {
    Sys.sleep(0.1)
    if (file.exists(file)) pids <- as.integer(readLines(file))
  }
  testthat::expect_length(unique(pids), 2)
  end(session)
  list(session = session, pids = unique(pids))
}

test_that("workers end with their session, however that ends, and leave no memory", {
  skip_if_no_torch()
  skip_if_no_proc()
  before <- shared_files()
  killed <- stopped_session(function(session) tools::pskill(session$get_pid(), tools::SIGKILL))
  expect_gone(killed$pids)
  # In the middle of an item, too.
  killed <- stopped_session(function(session) tools::pskill(session$get_pid(), tools::SIGKILL), sleep = 100)
  expect_gone(killed$pids)
  stopped <- stopped_session(function(session) session$interrupt(), sleep = 100)
  stopped$session$wait(10000)
  expect_identical(stopped$session$get_result(), "interrupted")
  expect_gone(stopped$pids)
  expect_identical(shared_files(), before)
})

test_that("a session with threads can be forked, and workers compute", {
  skip_if_no_torch()
  skip_if_not_installed("callr")
  sums <- callr::r(libpath = .libPaths(), timeout = 120, function() {
    library(torch)
    torch_set_num_threads(2)
    # Both pools of threads are there.
    x <- torch_randn(500, 500, requires_grad = TRUE)
    sum(torch_matmul(x, x))$backward()
    items <- dataset(.getitem = function(i) {
      y <- torch_ones(300, 300, requires_grad = TRUE)
      sum(torch_matmul(y, y))$backward()
      y$grad$sum()
    }, .length = function() 4)()
    out <- c()
    loop(for (b in dataloader(items, num_workers = 2, timeout = 60000)) out <- c(out, as.numeric(b)))
    out
  })
  expect_identical(sums, rep(2 * 300^3, 4))
})

test_that("long tasks and many of them wait for no one", {
  skip_if_no_torch()
  whole <- dataloader(
    dataset(.getbatch = function(index) torch_tensor(index), .length = function() 20000)(),
    batch_size = 2000, num_workers = 2, prefetch_factor = 100
  )
  expect_identical(unlist(lapply(batches_of(whole), as_array)), seq_len(20000))
  # Results that nobody fetches yet fill the channels.
  it <- dataloader_make_iter(dataloader(
    of_items(function(i) strrep("x", 3000), 600), num_workers = 2, prefetch_factor = 300, collate_fn = identity
  ))
  Sys.sleep(1)
  n <- 0
  while (!is.null(dataloader_next(it))) n <- n + 1
  expect_identical(n, 600)
})

test_that("memory of batches is let go of", {
  skip_if_no_torch()
  loader <- dataloader(of_items(function(i) torch_ones(1e6), 200), num_workers = 2)
  gc()
  before <- cpp_memory_stats(TRUE)[["live"]]
  most <- 0
  # 800 MB, of which R collects what exceeds its threshold although no operator runs.
  loop(for (b in loader) most <- max(most, cpp_memory_stats(FALSE)[["live"]]))
  expect_lt(most - before, 500 * 2^20)
})

test_that("a worker of an interactive session asks no questions", {
  skip_if_no_torch()
  lines <- c(
    sprintf(".libPaths(%s)", paste(deparse(.libPaths()), collapse = " ")),
    "library(torch)",
    "ask <- dataset('ask', initialize = function() NULL, .length = function() 2L, .getitem = function(i) interactive())",
    "loader <- dataloader(ask(), batch_size = NULL, num_workers = 1)",
    "cat('here', interactive(), 'there', vapply(as.list(loader), as.logical, NA), '\\n')"
  )
  said <- system2(
    file.path(R.home("bin"), "R"), c("--interactive", "--no-readline", "--no-save", "--no-restore"),
    input = lines, stdout = TRUE, stderr = TRUE
  )
  expect_match(said, "^here TRUE there FALSE FALSE", all = FALSE)
})
