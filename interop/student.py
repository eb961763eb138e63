#!/usr/bin/env python3
"""Compares a student (train.objective flow_map) with its teacher: the table of docs/sampling.md.

    venv/bin/pip install numpy

Usage: student.py FMSR TEACHER STUDENT TRUTH SAMPLES FOLDER [FLAG...]
TRUTH is an npy file (F,H,W,C) of square frames with the checkpoints' fields, averaged here over 2 x 2 cells. SAMPLES of each frame
are drawn, from the same noise by all samplers. FLAGs go to superres. FOLDER gets the coarse input and what each sampler made; a
sampler that is there is not run again. Prints a Markdown table for each field: the power over that of the teacher's multistep 9, in the
coarse band (below N/4) and in thirds of the lost one (N/4 to N/2); the coherence with the truth in the lost band; spread-skill of all
cells (the factor for the ensemble's size is in it); the mean square error over multistep 9's.
"""
import os
import subprocess
import sys

import numpy as np

fmsr, teacher, student, truth_file, members, folder, *flags = sys.argv[1:]
members = int(members)
ROWS = [("teacher, multistep 9", teacher, "multistep", 9, 10), ("teacher, euler 2", teacher, "euler", 2, 2), ("teacher, midpoint 1", teacher, "midpoint", 1, 2),
        ("teacher, euler 1", teacher, "euler", 1, 1), ("student, 2", student, "multistep", 2, 2), ("student, 1", student, "multistep", 1, 1)]


def draw(label, checkpoint, solver, steps):
    """The samples (F,M,H,W,C) in float64."""
    out = os.path.join(folder, label.replace(", ", "-").replace(" ", "-"))
    made = os.path.join(out, "x.samples.npy")
    if not os.path.exists(made):
        subprocess.run([fmsr, "run", "specs/superres.yaml", "--checkpoint", checkpoint, "--input", os.path.join(folder, "coarse"), "--out", out,
                        "--samples", str(members), "--solver", solver, "--sample-steps", str(steps), *flags], check=True, stdout=subprocess.DEVNULL)
    return np.load(made)[:, :members].astype(np.float64)


def bands(n):
    """Masks of Fourier modes, by shell: the coarse band without the mean, the thirds of the lost band, and all of it."""
    k = np.fft.fftfreq(n, 1 / n)
    shell = np.rint(np.hypot(k[:, None], k[None, :]))
    edges = [1, n / 4, n / 3, n * 5 / 12, n / 2]
    return [(shell >= low) & (shell < high) for low, high in [*zip(edges, edges[1:]), (n / 4, n / 2)]]


def cross(x, y, band):
    return (np.fft.fft2(x)[..., band] * np.fft.fft2(y)[..., band].conj()).real.sum()


def figures(x, truth, reference):
    """Of one field's samples (F,M,H,W) and truth (F,1,H,W): power in each band over the reference's, coherence, spread-skill, error."""
    *each, lost = bands(x.shape[-1])
    power = [cross(x, x, b) / cross(reference, reference, b) for b in (*each, lost)]
    coherence = cross(x, truth, lost) / np.sqrt(cross(x, x, lost) * cross(truth, truth, lost) * members)
    error = np.sqrt(((x.mean(1, keepdims=True) - truth) ** 2).mean())
    spread = np.sqrt(x.var(1, ddof=1).mean() * (1 + 1 / members)) / error
    return [*power, coherence, spread, ((x - truth) ** 2).mean() / ((reference - truth) ** 2).mean()]


os.makedirs(os.path.join(folder, "coarse"), exist_ok=True)
truth = np.load(truth_file)
f, h, w, c = truth.shape
np.save(os.path.join(folder, "coarse", "x.npy"), truth.reshape(f, h // 2, 2, w // 2, 2, c).mean((2, 4), dtype=np.float64).astype(np.float32))
drawn = [draw(label, *how) for label, *how, _ in ROWS]
for field in range(c):
    print(f"\n| field {field} | evaluations | power: coarse | lost 1 | lost 2 | lost 3 | lost | coherence, lost | spread-skill | MSE |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for (label, *_, evaluations), x in zip(ROWS, drawn):
        row = figures(x[..., field], truth[:, None, ..., field].astype(np.float64), drawn[0][..., field])
        print(f"| {label} | {evaluations} | " + " | ".join(f"{v:.3f}" for v in row) + " |", flush=True)
