#!/usr/bin/env python3
"""Recomputes values of a physics report from the output files, with numpy alone and docs/physics.md's formulas.

    venv/bin/pip install numpy pyarrow

Usage: physics.py FMSR CHECKPOINT FOLDER DATA. DATA is a folder of seeds in the simulations' layout, whose fields
density velx Bx By the checkpoint's are among. With that fmsr it applies the checkpoint to pooled frames of
each seed, 4 samples each, in FOLDER. Prints a line for each check and exits 1 if one fails.
"""
import glob
import os
import shutil
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq

from common import check, failed

fmsr, checkpoint, folder, data = sys.argv[1:5]
names, frames, samples = ["density", "velx", "Bx", "By"], 2, 4


def run():
    """Writes truth and pooled input of each seed, and the report. Returns {file: truth (F,H,W,4)}."""
    truth = {}
    for kind in ("coarse", "fine", "out"):
        shutil.rmtree(os.path.join(folder, kind), ignore_errors=True)
        os.makedirs(os.path.join(folder, kind))
    for i, path in enumerate(sorted(glob.glob(os.path.join(data, "seed_*", "npy", "*.npy")))):
        x = np.load(path)[-frames:]
        f, h, w, c = x.shape
        np.save(os.path.join(folder, "fine", f"run{i}.npy"), x)
        np.save(os.path.join(folder, "coarse", f"run{i}.npy"), x.reshape(f, h // 2, 2, w // 2, 2, c).mean((2, 4)).astype(np.float32))
        truth[f"run{i}"] = x.astype(np.float64)
    subprocess.run([fmsr, "run", "specs/physics.yaml", "--checkpoint", checkpoint, "--input", os.path.join(folder, "coarse"), "--truth",
                    os.path.join(folder, "fine"), "--fields", ",".join(names), "--out", os.path.join(folder, "out"), "--samples", str(samples),
                    "--sample-steps", "2"], check=True, stdout=subprocess.DEVNULL)
    return truth


def modes(f):
    """The modes of a plane (N,N) and their shells."""
    n = f.shape[-1]
    k = np.fft.fftfreq(n, 1 / n)
    return np.fft.fft2(f) / (n * n), np.rint(np.hypot(k[:, None], k[None, :])).astype(int)


def lost(k):
    n = len(k)
    return (k >= n / 4) & (k < n / 2)


def filtered(f):
    """The lost band of a plane."""
    a, k = modes(f)
    return np.fft.ifft2(np.where(lost(k), a, 0) * k.size).real


def crps(x, y):
    """Fair, of samples (K,...)."""
    k = len(x)
    pairs = np.abs(x[:, None] - x[None, :]).sum((0, 1))
    return (np.abs(x - y).mean(0) - pairs / (2 * k * (k - 1))).mean()


def spectral(pairs):
    """|A|^2, |B|^2, A B* and |A-B|^2 in the lost band, summed over pairs (a,b)."""
    total = np.zeros(4)
    for a, b in pairs:
        (fa, k), (fb, _) = modes(a), modes(b)
        m = lost(k)
        total += [(np.abs(fa[m]) ** 2).sum(), (np.abs(fb[m]) ** 2).sum(), (fa[m] * fb[m].conj()).real.sum(), (np.abs(fa[m] - fb[m]) ** 2).sum()]
    return total


def coverage(x, y, p):
    """From the ranks of y among x (K,...), none of them equal."""
    k = len(x)
    rank = (x < y).sum(0)
    inside = np.minimum((1 + p) / 2, (rank + 1) / (k + 1)) - np.maximum((1 - p) / 2, rank / (k + 1))
    return (np.maximum(0, inside) * (k + 1)).mean()


truth = run()
out = os.path.join(folder, "out")
table = pq.read_table(os.path.join(out, "physics.parquet")).to_pydict()
columns = [table[c] for c in ("file", "frame", "field", "metric", "band", "lag", "x", "source", "member")]
values = dict(zip(zip(*columns), table["value"]))
check("physics.parquet: schema", list(table) == ["run", "objective", "constraints", "grid", "seed", "file", "frame", "field", "metric", "band", "lag", "x", "source", "member", "value", "time"])
check("physics.parquet: each value has one row, and is a number", len(values) == len(table["value"]) and bool(np.isfinite(table["value"]).all()),
      f"{len(values)} rows")
channel = "Bx"  # the checkpoint's only one
drawn = {f: np.load(os.path.join(out, f + ".samples.npy"))[..., 0].astype(np.float64) for f in truth}  # (F,K,H,W)
y = {f: t[..., names.index(channel)] for f, t in truth.items()}
one = "run0"
x0, y0 = drawn[one], y[one]


def compare(metric, want, frame=-1, band="", lag=0, x=0.0, source="sample", member=-1, file=one, close=1e-5):
    got = values.get((file, frame, channel, metric, band, lag, x, source, member))
    check(f"physics.parquet: {metric} {band}", got is not None and abs(got - want) <= close * abs(want), f"{got} and {want}")


compare("mse", ((x0[1, 2] - y0[1]) ** 2).mean(), frame=1, member=2)
compare("mean_mse", ((x0.mean(1) - y0) ** 2).mean(), source="mean")
variance = lambda f: ((f - f.mean()) ** 2).mean()
compare("vrmse", np.sqrt(((x0[0, 3] - y0[0]) ** 2).mean() / variance(y0[0])), frame=0, member=3)
compare("pearson", np.corrcoef(x0[1, 0].ravel(), y0[1].ravel())[0, 1], frame=1, member=0)
a, b, ab, d = spectral((x0[i, j], y0[i]) for i in range(frames) for j in range(samples))
compare("power_ratio", a / b, band="lost")
compare("power_log_ratio", np.log(a / b), band="lost", close=1e-4)
compare("coherence", ab / np.sqrt(a * b), band="lost")
compare("residual_nmse", d / b, band="lost")
step = np.roll(y0, -4, 2) - y0
compare("structure_longitudinal", (np.abs(step) ** 3).mean(), lag=4, x=3.0, source="truth")
step = np.roll(x0, -1, 3) - x0
compare("skewness_longitudinal", (step ** 3).mean() / (step ** 2).mean() ** 1.5, lag=1, close=1e-4)
center = x0 - x0.mean((2, 3), keepdims=True)
compare("kurtosis", (center ** 4).mean() / (center ** 2).mean() ** 2)
pooled = lambda f: f.reshape(*f.shape[:-2], f.shape[-2] // 2, 2, f.shape[-1] // 2, 2).mean((-3, -1))
c = pooled(y0)
compare("pooling_residual", np.sqrt(((pooled(x0) - c[:, None]) ** 2).mean() / ((c - c.mean((1, 2), keepdims=True)) ** 2).mean()), close=1e-4)
compare("crps", np.mean([crps(x0[i], y0[i]) for i in range(frames)]), band="all", source="ensemble")
compare("crps", crps(np.array([filtered(s) for s in x0[0]]), filtered(y0[0])), frame=0, band="lost", source="ensemble")
spread = np.sqrt((samples + 1) / samples * x0.var(1, ddof=1).mean() / ((x0.mean(1) - y0) ** 2).mean())
compare("spread_skill", spread, band="all", source="ensemble")
compare("coverage", np.mean([coverage(x0[i], y0[i], 0.5) for i in range(frames)]), band="all", x=0.5, source="ensemble")
sys.exit(1 if failed else 0)
