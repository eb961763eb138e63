"""The velocity model in plain PyTorch with ADM's parameter names, as a user would write
it who knows only the contract of the checkpoint.

Dhariwal & Nichol 2021, arXiv:2105.05233, with scale-shift FiLM, ResBlock down and up,
heads of 64 channels, and 2 ResBlocks at each level (3 on the way up).
"""
import math

import torch
import torch.nn.functional as F
from torch import nn


def norm(channels):
    return nn.GroupNorm(math.gcd(32, channels), channels, eps=1e-5)


def conv(inputs, outputs, periodic):
    return nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="circular" if periodic else "zeros")


class ResBlock(nn.Module):
    def __init__(self, inputs, outputs, embedding, periodic, resample=None):
        super().__init__()
        self.resample = resample or nn.Identity()
        self.in_layers = nn.Sequential(norm(inputs), nn.SiLU(), conv(inputs, outputs, periodic))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, 2 * outputs))
        self.out_layers = nn.Sequential(norm(outputs), nn.SiLU(), nn.Identity(), conv(outputs, outputs, periodic))
        self.skip_connection = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x, emb):
        h = self.in_layers[2](self.resample(self.in_layers[:2](x)))
        scale, shift = self.emb_layers(emb)[:, :, None, None].chunk(2, dim=1)
        h = self.out_layers[0](h) * (1 + scale) + shift
        return self.skip_connection(self.resample(x)) + self.out_layers[1:](h)


class Attention(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.heads = channels // min(64, channels)
        self.norm = norm(channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, x, _):
        n, c, h, w = x.shape
        qkv = self.qkv(self.norm(x).reshape(n, c, h * w))
        q, k, v = qkv.reshape(n, 3, self.heads, c // self.heads, h * w).unbind(1)  # (n, head, channel, position)
        weight = torch.softmax(torch.einsum("nhcp,nhcq->nhpq", q, k) / math.sqrt(c // self.heads), dim=-1)
        out = torch.einsum("nhpq,nhcq->nhcp", weight, v)
        return x + self.proj_out(out.reshape(n, c, h * w)).reshape(n, c, h, w)


class Stem(nn.Conv2d):
    def forward(self, x, _):
        return super().forward(x)


class Blocks(nn.ModuleList):
    def forward(self, x, emb):
        for block in self:
            x = block(x, emb)
        return x


class UNet(nn.Module):
    def __init__(self, fields, model_channels=128, channel_mult=(1, 2, 2, 2), periodic=False, spans=False):
        super().__init__()
        self.features = model_channels
        embedding = 4 * model_channels
        self.time_embed = nn.Sequential(nn.Linear(model_channels, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        width = model_channels * channel_mult[0]
        self.input_blocks = nn.ModuleList([Blocks([Stem(2 * fields, width, 3, padding=1, padding_mode="circular" if periodic else "zeros")])])
        skips, ds = [width], 1

        def block(inputs, outputs, resample=None):
            return ResBlock(inputs, outputs, embedding, periodic, resample)

        for level, mult in enumerate(channel_mult):
            for _ in range(2):
                blocks = [block(width, model_channels * mult)]
                width = model_channels * mult
                if ds == 4:
                    blocks.append(Attention(width))
                self.input_blocks.append(Blocks(blocks))
                skips.append(width)
            if level + 1 < len(channel_mult):
                self.input_blocks.append(Blocks([block(width, width, nn.AvgPool2d(2))]))
                skips.append(width)
                ds *= 2
        self.middle_block = Blocks([block(width, width), Attention(width), block(width, width)])
        self.output_blocks = nn.ModuleList()
        for level, mult in reversed(list(enumerate(channel_mult))):
            for i in range(3):
                blocks = [block(width + skips.pop(), model_channels * mult)]
                width = model_channels * mult
                if ds == 4:
                    blocks.append(Attention(width))
                if level > 0 and i == 2:
                    blocks.append(block(width, width, nn.Upsample(scale_factor=2)))
                    ds //= 2
                self.output_blocks.append(Blocks(blocks))
        self.out = nn.Sequential(norm(width), nn.SiLU(), conv(width, fields, periodic))
        if spans:  # of a flow map (objective flow_map)
            self.span_embed = nn.Sequential(nn.Linear(model_channels, embedding), nn.SiLU(), nn.Linear(embedding, embedding))

    def time_features(self, t):
        half = self.features // 2
        f = 1000 * torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float64) / half)
        angle = t.float()[:, None] * f.float()
        return torch.cat([angle.cos(), angle.sin()], dim=1)

    def forward(self, xt, x_lo, t, s=None):
        """The velocity at t; of a flow map, the mean velocity from t to s."""
        emb = self.time_embed(self.time_features(t))
        if s is not None:
            emb = emb + self.span_embed(self.time_features(s.float() - t.float()))
        h, skips = torch.cat([xt, x_lo], dim=1), []
        for blocks in self.input_blocks:
            h = blocks(h, emb)
            skips.append(h)
        h = self.middle_block(h, emb)
        for blocks in self.output_blocks:
            h = blocks(torch.cat([h, skips.pop()], dim=1), emb)
        return self.out(h)


def upsample(coarse, factor, periodic):
    """Bilinear with align_corners=False: coarse (N,C,H,W) to (N,C,factor H,factor W). A periodic field wraps around."""
    if not periodic:
        return F.interpolate(coarse, scale_factor=factor, mode="bilinear", align_corners=False)
    wide = F.interpolate(F.pad(coarse, (1, 1, 1, 1), mode="circular"), scale_factor=factor, mode="bilinear", align_corners=False)
    return wide[:, :, factor:-factor, factor:-factor]


@torch.no_grad()
def superres(net, coarse, mean, std, factor, periodic, steps, t_min=1e-4, t_max=1 - 1e-4, start=None):
    """Fine fields (N,C,factor H,factor W) from coarse (N,C,H,W), in physical units, by Euler's method, or a flow map's steps, from x0 = x_lo or, of normalized coarse fields, start."""
    mean, std = mean[:, None, None], std[:, None, None]
    x_lo = (upsample(coarse, factor, periodic) - mean) / std
    x, dt = start((coarse - mean) / std) if start else x_lo.clone(), (t_max - t_min) / steps
    for i in range(steps):
        times = [torch.full((len(x),), t_min + j * dt, dtype=torch.float64) for j in (i, i + 1)]
        x = x + dt * (net(x, x_lo, *times) if hasattr(net, "span_embed") else net(x, x_lo, times[0]))
    return x * std + mean
