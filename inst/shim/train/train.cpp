// Steps of a training: tapes run batch after batch.
#include "core/host.h"
#include "core/value.h"
#include "train/recorder.h"

#include <unordered_set>

using shim::Arena;
using shim::guarded;
using shim::guarded_result;

void ts_tape_release(ts_tape* tape) { delete tape; }

int ts_tape_difference(const ts_tape* one, const ts_tape* other, ts_value* out, ts_arena** arena) {
  return guarded_result(out, arena, [&](ts_value& value, Arena& own) {
    shim::from_ivalue(c10::IValue(shim::difference(*one, *other)), nullptr, value, own);
  });
}

int ts_tape_text(const ts_tape* tape, ts_value* out, ts_arena** arena) {
  return guarded_result(out, arena, [&](ts_value& value, Arena& own) {
    shim::from_ivalue(c10::IValue(shim::text_of(*tape)), nullptr, value, own);
  });
}

int ts_gradients_anew(ts_tensor* loss, ts_tensor* const* params, size_t n) {
  return guarded([&] {
    const auto leaves = shim::borrow_all(params, n);
    std::vector<at::Tensor> grads;
    shim::run_engine([&] { grads = torch::autograd::grad({shim::borrow(loss)}, leaves, {}, false, false, true); });
    const at::NoGradGuard no_grad;
    std::unordered_set<const void*> taken;
    for (size_t i = 0; i < n; ++i) {
      at::Tensor grad = grads[i];
      // As where gradients are set to zero and added up.
      if (!grad.defined() && leaves[i].grad().defined()) grad = at::zeros_like(leaves[i]);
      // What changes gradients in place must not change another one, and operators for lists go through memory in order.
      if (grad.defined() && grad.layout() == at::kStrided &&
          (grad.strides() != leaves[i].strides() || !taken.insert(grad.storage().unsafeGetStorageImpl()).second)) {
        at::Tensor own = at::empty_strided(leaves[i].sizes(), leaves[i].strides(), grad.options());
        own.copy_(grad);
        grad = own;
      }
      leaves[i].mutable_grad() = grad;
    }
  });
}

namespace {

// The rows of a batch. Whole batches are made anew, as the last one is of another size.
std::vector<at::Tensor> rows(const std::vector<at::Tensor>& data, const at::Tensor& order, int64_t from, int64_t size) {
  std::vector<at::Tensor> out;
  out.reserve(data.size());
  if (order.defined()) {
    const at::Tensor which = order.narrow(0, from, size);
    for (const auto& it : data) out.push_back(at::index_select(it, 0, which));
  } else {
    for (const auto& it : data) out.push_back(it.narrow(0, from, size));
  }
  return out;
}

}  // namespace

int ts_train(const ts_training* it, ts_tensor** loss) {
  *it->done = 0;
  return guarded([&] {
    const shim::Plainly plainly;
    const auto data = shim::borrow_all(it->data, it->n_data);
    const auto params = shim::borrow_all(it->params, it->n_params);
    const at::Tensor order = it->order ? shim::borrow(it->order) : at::Tensor();
    std::vector<at::Tensor> results;
    // What was done is whole steps, also where the host wants no more.
    const auto show = [&] {
      if (results.empty()) return;
      for (size_t i = 0; i < params.size(); ++i) params[i].mutable_grad() = results[i + 1];
    };
    // On the CPU a loss is read where it lies, elsewhere when all is done.
    std::vector<at::Tensor> waiting;
    const auto note = [&](int64_t i) {
      if (!it->losses) return;
      if (results[0].is_cpu())
        it->losses[i] = results[0].item<double>();
      else
        waiting.push_back(results[0].clone());
    };
    const auto finish = [&] {
      show();
      for (size_t i = 0; i < waiting.size(); ++i) it->losses[i] = waiting[i].item<double>();
    };
    try {
      for (int64_t i = 0; i < it->n_steps; ++i) {
        if (i > 0) {
          const shim::Stoppable here;
          shim::look_for_stop();
        }
        results = it->gradients->run(
            it->batch_size > 0 ? rows(data, order, it->from + i * it->batch_size, it->batch_size) : data, nullptr);
        if (it->update) {
          const auto first = results.begin() + 1;
          it->update->run({first, first + static_cast<std::ptrdiff_t>(params.size())}, it->numbers);
        }
        note(i);
        *it->done = i + 1;
      }
    } catch (...) {
      finish();
      throw;
    }
    finish();
    *loss = results.empty() ? nullptr : shim::give(results[0].clone());
  });
}
