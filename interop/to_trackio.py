#!/usr/bin/env python3
"""Copies a training run to trackio: its spec as configuration, its learning curve and its pictures by step.

    pip install trackio pyyaml
    python3 interop/to_trackio.py RUN [PROJECT]

trackio keeps it on this machine, in TRACKIO_DIR if that is set; trackio show --project PROJECT shows it.
Each call makes a new run of trackio, under the run's name.
"""
import sys

import exported
import trackio

run, project = sys.argv[1], (sys.argv[2:] or ["fmsr"])[0]
name, spec = exported.spec(run)
shown = {}
for key, step, path in exported.pictures(run):
    shown.setdefault(step, {})[key] = trackio.Image(path)
trackio.init(project=project, name=name, config=spec, auto_log_gpu=False, auto_log_cpu=False)
for step, figures in exported.curve(run):
    trackio.log(figures | shown.get(step, {}), step=step)
trackio.finish()
