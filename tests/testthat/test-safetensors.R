# A reader of the format of our own, in Python, that knows nothing of the package.
read_in_python <- "
import struct
def read(path):
  data = open(path, 'rb').read()
  n = struct.unpack('<Q', data[:8])[0]
  header = json.loads(data[8:8 + n]); meta = header.pop('__metadata__', {})
  kinds = {'F64': torch.float64, 'F32': torch.float32, 'F16': torch.float16, 'BF16': torch.bfloat16, 'I64': torch.int64, 'I32': torch.int32,
    'I16': torch.int16, 'I8': torch.int8, 'U8': torch.uint8, 'BOOL': torch.bool, 'F8_E5M2': torch.float8_e5m2, 'F8_E4M3': torch.float8_e4m3fn}
  out = {}
  for name, e in header.items():
    a, b = e['data_offsets']
    assert (8 + n + a) % torch.empty(0, dtype=kinds[e['dtype']]).element_size() == 0
    raw = bytearray(data[8 + n + a:8 + n + b])
    t = torch.frombuffer(raw, dtype=kinds[e['dtype']]) if raw else torch.empty(0, dtype=kinds[e['dtype']])
    out[name] = [e['dtype'], e['shape'], t.double().tolist()]
  return [out, meta, n % 8]
"

test_that("files are what the format says, for every dtype, and come back", {
  skip_if_no_torch()
  file <- withr::local_tempfile(fileext = ".safetensors")
  tensors <- some_tensors()
  names(tensors)[1:2] <- c("with \"quotes\"\\ and \n", "\u00e4\u4e2d")
  save_safetensors(tensors, file, metadata = list(author = "A. \"B\"", `a key` = "\u00fc"))
  answer <- python_eval(paste0(read_in_python, "\nresult = json.dumps(read(file))"), file = file)
  answer <- jsonlite::fromJSON(answer, simplifyVector = FALSE)
  expect_setequal(names(answer[[1]]), names(tensors))
  expect_identical(answer[[2]][c("author", "a key")], list(author = "A. \"B\"", `a key` = "\u00fc"))
  expect_identical(answer[[3]], 0L)
  again <- load_safetensors(file)
  expect_setequal(names(again), names(tensors))
  for (name in names(tensors)) {
    x <- tensors[[name]]
    values <- as.double(as_array(torch_flatten(x$double())))
    expect_identical(as.integer(unlist(answer[[1]][[name]][[2]])), as.integer(dim(x)), info = name)
    expect_equal(as.double(unlist(answer[[1]][[name]][[3]])), values, info = name)
    expect_true(again[[name]]$dtype == x$dtype)
    expect_identical(dim(again[[name]]), dim(x))
    expect_identical(as.double(as_array(torch_flatten(again[[name]]$double()))), values)
  }
  facts <- safetensors_metadata(file)
  expect_identical(facts$bytes[facts$name == "half"], 12)
  expect_identical(attr(facts, "metadata")[["author"]], "A. \"B\"")
  expect_named(load_safetensors(file, names = c("half", "none")), c("half", "none"))
  expect_error(load_safetensors(file, names = "nothing"), "no tensor `nothing`", class = "torch_runtime_error")
  expect_identical(as_array(load_safetensors(readBin(file, "raw", 1e6))$half$double()), as_array(tensors$half$double()))
})

test_that("a model over several files is read by its index", {
  skip_if_no_torch()
  folder <- withr::local_tempdir()
  save_safetensors(list(a = torch_tensor(1), b = torch_tensor(2)), file.path(folder, "one.safetensors"))
  save_safetensors(list(c = torch_tensor(3)), file.path(folder, "two.safetensors"))
  index <- file.path(folder, "model.safetensors.index.json")
  writeLines("{\"weight_map\": {\"c\": \"two.safetensors\", \"a\": \"one.safetensors\", \"b\": \"one.safetensors\"}}", index)
  expect_identical(lapply(load_safetensors(index), as_array), list(c = 3, a = 1, b = 2))
  expect_named(load_safetensors(index, names = "b"), "b")
  writeLines("{\"weight_map\": {\"c\": \"../two.safetensors\"}}", index)
  expect_error(load_safetensors(index), "another folder", class = "value_error")
  writeLines("{\"weight\": 1}", index)
  expect_error(load_safetensors(index), "no `weight_map`", class = "torch_runtime_error")
  writeBin(c(charToRaw("{\"weight_map\": {\"a"), as.raw(255), charToRaw("\": \"one.safetensors\"}}")), index)
  expect_error(load_safetensors(index), "it is no JSON", class = "torch_runtime_error")
})

test_that("what is no such file is told", {
  skip_if_no_torch()
  file <- function(header, data = raw(), length = nchar(header, "bytes")) {
    c(writeBin(c(as.integer(length), 0L), raw(), endian = "little"), charToRaw(header), data)
  }
  entry <- function(dtype = "\"F32\"", shape = "[1]", place = "[0,4]") {
    sprintf("{\"a\":{\"dtype\":%s,\"shape\":%s,\"data_offsets\":%s}}", dtype, shape, place)
  }
  expect_identical(as_array(load_safetensors(file(entry(), raw(4)))$a), 0)
  cases <- list(
    raw(3), file("{}", length = 1e6), file("{}", length = -1), file("hello"), file("[1]"), file(strrep("[", 1e5)), file("{\"a\":1}"),
    file(entry(dtype = "\"F99\""), raw(4)), file(entry(dtype = "1"), raw(4)), file(entry(shape = "[-1]"), raw(4)), file(entry(shape = "[2]"), raw(4)),
    file(entry(shape = "[1e300]"), raw(4)), file(entry(shape = "\"a\""), raw(4)), file(entry(), raw(3)), file(entry(place = "[4,0]"), raw(4)),
    file(entry(place = "[0]"), raw(4)), file(entry(place = "[1e18,1000000000000000004]"), raw(4)), file(entry(shape = "[1000000000,0]", place = "[0,0]")),
    file("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", raw(4)),
    file("{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}"),
    file("{\"__metadata__\":{\"a\":1}}"), c(file("{\"a\""), as.raw(0))
  )
  for (i in seq_along(cases)) {
    said <- tryCatch(load_safetensors(cases[[i]]), error = identity)
    if (i == 18) next
    expect_s3_class(said, "torch_runtime_error")
    expect_match(conditionMessage(said), "^`path` can't be read: ")
  }
  expect_snapshot({
    load_safetensors(cases[[2]])
    load_safetensors(cases[[8]])
    load_safetensors(cases[[14]])
    load_safetensors("nowhere.safetensors")
    save_safetensors(list(torch_tensor(1)), tempfile())
    save_safetensors(list(a = torch_tensor(1i)$to(dtype = torch_cdouble())), tempfile())
    save_safetensors(list(a = torch_tensor(1)), "no/such/folder/file")
  }, error = TRUE, transform = function(lines) gsub("`/tmp[^`]*`", "`file`", lines))
})

test_that("an index that names itself ends", {
  skip_if_no_torch()
  index <- withr::local_tempfile(fileext = ".json")
  writeLines(sprintf("{\"weight_map\": {\"a\": \"%s\"}}", basename(index)), index)
  expect_error(load_safetensors(index), "names another index", class = "value_error")
  writeLines("{\"weight_map\": []}", index)
  expect_identical(load_safetensors(index), list())
  expect_error(save_safetensors(list(a = torch_ones(2, device = "meta")), withr::local_tempfile()), "no form for `a`", class = "value_error")
})

test_that("the text of a header is no format, no path and no address", {
  skip_if_no_torch()
  file_of <- function(header) c(writeBin(c(nchar(header, "bytes"), 0L), raw(), endian = "little"), charToRaw(header), as.raw(1:4))
  good <- "{\"a%n\":{\"shape\":[4],\"dtype\":\"U8\",\"data_offsets\":[0,4]}}"
  expect_identical(as_array(load_safetensors(file_of(good))[["a%n"]]), as.raw(1:4))
  # In a process of its own, which a format would end.
  skip_if_not_installed("callr")
  bad <- file_of(sub("}}", "}:\"%n%n%n%s%s%s\":{}}", good))
  said <- callr::r(function(bad) tryCatch(torch::load_safetensors(bad), error = conditionMessage), list(bad), timeout = 120)
  expect_match(said, "no JSON")
  path <- withr::local_tempfile()
  writeLines(good, path)
  expect_error(load_safetensors(file_of(path)), "no JSON", class = "torch_runtime_error")
  expect_error(load_safetensors(file_of("https://localhost:1/a")), "no JSON", class = "torch_runtime_error")
  expect_error(load_safetensors(file_of(strrep("[", 1e5))), "no JSON", class = "torch_runtime_error")
  expect_identical(json_of("\"\\u0025\"", ""), "%")
})

test_that("large models are split over files with an index", {
  skip_if_no_torch()
  folder <- withr::local_tempdir()
  path <- file.path(folder, "model.safetensors")
  state <- nn_sequential(nn_linear(10, 10), nn_linear(10, 1))$state_dict()
  save_safetensors(state, path, metadata = list(format = "pt"), max_shard_size = 400)
  expect_setequal(list.files(folder), c(
    sprintf("model-%05d-of-00002.safetensors", 1:2), "model.safetensors.index.json"
  ))
  index <- jsonlite::read_json(file.path(folder, "model.safetensors.index.json"))
  expect_identical(index$metadata$total_size, 4L * (100L + 10L + 10L + 1L))
  expect_identical(unlist(index$weight_map), set_names(sprintf("model-%05d-of-00002.safetensors", c(1, 2, 2, 2)), names(state)))
  read <- load_safetensors(file.path(folder, "model.safetensors.index.json"))
  expect_identical(lapply(read, as_array), lapply(state, as_array))
  # What fits is one file; a tensor that fits nowhere is alone.
  save_safetensors(state, path, max_shard_size = 1000)
  expect_identical(names(load_safetensors(path)), names(state))
  expect_identical(shards(c(5, 3, 3, 9, 1), 6), c(1L, 2L, 2L, 3L, 4L))
  expect_error(save_safetensors(state, path, max_shard_size = "1GB"), "`max_shard_size` must be a number of bytes", class = "value_error")
})
