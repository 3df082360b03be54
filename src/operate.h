// The way through every entry at which LibTorch works. In this order: objects that LibTorch let go of are given back to
// R; R collects if that is due; a running trace learns where the user's code is; the work is done; a failure becomes an
// R error, a result an R value; LibTorch's warnings become R's. All of this runs on R's main thread.
#pragma once
#include "memory.h"
#include "to-sexp.h"
#include "trace.h"

// Whether work that ran out of memory may be repeated after a collection. It must not have written anything by then. On
// the CPU LibTorch's allocator asks for a collection itself (src/host.cpp): this is for the memory of other devices.
enum class Repeat { no, yes };

// `frame` is that of the operator's R function. With it a running trace need not search for it.
inline void begin_operation(SEXP frame = nullptr) {
  if (has_released_objects.load(std::memory_order_relaxed)) drain_released_objects();
  collect_if_due(shim());
  if (tracing) mark_place(frame);
}

// Gives the warnings that wait. It may jump, so the result must be protected.
inline void end_operation() {
  static const int* const warnings = shim().ts_warnings();
  if (*warnings) pass_warnings();
}

// `work` returns the shim's status. `take` makes the R value of the results, in cells that were made before.
template <class Work, class Take>
SEXP operate(Work&& work, Take&& take, Repeat repeat = Repeat::no, SEXP frame = nullptr) {
  begin_operation(frame);
  int status = work();
  if (status == TS_OUT_OF_MEMORY && repeat == Repeat::yes) {
    collect_now(shim());
    status = work();
  }
  check(status);
  SEXP result = PROTECT(take());
  end_operation();
  UNPROTECT(1);
  return result;
}

// For work without a result.
template <class Work>
void operate(Work&& work) {
  begin_operation();
  check(work());
  end_operation();
}

// For work that is done in R as well: `take` does it all, checks included.
template <class Take>
SEXP operate_taking(Take&& take) {
  return operate([] { return TS_OK; }, take);
}

// The cell for a result. It is made before the shim is called, so that no handle is lost if R can't allocate, but after
// the collection, which would make an old object of it.
class Cell {
 public:
  Cell() { PROTECT_WITH_INDEX(cell_, &at_); }
  SEXP make(Kind kind) {
    if (cell_ == R_NilValue) REPROTECT(cell_ = new_cell(kind), at_);
    return cell_;
  }
  // Unprotects the cell, which must be on top of R's stack of protected objects.
  void release() { UNPROTECT(1); }

 private:
  SEXP cell_ = R_NilValue;
  PROTECT_INDEX at_;
};

// A handle that the shim gives, in a cell; NULL if there is none. `ask` gets the place for the handle.
template <class Handle, class Ask>
SEXP asked(Kind kind, Ask&& ask, SEXP frame = nullptr) {
  Cell cell;
  Handle* handle = nullptr;
  SEXP out = operate(
      [&] {
        cell.make(kind);
        return ask(&handle);
      },
      [&] {
        set_handle(cell.make(kind), handle);
        return handle ? cell.make(kind) : R_NilValue;
      },
      Repeat::no, frame);
  cell.release();
  return out;
}

// The R value of a result of the shim. The arena is released in any case, also if this fails.
inline SEXP finish(ts_value* value, ts_arena* arena, Int64 ints = Int64::exact) {
  SEXP guard = PROTECT(new_cell(Kind::arena));
  set_handle(guard, arena);
  SEXP out = PROTECT(to_sexp(*value, ints));
  set_handle(guard, nullptr);
  shim().ts_arena_release(arena);
  UNPROTECT(2);
  return out;
}

// The R value of what the shim gives. `answer` gets the places for the value and its arena.
template <class Answer>
SEXP answered(Answer&& answer, Int64 ints = Int64::exact) {
  ts_value out;
  ts_arena* arena = nullptr;
  return operate([&] { return answer(&out, &arena); }, [&] { return finish(&out, arena, ints); });
}

// The same, but `take` makes the R value.
template <class Answer, class Take>
SEXP answered(Answer&& answer, Take&& take) {
  ts_value out;
  ts_arena* arena = nullptr;
  SEXP guard = PROTECT(new_cell(Kind::arena));
  SEXP result = operate([&] { return answer(&out, &arena); },
                        [&] {
                          set_handle(guard, arena);
                          return take(out);
                        });
  UNPROTECT(1);
  return result;
}
