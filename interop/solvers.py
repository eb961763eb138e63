#!/usr/bin/env python3
"""Compares samplers with the ODE that they solve, and with the truth: the tables of docs/sampling.md.

    venv/bin/pip install numpy

Usage: solvers.py FMSR CHECKPOINT TRUTH FIELDS CHANNELS FOLDER [FLAG...]
TRUTH is an npy file (F,H,W,C) of square frames. FIELDS names its C fields, CHANNELS the checkpoint's fields, in
its order. FLAGs go to superres (--weights raw). FOLDER gets the coarse input, each solver's output and the
reference, which later calls use again. All solvers start from the same noise. Prints a Markdown table.

The reference is Heun's method with 200 steps. For each band the table gives the relative error of the power (root
mean square over frames and fields) and 1 - the coherence with the reference (mean). The coarse band is below the
pooled grid's Nyquist wavenumber N/4; the lost band, N/4 to N/2, is in three equal parts. "close" means that no
number is above that of Euler with 100 steps. VRMSE is the root mean square error divided by the truth's standard
deviation. The spectral error is the root mean square of ln(power / the truth's power) in the three lost bands. The
time is that of the whole command.
"""
import os
import subprocess
import sys
import time

import numpy as np

EVALUATIONS = {"euler": lambda n: n, "midpoint": lambda n: 2 * n, "heun": lambda n: 2 * n, "rk4": lambda n: 4 * n, "multistep": lambda n: n + 1}
REFERENCE = ("heun", 200)
YARDSTICK = ("euler", 100)
TRIED = [YARDSTICK, ("euler", 50), ("euler", 20), ("euler", 10), ("midpoint", 5), ("heun", 5), ("rk4", 2), ("midpoint", 10), ("heun", 10), ("rk4", 5),
         ("multistep", 5), ("multistep", 6), ("multistep", 7), ("multistep", 9), ("multistep", 14), ("multistep", 19)]

fmsr, checkpoint, truth_file, fields, channels, folder, *flags = sys.argv[1:]


def coarse_input(truth):
    f, h, w, c = truth.shape
    path = os.path.join(folder, "coarse.npy")
    np.save(path, truth.reshape(f, h // 2, 2, w // 2, 2, c).mean((2, 4), dtype=np.float64).astype(np.float32))
    return path


def sample(path, solver, steps):
    """The output (F,C,H,W) in float64, and the seconds it took."""
    out = os.path.join(folder, f"{solver}-{steps}")
    begin = time.monotonic()
    subprocess.run([fmsr, "run", "specs/superres.yaml", "--checkpoint", checkpoint, "--input", path, "--fields", fields, "--out", out,
                    "--solver", solver, "--sample-steps", str(steps), *flags], check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - begin
    return np.load(os.path.join(out, "coarse.npy")).transpose(0, 3, 1, 2).astype(np.float64), seconds


def bands(n):
    """Masks of Fourier modes, by shell: the coarse band without the mean, and the three parts of the lost band."""
    k = np.fft.fftfreq(n, 1 / n)
    shell = np.rint(np.hypot(k[:, None], k[None, :]))
    edges = [1, n / 4, n / 3, n * 5 / 12, n / 2]
    return [(shell >= low) & (shell < high) for low, high in zip(edges, edges[1:])]


def power(x, y, band):
    """The cross power in a band, (F,C)."""
    return (np.fft.fft2(x)[..., band] * np.fft.fft2(y)[..., band].conj()).real.sum(-1)


def against(x, reference):
    """For each band: the relative error of the power, and 1 - the coherence."""
    rows = []
    for band in bands(x.shape[-1]):
        own, other, both = power(x, x, band), power(reference, reference, band), power(x, reference, band)
        rows.append((np.sqrt(np.mean((own / other - 1) ** 2)), np.mean(1 - both / np.sqrt(own * other))))
    return np.array(rows)


def quality(x, truth):
    """VRMSE, as a mean over the fields, and the spectral error."""
    vrmse = np.sqrt(((x - truth) ** 2).mean((0, 2, 3)) / truth.var((0, 2, 3))).mean()
    logs = [np.log(power(x, x, band) / power(truth, truth, band)) for band in bands(x.shape[-1])[1:]]
    return vrmse, np.sqrt(np.mean(np.square(logs)))


os.makedirs(folder, exist_ok=True)
truth = np.load(truth_file)
path = coarse_input(truth)
truth = truth[..., [fields.split(",").index(c) for c in channels.split(",")]].transpose(0, 3, 1, 2).astype(np.float64)
kept = os.path.join(folder, "reference.npy")
if not os.path.exists(kept):
    np.save(kept, sample(path, *REFERENCE)[0])
reference = np.load(kept)

print("| solver, steps | evaluations | coarse | lost 1 | lost 2 | lost 3 | close | VRMSE | spectral error | seconds |")
print("|---|---|---|---|---|---|---|---|---|---|")
print("| {} {} | {} | | | | | | {:.4f} | {:.4f} | |".format(*REFERENCE, EVALUATIONS[REFERENCE[0]](REFERENCE[1]), *quality(reference, truth)))
for solver, steps in TRIED:
    x, seconds = sample(path, solver, steps)
    errors = against(x, reference)
    if (solver, steps) == YARDSTICK:
        allowed = errors
    cells = " | ".join(f"{100 * p:.2f}%, {c:.1e}" for p, c in errors)
    close = "yes" if (errors <= allowed).all() else ""
    print("| {} {} | {} | {} | {} | {:.4f} | {:.4f} | {:.1f} |".format(solver, steps, EVALUATIONS[solver](steps), cells, close, *quality(x, truth), seconds), flush=True)
