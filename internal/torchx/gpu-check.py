#!/usr/bin/env python3
"""Tests and times fmsr on a GPU in less than eight minutes, and prints one table.

It needs a GPU and PyTorch 2.11 with CUDA, in the Python that runs it, and no Go. `make gpu-kit` packs it with what it runs:

    tar xf gpu-kit.tar.gz && python3 gpu-kit/gpu-check.py [--peer DIR] [--log DIR]

The parts, each with a limit of time, run one after the other. One that fails does not keep the others from running.

    kernels    fmsr's kernels, the optimizer's step, graphs, copies and NCCL, against libtorch's ops
    golden     the golden networks; recorded, late and averaged steps; a rank by NCCL
    steps      training and sampling of the full network at 256 x 256, batch 4, bf16, with 1 and 8 fields
    run        a training by fmsr run: steps a second, what the loader costs, how busy the GPU is
    peer       the same steps by DIR/bench.py: eager, channels-last, torch.compile, CUDA graphs; as many as there is time for
    memory     the kernels under compute-sanitizer, if that is there and there is time

Exit status: 0 all passed, 1 a part failed, 2 wrong arguments or no kit, 3 no GPU.
"""
import argparse
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

KIT = os.path.dirname(os.path.abspath(__file__))
LIMITS = {"kernels": 60, "golden": 100, "steps": 100, "run": 90, "peer": 330, "memory": 60}
FIELDS = (1, 8)
PEAKS = (("H100 PCIe", 756), ("H100", 989), ("H200", 989), ("A100", 312))  # TFLOP/s of dense bf16 products


class Failed(Exception):
    """Why a part did not pass."""


class NoTime(Exception):
    """A part for which no time was left."""


class Check:
    """What the parts share: the time that is left, the folder of their logs, and what they found."""

    def __init__(self, args, torch):
        self.end = time.monotonic() + args.seconds
        self.log = args.log or tempfile.mkdtemp(prefix="gpu-check.")
        self.peer = args.peer
        self.steps = {}  # (who, "train" or "sample", fields): milliseconds
        self.tflops = {}  # the same of fmsr: TFLOP/s
        self.lines = []  # what the run found
        self.env = dict(os.environ, FMSR_TEST_DEVICE="cuda", GOMP_SPINCOUNT="1000")
        self.env["LD_LIBRARY_PATH"] = ":".join(filter(None, [torch + "/lib", os.environ.get("LD_LIBRARY_PATH")]))

    def left(self):
        return self.end - time.monotonic()

    def run(self, name, command, limit):
        """Runs a command for at most that many seconds and returns what it printed, which the log has too."""
        limit = min(limit, self.left())
        if limit < 1:
            raise NoTime()
        path = os.path.join(self.log, name + ".log")
        with open(path, "w") as out:
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=self.env, cwd=self.log, start_new_session=True)
            try:
                status = process.wait(limit)
            except subprocess.TimeoutExpired:
                status = None
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        with open(path, errors="replace") as f:
            text = f.read()
        if status != 0:
            tail = "\n".join(text.splitlines()[-15:])
            raise Failed(f"{'took more than %.0f s' % limit if status is None else 'status %d' % status}; the end of {path}:\n{tail}")
        return text

    def tests(self, name, binary, pattern, limit):
        text = self.run(name, [f"{KIT}/{binary}", "-test.v", "-test.run", pattern], limit)
        passed, skipped = len(re.findall(r"^--- PASS", text, re.M)), len(re.findall(r"^--- SKIP", text, re.M))
        if passed == 0 or skipped > 0:
            raise Failed(f"{passed} tests passed, {skipped} were skipped: see {name}.log")
        return f"{passed} tests"


def kernels(check, limit):
    return check.tests("kernels", "torchx.test", "^Test(TryKernels|RandnOn|NormSiLUKernel|Update|Transfer|NCCL|OnDeviceGraph)$", limit)


def golden(check, limit):
    return check.tests("golden", "model.test", "^Test(GoldenNetworks|RecordedSteps|LateResults|OneRank)$", limit)


def steps(check, limit):
    command = [f"{KIT}/model.test", "-test.run", "^$", "-test.bench", "^BenchmarkDevice$", "-test.benchtime", "30x"]
    text = check.run("steps", command, limit)
    for what, fields, figures in re.findall(r"^BenchmarkDevice/(\w+)/fields=(\d+)\S*(.*)$", text, re.M):
        for value, unit in re.findall(r"([\d.e+-]+) (\S+)", figures):
            if unit == "ms":
                check.steps["fmsr", what, int(fields)] = float(value)
            if unit == "TFLOP/s":
                check.tflops[what, int(fields)] = float(value)
    if not check.steps:
        raise Failed("no times in steps.log")
    return "see below"


class Sampling(threading.Thread):
    """Asks nvidia-smi again and again for the share of time in which a kernel ran, and for the memory in use."""

    def __init__(self):
        super().__init__(daemon=True)
        self.busy, self.memory, self.over = [], [], threading.Event()
        self.start()

    def run(self):
        while True:
            figures = re.findall(r"[\d.]+", smi("utilization.gpu,memory.used"))
            if len(figures) == 2:
                self.busy.append(float(figures[0]))
                self.memory.append(float(figures[1]))
            if self.over.wait(0.25):
                return

    def end(self):
        self.over.set()
        self.join()
        later = self.busy[len(self.busy) // 2:]  # past the start, the first steps and the recording
        return (sum(later) / len(later), max(self.memory)) if later else (float("nan"),) * 2


def run(check, limit):
    end = time.monotonic() + limit
    check.run("synth", [f"{KIT}/fmsr", "run", "synth.yaml", "--out", "data", "--synth-seeds", "1", "--synth-frames", "64"], limit)
    for fields in FIELDS:
        command = [f"{KIT}/fmsr", "run", "full.yaml", "--data-root", "data", "--data-set", "synth", "--out", f"run-{fields}",
                   "--channels", "velx" if fields == 1 else "all", "--overfit", "--device", "cuda", "--total-steps", "400",
                   "--log-every", "1000000", "--sample-steps", "1", "--print-every", "100"]
        sampling = Sampling()
        try:
            text = check.run(f"run-{fields}", command, end - time.monotonic())
        finally:
            busy, memory = sampling.end()
        rates = re.findall(r"^step \d+/\d+ .*?([\d.]+) (steps/s|s/step)", text, re.M)
        if not rates:
            raise Failed(f"no line of a step in run-{fields}.log")
        value, unit = rates[-1]
        ms = 1e3 * float(value) if unit == "s/step" else 1e3 / float(value)
        line = f"a run of {fields} field{'s' if fields > 1 else ''}: {ms:.1f} ms a step, GPU busy {busy:.0f}% of the time, {memory / 1024:.1f} GiB"
        alone = check.steps.get(("fmsr", "train", fields))
        if alone:
            line += f"; the step alone takes {alone:.1f} ms: loader and pipeline cost {100 * (1 - alone / ms):.1f}%"
        check.lines.append(line)
        check.lines += [f"  notice: {notice}" for notice in re.findall(r"^.*(?:not recorded as a CUDA graph|CUDA kernels are not used).*$", text, re.M)]
    return "see below"


def peer(check, limit):
    if not check.peer:
        raise NoTime()
    end, failed = time.monotonic() + limit, []
    for mode in ("eager", "channels_last", "compile", "cudagraph"):
        for fields in FIELDS:
            name = f"peer-{mode}-{fields}"
            command = [sys.executable, f"{check.peer}/bench.py", "--device", "cuda", "--sections", "model", "--dtypes", "bf16", "--modes", mode,
                       "--models", "full256" if fields == 1 else f"full256x{fields}", "--steps", "20", "--warm", "4"]
            if mode in ("compile", "cudagraph"):
                command.append("--channels-last")
            try:
                text = check.run(name, command, end - time.monotonic())
            except (Failed, NoTime) as e:
                failed.append(f"{name}: {e}" if str(e) else f"{name}: no time left")
                continue
            for line in text.splitlines():
                record = json.loads(line) if line.startswith("{") else {}
                if record.get("section") in ("train", "sample"):
                    check.steps[mode, record["section"], fields] = 1e3 * record["median_s"]
                if record.get("section") == "error":
                    failed.append(f"{name}: status {record['rc']}; see {name}.log")
    if failed:
        raise Failed("\n".join(failed))
    return "see below"


def memory(check, limit):
    sanitizer = next((p for p in (os.path.join(d, "compute-sanitizer") for d in os.environ.get("PATH", "").split(":")) if os.access(p, os.X_OK)), None)
    if not sanitizer:
        raise NoTime()
    check.run("memory", [sanitizer, "--error-exitcode", "9", f"{KIT}/torchx.test", "-test.run", "^TestTryKernels$"], limit)
    return "no bad access"


PARTS = {f.__name__: f for f in (kernels, golden, steps, run, peer, memory)}


def smi(what):
    """Returns what nvidia-smi says of the first GPU; nothing if there is none."""
    try:
        out = subprocess.run(["nvidia-smi", f"--query-gpu={what}", "--format=csv,noheader,nounits"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return out.stdout.strip().split("\n")[0] if out.returncode == 0 else ""


def table(check, gpu):
    """Returns the lines of the table of steps."""
    columns = [(what, fields) for what in ("train", "sample") for fields in FIELDS]
    cells = lambda name, values: f"{name:40}" + "".join(f"{v:>18}" for v in values)
    number = lambda v, form: "-" if v is None else format(v, form)
    rows = [cells("256 x 256, batch 4, bf16; ms", [f"{what}, {fields} field{'s' if fields > 1 else ''}" for what, fields in columns])]

    def row(name, who):
        values = [check.steps.get((who, *c)) for c in columns]
        if any(values):
            rows.append(cells(name, [number(v, ".2f") for v in values]))

    row("fmsr, the host waits for no step", "fmsr")
    row_steady = {c: check.steps.get(("fmsr", *c)) for c in columns}
    waits = [check.steps.get(("fmsr", "train_waiting", f)) for f in FIELDS]
    if any(waits):
        rows.append(cells("fmsr, the host waits for each step", [number(v, ".2f") for v in waits] + ["", ""]))
    peak = next((p for name, p in PEAKS if name in gpu), None)
    if peak and check.tflops:
        rows.append(cells(f"  of the GPU's {peak} TFLOP/s", [number(check.tflops.get(c) and 100 * check.tflops[c] / peak, ".1f") + "%" for c in columns]))
    for mode, name in (("eager", "PyTorch, eager"), ("channels_last", "PyTorch, channels-last"), ("compile", "torch.compile, channels-last"), ("cudagraph", "torch.compile, CUDA graphs")):
        row(name, mode)
    best = {}
    for (who, *c), ms in check.steps.items():
        if who != "fmsr":
            best[tuple(c)] = min(ms, best.get(tuple(c), ms))
    if best:
        # the peer waits for each of its steps
        ours = {**row_steady, **{("train", f): w for f, w in zip(FIELDS, waits) if w}}
        rows.append(cells("fastest PyTorch / fmsr, both waiting", [number(best[c] / ours[c] if c in best and ours.get(c) else None, ".2f") for c in columns]))
    return rows


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--peer", metavar="DIR", help="folder whose bench.py times another implementation")
    p.add_argument("--log", metavar="DIR", help="folder for what the parts print (default: a new one in the temporary folder)")
    p.add_argument("--only", metavar="PARTS", default=",".join(PARTS), help="parts to run, with commas between them")
    p.add_argument("--seconds", type=float, default=460, help="time for all parts together (default 460)")
    a = p.parse_args()
    unknown = set(a.only.split(",")) - set(PARTS)
    if unknown:
        p.error(f"--only: unknown part {sorted(unknown)[0]}: want some of {', '.join(PARTS)}")
    for name in ("fmsr", "libfmsr_cuda.so", "torchx.test", "model.test"):
        if not os.path.exists(f"{KIT}/{name}"):
            p.error(f"{KIT}/{name} is missing: make gpu-kit builds it")
    if a.peer:
        a.peer = os.path.abspath(a.peer)
        if not os.path.exists(f"{a.peer}/bench.py"):
            p.error(f"{a.peer}/bench.py is missing")
    if a.log:
        a.log = os.path.abspath(a.log)
        os.makedirs(a.log, exist_ok=True)
    return a


def find_torch():
    """Returns the folder of the PyTorch that this Python would import, and why it is none that fmsr can use."""
    spec = importlib.util.find_spec("torch")
    folder = spec and spec.submodule_search_locations and list(spec.submodule_search_locations)[0]
    if not folder:
        return None, f"{sys.executable} has no PyTorch: run this with a Python that has PyTorch 2.11 with CUDA"
    with open(os.path.join(folder, "version.py")) as f:
        version = re.search(r"__version__ = '([^']*)'", f.read())
    if not version or not version[1].startswith("2.11."):
        return None, f"PyTorch is {version[1] if version else 'of unknown version'}: want 2.11"
    return folder, None


def main():
    a = arguments()
    gpu = smi("name,memory.total,driver_version")
    if not gpu:
        print("no GPU: nothing was checked")
        return 3
    torch, wrong = find_torch()
    if wrong:
        print(f"gpu-check: {wrong}", file=sys.stderr)
        return 2
    check, results, failures = Check(a, torch), [], []
    for name in a.only.split(","):
        began = time.monotonic()
        print(f"{name} ...", end=" ", flush=True)
        try:
            result = PARTS[name](check, LIMITS[name])
        except NoTime:
            result = "left out"
        except Exception as e:  # whatever it is, the other parts run
            result = "FAILED"
            failures.append(f"{name}: {e}")
        results.append((name, result, time.monotonic() - began))
        print(f"{result} ({results[-1][2]:.0f} s)", flush=True)
    print(f"\n{gpu}\n")
    for name, result, seconds in results:
        print(f"{name:34}{result} ({seconds:.0f} s)")
    print()
    print("\n".join(table(check, gpu) + check.lines))
    for failure in failures:
        print(f"\nFAILED {failure}")
    print(f"\nlogs: {check.log}")
    return 1 if failures else 0


sys.exit(main())
