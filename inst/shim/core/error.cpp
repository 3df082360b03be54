// Messages of the last failed call, one for each thread.
#include "core/boundary.h"

#include <torch/version.h>

#include <deque>
#include <exception>
#include <new>

namespace shim {

std::atomic<bool> host_jumped{false};

namespace {
thread_local std::string last_message;
thread_local std::string last_trace;

// LibTorch would write its warnings to stderr; here they wait until the host asks for them.
std::deque<std::string> warnings;
std::string taken;
int waiting = 0;
thread_local bool keeps = false;

bool keep(const std::string& message) {
  if (!keeps) return false;
  warnings.push_back(message);
  ++waiting;
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

bool is_out_of_memory(const c10::Error& e) {
  const std::string text = e.what_without_backtrace();
  return text.find("can't allocate memory") != std::string::npos ||
         text.find("not enough memory") != std::string::npos || text.find("out of memory") != std::string::npos;
}
}  // namespace

void set_last_error(std::string message, std::string trace) {
  // The compiler's messages begin with an empty line.
  message.erase(0, message.find_first_not_of(" \n"));
  last_message = std::move(message);
  last_trace = std::move(trace);
}

int status_of_current_exception() noexcept {
  go_on_tracing();
  if (host_jumped.exchange(false)) return TS_HOST_JUMP;
  try {
    throw;
  } catch (const HostJump&) {
    return TS_HOST_JUMP;
  } catch (const c10::Error& e) {
    set_last_error(e.what_without_backtrace(), e.what());
    return is_out_of_memory(e) ? TS_OUT_OF_MEMORY : TS_ERROR;
  } catch (const std::bad_alloc&) {
    set_last_error("not enough memory", "");
    return TS_OUT_OF_MEMORY;
  } catch (const std::exception& e) {
    set_last_error(e.what(), e.what());
    return TS_ERROR;
  } catch (...) {
    set_last_error("unknown C++ exception", "");
    return TS_ERROR;
  }
}

// Other threads go on writing to stderr.
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

const int* ts_warnings(void) { return &shim::waiting; }

const char* ts_take_warning(void) {
  if (shim::warnings.empty()) return nullptr;
  shim::taken = std::move(shim::warnings.front());
  shim::warnings.pop_front();
  --shim::waiting;
  return shim::taken.c_str();
}

const char* ts_contract(void) { return TS_CONTRACT; }
const char* ts_built_for(void) { return TS_BUILT_FOR; }
const char* ts_last_error(void) { return shim::last_message.c_str(); }
const char* ts_last_error_trace(void) { return shim::last_trace.c_str(); }
