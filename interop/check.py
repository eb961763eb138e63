#!/usr/bin/env python3
"""Opens a run's files with the tools that the field reads them with.

    python3 -m venv venv
    venv/bin/pip install torch==2.11.0 numpy safetensors tensorboard wandb onnx onnxruntime openvino
    PYTHON=venv/bin/python make interop

which runs check.py RUN FMSR: the folder of a training run, and the program. weights.py
checks the weights, with the network of unet.py.

Prints a line for each check and exits 1 if one fails.
"""
import glob
import json
import os
import struct
import sys
import zlib

import exported

run, fmsr = sys.argv[1], sys.argv[2]
failed = []


def check(what, ok, detail=""):
    print(f"{'ok  ' if ok else 'FAIL'} {what} {detail}".rstrip())
    if not ok:
        failed.append(what)


metrics = [json.loads(line) for line in open(os.path.join(run, "metrics.jsonl"))]
pictures = sorted(f"{name}/{step}.png" for name, step, _ in exported.pictures(run))
check("metrics.jsonl", len(metrics) > 0, f"{len(metrics)} evaluations, {len(pictures)} pictures")


def torch_and_safetensors():
    import weights
    weights.checks(run, fmsr, check)


def tensorboard():
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    acc = EventAccumulator(os.path.join(run, "tb", "demo"), size_guidance={"scalars": 0, "images": 0})
    acc.Reload()
    tags = acc.Tags()
    want = {(m["step"], k): v for m in metrics for k, v in m.items() if k != "step"}
    got = {(e.step, tag): e.value for tag in tags["scalars"] if not tag.startswith("time/") for e in acc.Scalars(tag)}
    single = {k: struct.unpack("f", struct.pack("f", v))[0] for k, v in want.items()}
    check("tensorboard scalars", got == single, f"{len(got)} values, as in metrics.jsonl to float32")
    shown = sorted(f"{tag}/{e.step}.png" for tag in tags["images"] for e in acc.Images(tag))
    check("tensorboard images", shown == pictures, f"{len(shown)}")


def wandb_records(path):
    """The records of a .wandb file: a LevelDB log with its own header."""
    data = open(path, "rb").read()
    assert data[:4] == b":W&B" and struct.unpack("<HB", data[4:7]) == (0xBEE1, 0), "header"
    at, parts = 7, []
    while at < len(data):
        room = 32768 - at % 32768
        if room < 7:
            at += room
            continue
        crc, length, kind = struct.unpack("<IHB", data[at:at + 7])
        part = data[at + 7:at + 7 + length]
        assert zlib.crc32(bytes([kind]) + part) == crc, f"checksum at {at}"
        parts.append(part)
        if kind in (1, 4):
            yield b"".join(parts)
            parts = []
        at += 7 + length


def wandb_run():
    import subprocess
    import wandb
    from wandb.proto import wandb_internal_pb2 as pb
    path, = glob.glob(os.path.join(run, "wandb", "offline-run-*", "run-*.wandb"))
    records = []
    for raw in wandb_records(path):
        r = pb.Record()
        r.ParseFromString(raw)
        records.append(r)
    check("wandb records", [r.num for r in records] == list(range(1, len(records) + 1)),
          f"wandb {wandb.__version__}: {', '.join(r.WhichOneof('record_type') for r in records)}")
    start = next(r.run for r in records if r.WhichOneof("record_type") == "run")
    check("wandb run", start.project == "mri" and len(start.config.update) > 0, f"project {start.project}, id {start.run_id}")
    rows = [{i.nested_key[0]: json.loads(i.value_json) for i in r.history.item}
            for r in records if r.WhichOneof("record_type") == "history"]
    same = [{k: v for k, v in row.items() if not isinstance(v, dict) and not k.startswith(("_", "time/"))} | {"step": row["_step"]} for row in rows]
    check("wandb scalars", same == metrics, f"{len(rows)} lines, as in metrics.jsonl")
    shown = [v for row in rows for v in row.values() if isinstance(v, dict)]
    files = os.path.join(os.path.dirname(path), "files")
    check("wandb images", len(shown) == len(pictures) and
          all(os.path.getsize(os.path.join(files, v["path"])) == v["size"] for v in shown), f"{len(shown)}")
    out = subprocess.run([os.path.join(os.path.dirname(sys.executable), "wandb"), "sync", "--dry-run", os.path.dirname(path)],
                         capture_output=True, text=True)
    check("wandb sync --dry-run", out.returncode == 0 and start.run_id in out.stdout + out.stderr, (out.stdout + out.stderr).strip().replace("\n", " | "))


def inference_engines():
    import tempfile
    import onnx_model
    with tempfile.TemporaryDirectory() as folder:
        onnx_model.checks(folder, fmsr, check)


for part in (torch_and_safetensors, inference_engines, tensorboard, wandb_run):
    try:
        part()
    except ImportError as e:
        print(f"FAIL {part.__name__}: {e}: see the top of this file")
        failed.append(part.__name__)
sys.exit(1 if failed else 0)
