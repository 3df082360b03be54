#include "fuse/threads.h"

#include "core/boundary.h"

#include <ATen/Parallel.h>
#include <algorithm>

// LibTorch's own threads are OpenMP's. On Linux the shim finds the library that LibTorch has loaded, and links to none;
// elsewhere kernels run on one thread.
#ifdef __linux__
extern "C" __attribute__((weak)) void GOMP_parallel(void (*work)(void*), void* data, unsigned threads, unsigned flags);
extern "C" __attribute__((weak)) int omp_get_thread_num(void);
#endif

namespace shim::fuse {
namespace {

// The cost for which a second thread is worth its start.
[[maybe_unused]] constexpr double kShare = 60000;

#ifdef __linux__
struct Region {
  c10::function_ref<void(int, int64_t, int64_t)> does;
  int64_t n;
  int shares;
};

void run_share(void* data) {
  const auto& region = *static_cast<Region*>(data);
  const int share = omp_get_thread_num();
  const int64_t each = (region.n + region.shares - 1) / region.shares, begin = share * each, end = std::min(region.n, begin + each);
  if (begin < end) region.does(share, begin, end);
}
#endif

}  // namespace

int shares_of([[maybe_unused]] int64_t n, [[maybe_unused]] double cost) {
#ifdef __linux__
  if (cost > 2 * kShare && GOMP_parallel && omp_get_thread_num && !is_forked && !at::in_parallel_region())
    return static_cast<int>(
        std::min<double>({static_cast<double>(at::get_num_threads()), static_cast<double>(n), cost / kShare}));
#endif
  return 1;
}

void in_parallel(int shares, int64_t n, c10::function_ref<void(int, int64_t, int64_t)> does) {
#ifdef __linux__
  if (shares > 1) {
    Region region{does, n, shares};
    return GOMP_parallel(run_share, &region, static_cast<unsigned>(shares), 0);
  }
#endif
  does(0, 0, n);
}

}  // namespace shim::fuse
