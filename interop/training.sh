# A small training run, and checks of what it leaves, for the tests of launchers. Source it in the repository's folder
# with the name of an empty folder: source interop/training.sh DIR.
root=$PWD
export FMSR=$root/bin/fmsr
export OMP_WAIT_POLICY=passive # the ranks share the machine's processors
cd "$1"
export XDG_CACHE_HOME=$PWD/cache

data=(--data-root data --data-set synth)
train=("$root/specs/full.yaml" "${data[@]}" --model-channels 8 --threads 1 --no-bf16 --warmup-steps 10 --ema-decay 0.98
    --total-steps "${STEPS:-80}" --print-every 1 --log-every 50 --sample-steps 1 --set eval.frames=4 --checkpoint-every 10)

checks=0
ok() {
    printf 'ok   %4ds  %s\n' $SECONDS "$*"
    checks=$((checks + 1))
}
fail() {
    printf 'FAIL %4ds  %s\n' $SECONDS "$*"
    tail -n 4 ./*.out
    exit 1
}

# until_step FILE STEP  waits until a run has printed a step.
until_step() {
    for _ in $(seq "${PATIENCE:-300}"); do
        ! grep -qs "^step $2/" "$1" || return 0
        sleep 0.2
    done
    fail "$1 has no step $2"
}

# same RUN REFERENCE  checks that a run has the results of another, bit for bit.
same() {
    local f
    for f in checkpoint.pt metrics.jsonl; do cmp "$1/$f" "$2/$f" || fail "$1 and $2 differ"; done
}

# near RUN REFERENCE  checks that a run has the figures of another to round-off.
near() { python3 "$root/interop/losses.py" "$1" "$2" || fail "$1 and $2 differ"; }

"$FMSR" run "$root/specs/synth.yaml" --out data --synth-seeds 10 --synth-frames 4 --set 'synth.grid=[32,32]' >synth.out
"$FMSR" run "${train[@]}" --out alone >alone.out
