# R against PyTorch on the same LibTorch, one thread, the two sides in turn: `make bench`. Writes the table into
# bench/README.md between its two marks. Only the ratios of one run count.

rounds <- as.integer(Sys.getenv("BENCH_ROUNDS", "9"))
only <- commandArgs(trailingOnly = TRUE)

folder <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
started <- system.time(library(torch))[["elapsed"]]
for (file in c("rows.R", "rows-script.R", "rows-fused.R")) source(file.path(folder, file))

libtorch <- torch:::libtorch_find()
if (is.null(libtorch$python)) stop("There is no Python beside this LibTorch to compare with.")
Sys.unsetenv("LD_LIBRARY_PATH")
# R's OPENBLAS settings are not Python's; both sides run one thread.
Sys.setenv(OMP_NUM_THREADS = "1", MKL_NUM_THREADS = "1")

child <- function(command, arguments = character()) {
  process <- processx::process$new(command, arguments, stdin = "|", stdout = "|", stderr = "")
  function(line) {
    process$write_input(paste0(line, "\n"))
    repeat {
      process$poll_io(60000)
      answer <- process$read_output_lines(1)
      if (length(answer)) return(as.numeric(answer))
      if (!process$is_alive()) stop(command, " ended.")
    }
  }
}

python <- child(libtorch$python, file.path(folder, "bench.py"))

plain_matmul <- function() {
  program <- tempfile("matmul-")
  status <- system(paste(
    "g++ -O2 -std=c++20", paste0("-D_GLIBCXX_USE_CXX11_ABI=", libtorch$cxx11_abi), torch:::libtorch_include_flags(libtorch),
    shQuote(file.path(folder, "matmul.cpp")), "-o", program,
    "-L", shQuote(libtorch$lib), paste0("-Wl,-rpath,", shQuote(libtorch$lib)), "-ltorch -ltorch_cpu -lc10"
  ))
  if (status == 0) child(program)
}

time_r <- function(work, n) {
  gc()
  start <- proc.time()[["elapsed"]]
  # The clock of R ticks in milliseconds: a round is long enough for it.
  for (i in seq_len(n)) work()
  (proc.time()[["elapsed"]] - start) / n
}

rows <- c(set_up_rows(), script_rows(), fused_rows())
if (length(only)) rows <- rows[intersect(names(rows), only)]
unit <- function(seconds) {
  if (seconds < 1e-3) sprintf("%.2f µs", seconds * 1e6) else if (seconds < 1) sprintf("%.2f ms", seconds * 1e3) else sprintf("%.2f s", seconds)
}

measure <- function(says, goal, work, other, n) {
  time_r(work, max(1, n %/% 10))
  other(max(1, n %/% 10))
  times <- vapply(seq_len(rounds), function(i) {
    if (i %% 2) c(time_r(work, n), other(n)) else rev(c(other(n), time_r(work, n)))
  }, numeric(2))
  ratios <- times[1, ] / times[2, ]
  ratio <- median(ratios)
  line <- sprintf(
    "| %s | %s | %s | %.2f | %.2f–%.2f | %s | %s |", says, unit(median(times[1, ])), unit(median(times[2, ])), ratio,
    min(ratios), max(ratios), format(goal), if (ratio <= goal) "yes" else "no"
  )
  cat(line, "\n")
  line
}

lines <- vapply(names(rows), function(name) {
  row <- rows[[name]]
  # Python's time, or that of R code, or a time to be kept.
  other <- row$other
  measure(row$says, row$goal, row$work, if (is.function(other)) function(n) time_r(other, n) else if (is.numeric(other)) {
    function(n) other
  } else {
    function(n) python(paste(name, n))
  }, row$n)
}, "")

if (!length(only) || "matmul_1024" %in% only) {
  plain <- plain_matmul()
  if (!is.null(plain)) {
    row <- rows$matmul_1024
    lines <- c(lines, measure("matmul 1024², against plain C++", 1.05, row$work, function(n) plain(n), row$n))
  }
}

fresh <- vapply(seq_len(rounds), function(i) {
  as.numeric(system2(file.path(R.home("bin"), "Rscript"), c("-e", shQuote("cat(system.time(library(torch))[['elapsed']])")), stdout = TRUE))
}, 0)
lines <- c(lines, sprintf(
  "| `library(torch)`, no operator called | %s | – | – | %.2f–%.2f s | ≤ 0.3 s | %s |", unit(median(fresh)), min(fresh),
  max(fresh), if (median(fresh) <= 0.3) "yes" else "no"
))
cat(lines[length(lines)], "\n")

if (!length(only)) {
  cpu <- sub("^.*: ", "", grep("model name", readLines("/proc/cpuinfo"), value = TRUE)[1])
  about <- sprintf(
    "%s, R %s, LibTorch %s, %s, one thread, median of %d rounds.", format(Sys.Date()), getRversion(), libtorch$version,
    cpu, rounds
  )
  table <- c(
    about, "", "| work | R | PyTorch | ratio | spread | goal | reached |", "|---|---|---|---|---|---|---|", unname(lines)
  )
  file <- file.path(folder, "README.md")
  text <- readLines(file)
  marks <- grep("^<!-- table", text)
  writeLines(c(text[seq_len(marks[1])], "", table, "", text[marks[2]:length(text)]), file)
}
