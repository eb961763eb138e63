# Sourced by native.sh and cuda.sh: the machine to build for, the cache, downloads from PyPI, and the search for libtorch.
#
#   LIBTORCH=DIR   use that libtorch (the folder that holds lib/ and include/)
#   CUDA=1         fetch the wheel's CUDA libraries too
#   GOARCH=arm64   build for that processor, by a cross-compiler if this machine has another; amd64 is the other one
want=2.11.0
cache=${XDG_CACHE_HOME:-$HOME/.cache}/fmsr

say() { printf '%5ds  %s\n' "$SECONDS" "$*"; } # what begins, and the seconds since the script began
die() { echo "make: $*" >&2; exit 1; }
need() { command -v "$1" >/dev/null || die "$1 is needed and was not found: $2"; }

machine=$(uname -m)
case ${GOARCH:-$machine} in
  amd64 | x86_64) goarch=amd64 target=x86_64 ;;
  arm64 | aarch64) goarch=arm64 target=aarch64 ;;
  *) die "fmsr builds for amd64 and arm64, not for ${GOARCH:-$machine}" ;;
esac
tools= # the prefix of a cross-compiler's programs
[ "$target" = "$machine" ] || tools=$target-linux-gnu-
need "${tools}g++" "install a C++17 compiler (Debian: apt-get install g++${tools:+-${tools%-}})"
need sha256sum "install coreutils"

version_of() { # DIR: prints the version of the libtorch there, such as 2.11.0, or nothing
  local h
  for h in "$1"/include/torch/headeronly/version.h "$1"/include/torch/csrc/api/include/torch/version.h; do
    [ -f "$h" ] || continue
    local v
    v=$(awk '/#define TORCH_VERSION_(MAJOR|MINOR|PATCH) /{printf "%s%s", sep, $3; sep="."}' "$h")
    [ -n "$v" ] && { echo "$v"; return; }
  done
  # without that header: the version file of a Python package
  [ -f "$1/version.py" ] && sed -n "s/^__version__ = '\([0-9.]*\).*/\1/p" "$1/version.py"
  return 0
}

usable() { [ -f "$1/lib/libtorch_cpu.so" ] && [ -d "$1/include/ATen" ]; }

installed_torch() { # prints the folder of the PyTorch that python3 would import
  command -v python3 >/dev/null || return 0
  python3 - <<'PY' 2>/dev/null || true
import importlib.util
spec = importlib.util.find_spec("torch")
if spec and spec.submodule_search_locations:
    print(list(spec.submodule_search_locations)[0])
PY
}

# fetching DESCRIPTION: makes a folder $tmp for downloads, which is removed when the shell exits
fetching() {
  need python3 "install Python 3 with pip, or name a libtorch $want: LIBTORCH=DIR make"
  python3 -m pip --version >/dev/null 2>&1 || die "python3 has no pip: install it (Debian: apt-get install python3-pip), or name a libtorch $want: LIBTORCH=DIR make"
  mkdir -p "$cache"
  tmp=$(mktemp -d "$cache/.fetch.XXXXXX")
  trap 'rm -rf "$tmp"' EXIT
  say "fetching $1"
}

pip_get() { # [--deps] PACKAGES: downloads their wheels, with --deps those of their dependencies too, to $tmp/wheels
  local deps=--no-deps platforms=(--platform "manylinux2014_$target") glibc
  if [ "$1" = --deps ]; then deps=; shift; fi
  for glibc in {17..28}; do platforms+=(--platform "manylinux_2_${glibc}_$target"); done
  python3 -m pip download --quiet --disable-pip-version-check $deps --only-binary=:all: "${platforms[@]}" \
    --implementation cp --python-version 3.11 -d "$tmp/wheels" "$@"
}

unpack() { # PREFIXES WITHOUT: unpacks files of $tmp/wheels to $tmp/site: paths that begin with one of PREFIXES, except names that begin with one of WITHOUT
  python3 - "$tmp/site" "$1" "$2" "$tmp"/wheels/*.whl <<'PY'
import os, sys, zipfile
site, prefixes, without, wheels = sys.argv[1], sys.argv[2].split(), sys.argv[3].split(), sys.argv[4:]
for wheel in wheels:
    with zipfile.ZipFile(wheel) as z:
        for name in z.namelist():
            if name.startswith(tuple(prefixes)) and not os.path.basename(name).startswith(tuple(without)):
                z.extract(name, site)
PY
}

fetched() { # DIR: moves $tmp/site to DIR
  rm -rf "$1"
  mv -T "$tmp/site" "$1"
  rm -rf "$tmp"
  trap - EXIT
}

fetch_torch() { # DIR: downloads libtorch by pip from PyPI to DIR
  local packages
  fetching "libtorch $want (530 MB, once)"
  pip_get "torch==$want" "nvidia-cuda-runtime==13.0.*" "nvidia-cuda-cupti==13.0.*" ||
    die "pip could not fetch libtorch $want; see above, or name one: LIBTORCH=DIR make"
  if [ "${CUDA:-}" = 1 ]; then
    python3 - "$tmp"/wheels/torch-*.whl >"$tmp/needs" <<'PY'
import re, sys, zipfile
z = zipfile.ZipFile(sys.argv[1])
meta = next(n for n in z.namelist() if n.endswith(".dist-info/METADATA"))
for line in z.read(meta).decode().splitlines():
    m = re.match(r"Requires-Dist: ((?:nvidia-|cuda-toolkit)[^;]*)", line)
    if m:
        print(m.group(1).replace(" ", ""))
PY
    mapfile -t packages <"$tmp/needs"
    pip_get --deps "${packages[@]}" || die "pip could not fetch the CUDA libraries of torch $want"
  fi
  say "unpacking libtorch $want"
  local without='libtorch_cuda libtorch_nvshmem libtorch_python libc10_cuda'
  [ "${CUDA:-}" = 1 ] && without=
  unpack "torch/lib/ torch/include/ torch/version.py torch-$want.dist-info/licenses/ nvidia" "$without"
  fetched "$1"
}

find_torch() {
  local dir v
  if [ -n "${LIBTORCH:-}" ]; then
    usable "$LIBTORCH" || die "LIBTORCH=$LIBTORCH: no lib/libtorch_cpu.so and include/ATen there"
    v=$(version_of "$LIBTORCH")
    [ "$v" = "$want" ] || die "LIBTORCH=$LIBTORCH is version ${v:-unknown}: want $want"
    torch=$(cd "$LIBTORCH" && pwd)
    return
  fi
  [ -n "$tools" ] || dir=$(installed_torch)
  if [ -n "${dir:-}" ] && usable "$dir"; then
    v=$(version_of "$dir")
    if [ "$v" = "$want" ]; then torch=$dir; return; fi
    echo "passing over PyTorch ${v:-of unknown version} in $dir: libtorch $want is needed"
  fi
  pypi_torch
}

pypi_torch() { # sets $torch to PyPI's libtorch, in the cache
  local site=$cache/libtorch-$want${tools:+-$goarch}${CUDA:+-cuda}
  usable "$site/torch" || fetch_torch "$site"
  torch=$site/torch
}

