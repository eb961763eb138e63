#!/bin/bash
# The checks of make slurm-test: examples/slurm on the two nodes of cluster.sh, with small sizes.
set -euo pipefail
export CHAIN=$PWD/examples/slurm/chain.sbatch
mkdir "$SLURM_TEST/work"
source interop/training.sh "$SLURM_TEST/work"

state() { scontrol show job "$1" | grep -o 'JobState=[A-Z_]*' | cut -d= -f2 | sort -u | tr '\n' ' ' | xargs; }
restarts() { scontrol show job "$1" | grep -o 'Restarts=[0-9]*' | cut -d= -f2 | head -n 1; }

# until_ends JOB STATE  waits for the end of a job and of all its tasks. A requeued job waits three seconds
# instead of Slurm's two minutes: in the same second, it would have the credential of the job that was killed.
until_ends() {
    local is begins
    for _ in $(seq "${PATIENCE:-300}"); do
        is=$(state "$1")
        case $is in
        *PENDING* | *RUNNING* | *COMPLETING* | *REQUEUE*) sleep 0.5 ;;
        *) break ;;
        esac
        begins=$(scontrol show job "$1" | grep -A 9 Reason=BeginTime | grep -o 'StartTime=[0-9T:-]*' | head -n 1 | cut -d= -f2 || true)
        [ -z "$begins" ] || [ $(($(date -d "$begins" +%s) - $(date +%s))) -lt 10 ] || scontrol update job="$1" StartTime=now+3 2>/dev/null || true # an array has tasks that run
    done
    [ "$is" = "$2" ] || { scontrol show job "$1"; fail "job $1 is $is, want $2"; }
}

# ends_after FILE TEXT  waits for a text in a job's output, and prints how many seconds that took.
ends_after() {
    local i
    for i in $(seq 60); do
        ! grep -qs -- "$2" "$1" || { echo "$i"; return; }
        sleep 1
    done
    fail "$1 does not say: $2"
}

# array NAME SPEC FLAGS...  shares a run without --out among three tasks, and prints the number of the array.
array() {
    local merge
    merge=$(SBATCH_OUTPUT=$1-%a.out TASKS=3 "$root/examples/slurm/array.sh" "$1" "${@:2}")
    echo $((merge - 1))
}

# whole_of FOLDER REFERENCE  checks that shards have left the files of a run in one piece.
whole_of() {
    local f
    for f in $(cd "$2" && find . -type f ! -name spec.yaml ! -path './.fmsr*' ! -path './.parts/*'); do
        cmp "$1/$f" "$2/$f" || fail "$1 and $2 differ"
    done
}

# merged ARRAY FOLDER REFERENCE  waits for an array and its merge, and checks what they left.
merged() {
    until_ends "$1" COMPLETED
    until_ends $(($1 + 1)) COMPLETED
    whole_of "$2" "$3"
}

echo "training over $(sinfo -h -p work -o %D) nodes, $(sinfo --version)"
job=$(sbatch --parsable --output=whole.out "$root/examples/slurm/train.sbatch" "${train[@]}" --out whole)
until_ends "$job" COMPLETED
near whole alone
ok "train.sbatch: two nodes, the figures of one process"

job=$(sbatch --parsable --output=requeue.out "$root/examples/slurm/train.sbatch" "${train[@]}" --out requeue)
until_step requeue.out 40
scancel --signal=USR1 "$job"
until_ends "$job" COMPLETED
[ "$(restarts "$job")" = 1 ] || fail "job $job was requeued $(restarts "$job") times, want once"
grep -q "requeue job $job," requeue.out || fail "requeue.out does not name the requeued job"
same requeue whole
ok "on_signal requeue: warned at step 40, requeued itself, resumed: the results of an undisturbed run"

job=$(ON_SIGNAL=wait sbatch --parsable --output=wait.out "$root/examples/slurm/train.sbatch" "${train[@]}" --out wait)
until_step wait.out 40
srun --quiet --partition=urgent --nodes=2 --ntasks-per-node=4 true
until_ends "$job" COMPLETED
[ "$(restarts "$job")" = 1 ] || fail "job $job was requeued $(restarts "$job") times, want once"
same wait whole
ok "on_signal wait: preempted at step 40, stayed until its grace time ended, requeued by Slurm, resumed: the same results"

job=$(sbatch --parsable --output=chain-1.out "$root/examples/slurm/chain.sbatch" "${train[@]}" --out chain)
until_step chain-1.out 40
scancel --signal=USR1 "$job"
until_ends "$job" FAILED
until_ends $((job + 1)) COMPLETED
until_ends $((job + 2)) CANCELLED
same chain whole
ok "on_signal exit, chain.sbatch: warned at step 40, the successor resumed and took its own successor back: the same results"

job=$(sbatch --parsable --output=killed.out "$root/examples/slurm/train.sbatch" "${train[@]}" --out killed)
until_step killed.out 40
for pid in $(pgrep -f -- '--out killed'); do
    if tr '\0' '\n' <"/proc/$pid/environ" | grep -qx SLURM_PROCID=1; then kill -KILL "$pid"; fi
done
took=$(ends_after killed.out 'rank 1 on n2')
until_ends "$job" FAILED
until_ends "$(sbatch --parsable --output=again.out "$root/examples/slurm/train.sbatch" "${train[@]}" --out killed)" COMPLETED
same killed whole
ok "a rank killed at step 40, within $took s: $(grep -m 1 'rank 1 on n2' killed.out)"
ok "the same job again: the same results"

job=$(sbatch --parsable --output=cut.out "$root/examples/slurm/train.sbatch" "${train[@]}" --out cut)
until_step cut.out 40
ip link set port2 down
took=$(ends_after cut.out 'rank 1 on n2')
ip link set port2 up
until_ends "$job" FAILED
until_ends "$(sbatch --parsable --output=again.out "$root/examples/slurm/train.sbatch" "${train[@]}" --out cut)" COMPLETED
same cut whole
ok "a node's network cut at step 40, within $took s: $(grep -m 1 'rank 1 on n2' cut.out)"
ok "the same job again: the same results"

local=("${train[@]}" --data-root /mnt/data --out /mnt/run) # each node has a /mnt of its own
export XDG_CACHE_HOME=/mnt/cache
srun --nodes=2 --ntasks-per-node=1 cp -r data /mnt/
GLOO_SOCKET_IFNAME=eth0 srun --nodes=2 --ntasks-per-node=1 "$FMSR" run "${local[@]}" --max-steps 40 >local.out 2>&1 || fail "two nodes without shared folders"
srun --nodes=2 --ntasks-per-node=1 "$FMSR" run "${local[@]}" >>local.out 2>&1 || fail "two nodes without shared folders, resumed"
same "$SLURM_TEST/n1/run" whole
[ ! -e "$SLURM_TEST/n2/run" ] || fail "rank 1 has made a run's folder"
ok "no shared folder, GLOO_SOCKET_IFNAME: data and caches on each node, the checkpoint on rank 0's: the same results"
rm -r "$SLURM_TEST/n2/data/synth/seed_0003"
! srun --nodes=2 --ntasks-per-node=1 "$FMSR" run "${local[@]}" --total-steps 90 >local.out 2>&1 || fail "a node without a seed trained on fewer frames"
grep -q 'rank 1 on n2' local.out || fail "the message does not name the rank and its host"
ok "a seed missing on one node: $(grep -m 1 'rank 1 on n2' local.out)"
export XDG_CACHE_HOME=$PWD/cache

for verb in export spectra; do
    "$FMSR" run "$root/specs/$verb.yaml" "${data[@]}" --on-signal requeue --out $verb-whole >$verb-whole.out
    merged "$(array $verb "$root/specs/$verb.yaml" "${data[@]}")" $verb $verb-whole
    ok "array.sh, $verb: three tasks on two nodes and a merge that depends on them: the files of a run in one piece"
done

srun --nodes=2 --ntasks-per-node=2 "$FMSR" run "$root/specs/export.yaml" "${data[@]}" --out step >step.out 2>&1 || fail "srun: export"
whole_of step export-whole
ok "srun, export: the four tasks of a step are shards: the files of a run in one piece"

"$FMSR" run "$root/specs/synth.yaml" --out made --synth-seeds 6 --synth-frames 6 --set 'synth.grid=[16,16]' >made.out
mkdir coarse
for seed in made/synth/seed_*; do cp "$seed"/npy/*.npy "coarse/$(basename "$seed").npy"; done
superres=("$root/specs/superres.yaml" --checkpoint whole --input coarse --threads 1 --solver euler --sample-steps 20)
"$FMSR" run "${superres[@]}" --out fine-whole >fine-whole.out
job=$(array fine "${superres[@]}")
for _ in $(seq 300); do ! grep -qs 'frame 0: ' fine-2.out || break; sleep 0.1; done
scancel --signal=USR1 "${job}_2"
merged "$job" fine fine-whole
grep -q "requeue job ${job}_2," fine-2.out || fail "task 2 has not requeued itself"
ok "array.sh, superres: the same, and a task that was warned requeued itself, as ${job}_2"
echo "make slurm-test: all $checks checks passed"
