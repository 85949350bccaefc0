"""A batched z-buffer in PyTorch: triangles in, for every pixel the number of the nearest one out.

Each triangle is three linear functions of the pixel position (its barycentric coordinates, up to
a common factor) and a linear depth key, larger when nearer. A first pass keeps the 8x8 tiles that
a triangle can touch, a second tests the pixels in them, and an integer maximum does the depth test,
so the result does not depend on the order in which a GPU works.
"""
import torch

from parts import KIND, MATRIX, SIZE, templates

TILE = 8
NEAR = 0.05


def expand(rows, image):
    """Primitive rows [P,24] of the images [P] -> per-triangle tensors, in world space."""
    pos, nrm, local, owner = [], [], [], []
    kinds = rows[:, KIND].long()
    for kind, (tri, n) in enumerate(templates()):
        which = (kinds == kind).nonzero()[:, 0]
        if not len(which):
            continue
        tri = torch.from_numpy(tri).to(rows.device)
        n = torch.from_numpy(n).to(rows.device)
        m = rows[which, MATRIX].reshape(-1, 1, 1, 3, 4)
        size = rows[which, SIZE].reshape(-1, 1, 1, 3)
        world = (m[..., :3] @ tri[None, ..., None])[..., 0] + m[..., 3]
        normal = (m[..., :3] @ (n / size**2)[..., None])[..., 0]
        pos.append(world.flatten(0, 1))
        nrm.append(normal.flatten(0, 1))
        local.append((tri * size).flatten(0, 1))
        owner.append(which.repeat_interleave(len(tri)))
    owner = torch.cat(owner)
    normal = torch.cat(nrm)
    normal = normal / normal.norm(dim=-1, keepdim=True).clamp_min(1e-12)
    return {"pos": torch.cat(pos), "normal": normal, "local": torch.cat(local), "row": owner, "image": image[owner]}


def perspective(cam, focal, width, height):
    """Edge functions, depth keys and pixel boxes of triangles in camera space [T,3,3]."""
    v0, v1, v2 = cam.unbind(1)
    minors = torch.stack([torch.cross(v1, v2, dim=1), torch.cross(v2, v0, dim=1), torch.cross(v0, v1, dim=1)], 1)
    det = (v0 * minors[:, 0]).sum(1)
    front = det < -1e-9
    rows = minors / torch.where(front, det, -torch.ones_like(det))[:, None, None]
    fx = focal[:, None]
    x, y = rows[..., 0] / fx, rows[..., 1] / fx
    edges = torch.stack([x, y, rows[..., 2] - x * (width / 2) - y * (height / 2)], -1)
    z = cam[..., 2]
    inside = z > NEAR
    px = cam[..., 0] / z.clamp_min(NEAR) * fx + width / 2
    py = cam[..., 1] / z.clamp_min(NEAR) * fx + height / 2
    # A triangle that crosses the camera's plane may cover anything: its box is the whole picture.
    crossing = (inside.any(1) & ~inside.all(1))[:, None]
    lo = torch.stack([px.amin(1), py.amin(1)], 1).masked_fill(crossing, 0.0)
    hi = torch.stack([px.amax(1), py.amax(1)], 1).masked_fill(crossing, 1e6)
    keep = front & inside.any(1)
    return edges, edges.sum(1), lo, hi, keep


def orthographic(p, res):
    """The same for points [T,3,3] whose x, y are pixels of a square map and z grows away from the light."""
    a, b, c = p[..., :2].unbind(1)
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    keep = area.abs() > 1e-6
    area = torch.where(keep, area, torch.ones_like(area))
    edges = []
    for p0, p1 in ((b, c), (c, a), (a, b)):
        dx, dy = p1[:, 0] - p0[:, 0], p1[:, 1] - p0[:, 1]
        edges.append(torch.stack([-dy, dx, p0[:, 0] * dy - p0[:, 1] * dx], 1) / area[:, None])
    edges = torch.stack(edges, 1)
    depth = ((100.0 - p[..., 2])[..., None] * edges).sum(1)
    return edges, depth, p[..., :2].amin(1), p[..., :2].amax(1), keep


def _spread(counts):
    """For counts [2,0,3]: the owner [0,0,2,2,2] and the rank in it [0,1,0,1,2]."""
    owner = torch.arange(len(counts), device=counts.device).repeat_interleave(counts)
    start = counts.cumsum(0) - counts
    return owner, torch.arange(len(owner), device=counts.device) - start[owner]


def zbuffer(edges, depth, lo, hi, keep, image, images, width, height, chunk):
    """Nearest triangle of each pixel: (number or -1, depth key), both [images, height, width].

    chunk: how many tiles are tested at pixel level at once (64 pixels each).
    """
    device = edges.device
    buffer = torch.full((images * height * width,), -1, dtype=torch.int64, device=device)
    tx0 = (lo[:, 0] / TILE).floor().clamp(0, width)
    ty0 = (lo[:, 1] / TILE).floor().clamp(0, height)
    tx1 = (hi[:, 0] / TILE).floor().clamp(-1, (width - 1) // TILE)
    ty1 = (hi[:, 1] / TILE).floor().clamp(-1, (height - 1) // TILE)
    nx, ny = (tx1 - tx0 + 1).clamp_min(0).long(), (ty1 - ty0 + 1).clamp_min(0).long()
    alive = (keep & (nx > 0) & (ny > 0)).nonzero()[:, 0]
    tile_sum = (nx * ny)[alive].cumsum(0)
    step = torch.arange(TILE, device=device, dtype=torch.float32) + 0.5
    done = 0
    while done < len(alive):
        base = int(tile_sum[done - 1]) if done else 0
        end = max(done + 1, int(torch.searchsorted(tile_sum, base + 8 * chunk)))
        group = alive[done:end]
        done = end
        owner, rank = _spread((nx * ny)[group])
        tri = group[owner]
        x = tx0[tri] * TILE + (rank % nx[tri]) * TILE
        y = ty0[tri] * TILE + (rank // nx[tri]) * TILE
        e = edges[tri]
        middle = e[..., 0] * (x + TILE / 2)[:, None] + e[..., 1] * (y + TILE / 2)[:, None] + e[..., 2]
        margin = (e[..., 0].abs() + e[..., 1].abs()) * (TILE / 2)
        touched = (middle + margin >= 0).all(1)
        tri, x, y = tri[touched], x[touched], y[touched]
        for k in range(0, len(tri), chunk):
            t = tri[k:k + chunk]
            px = (x[k:k + chunk, None, None] + step[None, None, :])
            py = (y[k:k + chunk, None, None] + step[None, :, None])
            inside = (px < width) & (py < height)
            for i in range(3):
                e = edges[t, i]
                inside &= e[:, 0, None, None] * px + e[:, 1, None, None] * py + e[:, 2, None, None] >= 0
            d = depth[t]
            key = d[:, 0, None, None] * px + d[:, 1, None, None] * py + d[:, 2, None, None]
            inside &= key > 0
            n, iy, ix = inside.nonzero(as_tuple=True)
            # The bits of a positive float sort like the float: depth above, triangle number below.
            value = (key[n, iy, ix].view(torch.int32).long() << 32) | t[n]
            place = image[t[n]] * (height * width) + (y[k + n].long() + iy) * width + x[k + n].long() + ix
            buffer.scatter_reduce_(0, place, value, "amax")
    found = buffer >= 0
    number = torch.where(found, buffer & 0xFFFFFFFF, torch.full_like(buffer, -1))
    key = torch.where(found, (buffer >> 32).int().view(torch.float32), torch.zeros_like(buffer, dtype=torch.float32))
    return number.view(images, height, width), key.view(images, height, width)
