"""What the checks of data sets share: a line for each check, and input in the layout of the simulations."""
import os

import numpy as np

fields = ["density", "velx", "vely", "velz", "Bx", "By", "Bz", "jz"]
failed = []


def check(what, ok, detail=""):
    print(f"{'ok  ' if ok else 'FAIL'} {what} {detail}".rstrip())
    if not ok:
        failed.append(what)


def make_input(folder, frames, seeds=4, n=256):
    """Writes seeds of random fields in the layout of the simulations; returns {seed: (F,C,H,W)}."""
    rng = np.random.default_rng(1)
    made = {}
    for seed in range(seeds):
        path = os.path.join(folder, "in", "mri256_nu3e-5", f"seed_{seed:04d}", "npy")
        os.makedirs(path, exist_ok=True)
        values = rng.standard_normal((frames, n, n, 8), dtype=np.float32) + np.arange(8, dtype=np.float32)
        np.save(os.path.join(path, f"all_fields_{n}x{n}.npy"), values)
        made[seed] = values.transpose(0, 3, 1, 2)
    return made
