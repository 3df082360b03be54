#!/bin/sh
# Installs with apt-get what the project needs and this machine lacks. Arguments name further Debian packages: a
# r-cran-* one, a lib*-dev one, or one that bears the name of its command.
set -eu

lacking=
optional=
has() { command -v "$1" >/dev/null 2>&1; }
need() { has "$1" || lacking="$lacking ${2:-$1}"; }

r_packages="rcpp r6 rlang cli withr bit64 magrittr callr processx jsonlite png jpeg testthat knitr rmarkdown yaml"
need R r-base-core
need gfortran r-base-dev
need g++
need make
need cmake
need pandoc
python3 -c 'import ensurepip, venv' 2>/dev/null || lacking="$lacking python3 python3-venv"
has ccache || optional=ccache

for name in "$@"; do
  case $name in
    r-cran-*) r_packages="$r_packages ${name#r-cran-}" ;;
    lib*-dev) dpkg -s "$name" >/dev/null 2>&1 || lacking="$lacking $name" ;;
    *) need "$name" ;;
  esac
done

if has Rscript; then
  # Debian writes the names of R's packages in lower case.
  r_packages=$(Rscript --vanilla -e '
    writeLines(setdiff(commandArgs(TRUE), tolower(unlist(lapply(.libPaths(), list.files)))))
  ' $r_packages)
fi
for name in $r_packages; do
  lacking="$lacking r-cran-$name"
done

[ -n "$lacking" ] || [ -n "$optional" ] || exit 0

sudo=
if [ "$(id -u)" != 0 ]; then
  sudo="sudo"
  # Without a terminal sudo can't ask for the password.
  [ -t 0 ] || sudo="sudo -n"
fi
if ! has apt-get || { [ -n "$sudo" ] && ! { has sudo && $sudo true; }; }; then
  [ -n "$lacking" ] || exit 0
  echo "These packages are missing, and only root can install them:" >&2
  echo "  apt-get install$lacking" >&2
  echo "(names of Debian and Ubuntu; install them or their like, then run make again)" >&2
  exit 1
fi

echo "Installing:$lacking $optional"
$sudo apt-get update -q
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends ca-certificates $lacking $optional </dev/null
