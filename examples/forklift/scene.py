"""Composes one warehouse scene from a seed: hall, racks, things on the floor, camera, light, sensor."""
import numpy as np

import assets
from assets import pick, tint
from parts import CONCRETE, EMISSIVE, HAZARD, Assembly, rotation

# Width and height of the images, taken in turn; an image's size depends on its index alone.
SIZES = [(416, 312), (448, 252), (352, 352), (416, 312), (320, 240), (312, 416), (432, 288), (400, 300),
         (512, 384), (384, 288)]

# What stands on the floor, how often, and the radius it needs.
FLOOR = [
    (assets.forklift, .17, 1.7),
    (assets.person, .19, .4),
    (assets.loaded_pallet, .15, .8),
    (assets.pallet_stack, .04, .8),
    (assets.carton_pile, .1, .7),
    (assets.barrel, .10, .4),
    (assets.cone, .11, .3),
    (assets.pallet_jack, .11, .9),
    (assets.clutter, .08, .6),
]

# How the pallets in the racks are loaded (see loaded_pallet): mostly wrapped, which is no class.
STORED = (.12, .1, .2, .06, .42, .1)


def rack(r, bays, levels):
    """A pallet rack along x, its front towards -y, with loads on most places."""
    a = Assembly(r).begin(None)
    post, beam = tint(r, pick(r, [(.03, .1, .35), (.3, .32, .33), (.5, .5, .5)])), tint(r, pick(r, [(.85, .25, .02),
                      (.8, .5, .02), (.4, .42, .43)]))
    bay, deep, high = 2.7, 1.05, r.uniform(1.5, 2.1)
    full = r.uniform(.3, .9)
    for i in range(bays + 1):
        for y in (0, deep):
            a.box((i * bay, y, levels * high / 2), (.1, .08, levels * high + .3), post)
        for k in range(levels * 2):
            a.rod((i * bay, 0, k * high / 2 + .1), (i * bay, deep, k * high / 2 + high / 2), .02, post)
        if r.random() < .5:
            a.box((i * bay, -.08, .2), (.16, .06, .4), (.85, .6, .03), HAZARD)
    for i in range(bays):
        for k in range(levels):
            z = k * high if k else 0.0
            if k:
                for y in (0, deep):
                    a.box(((i + .5) * bay, y, z - .06), (bay - .1, .05, .12), beam)
            for x in (.72, 1.98):
                if r.random() < full:
                    load = assets.loaded_pallet(r, STORED)
                    at = (i * bay + x + r.normal(0, .04), deep / 2 + r.normal(0, .04), z)
                    a.add(load, at=at, yaw=pick(r, [0, np.pi]), scale=min(1.0, (high - .3) / 1.7))
    return a


def hall(r, half, length):
    """Floor, ceiling, lamps, walls or racks on the sides, doors, columns, lines on the floor."""
    a = Assembly(r).begin(None)
    height = r.uniform(6, 9)
    wide = half + 14
    a.casts = 0.0
    floor = tint(r, pick(r, [(.35, .35, .34), (.28, .28, .27), (.42, .41, .38), (.2, .24, .25), (.22, .3, .26)]))
    a.box((0, length / 2 - 5, -.1), (2 * wide, length + 14, .2), floor, CONCRETE, r.uniform(.1, .9))
    a.box((0, length / 2 - 5, height + .1), (2 * wide, length + 14, .2), tint(r, (.45, .46, .47)))
    for y in np.arange(-2, length, 4.0):
        a.box((0, y, height - .15), (2 * wide, .15, .3), (.3, .31, .33))
    lamps = []
    gap = r.uniform(2.5, 5)
    for y in np.arange(1.5, length, gap):
        for x in ([0] if half < 3 else [-half * .5, half * .5]):
            a.box((x, y, height - .5), (.25, 1.4, .07), (1, 1, .97), gloss=EMISSIVE + r.uniform(1, 3))
            lamps.append((x, y, height - .6))
    a.add(assets.wall_panel(r, 2 * wide, height), at=(0, length, 0))
    for k in range(r.integers(0, 4)):
        x = r.uniform(-half, half)
        a.box((x, length - .05, 1.6), (2.8, .1, 3.2), tint(r, pick(r, [(.6, .6, .6), (.1, .2, .4), (.7, .5, .1)])), 4)
        a.box((x, length - .04, 3.3), (3.1, .12, .2), (.8, .6, .03), HAZARD)
    line = pick(r, [(.8, .6, .03), (.75, .75, .72), (.7, .08, .04)])
    for k in range(r.integers(0, 5)):
        if r.random() < .6:
            a.box((r.uniform(-half, half), length / 2, .002), (.1, length, .004), line)
        else:
            a.box((0, r.uniform(2, length), .002), (2 * half, .1, .004), line)
    a.casts = 1.0
    for side in (-1, 1):
        kind = r.choice(["rack", "wall", "open"], p=[.55, .2, .25])
        if kind == "rack":
            bays = int(min(4, (length - 1) // 2.7))
            unit = rack(r, bays, int(r.integers(2, 5)))
            start = r.uniform(.5, 3)
            if side < 0:
                a.add(unit, at=(-half, start, 0), yaw=np.pi / 2)
            else:
                a.add(unit, at=(half, start + bays * 2.7, 0), yaw=-np.pi / 2)
        else:
            wall = assets.wall_panel(r, length + 10, height)
            far = half + (.2 if kind == "wall" else 7)
            a.add(wall, at=(side * far, length / 2, 0), yaw=-side * np.pi / 2)
        if kind == "open":
            for y in np.arange(3, length, 5.0):
                a.box((side * (half + .3), y, height / 2), (.35, .35, height), tint(r, (.45, .45, .44)), CONCRETE)
                if r.random() < .5:
                    a.box((side * (half + .3), y, .5), (.4, .4, 1.0), (.8, .6, .03), HAZARD)
    if length > 10 and r.random() < .4:
        bays = int(max(1, min(4, half * 2 // 2.7)))
        a.add(rack(r, bays, int(r.integers(2, 4))), at=(-bays * 1.35 + r.normal(0, .5), length - 1.3, 0))
    return a, lamps


def camera(r, half):
    """Position, rotation (rows: right, down, forward) and field of view."""
    at = np.array([r.uniform(-.5, .5) * half, 0.0, r.choice([r.uniform(1.2, 2.2), r.uniform(2, 5)])])
    pitch = np.arctan2(at[2] - r.uniform(.3, 1.6), r.uniform(4, 9))
    yaw = np.arctan2(-at[0] + r.normal(0, half * .3), 8)
    forward = np.array([np.sin(yaw) * np.cos(pitch), np.cos(yaw) * np.cos(pitch), -np.sin(pitch)])
    right = np.cross(forward, (0, 0, 1.0))
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    roll = r.normal(0, .03)
    right, down = right * np.cos(roll) + down * np.sin(roll), down * np.cos(roll) - right * np.sin(roll)
    return at, np.stack([right, down, forward]), np.radians(r.uniform(45, 75))


def furnish(r, a, eye, view, fov, half, length):
    """Puts things on the free floor inside the view; a thing is tried a few places, then left out."""
    taken = [(eye[0], eye[1], 1.3)]
    makers, chances, radii = zip(*FLOOR)
    chances = np.array(chances) * r.gamma(2.0, 1.0, len(FLOOR))
    chances /= chances.sum()
    reach = min(length - 1.5, r.uniform(7, 12))
    for _ in range(r.integers(4, 17)):
        k = r.choice(len(FLOOR), p=chances)
        for _ in range(12):
            y = r.uniform(2.2, reach) if r.random() < .6 else r.uniform(2.2, min(6.0, reach))
            centre = eye[0] + view[2, 0] / view[2, 1] * y
            x = centre + r.uniform(-1, 1) * y * np.tan(fov / 2)
            if abs(x) > half - radii[k] * .6:
                continue
            if all((x - p) ** 2 + (y - q) ** 2 > (.72 * (radii[k] + s)) ** 2 for p, q, s in taken):
                break
        else:
            continue
        taken.append((x, y, radii[k]))
        yaw = r.uniform(0, 2 * np.pi)
        thing = makers[k](r)
        if makers[k] is assets.barrel and r.random() < .06:
            a.add(thing, at=(x, y, .28), rot=rotation(yaw) @ rotation(0, np.pi / 2))
        elif makers[k] is assets.cone and r.random() < .08:
            a.add(thing, at=(x, y, .17), rot=rotation(yaw) @ rotation(0, 1.35))
        else:
            a.add(thing, at=(x, y, 0), yaw=yaw)


def sensor(r):
    """What light, lens and sensor do to the picture: the constants of shade.py's last steps."""
    warm = r.normal(0, .08)
    return {
        "exposure": float(np.exp(r.uniform(np.log(.07), np.log(.30)))),
        "white": np.array([1 + warm, 1.0, 1 - warm * 1.2]) * np.exp(r.normal(0, .02, 3)),
        "fog": float(r.choice([0.0, r.uniform(.005, .05)])),
        "blur": float(r.choice([r.uniform(.25, .5), r.uniform(.4, 1.1)], p=[.75, .25])),
        "motion": r.normal(0, 1, 2) * r.choice([0.0, 1.1], p=[.8, .2]),
        "shot": float(r.uniform(0, .035)),
        "read": float(abs(r.normal(0, .006))),
        "contrast": float(r.uniform(.85, 1.25)),
        "saturation": float(r.uniform(.6, 1.25)),
        "sharpen": float(r.choice([0.0, r.uniform(.2, .8)])),
        "vignette": float(r.uniform(0, .5)),
    }


def build(seed, index):
    """The scene number `index` of the series `seed`: everything render.py needs, as numbers."""
    r = np.random.default_rng([seed, index])
    half, length = r.choice([r.uniform(1.7, 3), r.uniform(3, 7)]), r.uniform(9, 20)
    a, lamps = hall(r, half, length)
    eye, view, fov = camera(r, half)
    furnish(r, a, eye, view, fov, half, length)
    sun = np.array([r.normal(0, .45), r.normal(.1, .45), -1.0])
    lamps = np.array(lamps)
    near = np.argsort(np.abs(lamps[:, 1] - r.uniform(2, 9)))[:4]
    lamps = np.resize(lamps[near], (4, 3))
    key = r.uniform(.1, 1.6)
    return {
        "size": SIZES[index % len(SIZES)], "rows": a.array(), "classes": np.array(a.classes, np.int64),
        "eye": eye, "view": view, "fov": fov, "sun": sun / np.linalg.norm(sun),
        "sun_colour": key * np.array([1, r.uniform(.85, 1), r.uniform(.7, 1)]),
        "sky": r.uniform(.15, .55) * np.array([r.uniform(.85, 1), .97, 1.0]), "ground": r.uniform(.05, .3),
        "lamps": lamps, "lamp_colour": r.uniform(1, 14) * np.array([1, r.uniform(.85, 1), r.uniform(.65, 1)]),
        "soft": r.uniform(.5, 3.0), "occlusion": r.uniform(.3, .9), **sensor(r),
    }
