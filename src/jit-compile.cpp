// Units of TorchScript text, and the output of their programs.
#include "jit.h"
#include "jump.h"

#include <atomic>
#include <mutex>
#include <string>
#include <thread>

namespace {

ts_unit* unit_of(SEXP x, const char* what = "unit") { return static_cast<ts_unit*>(handle_of(x, Kind::unit, what)); }

const std::thread::id main_thread = std::this_thread::get_id();
std::mutex printed_lock;
std::string* printed = nullptr;
std::atomic<bool> has_printed{false};

struct Text {
  const char* start;
  size_t n;
};

SEXP show_text(void* data) {
  const auto* text = static_cast<Text*>(data);
  const void* memory = vmaxget();
  SEXP string = PROTECT(Rf_mkCharLenCE(text->start, static_cast<int>(text->n), CE_UTF8));
  Rprintf("%s", Rf_translateChar(string));
  UNPROTECT(1);
  vmaxset(memory);
  return R_NilValue;
}

}  // namespace

void show_printed() {
  if (!has_printed) return;
  size_t n;
  {
    const std::lock_guard<std::mutex> hold(printed_lock);
    n = printed->size();
  }
  // R may jump here, so the lock must not be held.
  char* copy = R_alloc(n + 1, 1);
  {
    const std::lock_guard<std::mutex> hold(printed_lock);
    printed->copy(copy, n);
    printed->erase(0, n);
    has_printed = !printed->empty();
  }
  Text text{copy, n};
  show_text(&text);
}

int print_text(const char* text, size_t n) {
  if (std::this_thread::get_id() != main_thread) {
    const std::lock_guard<std::mutex> hold(printed_lock);
    if (!printed) printed = new std::string();
    printed->append(text, n);
    has_printed = true;
    return TS_OK;
  }
  Text it{text, n};
  SEXP ignored;
  return run_catching(show_text, &it, &ignored) ? TS_OK : TS_HOST_JUMP;
}

// `file` and `line` tell where the source begins. `uses` holds handles of units and functions, `names` their names; ""
// makes the names of a unit plain ones.
// [[Rcpp::export(rng = false)]]
SEXP cpp_unit_compile(SEXP source, SEXP file, SEXP line, SEXP uses, SEXP names) {
  const void* memory = vmaxget();
  const R_xlen_t n = Rf_xlength(uses);
  auto* all = reinterpret_cast<ts_use*>(R_alloc(n + 1, sizeof(ts_use)));
  for (R_xlen_t i = 0; i < n; ++i) {
    SEXP handle = VECTOR_ELT(uses, i);
    const bool is_unit = is_kind(handle, Kind::unit);
    all[i] = {Rf_translateCharUTF8(STRING_ELT(names, i)), is_unit ? unit_of(handle, "units") : nullptr,
              is_unit ? nullptr : callable_of(handle, "units")};
  }
  SEXP unit = asked<ts_unit>(Kind::unit, [&](ts_unit** out) {
    return shim().ts_unit_compile(Rf_translateCharUTF8(STRING_ELT(source, 0)),
                                  Rf_translateCharUTF8(STRING_ELT(file, 0)), Rf_asInteger(line), all,
                                  static_cast<size_t>(n), out);
  });
  vmaxset(memory);
  return unit;
}

// What a unit defines: a named list of the kind and of lines that describe it.
// [[Rcpp::export(rng = false)]]
SEXP cpp_unit_list(SEXP unit) {
  return answered([&](ts_value* out, ts_arena** arena) { return shim().ts_unit_list(unit_of(unit), out, arena); });
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_unit_function(SEXP unit, SEXP name) {
  return asked<ts_callable>(Kind::callable, [&](ts_callable** out) {
    return shim().ts_unit_function(unit_of(unit), CHAR(STRING_ELT(name, 0)), out);
  });
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_unit_enum(SEXP unit, SEXP name) {
  return answered(
      [&](ts_value* out, ts_arena** arena) {
        return shim().ts_unit_enum(unit_of(unit), CHAR(STRING_ELT(name, 0)), out, arena);
      });
}
