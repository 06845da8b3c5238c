"""Where a PE's operands and its routed value come from."""

from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from ..layouts.features import DIRECTIONS, Features
from ..layouts.instruction import OperandSource
from ..library import KEEP
from .decode import LINK_SOURCES
from .pipeline import Pipeline
from .registers import RegisterFile

PAIR = 2
"""The links that a table of four inputs takes with a gate each."""

GROUP = 3
"""The sources of an operand that a table of four inputs takes if it inverts them too."""


class Sources:
    """The links (by the side they enter from) and registers of a PE with some features."""

    def __init__(
        self, links: Mapping[str, Any], registers: RegisterFile, features: Features
    ) -> None:
        self.links, self.registers, self.features = links, registers, features

    def operand(self, pipeline: Pipeline, code: Any, name: str, stages: int) -> Value:
        """Operand ``name`` after that many registers: one of its sources or zero.

        Sources are chosen in groups, each of which is a table of four inputs with what follows, and
        a multiplexer of the slice's own chooses among these.
        """
        source = code[name]
        register, written = (
            getattr(self.registers, f"{name}_{what}") for what in ("data", "written")
        )
        sources = {
            LINK_SOURCES[side]: (self.links[side].data, source[side]) for side in DIRECTIONS
        } | {
            OperandSource.REGISTER: (register, source.from_register & written),
            OperandSource.CONSTANT: (code.constant, source.from_constant),
        }
        lanes = [lane for kind, lane in sources.items() if kind in getattr(self.features, name)]
        if not stages or len(lanes) < GROUP + 2:
            return pipeline.choose(lanes, stages)
        rest = pipeline.carry(Cat(keep for _, keep in lanes[GROUP:]).any(), stages)
        first, second = (pipeline.choose(some, stages) for some in (lanes[:GROUP], lanes[GROUP:]))
        return Mux(rest, second, first)

    def route_sides(self) -> list[str]:
        """The links that ``route`` can take."""
        return [side for side in DIRECTIONS if LINK_SOURCES[side] in self.features.route]

    def routed_link(self, m: Module, now: Any) -> Value:
        """The data of the link that ``route`` takes, or zero."""
        route = now.code.route
        sides = self.route_sides()
        links = [self.links[side].data & route[side].replicate(32) for side in sides]
        # kept, so that a mapper to four-input tables finds a multiplexer of two of them
        first, second, link = (
            Signal(32, name=f"route_{name}", attrs=KEEP) for name in ("first", "second", "link")
        )
        m.d.comb += [
            first.eq(reduce(or_, links[:PAIR], Const(0))),
            second.eq(reduce(or_, links[PAIR:], Const(0))),
            link.eq(Mux(now.routes_second, second, first)),
        ]
        return link

    def register_b(self, source: Any) -> Value:
        """The register that ``b`` and ``route`` share if ``source`` is it, else zero."""
        return self.registers.b_data & (source.from_register & self.registers.b_written).replicate(
            32
        )

    def missing(self, source: Any) -> Value:
        """1 bit: ``source`` is a link that is not valid."""
        links = [source[side] & ~self.links[side].valid for side in DIRECTIONS]
        return Cat(links).any()
