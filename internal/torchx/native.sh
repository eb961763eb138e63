#!/usr/bin/env bash
# Builds what cgo links against: gotorch's C++ side and csrc/, as static archives in the user's cache,
# and zz_native.go, which tells the Go tool where they are. Does nothing when nothing has changed.
#
#   LIBTORCH=DIR   use that libtorch (the folder that holds lib/ and include/)
#   CUDA=1         fetch the wheel's CUDA libraries too
#
# The archives' folder is named by a hash of everything that they are made of: the Go tool relinks when
# a path changes and not when an archive behind the same path does.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
want=2.11.0
cache=${XDG_CACHE_HOME:-$HOME/.cache}/fmsr

die() { echo "make: $*" >&2; exit 1; }
need() { command -v "$1" >/dev/null || die "$1 is needed and was not found: $2"; }
need go "install Go 1.26 or later"
need g++ "install a C++17 compiler (Debian: apt-get install g++)"
need sha256sum "install coreutils"

version_of() { # DIR with include/: its "2.11.0", or nothing
  local h
  for h in "$1"/include/torch/headeronly/version.h "$1"/include/torch/csrc/api/include/torch/version.h; do
    [ -f "$h" ] || continue
    local v
    v=$(awk '/#define TORCH_VERSION_(MAJOR|MINOR|PATCH) /{printf "%s%s", sep, $3; sep="."}' "$h")
    [ -n "$v" ] && { echo "$v"; return; }
  done
  # a folder without that header but with a Python package's version file
  [ -f "$1/version.py" ] && sed -n "s/^__version__ = '\([0-9.]*\).*/\1/p" "$1/version.py"
  return 0
}

usable() { [ -f "$1/lib/libtorch_cpu.so" ] && [ -d "$1/include/ATen" ]; }

installed_torch() { # the folder of a PyTorch that python3 would import
  command -v python3 >/dev/null || return 0
  python3 - <<'PY' 2>/dev/null || true
import importlib.util
spec = importlib.util.find_spec("torch")
if spec and spec.submodule_search_locations:
    print(list(spec.submodule_search_locations)[0])
PY
}

fetch_torch() { # into $1, by pip from PyPI
  need python3 "install Python 3 with pip, or name a libtorch $want: LIBTORCH=DIR make"
  python3 -m pip --version >/dev/null 2>&1 || die "python3 has no pip: install it (Debian: apt-get install python3-pip), or name a libtorch $want: LIBTORCH=DIR make"
  local tmp packages
  mkdir -p "$cache"
  tmp=$(mktemp -d "$cache/.fetch.XXXXXX")
  trap 'rm -rf "$tmp"' EXIT
  packages=("torch==$want" "nvidia-cuda-runtime==13.0.*" "nvidia-cuda-cupti==13.0.*")
  echo "fetching libtorch $want (530 MB, once) ..."
  pip_get() {
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
      --platform manylinux_2_28_x86_64 --platform manylinux_2_25_x86_64 --platform manylinux_2_17_x86_64 \
      --platform manylinux2014_x86_64 --implementation cp --python-version 3.11 -d "$tmp/wheels" "$@"
  }
  pip_get "${packages[@]}" || die "pip could not fetch libtorch $want; see above, or name one: LIBTORCH=DIR make"
  if [ "${CUDA:-}" = 1 ]; then
    python3 - "$tmp"/wheels/torch-*.whl >"$tmp/needs" <<'PY'
import re, sys, zipfile
z = zipfile.ZipFile(sys.argv[1])
meta = next(n for n in z.namelist() if n.endswith(".dist-info/METADATA"))
for line in z.read(meta).decode().splitlines():
    m = re.match(r"Requires-Dist: (nvidia-[\w.-]+)(?:\[[^]]*\])? ?\(?([=<>!~0-9.*]*)\)?", line)
    if m:
        print(m.group(1) + m.group(2))
PY
    mapfile -t packages <"$tmp/needs"
    pip_get "${packages[@]}" || die "pip could not fetch the CUDA libraries of torch $want"
  fi
  CUDA=${CUDA:-} python3 - "$tmp/site" "$tmp"/wheels/*.whl <<'PY'
import os, sys, zipfile
site, wheels = sys.argv[1], sys.argv[2:]
gpu = os.environ.get("CUDA") == "1"
for wheel in wheels:
    with zipfile.ZipFile(wheel) as z:
        for name in z.namelist():
            if not name.startswith(("torch/lib/", "torch/include/", "torch/version.py", "nvidia/")):
                continue
            base = os.path.basename(name)
            if not gpu and base.startswith(("libtorch_cuda", "libtorch_nvshmem", "libtorch_python", "libc10_cuda")):
                continue
            z.extract(name, site)
PY
  rm -rf "$1"
  mv -T "$tmp/site" "$1"
  rm -rf "$tmp"
  trap - EXIT
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
  dir=$(installed_torch)
  if [ -n "$dir" ] && usable "$dir"; then
    v=$(version_of "$dir")
    if [ "$v" = "$want" ]; then torch=$dir; return; fi
    echo "passing over PyTorch ${v:-of unknown version} in $dir: libtorch $want is needed"
  fi
  local site=$cache/libtorch-$want${CUDA:+-cuda}
  usable "$site/torch" || fetch_torch "$site"
  torch=$site/torch
}

find_torch
cd "$here/../.."
gotorch=$(go list -m -f '{{.Dir}}' github.com/wangkuiyi/gotorch)
[ -n "$gotorch" ] || gotorch=$(go mod download -json github.com/wangkuiyi/gotorch | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
[ -d "$gotorch/cgotorch" ] || die "the sources of github.com/wangkuiyi/gotorch are not in the module cache: go mod download"

flags=(-std=c++17 -O3 -g0 -fPIC -fopenmp -Wall -Wextra -D_GLIBCXX_USE_CXX11_ABI=1
  -isystem "$torch/include" -isystem "$torch/include/torch/csrc/api/include")
fx=("$here"/csrc/*.cc)
compiler=$(g++ --version | head -n 1)

digest() { { cat "$@"; echo "${flags[*]} $compiler $torch $want"; } | sha256sum | cut -c1-16; }
fx_headers=("$here"/csrc/*.h)
out=$cache/native/$(digest "$here/native.sh" "${fx[@]}" "${fx_headers[@]}" "$gotorch"/cgotorch/*)

compile() { # SOURCE HASH: an object in the cache, made when it is not there
  local object=$cache/objects/$2.o
  [ -f "$object" ] && return
  echo "compiling $(basename "$1")"
  g++ "${flags[@]}" ${3:+-I "$3" -w} -c "$1" -o "$object.$$"
  mv "$object.$$" "$object"
}

if [ ! -f "$out/complete" ]; then
  mkdir -p "$cache/objects" "$out"
  # gotorch's nine files in one translation unit: libtorch's headers are most of the work
  unit=$(mktemp -d "$cache/objects/unit.XXXXXX")
  trap 'rm -rf "$unit"' EXIT
  gotorch_unit=$unit/cgotorch.cc
  printf '#include "%s"\n' "$gotorch"/cgotorch/*.cc >"$gotorch_unit"
  gotorch_hash=$(digest "$gotorch"/cgotorch/*)
  objects=()
  pids=()
  jobs=$(nproc 2>/dev/null || echo 2)
  compile "$gotorch_unit" "$gotorch_hash" "$gotorch" & pids+=($!)
  for source in "${fx[@]}"; do
    hash=$(digest "$source" "${fx_headers[@]}")
    objects+=("$cache/objects/$hash.o")
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do sleep 0.1; done
    compile "$source" "$hash" & pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || die "C++ did not compile; see above"; done
  ar rcs "$out/libcgotorch.a.$$" "$cache/objects/$gotorch_hash.o"
  ar rcs "$out/libfx.a.$$" "${objects[@]}"
  mv "$out/libcgotorch.a.$$" "$out/libcgotorch.a"
  mv "$out/libfx.a.$$" "$out/libfx.a"
  # gotorch asks for -ltorch; the real one needs all of CUDA, which a CPU has no use for
  echo 'INPUT(-ltorch_cpu)' >"$out/libtorch.so"
  touch "$out/complete"
fi

generated=$here/zz_native.go
cat >"$generated.$$" <<GO
// Code generated by native.sh; DO NOT EDIT.

package torchx

// #cgo LDFLAGS: -L$out -L$torch/lib -Wl,-rpath,$torch/lib -lfx -lcgotorch -lc10 -ltorch -ltorch_cpu -l:libgomp.so.1 -lstdc++ -ldl -lm
import "C"
GO
if cmp -s "$generated.$$" "$generated"; then rm "$generated.$$"; else mv "$generated.$$" "$generated"; fi
