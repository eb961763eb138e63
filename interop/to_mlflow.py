#!/usr/bin/env python3
"""Copies a training run to MLflow: its spec as parameters, its learning curve and its pictures by step.

    pip install mlflow pillow
    python3 interop/to_mlflow.py RUN [EXPERIMENT]

MLFLOW_TRACKING_URI says where to: a server, or this machine's mlflow.db without it (mlflow ui shows it).
Each call makes a new run of MLflow, under the run's name.
"""
import os
import re
import sys

import exported
import mlflow
import PIL.Image


def named(name):
    return re.sub(r"[^a-zA-Z0-9_\-. /]", "_", name)  # MLflow refuses other characters, which a field may have


run, experiment = sys.argv[1], (sys.argv[2:] or ["fmsr"])[0]
name, spec = exported.spec(run)
mlflow.set_experiment(experiment)
with mlflow.start_run(run_name=name):
    for key, value in spec.items():
        mlflow.log_param(named(key), value)
    for step, figures in exported.curve(run):
        mlflow.log_metrics({named(k): v for k, v in figures.items()}, step=step)
    for key, step, path in exported.pictures(run):
        mlflow.log_image(PIL.Image.open(path), key=named(key), step=step)
    mlflow.log_artifact(os.path.join(run, "spec.yaml"))
