"""Task-aligned assignment, and the losses of scores, boxes and box distributions."""
import math

import torch
import torch.nn.functional as F

from model import BINS, grid

TOP, SCORE_POWER, IOU_POWER = 10, 0.5, 6.0
BOX_GAIN, SCORE_GAIN, BINS_GAIN = 7.5, 0.5, 1.5


def overlap(a, b, complete=False):
    """IoU of boxes given by corners; `complete` subtracts the CIoU terms (centre distance, aspect)."""
    low = torch.maximum(a[..., :2], b[..., :2])
    high = torch.minimum(a[..., 2:], b[..., 2:])
    common = (high - low).clamp_min(0).prod(-1)
    wa, wb = (a[..., 2:] - a[..., :2]).clamp_min(1e-6), (b[..., 2:] - b[..., :2]).clamp_min(1e-6)
    iou = common / (wa.prod(-1) + wb.prod(-1) - common + 1e-7)
    if not complete:
        return iou
    hull = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    apart = ((a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) ** 2).sum(-1) / 4
    aspect = 4 / math.pi**2 * (torch.atan(wb[..., 0] / wb[..., 1]) - torch.atan(wa[..., 0] / wa[..., 1])) ** 2
    weight = (aspect / (1 - iou + aspect + 1e-7)).detach()
    return iou - apart / ((hull**2).sum(-1) + 1e-7) - weight * aspect


@torch.no_grad()
def assign(scores, boxes, centres, classes, targets, present):
    """Which cell learns which object.

    scores [B,A,C] and boxes [B,A,4] are predictions, centres [A,2] the cells, all in pixels;
    classes [B,G], targets [B,G,4], present [B,G] are the objects. Returns for every cell the
    object's number, whether it has one, and the score that it should reach.
    """
    # An object smaller than a cell would own no cell: it is given one cell's width for this test.
    middle, half = (targets[..., :2] + targets[..., 2:]) / 2, (targets[..., 2:] - targets[..., :2]) / 2
    half = half.clamp_min(4.5)
    inside = ((centres[None, None] - middle[:, :, None]).abs() < half[:, :, None]).all(-1) & present[..., None]
    iou = overlap(targets[:, :, None], boxes[:, None]) * inside
    index = classes.clamp_min(0).long()[..., None].expand(-1, -1, scores.shape[1])
    score = scores.transpose(1, 2).gather(1, index)
    align = score**SCORE_POWER * iou**IOU_POWER * inside
    best = align.topk(TOP, dim=2).indices
    chosen = torch.zeros_like(inside).scatter_(2, best, True) & inside
    # A cell wanted by several objects goes to the one that its box overlaps most.
    rank = torch.where(chosen, iou + 1e-6, torch.zeros_like(iou))
    top, owner = rank.max(1)
    positive = top > 0
    mine = chosen & (torch.arange(targets.shape[1], device=owner.device)[None, :, None] == owner[:, None])
    align = align * mine
    reach = (iou * mine).amax(2, keepdim=True)
    goal = (align / (align.amax(2, keepdim=True) + 1e-9) * reach).amax(1)
    return owner, positive, goal


def detection_loss(maps, classes, targets, present, head):
    """The summed loss of a batch, and its three parts for the log."""
    batch = maps[0].shape[0]
    flat = torch.cat([m.flatten(2) for m in maps], 2).transpose(1, 2).float()
    bins, logits = flat.split((4 * BINS, head.classes), 2)
    centres, strides = grid([m.shape[2:] for m in maps], flat.device)
    bins = bins.view(batch, -1, 4, BINS)
    distance = bins.softmax(3) @ torch.arange(BINS, device=flat.device, dtype=torch.float32)
    boxes = torch.cat([centres - distance[..., :2], centres + distance[..., 2:]], 2) * strides[:, None]
    owner, positive, goal = assign(logits.detach().sigmoid(), boxes.detach(), centres * strides[:, None],
                                   classes, targets, present)

    wanted = torch.zeros_like(logits)
    label = classes.clamp_min(0).long().gather(1, owner)
    wanted.scatter_(2, label[..., None], (goal * positive)[..., None])
    total = wanted.sum().clamp_min(1.0)
    score_loss = F.binary_cross_entropy_with_logits(logits, wanted, reduction="sum") / total

    # Every cell is computed and weighted, zero where it has no object: picking cells out would make
    # the CPU wait for the GPU.
    weight = goal * positive
    truth = targets.gather(1, owner[..., None].expand(-1, -1, 4))
    box_loss = ((1 - overlap(boxes, truth, complete=True)) * weight).sum() / total

    truth = truth / strides[:, None]
    aim = torch.cat([centres - truth[..., :2], truth[..., 2:] - centres], 2).clamp(0, BINS - 1.01)
    left = aim.floor()
    share = (aim - left)[..., None]
    logp = bins.log_softmax(3)
    near = logp.gather(3, left.long()[..., None]) * (1 - share) + logp.gather(3, left.long()[..., None] + 1) * share
    bins_loss = (-near[..., 0].mean(2) * weight).sum() / total
    parts = torch.stack([box_loss, score_loss, bins_loss])
    return box_loss * BOX_GAIN + score_loss * SCORE_GAIN + bins_loss * BINS_GAIN, parts.detach()
