// Programs to files and to memory.
#include <torch/csrc/jit/passes/inliner.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <locale>
#include <optional>
#include <random>
#include <sstream>
#include <system_error>

#include "guard/archive.h"
#include "core/callable.h"
#include "core/stack.h"
#include "guard/depth.h"
#include "jit/module.h"
#include "guard/program.h"
#if defined(_WIN32)
#define NOMINMAX
#include <windows.h>
#else
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
#endif

using shim::Arena;
using shim::guarded;
using shim::guarded_result;
namespace fs = std::filesystem;

namespace {

std::string words_of(int error) { return std::generic_category().message(error); }

fs::path path_of(const char* utf8) { return fs::path(reinterpret_cast<const char8_t*>(utf8)); }

// Has the system write a file, or the names in a folder, to the disk. False if that failed; what can't be flushed, such
// as a folder on some systems, is as good as it gets.
bool flush(const fs::path& path) {
#if defined(_WIN32)
  if (fs::is_directory(path)) return true;
  const HANDLE file = CreateFileW(path.c_str(), GENERIC_WRITE, 0, nullptr, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
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

// Takes LibTorch's bytes without ever failing towards it: the destructor of LibTorch's writer would end the process.
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
  void check() const { TORCH_CHECK(problem_.empty(), problem_); }

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

// A file that takes its name only when it is whole. Until then it lies beside, under a name that tells the process, so
// that what a killed one left is known and removed by the next that writes there.
class FileSink final : public Sink {
 public:
  explicit FileSink(const char* target) : target_(path_of(target)) {
    const fs::file_status status = fs::status(target_);
    // A device or a pipe can't be replaced.
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
  ~FileSink() override {
    stream_.close();
    std::error_code ignored;
    if (!direct_ && !done_) fs::remove(file_, ignored);
  }
  void finish() {
    check();
    errno = 0;
    stream_.close();
    TORCH_CHECK(stream_, errno ? words_of(errno) : "writing failed");
    if (!direct_) {
      // Before the rename, so that a power cut leaves the old file or the new one, and no empty one.
      TORCH_CHECK(flush(file_), errno ? words_of(errno) : "writing failed");
      fs::rename(file_, target_);
      flush(folder());
    }
    done_ = true;
  }

 protected:
  bool write(const char* data, size_t n) override {
    return static_cast<bool>(stream_.write(data, static_cast<std::streamsize>(n)));
  }

 private:
  fs::path folder() const { return target_.has_parent_path() ? target_.parent_path() : fs::path("."); }
  // The file ".model.pt.saving-HOST-PID-RANDOM"; the host, as folders may be shared.
  std::string prefix() const {
    const auto name = target_.filename().u8string();
    return "." + std::string(name.begin(), name.end()) + ".saving-" + host() + "-";
  }
  static std::string host() {
#if defined(_WIN32)
    return "";
#else
    char name[256] = "";
    gethostname(name, sizeof name - 1);
    return name;
#endif
  }
  static std::string suffix() {
    std::random_device random;
    const auto number = std::to_string(random());
#if defined(_WIN32)
    return "0-" + number;
#else
    return std::to_string(getpid()) + "-" + number;
#endif
  }
  static bool lives(const std::string& process) {
#if defined(_WIN32)
    // An open file can't be removed there, so nothing has to be known.
    return false;
#else
    const long id = std::strtol(process.c_str(), nullptr, 10);
    // This process writes nothing else now: an earlier one had its number.
    if (id == getpid()) return false;
    return id <= 0 || kill(static_cast<pid_t>(id), 0) == 0 || errno != ESRCH;
#endif
  }
  void remove_leftovers() const {
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

  fs::path target_, file_;
  std::ofstream stream_;
  bool direct_ = false, done_ = false;
};

// LibTorch writes whole numbers from 1e10 on without a point, and they come back as integers. Its streams take how
// numbers are written from the process's locale when they are made.
class WithPoints {
 public:
  WithPoints() : before_(std::locale::global(std::locale(std::locale(), new Numbers))) {}
  // A locale with a name would become the C library's and so the host's as well; one that was put together has none.
  ~WithPoints() { std::locale::global(std::locale(before_, new std::num_put<char>)); }
  WithPoints(const WithPoints&) = delete;
  WithPoints& operator=(const WithPoints&) = delete;

 private:
  struct Numbers : std::num_put<char> {
    iter_type do_put(iter_type to, std::ios_base& how, char, double number) const override {
      std::ostringstream text;
      text.imbue(std::locale::classic());
      text.precision(how.precision());
      text << number;
      std::string digits = text.str();
      if (digits.find_first_not_of("-0123456789") == std::string::npos && std::abs(number) >= 1e10) digits += '.';
      return std::copy(digits.begin(), digits.end(), to);
    }
  };

  std::locale before_;
};

void export_module(ts_module* module, int mobile, const ts_extra_file* extra, size_t n_extra, Sink& sink) {
  shim::complete_tree(module->module);
  torch::jit::ExtraFilesMap files;
  for (size_t i = 0; i < n_extra; ++i)
    files[extra[i].name] = std::string(static_cast<const char*>(extra[i].data), extra[i].n);
  const std::function<size_t(const void*, size_t)> writer = [&](const void* data, size_t n) { return sink(data, n); };
  const WithPoints with_points;
  torch::jit::ExportModule(module->module, writer, files, /*bytecode_format=*/mobile != 0);
  sink.check();
}

}  // namespace

int ts_module_from_function(const ts_callable* callable, ts_module** out) {
  return guarded([&] {
    TORCH_CHECK(callable->function && !callable->self, "only a script function becomes a module");
    torch::jit::Module module("PlaceholderModule");
    module.register_attribute("training", c10::BoolType::get(), true);
    const c10::FunctionSchema& schema = callable->function->getSchema();
    auto graph = torch::jit::toGraphFunction(*callable->function).graph()->copy();
    // Other functions of its unit are not in the module.
    torch::jit::Inline(*graph);
    graph->insertInput(0, "self")->setType(module._ivalue()->type());
    const auto name = c10::QualifiedName(*module.type()->name(), "forward");
    auto* forward = module._ivalue()->compilation_unit()->create_function(name, graph);
    // With the names and defaults of its arguments, which the graph does not have.
    std::vector<c10::Argument> arguments{c10::Argument("self", module.type())};
    arguments.insert(arguments.end(), schema.arguments().begin(), schema.arguments().end());
    forward->setSchema(c10::FunctionSchema(forward->name(), "", std::move(arguments), schema.returns()));
    module.type()->addMethod(forward);
    *out = new ts_module{module};
  });
}

int ts_module_save(ts_module* module, const char* path, int mobile, const ts_extra_file* extra, size_t n_extra) {
  return guarded([&] {
    FileSink sink(path);
    export_module(module, mobile, extra, n_extra, sink);
    sink.finish();
  });
}

int ts_module_serialize(ts_module* module, int mobile, const ts_extra_file* extra, size_t n_extra, ts_value* out,
                        ts_arena** arena) {
  return guarded_result(out, arena, [&](ts_value& value, Arena& own) {
    MemorySink sink;
    export_module(module, mobile, extra, n_extra, sink);
    value = shim::string_value(std::move(sink.bytes), own);
  });
}
