"""Colours for the pixels that raster.py found: patterns, light and shadow, then lens and sensor."""
import math

import torch
import torch.nn.functional as F

from parts import (BANDS, BRICK, CARDBOARD, COLOUR, CONCRETE, CORRUGATED, EMISSIVE, FILM, GLOSS, HAZARD, PATTERN,
                   PRINT, SEED, WOOD)

MASK = 0xFFFFFFFF


def hashed(*keys):
    """A number in [0, 1) from integer tensors, the same on every device."""
    h = torch.zeros((), dtype=torch.int64, device=keys[0].device)
    for k in keys:
        h = (h ^ (k.long() & MASK)) * 0x2C1B3C6D & MASK
        h = (h ^ (h >> 15)) * 0x297A2D39 & MASK
        h = h ^ (h >> 13)
    return h.float() / 4294967808.0


def noise(p, seed):
    """Value noise in [0, 1) at the points p [N,3], one unit a cell, another field for every seed."""
    cell = p.floor()
    f = p - cell
    f = f * f * (3 - 2 * f)
    c = cell.long()
    total = torch.zeros(len(p), device=p.device)
    for corner in range(8):
        o = [corner >> k & 1 for k in range(3)]
        w = torch.ones_like(total)
        for k in range(3):
            w = w * (f[:, k] if o[k] else 1 - f[:, k])
        total += w * hashed(c[:, 0] + o[0], c[:, 1] + o[1], c[:, 2] + o[2], seed)
    return total


def turbulence(p, seed, octaves=3):
    """Several octaves of noise, in about [0, 1)."""
    return sum(noise(p * 2.0**k, seed + k) * 0.5**k for k in range(octaves)) / (2 - 2.0 ** (1 - octaves))


def paint(rows, local, world):
    """Albedo [N,3] at surface points: the part's colour under its pattern."""
    colour = rows[:, COLOUR].clone()
    seed = rows[:, SEED].long()
    pattern = rows[:, PATTERN].long()
    size = rows[:, 7:10]
    grime = 0.88 + 0.24 * noise(local * 3.0 + 31.0, seed)
    colour *= grime[:, None]
    for kind in range(1, 10):
        at = (pattern == kind).nonzero()[:, 0]
        if not len(at):
            continue
        p, s, w, half = local[at], seed[at], world[at], size[at] / 2
        c = colour[at]
        if kind == CONCRETE:
            shade = 0.7 + 0.35 * turbulence(w * 0.7, s) + 0.25 * (noise(w * 40, s) - 0.5)
            stain = (turbulence(w * 0.35 + 7, s + 9, 2) - 0.62).clamp_min(0) * 2.5
            joint = ((w[:, :2] / 4.0).remainder(1.0) - 0.5).abs().amax(1) > 0.497
            c = c * (shade * (1 - stain))[:, None] * (1 - 0.5 * joint.float())[:, None]
        elif kind == WOOD:
            axis = half.argmax(1, keepdim=True)
            stretch = torch.full_like(p, 28.0).scatter_(1, axis, 1.5)
            c = c * (0.6 + 0.75 * turbulence(p * stretch, s, 2))[:, None]
        elif kind in (CARDBOARD, PRINT):
            c = c * (0.88 + 0.2 * noise(p * 5.0, s))[:, None]
            tape = (p[:, 1].abs() < 0.03) & (p[:, 0].abs() < half[:, 0] + 1)
            edge = ((half - p.abs()) < 0.006).sum(1) >= 2
            if kind == CARDBOARD:
                c = torch.where(tape[:, None], c * 0.55 + 0.22, c)
            else:
                ink = hashed((p[:, 0] * 24).floor(), (p[:, 2] * 60).floor(), s) > 0.55
                inner = (p.abs()[:, [0, 2]] < half[:, [0, 2]] * 0.75).all(1)
                c = torch.where((ink & inner)[:, None], c * 0.25, c)
            c = torch.where(edge[:, None], c * 0.75, c)
        elif kind == CORRUGATED:
            c = c * (0.8 + 0.2 * torch.sin((p[:, 0] + p[:, 1]) * 24.0))[:, None]
        elif kind == BRICK:
            row = (p[:, 2] / 0.2).floor()
            col = p[:, 0] / 0.4 + 0.5 * row
            mortar = (p[:, 2] / 0.2 - row < 0.07) | (col - col.floor() < 0.035)
            c = c * (0.8 + 0.3 * hashed(row, col.floor(), s))[:, None]
            c = torch.where(mortar[:, None], c * 0.7, c)
        elif kind == HAZARD:
            c = torch.where((((w.sum(1)) / 0.16).floor() % 2 == 0)[:, None], c, c * 0.05)
        elif kind == BANDS:
            t = p[:, 2] / (2 * half[:, 2]) + 0.5
            white = ((t > 0.42) & (t < 0.6)) | ((t > 0.74) & (t < 0.84) & (s % 2 == 0))
            c = torch.where(white[:, None], torch.full_like(c, 0.8), c)
        elif kind == FILM:
            c = c * (0.75 + 0.5 * turbulence(p * torch.tensor([3.0, 3.0, 9.0], device=p.device), s))[:, None]
        colour[at] = c
    return colour.clamp(0.003, 1.0)


def _occlusion(key, strength):
    """Darkening in corners and under things, from the inverse-depth picture alone [B,H,W].

    Inverse depth is linear over a flat surface, so the mean of two opposite neighbours equals the
    middle there; where it is larger, by a little, the surface folds towards the eye.
    """
    b, h, w = key.shape
    y, x = torch.meshgrid(torch.arange(h, device=key.device), torch.arange(w, device=key.device), indexing="ij")
    radius = (key * w * 0.08).clamp(2, 50)
    flat = key.flatten(1)
    dark = torch.zeros_like(key)
    for k in range(8):
        turn = k * 2.39996
        reach = (0.2 + 0.8 * k / 7) * radius
        pair = 0
        for sign in (-1, 1):
            px = (x + sign * reach * math.cos(turn)).round().long().clamp(0, w - 1)
            py = (y + sign * reach * math.sin(turn)).round().long().clamp(0, h - 1)
            pair = pair + flat.gather(1, (py * w + px).flatten(1)).view(b, h, w) / 2
        fold = 1 / key.clamp_min(1e-3) - 1 / pair.clamp_min(1e-3)
        dark += ((fold > 0.01) & (fold < 0.25)).float() * (1 - fold / 0.25)
    return 1 - strength[:, None, None] * (dark / 8 * 1.3).clamp(0, 1)


def _shadow(points, normals, image, light):
    """Share of the sun that reaches the points, from the shadow maps in `light`."""
    p = torch.einsum("nij,nj->ni", light["frame"][image], points + 0.03 * normals - light["centre"][image])
    res = light["map"].shape[-1]
    at = p[:, :2] * light["scale"] + res / 2
    depth = 100.0 - p[:, 2]
    lit = torch.zeros(len(p), device=p.device)
    spread = light["soft"][image]
    for dx in (-1, 0, 1):
        for dy in (-1, 0, 1):
            x = (at[:, 0] + dx * spread).long().clamp(0, res - 1)
            y = (at[:, 1] + dy * spread).long().clamp(0, res - 1)
            lit += (light["map"][image, y, x] < depth + 0.02).float()
    outside = ((at < 0) | (at >= res)).any(1)
    return torch.where(outside, torch.ones_like(lit), lit / 9)


def radiance(tris, rows, number, key, edges, scene, light):
    """Linear colours [B,3,H,W] of a z-buffer picture."""
    b, h, w = number.shape
    dark = _occlusion(key, scene["occlusion"])
    image, y, x = (number >= 0).nonzero(as_tuple=True)
    t = number[image, y, x]
    e = edges[t]
    bary = e[..., 0] * (x + 0.5)[:, None] + e[..., 1] * (y + 0.5)[:, None] + e[..., 2]
    bary = (bary / bary.sum(1, keepdim=True))[..., None]
    world, local = (bary * tris["pos"][t]).sum(1), (bary * tris["local"][t]).sum(1)
    normal = F.normalize((bary * tris["normal"][t]).sum(1), dim=1)
    part = rows[tris["row"][t]]
    albedo = paint(part, local, world)
    gloss = part[:, GLOSS]
    view = F.normalize(scene["eye"][image] - world, dim=1)

    sky = 0.5 + 0.5 * normal[:, 2:3]
    out = scene["sky"][image] * (sky + (1 - sky) * scene["ground"][image, None]) * dark[image, y, x][:, None] * albedo
    shine = (gloss.clamp(0, 1) ** 2)[:, None]
    sun = -scene["sun"][image]
    lit = _shadow(world, normal, image, light)[:, None] * scene["sun_colour"][image]
    out += albedo * lit * (normal * sun).sum(1, keepdim=True).clamp_min(0)
    half = F.normalize(sun + view, dim=1)
    out += shine * lit * (normal * half).sum(1, keepdim=True).clamp_min(0) ** 40
    for k in range(scene["lamps"].shape[1]):
        to = scene["lamps"][image, k] - world
        d2 = (to * to).sum(1, keepdim=True)
        to = to / d2.sqrt()
        glow = scene["lamp_colour"][image] / (d2 + 1.0) * 0.5 * (0.4 + 0.6 * dark[image, y, x][:, None])
        out += albedo * glow * (normal * to).sum(1, keepdim=True).clamp_min(0)
        half = F.normalize(to + view, dim=1)
        out += shine * glow * (normal * half).sum(1, keepdim=True).clamp_min(0) ** 60
    out = torch.where((gloss >= EMISSIVE)[:, None], albedo * gloss[:, None], out)
    far = torch.exp(-scene["fog"][image] / key[image, y, x].clamp_min(1e-3))[:, None]
    out = out * far + (1 - far) * scene["sky"][image] * 0.8
    picture = torch.zeros(b, h, w, 3, device=out.device)
    picture[image, y, x] = out
    return picture.permute(0, 3, 1, 2)


def _kernels(scene, side=11):
    """One blur kernel an image: defocus (a Gaussian) drawn along the motion of the camera."""
    r = torch.arange(side, device=scene["blur"].device, dtype=torch.float32) - side // 2
    y, x = torch.meshgrid(r, r, indexing="ij")
    total = 0
    for s in torch.linspace(-1, 1, 9).tolist():
        dx, dy = (scene["motion"] * s).clamp(-4, 4).unbind(1)
        d2 = (x - dx[:, None, None]) ** 2 + (y - dy[:, None, None]) ** 2
        total = total + torch.exp(-d2 / (2 * scene["blur"][:, None, None] ** 2))
    return total / total.sum((1, 2), keepdim=True)


def develop(linear, scene, seeds):
    """From linear light at twice the size to 8-bit pixels [B,H,W,3]: lens, exposure, noise, tone."""
    x = F.avg_pool2d(linear.clamp_max(6.0), 2)
    b, _, h, w = x.shape
    kernels = _kernels(scene).repeat_interleave(3, 0)[:, None]
    x = F.conv2d(F.pad(x.reshape(1, b * 3, h, w), (5, 5, 5, 5), mode="replicate"), kernels, groups=b * 3)
    x = x.view(b, 3, h, w) * scene["white"][:, :, None, None]
    yy = torch.linspace(-1, 1, h, device=x.device)[:, None]
    xx = torch.linspace(-1, 1, w, device=x.device)[None]
    x = x * (1 - scene["vignette"][:, None, None, None] * ((yy**2 + xx**2) / 2))
    x = x * (scene["exposure"] / x.mean((1, 2, 3)).clamp_min(1e-4))[:, None, None, None]
    pixel = torch.arange(3 * h * w, device=x.device)[None]
    u = hashed(pixel, seeds[:, None]).clamp_min(1e-7)
    v = hashed(pixel, seeds[:, None] + 77)
    normal = ((-2 * u.log()).sqrt() * (6.2831853 * v).cos()).view(b, 3, h, w)
    shot, read = (scene[k][:, None, None, None] for k in ("shot", "read"))
    deviation = (shot**2 * x.clamp_min(0) + read**2).sqrt()
    x = (x + deviation * normal).clamp(0, 4)
    x = x * (1 + x / 9) / (1 + x)
    x = (x * 1.55).clamp(0, 1) ** (1 / 2.2)
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * scene["saturation"][:, None, None, None]
    x = 0.5 + (x - 0.5) * scene["contrast"][:, None, None, None]
    soft = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    x = x + (x - soft) * scene["sharpen"][:, None, None, None]
    return (x.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).contiguous()
