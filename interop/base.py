"""Where sampling starts with base_dist learned, in PyTorch, from the tensors of a checkpoint: x0 = E(x_lo) + noise.

    c = torch.load("runs/demo/checkpoint.pt", weights_only=True)
    x0 = mean(c, coarse) + noise(c, H, W)         # coarse (N,C,H/2,W/2) and x0 (N,C,H,W) are normalized

docs/sampling.md has the formulas. With base_dist x_lo_plus_lost_band, the mean is x_lo.
"""
import torch
import torch.nn.functional as F


def mean(c, coarse):
    """E(x_lo) (N,C,f H,f W) of normalized coarse fields (N,C,H,W), periodic: a filter of 9 x 9 cells and a constant for each field and sub-pixel."""
    weights = c["linear_filter"].to(coarse.dtype)  # (C, f f, 82)
    fields, cells, _ = weights.shape
    kernels, constants = weights[..., :81].reshape(fields * cells, 1, 9, 9), weights[..., 81].flatten()
    return F.pixel_shuffle(F.conv2d(F.pad(coarse, (4, 4, 4, 4), mode="circular"), kernels, constants, groups=fields), round(cells ** 0.5))


def noise(c, height, width, samples=1):
    """Noise (N,C,H,W) that has the spectrum of what x_hi is beyond the mean."""
    return color(c["base"]["power"].float(), torch.randn(samples, len(c["channel_names"]), height, width))


def color(power, white):
    """Gives white noise (N,C,H,W) the spectra power (C, bins of ky, bins of kx)."""
    height, width = white.shape[-2:]
    by_wave = power[:, bins(height, power.shape[1])][:, :, bins(width, power.shape[2])]
    return torch.fft.ifft2(by_wave.sqrt() * torch.fft.fft2(white)).real


def bins(n, number):
    """The bin of each wave of n cells: |k| up to n/2 is divided into equal bins."""
    k = torch.arange(n)
    return (2 * torch.minimum(k, n - k) * number // n).clamp(max=number - 1)
