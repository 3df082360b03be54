test_that("items that do not match are told by item and field", {
  skip_if_no_torch()
  batch <- function(...) {
    items <- list(...)
    dataloader(dataset(.getitem = function(i) items[[i]], .length = function() length(items))(), batch_size = length(items))$.iter()()
  }
  good <- list(x = torch_ones(2), y = 1)
  for (at in 1:3) {
    with_item <- function(item) {
      items <- list(good, good, good, good)
      items[[at + 1]] <- item
      do.call(batch, items)
    }
    refused <- function(item, pattern) expect_error(with_item(item), pattern, class = "value_error")
    here <- sprintf("item %d ", at + 1)
    refused(list(x = torch_ones(2)), paste0(here, "has no field `y`"))
    refused(list(x = torch_ones(2), y = 1, z = 1), paste0(here, "has a field `z`"))
    refused(list(x = torch_ones(2), y = 1, y = 2), paste0(here, "has twice the field `y`"))
    refused(list(torch_ones(2), 1), paste0(here, "has other names"))
    refused(list(x = torch_ones(3), y = 1), paste0("in `x`, ", here, "has shape \\(3\\), item 1 \\(2\\)"))
    refused(list(x = 1, y = 1), paste0("in `x`, ", here, "is the number 1, item 1 is a tensor"))
    refused(list(x = torch_ones(2), y = c(1, 2)), paste0("in `y`, ", here, "has length 2, item 1 1"))
    refused(list(x = torch_ones(2), y = "a"), paste0("in `y`, ", here, "is the character"))
    refused(list(x = torch_ones(2), y = NULL), paste0("in `y`, ", here, "is NULL"))
    refused(1, paste0(here, "is the number 1, item 1 is a list"))
  }
  # The order of names does not matter.
  expect_identical(as_array(batch(list(a = 1, b = 2), list(b = 4, a = 3))$a), c(1, 3))
  expect_error(batch(list(a = 1, a = 2), list(a = 1, a = 2)), "item 1 has `a` twice", class = "value_error")
  expect_error(batch(list(1, 2), list(1)), "item 2 has length 1, item 1 2", class = "value_error")
  expect_error(batch(list(p = list(1, 2)), list(p = list(1))), "in `p`, item 2 has length 1", class = "value_error")
  expect_error(batch(1:2, 1:3), "item 2 has length 3, item 1 2", class = "value_error")
  expect_error(batch(matrix(1, 2, 2), matrix(1, 4, 1)), "item 2 has dimensions 4, 1, item 1 2, 2", class = "value_error")
  expect_error(batch(torch_ones(1), 1), "item 2 is the number 1, item 1 is a tensor", class = "value_error")
  expect_error(batch(1, torch_ones(1)), "item 2 is a tensor, item 1 is the number 1", class = "value_error")
  expect_error(batch(bit64::as.integer64(1), 1), "item 2 is the number 1", class = "value_error")
  expect_error(batch(c("a", "b"), "c"), "item 2 has length 1", class = "value_error")
  expect_error(batch(list(a = mean), list(a = sd)), "class <function> \\(`a`\\)", class = "value_error")
})

test_that("items are collated by what they are", {
  skip_if_no_torch()
  collated <- function(...) dataloader(dataset(
    .getitem = function(i) list(...)[[i]], .length = function() 2
  )(), batch_size = 2)$.iter()()
  expect_identical(as_array(collated(1.5, 2)), c(1.5, 2))
  expect_true(collated(1.5, 2)$dtype == torch_float())
  expect_true(collated(1L, 2L)$dtype == torch_long())
  expect_true(collated(TRUE, FALSE)$dtype == torch_bool())
  expect_identical(collated("a", "b"), c("a", "b"))
  expect_equal(as_array(collated(1:3, 4:6)), rbind(1:3, 4:6))
  expect_equal(collated(matrix(1, 2, 3), matrix(2, 2, 3))$shape, c(2, 2, 3))
  expect_equal(collated(torch_scalar_tensor(1), torch_scalar_tensor(2))$shape, 2)
  nested <- collated(list(list(a = 1), 2), list(list(a = 3), 4))
  expect_identical(as_array(nested[[1]]$a), c(1, 3))
  expect_identical(as_array(nested[[2]]), c(2, 4))
  expect_error(collated(quote(x), quote(y)), class = "value_error")
  expect_snapshot(collated(mean, sd), error = TRUE)
})

test_that("datasets that make batches, and single items, are only converted", {
  skip_if_no_torch()
  batching <- dataset(
    .getbatch = function(indexes) list(x = indexes / 2, y = list(torch_ones(1), indexes)),
    .length = function() 4
  )()
  b <- batches_of(dataloader(batching, batch_size = 3))[[1]]
  expect_equal(as_array(b$x), c(0.5, 1, 1.5))
  expect_equal(as_array(b$y[[2]]), 1:3)
  single <- batches_of(dataloader(tensor_dataset(torch_arange(1, 3)), batch_size = NULL))
  expect_length(single, 3)
  giving <- function(batch, ...) batches_of(dataloader(dataset(.getbatch = function(i) batch, .length = function() 1)(), ...))
  expect_identical(giving("a"), list("a"))
  expect_identical(giving(quote(a), collate_fn = identity), list(quote(a)))
  expect_error(giving(NULL), "^Can't make a tensor of data of class <NULL>\\.", class = "value_error")
  expect_error(giving(list(a = 1, list(b = 2, c = factor("x")))), "<factor> (`[[2]]$c`)", fixed = TRUE, class = "value_error")
  expect_error(giving(list(n = c(1L, NA))), "gave (`n`): `data` must not hold NA (element 2)", fixed = TRUE, class = "value_error")
})

test_that("vectors become the rows of a batch, in their own dtype", {
  skip_if_no_torch()
  for (items in list(
    list(c(1, 2), c(3, 4)), list(1:3, 4:6), list(c(TRUE, FALSE), c(FALSE, FALSE)), list(1i, 2i), list(as.raw(1:2), as.raw(3:4)),
    list(c(a = 1, b = 2), c(3, 4)), list(numeric(), numeric()), list(matrix(1:4, 2), matrix(5:8, 2))
  )) {
    expect_equal(collate_items(items), if (length(items[[1]]) == 1) torch_tensor(do.call(c, items)) else torch_stack(lapply(items, torch_tensor)))
  }
})

test_that("NA is NaN among numbers, and elsewhere told by item and field", {
  skip_if_no_torch()
  of <- function(...) batches_of(dataloader(dataset(.getitem = function(i) list(...)[[i]], .length = function() ...length())(), batch_size = 9))
  expect_identical(as.vector(of(1, NA)[[1]]), c(1, NaN))
  expect_identical(as.vector(of(NA, 2L, 0.5)[[1]]), c(NaN, 2, 0.5))
  whole <- bit64::as.integer64(2)
  for (items in list(list(1L, NA), list(TRUE, NA), list(c(1L, 2L), c(3L, NA)), list(whole, bit64::NA_integer64_), list(array(1:2), array(c(NA, 1L))))) {
    expect_error(inject(of(!!!items)), "must not hold NA.*: item 2 does", class = "value_error")
  }
  expect_error(of(list(a = list(b = 1L)), list(a = list(b = NA))), "in `a$b`, item 2 does", fixed = TRUE, class = "value_error")
})
