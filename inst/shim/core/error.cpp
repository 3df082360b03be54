// Statuses and messages of failures, and LibTorch's warnings. Each thread has the message of its last failed call.
#include "core/boundary.h"
#include "core/utf8.h"

#include <torch/version.h>

#include <atomic>
#include <cstring>
#include <deque>
#include <exception>
#include <mutex>
#include <new>

namespace shim {

std::atomic<bool> host_jumped{false};

namespace {
thread_local std::string last_message;
thread_local std::string last_trace;
// Takes the place of the two above when there was no memory for a copy of the message. Points to static text.
thread_local const char* last_resort = nullptr;

// LibTorch writes warnings to stderr. On threads where `keeps` is set they are queued here instead, until the host asks
// for them.
std::mutex warnings_lock;
std::deque<std::string> warnings;
std::string handed_on;
std::atomic<int> warnings_waiting{0};
static_assert(sizeof(std::atomic<int>) == sizeof(int), "the host reads the number as a plain int");
thread_local bool keeps = false;

bool keep(const std::string& message) {
  if (!keeps) return false;
  const std::lock_guard<std::mutex> hold(warnings_lock);
  warnings.push_back(valid_utf8(message));
  ++warnings_waiting;
  return true;
}

struct Keeper : c10::WarningHandler {
#if TORCH_VERSION_MAJOR >= 2
  void process(const c10::Warning& warning) override {
    if (!keep(warning.msg())) c10::WarningHandler::process(warning);
  }
#else
  void process(const c10::SourceLocation& location, const std::string& message, const bool verbatim) override {
    if (!keep(message)) c10::WarningHandler::process(location, message, verbatim);
  }
#endif
};

int remember(const std::string& message, const char* trace) {
  set_last_error(message, trace);
  return is_out_of_memory(message.c_str()) ? TS_OUT_OF_MEMORY : TS_ERROR;
}
}  // namespace

// Out-of-memory errors are known by their text: LibTorch has no exception type for them, and its interpreter turns
// every exception into a std::runtime_error.
bool is_out_of_memory(const char* message) noexcept {
  for (const char* words : {"can't allocate memory", "not enough memory", "out of memory", "std::bad_alloc"})
    if (std::strstr(message, words)) return true;
  return false;
}

void set_last_error(std::string message, std::string trace) {
  // Messages of LibTorch's compiler begin with an empty line.
  message.erase(0, message.find_first_not_of(" \n"));
  last_message = valid_utf8(message);
  last_trace = valid_utf8(trace);
  last_resort = nullptr;
}

namespace {
int status_of_exception() {
  try {
    throw;
  } catch (const HostJump&) {
    return TS_HOST_JUMP;
  } catch (const c10::Error& e) {
    return remember(e.what_without_backtrace(), e.what());
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& e) {
    return remember(e.what(), e.what());
  } catch (...) {
    return remember("unknown C++ exception", "");
  }
}
}  // namespace

int status_of_current_exception() noexcept {
  go_on_tracing();
  if (host_jumped.exchange(false)) return TS_HOST_JUMP;
  try {
    return status_of_exception();
  } catch (...) {
    // Copying the message failed as well.
    last_resort = "not enough memory";
    return TS_OUT_OF_MEMORY;
  }
}

void keep_warnings() {
  static Keeper keeper;
  keeps = true;
#if TORCH_VERSION_MAJOR >= 2
  c10::WarningUtils::set_warning_handler(&keeper);
#else
  c10::Warning::set_warning_handler(&keeper);
#endif
}

}  // namespace shim

const int* ts_warnings(void) { return reinterpret_cast<const int*>(&shim::warnings_waiting); }

const char* ts_take_warning(void) {
  const std::lock_guard<std::mutex> hold(shim::warnings_lock);
  if (shim::warnings.empty()) return nullptr;
  shim::handed_on = std::move(shim::warnings.front());
  shim::warnings.pop_front();
  --shim::warnings_waiting;
  return shim::handed_on.c_str();
}

const char* ts_contract(void) { return TS_CONTRACT; }
const char* ts_built_for(void) { return TS_BUILT_FOR; }
const char* ts_last_error(void) { return shim::last_resort ? shim::last_resort : shim::last_message.c_str(); }
const char* ts_last_error_trace(void) { return shim::last_resort ? "" : shim::last_trace.c_str(); }
