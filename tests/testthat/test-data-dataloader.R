test_that("batches come in order and the last may be short", {
  skip_if_no_torch()
  dl <- dataloader(numbers(5), batch_size = 2)
  expect_length(dl, 3)
  all <- batches_of(dl)
  expect_length(all, 3)
  expect_named(all[[1]], c("x", "y", "name"))
  expect_equal(as_array(all[[2]]$x), rbind(c(3, 30), c(4, 40)))
  expect_identical(as_array(all[[2]]$y), 3:4)
  expect_identical(all[[3]]$name, "e")
  expect_length(batches_of(dl), 3)
  expect_true(is_dataloader(dl))

  dropping <- dataloader(numbers(5), batch_size = 2, drop_last = TRUE)
  expect_length(dropping, 2)
  expect_length(batches_of(dropping), 2)
})

test_that("shuffling follows torch's generator and is new at each run", {
  skip_if_no_torch()
  order_of <- function(dl) unlist(lapply(batches_of(dl), function(b) as_array(b$y)))
  dl <- dataloader(numbers(20), batch_size = 3, shuffle = TRUE)
  torch_manual_seed(1)
  first <- order_of(dl)
  second <- order_of(dl)
  expect_setequal(first, 1:20)
  expect_false(identical(first, second))
  torch_manual_seed(1)
  expect_identical(order_of(dl), first)
})

test_that("iterators are independent; dataloader_next() says when it is over", {
  skip_if_no_torch()
  dl <- dataloader(numbers(2))
  it <- dataloader_make_iter(dl)
  expect_identical(as_array(dataloader_next(it)$y), 1L)
  other <- dataloader_make_iter(dl)
  expect_identical(as_array(dataloader_next(it)$y), 2L)
  expect_identical(as_array(dataloader_next(other)$y), 1L)
  expect_null(dataloader_next(it))
  expect_identical(dataloader_next(it, completed = "done"), "done")
})

test_that("a tensor dataset is taken in batches", {
  skip_if_no_torch()
  dl <- dataloader(tensor_dataset(x = torch_arange(1, 5), y = torch_eye(5)), batch_size = 2)
  b <- batches_of(dl)
  expect_identical(as_array(b[[3]]$x), 5)
  expect_equal(b[[1]]$y$shape, c(2, 5))
})

test_that("iterable datasets are gathered into batches", {
  skip_if_no_torch()
  count <- iterable_dataset("count",
    initialize = function(n) self$n <- n, .iter = function() as_iterator(seq_len(self$n))
  )
  sizes <- function(...) vapply(batches_of(dataloader(count(5), ...)), function(b) as.integer(b$numel()), 0L)
  expect_identical(sizes(batch_size = 2), c(2L, 2L, 1L))
  expect_identical(sizes(batch_size = 2, drop_last = TRUE), c(2L, 2L))
  expect_length(batches_of(dataloader(count(5), batch_size = NULL)), 5)
  expect_identical(length(dataloader(count(5))), NA_real_)
})

test_that("enumerate() works with a warning, and loads on demand", {
  skip_if_no_torch()
  dl <- dataloader(numbers(4), batch_size = 2)
  expect_warning(all <- enumerate(dl), class = "deprecated")
  expect_identical(as_array(all[[2]]$y), 3:4)
  seen <- c()
  for (b in suppressWarnings(enumerate(dl))) seen <- c(seen, as_array(b[["y"]]))
  expect_identical(seen, 1:4)
  expect_length(suppressWarnings(enumerate(dl, max_len = 1)), 1)
})

test_that("options that exclude each other are told", {
  skip_if_no_torch()
  d <- numbers(3)
  s <- sampler("s")()
  for (code in expression(
    dataloader(d, shuffle = TRUE, sampler = s), dataloader(d, batch_size = 2, batch_sampler = s),
    dataloader(d, batch_size = NULL, drop_last = TRUE), dataloader(d, batch_size = 0)
  )) {
    expect_error(eval(code), class = "value_error", info = deparse(code))
  }
  expect_snapshot(error = TRUE, {
    dataloader(d, shuffle = TRUE, sampler = s)
    dataloader(d, batch_size = 2, batch_sampler = s)
    dataloader(d, batch_size = NULL, drop_last = TRUE)
    dataloader(d, batch_size = 0)
  })
})

test_that("what packages call the parts of a data loader by works", {
  skip_if_no_torch()
  it <- dataloader(tensor_dataset(x = torch_arange(1, 3)), batch_size = 2)$.iter()
  expect_identical(as_array(it$.next()$x), c(1, 2))
  expect_identical(as_array(it()$x), 3)
  expect_true(is_exhausted(it$.next()))
  expect_output(print(it), "<dataloader_iter>")
  expect_identical(as_array(tensor_dataset(torch_arange(1, 3))$.getbatch(c(1, 3))[[1]]), c(1, 3))
  numbers <- iterable_dataset("numbers", .iter = function() {
    i <- 0
    function() if (i < 3) i <<- i + 1 else exhausted()
  })
  expect_length(as.list(dataloader(numbers(), batch_size = 2, shuffle = TRUE)), 2)
  for (wrong in list(-1, 1.5, NA, "a")) {
    expect_error(dataloader(tensor_dataset(torch_ones(2)), num_workers = wrong), "`num_workers` must be", class = "value_error")
  }
})

test_that("with the same seed the order is PyTorch's, with workers and without, and so are torch's numbers in them", {
  skip_if_no_torch()
  run <- function(workers) {
    torch_manual_seed(11)
    loader <- dataloader(tensor_dataset(torch_arange(0, 9)), batch_size = 4, shuffle = TRUE, num_workers = workers)
    lapply(1:2, function(epoch) unlist(lapply(batches_of(loader), function(b) as_array(b[[1]]))))
  }
  python <- python_eval("
torch.manual_seed(11)
loader = torch.utils.data.DataLoader(range(10), batch_size=4, shuffle=True)
result = {'order': [[i for b in loader for i in b.tolist()] for epoch in range(2)]}
class Noise(torch.utils.data.Dataset):
    def __getitem__(self, i):
        return torch.rand(1).item()
    def __len__(self):
        return 6
torch.manual_seed(12)
result['noise'] = [b.item() for b in torch.utils.data.DataLoader(Noise(), num_workers=2)]
")
  expect_equal(do.call(rbind, run(0)), python$order)
  skip_on_os("windows")
  expect_equal(do.call(rbind, run(2)), python$order)
  torch_manual_seed(12)
  noise <- dataset(.getitem = function(i) torch_rand(1), .length = function() 6)()
  expect_equal(vapply(batches_of(dataloader(noise, num_workers = 2)), as.numeric, 0), python$noise, tolerance = 1e-6)
})

test_that("a run goes on behind the batches that were given, with the same random numbers", {
  skip_if_no_torch()
  noisy <- dataset(
    "noisy", initialize = function() self$made <- 0,
    .getitem = function(i) {
      self$made <- self$made + 1
      c(i, torch_rand(1)$item(), runif(1))
    },
    .length = function() 10
  )
  shuffled <- sampler("shuffled", initialize = function() {}, .iter = function() as_iterator(sample(10)), .length = function() 10)
  stream <- iterable_dataset("stream", .iter = function() {
    i <- 0
    function() if (i < 10) c(i <<- i + 1, torch_rand(1)$item(), runif(1)) else as.symbol(".__exhausted__.")
  })
  loaders <- list(
    function() dataloader(noisy(), batch_size = 3, shuffle = TRUE),
    function() dataloader(noisy(), batch_size = NULL, shuffle = TRUE),
    function() dataloader(noisy(), batch_size = 2, sampler = shuffled()),
    function() dataloader(noisy(), batch_size = 3, sampler = random_sampler(1:10, replacement = TRUE, generator = torch_generator())),
    function() dataloader(stream(), batch_size = 3)
  )
  numbers <- function(batch) if (is_torch_tensor(batch)) as_array(batch) else batch
  for (k in seq_along(loaders)) {
    torch_manual_seed(k)
    set.seed(k)
    dl <- loaders[[k]]()
    loop(for (batch in dl) NULL)
    it <- dataloader_make_iter(dl)
    for (i in 1:2) dataloader_next(it)
    state <- torch_load(torch_serialize(list(loader = dl$state_dict(), torch = torch_get_rng_state(), r = .Random.seed)))
    expect_identical(state$loader$batches, 2)
    rest <- lapply(iterator_elements(it), numbers)
    expect_identical(dl$state_dict()$batches, 0)
    after <- c(torch_rand(1)$item(), runif(1))
    torch_rand(5)
    runif(3)

    torch_set_rng_state(state$torch)
    assign(".Random.seed", state$r, globalenv())
    dl <- loaders[[k]]()
    dl$load_state_dict(state$loader)
    made <- dl$dataset$made
    again <- lapply(as.list(dl), numbers)
    expect_identical(again, rest, info = k)
    expect_identical(c(torch_rand(1)$item(), runif(1)), after, info = k)
    if (!is.null(made)) expect_identical(dl$dataset$made, made + length(unlist(again)) / 3)
    # The next run begins at the beginning.
    expect_length(as.list(dl), length(rest) + 2)
  }
  dl <- dataloader(noisy(), batch_size = 3)
  expect_identical(dl$state_dict(), list(batches = 0))
  expect_error(dl$load_state_dict(5), "must be what", class = "value_error")
  dl$load_state_dict(list(batches = 99))
  expect_length(as.list(dl), 0)
  parallel <- dataloader(tensor_dataset(torch_arange(1, 10)), batch_size = 2, shuffle = TRUE, num_workers = 2)
  it <- dataloader_make_iter(parallel)
  dataloader_next(it)
  state <- parallel$state_dict()
  rest <- lapply(iterator_elements(it), function(batch) as_array(batch[[1]]))
  parallel$load_state_dict(state)
  expect_identical(lapply(as.list(parallel), function(batch) as_array(batch[[1]])), rest)
  expect_error(dataloader(stream(), num_workers = 2)$load_state_dict(list(batches = 1)), class = "not_implemented_error")
})

test_that("a state is taken up by a loader with the same batches only", {
  skip_if_no_torch()
  loader <- function(n, size) dataloader(tensor_dataset(torch_arange(1, n)), batch_size = size)
  first <- loader(6, 1)
  it <- dataloader_make_iter(first)
  for (i in 1:2) dataloader_next(it)
  for (other in list(loader(6, 3), loader(7, 1))) {
    expect_error(other$load_state_dict(first$state_dict()), "`state_dict` must be of a loader of ", class = "value_error")
  }
  same <- loader(6, 1L)
  same$load_state_dict(first$state_dict())
  expect_length(batches_of(same), 4)
})

test_that("datasets and iterators that are none, and empty ones", {
  skip_if_no_torch()
  of_length <- function(n) dataset("d", .getitem = function(i) i, .length = function() n)()
  expect_snapshot(error = TRUE, {
    length(of_length("a"))
    dataloader(of_length(-1))
    as_list_of <- as.list(dataloader(of_length(1.5)))
    dataloader_next(1)
    as_list_of <- as.list(dataloader(iterable_dataset("i", .iter = function() 3)()))
    dataloader(of_length(1), pin_memory = "a")
    subset_random_sampler("a")
    weighted_random_sampler("a", 3)
    dataset_from_data_frame(data.frame())
  })
  for (shuffle in c(FALSE, TRUE)) {
    empty <- dataloader(tensor_dataset(torch_empty(0, 2)), batch_size = 2, shuffle = shuffle)
    expect_length(empty, 0)
    expect_identical(as.list(empty), list())
  }
  skip_if_not_installed("bit64")
  expect_length(dataloader(of_length(bit64::as.integer64(4)), batch_size = bit64::as.integer64(2)), 2)
})
