"""Times fmsr's data plane against another implementation's loaders and transforms, and against a plain copy and libtorch's FFT.

    python interop/dataplane.py PEER TESTS [--rounds 3]        (RATIOS=--data PEER=DIR make ratios)

PEER is a folder with the modules bench, simple_diffusion.dataset and simple_diffusion.trainer. TESTS has stages.test,
sinks.test and plan.test, which `go test -c` builds. Frames are 256 x 256 with 8 fields, as float32 npy files in the
system's cache.

Figures are per second of processor time (user and system, all threads), which other work on the machine disturbs less
than wall time; waiting for a disk does not count. fmsr's are those of its benchmarks: the difference between many passes
and few, so that start and set-up cancel. Both sides take turns, every run in a process of its own. A figure is the median
over the rounds, its spread (largest - smallest) / median. Prints a line of JSON for each round, then the table.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

RUNS, FRAMES, BATCH, FIELDS = 3, 40, 4, 8


def benchmark(program, name, few, many):
    """The processor time of a pass of a benchmark of fmsr's."""
    pattern, seconds = "/".join(f"^{part}$" for part in name.split("/")), {}
    for passes in (few, many):
        process = subprocess.Popen([program, "-test.run", "^$", "-test.bench", pattern, "-test.benchtime", f"{passes}x"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{program}, {name}: ended with {process.returncode}")
        seconds[passes] = usage.ru_utime + usage.ru_stime
    return (seconds[many] - seconds[few]) / (many - few)


def peer(folder, what, root):
    """A figure of the peer's."""
    out = subprocess.run([sys.executable, os.path.abspath(__file__), folder, "-", "--one", what, "--root", root],
                         check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    return json.loads(out.splitlines()[-1])


def least(passes, act):
    """The least processor time of some passes, after one that is not counted."""
    times = []
    for _ in range(1 + passes):
        begin = time.process_time()
        act()
        times.append(time.process_time() - begin)
    return min(times[1:])


def peer_batches(root, channels):
    """npy files to normalized pairs of batches, in frames. Without workers: they would take more processor time."""
    import torch
    from simple_diffusion.dataset import MRIPairedDataset, prepare_batch
    from torch.utils.data import DataLoader

    data = MRIPairedDataset(root, range(RUNS), channels)
    stats = {"mean": torch.zeros(len(data.index)), "std": torch.ones(len(data.index))}

    def epoch():
        for batch in DataLoader(data, batch_size=BATCH, shuffle=True):
            prepare_batch(batch, stats)

    return len(data) / least(2, epoch)


def peer_spectra():
    """Spectra of frames in memory, in frames."""
    import torch
    from simple_diffusion.trainer import power_spectrum

    x = torch.randn(16, FIELDS, 256, 256)
    return len(x) / least(5, lambda: power_spectrum(x))


def file_copy(root):
    """A copy of the files within the kernel, synced, in GB."""
    paths = [os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names]
    to = os.path.join(root, "copy")

    def copy():
        for path in paths:
            shutil.copyfile(path, to)
            with open(to) as out:
                os.fsync(out)
            os.remove(to)

    return sum(map(os.path.getsize, paths)) / 1e9 / least(2, copy)


def round_of(folder, tests, root):
    """One run of everything, the sides in turn: figures by row and side, larger is better."""
    rows, frame = {}, 4e-9 * FIELDS * 256 * 256  # GB
    for name, channels in (("npy to batches, 8 fields", "all"), ("npy to batches, 1 field", "Bx")):
        seconds = benchmark(f"{tests}/stages.test", "BenchmarkNpyToBatch/" + channels, 1, 9)
        rows[name] = {"fmsr": RUNS * FRAMES / seconds, "peer": peer(folder, channels, root)}
        if channels == "all":
            moved = 3 * RUNS * FRAMES * frame  # read once, written as x_hi and x_lo
            fastest = 2 * frame / benchmark(f"{tests}/stages.test", "BenchmarkCacheReplay/copy", 100, 10100)
            rows[name + ": bytes"] = {"fmsr": moved / seconds, "memcpy": fastest}
    rows["cache replay to batches"] = {"fmsr": 2 * frame / benchmark(f"{tests}/stages.test", "BenchmarkCacheReplay/replay", 100, 2100), "memcpy": fastest}
    exported = 2 * 3 * 32 * frame
    rows["export"] = {"fmsr": exported / benchmark(f"{tests}/sinks.test", "BenchmarkExport/export", 1, 4), "file copy": file_copy(root)}
    rows["spectra, fine and coarse"] = {"fmsr": 1 / benchmark(f"{tests}/plan.test", "BenchmarkSpectraFrame", 20, 220),
                                        "libtorch": 1 / benchmark(f"{tests}/plan.test", "BenchmarkSpectraTorch", 20, 220)}
    rows["npy to tables of spectra"] = {"fmsr": 1000 / benchmark(f"{tests}/sinks.test", "BenchmarkSpectraReport", 1, 2), "peer, in memory": peer(folder, "spectra", root)}
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer")
    parser.add_argument("tests")
    parser.add_argument("--data", action="store_true", help="what make says; there is nothing else here")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--root", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        import torch

        torch.set_num_threads(1)  # threads that wait would count as processor time
        sys.path.insert(0, options.peer)
        if options.one == "files":
            import bench

            print(json.dumps(bench.make_npy(options.root, RUNS, FRAMES)))
            return
        print(peer_spectra() if options.one == "spectra" else peer_batches(options.root, options.one))
        return

    rounds = []
    with tempfile.TemporaryDirectory() as root:
        peer(options.peer, "files", root)
        for _ in range(options.rounds):
            rounds.append(round_of(os.path.abspath(options.peer), os.path.abspath(options.tests), root))
            print(json.dumps(rounds[-1]), flush=True)

    print(f"{'':40}{'fmsr':>9}{'other':>9}  {'':18}{'ratio':>6}{'spread':>12}")
    for name in rounds[0]:
        ours = [r[name]["fmsr"] for r in rounds]
        [other] = set(rounds[0][name]) - {"fmsr"}
        theirs = [r[name][other] for r in rounds]
        ratios = [a / b for a, b in zip(ours, theirs)]
        spread = [(max(of) - min(of)) / statistics.median(of) for of in (ours, theirs, ratios)]
        unit = "GB/s" if other in ("memcpy", "file copy") else "frames/s"
        print(f"{name:40}{statistics.median(ours):9.3g}{statistics.median(theirs):9.3g}  {unit + ', ' + other:18}"
              f"{statistics.median(ratios):6.2f}  {spread[0]:4.0%} {spread[1]:4.0%} {spread[2]:4.0%}")


if __name__ == "__main__":
    main()
