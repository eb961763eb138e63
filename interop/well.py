#!/usr/bin/env python3
"""Checks HDF5 files against h5py and the_well: fmsr reads h5py's files, and WellDataset opens fmsr's exports.

    venv/bin/pip install numpy h5py the_well
    PYTHON=venv/bin/python make interop

Usage: well.py FMSR RUN FOLDER. RUN is a training run of fields of the demo. Makes its input in FOLDER. Prints a line for each check
and exits 1 if one fails.
"""
import glob
import os
import shutil
import subprocess
import sys

import h5py
import numpy as np

from common import check, failed

fmsr, run, folder = sys.argv[1:]
data, names = "testdata/mri128_nu3e-5", ["density", "velx", "Bx", "By"]
frames = {seed: np.load(glob.glob(f"{data}/seed_{seed:04d}/npy/*.npy")[0]) for seed in range(3)}
shutil.rmtree(folder, ignore_errors=True)
os.makedirs(folder)
copy = os.path.join(folder, "copy.yaml")
open(copy, "w").write("version: 1\nrun: {name: copy, overfit: false}\nflow:\n  - npy_load: {set: x}\n  - layout_save: {set: set}\n")


def call(*args, out):
    out = os.path.join(folder, out)
    subprocess.run([fmsr, "run", *args, "--out", out], check=True, stdout=subprocess.DEVNULL)
    return out


def copied(out, fields, *keys):
    """What npy_load reads: {seed: (F,H,W,C)}."""
    out = call(copy, "--set", "npy_load.fields=" + ",".join(fields), *keys, out=out)
    files = sorted(glob.glob(f"{out}/set/seed_*/npy/*.npy"))
    return {i: np.load(path) for i, path in enumerate(files)}


def make_well(path, kind="<f4", libver=None, cells=0, **options):
    """Two trajectories: seeds 0 and 1 as scalars, and (velx, By) as the vector v."""
    values = np.stack([frames[0], frames[1]]).transpose(0, 1, 3, 2, 4)  # (n, t, x, y, c)
    with h5py.File(path, "w", libver=libver) as f:
        f.attrs.update(dataset_name="mri", grid_type="cartesian", n_spatial_dims=2, n_trajectories=2)
        f.create_group("dimensions").attrs["spatial_dims"] = ["x", "y"]
        f["dimensions/time"] = np.arange(values.shape[1]) / 4
        for group, fields in (("t0_fields", ["density", "Bx"]), ("t1_fields", ["v"]), ("t2_fields", [])):
            f.create_group(group).attrs["field_names"] = np.array(fields, dtype=h5py.string_dtype())
        for name, at in (("t0_fields/density", 0), ("t0_fields/Bx", 2), ("t1_fields/v", [1, 3])):
            if cells:
                options["chunks"] = (1, 1, cells, cells) + values[..., at].shape[4:]
            f.create_dataset(name, data=values[..., at].astype(kind), **options)


def make_athdf(path, frame, block=32):
    """A frame in MeshBlocks, as Athena++ writes it."""
    n = frame.shape[0]
    at = np.array([(i, j, 0) for j in range(n // block) for i in range(n // block)])
    blocks = np.stack([frame[j * block:][:block, i * block:][:, :block] for i, j, _ in at])  # (b, y, x, c)
    with h5py.File(path, "w") as f:
        f.attrs.update(NumMeshBlocks=len(at), RootGridSize=np.array([n, n, 1], ">i4"), MeshBlockSize=np.array([block, block, 1], ">i4"),
                       NumVariables=np.array([2, 2], ">i4"), DatasetNames=np.array([b"prim", b"B"], "S21"),
                       VariableNames=np.array([b"rho", b"vel1", b"Bcc1", b"Bcc2"], "S21"), Time=np.float32(1), NumCycles=1)
        f["Levels"], f["LogicalLocations"] = np.zeros(len(at), ">i4"), at.astype(">i8")
        values = blocks.transpose(3, 0, 1, 2)[:, :, None].astype(">f4")
        f["prim"], f["B"] = values[:2], values[2:]


packed = dict(chunks=True, compression="gzip", shuffle=True, fletcher32=True)
for what, options in {"contiguous": {}, "packed": packed, "packed, libver latest": dict(libver="latest", **packed),
                      "small chunks": dict(cells=32, compression="gzip"), "float64": dict(kind=">f8", **packed)}.items():
    path = os.path.join(folder, what.replace(" ", "").replace(",", "-") + ".hdf5")
    make_well(path, **options)
    got = copied("well-" + os.path.basename(path), ["density", "v_x", "Bx", "v_y"], "--set", f"npy_load.files=[{path}]")
    check(f"npy_load reads The Well, {what}", all((got[i] == frames[i]).all() for i in (0, 1)), f"h5py {h5py.__version__}, HDF5 {h5py.version.hdf5_version}")

for i, frame in enumerate(frames[0]):
    os.makedirs(f"{folder}/athdf", exist_ok=True)
    make_athdf(f"{folder}/athdf/run0.out2.{i:05d}.athdf", frame)
got = copied("athdf-back", ["rho", "vel1", "Bcc1", "Bcc2"], "--data-root", f"{folder}/athdf", "--set", "npy_load.pattern=run{seed}.out2.{frame}.athdf")
check("npy_load reads athdf", (got[0] == frames[0]).all(), f"{len(frames[0])} frames of 16 MeshBlocks")

from the_well.data import WellDataset

out = call("specs/export.yaml", "--data-root", "testdata", "--data-set", os.path.basename(data), "--set", "npy_load.fields=" + ",".join(names),
           "--format", "well", "--set", "run.grid.boundary=[open,periodic]", out="export")
for seed, split in enumerate(("train", "valid", "test")):
    well = WellDataset(path=out, well_split_name=split, n_steps_input=1, n_steps_output=1)
    item = well[2]
    fields = item["input_fields"][0].numpy().transpose(1, 0, 2)  # (y, x, c)
    same = (fields[..., :4] == frames[seed][2]).all() and (item["output_fields"][0].numpy().transpose(1, 0, 2)[..., :4] == frames[seed][3]).all()
    check(f"WellDataset opens {split}", same and well.metadata.field_names[0] == names + [n + "_lo" for n in names] and len(well) == len(frames[seed]) - 1,
          f"{len(well)} samples of {tuple(fields.shape)}")
    check(f"WellDataset's boundaries of {split}", item["boundary_conditions"].tolist() == [[2, 2], [1, 1]], "periodic in x, open in y")

coarse = frames[2].reshape(-1, 64, 2, 64, 2, 4).mean((2, 4)).astype("<f4")[:1]
np.save(f"{folder}/c.npy", coarse)
with h5py.File(f"{folder}/c.h5", "w") as f:
    for i, name in enumerate(names):
        f[f"t0_fields/{name}"] = coarse[None, ..., i].transpose(0, 1, 3, 2)
    f.attrs["n_spatial_dims"], f["t0_fields"].attrs["field_names"] = 2, names
    f.create_group("dimensions").attrs["spatial_dims"] = ["x", "y"]
made = [np.load(os.path.join(call("specs/superres.yaml", "--checkpoint", run, "--input", f"{folder}/{name}", "--sample-steps", "1", *fields, out="fine-" + name), "c.npy"))
        for name, fields in (("c.npy", ["--fields", ",".join(names)]), ("c.h5", []))]
check("superres reads HDF5", made[0].shape[:3] == (1, 128, 128) and (made[0] == made[1]).all(), str(made[0].shape))
sys.exit(1 if failed else 0)
