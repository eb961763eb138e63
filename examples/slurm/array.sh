#!/bin/bash
# Shares an export, spectra or superres among the tasks of a job array, and merges their results when all are done.
#
#   TASKS=16 examples/slurm/array.sh runs/export specs/export.yaml --data-root DATA
#   TASKS=16 examples/slurm/array.sh runs/fine specs/superres.yaml --checkpoint runs/full --input COARSE
#
# It prints the number of the job that merges.
set -euo pipefail
here=$(dirname "$0")
out=$1
shift
tasks=$(sbatch --parsable --array=1-"${TASKS:-8}" "$here/array.sbatch" "$@" --out "$out")
sbatch --parsable --dependency=afterok:"$tasks" --kill-on-invalid-dep=yes "$here/merge.sbatch" "$out"
