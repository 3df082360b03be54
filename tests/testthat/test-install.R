skip_on_os("windows")

in_cache <- function() list.files(torch_cache())

test_that("a local LibTorch zip is installed by path, URL, option and variable", {
  root <- local_machine()
  fake_libtorch(file.path(root, "a b/libtorch"), "2.9.1")
  zip <- zip_folder(file.path(root, "a b"), "libtorch")

  install_from_archive(zip, install_request())
  expect_equal(libtorch_find()$version, "2.9.1")
  expect_equal(in_cache(), "libtorch")

  unlink(torch_cache("libtorch"), recursive = TRUE)
  install_from_archive(paste0("file://", utils::URLencode(zip)), install_request())
  expect_equal(libtorch_find(recheck = TRUE)$home, torch_cache("libtorch"))

  withr::local_envvar(TORCH_URL = zip)
  expect_equal(install_url(), zip)
  withr::local_options(torch.url = "first")
  expect_equal(install_url(), "first")
})

test_that("a local wheel is installed", {
  root <- local_machine()
  fake_libtorch(file.path(root, "torch"), "2.9.0", pip = TRUE)
  install_from_archive(zip_folder(root, "torch", file.path(root, "torch.whl")), install_request())
  expect_equal(libtorch_find()$version, "2.9.0")
  expect_equal(in_cache(), "libtorch")
})

test_that("install_torch_from_file() installs, builds the shim and replaces what was there", {
  skip_if(length(shim_tools_lacking()) > 0, "CMake or a C++20 compiler is missing")
  root <- local_machine()
  fake_venv(torch_cache("libtorch"), "2.6.0")
  fake_libtorch(file.path(root, "libtorch"), "2.9.1")
  zip <- zip_folder(root, "libtorch")
  messages <- capture_messages(home <- install_torch_from_file(libtorch = zip, liblantern = zip))
  expect_match(messages, "`liblantern` is ignored", all = FALSE)
  expect_equal(home, torch_cache("libtorch"))
  expect_equal(libtorch_find()$version, "2.9.1")
  expect_true(torch_is_installed())
  expect_false(dir.exists(torch_cache("libtorch/bin")))
  expect_equal(in_cache(), c("libtorch", "shim"))

  expect_message(install_torch(), "LibTorch 2.9.1 is in")
  report <- install_torch_sitrep(verbose = FALSE)
  expect_equal(report$version, "2.9.1")
  expect_equal(report$shim, shim_path(libtorch_find()))
  expect_equal(report$problems, character())

  expect_error(
    install_torch_from_file(version = "2.0.0", libtorch = zip),
    "`version` must be that of the archive", class = "value_error"
  )
  expect_equal(libtorch_find(recheck = TRUE)$version, "2.9.1")
})

test_that("an archive that is not the expected one leaves nothing behind", {
  root <- local_machine()
  fake_libtorch(file.path(root, "libtorch"))
  zip <- zip_folder(root, "libtorch")
  right <- sha256(zip)
  wrong <- strrep("0", 64)
  skip_if(is.null(right), "no tool for checksums is installed")
  expect_snapshot(transform = function(x) gsub(right, "<sha256>", without_paths(root)(x)), {
    show_error(install_torch_from_file(libtorch = zip, sha256 = wrong))
    show_error(install_torch_from_file(libtorch = paste0("file://", zip, "#sha256=", wrong)))
  })
  expect_equal(in_cache(), character())
  install_from_archive(paste0(zip, "#sha256=", right), install_request())
  expect_equal(in_cache(), "libtorch")
})

test_that("broken and wrong archives leave nothing behind and what was installed in place", {
  root <- local_machine()
  fake_libtorch(file.path(root, "libtorch"))
  zip <- zip_folder(root, "libtorch")
  bytes <- readBin(zip, "raw", 1e6)
  writeBin(bytes[1:200], file.path(root, "cut.zip"))
  dir.create(file.path(root, "other"))
  file.create(file.path(root, "other/file"))
  zip_folder(root, "other")
  fake_venv(torch_cache("libtorch"), "2.6.0")

  expect_snapshot(transform = without_paths(root), {
    show_error(install_torch_from_file(libtorch = file.path(root, "cut.zip")))
    show_error(install_torch_from_file(libtorch = file.path(root, "other.zip")))
    show_error(install_torch_from_file(libtorch = file.path(root, "none.zip")))
  })
  expect_equal(in_cache(), "libtorch")
  expect_equal(libtorch_find()$version, "2.6.0")
})

test_that("wrong arguments are told", {
  local_machine()
  expect_snapshot({
    show_error(install_torch(versoin = "2.13.0"))
    show_error(install_torch(version = "latest", reinstall = TRUE))
    show_error(install_torch(type = "rocm"))
    show_error(install_torch_from_file())
    show_error(install_torch_from_file(libtorch = "https://example.org/libtorch.zip"))
  })
})

test_that("a TORCH_HOME that is not empty is never replaced", {
  root <- local_machine()
  home <- fake_libtorch(file.path(root, "home"))
  withr::local_envvar(TORCH_HOME = home)
  expect_snapshot(show_error(install_torch(reinstall = TRUE)), transform = without_paths(root))
  expect_true(file.exists(file.path(home, "build-version")))
})

test_that("an empty TORCH_HOME is filled", {
  root <- local_machine()
  fake_libtorch(file.path(root, "libtorch"))
  zip <- zip_folder(root, "libtorch")
  withr::local_envvar(TORCH_HOME = file.path(root, "home"))
  install_from_archive(zip, install_request())
  expect_equal(libtorch_find()$home, file.path(root, "home"))
  expect_equal(libtorch_find()$source, "TORCH_HOME")
})

test_that("a download is checked for its length and leaves nothing behind when it breaks", {
  root <- local_machine()
  skip_if_not_installed("processx")
  python <- Sys.glob("/usr/bin/python3")
  skip_if(length(python) == 0, "Python is not installed")
  fake_libtorch(file.path(root, "libtorch"))
  zip_folder(root, "libtorch")
  # /cut.zip promises more than it sends.
  writeLines(c(
    "import http.server, os, sys",
    "class Handler(http.server.BaseHTTPRequestHandler):",
    "    def answer(self):",
    "        data = open('libtorch.zip', 'rb').read()",
    "        missing = self.path not in ('/libtorch.zip', '/cut.zip')",
    "        self.send_response(404 if missing else 200)",
    "        self.send_header('Content-Length', '0' if missing else str(len(data)))",
    "        self.end_headers()",
    "        return b'' if missing else data[:100] if self.path == '/cut.zip' else data",
    "    def do_HEAD(self): self.answer()",
    "    def do_GET(self): self.wfile.write(self.answer())",
    "    def log_message(self, *args): pass",
    "server = http.server.HTTPServer(('127.0.0.1', 0), Handler)",
    "print(server.server_port, flush=True)",
    "server.serve_forever()"
  ), file.path(root, "server.py"))
  server <- processx::process$new(python[[1]], "server.py", wd = root, stdout = "|")
  withr::defer(server$kill())
  port <- character()
  while (length(port) == 0 && server$is_alive()) {
    server$poll_io(1000)
    port <- server$read_output_lines()
  }
  at <- paste0("http://127.0.0.1:", port, "/")
  withr::local_envvar(no_proxy = "127.0.0.1")

  # The last one is a port where nobody answers.
  for (broken in c(paste0(at, c("cut.zip", "none.zip")), "http://127.0.0.1:9/libtorch.zip")) {
    expect_error(
      install_from_archive(broken, install_request(timeout = 20)),
      "could not be downloaded", class = "runtime_error"
    )
    expect_equal(in_cache(), character())
  }
  install_from_archive(paste0(at, "libtorch.zip"), install_request(timeout = 20))
  expect_equal(libtorch_find()$version, "2.9.1")
  expect_equal(in_cache(), "libtorch")
})

test_that("pip's virtual environment is left out when it fails", {
  root <- local_machine()
  # A python3 that can do all but pip.
  writeLines(c(
    "#!/bin/sh",
    "case \"$*\" in",
    "  *'-m venv'*) mkdir -p \"$3/bin\"; cp \"$0\" \"$3/bin/python\" ;;",
    "  *'-m pip'*) exit 1 ;;",
    "esac"
  ), file.path(root, "bin/python3"))
  suppressMessages(expect_error(install_torch(reinstall = TRUE), "pip could not install torch==2.13.0"))
  expect_equal(in_cache(), character())
})

test_that("PyTorch's zips are named as their releases name them", {
  local_machine()
  expect_snapshot({
    writeLines(libtorch_zip_url("2.13.0", "cpu", "linux"))
    writeLines(libtorch_zip_url("2.7.1", "cu126", "linux"))
    writeLines(libtorch_zip_url("2.13.0", "cpu", "macos"))
    writeLines(libtorch_zip_url("2.13.0", "cpu", "windows"))
  })
  withr::local_envvar(CUDA = "13.0")
  urls <- get_install_libs_url()
  expect_match(urls$libtorch, "cu130")
  expect_identical(urls$liblantern, NA_character_)
})

test_that("the report names what is wrong and the command that mends it", {
  root <- local_machine()
  skip_on_os("mac")
  withr::local_envvar(TORCH_HOME = fake_libtorch(file.path(root, "home")))
  withr::local_envvar(TORCH_KERNEL_CC = "no-such-compiler")
  expect_snapshot(install_torch_sitrep(), transform = without_paths(root))
  withr::local_envvar(TORCH_HOME = file.path(root, "bin"))
  expect_snapshot(install_torch_sitrep(), transform = without_paths(root))
})

test_that("the folder can be checked for being writable", {
  root <- local_machine()
  expect_equal(torch_install_path(check_writable = TRUE), torch_cache("libtorch"))
  skip_if(Sys.info()[["effective_user"]] == "root", "root may write everywhere")
  Sys.chmod(root, "500")
  withr::defer(Sys.chmod(root, "700"))
  expect_error(torch_install_path(check_writable = TRUE), "can't be written", class = "runtime_error")
})
