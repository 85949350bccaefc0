"""Building blocks: unit primitives as triangle meshes, and assemblies made of many of them.

One primitive is one row of numbers (COLUMNS); an assembly is a list of rows plus the class of
each labelled object in it. Only rows travel to the renderer: it expands them to triangles on its
own device, so that thousands of scenes can be composed by a few CPU processes.
"""
import numpy as np

# Tenon's licence applies: Apache-2.0, see the repository's LICENSE.

CLASSES = ("forklift", "person", "pallet", "box", "barrel", "cone", "pallet jack")
FORKLIFT, PERSON, PALLET, BOX, BARREL, CONE, JACK = range(len(CLASSES))

CUBE, CYLINDER, FRUSTUM, SPHERE, WEDGE = range(5)

# Surface patterns, painted by shade.py.
PLAIN, CONCRETE, WOOD, CARDBOARD, CORRUGATED, BRICK, HAZARD, BANDS, FILM, PRINT = range(10)

# A gloss of EMISSIVE or more makes the surface a lamp.
EMISSIVE = 2.0

# kind, object, pattern, gloss, r g b, size x y z, 3x4 matrix, seed, casts a shadow
COLUMNS = 24
KIND, OBJECT, PATTERN, GLOSS = range(4)
COLOUR, SIZE, MATRIX, SEED, CASTS = slice(4, 7), slice(7, 10), slice(10, 22), 22, 23


def rotation(yaw=0.0, pitch=0.0, roll=0.0):
    """Rotation about z (yaw), then y (pitch), then x (roll), applied to a column vector in reverse."""
    cz, sz, cy, sy, cx, sx = (f(a) for a in (yaw, pitch, roll) for f in (np.cos, np.sin))
    rz = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    rx = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    return rz @ ry @ rx


def align_z(direction):
    """A rotation that turns the z axis into `direction`."""
    z = np.asarray(direction, float)
    z = z / np.linalg.norm(z)
    x = np.cross((0.0, 1.0, 0.0) if abs(z[1]) < 0.9 else (1.0, 0.0, 0.0), z)
    x = x / np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z], axis=1)


class Assembly:
    """Primitives in one frame (metres, z up, x forward), grouped into labelled objects."""

    def __init__(self, rng):
        self.rng = rng
        self.rows = []
        self.blocks = []
        self.classes = []
        self.object = -1
        self.casts = 1.0

    def begin(self, cls):
        """Parts added from here on belong to a new object of class `cls`; None means background."""
        if cls is None:
            self.object = -1
        else:
            self.classes.append(cls)
            self.object = len(self.classes) - 1
        return self

    def part(self, kind, centre, size, colour, pattern=PLAIN, gloss=0.15, rot=None):
        """Adds one primitive: the unit shape scaled by `size`, turned by `rot`, moved to `centre`."""
        m = np.eye(3) if rot is None else rot
        row = np.empty(COLUMNS, np.float32)
        row[:4] = kind, self.object, pattern, gloss
        row[COLOUR] = colour
        row[SIZE] = size
        row[MATRIX] = np.concatenate([m * size, np.reshape(centre, (3, 1))], axis=1).ravel()
        row[SEED] = self.rng.integers(1 << 20)
        row[CASTS] = self.casts
        self.rows.append(row)

    def box(self, centre, size, colour, pattern=PLAIN, gloss=0.15, rot=None):
        self.part(CUBE, centre, size, colour, pattern, gloss, rot)

    def cylinder(self, centre, size, colour, pattern=PLAIN, gloss=0.15, rot=None):
        self.part(CYLINDER, centre, size, colour, pattern, gloss, rot)

    def ball(self, centre, size, colour, gloss=0.1, rot=None):
        self.part(SPHERE, centre, size, colour, PLAIN, gloss, rot)

    def rod(self, a, b, radius, colour, gloss=0.15, kind=CYLINDER):
        """A cylinder (or another kind) from point a to point b."""
        a, b = np.asarray(a, float), np.asarray(b, float)
        d = b - a
        size = (2 * radius, 2 * radius, np.linalg.norm(d))
        self.part(kind, (a + b) / 2, size, colour, PLAIN, gloss, align_z(d))

    def array(self):
        """All rows as one float array."""
        own = [np.stack(self.rows)] if self.rows else []
        blocks = self.blocks + own
        return np.concatenate(blocks) if blocks else np.zeros((0, COLUMNS), np.float32)

    def add(self, other, at=(0, 0, 0), yaw=0.0, rot=None, scale=1.0):
        """Puts a whole assembly into this one; its objects keep their own labels."""
        rows = other.array().copy()
        turn = (rotation(yaw) if rot is None else rot) * scale
        m = rows[:, MATRIX].reshape(-1, 3, 4)
        m = np.einsum("ij,njk->nik", turn, m)
        m[:, :, 3] += at
        rows[:, MATRIX] = m.reshape(-1, 12)
        rows[:, SIZE] *= scale
        rows[:, OBJECT] = np.where(rows[:, OBJECT] >= 0, rows[:, OBJECT] + len(self.classes), -1)
        self.blocks.append(rows)
        self.classes += other.classes


def _ring(n, radius, z):
    t = np.arange(n) * 2 * np.pi / n
    return np.stack([radius * np.cos(t), radius * np.sin(t), np.full(n, z)], axis=1)


def _lathe(n, profile, smooth):
    """Triangles and normals of a closed surface of revolution through (radius, z) points."""
    tris, normals = [], []
    rings = [_ring(n, r, z) for r, z in profile]
    for (r0, z0), (r1, z1), p, q in zip(profile, profile[1:], rings, rings[1:]):
        slope = np.array([z1 - z0, r0 - r1])
        slope = slope / np.linalg.norm(slope)
        for i in range(n):
            j = (i + 1) % n
            for tri in ((p[i], p[j], q[j]), (p[i], q[j], q[i])):
                tri = np.array(tri)
                if np.linalg.norm(np.cross(tri[1] - tri[0], tri[2] - tri[0])) < 1e-9:
                    continue
                if smooth:
                    nrm = tri / np.linalg.norm(tri, axis=1, keepdims=True)
                else:
                    a = np.arctan2(tri[:, 1], tri[:, 0])
                    flat = abs(slope[0]) < 1e-9
                    a = np.zeros(3) if flat else a
                    nrm = np.stack([slope[0] * np.cos(a), slope[0] * np.sin(a), np.full(3, slope[1])], 1)
                tris.append(tri)
                normals.append(nrm)
    return np.array(tris), np.array(normals)


def _hull(points, faces):
    """Flat-shaded triangles of a convex solid given by polygons of point indices."""
    tris = [[points[f[0]], points[f[i]], points[f[i + 1]]] for f in faces for i in range(1, len(f) - 1)]
    tris = np.array(tris, float)
    n = np.cross(tris[:, 1] - tris[:, 0], tris[:, 2] - tris[:, 0])
    n /= np.linalg.norm(n, axis=1, keepdims=True)
    return tris, np.repeat(n[:, None], 3, axis=1)


def templates():
    """(triangles [n,3,3], normals [n,3,3]) of every kind, wound counter-clockwise seen from outside."""
    h = 0.5
    cube = [(x, y, z) for x in (-h, h) for y in (-h, h) for z in (-h, h)]
    cube_faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    wedge = [(-h, -h, -h), (h, -h, -h), (-h, -h, h), (-h, h, -h), (h, h, -h), (-h, h, h)]
    wedge_faces = [(0, 1, 2), (3, 5, 4), (0, 3, 4, 1), (1, 4, 5, 2), (2, 5, 3, 0)]
    arc = np.linspace(-np.pi / 2, np.pi / 2, 9)
    shapes = {
        CUBE: _hull(cube, cube_faces),
        CYLINDER: _lathe(18, [(0, -h), (h, -h), (h, h), (0, h)], smooth=False),
        FRUSTUM: _lathe(18, [(0, -h), (h, -h), (0.12, h), (0, h)], smooth=False),
        SPHERE: _lathe(14, [(h * np.cos(a), h * np.sin(a)) for a in arc], smooth=True),
        WEDGE: _hull(wedge, wedge_faces),
    }
    out = []
    for kind in range(len(shapes)):
        tris, normals = shapes[kind]
        face = np.cross(tris[:, 1] - tris[:, 0], tris[:, 2] - tris[:, 0])
        middle = np.mean(tris.reshape(-1, 3), axis=0)
        inward = np.einsum("ni,ni->n", face, tris.mean(1) - middle) < 0
        tris[inward] = tris[inward][:, ::-1]
        flipped = normals[inward][:, ::-1]
        normals[inward] = flipped
        outward = np.einsum("nvi,nvi->nv", normals, tris - middle)
        normals = np.where(outward[..., None] < -1e-6, -normals, normals)
        out.append((tris.astype(np.float32), normals.astype(np.float32)))
    return out
