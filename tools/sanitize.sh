#!/bin/sh
# Builds glue and shim with AddressSanitizer and UndefinedBehaviorSanitizer, from a copy of the sources in .make/sanitize,
# and runs test files with them: `tools/sanitize.sh [NAME ...]`, names without `test-` and `.R`, all by default. Ends with
# 1 if a sanitizer or a test objects. Leaks are not looked for: R and LibTorch keep what they have until the process ends.
set -eu
cd "$(dirname "$0")/.."

folder=$PWD/.make/sanitize
TORCH_HOME=${TORCH_HOME:-$(Rscript -e 'cat(torch:::libtorch_find()$home)')}
rm -rf "$folder/lib" "$folder/source" "$folder/logs"
mkdir -p "$folder/lib" "$folder/cache" "$folder/source" "$folder/logs"
# A copy: objects with other flags stay out of the checkout, and that may change while the tests run.
git ls-files -z --cached --others --exclude-standard --deduplicate |
  tar --create --null --files-from=- --ignore-failed-read | tar --extract --directory "$folder/source"
cd "$folder/source"

# What is built here loads only behind the sanitizers' runtime, while it is installed too; the compiler does without. The
# flags come last, where nothing outdoes them: instrumented code takes the compiler long at CMake's own -O3.
flags="-fsanitize=address,undefined -fno-sanitize=vptr -fno-omit-frame-pointer -O1 -g1"
printf '#!/bin/sh\nunset LD_PRELOAD\nexec g++ "$@" %s\n' "$flags" > "$folder/c++"
chmod +x "$folder/c++"
echo "CXX17 = $(command -v ccache) $folder/c++" > "$folder/Makevars"
export TORCH_HOME R_MAKEVARS_USER="$folder/Makevars" R_LIBS_USER="$folder/lib" R_USER_CACHE_DIR="$folder/cache"
export CXX="$folder/c++" CCACHE_COMPILERCHECK=content NOT_CRAN=true
runtime="$(gcc -print-file-name=libasan.so):$(gcc -print-file-name=libubsan.so)"
ASAN_OPTIONS=detect_leaks=0:detect_odr_violation=0:alloc_dealloc_mismatch=0:allocator_may_return_null=1
export ASAN_OPTIONS UBSAN_OPTIONS=print_stacktrace=1
LD_PRELOAD="$runtime" R CMD INSTALL --no-test-load --no-docs --library="$folder/lib" . > "$folder/install.log" 2>&1 ||
  { tail -30 "$folder/install.log"; exit 1; }

[ $# -gt 0 ] || set -- $(ls tests/testthat | sed -n 's/^test-\(.*\)[.]R$/\1/p')
# A process each, so that what ends one is told of its file.
status=0
for name; do
  log=$folder/logs/$name.log
  LD_PRELOAD="$runtime" timeout --kill-after=10 1800 Rscript -e '
      library(testthat); library(torch)
      file <- sprintf("tests/testthat/test-%s.R", commandArgs(TRUE))
      result <- as.data.frame(test_file(file, package = "torch", load_package = "installed", reporter = "check"))
      quit(status = sum(result$failed) + sum(result$error) > 0)
    ' "$name" > "$log" 2>&1 && ended=0 || ended=$?
  found=$(grep -c -E 'runtime error:|ERROR: AddressSanitizer' "$log") || true
  echo "$name: tests ended with $ended, $found objections of the sanitizers"
  if [ "$ended" = 0 ] && [ "$found" = 0 ]; then continue; fi
  status=1
  grep -E -A12 'runtime error:|ERROR: AddressSanitizer' "$log" | head -100
  tail -5 "$log"
done
exit "$status"
