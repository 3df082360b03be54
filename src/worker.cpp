// What processes that load data for each other need from the system: channels, and shared memory. A message goes
// through a socket, with the descriptor of the memory in which its tensors lie. That memory has no name, or loses it
// before it is used: the system frees it when the last process that uses it has ended, however it ends.
#include <atomic>
#include <cstring>

#include "memory.h"
#include "operate.h"
#include "values.h"

#ifndef _WIN32
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#ifdef __linux__
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

namespace {

struct Header {
  uint64_t bytes;
  uint64_t has_memory;
};

constexpr size_t kAlign = 64;
// Smaller memory is copied and not mapped: mapping has a price, and a process may have some 65,000 mappings.
constexpr size_t kMapped = 256 << 10;

int descriptor(SEXP x) { return Rf_asInteger(x); }

// The finalizer of an R object that holds a descriptor closes it.
void close_memory(SEXP x) {
  if (R_ExternalPtrAddr(x)) close(static_cast<int>(reinterpret_cast<intptr_t>(R_ExternalPtrAddr(x))) - 1);
  R_ClearExternalPtr(x);
}
SEXP new_memory() {
  SEXP out = PROTECT(R_MakeExternalPtr(nullptr, R_NilValue, R_NilValue));
  R_RegisterCFinalizer(out, close_memory);
  UNPROTECT(1);
  return out;
}
void set_memory(SEXP x, int fd) { R_SetExternalPtrAddr(x, reinterpret_cast<void*>(static_cast<intptr_t>(fd) + 1)); }
int memory_of(SEXP x) { return static_cast<int>(reinterpret_cast<intptr_t>(R_ExternalPtrAddr(x))) - 1; }

int make_memory() {
#if defined(__linux__) && defined(SYS_memfd_create)
  return static_cast<int>(syscall(SYS_memfd_create, "torch", 1u /* close on exec */));
#else
  static unsigned count = 0;
  char name[64];
  std::snprintf(name, sizeof name, "/torch-%ld-%u", static_cast<long>(getpid()), count++);
  const int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
  shm_unlink(name);
  return fd;
#endif
}

// Mapped memory. The last tensor that uses it unmaps it, on whatever thread.
struct Region {
  std::atomic<size_t> users;
  void* begin;
  size_t size;
};
void leave_region(void* context) {
  auto* region = static_cast<Region*>(context);
  if (region->users.fetch_sub(1) > 1) return;
  munmap(region->begin, region->size);
  mapped_bytes.fetch_sub(static_cast<int64_t>(region->size), std::memory_order_relaxed);
  delete region;
}

// Memory in which tensors are made before they are written into new shared memory. Writing whole pages is faster than
// mapping them and touching each. Only Linux can write to such memory; larger messages are mapped.
#ifdef __linux__
constexpr size_t kWritten = 16 << 20;
#else
constexpr size_t kWritten = 0;
#endif
char* scratch(size_t size) {
  static void* memory = nullptr;
  static size_t room = 0;
  if (size > room) {
    std::free(memory);
    room = 0;
    if (posix_memalign(&memory, kAlign, size) != 0) {
      memory = nullptr;
      return nullptr;
    }
    room = size;
  }
  return static_cast<char*>(memory);
}

// Sends a whole message, the descriptor with its first byte. False if nobody is there to receive it.
bool send_whole(int fd, Header header, const void* data, int memory) {
  iovec parts[2] = {{&header, sizeof header}, {const_cast<void*>(data), static_cast<size_t>(header.bytes)}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (header.has_memory) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* const head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(head), &memory, sizeof memory);
  }
  while (message.msg_iovlen > 0) {
    const ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    message.msg_control = nullptr;
    message.msg_controllen = 0;
    auto left = static_cast<size_t>(sent);
    while (message.msg_iovlen > 0 && left >= message.msg_iov->iov_len) {
      left -= message.msg_iov->iov_len;
      ++message.msg_iov;
      --message.msg_iovlen;
    }
    if (message.msg_iovlen > 0) {
      message.msg_iov->iov_base = static_cast<char*>(message.msg_iov->iov_base) + left;
      message.msg_iov->iov_len -= left;
    }
  }
  return true;
}

// Receives n bytes. False at the end of the channel. `memory` is set only if a descriptor came along.
bool receive_whole(int fd, void* to, size_t n, int* memory) {
  auto* at = static_cast<char*>(to);
  while (n > 0) {
    iovec part = {at, n};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    message.msg_control = control;
    message.msg_controllen = sizeof control;
#ifdef MSG_CMSG_CLOEXEC
    const ssize_t got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
#else
    const ssize_t got = recvmsg(fd, &message, 0);
#endif
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    const cmsghdr* const head = CMSG_FIRSTHDR(&message);
    if (head && head->cmsg_type == SCM_RIGHTS && memory) std::memcpy(memory, CMSG_DATA(head), sizeof *memory);
    at += got;
    n -= static_cast<size_t>(got);
  }
  return true;
}

int64_t now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t{1000} * time.tv_sec + time.tv_nsec / 1000000;
}

// Makes a channel and returns both ends. Programs that this process starts do not inherit them.
SEXP channel_open() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
    fail("torch_runtime_error", "A worker can't be started: %s.", std::strerror(errno));
  for (const int end : ends) {
    fcntl(end, F_SETFD, FD_CLOEXEC);
#ifdef SO_NOSIGPIPE
    const int on = 1;
    setsockopt(end, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
  }
  SEXP out = Rf_allocVector(INTSXP, 2);
  std::memcpy(INTEGER(out), ends, sizeof ends);
  return out;
}

SEXP channel_close(SEXP channel) {
  close(descriptor(channel));
  return R_NilValue;
}

// Sends a message. `memory` comes from cpp_shared_tensors(), or is NULL. FALSE if the other end is gone.
SEXP channel_send(SEXP channel, SEXP bytes, SEXP memory) {
  const bool shares = memory != R_NilValue;
  const Header header{static_cast<uint64_t>(XLENGTH(bytes)), shares};
  const bool sent = send_whole(descriptor(channel), header, RAW(bytes), shares ? memory_of(memory) : -1);
  if (shares) close_memory(memory);
  return Rf_ScalarLogical(sent);
}

// Returns list(bytes, memory or NULL), or NULL if the other end is gone.
SEXP channel_receive(SEXP channel) {
  SEXP out = PROTECT(Rf_allocVector(VECSXP, 2));
  SEXP memory = PROTECT(new_memory());
  Header header;
  int fd = -1;
  bool whole = receive_whole(descriptor(channel), &header, sizeof header, &fd);
  if (fd >= 0) {
    set_memory(memory, fd);
    SET_VECTOR_ELT(out, 1, memory);
  }
  if (whole) {
    SEXP bytes = SET_VECTOR_ELT(out, 0, Rf_allocVector(RAWSXP, static_cast<R_xlen_t>(header.bytes)));
    whole = receive_whole(descriptor(channel), RAW(bytes), header.bytes, nullptr);
  }
  UNPROTECT(2);
  return whole ? out : R_NilValue;
}

// The positions of the channels that have something to read or are at their end. None after `timeout` milliseconds; -1
// waits for ever.
SEXP channel_wait(SEXP channels, SEXP timeout) {
  const void* memory = vmaxget();
  const R_xlen_t n = XLENGTH(channels);
  auto* polled = reinterpret_cast<pollfd*>(R_alloc(n + 1, sizeof(pollfd)));
  for (R_xlen_t i = 0; i < n; ++i) polled[i] = {INTEGER(channels)[i], POLLIN, 0};
  const double limit = Rf_asReal(timeout);
  const int64_t end = limit < 0 ? INT64_MAX : now() + static_cast<int64_t>(limit);
  int ready = 0;
  while (true) {
    const int64_t left = limit < 0 ? 100 : end - now();
    ready = poll(polled, static_cast<nfds_t>(n), static_cast<int>(left < 0 ? 0 : left < 100 ? left : 100));
    if (ready > 0 || left <= 0) break;
    R_CheckUserInterrupt();
  }
  SEXP out = Rf_allocVector(INTSXP, ready > 0 ? ready : 0);
  int k = 0;
  for (R_xlen_t i = 0; i < n && ready > 0; ++i)
    if (polled[i].revents) INTEGER(out)[k++] = static_cast<int>(i) + 1;
  vmaxset(memory);
  return out;
}

// Whether a small message can be sent now without waiting for the other end.
SEXP channel_takes(SEXP channel) {
  pollfd polled = {descriptor(channel), POLLOUT, 0};
  return Rf_ScalarLogical(poll(&polled, 1, 0) > 0);
}

// Returns list(memory, tensors) with tensors of these shapes and dtypes. If `memory` is NULL, they lie one after the
// other in new memory: the caller fills them and calls shared_write() and shared_release(). Otherwise they are those
// that lie in `memory`; if that is small they are copied out of it.
SEXP shared_tensors(SEXP memory, SEXP shapes, SEXP dtypes) {
  begin_operation();
  const void* before = vmaxget();
  const R_xlen_t n = XLENGTH(shapes);
  auto* pieces = reinterpret_cast<ts_piece*>(R_alloc(n + 1, sizeof(ts_piece)));
  auto* handles = reinterpret_cast<ts_tensor**>(R_alloc(n + 1, sizeof(ts_tensor*)));
  const bool is_new = memory == R_NilValue;
  SEXP out = PROTECT(Rf_allocVector(VECSXP, 2));
  SET_VECTOR_ELT(out, 0, is_new ? new_memory() : memory);
  SEXP tensors = SET_VECTOR_ELT(out, 1, Rf_allocVector(VECSXP, n));
  size_t size = 0;
  for (R_xlen_t i = 0; i < n; ++i) {
    SEXP shape = VECTOR_ELT(shapes, i);
    const R_xlen_t ndim = XLENGTH(shape);
    auto* sizes = reinterpret_cast<int64_t*>(R_alloc(ndim + 1, sizeof(int64_t)));
    int floating, complex_, bytes;
    check(shim().ts_dtype_info(INTEGER(dtypes)[i], &floating, &complex_, &bytes));
    auto total = static_cast<size_t>(bytes);
    for (R_xlen_t d = 0; d < ndim; ++d) {
      sizes[d] = TYPEOF(shape) == INTSXP ? INTEGER(shape)[d] : static_cast<int64_t>(REAL(shape)[d]);
      total *= static_cast<size_t>(sizes[d]);
    }
    pieces[i] = {size, INTEGER(dtypes)[i], static_cast<size_t>(ndim), sizes};
    handles[i] = nullptr;
    size += (total + kAlign - 1) / kAlign * kAlign;
    SET_VECTOR_ELT(tensors, i, new_cell(Kind::tensor));
  }
  if (size == 0) size = kAlign;
  SEXP held = VECTOR_ELT(out, 0);
  if (is_new) {
    const int fd = make_memory();
    if (fd < 0 || ftruncate(fd, static_cast<off_t>(size)) != 0)
      fail("torch_memory_error", "There is no shared memory for %.0f bytes: %s.", static_cast<double>(size), std::strerror(errno));
    set_memory(held, fd);
  }
  struct stat facts;
  if (fstat(memory_of(held), &facts) != 0 || static_cast<size_t>(facts.st_size) < size)
    fail("torch_runtime_error", "A worker sent less memory than it said.");
  char* const waiting = is_new && size <= kWritten ? scratch(size) : nullptr;
  void* begin = waiting ? waiting : mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory_of(held), 0);
  if (begin == MAP_FAILED)
    fail("torch_memory_error", "There is no shared memory for %.0f bytes: %s.", static_cast<double>(size), std::strerror(errno));
  int status = TS_OK;
  if (waiting) {
    R_SetExternalPtrTag(held, Rf_ScalarReal(static_cast<double>(size)));
    for (R_xlen_t i = 0; i < n && status == TS_OK; ++i)
      status = shim().ts_tensor_from_buffer(waiting + pieces[i].offset, pieces[i].sizes, pieces[i].ndim, pieces[i].dtype,
                                            [](void*) {}, nullptr, &handles[i]);
  } else if (!is_new && size < kMapped) {
    status = shim().ts_pieces_read(nullptr, begin, size, pieces, static_cast<size_t>(n), nullptr, handles);
    munmap(begin, size);
  } else {
    auto* region = new Region{{1}, begin, size};
    mapped_bytes.fetch_add(static_cast<int64_t>(size), std::memory_order_relaxed);
    for (R_xlen_t i = 0; i < n && status == TS_OK; ++i) {
      region->users.fetch_add(1);
      status = shim().ts_tensor_from_buffer(static_cast<char*>(begin) + pieces[i].offset, pieces[i].sizes, pieces[i].ndim,
                                            pieces[i].dtype, leave_region, region, &handles[i]);
    }
    leave_region(region);
  }
  for (R_xlen_t i = 0; i < n; ++i)
    if (handles[i]) set_handle(VECTOR_ELT(tensors, i), handles[i]);
  if (!is_new) close_memory(held);
  UNPROTECT(1);
  vmaxset(before);
  check(status);
  return out;
}

// Called when the tensors of new memory have their values: writes them there if they wait in scratch memory, which the
// next message uses again.
SEXP shared_write(SEXP memory) {
  if (R_ExternalPtrTag(memory) == R_NilValue) return R_NilValue;
  const auto size = static_cast<size_t>(Rf_asReal(R_ExternalPtrTag(memory)));
  const char* const from = scratch(size);
  for (size_t at = 0; at < size;) {
    const ssize_t written = pwrite(memory_of(memory), from + at, size - at, static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0)
      fail("torch_memory_error", "There is no shared memory for %.0f bytes: %s.", static_cast<double>(size), std::strerror(errno));
    at += static_cast<size_t>(written);
  }
  return R_NilValue;
}

// Frees the tensors at once. The caller knows that nobody else uses them.
SEXP shared_release(SEXP tensors) {
  for (R_xlen_t i = 0; i < XLENGTH(tensors); ++i) {
    ts_tensor* tensor = tensor_of(VECTOR_ELT(tensors, i));
    set_handle(VECTOR_ELT(tensors, i), nullptr);
    shim().ts_tensor_release(tensor);
  }
  return R_NilValue;
}

// Makes this process end when its parent, which has this number, ends. It ignores signals that the terminal sends to
// both. R's own handlers of crashes are removed: they would delete the temporary folder of the parent.
SEXP end_with(SEXP parent) {
  signal(SIGINT, SIG_IGN);
  const int crashes[] = {SIGSEGV, SIGILL, SIGBUS, SIGUSR1, SIGUSR2};
  for (const int crash : crashes) signal(crash, SIG_DFL);
#ifdef __linux__
  prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
  if (getppid() != static_cast<pid_t>(Rf_asInteger(parent))) raise(SIGKILL);
  return R_NilValue;
}

// Forks. Returns the number of the new process, and 0 in that process.
SEXP worker_fork() {
  const pid_t child = fork();
  if (child < 0) fail("torch_runtime_error", "A worker can't be forked: %s.", std::strerror(errno));
  if (child == 0) {
    const int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    if (nothing != STDIN_FILENO) close(nothing);
  }
  return Rf_ScalarInteger(static_cast<int>(child));
}

// Ends a forked process if it still runs. Returns the signal that ended it, or its exit status as a negative number; NA
// if other code has waited for it before.
SEXP worker_end(SEXP process) {
  const auto child = static_cast<pid_t>(Rf_asInteger(process));
  kill(child, SIGKILL);
  int status = 0;
  pid_t waited;
  while ((waited = waitpid(child, &status, 0)) < 0 && errno == EINTR) {
  }
  return Rf_ScalarInteger(waited != child ? NA_INTEGER : WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status));
}

}  // namespace
#define ON_UNIX(call) call

#else

namespace {
SEXP refuse() { fail("not_implemented_error", "Workers are not implemented on Windows."); }
}  // namespace
#define ON_UNIX(call) refuse()

#endif

// [[Rcpp::export(rng = false)]]
SEXP cpp_channel_open() { return ON_UNIX(channel_open()); }
// [[Rcpp::export(rng = false)]]
SEXP cpp_channel_close(SEXP channel) { return ON_UNIX(channel_close(channel)); }
// [[Rcpp::export(rng = false)]]
SEXP cpp_channel_send(SEXP channel, SEXP bytes, SEXP memory) { return ON_UNIX(channel_send(channel, bytes, memory)); }
// [[Rcpp::export(rng = false)]]
SEXP cpp_channel_receive(SEXP channel) { return ON_UNIX(channel_receive(channel)); }
// [[Rcpp::export(rng = false)]]
SEXP cpp_channel_wait(SEXP channels, SEXP timeout) { return ON_UNIX(channel_wait(channels, timeout)); }
// [[Rcpp::export(rng = false)]]
SEXP cpp_channel_takes(SEXP channel) { return ON_UNIX(channel_takes(channel)); }
// [[Rcpp::export(rng = false)]]
SEXP cpp_shared_tensors(SEXP memory, SEXP shapes, SEXP dtypes) { return ON_UNIX(shared_tensors(memory, shapes, dtypes)); }
// [[Rcpp::export(rng = false)]]
SEXP cpp_shared_write(SEXP memory) { return ON_UNIX(shared_write(memory)); }
// [[Rcpp::export(rng = false)]]
SEXP cpp_shared_release(SEXP tensors) { return ON_UNIX(shared_release(tensors)); }
// [[Rcpp::export(rng = false)]]
SEXP cpp_end_with(SEXP parent) { return ON_UNIX(end_with(parent)); }
// [[Rcpp::export(rng = false)]]
SEXP cpp_worker_fork() { return ON_UNIX(worker_fork()); }
// [[Rcpp::export(rng = false)]]
SEXP cpp_worker_end(SEXP process) { return ON_UNIX(worker_end(process)); }
