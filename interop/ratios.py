"""Times fmsr's training and sampling steps against other implementations', in alternating runs on a CPU.

    python interop/ratios.py MODEL_TEST [--peer DIR [--compile]] [--engines [NAMES]] [--rounds 3] [--only small,bf16]
                             [--level avx2]

MODEL_TEST is the program that `go test -c ./model` builds. DIR has a bench.py that knows fmsr's configurations, takes
--one JSON and prints JSON lines of section, median_s, cpu_s and peak_rss_mb. --engines times sampling, with twice as many
steps, in OpenVINO, ONNX Runtime and torch.compile with frozen weights, or in some of openvino,onnxruntime,inductor (pip
install onnxruntime openvino; bin/fmsr exports the network). Every run is a process of its own, and the sides take turns.

A run gives the median time of its steps and their median processor time (of all threads). A side's figures are the least
of its runs', since other processes only ever add to them; the spread is (largest - least) / least of the times. The best
opponent is the one of least time. Beside busy processes, trust the ratio of processor times more; but threads that
spin while they wait count in it. Prints a line of JSON for each run, then the table.

--level holds both sides to a set of the processor's instructions: fmsr's kernels, and libtorch's, oneDNN's and MKL's on
either side. In float32 only: these levels have no instructions for bf16.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

NETWORKS = {"small": ("small64", 32), "full": ("full64", 128)}
STEPS = {"small": 15, "full": 5}
ENGINES = ("openvino", "onnxruntime", "inductor")  # of engines.py
KINDS = {"train": "TrainStep", "sample": "SampleStep"}

# What holds fmsr, libtorch, oneDNN and MKL to a level, in this order.
LEVELS = {
    "avx2": dict(FMSR_CPU="avx2", ATEN_CPU_CAPABILITY="avx2", ONEDNN_MAX_CPU_ISA="AVX2", MKL_ENABLE_INSTRUCTIONS="AVX2"),
    "avx512": dict(FMSR_CPU="avx512", ATEN_CPU_CAPABILITY="avx512", ONEDNN_MAX_CPU_ISA="AVX512_CORE", MKL_ENABLE_INSTRUCTIONS="AVX512"),
}


def output_and_memory(command, **options):
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **options)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command[0]} ended with {process.returncode}")
    return out, usage.ru_maxrss / 1024


def fmsr(program, network, dtype, kinds):
    """{kind of step: (median s, processor s, MB)}, as of the other sides."""
    runs = {}
    for what in kinds:
        pattern = f"{KINDS[what]}/channels={NETWORKS[network][1]}/bf16={str(dtype == 'bf16').lower()}"
        out, memory = output_and_memory(
            [program, "-test.run", "^$", "-test.bench", pattern, "-test.benchtime", f"{STEPS[network]}x"])
        line = next(line for line in out.splitlines() if line.startswith("Benchmark"))
        fields = line.split()
        runs[what] = *(float(fields[fields.index(unit) - 1]) for unit in ("median-s", "processor-s")), memory
    return runs


def peer(folder, network, dtype, mode):
    one = dict(device="cpu", threads=len(os.sched_getaffinity(0)), model=NETWORKS[network][0], dtype=dtype, mode=mode,
               what="sample,train", channels_last=mode == "compile", warm=2, patience=0, steps=STEPS[network])
    out, _ = output_and_memory([sys.executable, "bench.py", "--one", json.dumps(one)], cwd=folder)
    records = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    return {r["section"]: (r["median_s"], r["cpu_s"], r["peak_rss_mb"]) for r in records}


def engine(name, network, dtype):
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "engines.py")
    out, _ = output_and_memory([sys.executable, script, name, str(NETWORKS[network][1]), dtype, str(2 * STEPS[network])])
    record = json.loads(out.splitlines()[-1])
    return {"sample": (record["median_s"], record["cpu_s"], record["peak_rss_mb"])}


def run_of(side, options, network, dtype):
    if side == "fmsr":
        return fmsr(os.path.abspath(options.program), network, dtype, KINDS if options.peer else ["sample"])
    return engine(side, network, dtype) if side in ENGINES else peer(options.peer, network, dtype, side)


def has_bf16():
    with open("/proc/cpuinfo") as info:
        return not {"avx512_bf16", "amx_bf16"}.isdisjoint(info.read().split())


def row(name, sides):
    """A line of the table, of {side: [(s, processor s, MB) of each run]}, fmsr's first."""
    time, processor = ({side: min(run[i] for run in runs) for side, runs in sides.items()} for i in (0, 1))
    memory = {side: max(run[2] for run in runs) for side, runs in sides.items()}
    spread = {side: max(run[0] for run in runs) / time[side] - 1 for side, runs in sides.items()}
    best = min((side for side in sides if side != "fmsr"), key=time.get)
    return (f"{name:22}{time['fmsr']:8.4f}{spread['fmsr']:5.0%}{time[best]:9.4f}{spread[best]:5.0%}  {best:14}{time[best] / time['fmsr']:6.2f}"
            f"{processor[best] / processor['fmsr']:11.2f}{memory['fmsr']:7.0f}{memory[best]:6.0f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--peer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compile", action="store_true", help="the peer by torch.compile too, in the last round: it takes minutes")
    parser.add_argument("--engines", nargs="?", const=",".join(ENGINES), default="", help="sampling in inference engines, all or a list")
    parser.add_argument("--only", default="", help="networks and types, of small, full, fp32 and bf16")
    parser.add_argument("--level", choices=LEVELS, help="hold both sides to these instructions")
    options = parser.parse_args()
    if not options.peer and not options.engines:
        parser.error("name opponents: --peer DIR or --engines")
    if options.level and options.engines:
        parser.error("--level: inference engines choose their instructions themselves; use --peer DIR alone")
    os.environ.update(LEVELS.get(options.level, {}))
    only = set(options.only.split(",")) - {""}
    types = [d for d in ("fp32", "bf16") if d in only or not only & {"fp32", "bf16"}]
    if options.level:
        types = ["fp32"]
    if "bf16" in types and not has_bf16():
        print("this processor has no bf16 instructions: those rows are left out", file=sys.stderr)
        types.remove("bf16")
    peers = ["eager", "channels_last"] if options.peer else []
    compiled = ["compile"] if options.peer and options.compile else []

    rows = []
    for network in [n for n in NETWORKS if n in only or not only & set(NETWORKS)]:
        for dtype in types:
            found, engines = {}, [e for e in ENGINES if e in options.engines.split(",") and (e, dtype) != ("onnxruntime", "bf16")]
            for round_ in range(options.rounds):
                for side in ["fmsr"] + peers + (compiled if round_ == options.rounds - 1 else []) + engines:
                    runs = run_of(side, options, network, dtype)
                    print(json.dumps(dict(network=network, dtype=dtype, round=round_, side=side, runs=runs)), flush=True)
                    for what, run in runs.items():
                        found.setdefault((what, side), []).append(run)
            for what, sides in (("train", peers + compiled), ("sample", peers + compiled), ("sample", engines)):
                if sides:
                    rows.append(row(f"{network} {dtype} {what}", {side: found[what, side] for side in ["fmsr"] + sides}))

    print(f"{'':22}{'fmsr s':>8}{'':5}{'other s':>9}{'':5}  {'best other':14}{'ratio':>6}{'processor':>11}{'MB':>7}{'other':>6}")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
