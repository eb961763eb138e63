"""Makes the files of this folder, which the tests read: python3 make.py (h5py, numpy). A value is its indices as digits."""
import h5py
import numpy as np


def digits(shape, scale=1):
    """The sum of index * 10^place, where the last axis has place 0."""
    return sum(i * 10.0 ** (len(shape) - 1 - axis) for axis, i in enumerate(np.indices(shape))) * scale


def well(path, kind, dims=("x", "y"), **options):
    n, t, a, b = 2, 3, 4, 6
    with h5py.File(path, "w", libver=options.pop("libver", None)) as f:
        f.attrs.update(dataset_name="digits", grid_type="cartesian", n_spatial_dims=len(dims), n_trajectories=n)
        f.create_group("dimensions").attrs["spatial_dims"] = list(dims)
        f["dimensions/time"] = np.arange(t) * 0.5
        for group, fields in (("t0_fields", ["density", "still"]), ("t1_fields", ["velocity"]), ("t2_fields", ["stress"])):
            order = int(group[1])
            g = f.create_group(group)
            g.attrs["field_names"] = fields
            for name in fields:
                shape = (n, a, b) if name == "still" else (n, t, a, b) + (2,) * order
                g.create_dataset(name, data=digits(shape).astype(kind), **options)


def athdf(path, kind, levels=(0, 0, 0, 0), n3=1, box=False, **options):
    with h5py.File(path, "w", libver=options.pop("libver", None)) as f:
        f.attrs["Time"], f.attrs["NumCycles"], f.attrs["NumMeshBlocks"], f.attrs["MaxLevel"] = np.float32(1.5), 7, 4, 0
        f.attrs["RootGridSize"], f.attrs["MeshBlockSize"] = np.array([6, 4, n3], ">i4"), np.array([3, 2, n3], ">i4")
        f.attrs["DatasetNames"], f.attrs["NumVariables"] = np.array([b"prim", b"B"], "S21"), np.array([2, 1], ">i4")
        f.attrs["VariableNames"] = np.array([b"rho", b"press", b"Bcc1"], "S21")
        if box:
            f.attrs["RootGridX1"], f.attrs["RootGridX2"] = np.array([-1, 2, 1], ">f4"), np.array([-0.5, 0.5, 1], ">f4")
        at = np.array([[1, 0, 0], [0, 0, 0], [1, 1, 0], [0, 1, 0]])  # in no order
        f["LogicalLocations"], f["Levels"] = at.astype(">i8"), np.array(levels, ">i4")
        whole = digits((3, n3, 4, 6))
        blocks = np.stack([whole[:, :, 2 * y:2 * y + 2, 3 * x:3 * x + 3] for x, y, _ in at], 1)
        f.create_dataset("prim", data=blocks[:2].astype(kind), **options)
        f.create_dataset("B", data=blocks[2:].astype(kind), **options)


packed = dict(chunks=True, compression="gzip", shuffle=True)
well("plain.hdf5", "<f4")
well("packed.hdf5", ">f8", **packed)
well("latest.hdf5", "<f4", libver="latest", **packed)
well("rows.hdf5", "<f4", dims=("y", "x"))
athdf("plain.athdf", ">f4")
athdf("latest.athdf", "<f8", libver="latest", **packed)
athdf("refined.athdf", ">f4", levels=(0, 0, 0, 1))
athdf("deep.athdf", ">f4", n3=2)
athdf("boxed.athdf", ">f4", box=True)
with h5py.File("frames.h5", "w") as f:
    f.create_dataset("run/fields", data=digits((2, 4, 6, 2)).astype("<f2"), chunks=(1, 2, 3, 2), compression="gzip")
    f["counts"] = np.arange(4)
with h5py.File("fields.h5", "w") as f:
    for scale, name in enumerate(("rho", "Bx"), 1):
        f[name] = digits((2, 4, 6), scale).astype("<f4")
    f["X"], f["time"], f["more/a"] = digits((4, 6)), np.arange(2) * 0.5, digits((20, 4, 6))
