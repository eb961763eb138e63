"""Times fmsr's training and sampling steps against another implementation's, in alternating runs on a quiet CPU.

    python interop/ratios.py PEER MODEL_TEST [--rounds 3] [--compile] [--engines] [--only small,bf16]

PEER is a folder with a bench.py that knows fmsr's configurations, takes --one JSON and prints JSON lines of section,
median_s and peak_rss_mb. MODEL_TEST is the program that `go test -c ./model` builds. Every run is a process of its own.
A side's time is the median over the rounds of its runs' medians; the peer's is the time of its best mode. The spread is
(largest - smallest) / median over the rounds. --engines times sampling in OpenVINO, ONNX Runtime and torch.compile with frozen weights too
(pip install onnxruntime openvino; bin/fmsr exports the network), with twice as many steps. Prints a line of JSON for each run, then the table.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

from engines import ENGINES

NETWORKS = {"small": ("small64", 32), "full": ("full64", 128)}
STEPS = {"small": 15, "full": 5}


def output_and_memory(command, **options):
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **options)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command[0]} ended with {process.returncode}")
    return out, usage.ru_maxrss / 1024


def fmsr(program, network, dtype):
    runs = {}
    for what, name in (("train", "TrainStep"), ("sample", "SampleStep")):
        pattern = f"{name}/channels={NETWORKS[network][1]}/bf16={str(dtype == 'bf16').lower()}"
        out, memory = output_and_memory(
            [program, "-test.run", "^$", "-test.bench", pattern, "-test.benchtime", f"{STEPS[network]}x"])
        line = next(line for line in out.splitlines() if line.startswith("Benchmark"))
        fields = line.split()
        runs[what] = float(fields[fields.index("median-s") - 1]), memory
    return runs


def peer(folder, network, dtype, mode):
    one = dict(device="cpu", threads=os.cpu_count(), model=NETWORKS[network][0], dtype=dtype, mode=mode,
               what="sample,train", channels_last=mode == "compile", warm=2, patience=0, steps=STEPS[network])
    out, _ = output_and_memory([sys.executable, "bench.py", "--one", json.dumps(one)], cwd=folder)
    records = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    return {r["section"]: (r["median_s"], r["peak_rss_mb"]) for r in records}


def engine(name, network, dtype):
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "engines.py")
    out, _ = output_and_memory([sys.executable, script, name, str(NETWORKS[network][1]), dtype, str(2 * STEPS[network])])
    record = json.loads(out.splitlines()[-1])
    return {"sample": (record["median_s"], record["peak_rss_mb"])}


def run_of(side, options, program, network, dtype):
    if side == "fmsr":
        return fmsr(program, network, dtype)
    return engine(side, network, dtype) if side in ENGINES else peer(options.peer, network, dtype, side)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer")
    parser.add_argument("program")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compile", action="store_true", help="the peer by torch.compile too, in the last round: it takes minutes")
    parser.add_argument("--engines", action="store_true", help="sampling in inference engines too")
    parser.add_argument("--only", default="", help="networks and types, of small, full, fp32 and bf16")
    options = parser.parse_args()
    only = set(options.only.split(",")) - {""}
    peers = ["eager", "channels_last"] + ["compile"] * options.compile

    program, rows = os.path.abspath(options.program), []
    for network in [n for n in NETWORKS if n in only or not only & set(NETWORKS)]:
        for dtype in [d for d in ("fp32", "bf16") if d in only or not only & {"fp32", "bf16"}]:
            found, engines = {}, [e for e in ENGINES if options.engines and (e, dtype) != ("onnxruntime", "bf16")]
            for round_ in range(options.rounds):
                last = round_ == options.rounds - 1
                for side in ["fmsr"] + peers[: None if last else 2] + engines:
                    runs = run_of(side, options, program, network, dtype)
                    print(json.dumps(dict(network=network, dtype=dtype, round=round_, side=side, runs=runs)), flush=True)
                    for what, run in runs.items():
                        found.setdefault((what, side), []).append(run)
            for what, sides in (("train", peers), ("sample", peers), ("sample", engines)):
                if sides:
                    rows.append((network, dtype, what, {side: found[what, side] for side in ["fmsr"] + sides}))

    print(f"{'':22}{'fmsr s':>9}{'peer s':>9}{'ratio':>7}  {'best peer':14}{'spread':>12}{'MB':>6}{'peer MB':>8}{'share':>7}")
    for network, dtype, what, sides in rows:
        middle = {side: statistics.median(s for s, _ in runs) for side, runs in sides.items()}
        memory = {side: max(mb for _, mb in runs) for side, runs in sides.items()}
        spread = {side: (max(runs)[0] - min(runs)[0]) / middle[side] for side, runs in sides.items()}
        best = min((side for side in sides if side != "fmsr"), key=middle.get)
        print(f"{network + ' ' + dtype + ' ' + what:22}{middle['fmsr']:9.4f}{middle[best]:9.4f}"
              f"{middle[best] / middle['fmsr']:7.2f}  {best:14}{spread['fmsr']:5.0%} {spread[best]:5.0%}"
              f"{memory['fmsr']:7.0f}{memory[best]:8.0f}{memory['fmsr'] / memory[best]:7.0%}")


if __name__ == "__main__":
    main()
