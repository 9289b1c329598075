"""What is composed into which clip, where and when.

Feet are pixels of the background clip, widths are metres; `compose_clips.py` knows how many pixels a metre takes at
a foot. An item with a matter is an event, one with `decoy` looks like one and is none, one with neither is company.
"""

from dataclasses import dataclass, field

CLIP_SECS = 158
LITTER_DWELL_SECS = 30
VENDOR_DWELL_SECS = 40
# What the composed heaps may rightly be called besides 06010: spoil and piled material.
HEAP = ["06011", "06036"]


@dataclass
class Item:
    what: str
    source: tuple
    foot: tuple
    metres: float
    from_s: float
    to_s: float = CLIP_SECS
    matter: str | None = None
    kind: str | None = None
    accept: list = field(default_factory=list)
    decoy: bool = False
    fidgets: bool = False


@dataclass
class Variant:
    name: str
    background: str
    items: list


def litter(what, source, foot, metres, from_s, to_s=CLIP_SECS, accept=()):
    return Item(what, source, foot, metres, from_s, to_s, "06010", "litter", list(accept))


def stall(what, sprite, foot, metres, from_s, to_s=CLIP_SECS):
    return Item(what, ("sprite", sprite), foot, metres, from_s, to_s, "09006", "street_vendor", ["09001", "09005"])


def person(which, foot, from_s, to_s=CLIP_SECS):
    return Item("a person who stands there", ("person", which), foot, 0.6, from_s, to_s, fidgets=True)


def photo(name, crop=1.0):
    """`crop` is the share of the cut-out's height that is kept, from the top."""
    return ("photo", name, crop)


VARIANTS = [
    Variant("vtest-plain", "vtest", []),
    Variant("car-park-plain", "car-park", []),
    Variant("bag-stays", "vtest", [litter("black bags on the road", photo("002048", 0.8), (590, 345), 1.1, 32)]),
    Variant("bag-removed", "vtest", [litter("plastic bags on the lawn", ("sprite", "garbage_009"), (250, 335), 1.0, 30, 112)]),
    Variant("bag-behind-walkers", "vtest", [litter("white bags where people walk", photo("001830"), (520, 272), 1.3, 31)]),
    Variant("pile-stays", "vtest", [litter("a heap of rubbish", photo("003344"), (640, 430), 2.0, 30, accept=HEAP)]),
    Variant("pile-removed", "vtest", [litter("a heap on the lawn", photo("001940"), (200, 425), 1.9, 33, 118, accept=HEAP)]),
    Variant("pile-behind-walkers", "vtest", [litter("a heap where people walk", photo("001969"), (600, 252), 1.8, 30, accept=HEAP)]),
    Variant("carton-left", "vtest", [litter("cartons left behind", ("sprite", "garbage_005"), (600, 415), 1.5, 31, accept=HEAP)]),
    Variant(
        "carton-attended",
        "vtest",
        [
            Item("a carton whose owners stand beside it and take it away", ("sprite", "garbage_006"), (620, 410), 0.8, 35, 116, decoy=True),
            person("a", (575, 412), 33, 118),
            person("b", (672, 405), 34, 118),
        ],
    ),
    Variant(
        "stall-attended",
        "vtest",
        [
            stall("a stall with its vendor, and customers", "stall_002", (630, 415), 2.6, 30),
            person("b", (560, 425), 45, 80),
            person("c", (700, 430), 95, 140),
        ],
    ),
    Variant(
        "stall-removed-behind-walkers",
        "vtest",
        [
            stall("a tent where people walk, taken away", "stall_007", (560, 310), 2.4, 31, 125),
            person("a", (505, 314), 31, 125),
        ],
    ),
    Variant("stall-on-lawn", "vtest", [stall("a parasol with its vendor", "stall_013", (250, 470), 2.6, 32), person("e", (330, 474), 40)]),
    Variant(
        "stall-empty",
        "vtest",
        [Item("a stall that nobody attends", ("sprite", "stall_003"), (150, 470), 2.6, 30, decoy=True)],
    ),
    Variant("car-park-pile", "car-park", [litter("a heap", photo("001550"), (620, 250), 1.7, 30, accept=HEAP)]),
    Variant("car-park-bag-removed", "car-park", [litter("bags", photo("002048", 0.8), (560, 330), 1.0, 32, 115)]),
    Variant("car-park-carton", "car-park", [litter("boxes and bags", photo("000045"), (640, 210), 1.6, 30, accept=HEAP)]),
    Variant(
        "car-park-stall",
        "car-park",
        [stall("a stall with its vendor", "stall_009", (600, 300), 2.2, 31), person("a", (515, 305), 40, 120)],
    ),
    Variant(
        "two-things",
        "vtest",
        [
            litter("a heap on the lawn", photo("001880"), (230, 430), 1.6, 30, accept=HEAP),
            stall("a stall with its vendor", "stall_004", (640, 420), 2.2, 50),
            person("b", (570, 428), 55),
        ],
    ),
]
