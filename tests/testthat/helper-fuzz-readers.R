# Files that were damaged at random: each reader must give a value or one error of the package's. Each case is made from a seed
# and its number, so that a child process makes the same ones again.

# Files to damage, by the reader that they are for: bytes, or what is wrapped by `wrap` once it was damaged. `fixtures` is
# the folder of the CRAN package's files, `python` whether Python writes some.
reader_seeds <- function(fixtures, python = TRUE) {
  bytes_of_file <- function(file) readBin(file, "raw", file.size(file))
  written <- function(write, ...) {
    file <- withr::local_tempfile()
    write(..., file)
    bytes_of_file(file)
  }
  torch_manual_seed(1)
  module <- nn_sequential(nn_linear(2, 2), nn_batch_norm1d(2))
  optimizer <- optim_adam(module$parameters)
  sum(module(torch_ones(3, 2)))$backward()
  optimizer$step()
  x <- torch_arange(1, 6)
  values <- list(
    model = module$state_dict(), opt = optimizer$state_dict(), a = x, b = x$view(c(2, 3))$t(), p = nn_parameter(x), n = 1:3, t = c("a", "b"),
    c = 1i, r = as.raw(1:3), d = torch_half(), e = torch_device("cpu"), l = list(NULL, TRUE, list(2.5)), u = some_tensors()
  )
  state <- list(a = list(x, data.frame(u = 1:3, v = letters[1:3])), f = function(x) x + 1, e = new.env(), q = quote(a[b]), c = compiler::cmpfun(function(x) x^2))
  seeds <- list(
    safetensors = list(bytes = written(save_safetensors, some_tensors()), read = load_safetensors),
    torch_load = list(bytes = torch_serialize(state), read = torch_load),
    torch_load = list(bytes = torch_serialize(list(module, optimizer, torch_generator())), read = torch_load),
    torch_load = list(bytes = torch_serialize(list(torch_eye(3)$to_sparse(), suppressWarnings(torch_eye(3)$to_sparse_csr()))), read = torch_load),
    # The R object alone, which the walker sees before R does.
    stream = list(bytes = serialize(state, NULL), read = function(bytes) about_file({
      cpp_stream_check(bytes)
      read_stream(bytes)
    }, "It", NULL)),
    index = list(bytes = charToRaw("{\"metadata\": {\"size\": 1}, \"weight_map\": {\"a\": \"one\", \"b\": \"two\"}}"), read = read_index)
  )
  for (file in list.files(fixtures, "[.]pt$", full.names = TRUE)) {
    if (!startsWith(basename(file), "jit")) seeds <- c(seeds, list(cran = list(bytes = bytes_of_file(file), read = torch_load)))
  }
  file <- withr::local_tempfile()
  save_state_dict(values, file)
  archives <- list(file)
  if (python) {
    python_files <- python_state_files()
    archives <- c(archives, python_files$archives)
    seeds <- c(seeds, lapply(python_files$legacy, function(file) list(bytes = bytes_of_file(file), read = load_state_dict)))
    names(seeds)[names(seeds) == ""] <- "pth_old"
  }
  for (file in archives) {
    # The directory, and with checksums that are right what is in it.
    seeds <- c(seeds, list(pth = list(bytes = bytes_of_file(file), read = load_state_dict)))
    parts <- archive_files(file)
    pickle <- grep("data.pkl$", names(parts))
    seeds <- c(seeds, list(pickle = list(bytes = parts[[pickle]], read = load_state_dict, wrap = function(bytes) {
      parts[[pickle]] <- bytes
      bytes_of_file(write_archive(parts, tempfile()))
    })))
  }
  seeds
}

python_state_files <- function() {
  python <- libtorch_find()$python
  if (is.null(python)) return(list())
  folder <- tempfile()
  dir.create(folder)
  script <- file.path(folder, "make.py")
  writeLines(c(
    "import sys, torch",
    "from collections import OrderedDict, Counter",
    "net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2)); opt = torch.optim.Adam(net.parameters(), amsgrad=True)",
    "net(torch.ones(3, 2)).sum().backward(); opt.step(); a = torch.arange(6.)",
    "x = {'net': net.state_dict(), 'opt': opt.state_dict(), 'a': a, 'b': a[1:4], 'c': a.view(2, 3).t(), 'p': torch.nn.Parameter(a), 'n': [1, 2**40, 2**70, 1.5, None, True],",
    "  't': ('a', b'b', 1j), 's': {5}, 'd': torch.half, 'v': torch.device('cpu'), 'z': torch.Size([2]), 'k': Counter('ab'), 'o': OrderedDict(q=[{}]), 'u': torch.ones(2, dtype=torch.uint16)}",
    "for i, protocol in enumerate([2, 4]):",
    "  for old in [False, True]: torch.save(x, f'{sys.argv[1]}/{\"old\" if old else \"new\"}{i}.pth', pickle_protocol=protocol, _use_new_zipfile_serialization=not old)"
  ), script)
  without_library_path(system2(python, shQuote(c(script, folder))))
  list(archives = list.files(folder, "^new", full.names = TRUE), legacy = list.files(folder, "^old", full.names = TRUE))
}

# An index with the shards that it may name.
read_index <- function(bytes) {
  folder <- tempfile()
  dir.create(folder)
  on.exit(unlink(folder, recursive = TRUE))
  save_safetensors(list(a = torch_ones(1)), file.path(folder, "one"))
  save_safetensors(list(b = torch_ones(1)), file.path(folder, "two"))
  index <- file.path(folder, "index.json")
  writeBin(bytes, index)
  load_safetensors(index)
}

# Bytes of a number that lies.
odd_numbers <- list(
  as.raw(c(255, 255, 255, 255)), as.raw(c(255, 255, 255, 127)), as.raw(c(0, 0, 0, 128)), as.raw(c(0, 0, 0, 0)), as.raw(c(127, 255, 255, 255)), as.raw(255), as.raw(0),
  as.raw(c(255, 255, 255, 255, 255, 255, 255, 127))
)

damage <- function(bytes) {
  n <- length(bytes)
  for (k in seq_len(sample(3, 1, prob = c(4, 1, 1)))) {
    at <- sample(n, 1)
    some <- at:min(n, at + sample(c(0, 3, 16, 64), 1))
    bytes <- switch(sample(8, 1, prob = c(3, 4, 3, 1, 1, 1, 1, 1)),
      replace(bytes, at, as.raw(sample(0:255, 1))),
      replace(bytes, at, xor(bytes[at], as.raw(2^sample(0:7, 1)))),
      { number <- odd_numbers[[sample(length(odd_numbers), 1)]]; utils::head(replace(bytes, at + seq_along(number) - 1, number), n) },
      bytes[-some],
      append(bytes, bytes[some], sample(0:n, 1)),
      append(bytes, as.raw(sample(0:255, 4, TRUE)), at),
      utils::head(bytes, at),
      { to <- sample(n, 1); replace(bytes, to + seq_along(some) - 1, bytes[some])[seq_len(n)] }
    )
    n <- length(bytes)
    if (n == 0) return(bytes)
  }
  bytes
}

# What was read is an R object that R can go through. R's functions may find it wrong: a factor without levels, for example.
walk_through <- function(x) {
  force(x)
  use <- function(f) try(suppressWarnings(f(x)), silent = TRUE)
  use(function(x) serialize(x, NULL, refhook = function(y) if (is_torch_tensor(y)) "a tensor"))
  if (is.list(x) && !is.object(x)) for (y in x) if (is_torch_tensor(y) && is_sparse_tensor(y)) use(function(x) y$values()$sum())
  use(function(x) rapply(if (is.list(x) && !is.environment(x)) x else list(x), function(y) if (!is.environment(y)) format(y), how = "list"))
}

# Reads case `i`; gives a text where something else came of it than a value or an error of the package's, or where more
# memory was used than such a file may need.
read_damaged <- function(i, seed, seeds) {
  withr::local_seed(seed * 1e6 + i)
  one <- seeds[[i %% length(seeds) + 1]]
  bytes <- damage(one$bytes)
  if (!is.null(one$wrap)) bytes <- one$wrap(bytes)
  before <- cpp_memory_stats(TRUE)[["live"]]
  said <- tryCatch({
    walk_through(suppressWarnings(one$read(bytes)))
    "read"
  }, torch_runtime_error = function(e) "refused", value_error = function(e) "refused", error = function(e) {
    sprintf("%s: %s", names(seeds)[i %% length(seeds) + 1], conditionMessage(e))
  })
  used <- cpp_memory_stats(FALSE)[["peak"]] - before
  if (used > 8 * length(bytes) + 2^20) return(sprintf("%s: %.0f bytes for a file of %d", names(seeds)[i %% length(seeds) + 1], used, length(bytes)))
  said
}
