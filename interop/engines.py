"""Times an evaluation of fmsr's network in an inference engine: ratios.py calls it once for a run.

    python interop/engines.py ENGINE MODEL_CHANNELS TYPE STEPS

ENGINE is openvino, onnxruntime (which has no bf16 for CPUs) or inductor (torch.compile with frozen weights); TYPE is fp32 or bf16. The network has
random weights, its input is a batch of 4 fields of 64 x 64. Prints the median time of STEPS evaluations after 3, their median processor time, and
the largest resident size: {"median_s": ..., "cpu_s": ..., "peak_rss_mb": ...}.
"""
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import torch

from ratios import ENGINES
from unet import UNet


def network(channels):
    torch.manual_seed(0)
    return UNet(1, channels).eval()


def model(channels, folder):
    """Writes the network as fmsr's ONNX model."""
    path = os.path.join(folder, "net.pt")
    torch.save({"model_state_dict": network(channels).state_dict(), "channel_names": ["Bx"], "step": 0,
                "stats": {"mean": torch.zeros(1), "std": torch.ones(1)}}, path)
    subprocess.run(["bin/fmsr", "weights", path, os.path.join(folder, "net.onnx"), "--weights", "raw"], check=True, stdout=subprocess.DEVNULL)
    return os.path.join(folder, "net.onnx")


def openvino(channels, dtype, folder):
    import openvino
    settings = {"INFERENCE_PRECISION_HINT": {"fp32": "f32"}.get(dtype, dtype), "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": len(os.sched_getaffinity(0))}
    core = openvino.Core()
    read = core.read_model(model(channels, folder))
    read.reshape({"xt": [4, 1, 64, 64], "x_lo": [4, 1, 64, 64], "t": [4]})
    compiled = core.compile_model(read, "CPU", settings)
    return lambda xt, x_lo, t: compiled({"xt": xt.numpy(), "x_lo": x_lo.numpy(), "t": t.numpy()})


def onnxruntime(channels, _, folder):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    for name, size in (("N", 4), ("H", 64), ("W", 64)):
        options.add_free_dimension_override_by_name(name, size)
    session = onnxruntime.InferenceSession(model(channels, folder), options, providers=["CPUExecutionProvider"])
    return lambda xt, x_lo, t: session.run(None, {"xt": xt.numpy(), "x_lo": x_lo.numpy(), "t": t.numpy()})


def inductor(channels, dtype, _):
    import torch._inductor.config
    torch._inductor.config.freezing = True
    compiled = torch.compile(network(channels).to(memory_format=torch.channels_last))

    def evaluate(*inputs):
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bf16"):
            return compiled(*inputs)
    return evaluate


def main():
    engine, channels, dtype, steps = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    if engine not in ENGINES:
        sys.exit(f"{engine}: want one of {', '.join(ENGINES)}")
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    inputs = torch.randn(4, 1, 64, 64), torch.randn(4, 1, 64, 64), torch.rand(4)
    with tempfile.TemporaryDirectory() as folder:
        evaluate, seconds, processor = globals()[engine](channels, dtype, folder), [], []
        for _ in range(3 + steps):
            began, before = time.perf_counter(), time.process_time()
            evaluate(*inputs)
            seconds.append(time.perf_counter() - began)
            processor.append(time.process_time() - before)
    print(json.dumps({"median_s": statistics.median(seconds[3:]), "cpu_s": statistics.median(processor[3:]), "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    main()
