#!/usr/bin/env bash
# Compiles csrc/cuda/ into libfmsr_cuda.so, which a binary loads at run time where there is a GPU, and
# copies it beside bin/fmsr; the compiler comes from PyPI, and no GPU is needed. The kernels' arithmetic
# is held against formulas on the CPU (csrc/cuda/check.cc). Does nothing when nothing has changed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/torch.sh"

toolkit_packages=(nvidia-cuda-{nvcc,crt,cccl,runtime}==13.0.* nvidia-nvvm==13.0.*)
find_toolkit() { # nvcc 13.0 with its headers, in the cache
  toolkit=$cache/cuda-13.0/nvidia/cu13
  [ -x "$toolkit/bin/nvcc" ] && return
  fetching "the CUDA compiler (100 MB, once)"
  pip_get "${toolkit_packages[@]}" || die "pip could not fetch the CUDA compiler; see above"
  unpack "nvidia/" ""
  chmod +x "$tmp"/site/nvidia/cu13/bin/* "$tmp"/site/nvidia/cu13/nvvm/bin/*
  fetched "$cache/cuda-13.0"
}

find_torch
find_toolkit
warnings=-Wall,-Wextra
cu=("$toolkit/bin/nvcc" -ccbin g++ -std=c++17 -O3 -Xcompiler "-fPIC,$warnings" -I"$toolkit/include"
  -gencode "arch=compute_80,code=sm_80" -gencode "arch=compute_90,code=[sm_90,compute_90]")
cc=(g++ -std=c++17 -O2 -fPIC ${warnings//,/ } -isystem "$torch/include" -isystem "$toolkit/include")
sources=("$here"/csrc/cuda/* "$here"/csrc/cuda_table.h)
out=$cache/cuda-native/$({ cat "$here/cuda.sh" "${sources[@]}"; echo "${cu[*]} ${cc[*]}"; g++ --version; } | sha256sum | cut -c1-16)

build() { # into the folder $1
  local pids=() pid source
  for source in "$here"/csrc/cuda/{norm_silu,update}.cu; do
    echo "compiling $(basename "$source")"
    "${cu[@]}" -c "$source" -o "$1/$(basename "$source").o" & pids+=($!)
  done
  for source in "$here"/csrc/cuda/{graph,table}.cc; do
    echo "compiling $(basename "$source")"
    "${cc[@]}" -c "$source" -o "$1/$(basename "$source").o" & pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || die "CUDA code did not compile; see above"; done
  # libtorch's own are there, in the process, when it is loaded
  g++ -shared -o "$1/libfmsr_cuda.so" "$1"/*.o -L"$toolkit/lib" -l:libcudart.so.13 -Wl,-soname,libfmsr_cuda.so
  g++ -std=c++17 -O2 -Wall -Wextra -Wno-unknown-pragmas -DFMSR_EMULATE -isystem "$toolkit/include" \
    "$here/csrc/cuda/check.cc" -o "$1/check" -L"$toolkit/lib" -l:libcudart.so.13 -Wl,-rpath,"$toolkit/lib"
  "$1/check" >"$1/check.log" || { cat "$1/check.log"; die "the CUDA kernels are wrong; see above"; }
  echo "the CUDA kernels, run on the CPU: $(tail -n 1 "$1/check.log")"
  rm "$1"/*.o "$1/check"
}

if [ ! -f "$out/libfmsr_cuda.so" ]; then
  mkdir -p "$cache/cuda-native"
  part=$(mktemp -d "$cache/cuda-native/.build.XXXXXX")
  trap 'rm -rf "$part"' EXIT
  build "$part"
  chmod 755 "$part"
  rm -rf "$out"
  mv -T "$part" "$out"
fi
mkdir -p "$here/../../bin"
installed=$here/../../bin/libfmsr_cuda.so
cmp -s "$out/libfmsr_cuda.so" "$installed" && exit
cp "$out/libfmsr_cuda.so" "$installed.$$"
mv "$installed.$$" "$installed"
echo "built bin/libfmsr_cuda.so"
