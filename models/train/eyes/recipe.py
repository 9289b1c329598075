"""The recipe file: which pictures, which classes, how long. TOML in, checked values out; every mistake is told at once.

A picture folder is in YOLO layout (`images/`, `labels/`, with names from its `data.yaml` or from the recipe) or has a
COCO `annotations.json` beside `images/`.
"""
import pathlib
import tomllib
from dataclasses import dataclass, field

from .network import SIZES

# Of the original's 80 classes those that have a name here.
COCO_NAMES = {
    "person": [0], "bicycle": [1], "car": [2], "motorcycle": [3], "bus": [5], "truck": [7], "umbrella": [25], "chair": [56],
    "table": [60], "bench": [13], "bottle": [39], "bag": [24, 26, 28], "potted_plant": [58],
}


@dataclass(frozen=True)
class Source:
    """One folder of labelled pictures."""

    name: str
    folder: pathlib.Path
    labels: list  # Of a YOLO file's numbers: a class name, "" for neither right nor wrong.
    share: float  # Of the pictures drawn.
    licence: str


@dataclass(frozen=True)
class Recipe:
    name: str
    size: str
    side: int
    classes: list
    original: pathlib.Path
    sources: list
    sprites: pathlib.Path | None
    backgrounds: pathlib.Path | None
    sprite_share: float
    background_share: float
    batch: int
    steps: int
    rate: float
    seed: int
    sides: list
    keep_original: float
    held_out: float
    teacher: float
    float_until: int
    activation: str = "silu"
    frozen: bool = True
    starts_as: dict = field(default_factory=dict)

    def known(self):
        """Index of a class here -> those of the original."""
        return {i: COCO_NAMES[name] for i, name in enumerate(self.classes) if name in COCO_NAMES}


ACTIVATIONS = ("silu", "relu")


def read(path):
    """A file's table over that of its `base`, a file beside it."""
    try:
        raw = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SystemExit(f"{path}: {error}")
    base = raw.pop("base", None)
    return read(path.parent / base) | raw if base else raw


def load(path, steps=None):
    """Reads a recipe; paths in it are relative to it."""
    path = pathlib.Path(path)
    raw = read(path)
    faults = []

    def take(table, key, kind, where, default=...):
        value = table.pop(key, default)
        if value is ...:
            faults.append(f"{where}{key} is missing; write a {kind.__name__}")
            return kind()
        if value is not None and not isinstance(value, (int, float) if kind is float else kind):
            faults.append(f"{where}{key} = {value!r} is not a {kind.__name__}")
            return kind()
        return value

    def folder(text, where):
        at = (path.parent / text).resolve()
        if not at.exists():
            faults.append(f"{where} = \"{text}\": {at} does not exist")
        return at

    classes = take(raw, "classes", list, "")
    sources = []
    for table in take(raw, "source", list, ""):
        where = f"source {table.get('name', '?')}: "
        name, share, labels = take(table, "name", str, where), take(table, "share", float, where), take(table, "labels", list, where)
        unknown = [name for label in labels for name in label.split("|") if name and name not in classes]
        if unknown:
            faults.append(f"{where}labels {unknown} are not among classes; write one of them, or \"\" for what is neither right nor wrong")
        at, licence = folder(take(table, "folder", str, where), where + "folder"), take(table, "licence", str, where)
        faults.extend(f"{where}{key} is unknown" for key in table)
        sources.append(Source(name, at, labels, share, licence))
    size = take(raw, "size", str, "")
    if size not in SIZES:
        faults.append(f"size = \"{size}\"; write one of {', '.join(SIZES)}")
    sprites, backgrounds = take(raw, "sprites", str, "", None), take(raw, "backgrounds", str, "", None)
    starts_as = take(raw, "starts_as", dict, "", {})
    faults.extend(f"starts_as.{key}: write a class and classes of the original" for key, names in starts_as.items()
                  if key not in classes or any(name not in COCO_NAMES for name in names))
    recipe = Recipe(
        name=take(raw, "name", str, ""), size=size, side=take(raw, "side", int, ""), classes=classes,
        original=folder(take(raw, "original", str, ""), "original"), sources=sources,
        sprites=folder(sprites, "sprites") if sprites else None,
        backgrounds=folder(backgrounds, "backgrounds") if backgrounds else None,
        sprite_share=take(raw, "sprite_share", float, "", 0.0), background_share=take(raw, "background_share", float, "", 0.0),
        batch=take(raw, "batch", int, ""), steps=take(raw, "steps", int, "") if steps is None else steps,
        rate=take(raw, "rate", float, ""), seed=take(raw, "seed", int, ""), sides=take(raw, "sides", list, ""),
        keep_original=take(raw, "keep_original", float, "", 0.0), held_out=take(raw, "held_out", float, "", 0.15),
        teacher=take(raw, "teacher", float, "", 1.0), float_until=take(raw, "float_until", int, "", 0), starts_as=starts_as,
        activation=take(raw, "activation", str, "", "silu"), frozen=take(raw, "frozen", bool, "", True),
    )
    raw.pop("steps", None)
    faults.extend(f"{key} is unknown" for key in raw)
    if recipe.activation not in ACTIVATIONS:
        faults.append(f"activation = \"{recipe.activation}\"; write one of {', '.join(ACTIVATIONS)}")
    if (recipe.frozen or recipe.keep_original) and (recipe.activation != "silu" or size == "wide"):
        faults.append("this network's weights are not the original's any more; write frozen = false and keep_original = 0.0")
    if any(side % 32 for side in [*recipe.sides, recipe.side]):
        faults.append("side and sides: write multiples of 32")
    if faults:
        raise SystemExit("\n".join(f"{path}: {fault}" for fault in faults))
    return recipe
