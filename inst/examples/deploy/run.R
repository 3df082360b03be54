# The main job from end to end, what `make demo` runs:  Rscript run.R [FOLDER]
#
# Trains and saves the models of blog.R and train.R, asks R, Python and C++ for the same predictions, and tells on the
# way what happens. The Python and C++ programs run without R and without R's environment. Fails where the answers
# differ or where C++ can't be built. FOLDER gets what train.R writes; by default `demo-output` in the working directory.

library(torch)

script <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))
here <- if (length(script)) dirname(normalizePath(script)) else system.file("examples/deploy", package = "torch")
libtorch <- torch:::libtorch_find()

heading <- function(text, ...) {
  cat("\n\n", text, "\n", strrep("-", nchar(text)), "\n", sep = "")
  cat(strwrap(paste(...), 100), sep = "\n")
}
# A warning of torch is a part of the page.
options(warn = 1)

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

began <- Sys.time()
cat("A model trained in R, run without R\n===================================\n")
cat("LibTorch ", libtorch$version, " on ", if (cuda_is_available()) "a GPU" else "the CPU", "\n", sep = "")

heading(
  "1. Functions and networks become programs (blog.R)",
  "R is not needed where a model is used: what it computes can be written down in a form that LibTorch runs by itself."
)
blog <- new.env()
source(file.path(here, "blog.R"), local = blog, print.eval = TRUE)

heading(
  "2. A real data set (train.R)",
  "How deep is an earthquake near Fiji? A network learns it from place and magnitude, beside lm(), on 800 of the 1000",
  "rows of R's `quakes`."
)
cat("\n")
quakes_net <- new.env()
source(file.path(here, "train.R"), local = quakes_net)

heading(
  "3. The same predictions from R, Python and C++",
  "Both models are loaded from their files by three programs. predict.py and predict.cpp know nothing of R."
)
cat("\n")
failed <- FALSE
if (is.null(libtorch$python)) cat("There is no Python beside this LibTorch: its part is left out.\n")
cpp <- tryCatch(build_cpp(), error = function(e) {
  cat("The C++ part failed: ", conditionMessage(e), "\n", sep = "")
  failed <<- TRUE
  NULL
})

x <- unlist(quakes[1, quakes_net$predictors])
agree <- c(
  compare("The network of part 1, for (1, 1, 1):", predictions(blog$model_file, c(1, 1, 1), cpp)),
  compare(
    sprintf(
      "\nThat of part 2, depth in km at latitude %g, longitude %g, magnitude %g (truth: %g):",
      x[[1]], x[[2]], x[[3]], quakes$depth[1]
    ),
    predictions(quakes_net$model_file, unname(x), cpp)
  )
)
cat(if (all(agree)) "\nThey agree" else "\nThey differ by more than 1e-6 of their size", ".\n", sep = "")
cat(sprintf(
  "\n%.0f seconds. Look at loss.png and predicted.png in %s.\n",
  as.numeric(Sys.time() - began, units = "secs"), normalizePath(quakes_net$output)
))
quit(status = if (failed || !all(agree)) 1 else 0)
