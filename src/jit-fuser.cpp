// Runs the compiler that the shim's fuser asks for kernels: R's own, started without a shell.
#include "jit.h"

#include <atomic>
#include <string>
#include <vector>
#ifdef _WIN32
#include <process.h>
#else
#include <cerrno>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
extern char** environ;
#endif

namespace {

// Command lines without the names of files, the best one first. They are set once and read by the thread that compiles
// kernels. They are never freed, since that thread may run while R ends.
std::vector<std::vector<std::string>>& commands() {
  static auto& lines = *new std::vector<std::vector<std::string>>();
  return lines;
}
// The first command line whose flags the compiler knows. The thread that compiles moves on to the next one when one
// fails.
std::atomic<size_t> first_that_works{0};
std::atomic<int> starts{0};

int run(std::vector<std::string> line) {
  std::vector<char*> words;
  for (std::string& word : line) words.push_back(&word[0]);
  words.push_back(nullptr);
  ++starts;
#ifdef _WIN32
  return static_cast<int>(_spawnv(_P_WAIT, words[0], words.data()));
#else
  posix_spawn_file_actions_t files;
  posix_spawnattr_t settings;
  posix_spawn_file_actions_init(&files);
  for (const int stream : {0, 1, 2}) posix_spawn_file_actions_addopen(&files, stream, "/dev/null", O_RDWR, 0);
  posix_spawnattr_init(&settings);
  // A process group of its own: an interrupt of the session must not reach the compiler.
  posix_spawnattr_setflags(&settings, POSIX_SPAWN_SETPGROUP);
  pid_t child = 0;
  int status = posix_spawn(&child, words[0], &files, &settings, words.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&settings);
  if (status != 0) return -1;
  pid_t ended;
  while ((ended = waitpid(child, &status, 0)) < 0 && errno == EINTR) {
  }
  // Other code has waited for the child. Whether there is a library will tell how it ended.
  if (ended < 0) return 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
#endif
}

int compile_kernel(const char* source, const char* library) {
  for (size_t i = first_that_works; i < commands().size(); ++i) {
    std::vector<std::string> line = commands()[i];
    for (std::string& word : line)
      if (word == "<source>") word = source;
      else if (word == "<library>") word = library;
    if (run(line) == 0) {
      first_that_works = i;
      return 0;
    }
  }
  return 1;
}

}  // namespace

// `lines` is a list of character vectors: commands with "<source>" and "<library>" in place of the files.
// [[Rcpp::export(rng = false)]]
SEXP cpp_fuser_set_compiler(SEXP lines, SEXP folder, SEXP identity) {
  for (R_xlen_t i = 0; i < Rf_xlength(lines); ++i) {
    std::vector<std::string> words;
    const SEXP line = VECTOR_ELT(lines, i);
    for (R_xlen_t k = 0; k < Rf_xlength(line); ++k) words.emplace_back(CHAR(STRING_ELT(line, k)));
    commands().push_back(std::move(words));
  }
  check(shim().ts_fuser_set_compiler(compile_kernel, Rf_translateChar(STRING_ELT(folder, 0)), CHAR(STRING_ELT(identity, 0))));
  return R_NilValue;
}

// Counts of kernels that were compiled, found on disk, failed, and are being compiled; then starts of the compiler.
// [[Rcpp::export(rng = false)]]
SEXP cpp_fuser_counts() {
  int64_t counts[4];
  check(shim().ts_fuser_counts(counts));
  SEXP out = PROTECT(Rf_allocVector(REALSXP, 5));
  for (int i = 0; i < 4; ++i) REAL(out)[i] = static_cast<double>(counts[i]);
  REAL(out)[4] = starts;
  UNPROTECT(1);
  return out;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_fuser_at_once(SEXP at_once) {
  check(shim().ts_fuser_at_once(Rf_asLogical(at_once) == TRUE));
  return R_NilValue;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_fuser_groups(SEXP callable) {
  const ts_callable* it = callable_of(callable);
  return answered([&](ts_value* out, ts_arena** arena) { return shim().ts_fuser_groups(it, out, arena); });
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_fuser_reason(SEXP kind) {
  const char* name = CHAR(STRING_ELT(kind, 0));
  return answered([&](ts_value* out, ts_arena** arena) { return shim().ts_fuser_reason(name, out, arena); });
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_profile_start() {
  check(shim().ts_profile_start());
  return R_NilValue;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_profile_stop() {
  return answered([&](ts_value* out, ts_arena** arena) { return shim().ts_profile_stop(out, arena); });
}
