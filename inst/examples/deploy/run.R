# The main job from end to end, what `make demo` runs:  Rscript run.R [FOLDER]
#
# Trains and saves the models of blog.R and train.R, then asks R, Python and C++ for the same predictions. The Python
# and C++ programs run without R and without R's environment. Fails where the answers differ or where C++ can't be
# built. FOLDER gets the pictures and the model of train.R; by default `demo-output` in the working directory.

library(torch)

script <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))
here <- if (length(script)) dirname(normalizePath(script)) else system.file("examples/deploy", package = "torch")
libtorch <- torch:::libtorch_find()

heading <- function(text) cat("\n==== ", text, " ", strrep("=", max(0, 100 - nchar(text))), "\n\n", sep = "")

# --- children --------------------------------------------------------------------------------------------------------

# Output of a program. R's LD_LIBRARY_PATH would lead it to another LibTorch than its own.
run <- function(program, arguments, ...) {
  output <- withr::with_envvar(
    c(LD_LIBRARY_PATH = NA), suppressWarnings(system2(program, shQuote(arguments), stdout = TRUE, ...))
  )
  status <- attr(output, "status")
  if (!is.null(status)) stop(basename(program), " failed (status ", status, ")\n", paste(output, collapse = "\n"))
  output
}

# The C++ program, built once for these sources and this LibTorch.
build_cpp <- function() {
  sources <- file.path(here, "cpp", c("CMakeLists.txt", "predict.cpp"))
  key <- tempfile()
  writeLines(c(vapply(sources, tools::md5sum, ""), libtorch$home, libtorch$version), key)
  cache <- tools::R_user_dir("torch", "cache")
  build <- file.path(cache, paste0("deploy-", substr(tools::md5sum(key), 1, 16)))
  program <- file.path(build, if (.Platform$OS.type == "windows") "Release/predict.exe" else "predict")
  if (file.exists(program)) return(program)
  if (!nzchar(Sys.which("cmake"))) stop("CMake is missing. Install it: `apt-get install cmake g++` (Debian, Ubuntu).")

  unlink(list.files(cache, "^deploy-", full.names = TRUE), recursive = TRUE)
  dir.create(file.path(build, "source"), recursive = TRUE)
  file.copy(sources, file.path(build, "source"))
  cat("Building the C++ program (half a minute, once)\n")
  run("cmake", c(
    "-S", file.path(build, "source"), "-B", build, "-DCMAKE_BUILD_TYPE=Release",
    paste0("-DTORCH_INCLUDE=", paste(libtorch$include, collapse = ";")),
    paste0("-DTORCH_LIB=", libtorch$lib), paste0("-DTORCH_CXX11_ABI=", libtorch$cxx11_abi)
  ), stderr = TRUE)
  run("cmake", c("--build", build, "--config", "Release"), stderr = TRUE)
  program
}

# --- predictions -----------------------------------------------------------------------------------------------------

predictions <- function(file, x, cpp) {
  numbers <- c(file, format(x, digits = 17, trim = TRUE))
  list(
    R = as.numeric(with_no_grad(jit_load(file, device = "cpu")(torch_tensor(x)))),
    Python = if (!is.null(libtorch$python)) as.numeric(run(libtorch$python, c(file.path(here, "predict.py"), numbers))),
    "C++" = if (!is.null(cpp)) as.numeric(run(cpp, numbers))
  )
}

# Prints the predictions of all languages and tells whether they agree.
compare <- function(title, found) {
  found <- unlist(Filter(Negate(is.null), found))
  cat(title, "\n", sprintf("  %-7s %.9g\n", paste0(names(found), ":"), found), sep = "")
  all(abs(found - found[["R"]]) <= 1e-6 * abs(found[["R"]]))
}

# --- the job ---------------------------------------------------------------------------------------------------------

heading("The blog post's program (blog.R)")
blog <- new.env()
source(file.path(here, "blog.R"), local = blog, print.eval = TRUE)

heading("A data set that R ships (train.R)")
quakes_net <- new.env()
source(file.path(here, "train.R"), local = quakes_net)

heading("The saved models in R, Python and C++")
failed <- FALSE
if (is.null(libtorch$python)) cat("There is no Python beside this LibTorch: its part is left out.\n")
cpp <- tryCatch(build_cpp(), error = function(e) {
  cat("The C++ part failed: ", conditionMessage(e), "\n", sep = "")
  failed <<- TRUE
  NULL
})

x <- unlist(quakes[1, quakes_net$predictors])
agree <- c(
  compare("blog.R, input (1, 1, 1)", predictions(blog$model_file, c(1, 1, 1), cpp)),
  compare(
    sprintf("train.R, depth in km at latitude %g, longitude %g, magnitude %g", x[[1]], x[[2]], x[[3]]),
    predictions(quakes_net$model_file, unname(x), cpp)
  )
)
if (!all(agree)) cat("The predictions differ by more than 1e-6 of their size.\n")
cat("Pictures and model: ", normalizePath(quakes_net$output), "\n", sep = "")
quit(status = if (failed || !all(agree)) 1 else 0)
