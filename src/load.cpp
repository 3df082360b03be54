// Opens LibTorch and the shim. LibTorch gets a symbol scope of its own, so that R's BLAS, which is in the global scope,
// does not replace the one that LibTorch brings.
#include "shim.h"

#include "host.h"
#include "jit.h"
#include "r.h"

#include <cstdio>
#include <cstring>
#include <exception>
#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#endif

namespace {

Shim table;
bool loaded = false;

#ifdef _WIN32
void* open_library(const char* path) {
  return reinterpret_cast<void*>(LoadLibraryExA(path, nullptr, LOAD_WITH_ALTERED_SEARCH_PATH));
}
void* find_symbol(void* library, const char* name) {
  return reinterpret_cast<void*>(GetProcAddress(reinterpret_cast<HMODULE>(library), name));
}
void fail_open(const char* path) {
  fail("torch_install_error", "Can't open `%s` (Windows error %lu).", path, GetLastError());
}
#else
#if defined(RTLD_DEEPBIND) && !defined(__SANITIZE_ADDRESS__)
constexpr int own_scope = RTLD_DEEPBIND;
#else
constexpr int own_scope = 0;
#endif
void* open_library(const char* path) { return dlopen(path, RTLD_NOW | RTLD_LOCAL | own_scope); }
void* find_symbol(void* library, const char* name) { return dlsym(library, name); }
void fail_open(const char* path) {
  fail("torch_install_error", "Can't open `%s`: %s.", path, dlerror());
}
#endif

// Tries to open a library of a user's in a child process. Its registrations run inside of dlopen() and throw if a name
// is taken. An exception that leaves dlopen() keeps the loader locked, and the next thread that starts waits for ever.
// `problem` gets the message of the exception, or is empty.
#ifdef _WIN32
void try_to_open(const char*, char* problem, size_t) { problem[0] = '\0'; }
#else
[[noreturn]] void open_in_child(const char* path, int report) {
  // The alarm ends a child that waits for a lock of a thread that it does not have.
  std::signal(SIGALRM, SIG_DFL);
  alarm(60);
  // dlopen() is declared to throw nothing, so the compiler would drop the handler. Calling it through a pointer hides
  // that.
  void* (*volatile open)(const char*) = open_library;
  ssize_t told;
  try {
    open(path);
    told = write(report, "+", 1);
  } catch (const std::exception& error) {
    told = write(report, "-", 1);
    if (told > 0) told = write(report, error.what(), std::strlen(error.what()));
  }
  (void)told;
  // The child ends by a signal: no destructor and no hook of R's may run in it.
  while (true) raise(SIGKILL);
}

void try_to_open(const char* path, char* problem, size_t size) {
  problem[0] = '\0';
  int ends[2];
  if (pipe(ends) != 0) fail("torch_runtime_error", "`%s` can't be tried: there are too many open files.", path);
  const pid_t child = fork();
  if (child == 0) open_in_child(path, ends[1]);
  close(ends[1]);
  size_t n = 0;
  ssize_t got = child < 0 ? 0 : 1;
  while (got > 0 && n + 1 < size) {
    got = read(ends[0], problem + n, size - 1 - n);
    if (got > 0) n += static_cast<size_t>(got);
    if (got < 0 && errno == EINTR) got = 1;
  }
  problem[n] = '\0';
  close(ends[0]);
  const bool reported = problem[0] == '+' || problem[0] == '-' || child < 0;
  if (reported) std::memmove(problem, problem + (n > 0), n + (n == 0));
  int status = 0;
  if (child > 0) {
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
  }
  if (!reported && WIFSIGNALED(status)) std::snprintf(problem, size, "it ends the process (signal %d)", WTERMSIG(status));
}
#endif

template <class Function>
void fill(Function*& slot, void* library, const char* name, const char* path) {
  slot = reinterpret_cast<Function*>(find_symbol(library, name));
  if (!slot) fail("torch_install_error", "`%s` has no function `%s`. Run `torch_build_shim(force = TRUE)`.", path, name);
}

}  // namespace

const Shim& shim() {
  if (!loaded) call_package("load_torch", R_NilValue);
  return table;
}

const Shim* shim_if_loaded() { return loaded ? &table : nullptr; }

// `libraries` are LibTorch's, in the order in which to open them. `path` is the shim. `contract` is the contract that
// this glue was built with.
// [[Rcpp::export(rng = false)]]
SEXP cpp_load_shim(SEXP libraries, SEXP path, SEXP contract) {
  for (R_xlen_t i = 0; i < Rf_xlength(libraries); ++i) {
    const char* library = CHAR(STRING_ELT(libraries, i));
    if (!open_library(library)) fail_open(library);
  }
  const char* file = CHAR(STRING_ELT(path, 0));
  void* library = open_library(file);
  if (!library) fail_open(file);
  fill(table.ts_contract, library, "ts_contract", file);
  if (std::strcmp(table.ts_contract(), CHAR(STRING_ELT(contract, 0))) != 0)
    fail("torch_install_error", "The shim `%s` was built for another version of this package. Run `torch_build_shim(force = TRUE)`.",
         file);
#define TS_FUNCTION(result, name, arguments) fill(table.name, library, #name, file);
#include "torch_shim_functions.h"
#undef TS_FUNCTION
  // check() would call shim(), which needs the table that is being made here.
  if (table.ts_initialise(&r_host) != TS_OK || table.ts_set_print(print_text) != TS_OK)
    fail("torch_install_error", "LibTorch can't be used: %s", table.ts_last_error());
  loaded = true;
  return Rf_mkString(table.ts_built_for());
}

// Opens a library of the user's that registers operators, in the symbol scope of LibTorch's.
// [[Rcpp::export(rng = false)]]
SEXP cpp_load_library(SEXP path) {
  const char* file = CHAR(STRING_ELT(path, 0));
  char problem[1000];
  try_to_open(file, problem, sizeof problem);
  void* library = problem[0] ? nullptr : open_library(file);
  if (problem[0]) fail("torch_runtime_error", "`%s` can't register its operators: %s", file, problem);
  if (!library) fail_open(file);
  return R_NilValue;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_is_loaded() { return Rf_ScalarLogical(loaded); }
