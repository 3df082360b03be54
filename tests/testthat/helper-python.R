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
  status <- python_run(python, path(c("oracle.py", "in.json", "out.json")))
  skip_if(status != 0 && numeric_version(libtorch_find()$version) < "2.0", "PyTorch before 2.0 has not all that this asks for")
  if (status != 0) stop("Python failed:\n", code)
  jsonlite::read_json(path("out.json"), simplifyVector = TRUE)
}

# Each program runs in a process of its own, a copy of one that has PyTorch loaded already: that takes seconds.
python_run <- function(python, arguments) {
  if (.Platform$OS.type == "windows") return(without_library_path(system2(python, shQuote(arguments))))
  server <- python_servers[[python]]
  if (is.null(server) || !server$is_alive()) {
    server <- without_library_path(processx::process$new(
      python, c("-c", python_server), stdin = "|", stdout = "|", stderr = "", cleanup_tree = TRUE
    ))
    python_servers[[python]] <- server
  }
  server$write_input(paste0(jsonlite::toJSON(c(getwd(), arguments)), "\n"))
  answer <- character()
  while (!length(answer)) {
    server$poll_io(-1)
    answer <- server$read_output_lines()
    if (!length(answer) && !server$is_incomplete_output()) stop("Python has ended")
  }
  as.integer(answer)
}

python_servers <- new.env()

python_server <- "
import atexit, json, os, runpy, sys, traceback
import torch
for line in sys.stdin:
  child = os.fork()
  if child == 0:
    status = 0
    os.dup2(2, 1)
    folder, *sys.argv = json.loads(line)
    try:
      os.chdir(folder)
      runpy.run_path(sys.argv[0], run_name='__main__')
    except BaseException:
      traceback.print_exc()
      status = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
  print(os.waitpid(child, 0)[1], flush=True)
"
