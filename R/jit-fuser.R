# The compiler of the shim's fuser: R's own compiler of C, and the folder in which kernels are kept.

# What R was configured with, from its own file: `R CMD config` would start a shell and another R.
makeconf <- function(name) {
  file <- file.path(R.home("etc"), .Platform$r_arch, "Makeconf")
  if (!file.exists(file)) return("")
  line <- grep(sprintf("^%s *=", name), readLines(file, warn = FALSE), value = TRUE)
  if (length(line) == 0) "" else trimws(sub("^[^=]*=", "", line[[1]]))
}

# Words of the command that compiles C, its program by an absolute path; NULL where there is no compiler.
kernel_compiler <- function() {
  words <- strsplit(Sys.getenv("TORCH_KERNEL_CC", makeconf("CC")), "[ \t]+")[[1]]
  if (length(words) == 0 || !nzchar(words[[1]])) return(NULL)
  program <- unname(Sys.which(words[[1]]))
  if (!nzchar(program)) return(NULL)
  c(program, words[-1])
}

# Command lines, the best one first: not every compiler knows this machine by "native", or OpenMP's loops.
kernel_commands <- function(compiler) {
  shared <- if (Sys.info()[["sysname"]] == "Darwin") "-dynamiclib" else "-shared"
  pic <- if (.Platform$OS.type == "windows") character() else "-fPIC"
  numbers <- c("-O3", "-fno-math-errno", "-fno-trapping-math", "-fwrapv", "-ffp-contract=fast", "-w")
  machine <- list(c("-march=native", "-fopenmp-simd"), c("-mcpu=native", "-fopenmp-simd"), "-fopenmp-simd", character())
  lapply(machine, function(flags) {
    c(compiler, shared, pic, numbers, flags, "-o", "<library>", "<source>", if (.Platform$OS.type != "windows") "-lm")
  })
}

kernel_folder <- function() Sys.getenv("TORCH_KERNEL_FOLDER", torch_cache("kernels"))

# Each kernel is two files, of some 20 kB. Of very many the older half goes, and so does what sessions left that ended while
# they were compiling.
limit_kernels <- function(folder, most = 4000) {
  files <- list.files(folder, full.names = TRUE)
  unfinished <- grep("-[0-9]+\\.[^/]*$", files, value = TRUE)
  unlink(unfinished[file.mtime(unfinished) < Sys.time() - 3600])
  if (length(files) <= most) return(invisible())
  changed <- file.mtime(files)
  unlink(files[is.na(changed) | changed <= stats::median(changed, na.rm = TRUE)])
}

# When LibTorch is loaded. Without a compiler nothing changes but speed; `the$no_kernels` then says why.
set_kernel_compiler <- function() {
  compiler <- kernel_compiler()
  the$no_kernels <- if (is.null(compiler)) "there is no compiler of C that could make kernels"
  if (is.null(compiler)) return(invisible())
  folder <- kernel_folder()
  dir.create(folder, showWarnings = FALSE, recursive = TRUE, mode = "0700")
  if (!dir.exists(folder) || file.access(folder, 2) != 0) {
    the$no_kernels <- "kernels can't be kept in their folder"
    return(invisible())
  }
  limit_kernels(folder)
  commands <- kernel_commands(compiler)
  program <- file.info(compiler[[1]])
  identity <- paste(c(commands[[1]], program$size, as.numeric(program$mtime), R.version$platform), collapse = " ")
  cpp_fuser_set_compiler(commands, folder, identity)
  choice <- getOption("torch.jit_fuser", "auto")
  if (!choice %in% c("auto", "own")) cpp_jit_switch(jit_switches[["own"]], if (choice == "exact") 2L else 0L)
  invisible()
}
