#!/usr/bin/env python3
"""Looks at a run on the screens of other tools: TensorBoard, W&B's viewer in the terminal (LEET), MLflow, trackio.

    python3 -m venv venv
    venv/bin/pip install tensorboard 'wandb>=0.31' mlflow pillow trackio
    PYTHON=venv/bin/python make interop

which runs screens.py RUN OUT: the folder of a training run, and one for what MLflow and trackio keep, made anew.
Nothing leaves this machine. Prints a line for each check and exits 1 if one fails.
"""
import fcntl
import glob
import json
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time

import exported
from common import check, failed

run, out = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
here = os.path.dirname(os.path.abspath(__file__))
shutil.rmtree(out, ignore_errors=True)
os.makedirs(out)
os.environ |= {
    "MLFLOW_TRACKING_URI": f"sqlite:///{out}/mlflow.db", "MLFLOW_DISABLE_TELEMETRY": "true", "TRACKIO_DIR": os.path.join(out, "trackio"),
    "WANDB_CONFIG_DIR": os.path.join(out, "wandb"), "WANDB_CACHE_DIR": os.path.join(out, "wandb"), "WANDB_ERROR_REPORTING": "false",
    "TERM": "xterm-256color",
}
for elsewhere in ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL", "TRACKIO_BUCKET_ID"):
    os.environ.pop(elsewhere, None)
curve = dict(exported.curve(run))
values = {(step, k): v for step, figures in curve.items() for k, v in figures.items()}
pictures = {(step, key) for key, step, _ in exported.pictures(run)}


def script(name):
    """Runs a script beside this one on the run, in the folder for what is made."""
    done = subprocess.run([sys.executable, os.path.join(here, name), run], capture_output=True, text=True, cwd=out)
    check(name, done.returncode == 0, done.stderr[-2000:] if done.returncode else "")


def tensorboard():
    from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer
    name, _ = exported.spec(run)
    for folder, want in ((os.path.join(run, "tb"), name), (run, os.path.join("tb", name))):
        shown = EventMultiplexer().AddRunsFromDirectory(folder).Reload()
        steps = [e.step for e in shown.Scalars(want, "train/loss")]
        check("tensorboard's runs", sorted(shown.Runs()) == [want, want + "/clock"] and steps == list(curve), f"{sorted(shown.Runs())}, steps {steps}")


def leet():
    log, = glob.glob(os.path.join(glob.escape(run), "wandb", "offline-run-*"))
    wandb = os.path.join(os.path.dirname(sys.executable), "wandb")
    printed = subprocess.run([wandb, "leet", "inspect", "--summary", "--json", log], capture_output=True, text=True)
    summary = json.loads(printed.stdout)["summary"] if printed.returncode == 0 else {}
    latest = {k: v for figures in curve.values() for k, v in figures.items()}
    check("wandb leet inspect", summary and all(summary.get(k) == v for k, v in latest.items()), printed.stderr or f"the latest {len(latest)} figures")
    seen = screen([wandb, "leet", log], b"train/loss")
    check("wandb leet", b"train/loss" in seen, f"shows train/loss, {len(seen)} bytes of screen")


def screen(command, until):
    """Runs a program on a terminal of 140 columns, until it shows a text or a minute is over; returns what it wrote."""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 45, 140, 0, 0))
    seen, end = b"", time.time() + 60
    while until not in seen and time.time() < end:
        if select.select([terminal], [], [], 1)[0]:
            try:
                seen += os.read(terminal, 65536)
            except OSError:  # it has ended
                break
    os.kill(child, signal.SIGTERM)
    os.close(terminal)
    os.waitpid(child, 0)
    return seen


def mlflow():
    import mlflow
    script("to_mlflow.py")
    client = mlflow.MlflowClient()
    made, = client.search_runs([client.get_experiment_by_name("fmsr").experiment_id])
    name, spec = exported.spec(run)
    got = {(m.step, k): m.value for k in made.data.metrics for m in client.get_metric_history(made.info.run_id, k)}
    check("mlflow's figures", got == values and made.info.run_name == name, f"{len(got)}, as in metrics.jsonl, of the run {made.info.run_name}")
    check("mlflow's parameters", made.data.params == {k: str(v) for k, v in spec.items()}, f"{len(spec)}, as in spec.yaml")
    files = [os.path.basename(f.path).split("+") for f in client.list_artifacts(made.info.run_id, "images") if f.path.endswith(".png")]
    check("mlflow's pictures", {(int(f[2]), f[0].replace("~", "/")) for f in files} == pictures, str(len(files)))


def trackio():
    script("to_trackio.py")
    from trackio.sqlite_storage import SQLiteStorage as kept
    name, spec = exported.spec(run)
    logs = kept.get_logs("fmsr", name)
    got = {(line["step"], k): line[k] for line in logs for k in line if (line["step"], k) in values}
    check("trackio's figures", got == values and [line["step"] for line in logs] == list(curve), f"{len(got)}, as in metrics.jsonl, of the run {name}")
    config = kept.get_run_config("fmsr", name)
    check("trackio's configuration", all(config.get(k) == v for k, v in spec.items()), f"{len(spec)}, as in spec.yaml")
    shown = {(line["step"], k) for line in logs for k, v in line.items() if isinstance(v, dict) and
             os.path.getsize(os.path.join(os.environ["TRACKIO_DIR"], "media", v["file_path"])) > 0}
    check("trackio's pictures", shown == pictures, str(len(shown)))


for part in (tensorboard, leet, mlflow, trackio):
    try:
        part()
    except ImportError as e:
        check(part.__name__, False, f"{e}: see the top of this file")
sys.exit(1 if failed else 0)
