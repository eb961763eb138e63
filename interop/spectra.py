#!/usr/bin/env python3
"""Opens a spectra report with pyarrow, DuckDB and polars and compares it with NumPy's transforms of the input.

    venv/bin/pip install numpy pyarrow duckdb polars

Usage: spectra.py FMSR FOLDER. Makes input and, with that fmsr, a report in FOLDER. Prints a
line for each check and exits 1 if one fails.
"""
import os
import subprocess
import sys

import numpy as np

from common import check, failed, fields, make_input

fmsr, folder = sys.argv[1], sys.argv[2]


def shells(plane):
    """P(k) of a plane (n,n): the sum of the power over each shell, in float64."""
    n = plane.shape[-1]
    power = np.abs(np.fft.fft2(plane) / (n * n)) ** 2
    k = np.fft.fftfreq(n, 1 / n)
    shell = np.rint(np.hypot(k[:, None], k[None, :])).astype(int)
    return np.bincount(shell.ravel(), power.ravel())


def expected(made):
    """{(seed, frame, field, source): P(k)}, in the order of the table's rows."""
    rows = {}
    for seed, values in made.items():
        f, c, h, w = values.shape
        coarse = values.reshape(f, c, h // 2, 2, w // 2, 2).mean((3, 5))
        for frame in range(f):
            for i, field in enumerate(fields):
                rows[seed, frame, field, "hi"] = shells(values[frame, i])
                rows[seed, frame, field, "lo"] = shells(coarse[frame, i])
    return rows


def with_pyarrow(path, want, made):
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    check("pyarrow: schema", [(f.name, str(f.type)) for f in table.schema] == [
        ("seed", "int64"), ("frame", "int32"), ("split", "string"), ("field", "string"), ("source", "string"),
        ("k", "int32"), ("wavenumber", "double"), ("power", "double"), ("time", "double")], str(table.schema.names))
    about = pq.read_metadata(path).metadata
    check("pyarrow: the spec and the version are in the metadata", b"npy_load" in about[b"fmsr.spec"] and about[b"fmsr.version"] != b"", about[b"fmsr.version"].decode())
    columns = table.to_pydict()
    keys = list(zip(columns["seed"], columns["frame"], columns["field"], columns["source"], columns["k"]))
    check("pyarrow: rows and their order", keys == [key + (k,) for key, p in want.items() for k in range(len(p))], f"{len(keys)} rows")
    power = np.array(columns["power"])
    at, worst, parseval = 0, 0.0, 0.0
    for (seed, frame, field, source), p in want.items():
        got = power[at:at + len(p)]
        at += len(p)
        worst = max(worst, np.abs(got - p).max() / p.max())
        if source == "hi":
            square = (made[seed][frame, fields.index(field)] ** 2).mean()
            parseval = max(parseval, abs(got.sum() / square - 1))
    check("pyarrow: powers are NumPy's", worst < 1e-6, f"{worst:.1e} of the largest shell")
    check("pyarrow: powers sum to the mean square", parseval < 1e-6, f"{parseval:.1e}")
    check("pyarrow: wavenumbers", np.allclose(columns["wavenumber"], 2 * np.pi * np.array(columns["k"])))
    one = pq.read_table(path, filters=[("seed", "=", 2), ("field", "=", "Bx"), ("source", "=", "lo"), ("frame", "=", 3)])
    check("pyarrow: filters", np.allclose(one["power"], want[2, 3, "Bx", "lo"], atol=1e-6 * want[2, 3, "Bx", "lo"].max()), f"{len(one)} rows")


def with_duckdb(path, summary, want):
    import duckdb

    mean = np.mean([p for (seed, _, field, source), p in want.items() if field == "vely" and source == "hi" and seed in (0, 1)], 0)
    got = duckdb.sql(f"select k, avg(power) from '{path}' where split = 'train' and field = 'vely' and source = 'hi' group by k order by k").fetchall()
    check("duckdb: mean spectrum by query", np.allclose([p for _, p in got], mean, atol=1e-6 * mean.max()))
    differ = duckdb.sql(f"""select count(*), max(abs(s.mean - p.mean) / s.mean), max(abs(s.q05 - p.q05) / s.mean), max(abs(s.q95 - p.q95) / s.mean), min(p.n = s.frames)
        from '{summary}' s join (select split, field, source, k, count(*) n, avg(power) mean, quantile_cont(power, 0.05) q05, quantile_cont(power, 0.95) q95
        from '{path}' group by all) p using (split, field, source, k)""").fetchall()[0]
    rows = duckdb.sql(f"select count(*) from '{summary}'").fetchall()[0][0]
    check("duckdb: the summary is the table's", differ[0] == rows and max(differ[1:4]) < 1e-9 and bool(differ[4]), f"{rows} rows")


def with_polars(path, want):
    import polars as pl

    table = pl.read_parquet(path)
    p = table.filter((pl.col("seed") == 3) & (pl.col("frame") == 4) & (pl.col("field") == "jz") & (pl.col("source") == "hi"))["power"].to_numpy()
    q = want[3, 4, "jz", "hi"]
    check("polars: powers are NumPy's", np.allclose(p, q, atol=1e-6 * q.max()), f"{table.height} rows")


made = {seed: x.astype(np.float64) for seed, x in make_input(folder, frames=5).items()}
out = os.path.join(folder, "spectra")
subprocess.run([fmsr, "run", "specs/spectra.yaml", "--data-root", os.path.join(folder, "in"), "--out", out, "--resume", "never"],
               check=True, stdout=subprocess.DEVNULL)
table, summary = os.path.join(out, "spectra.parquet"), os.path.join(out, "spectra_summary.parquet")
rows = expected(made)
with_pyarrow(table, rows, made)
with_duckdb(table, summary, rows)
with_polars(table, rows)
sys.exit(1 if failed else 0)
