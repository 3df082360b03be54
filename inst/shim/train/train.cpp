// Runs tapes batch after batch: the steps of a training.
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
      // As in a loop that sets gradients to zero and adds to them.
      if (!grad.defined() && leaves[i].grad().defined()) grad = at::zeros_like(leaves[i]);
      // Each gradient gets memory of its own, so that changing one in place changes no other, laid out as its
      // parameter: operators for lists of tensors go through memory in order.
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

// The rows of a batch, as new tensors: the last batch may have another size.
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
    // Gives the parameters their gradients. Only whole steps are done, also where the host stops the training.
    const auto show = [&] {
      if (results.empty()) return;
      for (size_t i = 0; i < params.size(); ++i) params[i].mutable_grad() = results[i + 1];
    };
    // A loss on the CPU is read at once. Reading one from another device would wait for that, so it is read at the end.
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
