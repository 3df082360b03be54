// Recordings of operators, and the steps of a training that are made of them.
#include <cstdio>

#include "jit.h"

namespace {

ts_tape* tape_of(SEXP x) { return static_cast<ts_tape*>(handle_of(x, Kind::tape, "tape")); }
ts_tape* tape_or_none(SEXP x) { return x == R_NilValue ? nullptr : tape_of(x); }

SEXP part(SEXP list, R_xlen_t i) { return VECTOR_ELT(list, i); }

}  // namespace

// [[Rcpp::export(rng = false)]]
SEXP cpp_record_begin(SEXP inputs) {
  const void* memory = vmaxget();
  size_t n;
  ts_tensor** all = tensors_of(inputs, "inputs", &n);
  operate([&] { return shim().ts_record_begin(all, n); });
  vmaxset(memory);
  return R_NilValue;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_record_give_up() {
  ts_tape* none;
  check(shim().ts_record_end(nullptr, &none));
  return R_NilValue;
}

// `targets` is a list, with NULL for no target. `numbers` is list(op, of, value); `of` holds three operands for each
// number, counted from 1, 0 for none. `following` tells for each given number which number it is at the next run,
// counted from 1, 0 for itself.
// [[Rcpp::export(rng = false)]]
SEXP cpp_record_end(SEXP results, SEXP targets, SEXP numbers, SEXP following, SEXP undo) {
  const void* memory = vmaxget();
  ts_recorded wanted{};
  size_t n_targets;
  wanted.results = tensors_of(results, "results", &wanted.n_results);
  wanted.targets = tensors_of(targets, "targets", &n_targets, Nulls::allowed);
  SEXP op = part(numbers, 0), of = part(numbers, 1), value = part(numbers, 2);
  wanted.n_numbers = static_cast<size_t>(XLENGTH(op));
  auto* all = reinterpret_cast<ts_number*>(R_alloc(wanted.n_numbers + 1, sizeof(ts_number)));
  for (size_t i = 0; i < wanted.n_numbers; ++i) {
    all[i].op = INTEGER(op)[i];
    for (size_t k = 0; k < 3; ++k) all[i].of[k] = INTEGER(of)[3 * i + k] - 1;
    all[i].value = REAL(value)[i];
  }
  wanted.numbers = all;
  wanted.n_given = static_cast<size_t>(XLENGTH(following));
  auto* follow = reinterpret_cast<int32_t*>(R_alloc(wanted.n_given + 1, sizeof(int32_t)));
  for (size_t i = 0; i < wanted.n_given; ++i) follow[i] = INTEGER(following)[i] - 1;
  wanted.next = follow;
  wanted.undo = Rf_asLogical(undo) == TRUE;
  SEXP out = asked<ts_tape>(Kind::tape, [&](ts_tape** tape) { return shim().ts_record_end(&wanted, tape); });
  vmaxset(memory);
  return out;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_tape_difference(SEXP one, SEXP other) {
  return answered([&](ts_value* value, ts_arena** arena) {
    return shim().ts_tape_difference(tape_of(one), tape_of(other), value, arena);
  });
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_tape_text(SEXP tape) {
  return answered([&](ts_value* value, ts_arena** arena) { return shim().ts_tape_text(tape_of(tape), value, arena); });
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_gradients_anew(SEXP loss, SEXP params) {
  const void* memory = vmaxget();
  size_t n;
  ts_tensor** all = tensors_of(params, "params", &n);
  operate([&] { return shim().ts_gradients_anew(tensor_of(loss, "loss"), all, n); });
  vmaxset(memory);
  return R_NilValue;
}

// Text that is equal for batches that the same tape can run: of the batch, of the modes of all modules, whose `selves` are given,
// and of which parameters in the groups of the optimizer require gradients.
RcppExport SEXP C_batch_key(SEXP batch, SEXP selves, SEXP groups) {
  static SEXP training = Rf_install("training");
  const void* memory = vmaxget();
  size_t n;
  ts_tensor** all = tensors_of(batch, "batch", &n);
  size_t room = 16 + static_cast<size_t>(XLENGTH(selves));
  const R_xlen_t n_groups = XLENGTH(groups);
  auto** params = reinterpret_cast<ts_tensor***>(R_alloc(static_cast<size_t>(n_groups) + 1, sizeof(ts_tensor**)));
  auto* n_params = reinterpret_cast<size_t*>(R_alloc(static_cast<size_t>(n_groups) + 1, sizeof(size_t)));
  for (R_xlen_t i = 0; i < n_groups; ++i) {
    params[i] = tensors_of(element_of(VECTOR_ELT(groups, i), "params"), "params", &n_params[i]);
    room += 20 * n_params[i];
  }
  for (size_t i = 0; i < n; ++i) {
    ts_tensor_info info;
    check(shim().ts_tensor_describe(all[i], &info));
    room += 64 + 42 * static_cast<size_t>(info.ndim);
  }
  char* text = R_alloc(room, 1);
  size_t end = 0;
  for (size_t i = 0; i < n; ++i) {
    ts_tensor_info info;
    check(shim().ts_tensor_describe(all[i], &info));
    const auto put = [&](int n) { end += static_cast<size_t>(n); };
    put(std::snprintf(text + end, room - end, "%d %s %d:", info.dtype, info.device, info.requires_grad));
    for (int64_t k = 0; k < info.ndim; ++k)
      put(std::snprintf(text + end, room - end, "%lld/%lld ", static_cast<long long>(info.sizes[k]),
                        static_cast<long long>(info.strides ? info.strides[k] : 0)));
  }
  for (R_xlen_t i = 0; i < XLENGTH(selves); ++i)
    text[end++] = Rf_asLogical(argument_of(VECTOR_ELT(selves, i), training)) == TRUE ? 'T' : 'F';
  for (R_xlen_t i = 0; i < n_groups; ++i)
    for (size_t k = 0; k < n_params[i]; ++k) {
      ts_tensor_info info;
      check(shim().ts_tensor_describe(params[i][k], &info));
      end += static_cast<size_t>(std::snprintf(text + end, room - end, "%c%llx", info.requires_grad ? 'g' : 'n',
                                               static_cast<unsigned long long>(reinterpret_cast<uintptr_t>(params[i][k]))));
    }
  SEXP out = Rf_ScalarString(Rf_mkCharLen(text, static_cast<int>(end)));
  vmaxset(memory);
  return out;
}

// `tapes` holds the tape of gradients and that of the update, which may be NULL. Rows of `data` are taken by
// `batch_size` (0: the data are the batch), `order` (a tensor or NULL), `from` and the number of steps. `numbers`,
// `losses` and `done` are changed in place, also if the training is interrupted. Returns the last loss.
RcppExport SEXP C_train(SEXP tapes, SEXP data, SEXP batch_size, SEXP order, SEXP from, SEXP n_steps, SEXP params,
                        SEXP numbers, SEXP losses, SEXP done) {
  const void* memory = vmaxget();
  ts_training it{};
  it.gradients = tape_of(part(tapes, 0));
  it.update = tape_or_none(part(tapes, 1));
  it.data = tensors_of(data, "data", &it.n_data);
  it.batch_size = static_cast<int64_t>(Rf_asReal(batch_size));
  it.order = order == R_NilValue ? nullptr : tensor_of(order, "order");
  it.from = static_cast<int64_t>(Rf_asReal(from));
  it.n_steps = static_cast<int64_t>(Rf_asReal(n_steps));
  it.params = tensors_of(params, "params", &it.n_params);
  it.numbers = REAL(numbers);
  it.losses = losses == R_NilValue ? nullptr : REAL(losses);
  int64_t steps = 0;
  it.done = &steps;
  Cell cell;
  ts_tensor* loss = nullptr;
  SEXP out = operate(
      [&] {
        cell.make(Kind::tensor);
        const int status = shim().ts_train(&it, &loss);
        REAL(done)[0] = static_cast<double>(steps);
        return status;
      },
      [&] {
        set_handle(cell.make(Kind::tensor), loss);
        return loss ? cell.make(Kind::tensor) : R_NilValue;
      });
  cell.release();
  vmaxset(memory);
  return out;
}
