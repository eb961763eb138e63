"""losses.py RUN REFERENCE [TOLERANCE]: the largest relative difference of two runs' figures, in metrics.jsonl.

Runs on other numbers of ranks add the same numbers in another order: they agree to float32's round-off, which grows with the steps.
"""
import json
import sys


def read(run):
    with open(f"{run}/metrics.jsonl") as f:
        return [json.loads(line) for line in f]


run, reference = read(sys.argv[1]), read(sys.argv[2])
tolerance = float(sys.argv[3]) if len(sys.argv) > 3 else 1e-3
if [sorted(a) for a in run] != [sorted(b) for b in reference]:
    sys.exit(f"{sys.argv[1]} and {sys.argv[2]} have other figures: {len(run)} and {len(reference)} lines")
worst, figure, step = max(
    (abs(a[k] - b[k]) / max(abs(b[k]), 1e-30), k, b["step"]) for a, b in zip(run, reference) for k in b
)
print(f"{len(run)} lines, largest relative difference {worst:.1e}, of {figure} at step {step}")
sys.exit(worst > tolerance and f"more than {tolerance:.1e}")
