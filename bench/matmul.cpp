// The 1024 x 1024 matmul in plain C++ on the same LibTorch: what it costs without a host language.
// Reads a number of iterations a line, answers with the seconds of one.
#include <torch/torch.h>

#include <chrono>
#include <iostream>

int main() {
  torch::NoGradGuard guard;
  torch::set_num_threads(1);
  const auto x = torch::randn({1024, 1024}), y = torch::randn({1024, 1024});
  for (int n; std::cin >> n;) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < n; ++i) torch::matmul(x, y);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    std::cout << took.count() / n << std::endl;
  }
}
