test_that("samplers decide what comes", {
  skip_if_no_torch()
  backwards <- sampler(
    "backwards",
    initialize = function(n) self$n <- n,
    .iter = function() as_iterator(rev(seq_len(self$n))),
    .length = function() self$n
  )
  values <- function(dl) lapply(batches_of(dl), function(b) as_array(b$y))
  dl <- dataloader(numbers(3), batch_size = 2, sampler = backwards(3))
  expect_length(dl, 2)
  expect_identical(values(dl), list(3:2, 1L))
  pairs <- sampler("pairs", .iter = function() as_iterator(list(c(1, 3), 2)), .length = function() 2)
  dl <- dataloader(numbers(3), batch_sampler = pairs())
  expect_length(dl, 2)
  expect_identical(values(dl), list(c(1L, 3L), 2L))
  again <- random_sampler(numbers(3), replacement = TRUE, num_samples = 50)
  expect_length(again, 50)
  drawn <- c()
  loop(for (i in again) drawn <- c(drawn, i))
  expect_length(drawn, 50)
  expect_setequal(drawn, 1:3)
})

positions <- function(sampler) vapply(as.list(sampler), as.numeric, 0)

test_that("with the same seed samplers draw what PyTorch's draw", {
  skip_if_no_torch()
  draw <- function(make) {
    torch_manual_seed(5)
    sampler <- make()
    # Each run draws anew.
    list(positions(sampler) - 1, positions(sampler) - 1)
  }
  ten <- 1:10
  with_generator <- function() {
    generator <- torch_generator()
    generator$set_current_seed(7)
    generator
  }
  ours <- lapply(list(
    sequential = function() sequential_sampler(ten), random = function() random_sampler(ten),
    more = function() random_sampler(ten, num_samples = 25), few = function() random_sampler(ten, num_samples = 4),
    replaced = function() random_sampler(ten, replacement = TRUE, num_samples = 70),
    generator = function() random_sampler(ten, generator = with_generator()),
    subset = function() subset_random_sampler(c(3, 5, 8)),
    weighted = function() weighted_random_sampler(c(1, 2, 3, 0), 20),
    without = function() weighted_random_sampler(c(1, 2, 3, 0), 3, replacement = FALSE, generator = with_generator())
  ), draw)
  python <- python_eval("
from torch.utils.data import *
def draw(make):
    torch.manual_seed(5)
    sampler = make()
    return [list(sampler), list(sampler)]
ten = range(10)
def generator():
    return torch.Generator().manual_seed(7)
result = {k: draw(f) for k, f in {
  'sequential': lambda: SequentialSampler(ten), 'random': lambda: RandomSampler(ten),
  'more': lambda: RandomSampler(ten, num_samples=25), 'few': lambda: RandomSampler(ten, num_samples=4),
  'replaced': lambda: RandomSampler(ten, replacement=True, num_samples=70),
  'generator': lambda: RandomSampler(ten, generator=generator()),
  'subset': lambda: SubsetRandomSampler([2, 4, 7]),
  'weighted': lambda: WeightedRandomSampler([1, 2, 3, 0], 20),
  'without': lambda: WeightedRandomSampler([1, 2, 3, 0], 3, replacement=False, generator=generator())}.items()}
")
  for (name in names(ours)) expect_equal(do.call(rbind, ours[[name]]), python[[name]], info = name)
})

test_that("processes that train together share the items as PyTorch's do", {
  skip_if_no_torch()
  ours <- list()
  for (n in c(1, 7, 8)) for (shuffle in c(FALSE, TRUE)) for (drop_last in c(FALSE, TRUE)) for (rank in 1:3) {
    s <- distributed_sampler(seq_len(n), 3, rank, shuffle = shuffle, seed = 2, drop_last = drop_last)
    s$set_epoch(4)
    expect_identical(as.numeric(length(s)), as.numeric(length(as.list(s))))
    ours[[length(ours) + 1]] <- positions(s) - 1
  }
  python <- python_eval("
result = []
for n in [1, 7, 8]:
    for shuffle in [False, True]:
        for drop_last in [False, True]:
            for rank in range(3):
                s = torch.utils.data.DistributedSampler(range(n), 3, rank, shuffle=shuffle, seed=2, drop_last=drop_last)
                s.set_epoch(4)
                result.append(list(s) if len(s) else [])
")
  expect_equal(ours, lapply(python, as.numeric))
})

test_that("weighted draws come as often as their weights say", {
  skip_if_no_torch()
  torch_manual_seed(1)
  drawn <- positions(weighted_random_sampler(c(1, 0, 3, 4), 8000))
  expect_gt(suppressWarnings(chisq.test(table(factor(drawn, c(1, 3, 4))), p = c(1, 3, 4) / 8)$p.value), 1e-3)
  expect_false(2 %in% drawn)
})

test_that("batches of a sampler are vectors, printed and counted", {
  skip_if_no_torch()
  pieces <- batch_sampler(sequential_sampler(1:5), 2)
  expect_identical(as.list(pieces), list(1:2, 3:4, 5L))
  expect_length(pieces, 3)
  expect_identical(as.list(batch_sampler(sequential_sampler(1:5), 2, drop_last = TRUE)), list(1:2, 3:4))
  loader <- dataloader(numbers(5), batch_sampler = batch_sampler(subset_random_sampler(c(2, 4)), 2))
  expect_setequal(as_array(batches_of(loader)[[1]]$y), c(2L, 4L))
  expect_snapshot({
    random_sampler(numbers(3), replacement = TRUE, num_samples = 5)
    weighted_random_sampler(c(1, 2), 3)
    distributed_sampler(numbers(5), 2, 1)
    pieces
  })
})

test_that("wrong arguments of samplers are told", {
  skip_if_no_torch()
  expect_snapshot(error = TRUE, {
    random_sampler(1:3, replacement = 1)
    random_sampler(1:3, num_samples = 0)
    random_sampler(1:3, generator = 1)
    weighted_random_sampler(c(1, -1), 2)
    weighted_random_sampler(c(0, 0), 2)
    weighted_random_sampler(c(1, 0), 2, replacement = FALSE)
    distributed_sampler(1:3, 2, 3)
    batch_sampler(1:3, 2)
    batch_sampler(sequential_sampler(1:3), 0)
  })
})

test_that("a sampler of the user's gives positions in any form, and nothing else", {
  skip_if_no_torch()
  of <- function(positions) sampler(.iter = function() as_iterator(positions), .length = function() length(positions))()
  data <- tensor_dataset(torch_arange(1, 5))
  batched <- function(positions) as.vector(batches_of(dataloader(data, sampler = of(positions), batch_size = 9))[[1]][[1]])
  whole <- bit64::as.integer64(c(3, 1))
  for (positions in list(c(3L, 1L), c(3, 1), whole, list(3L, 1), list(torch_tensor(3L), torch_tensor(1)))) {
    expect_identical(batched(positions), c(3, 1))
  }
  batches <- list(2:3, c(1, 2), bit64::as.integer64(4:5), torch_tensor(5), NULL)
  expect_identical(
    lapply(batches_of(dataloader(data, batch_sampler = of(batches))), function(b) as.vector(b[[1]])),
    list(c(2, 3), c(1, 2), c(4, 5), 5, numeric())
  )
  # A list or an array in the dataset would take some of these for another item.
  for (wrong in list(0L, -1, 1.5, NA, NA_real_, Inf, 2^31, "a", TRUE)) {
    expect_error(batched(list(wrong)), "^A sampler must give positions of items, whole numbers from 1 on, not", class = "value_error")
    expect_error(batches_of(dataloader(data, sampler = of(wrong), batch_size = NULL)), "must give positions", class = "value_error")
  }
  expect_error(
    batches_of(dataloader(data, sampler = of(0), num_workers = 1)), "Worker 1 can't make batch 1: A sampler must give",
    class = "runtime_error"
  )
})

test_that("samplers that lack what they must have are told", {
  skip_if_no_torch()
  data <- tensor_dataset(torch_arange(1, 5))
  for (it in list(1:2, NULL, sequential_sampler(2))) {
    wrong <- sampler(.iter = function() it, .length = function() 2)()
    expect_error(as.list(wrong), "^The `.iter\\(\\)` of a sampler must give a function", class = "type_error")
    for (loader in list(dataloader(data, sampler = wrong), dataloader(data, sampler = wrong, batch_size = NULL), dataloader(data, batch_sampler = wrong))) {
      expect_error(batches_of(loader), "^The `.iter\\(\\)` of a sampler must give a function", class = "type_error")
    }
  }
  endless <- sampler(.iter = function() as_iterator(1:2))()
  expect_error(length(endless), "has no `.length` method", class = "not_implemented_error")
  expect_length(batches_of(dataloader(data, sampler = endless)), 2)
})

test_that("counts are integer64 and tensors too, and a batch may be larger than all that there is", {
  skip_if_no_torch()
  two <- list(bit64::as.integer64(2), torch_tensor(2L))
  data <- tensor_dataset(torch_arange(1, 5))
  for (n in two) {
    expect_length(random_sampler(data, num_samples = n), 2)
    expect_length(weighted_random_sampler(1:3, n), 2)
    expect_identical(as.list(batch_sampler(sequential_sampler(1:3), n)), list(1:2, 3L))
    expect_identical(as.list(distributed_sampler(1:4, n, n, shuffle = FALSE)), list(2L, 4L))
    expect_length(batches_of(dataloader(data, n, num_workers = n, prefetch_factor = n, timeout = bit64::as.integer64(60000))), 3)
  }
  expect_identical(as.list(batch_sampler(sequential_sampler(1:3), 1e10)), list(1:3))
  expect_length(batches_of(dataloader(data, 1e10)), 1)
  expect_identical(vapply(random_split(data, bit64::as.integer64(c(2, 3))), length, 0L), c(2L, 3L))
})

test_that("positions and weights that can't be are told where they are given", {
  for (wrong in list(0, -1, c(1, 0), 2^33, NA)) expect_error(subset_random_sampler(wrong), "^`indices` must be", class = "value_error")
  expect_error(weighted_random_sampler(rep(1, 2^24 + 1), 1), "^`weights` must be at most 2\\^24 numbers, not 16777217", class = "value_error")
})
