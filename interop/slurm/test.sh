#!/bin/bash
# The checks of make slurm-test: examples/slurm on the two nodes of cluster.sh, with small sizes.
set -euo pipefail
export CHAIN=$PWD/examples/slurm/chain.sbatch
mkdir "$SLURM_TEST/work"
source interop/training.sh "$SLURM_TEST/work"

state() { scontrol show job "$1" | grep -o 'JobState=[A-Z_]*' | cut -d= -f2 | sort -u | tr '\n' ' ' | xargs; }
restarts() { scontrol show job "$1" | grep -o 'Restarts=[0-9]*' | cut -d= -f2 | head -n 1; }

# until_ends JOB STATE  waits for the end of a job and of all its tasks. A requeued job need not wait for its turn.
until_ends() {
    local is
    for _ in $(seq "${PATIENCE:-300}"); do
        is=$(state "$1")
        case $is in
        *PENDING* | *RUNNING* | *COMPLETING* | *REQUEUE*) sleep 0.5 ;;
        *) break ;;
        esac
        ! scontrol show job "$1" | grep -q Reason=BeginTime || scontrol update job="$1" StartTime=now
    done
    [ "$is" = "$2" ] || { scontrol show job "$1"; fail "job $1 is $is, want $2"; }
}

# array NAME SPEC FLAGS...  shares a run without --out among three tasks, and prints the number of the array.
array() {
    local merge
    merge=$(SBATCH_OUTPUT=$1-%a.out TASKS=3 "$root/examples/slurm/array.sh" "$1" "${@:2}")
    echo $((merge - 1))
}

# merged ARRAY NAME REFERENCE  waits for the merge of an array, and checks that the folder has the files of a run in one piece.
merged() {
    local f
    until_ends "$1" COMPLETED
    until_ends $(($1 + 1)) COMPLETED
    for f in $(cd "$3" && find . -type f ! -name spec.yaml ! -path './.fmsr*' ! -path './.parts/*'); do
        cmp "$2/$f" "$3/$f" || fail "$2 and $3 differ"
    done
}

echo "training over $(sinfo -h -p work -o %D) nodes, $(sinfo --version)"
job=$(sbatch --parsable --nodes=1 --output=whole.out "$root/examples/slurm/train.sbatch" "${train[@]}" --out whole)
until_ends "$job" COMPLETED
same whole alone
ok "srun: the results of a run without Slurm"

job=$(sbatch --parsable --nodes=1 --output=requeue.out "$root/examples/slurm/train.sbatch" "${train[@]}" --out requeue)
until_step requeue.out 40
scancel --signal=USR1 "$job"
until_ends "$job" COMPLETED
[ "$(restarts "$job")" = 1 ] || fail "job $job was requeued $(restarts "$job") times, want once"
grep -q "requeued job $job" requeue.out || fail "requeue.out does not name the requeued job"
same requeue whole
ok "on_signal requeue: signalled at step 40, requeued by itself, resumed, the results of an undisturbed run"

job=$(ON_SIGNAL=wait sbatch --parsable --nodes=1 --output=wait.out "$root/examples/slurm/train.sbatch" "${train[@]}" --out wait)
until_step wait.out 40
srun --partition=urgent --nodes=2 --ntasks-per-node=4 true
until_ends "$job" COMPLETED
[ "$(restarts "$job")" = 1 ] || fail "job $job was requeued $(restarts "$job") times, want once"
same wait whole
ok "on_signal wait: preempted at step 40, still there when its grace time ended, requeued by Slurm, resumed, the same results"

job=$(sbatch --parsable --nodes=1 --output=chain-1.out "$root/examples/slurm/chain.sbatch" "${train[@]}" --out chain)
until_step chain-1.out 40
scancel --signal=USR1 "$job"
until_ends "$job" FAILED
until_ends $((job + 1)) COMPLETED
until_ends $((job + 2)) CANCELLED
same chain whole
ok "on_signal exit, in a chain: signalled at step 40, the successor resumed, its own successor was taken back, the same results"

for verb in export spectra; do
    "$FMSR" run "$root/specs/$verb.yaml" "${data[@]}" --on-signal requeue --out $verb-whole >$verb-whole.out
    merged "$(array $verb "$root/specs/$verb.yaml" "${data[@]}")" $verb $verb-whole
    ok "$verb: an array of three tasks on two nodes and a merge that depends on it, the files of a run in one piece"
done

"$FMSR" run "$root/specs/synth.yaml" --out made --synth-seeds 6 --synth-frames 6 --set 'synth.grid=[16,16]' --set 'synth.fields=[Bx,By]' >made.out
mkdir coarse
for seed in made/synth/seed_*; do cp "$seed"/npy/*.npy "coarse/$(basename "$seed").npy"; done
superres=("$root/specs/superres.yaml" --checkpoint whole --input coarse --threads 1 --solver euler --sample-steps 20)
"$FMSR" run "${superres[@]}" --out fine-whole >fine-whole.out
job=$(array fine "${superres[@]}")
for _ in $(seq 300); do ! grep -qs 'frame 0: ' fine-2.out || break; sleep 0.1; done
scancel --signal=USR1 "${job}_2"
merged "$job" fine fine-whole
grep -q "requeued job ${job}_2;" fine-2.out || fail "task 2 has not requeued itself"
ok "superres: the same, with a task that was signalled and requeued itself by its name, ${job}_2"
