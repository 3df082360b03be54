// Sends what TorchScript's `print` writes to the host.
#include "core/boundary.h"
#include "core/pch.h"

#include <torch/csrc/jit/runtime/print_handler.h>

#include <atomic>

namespace shim {
namespace {

std::atomic<ts_print_fn> print_to{nullptr};

void print_text(const std::string& text) {
  if (print_to.load()(text.data(), text.size()) != TS_OK) throw HostJump();
}

}  // namespace
}  // namespace shim

int ts_set_print(ts_print_fn print) {
  return shim::guarded([&] {
    shim::print_to = print;
    torch::jit::setPrintHandler(shim::print_text);
  });
}
