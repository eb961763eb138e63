#!/usr/bin/env python3
"""Makes frames of decaying 2D MHD turbulence by the pseudo-spectral code mhd2d, in the layout of the simulations.

    venv/bin/pip install mhd2d numpy
    venv/bin/python interop/mhd2d_frames.py OUT [--cells 64] [--runs 2] [--frames 4]

Writes OUT/mhd2dN/seed_NNNN/npy/all_fields_NxN.npy, float32 (frames, y, x, 8): density velx vely velz Bx By Bz jz. The box is 1 x 1,
periodic, mu_0 = 1, gamma 5/3, density and pressure 1 at first, where velocities and B are random, solenoidal and of wavenumbers 1 to 6.
The code runs on 2N x 2N cells and removes its modes beyond 2N/3; frames hold the modes below N/2 of each axis. jz is the curl of B. So
div B = 0 and jz = curl B in spectral form: ik, to round-off.
"""
import argparse
import contextlib
import os
import tempfile

import mhd2d.FFT
import numpy as np

mhd2d.FFT._threads = 1  # small transforms
AMPLITUDE, LARGEST, DIFFUSIVITY = 0.2, 6, 3e-4


def solenoidal(rng, n, kx, ky):
    """Two components in the plane without divergence, and one along z; each of deviation AMPLITUDE."""
    k = np.hypot(kx, ky)
    band = (k > 0) & (k <= 2 * np.pi * (LARGEST + 0.5))
    noise = lambda: np.where(band, np.fft.fft2(rng.standard_normal((n, n))), 0)
    potential, along = noise() / np.where(band, k, 1), noise()
    planes = [np.fft.ifft2(f).real for f in (1j * ky * potential, -1j * kx * potential, along)]
    in_plane = np.sqrt((planes[0] ** 2 + planes[1] ** 2).mean() / 2)
    return [AMPLITUDE * planes[0] / in_plane, AMPLITUDE * planes[1] / in_plane, AMPLITUDE * planes[2] / planes[2].std()]


def simulate(seed, n, frames, every):
    """Yields the fields (8, x, y) of mhd2d at times every, 2 every, ...: rho, v, B, p."""
    wave = 2 * np.pi * np.fft.fftfreq(n, 1 / n)
    kx, ky = wave[:, None], wave[None, :]

    def start(uu, params, grid):
        rng = np.random.default_rng(seed)
        uu[0], uu[7] = 1, 1
        uu[1:4], uu[4:7] = solenoidal(rng, n, kx, ky), solenoidal(rng, n, kx, ky)
        return uu

    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # mhd2d writes some files where it runs
        config = os.path.join(folder, "mhd.input")
        with open(config, "w") as f:
            f.write(f"""&genr
tmax = {every * (frames + 0.5)}
dtout = {every}
dtrms = {every}
/
&numerical
cfl = 0.6
dealias_option = 1
/
&grid
nx = {n}
ny = {n}
Lx = 1.0
Ly = 1.0
/
&phys
adiabatic_index = 1.6666667
if_resis = T
resistivity = {DIFFUSIVITY}
if_visc = T
viscosity = {DIFFUSIVITY}
/
&output
out_dir = '{folder}/out'
/
""")
        mhd2d.run(config, initial_condition_initializer=start)
        for i in range(1, frames + 1):
            yield np.fromfile(os.path.join(folder, "out", f"out{i:03d}.dat"))[1:].reshape(8, n, n)


def frame(fields, cells):
    """The fields (y, x, 8) of a frame on fewer cells."""
    n = fields.shape[-1]
    index = np.fft.fftfreq(cells, 1 / cells).astype(int)
    keep = (np.abs(index) < cells // 2)[:, None] & (np.abs(index) < cells // 2)[None, :]
    modes = np.fft.fft2(fields)[:, index[:, None], index[None, :]] * keep * (cells / n) ** 2
    rho, vx, vy, vz, bx, by, bz, _ = modes
    k = 2j * np.pi * index
    out = np.fft.ifft2(np.stack([rho, vx, vy, vz, bx, by, bz, k[:, None] * by - k[None, :] * bx])).real
    return out.transpose(2, 1, 0)


p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("out", type=os.path.abspath)
p.add_argument("--cells", type=int, default=64, help="of a frame, along each axis")
p.add_argument("--runs", type=int, default=2)
p.add_argument("--frames", type=int, default=4)
p.add_argument("--every", type=float, default=0.4, help="time between frames")
a = p.parse_args()
for seed in range(a.runs):
    values = np.stack([frame(f, a.cells) for f in simulate(seed, 2 * a.cells, a.frames, a.every)]).astype(np.float32)
    folder = os.path.join(a.out, f"mhd2d{a.cells}", f"seed_{seed:04d}", "npy")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f"all_fields_{a.cells}x{a.cells}.npy")
    np.save(path, values)
    print(path, values.shape, "deviations", values.std((0, 1, 2)))
