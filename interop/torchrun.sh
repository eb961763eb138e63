#!/bin/bash
# torchrun.sh PYTHON  trains on two ranks of PyTorch's launcher, kills a rank, and checks that torchrun's restart continues
# from the checkpoint to the results of an undisturbed run.
set -euo pipefail
python=$1
"$python" -c 'import torch.distributed.run' || { echo "make torchrun-test: PYTHON=... make torchrun-test names a Python with PyTorch"; exit 1; }
work=$(mktemp -d)
trap '[ -z "$(jobs -p)" ] || kill $(jobs -p) 2>/dev/null; wait; rm -rf "$work"' EXIT
source interop/training.sh "$work"

torchrun() {
    "$python" -m torch.distributed.run --nproc-per-node 2 --rdzv-backend c10d --rdzv-endpoint 127.0.0.1:0 --max-restarts 3 --no-python "$FMSR" run "${train[@]}" --out "$1" >"$1.out" 2>&1
}

# rank_of RUN RANK  prints the process of a run's rank.
rank_of() {
    local pid
    for pid in $(pgrep -f -- "--out $1\$"); do
        if tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ" | grep -qx "RANK=$2"; then echo "$pid"; fi
    done
}

echo "training on two ranks of torchrun, PyTorch $("$python" -c 'import torch; print(torch.__version__)')"
torchrun whole || fail "torchrun: exit status $?"
near whole alone
ok "two ranks: the figures of one process"

for rank in 1 0; do
    torchrun killed$rank &
    until_step killed$rank.out 40
    kill -KILL "$(rank_of killed$rank $rank)"
    wait $! || fail "torchrun: exit status $?"
    grep -q 'resuming from step' killed$rank.out || fail "killed$rank did not resume"
    same killed$rank whole
    ok "rank $rank killed at step 40: restarted, resumed, the results of an undisturbed run"
done
echo "make torchrun-test: all $checks checks passed"
