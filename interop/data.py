#!/usr/bin/env python3
"""Opens exports with pyarrow, DuckDB and polars and compares them with NumPy's own reading of the input.

    venv/bin/pip install numpy pyarrow duckdb polars
    PYTHON=venv/bin/python make interop

Usage: data.py FMSR FOLDER. Makes input and, with that fmsr, exports in FOLDER. Prints a
line for each check and exits 1 if one fails.
"""
import glob
import hashlib
import json
import os
import subprocess
import sys

import numpy as np

from common import check, failed, fields, make_input

fmsr, folder = sys.argv[1], sys.argv[2]


def export(kind):
    out = os.path.join(folder, kind)
    subprocess.run([fmsr, "run", "specs/export.yaml", "--data-root", os.path.join(folder, "in"), "--out", out, "--format", kind, "--resume", "never"],
                   check=True, stdout=subprocess.DEVNULL)
    return out


def pooled(x):
    """avg_pool2d(2) and bilinear upsampling, align_corners=False, in float64."""
    f, c, h, w = x.shape
    coarse = x.astype(np.float64).reshape(f, c, h // 2, 2, w // 2, 2).mean((3, 5))
    for axis in (2, 3):
        n = coarse.shape[axis]
        at = np.maximum((np.arange(2 * n) + 0.5) / 2 - 0.5, 0)
        lo = at.astype(int)
        hi, weight = np.minimum(lo + 1, n - 1), (at - lo).reshape([-1 if a == axis else 1 for a in range(4)])
        coarse = np.take(coarse, lo, axis) * (1 - weight) + np.take(coarse, hi, axis) * weight
    return coarse


def near(a, b):
    return float(np.abs(a - b).max())


def the_manifest(out, want):
    m = json.load(open(os.path.join(out, "manifest.json")))
    kind = os.path.basename(out)
    sums = all(hashlib.sha256(open(os.path.join(out, f["path"]), "rb").read()).hexdigest() == f["sha256"] and
               os.path.getsize(os.path.join(out, f["path"])) == f["bytes"] for f in m["files"])
    check(f"{kind}: manifest, files and sums", sums and m["channel_names"] == fields and m["factor"] == 2 and m["normalized"] is False,
          f"{len(m['files'])} files")
    train = np.concatenate([want[f["seed"]] for f in m["files"] if f["split"] == "train" and "x_lo" not in f["path"]]).astype(np.float64)
    check(f"{kind}: mean and std of the training split", near(m["mean"], train.mean((0, 2, 3))) < 1e-9 and near(m["std"], train.std((0, 2, 3))) < 1e-9)
    return m


def pyarrow_arrow(want, lows):
    import pyarrow as pa
    out = export("arrow")
    m = the_manifest(out, want)
    before, worst, exact, shared, frames = pa.total_allocated_bytes(), 0.0, True, True, 0
    for f in m["files"]:
        mapped = pa.memory_map(os.path.join(out, f["path"]))
        reader = pa.ipc.open_file(mapped)
        low, high = mapped_range(mapped)
        for i in range(reader.num_record_batches):
            batch = reader.get_batch(i)
            hi, lo = (batch.column(name).to_numpy_ndarray() for name in ("x_hi", "x_lo"))
            for x in (hi, lo):
                shared &= not x.flags.owndata and low <= x.ctypes.data < high
            at = batch.column("frame").to_numpy()
            exact &= bool((hi == want[f["seed"]][at]).all()) and batch.column("seed").to_pylist() == [f["seed"]] * len(at)
            worst = max(worst, near(lo, lows[f["seed"]][at]))
            frames += len(at)
        kind = str(reader.schema.field("x_hi").type)
    grown = pa.total_allocated_bytes() - before
    check("pyarrow: x_hi and x_lo are tensors", "fixed_shape_tensor" in kind, f"pyarrow {pa.__version__}: {kind}")
    check("pyarrow: no copy", shared and grown < 1e5, f"the arrays are in the mapped file; allocated while reading: {grown} bytes")
    check("pyarrow: x_hi is the input", exact, f"{frames} frames, bit for bit")
    check("pyarrow: x_lo is NumPy's pooling", worst < 2e-6, f"to {worst:.1e}")


def mapped_range(mapped):
    """The addresses of a memory-mapped pyarrow file."""
    import pyarrow as pa
    whole = mapped.read_buffer()
    return whole.address, whole.address + whole.size


def pyarrow_parquet(want, lows):
    import pyarrow.parquet as pq
    out = export("parquet")
    m = the_manifest(out, want)
    worst, exact, groups = 0.0, True, set()
    for f in m["files"]:
        file = pq.ParquetFile(os.path.join(out, f["path"]))
        groups |= {(file.metadata.row_group(i).num_rows, file.metadata.row_group(i).total_byte_size >> 20) for i in range(file.num_row_groups)}
        table = file.read()
        hi, lo = (table.column(name).combine_chunks().to_numpy_ndarray() for name in ("x_hi", "x_lo"))
        exact &= bool((hi == want[f["seed"]]).all())
        worst = max(worst, near(lo, lows[f["seed"]]))
        kind = str(table.schema.field("x_hi").type)
    check("pyarrow, parquet: tensors", "fixed_shape_tensor" in kind, f"{file.metadata.row_group(0).column(3).compression}, row groups (frames, MiB): {sorted(groups)}")
    check("pyarrow, parquet: the same numbers", exact and worst < 2e-6, f"x_hi bit for bit, x_lo to {worst:.1e}")


def npy_arrays(want, lows):
    out = export("npy")
    m = the_manifest(out, want)
    ok = all((np.load(os.path.join(out, f["path"]), mmap_mode="r") == want[f["seed"]][f["frames"]]).all() for f in m["files"] if "x_hi" in f["path"])
    worst = max(near(np.load(os.path.join(out, f["path"])), lows[f["seed"]]) for f in m["files"] if "x_lo" in f["path"])
    check("numpy: npy arrays", ok and worst < 2e-6, f"x_hi bit for bit, x_lo to {worst:.1e}")


def duckdb_rows(want, lows):
    import duckdb
    import pyarrow.dataset as ds
    size = want[0][0].size
    rows = [(s, f, size) for s in want for f in range(len(want[s]))]
    query = "select seed, frame, len(x_hi) from {} order by seed, frame"
    got = duckdb.sql(query.format(f"'{folder}/parquet/*.parquet'")).fetchall()
    check("duckdb: parquet as rows", got == rows, f"duckdb {duckdb.__version__}: {len(got)} rows; " +
          str(duckdb.sql(f"select split, count(*) n from '{folder}/parquet/*.parquet' group by split order by split").fetchall()))
    # DuckDB cannot read Arrow files itself: pyarrow reads them and passes tables, tensors as their storage type
    table = plain(ds.dataset(sorted(glob.glob(f"{folder}/arrow/*.arrow")), format="ipc").to_table())
    con = duckdb.connect()
    con.register("export", table)
    check("duckdb: arrow as rows", con.sql(query.format("export")).fetchall() == rows, f"{len(rows)} rows")
    one = con.sql("select x_lo[12345] from export where seed = 2 and frame = 7").fetchall()[0][0]
    check("duckdb: a number of x_lo", abs(one - lows[2][7].ravel()[12344]) < 2e-6)


def plain(table):
    import pyarrow as pa
    return pa.table({n: pa.chunked_array([c.storage if isinstance(c, pa.ExtensionArray) else c for c in table.column(n).chunks]) for n in table.column_names})


def polars_rows(want, lows):
    import polars as pl
    size = want[0][0].size
    rows = [(s, f, size) for s in want for f in range(len(want[s]))]
    for kind, read in (("arrow", pl.read_ipc), ("parquet", pl.read_parquet)):
        frame = pl.concat([read(p) for p in sorted(glob.glob(f"{folder}/{kind}/*.{kind}"))])
        frame = frame.with_columns(pl.col(name).ext.storage() for name in ("x_hi", "x_lo"))
        got = frame.select("seed", "frame", pl.col("x_hi").arr.len()).rows()
        one = frame.filter(seed=2, frame=7)["x_hi"].to_numpy()[0]
        check(f"polars: {kind} as rows", got == rows and bool((one == want[2][7].ravel()).all()),
              f"polars {pl.__version__}: {len(got)} rows, splits {sorted(frame['split'].unique())}")


want = make_input(folder, frames=11)
lows = {seed: pooled(x) for seed, x in want.items()}
for part in (pyarrow_arrow, pyarrow_parquet, npy_arrays, duckdb_rows, polars_rows):
    try:
        part(want, lows)
    except ImportError as e:
        print(f"FAIL {part.__name__}: {e}: see the top of this file")
        failed.append(part.__name__)
sys.exit(1 if failed else 0)
