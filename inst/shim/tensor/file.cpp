// Writes the bytes of tensors to files and to memory, and reads them.
#include <cerrno>
#include <cstring>
#include <fstream>

#include "core/boundary.h"
#include "core/sink.h"
#include "core/value.h"
#include "tensor/unrecorded.h"

using shim::borrow;

namespace {

// A large tensor that is not contiguous is copied in pieces of so many bytes.
constexpr int64_t kPiece = int64_t{1} << 24;

void write_tensor(const at::Tensor& tensor, shim::Sink& sink) {
  const at::NoGradGuard no_grad;
  const at::Tensor plain = tensor.detach().resolve_conj().resolve_neg();
  const int64_t bytes = plain.numel() * static_cast<int64_t>(plain.element_size());
  if (plain.is_cpu() && plain.is_contiguous()) {
    sink(plain.data_ptr(), static_cast<size_t>(bytes));
    return;
  }
  const int64_t rows = plain.dim() > 0 ? plain.size(0) : 0;
  const int64_t at_once = rows > 0 ? std::max<int64_t>(1, kPiece / std::max<int64_t>(1, bytes / rows)) : 0;
  if (rows <= at_once) {
    const at::Tensor copy = plain.cpu().contiguous();
    sink(copy.data_ptr(), static_cast<size_t>(bytes));
    return;
  }
  for (int64_t row = 0; row < rows; row += at_once) {
    const at::Tensor copy = plain.narrow(0, row, std::min(at_once, rows - row)).cpu().contiguous();
    sink(copy.data_ptr(), static_cast<size_t>(copy.numel()) * copy.element_size());
  }
}

void write_parts(const ts_part* parts, size_t n, shim::Sink& sink) {
  for (size_t i = 0; i < n; ++i) {
    if (parts[i].tensor)
      write_tensor(borrow(parts[i].tensor), sink);
    else
      sink(parts[i].data, parts[i].size);
  }
  sink.check();
}

// A file or memory from which the bytes of tensors are read.
class Source {
 public:
  Source(const char* path, const void* bytes, size_t size) : bytes_(static_cast<const char*>(bytes)), size_(size) {
    if (!path) return;
    const auto file = shim::path_of(path);
    errno = 0;
    stream_.open(file, std::ios::binary);
    TORCH_CHECK(stream_, errno ? shim::words_of(errno) : "it can't be opened");
    size_ = static_cast<uint64_t>(std::filesystem::file_size(file));
  }
  void read(uint64_t offset, void* to, uint64_t n) {
    TORCH_CHECK(offset <= size_ && n <= size_ - offset, "it ends before a tensor does");
    if (n == 0) return;
    if (bytes_) {
      std::memcpy(to, bytes_ + offset, n);
      return;
    }
    stream_.seekg(static_cast<std::streamoff>(offset));
    stream_.read(static_cast<char*>(to), static_cast<std::streamsize>(n));
    TORCH_CHECK(stream_, "it could not be read to the end");
  }
  uint64_t size() const { return size_; }

 private:
  const char* bytes_;
  uint64_t size_;
  std::ifstream stream_;
};

at::Tensor read_piece(const ts_piece& piece, Source& source) {
  const at::IntArrayRef sizes(piece.sizes, piece.ndim);
  const auto dtype = static_cast<at::ScalarType>(piece.dtype);
  // A tensor that is larger than the file is not allocated.
  uint64_t bytes = c10::elementSize(dtype);
  for (const int64_t size : sizes) {
    TORCH_CHECK(size >= 0 && (size == 0 || bytes <= source.size() / static_cast<uint64_t>(size)), "it ends before a tensor does");
    bytes *= static_cast<uint64_t>(size);
  }
  at::Tensor out = at::empty(sizes, at::TensorOptions().dtype(dtype));
  source.read(piece.offset, out.data_ptr(), bytes);
  if (dtype == at::kBool) {
    // A bool must be the byte 0 or 1: compilers rely on it.
    auto* values = static_cast<unsigned char*>(out.data_ptr());
    for (uint64_t i = 0; i < bytes; ++i) values[i] = values[i] != 0;
  }
  return out;
}

}  // namespace

int ts_parts_write(const char* path, const ts_part* parts, size_t n, ts_value* out, ts_arena** arena) {
  return shim::guarded_result(out, arena, [&](ts_value& value, shim::Arena& own) {
    const shim::Unrecorded guard;
    if (path) {
      shim::FileSink sink(path);
      write_parts(parts, n, sink);
      sink.finish();
      return;
    }
    shim::MemorySink sink;
    write_parts(parts, n, sink);
    value = shim::string_value(std::move(sink.bytes), own);
  });
}

int ts_pieces_read(const char* path, const void* bytes, size_t size, const ts_piece* pieces, size_t n, const char* device,
                   ts_tensor** out) {
  return shim::guarded([&] {
    const shim::Unrecorded guard;
    Source source(path, bytes, size);
    for (size_t i = 0; i < n; ++i) {
      at::Tensor tensor = read_piece(pieces[i], source);
      if (device) tensor = tensor.to(at::Device(device));
      out[i] = shim::give(std::move(tensor));
    }
  });
}
