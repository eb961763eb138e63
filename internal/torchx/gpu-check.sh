#!/usr/bin/env bash
# Tests and times fmsr on a GPU in less than ten minutes: the kernels and golden networks on the device,
# training and sampling of the full network at 256 x 256, batch 4, with 1 and 8 fields, and a real run with
# the share of its time that the loader costs. It needs PyTorch 2.11 with CUDA, and no Go:
#
#   make gpu-kit, then on the machine with a GPU: bin/gpu-kit/gpu-check.sh [PEER]
#
# PEER is a folder whose bench.py times another implementation with --device cuda.
set -euo pipefail
kit=$(cd "$(dirname "$0")" && pwd)
peer=${1:-}
python=${PYTHON:-python3}

die() { echo "gpu-check: $*" >&2; exit 1; }
say() { printf '\n== %s (%d s)\n' "$1" "$SECONDS"; }

for file in fmsr libfmsr_cuda.so torchx.test model.test; do
  [ -f "$kit/$file" ] || die "$kit/$file is missing: make gpu-kit builds it"
done
[ -z "$peer" ] || [ -f "$peer/bench.py" ] || die "$peer/bench.py is missing"
command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q GPU || die "no NVIDIA GPU here"
torch=$("$python" -c 'import os, torch; print(torch.__version__, os.path.dirname(torch.__file__))' 2>/dev/null) ||
  die "$python cannot import torch: install PyTorch 2.11 with CUDA, or name another python: PYTHON=..."
[[ $torch == 2.11.* ]] || die "PyTorch is ${torch%% *}: want 2.11"
export LD_LIBRARY_PATH=${torch#* }/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export FMSR_TEST_DEVICE=cuda GOMP_SPINCOUNT=1000
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
failed=()
part() { # NAME COMMAND...: runs a part; if it fails, the others still run
  say "$1"
  "${@:2}" || { echo "FAILED: $1"; failed+=("$1"); }
}

nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader
echo "PyTorch ${torch%% *}, $("$kit/fmsr" version)"
part "kernels, updates, graphs and NCCL" timeout 120 "$kit/torchx.test" -test.run '^Test(NormSiLUKernel|Update|Graph|NCCL)'
part "golden networks, recorded steps and a rank by NCCL" timeout 180 "$kit/model.test" -test.run '^Test(GoldenNetworks|RecordedSteps|OneRank)$'

bench() { timeout 150 "$kit/model.test" -test.run '^$' -test.bench '^BenchmarkDevice$' -test.benchtime 30x | tee bench.txt; }
part "training and sampling, 256 x 256, batch 4, bf16" bench

peak() { # TFLOP/s of dense bf16 products on this GPU; 0 if unknown
  case $(nvidia-smi --query-gpu=name --format=csv,noheader | head -n 1) in
  *H100*PCIe*) echo 756 ;;
  *H100* | *H200*) echo 989 ;;
  *A100*) echo 312 ;;
  *) echo 0 ;;
  esac
}
awk -v peak="$(peak)" '/TFLOP\/s/ { for (i = 2; i <= NF; i++) if ($i == "TFLOP/s" && peak) printf "%s: %.1f%% of the %d TFLOP/s that the GPU can do\n", $1, 100 * $(i-1) / peak, peak }' bench.txt

# The difference between a step's time in a run and by itself is due to the loader and the pipeline.
real_run() {
  "$kit/fmsr" run synth.yaml --out data --synth-seeds 1 --synth-frames 64 >synth.log 2>&1 || { cat synth.log; return 1; }
  for fields in velx all; do
    timeout 90 "$kit/fmsr" run full.yaml --data-root data --data-set synth --out "run-$fields" --channels "$fields" --overfit \
      --device cuda --total-steps 300 --log-every 1000000 --sample-steps 1 --print-every 100 >run.log 2>&1 || { cat run.log; return 1; }
    grep '^step [0-9]*/' run.log | tail -n 1
    awk -v fields="$([ $fields = all ] && echo 8 || echo 1)" '
      FNR == NR { if ($1 ~ "train/fields=" fields) alone = $3 / 1e9; next }
      / steps\/s| s\/step/ { for (i = 2; i <= NF; i++) { if ($i ~ /^steps\/s/) run = 1 / $(i-1); if ($i ~ /^s\/step/) run = $(i-1) } }
      END { if (alone && run) printf "%d fields: a step of the run takes %.2f ms, by itself %.2f ms: the loader costs %.1f%%\n", fields, 1e3 * run, 1e3 * alone, 100 * (1 - alone / run) }
    ' bench.txt run.log
  done
}
part "a run, loader and all" real_run

if [ -n "$peer" ]; then
  bench_peer() { # eager and compiled, bf16, at full size
    timeout $((570 - SECONDS)) "$python" "$peer/bench.py" --device cuda --sections model --what train,sample --dtypes bf16 \
      --models full256,full256x8 --modes eager,channels_last,compile
  }
  part "the peer" bench_peer
fi
say "done"
[ ${#failed[@]} = 0 ] || die "failed: $(printf '%s; ' "${failed[@]}")"
