#!/bin/sh
# usage: tools/beds.sh SUITE [COMMAND]
# Runs both commands of the README, or COMMAND, on a Debian of that suite: bookworm, trixie, forky, sid, ... Each has its
# own R, compiler and LibTorch. The bed is unpacked once, by debootstrap from the package source of this machine, and keeps
# what was installed in it; the sources are copied anew at each run. Needs Debian, root, and 6 GB a suite. TORCH_BEDS names
# the folder of the beds.
set -eu
sources=$(cd "$(dirname "$0")/.." && pwd)
suite=${1:?usage: tools/beds.sh SUITE [COMMAND]}
shift
command=${*:-make demo && make test}
beds=${TORCH_BEDS:-${XDG_CACHE_HOME:-$HOME/.cache}/torch-beds}
bed=$beds/$suite

"$sources/tools/setup.sh" debootstrap

# What an interrupted debootstrap leaves behind is no bed.
if [ ! -e "$bed/.complete" ]; then
  rm -rf --one-file-system "$bed"
  mkdir -p "$bed"
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' 'Component: main' | sed -n 1p)
  # For a suite that is newer than itself debootstrap has no script of its name; they are all the same.
  script=/usr/share/debootstrap/scripts/$suite
  [ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid
  debootstrap --variant=minbase "$suite" "$bed" "${mirror:?this machine has no package source of Debian}" "$script"
  # A mirror may stand still for longer than its lists are valid. And a bed that is lost is made again.
  echo 'Acquire::Check-Valid-Until "false";' >"$bed/etc/apt/apt.conf.d/90bed"
  echo force-unsafe-io >"$bed/etc/dpkg/dpkg.cfg.d/bed"
  touch "$bed/.complete"
fi

rm -rf "$bed/root/torch"
mkdir -p "$bed/root/torch" "$bed/root/.cache/ccache" "$beds/ccache"
(cd "$sources" && git ls-files -z --cached --others --exclude-standard --deduplicate |
  tar --create --null --files-from=- --ignore-failed-read) | tar --extract --directory "$bed/root/torch"
cp /etc/resolv.conf "$bed/etc/resolv.conf"

# In name spaces of its own: nothing stays mounted or goes on running afterwards.
export bed beds command
exec unshare --mount --pid --fork --kill-child sh -eu -c '
  mount -t proc proc "$bed/proc"
  mount --rbind /dev "$bed/dev"
  mount --bind "$beds/ccache" "$bed/root/.cache/ccache"
  exec env -i HOME=/root LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
    ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
    chroot "$bed" sh -euc "
      if [ ! -e /.installed ]; then
        apt-get update -q
        apt-get install -q -y --no-install-recommends make ca-certificates libtorch-dev python3-torch
        touch /.installed
      fi
      cd /root/torch
      $command
    "
' </dev/null
