// A zip archive that may be damaged or hostile, as LibTorch's reader wants it. LibTorch believes what an archive says
// and compares no checksum; here the directory is checked before LibTorch sees anything, and the bytes of every entry
// on their way to it. No thread but the one that made it may use it.
#pragma once
#include <caffe2/serialize/inline_container.h>
#include <caffe2/serialize/read_adapter_interface.h>

#include <fstream>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/boundary.h"
#include "core/pch.h"

namespace shim {

// Bytes by position. read() gives how many it could read.
class Bytes {
 public:
  virtual ~Bytes() = default;
  virtual uint64_t size() const = 0;
  virtual size_t read(uint64_t at, void* to, size_t n) = 0;
};

// A file is read, not mapped: were it cut by another process meanwhile, a mapping would end R with SIGBUS. And reading
// puts the bytes where LibTorch wants them anyway, so that a mapping would save no copy.
class FileBytes final : public Bytes {
 public:
  // `path` is UTF-8.
  explicit FileBytes(const char* path);
  uint64_t size() const override { return size_; }
  size_t read(uint64_t at, void* to, size_t n) override;

 private:
  std::ifstream stream_;
  uint64_t size_ = 0;
};

// Borrowed memory.
class MemoryBytes final : public Bytes {
 public:
  MemoryBytes(const void* data, size_t n) : data_(static_cast<const char*>(data)), size_(n) {}
  uint64_t size() const override { return size_; }
  size_t read(uint64_t at, void* to, size_t n) override;

 private:
  const char* data_;
  size_t size_;
};

struct Entry {
  std::string name;  // with the archive's root folder
  uint64_t header, data, packed_size, size;
  uint32_t crc;
  uint16_t flags, method;
  bool checked;
  bool is_packed() const { return method != 0; }
};

class Archive final : public caffe2::serialize::ReadAdapterInterface {
 public:
  // Checks the directory; throws what is wrong with it.
  explicit Archive(std::unique_ptr<Bytes> bytes);
  // Throws if it holds anything else than a TorchScript program.
  void require_program() const;

  // An entry, unpacked by LibTorch within the bounds that the directory gives, and checked.
  std::string contents(const Entry& entry);
  // The `size` bytes of an entry that is not packed, checked.
  void copy(const Entry& entry, void* to);
  // LibTorch's reader of this archive.
  caffe2::serialize::PyTorchStreamReader& reader();
  // Checks what nobody has read yet.
  void check_rest();
  // What was found while LibTorch read. LibTorch's own error then only says that reading failed.
  void throw_failure() const;

  const std::string& root() const { return root_; }
  const std::vector<Entry>& entries() const { return entries_; }
  // By name without the root; NULL if there is none.
  const Entry* find(const std::string& name) const;

  size_t size() const override { return static_cast<size_t>(bytes_->size()); }
  // Gives fewer than n bytes where they are not what their entry's checksum says.
  size_t read(uint64_t at, void* to, size_t n, const char* what = "") const override;

 private:
  std::string read_all(uint64_t at, uint64_t n) const;
  uint64_t read_end();
  void read_directory(const std::string& directory, uint64_t count);
  void check_local_header(Entry& entry, uint64_t& end) const;
  // Copies an entry's bytes to `to` (NULL: nowhere); notes a failure.
  bool copy_checked(Entry& entry, char* to) const;
  void fail(const Entry& entry, const char* problem) const;

  std::unique_ptr<Bytes> bytes_;
  std::unique_ptr<caffe2::serialize::PyTorchStreamReader> reader_;
  std::string root_;
  mutable std::vector<Entry> entries_;  // by position in the file
  std::unordered_map<std::string, size_t> index_;
  mutable std::string failure_;
};

}  // namespace shim
