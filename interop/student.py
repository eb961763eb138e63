#!/usr/bin/env python3
"""Compares a student (train.objective flow_map) with its teacher: the table of docs/sampling.md.

    venv/bin/pip install numpy pyarrow

Usage: student.py FMSR TEACHER STUDENT TRUTH FOLDER [FLAG...]
TRUTH is an npy file (F,H,W,C) with the checkpoints' fields, pooled here by 2. FLAGs go to specs/physics.yaml (--samples 16). FOLDER
gets the coarse input and what each sampler made; a sampler that is there is not run again. Prints a Markdown table for each
field. Power is over the truth's; coherence is that with the truth. Bands, spread-skill and coverage are those of
docs/physics.md; the last two are of all cells. Seconds are of processor time, of the whole command over its samples.
"""
import os
import resource
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq

fmsr, teacher, student, truth_file, folder, *flags = sys.argv[1:]
ROWS = [("teacher, multistep 9", teacher, "multistep", 9, 10), ("teacher, midpoint 1", teacher, "midpoint", 1, 2), ("teacher, euler 2", teacher, "euler", 2, 2),
        ("teacher, euler 1", teacher, "euler", 1, 1), ("student, 2", student, None, 2, 2), ("student, 1", student, None, 1, 1)]
BANDS = "low", "mid", "lost", "corners"


def apply(label, checkpoint, solver, steps):
    """The summary's values {(field, metric, band, x, source): value}, and the processor seconds of a sample."""
    out = os.path.join(folder, label.replace(", ", "-").replace(" ", "-"))
    kept = os.path.join(out, "seconds.txt")
    if not os.path.exists(kept):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([fmsr, "run", "specs/physics.yaml", "--checkpoint", checkpoint, "--input", os.path.join(folder, "coarse"), "--truth", os.path.join(folder, "fine"),
                        "--out", out, "--sample-steps", str(steps), *(["--solver", solver] if solver else []), *flags], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        open(kept, "w").write(str(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    t = pq.read_table(os.path.join(out, "physics_summary.parquet")).to_pydict()
    values = {(t["field"][i], t["metric"][i], t["band"][i], t["x"][i], t["source"][i]): t["value"][i] for i, lag in enumerate(t["lag"]) if lag == 0}
    samples = np.load(os.path.join(out, "x.samples.npy"), mmap_mode="r").shape
    return values, float(open(kept).read()) / (samples[0] * samples[1])


for kind in ("coarse", "fine"):
    os.makedirs(os.path.join(folder, kind), exist_ok=True)
x = np.load(truth_file)
f, h, w, c = x.shape
np.save(os.path.join(folder, "fine", "x.npy"), x)
np.save(os.path.join(folder, "coarse", "x.npy"), x.reshape(f, h // 2, 2, w // 2, 2, c).mean((2, 4), dtype=np.float64).astype(np.float32))
made = [(label, evaluations, *apply(label, checkpoint, solver, steps)) for label, checkpoint, solver, steps, evaluations in ROWS]
for field in sorted({k[0] for k in made[0][2] if k[1] == "mean_mse"}):
    print(f"\n| {field} | evaluations | power: {' | '.join(BANDS)} | coherence: {' | '.join(BANDS)} | spread-skill | coverage of 50% | of 90% | MSE of one sample, of bilinear's | seconds |")
    print("|---" * (2 + 2 * len(BANDS) + 5) + "|")
    for label, evaluations, v, seconds in made:
        cells = [v[field, metric, band, 0.0, "sample"] for metric in ("power_ratio", "coherence") for band in BANDS]
        cells += [v[field, "spread_skill", "all", 0.0, "ensemble"], v[field, "coverage", "all", 0.5, "ensemble"], v[field, "coverage", "all", 0.9, "ensemble"]]
        cells.append(v[field, "mse", "", 0.0, "sample"] / v[field, "mse", "", 0.0, "bilinear"])
        print(f"| {label} | {evaluations} | " + " | ".join(f"{x:.3f}" for x in cells) + f" | {seconds:.2f} |", flush=True)
