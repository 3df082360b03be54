#!/bin/sh
# Builds glue and shim with AddressSanitizer and UndefinedBehaviorSanitizer, in folders of their own, and runs test files
# with them: `tools/sanitize.sh [NAME ...]`, names without `test-` and `.R`. Ends with 1 if a sanitizer or a test objects.
# Leaks are not looked for: R and LibTorch keep what they have until the process ends.
set -eu
cd "$(dirname "$0")/.."

folder=$PWD/.make/sanitize
flags="-fsanitize=address,undefined -fno-sanitize=vptr -fno-omit-frame-pointer -O1 -g1"
TORCH_HOME=${TORCH_HOME:-$(Rscript -e 'cat(torch:::libtorch_find()$home)')}
rm -rf "$folder/lib"
mkdir -p "$folder/lib" "$folder/cache"
cat > "$folder/Makevars" <<END
CXX17FLAGS = $flags
LDFLAGS = $flags
END
export TORCH_HOME R_MAKEVARS_USER="$folder/Makevars" R_LIBS_USER="$folder/lib" R_USER_CACHE_DIR="$folder/cache"
export LDFLAGS="$flags" NOT_CRAN=true
# Last, where nothing outdoes it: instrumented code takes the compiler long at CMake's own -O3.
printf '#!/bin/sh\nexec g++ "$@" %s\n' "$flags" > "$folder/c++"
chmod +x "$folder/c++"
export CXX="$folder/c++" CCACHE_COMPILERCHECK=content
# What is built here loads only behind the sanitizers' runtime, while it is installed too.
runtime="$(gcc -print-file-name=libasan.so):$(gcc -print-file-name=libubsan.so)"
ASAN_OPTIONS=detect_leaks=0:detect_odr_violation=0:alloc_dealloc_mismatch=0:allocator_may_return_null=1
export ASAN_OPTIONS
LD_PRELOAD="$runtime" R CMD INSTALL --preclean --no-test-load --no-docs --library="$folder/lib" . > "$folder/install.log" 2>&1 ||
  { tail -30 "$folder/install.log"; exit 1; }

[ $# -gt 0 ] || set -- tensor tensor-convert tensor-print indexing operators ops creation dtype memory forged errors conditions \
  autograd autograd-function autograd-hook autograd-node autograd-forward jit-compile jit-trace jit-trace-errors jit-values \
  jit-save jit-archive jit-lies jit-guards jit-hostile-text jit-module jit-object jit-function jit-graph jit-size jit-place \
  jit-optimise jit-fuser jit-fuser-loops jit-explain jit-script jit-script-functions jit-script-module jit-record jit-train \
  jit-train-step save save-module save-python safetensors data-worker generator autocast nn-layers nnf optim r-functions
# A process each, so that what ends one is told of its file.
status=0
for name; do
  LD_PRELOAD="$runtime" UBSAN_OPTIONS=print_stacktrace=1 Rscript -e '
      library(testthat); library(torch)
      file <- sprintf("tests/testthat/test-%s.R", commandArgs(TRUE))
      result <- as.data.frame(test_file(file, package = "torch", load_package = "installed", reporter = "check"))
      quit(status = sum(result$failed) + sum(result$error) > 0)
    ' "$name" > "$folder/$name.log" 2>&1 && ended=0 || ended=$?
  found=$(grep -c -E 'runtime error:|ERROR: AddressSanitizer' "$folder/$name.log") || true
  echo "$name: tests ended with $ended, $found objections of the sanitizers"
  if [ "$ended" = 0 ] && [ "$found" = 0 ]; then continue; fi
  status=1
  grep -E -A12 'runtime error:|ERROR: AddressSanitizer' "$folder/$name.log" | head -100
  tail -5 "$folder/$name.log"
done
exit "$status"
