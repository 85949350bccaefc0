"""The things in a warehouse: labelled ones (forklift, person, ...) and unlabelled clutter.

Every function draws its variant from the generator it is given and returns an Assembly that
stands on z = 0 with its front towards +x.
"""
import numpy as np

from parts import (BANDS, BARREL, BOX, BRICK, CARDBOARD, CONE, CORRUGATED, EMISSIVE, FILM, FORKLIFT,
                   FRUSTUM, HAZARD, JACK, PALLET, PERSON, PRINT, WEDGE, WOOD, Assembly, rotation)

DARK = (0.035, 0.037, 0.04)
STEEL = (0.32, 0.33, 0.34)
RUBBER = (0.02, 0.02, 0.022)
VEHICLES = [(.85, .45, .03), (.85, .2, .02), (.6, .03, .03), (.1, .3, .08), (.75, .72, .66),
            (.05, .13, .4), (.9, .6, .05), (.2, .22, .24)]
SKIN = [(.62, .36, .25), (.45, .24, .15), (.25, .12, .07), (.1, .05, .03), (.7, .45, .34)]
CLOTH = [(.02, .03, .07), (.05, .05, .05), (.12, .13, .15), (.05, .09, .2), (.2, .15, .09),
         (.3, .3, .3), (.35, .05, .05), (.06, .16, .08)]
VESTS = [(.85, .22, .02), (.62, .8, .05), (.8, .1, .02)]
HELMETS = [(.9, .9, .88), (.85, .6, .03), (.05, .15, .5), (.75, .1, .05), (.8, .3, .02)]
DRUMS = [(.03, .1, .4), (.02, .02, .025), (.5, .03, .02), (.04, .25, .1), (.3, .31, .32), (.35, .16, .07),
         (.8, .6, .05), (.7, .7, .68)]
CARTONS = [(.42, .26, .13), (.5, .34, .19), (.34, .2, .1), (.46, .31, .18), (.62, .6, .56), (.26, .15, .08)]


def pick(r, options):
    return options[r.integers(len(options))]


def tint(r, colour, spread=0.2):
    """A colour near `colour`: brighter or darker as a whole, and a little off in hue."""
    return np.clip(np.array(colour) * r.uniform(1 - spread, 1 + spread) * r.uniform(1 - spread / 4, 1 + spread / 4, 3),
                   0.005, 0.95)


def forklift(r, driver=None):
    """A counterbalance truck; `driver` and whatever lies on its forks are objects of their own."""
    a = Assembly(r).begin(FORKLIFT)
    col = tint(r, pick(r, VEHICLES))
    grey = tint(r, pick(r, [DARK, (.15, .15, .16), (.3, .31, .32)]))
    weight = col if r.random() < .4 else grey
    lift = r.uniform(.04, .3) if r.random() < .75 else r.uniform(.3, 1.9)
    high = r.uniform(2.0, 2.6)
    cab = r.random() < .25
    a.box((-.15, 0, .47), (1.35, 1.02, .5), col, gloss=.5)
    a.box((-.82, 0, .62), (.5, 1.1, .86), weight, gloss=.4)
    a.cylinder((-1.05, 0, .62), (.5, 1.1, .86), weight, gloss=.4)
    a.box((-.55, 0, 1.0), (.8, .84, .3), grey if r.random() < .5 else col, gloss=.4)
    a.part(WEDGE, (-.98, 0, 1.12), (.3, .8, .16), grey, rot=rotation(np.pi))
    a.box((-.42, 0, 1.18), (.5, .52, .1), DARK)
    a.box((-.68, 0, 1.45), (.13, .5, .52), DARK, rot=rotation(0, -.15))
    a.box((.22, 0, .7), (.5, .95, .06), DARK)
    a.box((.45, 0, .92), (.14, .9, .5), col, gloss=.5)
    a.rod((.42, .1, 1.1), (.14, .1, 1.36), .03, DARK)
    a.cylinder((.13, .1, 1.37), (.36, .36, .03), DARK, rot=rotation(0, -.8))
    for y in (-.5, .5):
        a.rod((.5, y, .9), (.3, y, 2.12), .04, grey)
        a.rod((-.85, y, 1.0), (-.62, y, 2.12), .045, grey)
        a.box((-.16, y, 2.13), (.98, .07, .08), grey)
    for x in np.linspace(-.62, .3, 6):
        a.box((x, 0, 2.15), (.05, 1.0, .05), grey)
    if cab:
        a.box((-.16, 0, 2.19), (1.05, 1.08, .05), col)
        a.box((-.7, 0, 1.75), (.04, .9, .5), (.03, .05, .06), gloss=1.0)
    for y in (-.31, .31):
        a.box((.72, y, high / 2 + .1), (.12, .09, high), DARK, gloss=.3)
        a.box((.8, y * .82, high / 2 + .1 + lift * .5), (.08, .07, high), tint(r, STEEL), gloss=.4)
    for z in (.3, high * .55, high + .04):
        a.box((.72, 0, z), (.08, .66, .1), DARK)
    a.box((.79, 0, high + lift * .5), (.06, .5, .1), tint(r, STEEL))
    a.rod((.7, .12, .3), (.7, .12, high * .95), .04, STEEL, gloss=.8)
    for y in (-.07, .02):
        a.rod((.76, y, lift + .4), (.76, y, high), .015, DARK)
    for z in (lift + .12, lift + .45):
        a.box((.88, 0, z), (.05, 1.0, .1), DARK)
    if r.random() < .8:
        top = r.uniform(.9, 1.25)
        for y in np.linspace(-.46, .46, 6):
            a.box((.88, y, lift + (.45 + top) / 2), (.035, .035, top - .45), DARK)
        a.box((.88, 0, lift + top), (.035, .96, .05), DARK)
    for y in (-.26, .26):
        a.box((.93, y, lift + .25), (.05, .13, .5), STEEL, gloss=.5)
        a.box((1.45, y, lift + .02), (1.08, .12, .045), STEEL, gloss=.5)
    hub = tint(r, pick(r, [STEEL, (.7, .7, .68), tuple(col)]))
    side = rotation(0, 0, np.pi / 2)
    for y in (-.5, .5):
        a.cylinder((.5, y, .34), (.68, .68, .24), RUBBER, rot=side)
        a.cylinder((.5, y * 1.02, .34), (.36, .36, .25), hub, rot=side)
        a.cylinder((-.78, y * .96, .27), (.54, .54, .22), RUBBER, rot=side)
        a.cylinder((-.78, y * .98, .27), (.28, .28, .23), hub, rot=side)
        glow = EMISSIVE if r.random() < .4 else .8
        a.cylinder((.5, y * .9, 1.95), (.13, .13, .08), (.9, .88, .8), gloss=glow, rot=rotation(0, np.pi / 2))
    if r.random() < .6:
        a.cylinder((-.6, .3, 2.26), (.12, .12, .16), (.9, .35, .02), gloss=EMISSIVE if r.random() < .5 else .5)
    if r.random() < .5:
        a.box((-1.31, 0, .5), (.02, .6, .14), (.8, .6, .05), HAZARD)
    if driver is None:
        driver = r.random() < .6
    if driver:
        a.add(person(r, "sit"), at=(-.45, 0, .28))
    if r.random() < .35:
        a.add(loaded_pallet(r), at=(1.5, 0, lift), yaw=np.pi / 2)
    return a


def person(r, pose=None):
    """Somebody standing, walking, reaching, crouching, carrying a box or sitting at the wheel."""
    a = Assembly(r).begin(PERSON)
    pose = pose or pick(r, ["stand", "walk", "walk", "reach", "crouch", "carry"])
    skin, trousers, shirt = tint(r, pick(r, SKIN)), tint(r, pick(r, CLOTH)), tint(r, pick(r, CLOTH))
    wide = r.uniform(.9, 1.15)
    hip = {"crouch": .5, "sit": .93}.get(pose, .92)
    lean = {"crouch": .45, "reach": .15, "walk": .1, "carry": -.05}.get(pose, 0) + r.normal(0, .06)

    def bend(p, angle, length, out=0.0):
        """The end of a limb of `length` hanging from p, swung forward by `angle`."""
        return np.array(p) + length * np.array([np.sin(angle), out, -np.cos(angle)])

    step = r.uniform(.25, .6) if pose == "walk" else r.uniform(0, .12)
    for side, swing in ((-1, step), (1, -step)):
        top = np.array([0, .1 * wide * side, hip])
        if pose in ("crouch", "sit"):
            thigh = r.uniform(1.3, 1.7)
            knee = bend(top, thigh, .44)
            foot = bend(knee, -.5 if pose == "crouch" else -.1, .44)
        else:
            knee = bend(top, swing, .44)
            foot = bend(knee, swing - (step * .8 if swing < 0 else 0), .44)
        a.rod(top, knee, .085 * wide, trousers)
        a.rod(knee, foot, .065 * wide, trousers)
        a.ball(knee, (.15 * wide,) * 3, trousers)
        a.box(foot + (.05, 0, 0), (.27, .1, .1), DARK)
    up = np.array([np.sin(lean), 0, np.cos(lean)])
    base = np.array([0, 0, hip])
    rot = rotation(0, lean)
    vest = r.random() < .7
    cover = tint(r, pick(r, VESTS), .1) if vest else shirt
    a.ball(base, (.28 * wide, .38 * wide, .3), trousers, rot=rot)
    a.cylinder(base + up * .3, (.24 * wide, .37 * wide, .5), cover, rot=rot, gloss=.05)
    a.ball(base + up * .52, (.25 * wide, .43 * wide, .2), cover, rot=rot)
    if vest:
        for t in (.16, .34):
            a.cylinder(base + up * t, (.25 * wide, .38 * wide, .05), (.8, .82, .82), gloss=.8, rot=rot)
    neck = base + up * .62
    head = neck + up * .17
    a.rod(neck - up * .06, head, .055, skin)
    a.ball(head, (.2, .17, .25), skin)
    if r.random() < .6:
        hat = tint(r, pick(r, HELMETS), .1)
        a.ball(head + up * .06, (.27, .23, .22), hat, gloss=.7)
        a.cylinder(head + up * .05 + (.04, 0, 0), (.34, .25, .02), hat, gloss=.5, rot=rot)
    else:
        a.ball(head + up * .04 + (-.02, 0, 0), (.22, .19, .22), tint(r, pick(r, [(.02, .015, .01), (.12, .06, .03),
                                                                           (.3, .2, .1), (.3, .3, .3)])))
    sleeve = shirt if r.random() < .7 else skin
    for side in (-1, 1):
        shoulder = base + up * .54 + (0, .23 * wide * side, 0)
        upper, fore = {"walk": (side * step, side * step + .4), "reach": (r.uniform(1.2, 2.4), r.uniform(1.4, 2.8)),
                       "carry": (.35, 1.5), "sit": (.7, 1.3), "crouch": (.9, 1.0)}.get(
                           pose, (r.uniform(-.15, .2), r.uniform(0, .6)))
        if pose == "reach" and side > 0 and r.random() < .5:
            upper, fore = .1, .3
        elbow = bend(shoulder, upper, .29, .12 * side)
        hand = bend(elbow, fore, .26)
        a.ball(shoulder, (.15 * wide,) * 3, sleeve)
        a.rod(shoulder, elbow, .05 * wide, sleeve)
        a.rod(elbow, hand, .04 * wide, sleeve if r.random() < .6 else skin)
        a.ball(hand, (.1, .08, .1), skin)
    if pose == "carry":
        a.add(carton(r, r.uniform(.3, .42, 3)), at=(.45, 0, hip + .2))
    scale = 1.0 if pose == "sit" else r.uniform(.92, 1.08)
    whole = Assembly(r)
    whole.add(a, scale=scale)
    return whole


def pallet(r):
    """A four-way wooden pallet, 1.2 x 0.8 or 1.0 m, now and then of blue or black plastic."""
    a = Assembly(r).begin(PALLET)
    wide = pick(r, [.8, 1.0])
    material = pick(r, [(.5, .34, .19), (.42, .29, .17), (.33, .25, .18), (.25, .2, .16), (.56, .42, .26)])
    pattern = WOOD
    if r.random() < .12:
        material, pattern = pick(r, [(.03, .1, .35), (.03, .03, .03), (.5, .05, .03)]), 0
    n = int(r.integers(5, 8))
    for y in np.linspace(-wide / 2 + .05, wide / 2 - .05, n):
        a.box((0, y, .133), (1.2, min(.1, .8 * wide / n), .022), tint(r, material, .15), pattern)
    for x in (-.55, 0, .55):
        a.box((x, 0, .111), (.1, wide, .022), tint(r, material, .15), pattern)
        for y in (-wide / 2 + .06, 0, wide / 2 - .06):
            a.box((x, y, .06), (.1, .1, .08), tint(r, material, .15), pattern)
    for y in (-wide / 2 + .06, 0, wide / 2 - .06):
        a.box((0, y, .011), (1.2, .1, .022), tint(r, material, .15), pattern)
    return a


def carton(r, size=None):
    """A cardboard box, centred on its own middle; some open, some printed, taped or banded."""
    a = Assembly(r).begin(BOX)
    size = np.array(size if size is not None else r.uniform(.25, .7, 3) * (1, 1, .8))
    col = tint(r, pick(r, CARTONS))
    a.box((0, 0, 0), size, col, CARDBOARD if r.random() < .85 else PRINT, .05)
    if r.random() < .35:
        label = tint(r, (.8, .8, .78), .1)
        face = pick(r, [-1, 1])
        w = size[[0, 2]] * r.uniform(.2, .45, 2)
        at = size[[0, 2]] * r.uniform(-.2, .2, 2)
        a.box((at[0], face * size[1] / 2, at[1]), (w[0], .006, w[1]), label, PRINT)
    if r.random() < .12:
        for side in (-1, 1):
            t = r.uniform(.4, 1.2)
            a.box((0, side * (size[1] / 2 + .12 * np.cos(t)), size[2] / 2 + .12 * np.sin(t)), (size[0], .26, .008),
                  col * .9, rot=rotation(0, 0, side * t))
    if r.random() < .2:
        strap = pick(r, [(.7, .7, .7), (.03, .03, .03), (.05, .15, .5)])
        a.box((r.uniform(-.2, .2) * size[0], 0, 0), (.02, size[1] + .01, size[2] + .01), strap, gloss=.6)
    return a


def barrel(r):
    """A 200 l drum of steel (with rolled rings) or plastic."""
    a = Assembly(r).begin(BARREL)
    col = tint(r, pick(r, DRUMS))
    d, h = r.uniform(.5, .62), r.uniform(.8, .95)
    gloss = r.uniform(.2, .9)
    a.cylinder((0, 0, h / 2), (d, d, h), col, gloss=gloss)
    for z in pick(r, [(.34, .66), (.3, .5, .7), (.12, .88)]):
        a.cylinder((0, 0, z * h), (d * 1.045, d * 1.045, .03), col * .9, gloss=gloss)
    for z in (.015, h - .012):
        a.cylinder((0, 0, z), (d * 1.05, d * 1.05, .03), col * .8, gloss=gloss)
    a.cylinder((0, 0, h + .002), (d * .9, d * .9, .01), col * r.uniform(.5, 1.1), gloss=gloss)
    a.cylinder((.17, 0, h + .01), (.07, .07, .03), STEEL)
    a.cylinder((-.18, .03, h + .01), (.04, .04, .03), STEEL)
    if r.random() < .4:
        a.cylinder((0, 0, h * .5), (d * 1.005, d * 1.005, h * .14), tint(r, pick(r, [(.8, .8, .8), (.8, .65, .05)])))
    return a


def cone(r):
    """A traffic cone: orange, sometimes yellow or red, with reflecting bands."""
    a = Assembly(r).begin(CONE)
    h = r.uniform(.32, .8)
    col = tint(r, pick(r, [(.85, .16, .02), (.85, .16, .02), (.8, .05, .02), (.85, .5, .03)]), .15)
    a.box((0, 0, .02), (h * .58, h * .58, .04), col if r.random() < .5 else DARK)
    a.part(FRUSTUM, (0, 0, h / 2), (h * .42, h * .42, h), col, BANDS if r.random() < .75 else 0, .2)
    return a


def pallet_jack(r):
    """A hand pallet truck: two forks, pump body, tiller with a loop handle."""
    a = Assembly(r).begin(JACK)
    col = tint(r, pick(r, [(.65, .05, .03), (.85, .5, .03), (.05, .12, .4), (.8, .2, .02), (.1, .3, .1)]))
    lift = r.uniform(.07, .17)
    for y in (-.2, .2):
        a.box((.65, y, lift), (1.15, .16, .05), col, gloss=.4)
        a.part(WEDGE, (1.26, y, lift), (.1, .16, .05), col)
        a.cylinder((1.05, y, .04), (.08, .08, .1), (.5, .3, .1), rot=rotation(0, 0, np.pi / 2))
    a.box((.05, 0, lift + .12), (.14, .56, .26), col, gloss=.4)
    a.part(WEDGE, (.05, 0, lift + .3), (.12, .4, .14), col)
    a.cylinder((-.12, 0, .3), (.14, .14, .42), tint(r, STEEL), gloss=.6)
    for y in (-.09, .09):
        a.cylinder((-.14, y, .1), (.2, .2, .06), RUBBER, rot=rotation(0, 0, np.pi / 2))
    tilt = r.uniform(.05, .75)
    d = np.array([-np.sin(tilt), 0, np.cos(tilt)])
    foot, end = np.array([-.14, 0, .3]), np.array([-.14, 0, .3]) + .75 * d
    a.rod(foot, end, .025, col)
    for side in (-1, 1):
        a.rod(end, end + .12 * d + (0, .12 * side, 0), .02, DARK)
        a.rod(end + .12 * d + (0, .12 * side, 0), end + .24 * d + (0, .1 * side, 0), .02, DARK)
    a.rod(end + .24 * d - (0, .1, 0), end + .24 * d + (0, .1, 0), .022, DARK)
    if r.random() < .25:
        a.add(loaded_pallet(r), at=(.72, 0, lift - .06))
    return a


def loaded_pallet(r, chances=(.2, .22, .22, .1, .16, .1)):
    """A pallet with nothing, cartons, one large carton, drums, a wrapped stack or sacks on it."""
    a = pallet(r)
    kind = r.choice(["empty", "cartons", "large", "drums", "wrapped", "sacks"], p=chances)
    top = .145
    if kind == "cartons":
        nx, ny, nz = r.integers(1, 3), r.integers(1, 3), r.integers(1, 3)
        size = np.array([1.16 / nx, .78 / ny, r.uniform(.3, .6)])
        gone = r.random() * .4
        mixed = r.random() < .6
        shade = carton(r, size * (.96, .96, 1))
        for x in range(nx):
            for y in range(ny):
                base = top
                for z in range(nz):
                    if z == nz - 1 and r.random() < gone:
                        break
                    high = size[2] * (r.uniform(.8, 1) if mixed else 1)
                    c = carton(r, (size[0] * .93, size[1] * .93, high)) if mixed else shade
                    at = ((x + .5) * size[0] - .58, (y + .5) * size[1] - .39, base + high / 2)
                    a.add(c, at=at, yaw=r.normal(0, .02))
                    base += high
    elif kind == "large":
        size = np.array([r.uniform(.7, 1.15), r.uniform(.6, .8), r.uniform(.4, 1.1)])
        a.add(carton(r, size), at=(0, 0, top + size[2] / 2), yaw=r.normal(0, .04))
    elif kind == "drums":
        drum = barrel(r)
        for x in (-.29, .29):
            for y in (-.2, .2)[:r.integers(1, 3)]:
                a.add(drum if r.random() < .7 else barrel(r), at=(x, y * 1.3, top), yaw=r.uniform(0, 6), scale=.88)
    elif kind == "wrapped":
        a.begin(None)
        h = r.uniform(.5, 1.5)
        col = tint(r, pick(r, [(.55, .57, .6), (.3, .3, .32), (.35, .4, .48)]))
        a.box((0, 0, top + h / 2), (1.12, .78, h), col, FILM, .9)
    elif kind == "sacks":
        a.begin(None)
        col = tint(r, (.6, .56, .48))
        for z in range(r.integers(1, 5)):
            for x in (-.3, .3):
                a.ball((x + r.normal(0, .02), 0, top + .09 + .14 * z), (.64, .8, .22), tint(r, col, .08))
    return a


def pallet_stack(r):
    """Empty pallets on top of each other, each one an object."""
    a = Assembly(r)
    p = pallet(r)
    for k in range(r.integers(2, 5)):
        a.add(p, at=(r.normal(0, .02), r.normal(0, .02), .145 * k), yaw=r.normal(0, .02))
    return a


def carton_pile(r):
    """A few cartons on the floor, perhaps one on top."""
    a = Assembly(r)
    height = 0
    for k in range(r.integers(1, 4)):
        size = r.uniform(.3, .75, 3) * (1, 1, .8)
        if k == 0:
            height = size[2]
        ground = r.random() < .5 or k == 0
        at = (0 if k == 0 else r.normal(0, .5 if ground else .08), 0 if k == 0 else r.normal(0, .5 if ground else .08),
              size[2] / 2 + (0 if ground else height))
        a.add(carton(r, size), at=at, yaw=r.uniform(0, 3))
    return a


def clutter(r):
    """Unlabelled things that may be mistaken for labelled ones."""
    a = Assembly(r).begin(None)
    kind = pick(r, ["bin", "bollard", "crate", "cabinet", "ladder", "drum", "extinguisher", "trolley"])
    col = tint(r, pick(r, [(.05, .25, .1), (.15, .16, .17), (.05, .12, .4), (.6, .05, .04), (.8, .55, .04)]))
    if kind == "bin":
        a.part(FRUSTUM, (0, 0, .2), (1.1, 1.1, 1.3), col, rot=rotation(0, np.pi))
        a.cylinder((0, 0, .84), (.75, .75, .06), col * .7)
    elif kind == "bollard":
        a.cylinder((0, 0, .5), (.15, .15, 1.0), (.85, .6, .03), HAZARD)
        a.ball((0, 0, 1.0), (.15, .15, .15), (.85, .6, .03))
    elif kind == "crate":
        s = r.uniform(.4, .6)
        for k in range(r.integers(1, 4)):
            z = k * .3
            a.box((0, 0, z + .02), (s * 1.4, s, .04), col)
            for side in (-1, 1):
                a.box((side * s * .7, 0, z + .15), (.03, s, .28), col, CORRUGATED)
                a.box((0, side * s * .5, z + .15), (s * 1.4, .03, .28), col, CORRUGATED)
    elif kind == "cabinet":
        a.box((0, 0, .95), (.5, .9, 1.9), tint(r, (.4, .42, .43)), gloss=.4)
        a.box((.26, 0, .95), (.01, .02, 1.8), DARK)
        a.box((.27, .1, 1.0), (.03, .03, .15), DARK)
    elif kind == "ladder":
        for y in (-.22, .22):
            a.rod((.5, y, 0), (0, y, 2.1), .03, (.5, .5, .5), .6)
            a.rod((-.5, y, 0), (0, y, 2.1), .025, (.5, .5, .5), .6)
        for t in np.linspace(.1, .9, 7):
            a.box((.5 - .5 * t, 0, 2.1 * t), (.08, .44, .03), (.5, .5, .5))
    elif kind == "drum":
        for y in (-.3, .3):
            a.cylinder((0, y, .5), (1.0, 1.0, .06), (.4, .27, .14), WOOD, rot=rotation(0, 0, np.pi / 2))
        a.cylinder((0, 0, .5), (.6, .6, .56), DARK, rot=rotation(0, 0, np.pi / 2))
    elif kind == "extinguisher":
        a.cylinder((0, 0, .27), (.17, .17, .5), (.6, .03, .02), gloss=.8)
        a.ball((0, 0, .52), (.17, .17, .14), (.6, .03, .02), gloss=.8)
        a.rod((0, 0, .55), (.06, 0, .66), .02, DARK)
    else:
        a.box((0, 0, .22), (1.2, .7, .05), col)
        for x in (-.5, .5):
            for y in (-.28, .28):
                a.ball((x, y, .09), (.18, .08, .18), RUBBER)
        for y in (-.3, .3):
            a.rod((-.58, y, .2), (-.62, y, 1.0), .02, STEEL)
        a.rod((-.62, -.3, 1.0), (-.62, .3, 1.0), .02, STEEL)
    return a


def wall_panel(r, length, height):
    """A stretch of wall along x, its face towards -y."""
    a = Assembly(r).begin(None)
    a.casts = 0.0
    col = tint(r, pick(r, [(.45, .46, .46), (.6, .58, .52), (.3, .33, .38), (.5, .3, .22), (.65, .65, .63)]))
    a.box((0, .1, height / 2), (length, .2, height), col, pick(r, [CORRUGATED, BRICK, 1, 0]))
    return a
