"""Averages 2 x 2 cells of fine frames: makes superres's input of frames whose truth is known.

    python3 examples/pool.py FINE.npy... DIR

writes DIR/FINE.npy (frames, H/2, W/2, fields) of each FINE.npy (frames, H, W, fields). Needs numpy.
"""

import os
import sys

import numpy as np

*fine, folder = sys.argv[1:]
os.makedirs(folder, exist_ok=True)
for path in fine:
    x = np.load(path)
    frames, height, width, fields = x.shape
    coarse = x.reshape(frames, height // 2, 2, width // 2, 2, fields).mean(axis=(2, 4))
    np.save(os.path.join(folder, os.path.basename(path)), coarse.astype(np.float32))
