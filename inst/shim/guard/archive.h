// A zip archive, which may be damaged or hostile, with the interface that LibTorch's reader needs. LibTorch believes
// what an archive says and compares no checksums. Here the directory is checked before LibTorch reads anything, and the
// bytes of each entry when LibTorch reads them. An archive may be used by one thread at a time.
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

// Bytes that are read by position. read() returns how many it could read.
class Bytes {
 public:
  virtual ~Bytes() = default;
  virtual uint64_t size() const = 0;
  virtual size_t read(uint64_t at, void* to, size_t n) = 0;
};

// The bytes of a file. It is read and not mapped: if another process cuts a mapped file, R ends with SIGBUS. Mapping
// would not save a copy either, since LibTorch wants the bytes in memory of its own.
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

// Bytes in memory of the caller, which must outlive the object.
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
  std::string name;  // includes the root folder of the archive
  uint64_t header, data, packed_size, size;
  uint32_t crc;
  uint16_t flags, method;
  bool checked;
  bool is_packed() const { return method != 0; }
};

class Archive final : public caffe2::serialize::ReadAdapterInterface {
 public:
  // Checks the directory. Throws an error that says what is wrong with it.
  explicit Archive(std::unique_ptr<Bytes> bytes);
  // Throws if the archive holds anything else than a TorchScript program.
  void require_program() const;

  // The bytes of an entry, checked. LibTorch unpacks a packed one, within the size that the directory gives.
  std::string contents(const Entry& entry);
  // Copies the bytes of an entry that is not packed to `to`, which has room for `size` bytes, and checks them.
  void copy(const Entry& entry, void* to);
  // LibTorch's reader of this archive.
  caffe2::serialize::PyTorchStreamReader& reader();
  // Checks the entries that have not been read.
  void check_rest();
  // Throws the problem that was found while LibTorch was reading, if there was one. LibTorch's own error would only say
  // that reading failed.
  void throw_failure() const;

  const std::string& root() const { return root_; }
  const std::vector<Entry>& entries() const { return entries_; }
  // The entry of this name, which does not include the root folder; NULL if there is none.
  const Entry* find(const std::string& name) const;

  size_t size() const override { return static_cast<size_t>(bytes_->size()); }
  // Returns fewer than n bytes if the checksum of an entry is wrong: LibTorch then gives up.
  size_t read(uint64_t at, void* to, size_t n, const char* what = "") const override;

 private:
  std::string read_all(uint64_t at, uint64_t n) const;
  uint64_t read_end();
  void read_directory(const std::string& directory, uint64_t count);
  void check_local_header(Entry& entry, uint64_t& end) const;
  // Copies the bytes of an entry to `to`, which may be NULL, and checks them. Notes a problem in failure_.
  bool copy_checked(Entry& entry, char* to) const;
  void fail(const Entry& entry, const char* problem) const;

  std::unique_ptr<Bytes> bytes_;
  std::unique_ptr<caffe2::serialize::PyTorchStreamReader> reader_;
  std::string root_;
  mutable std::vector<Entry> entries_;  // sorted by position in the file
  std::unordered_map<std::string, size_t> index_;
  mutable std::string failure_;
};

}  // namespace shim
