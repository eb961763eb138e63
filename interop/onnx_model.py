"""Checks fmsr's ONNX models: against PyTorch's network in ONNX Runtime and OpenVINO, and the sampler of docs/onnx.md against superres."""
import os
import re
import subprocess

import numpy as np
import onnx
import onnxruntime
import openvino
import torch

from unet import UNet

TOLERANCE = 1e-5  # of the velocity's rms; of a field's deviation


def checks(folder, fmsr, check):
    for periodic in (False, True):
        torch.manual_seed(2)
        net = UNet(2, 64, (1, 2, 2), periodic=periodic)
        path = os.path.join(folder, "net.pt")
        torch.save({"model_state_dict": net.state_dict(), "channel_names": ["Bx", "By"], "step": 7,
                    "stats": {"mean": torch.tensor([0.5, -2.0]), "std": torch.tensor([0.1, 3.0])},
                    "config": {"periodic_padding": periodic, "periodic_input": periodic, "base_dist": "x_lo_plus_noise", "base_noise_scale": 0.1, "factor": 2}}, path)
        model = os.path.join(folder, "demo.onnx")
        subprocess.run([fmsr, "weights", path, model, "--weights", "raw"], check=True, stdout=subprocess.DEVNULL)
        onnx.checker.check_model(onnx.load(model), full_check=True)
        engines(net, model, f"padding {'periodic' if periodic else 'zeros'}", check)
        sampler(path, folder, fmsr, check)
    torch.manual_seed(3)
    net = UNet(2, 32, (1, 2), spans=True)
    torch.save({"model_state_dict": net.state_dict(), "channel_names": ["Bx", "By"], "step": 7, "stats": {"mean": torch.zeros(2), "std": torch.ones(2)},
                "config": {"objective": "flow_map", "map_steps": 2}}, path)
    subprocess.run([fmsr, "weights", path, model, "--weights", "raw"], check=True, stdout=subprocess.DEVNULL)
    engines(net, model, "a flow map", check, 2 * TOLERANCE)  # it has angles of up to 1000 rad of two times


@torch.no_grad()
def engines(net, model, what, check, tolerance=TOLERANCE):
    runtime = onnxruntime.InferenceSession(model)
    vino = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for shape in ((1, 2, 64, 64), (3, 2, 32, 48)):
        xt, x_lo, t, s = torch.randn(shape), torch.randn(shape), torch.rand(shape[0]), torch.rand(shape[0])
        times = {"t": t, "s": s} if hasattr(net, "span_embed") else {"t": t}
        want = net(xt, x_lo, **times).numpy()
        values = {"xt": xt.numpy(), "x_lo": x_lo.numpy(), **{k: v.numpy() for k, v in times.items()}}
        for engine, got in ((f"ONNX Runtime {onnxruntime.__version__}", runtime.run(None, values)[0]),
                            (f"OpenVINO {openvino.__version__.split('-')[0]}", vino(list(values.values()))[0])):
            apart = np.abs(got - want).max() / np.sqrt((want**2).mean())
            check(f"ONNX model, {what}", apart <= tolerance, f"{engine}: {shape}: apart from PyTorch by at most {apart:.1e} of the rms")


def sampler(path, folder, fmsr, check):
    rng = np.random.default_rng(3)
    coarse = (np.array([0.5, -2.0]) + np.array([0.1, 3.0]) * rng.standard_normal((2, 24, 32, 2))).astype(np.float32)
    np.save(os.path.join(folder, "coarse.npy"), coarse)
    out = os.path.join(folder, "made")
    subprocess.run([fmsr, "run", "specs/superres.yaml", "--checkpoint", path, "--input", os.path.join(folder, "coarse.npy"), "--out", out, "--resume", "never",
                    "--weights", "raw", "--base-noise-scale", "0", "--solver", "euler", "--sample-steps", "8"], check=True, stdout=subprocess.DEVNULL)
    code = re.search("```python\n(.*?)```", open("docs/onnx.md").read(), re.S)[1]
    here = os.getcwd()
    os.chdir(folder)
    try:
        exec(code.replace('config["base_noise_scale"]', "0"), {})
    finally:
        os.chdir(here)
    apart = (np.abs(np.load(os.path.join(folder, "fine.npy")) - np.load(os.path.join(out, "coarse.npy"))) / np.array([0.1, 3.0])).max()
    check("the sampler of docs/onnx.md", apart <= TOLERANCE, f"apart from superres by at most {apart:.1e} of a deviation")
