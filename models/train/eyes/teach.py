"""The training itself: the original fine-tuned on labelled pictures, following the original in what it knows.

In: a checked recipe. Out in the run's folder: `held_out/NAME/` for `shirong eval`, `last.pt` now and then, `final.pt` at the
end. A run that was cut off goes on from `last.pt`.
"""
import copy
import hashlib
import json
import math
import sys
import time

import numpy as np
import torch

from . import loss as losses
from .alike import split
from .augment import Batches
from .network import SIZES, Yolox, cells_of, folded, load_folded, restore_normalisation, steepen, widened
from .pictures import read_source, read_sprites, write_held_out

CALIBRATION_PICTURES = 96
WARM_UP_STEPS = 250
REFINE_FROM = 0.85
AVERAGE = 0.9995
GRADIENT_MAX = 20.0
SAVE_SECS = 120
VEHICLE_IOU = 0.5
# A network with ReLU begins with the original's SiLU, which grows steeper over this share of the run.
STEEP_UNTIL = 0.35
STEEPEST = 12.0


def prepare(recipe, out, original, limit=None):
    """Pools of `(path, picture, boxes)` in the recipe's classes; what is held out is written beside them."""
    pools, shares = {}, {}
    for source in recipe.sources:
        pictures = read_source(source, limit)
        train, held = kept_split(out / f"split-{source.name}.json", pictures, lambda: split(original, pictures, recipe.held_out, recipe.seed))
        write_held_out(out / "held_out" / source.name, source, held, recipe.classes)
        pools[source.name] = [(p.picture, in_classes(p, source, recipe, original)) for p in train]
        shares[source.name] = source.share
        print(f"{source.name}: {len(train)} pictures to learn from, {len(held)} held out", flush=True)
    if recipe.backgrounds:
        import cv2

        plates = [cv2.imread(str(p)) for p in sorted(recipe.backgrounds.glob("*.jpg"))]
        if plates:
            pools["backgrounds"] = [(p, np.zeros((0, 5), np.float32)) for p in plates]
            shares["backgrounds"] = recipe.background_share
            print(f"backgrounds: {len(plates)}", flush=True)
    total = sum(shares.values())
    return pools, {name: share / total for name, share in shares.items()}


def kept_split(path, pictures, make):
    """The split that was written there, or a new one that is. It outlives the run: pictures that one machine held out must
    not be learned from on another, whose arithmetic may group them otherwise."""
    stems = [p.path.stem for p in pictures]
    if path.exists():
        kept = json.loads(path.read_text())
        if sorted(stems) != sorted(kept["learn"] + kept["held_out"]):
            raise SystemExit(f"{path}: the source holds other pictures than those split there, and a new one may be of a place that is held out; "
                             "name another --out, or take the file away and train anew")
        held = set(kept["held_out"])
    else:
        held = {p.path.stem for p in make()[1]}
        path.write_text(json.dumps({"learn": sorted(set(stems) - held), "held_out": sorted(held)}))
    return [p for p in pictures if p.path.stem not in held], [p for p in pictures if p.path.stem in held]


def in_classes(labelled, source, recipe, original):
    """A picture's boxes with the recipe's class numbers. A label "car|bus|truck" becomes the one of them that the original
    sees there; where it sees none, the box is neither right nor wrong."""
    boxes = labelled.boxes.copy()
    seen = None
    for row in boxes:
        name = source.labels[int(row[0])]
        if "|" in name:
            seen = what_original_sees(original, labelled.picture, recipe) if seen is None else seen
            row[0] = one_of(name.split("|"), row[1:], seen, recipe)
        else:
            row[0] = recipe.classes.index(name) if name else -1
    return boxes


@torch.no_grad()
def what_original_sees(original, picture, recipe):
    """Boxes and scores of the original: `[k, 4]` in the picture's pixels, `[k, known]`."""
    side = -(-max(picture.shape[:2]) // 32) * 32
    padded = np.full((side, side, 3), 114, np.uint8)
    padded[:picture.shape[0], :picture.shape[1]] = picture
    corners, strides = cells_of(side, side)
    rows = original.logits_from(original.low(torch.from_numpy(padded).permute(2, 0, 1)[None].float()), False)
    teacher = losses.teacher_says(rows, recipe.known(), corners, strides)
    score = teacher.object[0, :, None] * teacher.classes[0]
    sure = score.amax(-1) > 0.1
    return teacher.boxes[0, sure], score[sure]


def one_of(names, box, seen, recipe):
    boxes, scores = seen
    known = list(recipe.known())
    columns = [known.index(recipe.classes.index(name)) for name in names]
    if len(boxes) == 0:
        return -1
    near = losses.overlap(torch.tensor(np.asarray(box))[None], boxes)[0] > VEHICLE_IOU
    if not near.any():
        return -1
    return recipe.classes.index(names[int(scores[near][:, columns].amax(0).argmax())])


@torch.no_grad()
def student_of(recipe, original):
    """The original's weights, in the student's size, with a row for each class of the recipe: its own where it knows the class, else small
    numbers, or what `starts_as` names at half strength."""
    student = Yolox(len(recipe.classes), SIZES[recipe.size])
    kept = {k: v for k, v in original.state_dict().items() if not k.startswith("class_out.")}
    student.load_state_dict(kept, strict=False)
    from .recipe import COCO_NAMES

    for new, old in zip(student.class_out, original.class_out):
        torch.nn.init.normal_(new.weight, 0, 0.01)
        new.bias.data.fill_(float(old.bias.mean()))
        for i, name in enumerate(recipe.classes):
            rows = COCO_NAMES.get(name)
            if rows:
                new.weight.data[i], new.bias.data[i] = old.weight.data[rows].mean(0), old.bias.data[rows].mean()
            elif name in recipe.starts_as:
                rows = [row for like in recipe.starts_as[name] for row in COCO_NAMES[like]]
                new.weight.data[i] = old.weight.data[rows].mean(0) / 2
                new.bias.data[i] = old.bias.data[rows].mean() - 0.5
    return student


def nhwc(pictures, device):
    return pictures.to(device).permute(0, 3, 1, 2).float()


def train(recipe, out, limit=None, threads=2, workers=1, minutes=None):
    """Trains; gives the averaged, folded weights and some pictures to calibrate a quantised form with. With `minutes` it ends
    after that time, and what depends on how far it is follows the clock."""
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    original = load_folded(recipe.original, 80, SIZES["nano" if recipe.size == "wide" else recipe.size])
    pools, shares = prepare(recipe, out, original, limit)
    plain = [picture for name in sorted(pools) for picture, _ in pools[name][::max(len(pools[name]) // CALIBRATION_PICTURES, 1)]]
    told = out / "final.json"
    if (out / "final.pt").exists() and json.loads(told.read_text())["recipe"] != fingerprint(recipe):
        raise SystemExit(f"{out}: holds the weights of another recipe; name another --out")
    if not (out / "final.pt").exists():
        sprites = read_sprites(recipe.sprites, recipe.classes) if recipe.sprites else []
        print(f"sprites: {len(sprites)}", flush=True)
        student = student_of(recipe, widened(original, SIZES["wide"], recipe.seed) if recipe.size == "wide" else original)
        student.to(device, memory_format=torch.channels_last)
        measured = Batches(recipe, pools, shares, sprites)
        restore_normalisation(student, [nhwc(measured.batch(10**8 + i)[0], device) for i in range(-(-CALIBRATION_PICTURES // recipe.batch))])
        if recipe.frozen:
            # What sees edges and textures stays, for the student and the original alike.
            low = folded(student)
            for part in ("stem", "dark2"):
                setattr(student, part, getattr(low, part))
                for parameter in getattr(student, part).parameters():
                    parameter.requires_grad = False
        original.to(device, memory_format=torch.channels_last)
        student.to(device, memory_format=torch.channels_last)
        teach(recipe, out, student, original, (pools, shares, sprites), device, workers, minutes)
    return torch.load(out / "final.pt", weights_only=True), plain


def teach(recipe, out, student, original, data, device, workers, minutes=None):
    average = copy.deepcopy(student).eval().requires_grad_(False)
    learning = [p for p in student.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(
        [{"params": [p for p in learning if p.ndim > 1], "weight_decay": 0.02},
         {"params": [p for p in learning if p.ndim <= 1], "weight_decay": 0.0}], lr=recipe.rate, betas=(0.9, 0.99), fused=True)
    first, spent = resume(out, student, average, optimiser)
    done = torch.multiprocessing.get_context().Value("d", 0.0)
    loader = torch.utils.data.DataLoader(
        Batches(recipe, *data, first, done, REFINE_FROM), batch_size=None, num_workers=workers,
        prefetch_factor=6 if workers else None)
    cells, groups, weights = {}, recipe.known(), losses.Weights(teacher=recipe.teacher)
    student.train()
    original.eval()
    pairs = [(a, b) for a, b in zip(average.state_dict().values(), student.state_dict().values()) if a.dtype.is_floating_point]
    saved, told, sums, started = time.monotonic(), first, {}, time.monotonic() - spent
    for step, (pictures, truths) in enumerate(loader, first):
        share = max(step / recipe.steps, (time.monotonic() - started) / (60 * minutes) if minutes else 0)
        if share >= 1:
            break
        done.value = share
        if recipe.activation == "relu":
            steepen(student, math.inf if share >= STEEP_UNTIL else STEEPEST ** (share / STEEP_UNTIL))
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate * min(1, (step + 1) / WARM_UP_STEPS) * (0.02 + 0.49 * (1 + math.cos(math.pi * share)))
        pictures = nhwc(pictures, device)
        side = pictures.shape[2]
        if side not in cells:
            cells[side] = tuple(t.to(device) for t in cells_of(side, side))
        with torch.autocast(device.type, dtype=torch.bfloat16):
            with torch.set_grad_enabled(not recipe.frozen):
                low = student.low(pictures)
            with torch.no_grad():
                low_of_original = low if recipe.frozen else original.low(pictures)
        with torch.no_grad():
            teacher = losses.teacher_says(original.logits_from(low_of_original, True), groups, *cells[side])
        rows = student.logits_from(low, True)
        loss, parts = losses.loss_of(rows, truths, teacher, *cells[side], weights, share >= REFINE_FROM)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        # A batch that went wrong leaves no trace: its length is not finite, and neither is what it would be scaled by.
        norm = torch.nn.utils.clip_grad_norm_(learning, GRADIENT_MAX)
        if torch.isfinite(norm):
            optimiser.step()
        with torch.no_grad():
            torch._foreach_lerp_([a for a, _ in pairs], [b for _, b in pairs], 1 - AVERAGE * (1 - math.exp(-(step + 1) / 400)))
        for name, value in parts.items():
            sums[name] = sums.get(name, 0.0) + value
        if step + 1 - told == 50 or step + 1 == recipe.steps:
            tell(step + 1, recipe, sums, step + 1 - told, time.monotonic() - started - spent, first, minutes)
            told, sums = step + 1, {}
        if time.monotonic() - saved > SAVE_SECS:
            save(out / "last.pt", step + 1, time.monotonic() - started, student, average, optimiser)
            saved = time.monotonic()
    (out / "final.json").write_text(json.dumps({"steps": step, "recipe": fingerprint(recipe)}))
    torch.save(folded(average).cpu().state_dict(), out / "final.pt")


def fingerprint(recipe):
    """What a recipe says, but for where its files lie and how long it runs."""
    says = {k: v for k, v in vars(recipe).items() if k not in ("original", "sources", "sprites", "backgrounds", "steps")}
    says["sources"] = [(s.name, s.labels, s.share) for s in recipe.sources]
    return hashlib.sha256(json.dumps(says, sort_keys=True).encode()).hexdigest()


def tell(step, recipe, sums, count, secs, first, minutes):
    mean = " ".join(f"{name} {float(value) / count:.3f}" for name, value in sums.items())
    each = secs / max(step - first, 1)
    left = min(each * (recipe.steps - step) / 60, minutes - secs / 60 if minutes else math.inf)
    print(f"{step}/{recipe.steps} {mean} · {each / recipe.batch * 1e3:.1f} ms a picture, {left:.0f} min to go", flush=True)


def save(path, step, spent, student, average, optimiser):
    state = {"step": step, "spent": spent, "student": student.state_dict(), "average": average.state_dict(), "optimiser": optimiser.state_dict()}
    torch.save(state, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").replace(path)


def resume(out, student, average, optimiser):
    path = out / "last.pt"
    if not path.exists():
        return 0, 0.0
    state = torch.load(path, weights_only=True)
    student.load_state_dict(state["student"])
    average.load_state_dict(state["average"])
    optimiser.load_state_dict(state["optimiser"])
    print(f"goes on from step {state['step']} of {path}", file=sys.stderr)
    return state["step"], state["spent"]


def mixed(recipe, tuned):
    """The tuned, folded weights with a share of the original's (weight-space ensemble, arXiv:2109.01903)."""
    network = folded(Yolox(len(recipe.classes), SIZES[recipe.size]))
    network.load_state_dict(tuned)
    if recipe.keep_original:
        original = folded(load_folded(recipe.original, 80, SIZES[recipe.size])).state_dict()
        mix = {k: v if k.startswith("class_out.") else torch.lerp(v, original[k], recipe.keep_original) for k, v in tuned.items()}
        network.load_state_dict(mix)
    if recipe.activation == "relu":
        steepen(network, math.inf)
    return network
