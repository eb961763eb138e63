#!/usr/bin/env python3
"""Trains models on folds of simulations, applies each to the simulation that it has not seen, and makes one table.

    venv/bin/pip install numpy pyarrow
    PYTHON=venv/bin/python make folds DATA=DIR

DIR holds runs as mri128_nu3e-5/seed_NNNN/npy/*.npy, fields last. For each test run a model of each kind is trained on all the
others (interop/folds.yaml) and applied by specs/physics.yaml without constraints, with the stage project after it and, if it samples
in several steps, with the constraints inside the sampler. The table goes to the file --table, between its two marks.
A stopped run continues with the same command: fmsr skips what is whole. docs/physics.md has the formulas.
"""
import argparse
import glob
import itertools
import os
import re
import shlex
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq

MARKS = "<!-- made by interop/folds.py -->", "<!-- end of what it made -->"
BILINEAR, LINEAR, SAMPLE, MEAN, ENSEMBLE = "bilinear", "linear", "sample", "mean", "ensemble"


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--fmsr", default="bin/fmsr")
    p.add_argument("--data", required=True, help="root folder of the data set")
    p.add_argument("--set", default="mri128_nu3e-5", help="its name")
    p.add_argument("--fields", default="density,velx,vely,velz,Bx,By,Bz,jz", help="the files' channels, in order; models have all")
    p.add_argument("--out", default="runs/folds", help="folder of models, inputs and results")
    p.add_argument("--models", help="folder of trained models KIND-testSEED, which are applied as they are; default: train them in OUT/models")
    p.add_argument("--tests", default="2,1,0", help="seeds to test on, one fold each")
    p.add_argument("--frames", type=int, default=0, help="frames of each test run, evenly spread; 0: all")
    p.add_argument("--steps", type=int, default=1000, help="of each training")
    p.add_argument("--channels", type=int, default=32, help="width of the networks")
    p.add_argument("--samples", type=int, default=16, help="of each frame")
    p.add_argument("--kind", action="append", metavar="NAME=FLAGS", help="a kind of model and its flags of fmsr run; may be repeated. Default: flow, regression, crps")
    p.add_argument("--constraints", default="coarse,divb,jz")
    p.add_argument("--divb", default="corner")
    p.add_argument("--box", default="1,1", help="the domain's height and width, in the unit of length of jz")
    p.add_argument("--train-flags", default="", help="more flags for all trainings")
    p.add_argument("--apply-flags", default="", help="more flags for all applications")
    p.add_argument("--table", help="file that the table is put into; default: OUT/table.md")
    return p.parse_args()


def fmsr(*args):
    print("+", " ".join(shlex.quote(a) for a in args), flush=True)
    with open(os.path.join(a.out, "log.txt"), "a") as log:
        done = subprocess.run([a.fmsr, "run", *args], stdout=log, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.exit(f"fmsr failed: see {log.name}")


def train(kind, flags, test):
    """Returns the model's folder."""
    folder = os.path.join(a.models or os.path.join(a.out, "models"), f"{kind}-test{test}")
    if not a.models:
        others = ",".join(str(s) for s in seeds if s != test)
        fmsr("interop/folds.yaml", "--data-root", a.data, "--data-set", a.set, "--set", f"run.grid.box=[{a.box}]", "--set", f"npy_load.fields=[{a.fields}]", "--channels", a.fields, "--out", folder,
             "--set", f"npy_load.split={{train: [{others}], val: [{test}]}}", "--total-steps", str(a.steps), "--model-channels", str(a.channels),
             *flags, *shlex.split(a.train_flags))
    return folder


def inputs(test):
    """Writes the test run's frames and their averages; returns the two files."""
    (path,) = glob.glob(os.path.join(a.data, a.set, f"seed_{test:04d}", "npy", "*.npy"))
    paths = [os.path.join(a.out, kind, f"run{test}.npy") for kind in ("coarse", "fine")]
    if all(map(os.path.exists, paths)):
        return paths
    x = np.load(path)
    if a.frames:
        x = x[np.linspace(0, len(x) - 1, a.frames).round().astype(int)]
    f, h, w, c = x.shape
    for path, values in zip(paths, (x.reshape(f, h // 2, 2, w // 2, 2, c).mean((2, 4), dtype=np.float64).astype(np.float32), x)):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        np.save(path + ".part.npy", values)
        os.replace(path + ".part.npy", path)
    return paths


def apply(kind, model, test, how):
    """Applies a model, and returns the summary's values: {(field, metric, band, x, source): value}."""
    name = f"{kind}-test{test}-{how}"
    spec, flags = "specs/physics.yaml", []
    of = f"[{a.constraints}]"
    if how == "after":
        spec = os.path.join(a.out, "after.yaml")
        text = open("specs/physics.yaml").read().replace("  - compare:\n", "  - project:\n  - compare:\n")
        open(spec, "w").write(text)
        flags = ["--set", f"project.constraints={of}", "--set", f"project.divb={a.divb}"]
    elif how == "inside":
        flags = ["--set", f"superres.constraints={of}", "--set", f"superres.divb={a.divb}"]
    coarse, fine = inputs(test)
    out = os.path.join(a.out, "applied", name)
    fmsr(spec, "--checkpoint", model, "--input", coarse, "--truth", fine, "--out", out, "--samples", str(a.samples), "--set", f"run.name={name}",
         "--set", f"run.grid.box=[{a.box}]", *flags, *shlex.split(a.apply_flags))
    t = pq.read_table(os.path.join(out, "physics_summary.parquet")).to_pydict()
    keep = [i for i, lag in enumerate(t["lag"]) if lag == 0]
    values = {(t["field"][i], t["metric"][i], t["band"][i], t["x"][i], t["source"][i]): t["value"][i] for i in keep}
    return t["objective"][0], values


def interval(values):
    """The mean over folds, and the central 90% of the means of all equally likely draws of folds with replacement."""
    if any(v is None for v in values):
        return "-"
    number = lambda v: f"{v:.3g}"
    mean = number(np.mean(values))
    if len(values) < 2:
        return mean
    means = [np.mean(d) for d in itertools.product(values, repeat=len(values))]
    low, high = map(number, np.percentile(means, [5, 95]))
    return mean if low == high else f"{mean} [{low}, {high}]"


class Row:
    """A row of the tables: a source of several runs, one for each fold."""

    def __init__(self, label, runs, one=SAMPLE, mean=MEAN, ensemble=ENSEMBLE):
        self.label, self.runs, self.one, self.mean, self.ensemble = label, runs, one, mean, ensemble

    def values(self, field, metric, band="", x=0.0, source=None):
        return [r.get((field, metric, band, x, source)) for r in self.runs]

    def over_bilinear(self, field, metric, source, power=1.0, band=""):
        """A metric over the bilinear input's MSE, to a power, in each fold."""
        mine, base = self.values(field, metric, band, source=source), self.values(field, "mse", source=BILINEAR)
        return [None if v is None else v / b ** power for v, b in zip(mine, base)]


def field_table(rows, field):
    columns = {
        "MSE of one sample": lambda r: r.over_bilinear(field, "mse", r.one),
        "MSE of the mean": lambda r: r.over_bilinear(field, "mean_mse" if r.mean == MEAN else "mse", r.mean),
        "power": lambda r: r.values(field, "power_ratio", "lost", source=r.one or r.mean),
        "coherence": lambda r: r.values(field, "coherence", "lost", source=r.one or r.mean),
        "coherence of the mean": lambda r: r.values(field, "coherence", "lost", source=r.mean),
        "CRPS": lambda r: r.over_bilinear(field, "crps", r.ensemble, 0.5, "all"),
        "spread-skill": lambda r: r.values(field, "spread_skill", "all", source=r.ensemble),
        "coverage of 50%": lambda r: r.values(field, "coverage", "all", 0.5, r.ensemble),
        "coverage of 90%": lambda r: r.values(field, "coverage", "all", 0.9, r.ensemble),
        "kurtosis": lambda r: r.values(field, "kurtosis_of_truth", source=r.one or r.mean),
        "pooling residual": lambda r: r.values(field, "pooling_residual", source=r.one or r.mean),
    }
    return markdown(field, columns, rows)


def physics_table(rows):
    of = lambda field, metric: lambda r: r.values(field, metric, source=r.one or r.mean)
    columns = {
        "`<jz^2>`, of truth's": of("jz", "dissipation_of_truth"),
        "kurtosis of jz": of("jz", "kurtosis"),
        "`<Bx By>`": of("Bx+By", "maxwell_stress"),
        "`<Bx Bz>`, of truth's": of("Bx+Bz", "maxwell_stress_of_truth"),
        "`<rho vx vz>`, of truth's": of("density+velx+velz", "reynolds_stress_of_truth"),
        "div B, corner": of("Bx+By", "divb_corner"),
        "div B, spectral": of("Bx+By", "divb_spectral"),
        "jz - curl B": of("Bx+By+jz", "jz_residual"),
    }
    truth = Row("truth", rows[0].runs, "truth", "truth", None)
    return markdown("all fields", columns, [truth] + rows)


def markdown(title, columns, rows):
    cells = [[title, *columns], ["---"] * (1 + len(columns))]
    for r in rows:
        cells.append([r.label] + [interval(of(r)) for of in columns.values()])
    used = [i for i in range(len(cells[0])) if i == 0 or any(c[i] != "-" for c in cells[2:])]
    return "\n".join("| " + " | ".join(line[i] for i in used) + " |" for line in cells)


def rows_of(applied):
    """The rows, from the values of each (kind, how) by fold."""
    rows = []
    for label, source in (("bilinear", BILINEAR), ("linear filter", LINEAR), ("bilinear, projected", "bilinear_projected"), ("linear filter, projected", "linear_projected")):
        for folds in applied.values():  # the first kind whose checkpoints have the filter, and whose run has constraints
            runs = [v for _, v in folds]
            if all(any(k[-1] == source for k in v) for v in runs):
                rows.append(Row(label, runs, None, source, None))
                break
    titles = {"none": "", "after": ", projected after", "inside": ", projected inside"}
    for (kind, how), folds in applied.items():
        one_output = folds[0][0] == "regression"
        runs = [v for _, v in folds]
        rows.append(Row(kind + titles[how], runs, None, SAMPLE, None) if one_output else Row(kind + titles[how], runs))
    return rows


def write(text):
    path = a.table or os.path.join(a.out, "table.md")
    page = open(path).read() if os.path.exists(path) else "\n".join(MARKS) + "\n"
    if not all(m in page for m in MARKS):
        sys.exit(f"{path} lacks the marks {MARKS[0]} and {MARKS[1]}, between which the table goes")
    before, after = page[:page.index(MARKS[0]) + len(MARKS[0])], page[page.index(MARKS[1]):]
    with open(path + ".part", "w") as f:
        f.write(f"{before}\n\n{text}\n\n{after}")
    os.replace(path + ".part", path)
    print(path)


a = arguments()
os.makedirs(a.out, exist_ok=True)
found = [re.search(r"seed_(\d+)", p) for p in glob.glob(os.path.join(a.data, a.set, "seed_*"))]
seeds = sorted(int(m[1]) for m in found if m)
tests = [int(s) for s in a.tests.split(",")]
default = ["flow=--objective flow", "regression=--objective regression", "crps=--objective crps --members 2"]
kinds = dict(k.split("=", 1) for k in a.kind or default)
applied = {}
for kind, flags in kinds.items():
    for test in tests:
        model = train(kind, shlex.split(flags), test)
        for how in ("none", "after", "inside"):
            if how == "inside" and applied[kind, "none"][-1][0] not in ("flow", "flow_map"):
                continue  # one evaluation: the same as after
            applied.setdefault((kind, how), []).append(apply(kind, model, test, how))
rows = rows_of(applied)
fields = [f for f in a.fields.split(",") if (f, "mse", "", 0.0, BILINEAR) in rows[0].runs[0]]
about = f"Test runs {a.tests} of {a.set}, a model of each kind for each, trained on the others of runs {','.join(map(str, seeds))}: {a.samples} samples a frame; constraints {a.constraints} (div B: {a.divb})."
write("\n\n".join([about] + [field_table(rows, f) for f in fields] + [physics_table(rows)]))
