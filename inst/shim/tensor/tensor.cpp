// Copies tensors into plain memory and back, and describes them.
#include "core/uncached.h"
#include "core/value.h"
#include "tensor/unrecorded.h"

#include <ATen/ScalarOps.h>

#include <algorithm>
#include <cstring>
#include <limits>

namespace {

using shim::borrow;
using shim::give;

struct HostLayout {
  std::vector<int64_t> strides;
  bool row_major;  // also if the two orders are the same
};

HostLayout column_major(c10::IntArrayRef sizes) {
  HostLayout layout{std::vector<int64_t>(sizes.size()), true};
  int64_t step = 1, longer = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    layout.strides[i] = step;
    step *= std::max<int64_t>(sizes[i], 1);
    longer += sizes[i] > 1;
  }
  layout.row_major = longer <= 1;
  return layout;
}

template <class From, class To>
void convert(const void* from, void* to, int64_t n) {
  const From* source = static_cast<const From*>(from);
  To* target = static_cast<To*>(to);
  int64_t at = 0;
  if (shim::is_uncached(to, n * sizeof(To))) {
    // Converts in pieces of four cache lines, which stay in the first-level cache, so that one piece is stored while
    // the next is converted.
    constexpr int64_t kPiece = 256 / sizeof(To);
    alignas(64) To piece[kPiece];
    for (; at + kPiece <= n; at += kPiece) {
      for (int64_t i = 0; i < kPiece; ++i) piece[i] = static_cast<To>(source[at + i]);
      shim::store_uncached(target + at, piece, sizeof piece);
    }
    shim::finish_uncached();
  }
  for (; at < n; ++at) target[at] = static_cast<To>(source[at]);
}

void copy_bytes(const void* from, void* to, size_t n) {
  if (!shim::is_uncached(to, n)) {
    std::memcpy(to, from, n);
    return;
  }
  shim::store_uncached(to, from, n);
  shim::finish_uncached();
}

// Converts elements by plain loops, for the pairs of dtypes that R programs use often. False for others, which copy_()
// converts.
bool convert_plainly(const void* from, at::ScalarType source, void* to, at::ScalarType target, int64_t n) {
  using at::ScalarType;
  if (source == target) {
    copy_bytes(from, to, n * c10::elementSize(source));
  } else if (source == ScalarType::Double && target == ScalarType::Float) {
    convert<double, float>(from, to, n);
  } else if (source == ScalarType::Float && target == ScalarType::Double) {
    convert<float, double>(from, to, n);
  } else if (source == ScalarType::Int && target == ScalarType::Long) {
    convert<int32_t, int64_t>(from, to, n);
  } else if (source == ScalarType::Int && target == ScalarType::Bool) {
    const auto* values = static_cast<const int32_t*>(from);
    auto* flags = static_cast<bool*>(to);
    for (int64_t i = 0; i < n; ++i) flags[i] = values[i] != 0;
  } else if (source == ScalarType::Bool && target == ScalarType::Int) {
    convert<bool, int32_t>(from, to, n);
  } else {
    return false;
  }
  return true;
}

// Whether the memory is not aligned for LibTorch. R aligns small vectors to 8 bytes; kernels for complex128 need 16.
bool misaligned(const void* data, at::ScalarType dtype) {
  return dtype == at::kComplexDouble && reinterpret_cast<uintptr_t>(data) % 16 != 0;
}

constexpr const char* kReadByHost = "values of a tensor are read, on which the further course may depend";

// An integer of the dtype that is a position in no tensor. Text can hold all of them but the smallest int64.
int64_t no_position(at::ScalarType type) {
  switch (type) {
    case at::kByte: return std::numeric_limits<uint8_t>::max();
    case at::kChar: return std::numeric_limits<int8_t>::min();
    case at::kShort: return std::numeric_limits<int16_t>::min();
    case at::kInt: return std::numeric_limits<int32_t>::min();
    default: return -std::numeric_limits<int64_t>::max();
  }
}

// The tensor with memory of its own and without a pending conjugation or negation. Some derivatives are zeros that have
// no memory.
at::Tensor in_memory(const at::Tensor& tensor) {
  if (tensor._is_zerotensor()) return at::zeros(tensor.sizes(), tensor.options());
  return tensor.resolve_conj().resolve_neg();
}

}  // namespace

void ts_tensor_release(ts_tensor* tensor) {
  if (tensor) c10::raw::intrusive_ptr::decref(reinterpret_cast<at::TensorImpl*>(tensor));
}

int ts_tensor_describe(ts_tensor* handle, ts_tensor_info* out) {
  return shim::guarded([&] {
    const at::Tensor tensor = borrow(handle);
    ts_tensor_info info{};
    info.device_index = -1;
    info.defined = tensor.defined();
    if (tensor.defined()) {
      const auto sizes = tensor.sizes();
      info.ndim = static_cast<int64_t>(sizes.size());
      info.sizes = sizes.data();
      info.numel = tensor.numel();
      info.strides = tensor.layout() == at::kStrided ? tensor.strides().data() : nullptr;
      info.dtype = static_cast<int32_t>(tensor.scalar_type());
      info.layout = static_cast<int32_t>(tensor.layout());
      const auto device = tensor.device();
      info.device_index = device.index();
      std::strncpy(info.device, device.is_cpu() && !device.has_index() ? "cpu" : device.str().c_str(), sizeof(info.device) - 1);
      info.requires_grad = tensor.requires_grad();
      info.is_leaf = tensor.is_leaf();
      info.is_complex = tensor.is_complex();
      info.is_floating_point = tensor.is_floating_point();
      info.is_quantized = tensor.is_quantized();
      info.is_sparse = tensor.is_sparse();
      info.is_cuda = tensor.is_cuda();
    }
    *out = info;
  });
}

int ts_tensor_from_data(const void* data, int source, const int64_t* sizes, size_t ndim, int target, const char* device,
                        int requires_grad, int pin_memory, ts_tensor** out) {
  return shim::guarded([&] {
    const auto from = static_cast<at::ScalarType>(source);
    const auto to = static_cast<at::ScalarType>(target);
    const c10::IntArrayRef shape(sizes, ndim);
    at::Tensor tensor;
    {
      shim::Unrecorded guard;
      tensor = at::empty(shape, at::TensorOptions().dtype(to).pinned_memory(pin_memory != 0));
      const auto layout = column_major(shape);
      at::Tensor aligned;
      if (misaligned(data, from)) {
        aligned = at::empty({tensor.numel()}, from);
        std::memcpy(aligned.data_ptr(), data, aligned.nbytes());
        data = aligned.data_ptr();
      }
      if (!layout.row_major || !convert_plainly(data, from, tensor.data_ptr(), to, tensor.numel()))
        tensor.copy_(at::from_blob(const_cast<void*>(data), shape, layout.strides, at::TensorOptions().dtype(from)));
      if (device && std::strcmp(device, "cpu") != 0) tensor = tensor.to(c10::Device(device));
    }
    if (requires_grad) tensor.set_requires_grad(true);
    *out = give(std::move(tensor));
  });
}

int ts_tensor_from_number(const ts_value* number, ts_tensor* like, ts_tensor** out) {
  return shim::guarded([&] {
    shim::Unrecorded guard;
    at::Tensor tensor = c10::scalar_to_tensor(shim::to_ivalue(*number, *c10::NumberType::get()).toScalar());
    const at::Tensor other = like ? borrow(like) : at::Tensor();
    // Operators without type promotion need both dtypes alike. For operators with it this makes no difference.
    if (other.defined() && other.is_floating_point() && !tensor.is_complex())
      tensor = tensor.to(other.scalar_type());
    else if (tensor.is_floating_point() && !(other.defined() && other.scalar_type() == at::kComplexDouble))
      tensor = tensor.to(at::typeMetaToScalarType(at::get_default_dtype()));
    // Some operators of a device refuse a number on another device.
    if (other.defined() && !other.is_cpu()) tensor = at::scalar_tensor(tensor.item(), other.options().dtype(tensor.dtype()).layout(at::kStrided));
    tensor.unsafeGetTensorImpl()->set_wrapped_number(true);
    *out = give(std::move(tensor));
  });
}

int ts_tensor_to_data(ts_tensor* handle, void* data, int target) {
  return shim::guarded([&] {
    shim::note_read(kReadByHost);
    shim::Unrecorded guard;
    at::Tensor tensor = borrow(handle);
    const auto to = static_cast<at::ScalarType>(target);
    if (!tensor.device().is_cpu()) tensor = tensor.cpu();
    tensor = in_memory(tensor);
    const auto layout = column_major(tensor.sizes());
    if (layout.row_major && tensor.is_contiguous() &&
        convert_plainly(tensor.data_ptr(), tensor.scalar_type(), data, to, tensor.numel()))
      return;
    const at::Tensor aligned = misaligned(data, to) ? at::empty({tensor.numel()}, to) : at::Tensor();
    void* target_data = aligned.defined() ? aligned.data_ptr() : data;
    at::from_blob(target_data, tensor.sizes(), layout.strides, at::TensorOptions().dtype(to)).copy_(tensor);
    if (aligned.defined()) std::memcpy(data, target_data, aligned.nbytes());
  });
}

int ts_tensor_from_buffer(void* data, const int64_t* sizes, size_t ndim, int dtype, void (*release)(void*),
                          void* context, ts_tensor** out) {
  return shim::guarded([&] {
    shim::Unrecorded guard;
    const std::shared_ptr<void> owner(context, release);
    TORCH_CHECK_VALUE(!misaligned(data, static_cast<at::ScalarType>(dtype)),
                      "The memory of this buffer does not begin at a multiple of 16 bytes, as complex128 needs.");
    *out = give(at::from_blob(
        data, c10::IntArrayRef(sizes, ndim), [owner](void*) {},
        at::TensorOptions().dtype(static_cast<at::ScalarType>(dtype))));
  });
}

int ts_tensor_item(ts_tensor* handle, ts_value* out) {
  return shim::guarded([&] {
    shim::note_read(kReadByHost);
    shim::Unrecorded guard;
    const at::Scalar scalar = borrow(handle).item();
    ts_value value{};
    if (scalar.isComplex()) {
      const auto z = scalar.toComplexDouble();
      value.tag = TS_COMPLEX;
      value.as.z[0] = z.real();
      value.as.z[1] = z.imag();
    } else if (scalar.isFloatingPoint()) {
      value.tag = TS_FLOAT;
      value.as.d = scalar.toDouble();
    } else if (scalar.isBoolean()) {
      value.tag = TS_BOOL;
      value.as.i = scalar.toBool();
    } else {
      value.tag = TS_INT;
      value.as.i = scalar.toLong();
    }
    *out = value;
  });
}

int ts_tensor_storage(ts_tensor* handle, uint64_t* out) {
  return shim::guarded([&] {
    const at::Tensor tensor = borrow(handle);
    *out = tensor.has_storage() ? reinterpret_cast<uint64_t>(tensor.storage().data()) : 0;
  });
}

int ts_positions_from_one(ts_tensor* handle, ts_tensor** out) {
  return shim::guarded([&] {
    at::Tensor positions = borrow(handle);
    const bool is_index = at::isIntegralType(positions.scalar_type(), false);
    TORCH_CHECK(is_index, "positions must be integers, not ", positions.scalar_type());
    {
      shim::Unrecorded guard;
      TORCH_CHECK(positions.device().is_meta() || !positions.eq(0).any().item<bool>(),
                  "Indexing starts at 1 but found a 0.");
    }
    const at::Tensor shift = positions.gt(0).to(positions.scalar_type());
    // The program will get other positions than the example's: a 0 becomes a position that no tensor has.
    if (torch::jit::tracer::isTracing())
      positions = positions.masked_fill(positions.eq(0), no_position(positions.scalar_type()));
    *out = give(positions - shift);
  });
}

int ts_positions_to_one(ts_tensor* handle, ts_tensor** out) {
  return shim::guarded([&] { *out = give(borrow(handle) + 1); });
}
