#include "core/sink.h"

#include <cerrno>
#include <random>
#include <system_error>

#if defined(_WIN32)
#define NOMINMAX
#include <windows.h>
#else
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
#endif

namespace fs = std::filesystem;

namespace shim {

std::string words_of(int error) { return std::generic_category().message(error); }

fs::path path_of(const char* utf8) { return fs::path(reinterpret_cast<const char8_t*>(utf8)); }

namespace {

// Makes the system write a file, or the names in a folder, to the disk. Returns false if that failed. Some things can't
// be flushed, such as folders on some systems; that is no failure.
bool flush(const fs::path& path) {
#if defined(_WIN32)
  if (fs::is_directory(path)) return true;
  const HANDLE file =
      CreateFileW(path.c_str(), GENERIC_WRITE, 0, nullptr, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
  const bool done = file != INVALID_HANDLE_VALUE && FlushFileBuffers(file);
  if (file != INVALID_HANDLE_VALUE) CloseHandle(file);
  return done;
#else
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool failed = file >= 0 && fsync(file) != 0 && (errno == EIO || errno == ENOSPC || errno == EDQUOT);
  const int problem = errno;
  if (file >= 0) close(file);
  errno = problem;
  return !failed;
#endif
}

std::string host_name() {
#if defined(_WIN32)
  return "";
#else
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return name;
#endif
}

std::string suffix() {
  std::random_device random;
  const auto number = std::to_string(random());
#if defined(_WIN32)
  return "0-" + number;
#else
  return std::to_string(getpid()) + "-" + number;
#endif
}

// Whether the process that wrote a leftover may still be running.
bool lives(const std::string& process) {
#if defined(_WIN32)
  // Windows refuses to remove an open file, so it does not matter whether the process lives.
  return false;
#else
  const long id = std::strtol(process.c_str(), nullptr, 10);
  // This process writes one file at a time, so the leftover is from an earlier process with the same id.
  if (id == getpid()) return false;
  return id <= 0 || kill(static_cast<pid_t>(id), 0) == 0 || errno != ESRCH;
#endif
}

}  // namespace

void Sink::check() const { TORCH_CHECK(problem_.empty(), problem_); }

FileSink::FileSink(const char* target) : target_(path_of(target)) {
  const fs::file_status status = fs::status(target_);
  // A device or a pipe can't be replaced by a file: it is written to directly.
  direct_ = fs::exists(status) && !fs::is_regular_file(status);
  if (fs::exists(status) && !direct_) target_ = fs::canonical(target_);
  if (direct_) {
    file_ = target_;
  } else {
    remove_leftovers();
    file_ = target_.parent_path() / (prefix() + suffix());
  }
  errno = 0;
  stream_.open(file_, std::ios::binary | std::ios::trunc);
  TORCH_CHECK(stream_, errno ? words_of(errno) : "it can't be opened");
  std::error_code ignored;
  if (fs::exists(status) && !direct_) fs::permissions(file_, status.permissions(), ignored);
}

FileSink::~FileSink() {
  stream_.close();
  std::error_code ignored;
  if (!direct_ && !done_) fs::remove(file_, ignored);
}

void FileSink::finish() {
  check();
  errno = 0;
  stream_.close();
  TORCH_CHECK(stream_, errno ? words_of(errno) : "writing failed");
  if (!direct_) {
    // The file is flushed before it gets its name: after a power cut there is the old file or the new one, not an empty
    // one.
    TORCH_CHECK(flush(file_), errno ? words_of(errno) : "writing failed");
    fs::rename(file_, target_);
    flush(folder());
  }
  done_ = true;
}

bool FileSink::write(const char* data, size_t n) {
  return static_cast<bool>(stream_.write(data, static_cast<std::streamsize>(n)));
}

fs::path FileSink::folder() const { return target_.has_parent_path() ? target_.parent_path() : fs::path("."); }

// The beginning of the file's name until it is whole: ".model.pt.saving-HOST-PID-RANDOM". It names the host because
// several machines may share a folder.
std::string FileSink::prefix() const {
  const auto name = target_.filename().u8string();
  return "." + std::string(name.begin(), name.end()) + ".saving-" + host_name() + "-";
}

void FileSink::remove_leftovers() const {
  std::error_code ignored;
  const std::string start = prefix();
  for (fs::directory_iterator it(folder(), ignored), end; !ignored && it != end; it.increment(ignored)) {
    const auto u8 = it->path().filename().u8string();
    const std::string name(u8.begin(), u8.end());
    if (name.compare(0, start.size(), start) == 0 && !lives(name.substr(start.size()))) {
      std::error_code in_use;
      fs::remove(it->path(), in_use);
    }
  }
}

}  // namespace shim
