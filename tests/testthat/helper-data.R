# A dataset that several tests take items from.
numbers <- dataset(
  "numbers",
  initialize = function(n) self$n <- n,
  .getitem = function(i) list(x = torch_tensor(c(i, 10 * i)), y = i, name = letters[i]),
  .length = function() self$n
)

batches_of <- function(dl) {
  all <- list()
  loop(for (b in dl) all <- c(all, list(b)))
  all
}
