"""What the random test of the memory window must have met: declared here, asserted there."""

from collections import Counter
from itertools import product

from octopus.hw.config import OctopusConfig
from octopus.verify.golden.host import DECERR, INCR, OKAY, SLVERR, WRAP, AxiBurst

ALIGNMENTS = ("aligned", "unaligned")
LENGTHS = {"one": (0, 0), "few": (1, 15), "many": (16, 254), "most": (255, 255)}
PLACES = ("memory", "end of memory", "configuration", "nowhere")
REASONS = ("bad wrap", "reserved", "wide", "long fixed", "page", "beyond", "user")


def declared(config: OctopusConfig) -> set[tuple[str, ...]]:
    """Every point. (A mesh of 32 x 32 would have no cluster that does not exist.)"""
    points: set[tuple[str, ...]] = set()
    for kind, size, alignment in product(("read", "write"), ("1", "2", "4"), ALIGNMENTS):
        if (size, alignment) == ("1", "unaligned"):
            continue
        for response in ("OKAY", "SLVERR", "DECERR"):
            points.add((kind, size, alignment, response))
    points |= set(product(("read", "write"), ("fixed", "incr"), LENGTHS)) - set(
        product(("read", "write"), ("fixed",), ("many", "most"))
    )
    points |= set(product(("read", "write"), ("wrap",), LENGTHS)) - set(
        product(("read", "write"), ("wrap",), ("one", "many", "most"))
    )
    points |= {(kind, "exclusive") for kind in ("read", "write")}
    points |= set(product(("read", "write"), PLACES, ("privileged", "user")))
    points |= set(product(("read", "write"), REASONS))
    points |= {("write", "early last"), ("write", "late last"), ("write", "no strobe")}
    points |= {("several under way", kind) for kind in ("read", "write")}
    return points


class WindowCoverage:
    """Counts the points met."""

    def __init__(self, config: OctopusConfig) -> None:
        self.declared = declared(config)
        self.met: Counter[tuple[str, ...]] = Counter()

    def add(self, *point: str) -> None:
        """A point was met; others than those declared do not count."""
        if point in self.declared:
            self.met[point] += 1

    def burst(self, kind: str, burst: AxiBurst, place: str, reason: str, response: int) -> None:
        """A burst was answered."""
        aligned = burst.address % (1 << burst.size) == 0
        if burst.size <= 2:
            name = {OKAY: "OKAY", SLVERR: "SLVERR", DECERR: "DECERR"}[response]
            size = str(1 << burst.size)
            self.add(kind, size, "aligned" if aligned else "unaligned", name)
        if response == OKAY:
            shape = {INCR: "incr", WRAP: "wrap"}.get(burst.burst, "fixed")
            if burst.lock:
                self.add(kind, "exclusive")
            for name, (low, high) in LENGTHS.items():
                if low <= burst.length <= high:
                    self.add(kind, shape, name)
        self.add(kind, place, "privileged" if burst.privileged else "user")
        if response == SLVERR:
            self.add(kind, reason)

    def missing(self) -> list[tuple[str, ...]]:
        """Declared points that were not met."""
        return sorted(self.declared - set(self.met))
