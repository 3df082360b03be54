# PyTorch as an oracle: runs the Python that belongs to the LibTorch in use. `code` has `torch` imported and leaves its
# answer in `result`, made of numbers, strings, lists and dicts; `...` are values that it finds by name.
python_eval <- function(code, ...) {
  python <- libtorch_find()$python
  skip_if(is.null(python), "This LibTorch has no Python beside it")
  skip_if_not_installed("jsonlite")
  folder <- withr::local_tempdir()
  path <- function(name) file.path(folder, name)
  jsonlite::write_json(list(...), path("in.json"), digits = NA, auto_unbox = TRUE, matrix = "rowmajor")
  writeLines(c(
    "import json, sys, torch",
    # As ours is: kernels for fixed sizes take Debian's LibTorch minutes to compile.
    "torch.jit.set_fusion_strategy([('DYNAMIC', 10)])",
    # Workers find the classes of this program only in a copy of its process.
    "import multiprocessing",
    "if 'fork' in multiprocessing.get_all_start_methods(): multiprocessing.set_start_method('fork')",
    "globals().update(json.load(open(sys.argv[1])))",
    code,
    "json.dump(result, open(sys.argv[2], 'w'))"
  ), path("oracle.py"))
  status <- without_library_path(system2(python, shQuote(path(c("oracle.py", "in.json", "out.json")))))
  skip_if(status != 0 && numeric_version(libtorch_find()$version) < "2.0", "PyTorch before 2.0 has not all that this asks for")
  if (status != 0) stop("Python failed:\n", code)
  jsonlite::read_json(path("out.json"), simplifyVector = TRUE)
}
