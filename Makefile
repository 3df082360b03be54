# `make demo` and `make test` are all a newcomer needs: each sets up the machine, installs the package and gets a
# LibTorch. A second run does only what has changed.

export LC_ALL := C.UTF-8

SOURCES := $(shell find DESCRIPTION NAMESPACE configure tools/configure.R R src inst -type f \
  ! -name '*.o' ! -name '*.so' ! -path 'inst/shim/build/*')
# Holds the folder of the installed package and is older than anything that changed since.
INSTALLED := .make/installed

# Another checkout may have installed its own package, or somebody removed it.
ifeq ($(shell find "$$(cat $(INSTALLED) 2>/dev/null)/DESCRIPTION" ! -newer $(INSTALLED) 2>/dev/null),)
$(shell rm -f $(INSTALLED))
endif

.PHONY: demo test test-system beds bench fuzz fuzz-script fuzz-fusion oracle coverage gradcheck sanitize check docs site vignettes lint format clean setup install libtorch

# What the set-up says goes to a file, so that the page of the demo stands alone.
demo:
	@mkdir -p .make
	@echo "Setting up what is missing; the first time it takes some minutes. It is told in .make/setup.log"
	@$(MAKE) libtorch >.make/setup.log 2>&1 || { tail -n 30 .make/setup.log; exit 1; }
	@echo
	@Rscript inst/examples/deploy/run.R

test: libtorch
	Rscript tools/test.R

# On the LibTorch of Debian's libtorch-dev, whichever is installed beside it. FILES names the test files, all by default.
test-system: install
	@tools/setup.sh libtorch-dev
	TORCH_HOME=/usr Rscript -e 'torch::torch_build_shim()'
	TORCH_HOME=/usr Rscript tools/test.R $(FILES)

# Both commands of the README on other versions of Debian, with their R, compiler and LibTorch.
beds:
	for suite in bookworm trixie forky; do tools/beds.sh $$suite || exit 1; done

bench: libtorch
	Rscript bench/bench.R

setup:
	@tools/setup.sh

install: $(INSTALLED)

$(INSTALLED): $(SOURCES) | setup
	@mkdir -p $(@D)
	@Rscript -e 'if (file.access(.libPaths()[1], 2) != 0)' \
	  -e 'dir.create(path.expand(Sys.getenv("R_LIBS_USER")), recursive = TRUE, showWarnings = FALSE)'
	# Objects of an earlier build know nothing of a changed header.
	R CMD INSTALL --preclean .
	@Rscript -e 'cat(find.package("torch"))' > $@

libtorch: install
	@Rscript -e 'if (!torch::torch_is_installed()) torch::install_torch()'

fuzz: libtorch
	Rscript tools/fuzz.R
	FUZZ_TRACE=1 Rscript tools/fuzz.R 20000
	Rscript tools/fuzz-text.R
	Rscript tools/fuzz-files.R
	Rscript tools/fuzz-readers.R

# Random R programs compiled, against R.
fuzz-script: libtorch
	Rscript tools/fuzz-script.R

fuzz-fusion: libtorch
	Rscript tools/fuzz-fusion.R

oracle: libtorch
	Rscript tools/oracle.R

coverage: libtorch
	Rscript tools/coverage.R

gradcheck: libtorch
	Rscript tools/gradcheck.R

sanitize: libtorch
	tools/sanitize.sh

check: libtorch
	rm -rf .make/check && mkdir -p .make/check
	cd .make/check && R CMD build ../.. && R CMD check --no-manual torch_*.tar.gz

# R installs vignettes only from a source package.
vignettes: libtorch
	rm -rf .make/vignettes && mkdir -p .make/vignettes
	cd .make/vignettes && R CMD build ../.. && R CMD INSTALL torch_*.tar.gz

# The site in .make/site, for a browser.
site: libtorch
	@tools/setup.sh r-cran-pkgdown
	Rscript tools/site.R

docs:
	@tools/setup.sh r-cran-roxygen2
	Rscript -e 'Rcpp::compileAttributes()' -e 'roxygen2::update_collate(".")'
	$(MAKE) install
	Rscript -e 'roxygen2::roxygenise(load_code = "installed")'
	Rscript tools/pages.R

lint:
	tools/lint.sh

format:
	@tools/setup.sh clang-format
	find src inst/shim inst/examples \( -name '*.cpp' -o -name '*.h' \) ! -name 'RcppExports*' -exec clang-format -i {} +

clean:
	./cleanup
	rm -rf .make inst/shim/build
