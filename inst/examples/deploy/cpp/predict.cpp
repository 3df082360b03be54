// Loads a traced model and prints its prediction for the numbers of the command line:  predict model.pt 1 1 1
#include <torch/script.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <vector>

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: predict MODEL NUMBER...\n");
    return 2;
  }
  try {
    std::vector<float> numbers;
    for (int i = 2; i < argc; ++i) {
      char* end = nullptr;
      numbers.push_back(std::strtof(argv[i], &end));
      if (end == argv[i] || *end) {
        std::fprintf(stderr, "not a number: %s\n", argv[i]);
        return 2;
      }
    }

    torch::jit::Module model = torch::jit::load(argv[1], torch::kCPU);
    const c10::InferenceMode no_gradients;
    const at::Tensor prediction = model.forward({torch::tensor(numbers)}).toTensor().flatten();
    for (int64_t i = 0; i < prediction.numel(); ++i) std::printf("%.17g\n", prediction[i].item<double>());
  } catch (const c10::Error& error) {
    std::fprintf(stderr, "%s\n", error.what_without_backtrace());
    return 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
