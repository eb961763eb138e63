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
