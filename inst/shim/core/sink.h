// Sinks for bytes: a file that gets its name when it is whole, or memory.
#pragma once
#include <filesystem>
#include <fstream>
#include <string>

namespace shim {

std::string words_of(int error);
std::filesystem::path path_of(const char* utf8);

// A sink that LibTorch's writer writes to. It never fails: an exception in the destructor of LibTorch's writer would
// end the process. It notes the problem instead, and check() throws it.
class Sink {
 public:
  virtual ~Sink() = default;
  size_t operator()(const void* data, size_t n) noexcept {
    if (problem_.empty()) {
      try {
        errno = 0;
        if (!write(static_cast<const char*>(data), n)) problem_ = errno ? words_of(errno) : "writing failed";
      } catch (const std::exception& e) {
        problem_ = e.what();
      }
    }
    return n;
  }
  void check() const;

 protected:
  virtual bool write(const char* data, size_t n) = 0;

 private:
  std::string problem_;
};

class MemorySink final : public Sink {
 public:
  std::string bytes;

 protected:
  bool write(const char* data, size_t n) override {
    bytes.append(data, n);
    return true;
  }
};

// A file that gets its name only when finish() is called. Until then it lies in the same folder under a name that holds
// the id of the process. What a killed process has left there is known by that and removed by the next one that writes
// the same file.
class FileSink final : public Sink {
 public:
  explicit FileSink(const char* target);
  ~FileSink() override;
  void finish();

 protected:
  bool write(const char* data, size_t n) override;

 private:
  std::filesystem::path folder() const;
  std::string prefix() const;
  void remove_leftovers() const;

  std::filesystem::path target_, file_;
  std::ofstream stream_;
  bool direct_ = false, done_ = false;
};

}  // namespace shim
