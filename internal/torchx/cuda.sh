#!/usr/bin/env bash
# Compiles csrc/cuda/ into libfmsr_cuda.so, which fmsr loads at run time if there is a GPU, and copies it
# beside bin/fmsr. The compiler and NCCL's headers come from PyPI, and no GPU is needed: csrc/cuda/check.cc runs the kernels on
# the CPU and checks their arithmetic against formulas. Does nothing if nothing has changed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/torch.sh"

toolkit_packages=(nvidia-cuda-{nvcc,crt,cccl,runtime}==13.0.* nvidia-nvvm==13.0.*)
find_toolkit() { # sets $toolkit: nvcc 13.0 with its headers, in the cache
  toolkit=$cache/cuda-13.0/nvidia/cu13
  [ -x "$toolkit/bin/nvcc" ] && return
  fetching "the CUDA compiler (100 MB, once)"
  pip_get "${toolkit_packages[@]}" || die "pip could not fetch the CUDA compiler; see above"
  unpack "nvidia/" ""
  chmod +x "$tmp"/site/nvidia/cu13/bin/* "$tmp"/site/nvidia/cu13/nvvm/bin/*
  fetched "$cache/cuda-13.0"
}

find_nccl() { # sets $nccl: the headers of the NCCL that libtorch is built with, in the cache
  nccl=$cache/nccl-2.28.9/nvidia/nccl/include
  [ -f "$nccl/nccl.h" ] && return
  fetching "NCCL's headers (200 MB, once)"
  pip_get nvidia-nccl-cu13==2.28.9 || die "pip could not fetch NCCL; see above"
  unpack "nvidia/nccl/include/" ""
  fetched "$cache/nccl-2.28.9"
}

find_torch
find_toolkit
find_nccl
warnings=-Wall,-Wextra
cu=("$toolkit/bin/nvcc" -ccbin g++ -std=c++17 -O3 -Xcompiler "-fPIC,$warnings" -I"$toolkit/include"
  -gencode "arch=compute_80,code=sm_80" -gencode "arch=compute_90,code=[sm_90,compute_90]")
cc=(g++ -std=c++17 -O2 -fPIC ${warnings//,/ } -isystem "$torch/include" -isystem "$torch/include/torch/csrc/api/include"
  -isystem "$toolkit/include" -isystem "$nccl" -isystem handles -DUSE_C10D_NCCL)
cd "$here/csrc/cuda"
mapfile -t sources < <(find . -type f | LC_ALL=C sort)
out=$cache/cuda-native/$({ cat "$here/cuda.sh" "${sources[@]}"; echo "${cu[*]} ${cc[*]}"; g++ --version; } | sha256sum | cut -c1-16)

build() { # into the folder $1
  local source objects=()
  for source in {norm_silu.cu,update.cu,graph.cc,nccl.cc,table.cc}; do
    local compile=("${cc[@]}") object
    [[ $source == *.cu ]] && compile=("${cu[@]}")
    object=$1/$source.o
    objects+=("$object")
    say "compiling $source"
    "${compile[@]}" -c "$source" -o "$object" &
  done
  wait
  for object in "${objects[@]}"; do
    [ -f "$object" ] || die "CUDA code did not compile; see above"
  done
  # libtorch's libraries are in the process already when this one is loaded
  g++ -shared -o "$1/libfmsr_cuda.so" "${objects[@]}" -L"$toolkit/lib" -l:libcudart.so.13 -Wl,-soname,libfmsr_cuda.so
  g++ -std=c++17 -O2 -Wall -Wextra -Wno-unknown-pragmas -DFMSR_EMULATE -isystem "$toolkit/include" \
    check.cc -o "$1/check" -L"$toolkit/lib" -l:libcudart.so.13 -Wl,-rpath,"$toolkit/lib"
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
