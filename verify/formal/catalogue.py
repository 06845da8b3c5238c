"""Every property that is proven, with its parameters; each area's list grows in one place."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from octopus.hw.noc.routing import ROUTINGS

from .axi_lite import LiteHandshake
from .axi_window import ReadWindow, WriteWindow
from .cbu_dispatcher import BacklogExact, DispatcherExact, DispatcherProgress, WindowExact
from .cbu_joins import JoinExact
from .cbu_stores import ChooserBooks, FiringQueueExact, ShardsExact
from .cbu_walker import WalkerExact
from .memory_contents import ReadAfterWrite
from .noc_arbitration import ArbiterFair, CreditsExact
from .noc_flow import InputFlow, OutputFlow
from .noc_multicast import BranchesExact, InputCopies
from .noc_routing import RouteReaches
from .noc_watch import WatchExact
from .property import Property
from .tbu_dispatch import DispatchesExact
from .tbu_memory import BurstsCoverRow
from .tbu_regions import BurstsAllowed, VerdictExact
from .tbu_streams import StreamRegisterExact
from .tbu_tasks import RunEnds, TagsTruthful, WindowsDisjoint


@dataclass(frozen=True)
class Claim:
    """A property to be proven.

    Attributes
    ----------
    area: of the hardware. make: builds the property. quick: takes a few seconds, so that the
        test suite proves it too.
    """

    area: str
    make: Callable[[], Property]
    quick: bool = False


NOC = [
    Claim("noc", partial(CreditsExact, 1), True),
    Claim("noc", partial(CreditsExact, 8)),
    Claim("noc", partial(ArbiterFair, 5), True),
    Claim("noc", partial(ArbiterFair, 8)),
    *(
        Claim("noc", partial(RouteReaches, routing, side), routing == "odd_even" and side == "WEST")
        for routing in ROUTINGS
        for side in ("NORTH", "EAST", "SOUTH", "WEST", "LOCAL")
    ),
    Claim("noc", partial(InputFlow, 1, 2), True),
    Claim("noc", partial(InputFlow, 1, 2, single_flit=True, bypass=True), True),
    Claim("noc", partial(InputFlow, 1, 2, single_flit=True, bypass=True, flit_bits=13)),
    Claim("noc", partial(InputFlow, 1, 4, single_flit=True, bypass=True)),
    Claim("noc", partial(InputFlow, 2, 2)),
    Claim("noc", partial(InputFlow, 2, 3)),
    Claim("noc", partial(InputFlow, 2, 4)),
    Claim("noc", partial(InputFlow, 2, 2, message_classes=1, lanes=2)),
    Claim("noc", partial(InputFlow, 2, 2, message_classes=1, lanes=2, free_choice=True)),
    *(
        Claim("noc", partial(BranchesExact, side), side == "LOCAL")
        for side in ("NORTH", "EAST", "SOUTH", "WEST", "LOCAL")
    ),
    Claim("noc", partial(InputCopies, "WEST", 2), True),
    Claim("noc", partial(InputCopies, "NORTH", 2)),
    Claim("noc", partial(InputCopies, "LOCAL", 2, bypass=True), True),
    Claim("noc", partial(InputCopies, "LOCAL", 1, bypass=True)),
    Claim("noc", partial(InputCopies, "WEST", 4)),
    Claim("noc", partial(InputCopies, "LOCAL", 4, bypass=True)),
    Claim("noc", partial(OutputFlow, 4, 2, 4), True),
    Claim("noc", partial(OutputFlow, 5, 1, 4)),
    Claim("noc", partial(OutputFlow, 4, 2, 4, hold_output=True)),
    Claim("noc", partial(OutputFlow, 8, 4, 8)),
    Claim("noc", partial(WatchExact, 1, 1, 2, 1), True),
    Claim("noc", partial(WatchExact, 2, 1, 4, 3), True),
    Claim("noc", partial(WatchExact, 2, 2, 2, 5)),
    Claim("noc", partial(WatchExact, 4, 1, 4, 8)),
]

MEMORY = [
    Claim("memory", partial(ArbiterFair, 4), True),
    Claim("memory", partial(ReadAfterWrite, 4, 2, 2, 1), True),
    Claim("memory", partial(ReadAfterWrite, 4, 2, 3, 2)),
    Claim("memory", partial(ReadAfterWrite, 4, 2, 2, 1, registered=True), True),
]

TBU = [
    Claim("tbu", partial(DispatchesExact, 2), True),
    Claim("tbu", partial(DispatchesExact, 4)),
    Claim("tbu", StreamRegisterExact, True),
    Claim("tbu", WindowsDisjoint, True),
    Claim("tbu", partial(TagsTruthful, 2), True),
    Claim("tbu", partial(TagsTruthful, 4)),
    Claim("tbu", RunEnds, True),
    Claim("tbu", partial(BurstsCoverRow, 4, True), True),
    Claim("tbu", partial(BurstsCoverRow, 8, False)),
    Claim("tbu", partial(VerdictExact, 1, 2), True),
    Claim("tbu", partial(VerdictExact, 4, 4)),
    Claim("tbu", partial(BurstsAllowed, 2, 2, 1), True),
    Claim("tbu", partial(BurstsAllowed, 4, 2, 2)),
]

CBU = [
    Claim("cbu", partial(FiringQueueExact, 4, 3), True),
    Claim("cbu", partial(FiringQueueExact, 8, 2)),
    Claim("cbu", partial(ShardsExact, 2)),
    Claim("cbu", partial(ChooserBooks, 2, 2), True),
    Claim("cbu", partial(ChooserBooks, 4, 2)),
    Claim("cbu", partial(WindowExact, 2), True),
    Claim("cbu", partial(WindowExact, 4)),
    Claim("cbu", partial(BacklogExact, 8)),
    Claim("cbu", partial(DispatcherExact, 2, 1)),
    Claim("cbu", partial(DispatcherExact, 1, 2)),
    Claim("cbu", partial(DispatcherProgress, 1, 1)),
    Claim("cbu", partial(JoinExact, "JOIN")),
    Claim("cbu", partial(JoinExact, "GATHER")),
    *(Claim("cbu", partial(WalkerExact, mode)) for mode in ("ALL", "FAULT")),
    *(Claim("cbu", partial(WalkerExact, mode, 12)) for mode in ("ARM", "MASK", "MAP")),
]

HOST = [
    Claim("host", LiteHandshake, True),
    Claim("host", partial(ReadWindow, 2), True),
    Claim("host", partial(WriteWindow, 2)),
]

CLAIMS = [*NOC, *MEMORY, *TBU, *CBU, *HOST]


def select(words: list[str], quick: bool = False) -> list[Claim]:
    """The claims whose area or name contains one of ``words`` (all if there are none).

    Raises:
        ValueError: a word matches nothing; the message lists the names.
    """
    chosen: list[Claim] = []
    names = {id(claim): claim.make().name for claim in CLAIMS}
    for word in words:
        if not any(word in (claim.area, *_parts(names[id(claim)])) for claim in CLAIMS):
            raise ValueError(f"no property {word!r}; there are {', '.join(sorted(names.values()))}")
    for claim in CLAIMS:
        wanted = not words or any(w in (claim.area, *_parts(names[id(claim)])) for w in words)
        if wanted and (claim.quick or not quick):
            chosen.append(claim)
    return chosen


def _parts(name: str) -> tuple[str, str]:
    """What a name is selected by: all of it, or its class."""
    return name, name.split(",")[0]
