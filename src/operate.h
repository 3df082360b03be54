// The one way through every entry at which LibTorch works. In this order: what LibTorch let go of is given back to R, R
// collects where that is due, a running trace learns where the user's code is, the work is done, its failure becomes an R
// error, its result an R value, LibTorch's warnings become R's.
#pragma once
#include "memory.h"
#include "to-sexp.h"
#include "trace.h"

// Whether work that ran out of memory may be done once more after a collection: it must not have written anything yet.
// LibTorch's CPU allocator asks for that collection itself (src/host.cpp), so this is for the memory of other devices.
enum class Repeat { no, yes };

// `frame`: that of the operator's R function, which spares a running trace the search for it.
inline void begin_operation(SEXP frame = nullptr) {
  if (has_released_objects.load(std::memory_order_relaxed)) drain_released_objects();
  collect_if_due(shim());
  if (tracing) mark_place(frame);
}

// May jump: the result of the operation is protected by then.
inline void end_operation() {
  static const int* const warnings = shim().ts_warnings();
  if (*warnings) pass_warnings();
}

// `work` gives the shim's status; `take` makes the R value of what it gave, in cells that were made before.
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

// Work without a result.
template <class Work>
void operate(Work&& work) {
  begin_operation();
  check(work());
  end_operation();
}

// Work that is R's own as much as LibTorch's: `take` does it, checks included.
template <class Take>
SEXP operate_taking(Take&& take) {
  return operate([] { return TS_OK; }, take);
}

// The cell for a result: made before the shim is asked, so that nothing is lost if R can't allocate, but after the
// collection, which would make an old object of it.
class Cell {
 public:
  Cell() { PROTECT_WITH_INDEX(cell_, &at_); }
  SEXP make(Kind kind) {
    if (cell_ == R_NilValue) REPROTECT(cell_ = new_cell(kind), at_);
    return cell_;
  }
  // Takes it off R's stack of protected objects, from the top.
  void release() { UNPROTECT(1); }

 private:
  SEXP cell_ = R_NilValue;
  PROTECT_INDEX at_;
};

// What the shim gives, in a cell; NULL if it gives none. `ask` gets the place for the handle.
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

// A result of the shim as an R value; the arena is gone afterwards, also after an error.
inline SEXP finish(ts_value* value, ts_arena* arena, Int64 ints = Int64::exact) {
  SEXP guard = PROTECT(new_cell(Kind::arena));
  set_handle(guard, arena);
  SEXP out = PROTECT(to_sexp(*value, ints));
  set_handle(guard, nullptr);
  shim().ts_arena_release(arena);
  UNPROTECT(2);
  return out;
}

// The value that the shim gives. `answer` gets the places for it and for its arena.
template <class Answer>
SEXP answered(Answer&& answer, Int64 ints = Int64::exact) {
  ts_value out;
  ts_arena* arena = nullptr;
  return operate([&] { return answer(&out, &arena); }, [&] { return finish(&out, arena, ints); });
}

// The same where `take` makes the R value of what was given.
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
