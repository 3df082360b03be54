#include "fuse/library.h"

#include "core/pch.h"

#include <c10/util/hash.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <deque>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>
#include <unordered_map>

#include "core/boundary.h"
#include "core/stop.h"
#include "guard/crc32.h"
#include "torch_shim.h"

#ifdef _WIN32
#include <process.h>
#include <windows.h>
#else
#include <dlfcn.h>
#include <unistd.h>
#endif

#if defined(_MSC_VER)
#include <intrin.h>
#elif defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#elif defined(__linux__)
#include <sys/auxv.h>
#endif

namespace shim::fuse {
namespace {

const char* const kMath =
#include "fuse/kernel-math.h"
    ;

const char* const kExport = "#ifdef _WIN32\n#define EXPORT __declspec(dllexport)\n#else\n#define EXPORT\n#endif\n";

struct Host {
  ts_compile_kernel compile = nullptr;
  std::string folder, identity;
};

// The state of the library. It is not destroyed at exit, when the thread may be at work. A fork gets a new one: it has no thread.
struct State {
  long process = 0;
  std::mutex lock;
  std::condition_variable changed;
  std::unordered_map<std::string, Compiled*> kernels;  // by their keys
  std::unordered_map<std::string, Compiled*> by_text;
  std::deque<Compiled*> queue;
  size_t waiting = 0;  // in the queue or being made
  bool has_thread = false;
  int64_t made = 0, found = 0, failed = 0;
};

long process_id() {
#ifdef _WIN32
  return _getpid();
#else
  return getpid();
#endif
}

Host& host() {
  static Host& it = *new Host();
  return it;
}
std::atomic<Mode> chosen{Mode::off};
thread_local bool at_once = false;

State& state() {
  static std::atomic<State*> here{nullptr};
  State* now = here;
  if (now && now->process == process_id()) return *now;
  auto* made = new State();
  made->process = process_id();
  // The machine code of the parent process is usable: it was copied with the process.
  if (now) {
    for (const auto& [key, kernel] : now->kernels)
      if (kernel->function) made->kernels[key] = kernel;
  }
  if (!here.compare_exchange_strong(now, made)) {
    delete made;
    return *now;
  }
  return *made;
}

// Tells processors apart for which the compiler's `-march=native` makes different code.
std::string processor() {
  std::ostringstream out;
#if defined(_MSC_VER) || defined(__x86_64__) || defined(__i386__)
  for (const unsigned leaf : {0u, 1u, 7u}) {
    unsigned a = 0, b = 0, c = 0, d = 0;
#if defined(_MSC_VER)
    int registers[4];
    __cpuidex(registers, static_cast<int>(leaf), 0);
    a = registers[0], b = registers[1], c = registers[2], d = registers[3];
#else
    if (!__get_cpuid_count(leaf, 0, &a, &b, &c, &d)) continue;
#endif
    // The initial APIC id differs between the cores of a machine.
    if (leaf == 1) b = 0, c &= ~(1u << 27);
    out << a << "," << b << "," << c << "," << (leaf == 7 ? d & 0x00ffffff : d) << ";";
  }
#elif defined(__linux__)
  out << getauxval(AT_HWCAP) << "," << getauxval(AT_HWCAP2);
#else
  out << "other";
#endif
  return out.str();
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return in ? out.str() : std::string();
}
bool write_file(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  return static_cast<bool>(out.flush());
}

#ifdef _WIN32
const char* const kExtension = ".dll";
#else
const char* const kExtension = ".so";
#endif

// The file beside a library that holds its length and checksum. Opening a damaged library can end the process.
std::string sum_of(const std::string& bytes) {
  return std::to_string(bytes.size()) + " " + std::to_string(crc32(0, bytes.data(), bytes.size()));
}

KernelFunction open_library(const std::string& path, const std::string& key) {
  const std::string bytes = read_file(path);
  if (bytes.empty() || read_file(path + ".sum") != sum_of(bytes)) return nullptr;
#ifdef _WIN32
  const HMODULE library = LoadLibraryA(path.c_str());
  const auto symbol = [&](const char* name) { return library ? reinterpret_cast<void*>(GetProcAddress(library, name)) : nullptr; };
#else
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  const auto symbol = [&](const char* name) { return library ? dlsym(library, name) : nullptr; };
#endif
  const auto* name = static_cast<const char*>(symbol("kernel_key"));
  if (!name || key != name) return nullptr;
  return reinterpret_cast<KernelFunction>(symbol("kernel"));
}

void make(Compiled& kernel) {
  const std::string base = host().folder + "/" + kernel.key, own = base + "-" + std::to_string(process_id());
  const std::string source = own + ".c", made = own + kExtension, target = base + kExtension;
  KernelFunction function = nullptr;
  if (write_file(source, kernel.source) && host().compile(source.c_str(), made.c_str()) == 0) {
    const std::string bytes = read_file(made);
    if (!bytes.empty() && write_file(made + ".sum", sum_of(bytes))) {
      std::remove((target + ".sum").c_str());
      std::remove(target.c_str());
      if (std::rename(made.c_str(), target.c_str()) == 0 && std::rename((made + ".sum").c_str(), (target + ".sum").c_str()) == 0)
        function = open_library(target, kernel.key);
    }
  }
  for (const std::string& path : {source, made, made + ".sum"}) std::remove(path.c_str());
  State& it = state();
  const std::lock_guard<std::mutex> hold(it.lock);
  if (function) {
    kernel.function = function;
    ++it.made;
  } else {
    kernel.failed = true;
    ++it.failed;
  }
  kernel.source.clear();
}

void work() {
  State& it = state();
  std::unique_lock<std::mutex> hold(it.lock);
  for (;;) {
    if (it.queue.empty()) {
      it.has_thread = false;
      return;
    }
    Compiled* const kernel = it.queue.front();
    it.queue.pop_front();
    hold.unlock();
    make(*kernel);
    hold.lock();
    --it.waiting;
    it.changed.notify_all();
  }
}

// Makes the entry of a kernel that is asked for for the first time. The state is locked.
Compiled* kernel_of(State& it, const std::string& text) {
  const std::string key = c10::sha1(kMath + text + "\n" + host().identity + "\n" + processor()).str();
  Compiled*& kernel = it.kernels[key];
  if (kernel) return kernel;
  kernel = new Compiled();
  kernel->key = key;
  kernel->source = std::string(kExport) + kMath + text + "EXPORT const char kernel_key[] = \"" + key + "\";\n";
  if (const auto function = open_library(host().folder + "/" + key + kExtension, key)) {
    kernel->function = function;
    ++it.found;
    return kernel;
  }
  it.queue.push_back(kernel);
  ++it.waiting;
  if (!it.has_thread) {
    it.has_thread = true;
    std::thread(work).detach();
  }
  return kernel;
}

}  // namespace

bool is_at_once() { return at_once; }
void set_at_once(bool value) { at_once = value; }

Mode mode() { return chosen; }
void set_mode(Mode value) { chosen = host().compile ? value : Mode::off; }

Compiled* compiled(const std::string& text) {
  State& it = state();
  const std::lock_guard<std::mutex> hold(it.lock);
  Compiled*& known = it.by_text[text];
  if (!known) known = kernel_of(it, text);
  return known;
}

void wait_for_kernels() {
  State& it = state();
  std::unique_lock<std::mutex> hold(it.lock);
  while (it.waiting > 0) {
    it.changed.wait_for(hold, std::chrono::milliseconds(50));
    hold.unlock();
    stop_if_asked();
    hold.lock();
  }
}

}  // namespace shim::fuse

using shim::guarded;

int ts_fuser_set_compiler(ts_compile_kernel compile, const char* folder, const char* identity) {
  return guarded([&] {
    TORCH_CHECK(!shim::fuse::host().compile, "the compiler of kernels is known already");
    shim::fuse::host() = {compile, folder, identity};
    shim::fuse::set_mode(shim::fuse::Mode::on);
  });
}

int ts_fuser_wait(void) {
  return guarded([] { shim::fuse::wait_for_kernels(); });
}

int ts_fuser_counts(int64_t* counts) {
  return guarded([&] {
    auto& it = shim::fuse::state();
    const std::lock_guard<std::mutex> hold(it.lock);
    counts[0] = it.made;
    counts[1] = it.found;
    counts[2] = it.failed;
    counts[3] = static_cast<int64_t>(it.waiting);
  });
}

int ts_fuser_at_once(int at_once) {
  return guarded([&] { shim::fuse::set_at_once(at_once != 0); });
}
