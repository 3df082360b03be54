// Conversion between ts_value and LibTorch's IValue, guided by the types of what is called. It is the only conversion
// in the shim: operators, TorchScript functions, methods, inputs and outputs of traces, and attributes all use it.
#pragma once
#include "core/boundary.h"
#include "core/pch.h"

#include <deque>
#include <memory>
#include <optional>

// Owns what a result points to: strings, items and handles. Small pieces share a few blocks of memory. A handle that
// the host has taken over is NULL by the time the arena is released.
struct ts_arena {
  ts_arena() = default;
  ts_arena(const ts_arena&) = delete;
  ts_arena& operator=(const ts_arena&) = delete;
  ~ts_arena();

  ts_value* new_items(size_t n);
  const char* keep(std::string text);
  // Memory for plain data, not initialised.
  template <class T>
  T* allocate(size_t n) {
    return static_cast<T*>(take(n * sizeof(T)));
  }

 private:
  struct Items {
    Items* next;
    size_t n;
  };
  void* take(size_t bytes);

  Items* items_ = nullptr;
  std::vector<std::string> long_strings_;
  std::vector<std::unique_ptr<char[]>> blocks_;
  size_t left_ = sizeof first_;
  char* at_ = first_;
  // The first block is part of the arena: most results need no other.
  alignas(16) char first_[960];
};

struct ts_module {
  torch::jit::Module module;
};

struct ts_generator {
  at::Generator generator;
};

struct ts_object {
  c10::IValue value;
};

namespace shim {

// A handle is a pointer to the TensorImpl and owns one reference to it. borrow() adds a reference; give() hands one
// over.
inline at::Tensor borrow(ts_tensor* handle) {
  return at::Tensor(
      c10::intrusive_ptr<at::TensorImpl, at::UndefinedTensorImpl>::reclaim_copy(reinterpret_cast<at::TensorImpl*>(handle)));
}
inline ts_tensor* give(at::Tensor tensor) { return reinterpret_cast<ts_tensor*>(tensor.unsafeReleaseTensorImpl()); }

std::vector<at::Tensor> borrow_all(ts_tensor* const* handles, size_t n);

// Makes the arena of one result when the first string or item needs it.
class Arena {
 public:
  ts_arena& get() {
    if (!arena_) arena_ = std::make_unique<ts_arena>();
    return *arena_;
  }
  ts_arena* release() { return arena_.release(); }

  // Counts levels of nesting: a list of Any may hold itself.
  class Level {
   public:
    explicit Level(Arena& arena) : depth_(arena.depth_) {
      TORCH_CHECK(++depth_ <= 500, "a value is nested more than 500 levels deep, or holds itself");
    }
    ~Level() { --depth_; }

   private:
    int& depth_;
  };

 private:
  int depth_ = 0;
  std::unique_ptr<ts_arena> arena_;
};

// Converts to `type`. Where that is Any or a type variable, the tag of the value decides.
c10::IValue to_ivalue(const ts_value& value, const c10::Type& type);
// Converts to the type that the value has by itself, as for the inputs of a trace.
c10::IValue to_natural_ivalue(const ts_value& value);

// `type` is the declared type of the value. NULL: the value tells its type itself.
void from_ivalue(c10::IValue value, const c10::Type* type, ts_value& out, Arena& arena);
inline void from_ivalue(c10::IValue value, ts_value& out, Arena& arena) {
  from_ivalue(std::move(value), nullptr, out, arena);
}
ts_value string_value(std::string text, Arena& arena);
ts_value string_list(const std::vector<std::string>& strings, Arena& arena);

// Runs a body that fills a result. The host gets the arena only if the body succeeded.
template <class Body>
int guarded_result(ts_value* out, ts_arena** arena, Body&& body) noexcept {
  return guarded([&] {
    Arena own;
    ts_value value{};
    body(value, own);
    *out = value;
    *arena = own.release();
  });
}

}  // namespace shim
