"""Checks weights both ways: fmsr's in PyTorch, PyTorch's in fmsr, and fmsr's as safetensors."""
import json
import os
import subprocess
import tempfile

import numpy as np
import torch

import base
from unet import UNet, superres

STEPS = 4
TOLERANCE = 1e-5  # of a field's deviation


def load(path):
    return torch.load(path, weights_only=True)


def checks(run, fmsr, check):
    path = os.path.join(run, "checkpoint.pt")
    c = load(path)
    n = sum(v.numel() for v in c["model_state_dict"].values())
    check("torch.load(weights_only=True)", n > 0, f"torch {torch.__version__}: step {c['step']}, {n:,} parameters, {c['channel_names']}")
    check("state dicts", list(c["model_state_dict"]) == list(c["ema_state_dict"]) and
          all(torch.isfinite(v).all() for d in ("model_state_dict", "ema_state_dict") for v in c[d].values()))
    check("stats", c["stats"]["mean"].shape == (len(c["channel_names"]),) and c["stats"]["std"].dtype == torch.float32,
          f"mean {c['stats']['mean'].tolist()} std {c['stats']['std'].tolist()}")
    linear_filter(c, run, check)
    base_power(c, check)
    with tempfile.TemporaryDirectory() as folder:
        fmsrs_in_torch(path, folder, fmsr, check)
        torchs_in_fmsr(folder, fmsr, check)
        students_in_fmsr(folder, fmsr, check)
        safetensors_file(path, folder, fmsr, check)


def linear_filter(c, run, check):
    """The error of the linear filter in metrics.jsonl, from the checkpoint's weights, on the validation frames of specs/demo.yaml."""
    field = ["density", "velx", "Bx", "By"].index(c["channel_names"][0])
    truth = np.load("testdata/mri128_nu3e-5/seed_0002/npy/fields_128x128.npy")[..., field].astype(np.float64)
    f, n, _ = truth.shape
    mean, std = (float(c["stats"][k][0]) for k in ("mean", "std"))
    coarse = (truth.reshape(f, n // 2, 2, n // 2, 2).mean((2, 4)) - mean) / std
    cells = [np.roll(coarse, (-dy, -dx), (1, 2)) for dy in range(-4, 5) for dx in range(-4, 5)]
    features = np.stack(cells + [np.ones_like(coarse)], -1)
    weights = c["linear_filter"][0].numpy()  # (4, 82): a row for each cell of 2 x 2
    fine = (features @ weights.T).reshape(f, n // 2, n // 2, 2, 2).transpose(0, 1, 3, 2, 4).reshape(f, n, n) * std + mean
    logged = [json.loads(line) for line in open(os.path.join(run, "metrics.jsonl"))]
    want = [m["val/mse_linear"] for m in logged if "val/mse_linear" in m][-1]
    got = ((fine - truth) ** 2).mean()
    check("the linear filter of the checkpoint", abs(got - want) < 1e-4 * want, f"{c['linear_filter'].dtype} {tuple(c['linear_filter'].shape)}: MSE {got:.6g} and {want:.6g}")


def base_power(c, check):
    """The base's spectrum, and the noise's, are that of what the training frames of specs/demo.yaml are beyond the filter's output."""
    field = ["density", "velx", "Bx", "By"].index(c["channel_names"][0])
    mean, std = (c["stats"][k][0] for k in ("mean", "std"))
    rest = []
    for seed in (0, 1):
        truth = torch.from_numpy(np.load(f"testdata/mri128_nu3e-5/seed_{seed:04d}/npy/fields_128x128.npy")[..., field].copy())[:, None]
        hi, coarse = (truth - mean) / std, (torch.nn.functional.avg_pool2d(truth, 2) - mean) / std
        rest.append(hi - base.mean(c, coarse))
    power = c["base"]["power"][0]
    want, noise = powers(torch.cat(rest), power.shape), powers(base.noise(c, *rest[0].shape[-2:], samples=64), power.shape)
    apart, rough = ((got / want - 1).abs() for got in (power, noise))
    check("the base's spectrum in PyTorch", apart.max() < 1e-3 and rough.mean() < 0.05 and abs(noise.mean() / want.mean() - 1) < 0.02,
          f"{tuple(power.shape)} bins, apart by at most {apart.max():.1e}; 64 samples of the noise by {rough.mean():.1e}")


def powers(planes, shape):
    """The mean over planes (N,1,H,W) and each bin's waves of H W |F|^2."""
    h, w = planes.shape[-2:]
    p = (torch.fft.fft2(planes.double()).abs() ** 2).mean((0, 1)) / (h * w)
    at = base.bins(h, shape[0])[:, None] * shape[1] + base.bins(w, shape[1])
    sums, count = (torch.zeros(shape[0] * shape[1], dtype=torch.double).index_add_(0, at.flatten(), v.flatten()) for v in (p, torch.ones_like(p)))
    return (sums / count).reshape(shape)


def fmsrs_in_torch(path, folder, fmsr, check):
    c = load(path)
    state, config = c["model_state_dict"], c["config"]
    net = UNet(len(c["channel_names"]), *widths(state), periodic=config["periodic_padding"], spans="span_embed.0.weight" in state)
    for weights, key in (("raw", "model_state_dict"), ("ema", "ema_state_dict")):
        net.load_state_dict(c[key], strict=True)
        compare(f"fmsr's {weights} weights in PyTorch", net, c, config, path, weights, folder, fmsr, check)


def widths(state):
    """Returns model_channels and channel_mult, from the tensors' shapes."""
    channels = state["time_embed.0.weight"].shape[1]
    mult = []
    while (name := f"input_blocks.{3 * len(mult) + 1}.0.out_layers.3.weight") in state:
        mult.append(state[name].shape[0] // channels)
    return channels, mult


def torchs_in_fmsr(folder, fmsr, check):
    torch.manual_seed(1)
    names = ["Bx", "By"]
    net = UNet(len(names), 64, (1, 2, 2))
    path = os.path.join(folder, "torch.pt")
    c = {"model_state_dict": net.state_dict(), "stats": {"mean": torch.tensor([0.5, -2.0]), "std": torch.tensor([0.1, 3.0])},
         "channel_names": names, "step": 7}
    c["ema_state_dict"] = {k: v + 0.02 * torch.randn_like(v) for k, v in net.state_dict().items()}
    torch.save(c, path)
    net.load_state_dict(c["ema_state_dict"], strict=True)
    compare("PyTorch's weights in fmsr", net, c, {"factor": 2, "periodic_input": False}, path, "ema", folder, fmsr, check)


def students_in_fmsr(folder, fmsr, check):
    """A flow map, whose network takes two times, in two steps."""
    torch.manual_seed(1)
    net = UNet(1, 32, (1, 2), spans=True)
    path = os.path.join(folder, "student.pt")
    c = {"model_state_dict": net.state_dict(), "stats": {"mean": torch.tensor([0.5]), "std": torch.tensor([0.1])}, "channel_names": ["Bx"], "step": 7,
         "config": {"objective": "flow_map", "map_steps": 2, "t_min": 1e-4, "t_max": 1 - 1e-4, "factor": 2, "periodic_input": False}}
    torch.save(c, path)
    compare("PyTorch's flow map in fmsr", net, c, c["config"], path, "raw", folder, fmsr, check, steps=2, solver=[])


def compare(what, net, c, config, path, weights, folder, fmsr, check, steps=STEPS, solver=("--solver", "euler")):
    """Both programs super-resolve the same coarse frames, without noise, so that the output depends on the input alone."""
    start = (lambda x: base.mean(c, x)) if config.get("base_dist") == "learned" else None
    mean, std = c["stats"]["mean"], c["stats"]["std"]
    rng = np.random.default_rng(1)
    coarse = (mean.numpy() + std.numpy() * rng.standard_normal((2, 24, 32, len(mean)))).astype(np.float32)
    name = os.path.join(folder, "coarse.npy")
    np.save(name, coarse)
    out = os.path.join(folder, "fine")
    subprocess.run([fmsr, "run", "specs/superres.yaml", "--checkpoint", path, "--input", name, "--out", out, "--weights", weights, "--device", "cpu",
                    "--base-noise-scale", "0", *solver, "--sample-steps", str(steps)], check=True, stdout=subprocess.DEVNULL)
    got = np.load(os.path.join(out, "coarse.npy"))
    x = torch.from_numpy(coarse.transpose(0, 3, 1, 2).copy())
    want = superres(net.eval(), x, mean, std, config["factor"], config["periodic_input"], steps, start=start).numpy().transpose(0, 2, 3, 1)
    still = superres(lambda xt, *_: torch.zeros_like(xt), x, mean, std, config["factor"], config["periodic_input"], 1, start=start).numpy().transpose(0, 2, 3, 1)
    apart = np.abs(got - want).max(axis=(0, 1, 2)) / std.numpy()
    moved = np.abs(want - still).max(axis=(0, 1, 2)) / std.numpy()
    check(what, got.shape == want.shape and (apart <= TOLERANCE).all() and (moved > 100 * TOLERANCE).all(),
          f"{got.shape}, {c['channel_names']}: apart by at most {apart.max():.1e} of a deviation; the network moved them by {moved.max():.1e}")


def safetensors_file(path, folder, fmsr, check):
    import safetensors
    from safetensors.torch import load_file
    c = load(path)
    for weights, key in (("raw", "model_state_dict"), ("ema", "ema_state_dict")):
        name = os.path.join(folder, weights + ".safetensors")
        subprocess.run([fmsr, "weights", path, name, "--weights", weights], check=True, stdout=subprocess.DEVNULL)
        got = load_file(name)
        same = got.keys() == c[key].keys() and all(torch.equal(got[k], v) for k, v in c[key].items())
        with safetensors.safe_open(name, "pt") as f:
            about = f.metadata()
        check(f"safetensors, {weights}", same and json.loads(about["channel_names"]) == c["channel_names"] and int(about["step"]) == c["step"] and
              np.allclose(json.loads(about["std"]), c["stats"]["std"].numpy(), rtol=1e-6),
              f"safetensors {safetensors.__version__}: {len(got)} tensors, equal to the checkpoint's; metadata {', '.join(sorted(about))}")
