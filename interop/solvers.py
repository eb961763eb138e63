#!/usr/bin/env python3
"""Compares samplers with the ODE that they solve, and with the truth: the figure of docs/sampling.md (make sampling).

    venv/bin/pip install numpy

Usage: solvers.py FMSR CHECKPOINT TRUTH FIELDS CHANNELS FOLDER TABLE.csv [FLAG...]
TRUTH is an npy file (F,H,W,C) of square frames, whose middle one is sampled. FIELDS names its C fields, CHANNELS the checkpoint's fields, in
its order. FLAGs go to superres (--weights raw). FOLDER gets the coarse input, each solver's output and the
reference. All solvers start from the same noise.

The reference is Heun's method with 200 steps. The table has a row for each solver and number of steps:
evaluations   of the network, a sample
seconds       processor time of a sample: of superres (user and system, all threads) less its start
error         root mean square difference from the reference in the lost band, over the reference's own
power_B       of band B, relative error of the power: root mean square over the fields
incoherence_B of band B, 1 - the coherence with the reference: mean
power         in the lost band, of the truth's
vrmse         root mean square error over the truth's standard deviation
The coarse band is below the pooled grid's Nyquist wavenumber N/4; the lost band, N/4 to N/2, is in three equal parts.
"""
import csv
import os
import resource
import subprocess
import sys

import numpy as np

EVALUATIONS = {"euler": lambda n: n, "midpoint": lambda n: 2 * n, "heun": lambda n: 2 * n, "rk4": lambda n: 4 * n, "multistep": lambda n: n + 1}
REFERENCE = ("heun", 200)
TRIED = [(solver, steps) for solver, all_steps in {
    "multistep": (1, 2, 3, 5, 7, 9, 14, 19), "euler": (1, 2, 5, 10, 20, 50, 100), "midpoint": (1, 2, 5, 10), "heun": (1, 2, 5, 10), "rk4": (1, 2, 5)}.items() for steps in all_steps]
BANDS = ("coarse", "lost_1", "lost_2", "lost_3")

fmsr, checkpoint, truth_file, fields, channels, folder, table, *flags = sys.argv[1:]


def sample(path, solver, steps):
    """The output (1,C,H,W) in float64, and the processor time that it took."""
    out = os.path.join(folder, f"{solver}-{steps}")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([fmsr, "run", "specs/superres.yaml", "--checkpoint", checkpoint, "--input", path, "--fields", fields, "--out", out, "--resume", "never",
                    "--solver", solver, "--sample-steps", str(steps), *flags], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return np.load(os.path.join(out, "coarse.npy")).transpose(0, 3, 1, 2).astype(np.float64), seconds


def bands(n):
    """Masks of Fourier modes, by shell: the coarse band without the mean, and the three parts of the lost band."""
    k = np.fft.fftfreq(n, 1 / n)
    shell = np.rint(np.hypot(k[:, None], k[None, :]))
    edges = [1, n / 4, n / 3, n * 5 / 12, n / 2]
    return [(shell >= low) & (shell < high) for low, high in zip(edges, edges[1:])]


def power(x, y, band):
    """The cross power in a band, (1,C)."""
    return (np.fft.fft2(x)[..., band] * np.fft.fft2(y)[..., band].conj()).real.sum(-1)


def measures(x, reference, truth):
    """What the table has of an output (F,C,H,W), but for the time."""
    row, all_bands = {}, bands(x.shape[-1])
    lost = np.any(all_bands[1:], axis=0)
    row["error"] = np.sqrt((power(x - reference, x - reference, lost) / power(reference, reference, lost)).mean())
    for name, band in zip(BANDS, all_bands):
        own, other, both = power(x, x, band), power(reference, reference, band), power(x, reference, band)
        row["power_" + name] = np.sqrt(np.mean((own / other - 1) ** 2))
        row["incoherence_" + name] = np.mean(1 - both / np.sqrt(own * other))
    row["power"] = (power(x, x, lost).sum(0) / power(truth, truth, lost).sum(0)).mean()
    row["vrmse"] = np.sqrt(((x - truth) ** 2).mean((0, 2, 3)) / truth.var((0, 2, 3))).mean()
    return row


os.makedirs(folder, exist_ok=True)
truth = np.load(truth_file)
truth = truth[len(truth) // 2 :][:1]
_, h, w, c = truth.shape
path = os.path.join(folder, "coarse.npy")
np.save(path, truth.reshape(1, h // 2, 2, w // 2, 2, c).mean((2, 4), dtype=np.float64).astype(np.float32))
truth = truth[..., [fields.split(",").index(name) for name in channels.split(",")]].transpose(0, 3, 1, 2).astype(np.float64)

made, taken = {}, {}
for how in [*TRIED, REFERENCE]:
    made[how], taken[how] = sample(path, *how)
    print(*how, f"{taken[how]:.2f} s", file=sys.stderr, flush=True)
few, many = taken["euler", 1], taken["euler", 100]
start = few - (many - few) / 99  # of a command: its time without any evaluation

with open(table, "w", newline="") as out:
    rows = csv.writer(out, lineterminator="\n")
    for how in [*TRIED, REFERENCE]:
        found = measures(made[how], made[REFERENCE], truth)
        if how == TRIED[0]:
            rows.writerow(["solver", "steps", "evaluations", "seconds", *found])
        rows.writerow([*how, EVALUATIONS[how[0]](how[1]), f"{taken[how] - start:.3g}", *(f"{v:.4g}" for v in found.values())])
