"""Feature sets: what a processing element is built with beside its operations.

A feature set says which sources its operands have, what each output link can carry, and whether
there are predicates. Like an operation set it is chosen by name for every PE; what an instruction
asks for and a PE has not reads as zero, and sends nothing (``docs/specification.md``, section PE).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from .instruction import OperandSource, OutputSelect

DIRECTIONS = ("north", "east", "south", "west")


@dataclass(frozen=True)
class Features:
    """What a PE has.

    Attributes
    ----------
    a, b, route: the sources of the operands and of the routed value; ZERO is always among them.
    outputs: for north, east, south and west what the link can carry; NONE is always possible.
    predication: there is a predicate bit, and ``exit``.
    """

    a: frozenset[OperandSource]
    b: frozenset[OperandSource]
    route: frozenset[OperandSource]
    outputs: tuple[frozenset[OutputSelect], ...]
    predication: bool

    @property
    def sources(self) -> tuple[frozenset[OperandSource], ...]:
        """The sources of ``a``, ``b`` and ``route``."""
        return self.a, self.b, self.route

    @property
    def has_registers(self) -> bool:
        """Whether some operand can be a register."""
        return any(OperandSource.REGISTER in have for have in self.sources)

    def output(self, direction: str) -> frozenset[OutputSelect]:
        """What the output link of a direction can carry."""
        return self.outputs[DIRECTIONS.index(direction)]

    def lacks(
        self,
        a: OperandSource,
        b: OperandSource,
        route: OperandSource,
        outputs: dict[str, OutputSelect],
    ) -> Iterator[str]:
        """Says of each thing that an instruction asks for and that is not there what it is."""
        for name, source, have in (
            ("a", a, self.a),
            ("b", b, self.b),
            ("route", route, self.route),
        ):
            if source not in have:
                yield f"{name} from {source.name}"
        for direction, select in outputs.items():
            if select not in self.output(direction):
                yield f"{select.name} to the {direction}"


_Source = OperandSource
_NOTHING = frozenset({_Source.ZERO})
_SILENT = frozenset({OutputSelect.NONE})

FEATURE_SETS: dict[str, Features] = {
    "full": Features(
        a=frozenset(_Source),
        b=frozenset(_Source),
        route=frozenset(_Source),
        outputs=(frozenset(OutputSelect),) * 4,
        predication=True,
    ),
    "systolic": Features(
        a=_NOTHING | {_Source.NORTH},
        b=_NOTHING | {_Source.WEST, _Source.CONSTANT},
        route=_NOTHING,
        outputs=(
            _SILENT | {OutputSelect.RESULT, OutputSelect.STRAIGHT},
            _SILENT | {OutputSelect.STRAIGHT},
            _SILENT | {OutputSelect.STRAIGHT},
            _SILENT,
        ),
        predication=False,
    ),
}
"""Named sets. ``systolic`` is what matrix products and convolutions use: operands from north and
west, which go straight on, and results to the north; no registers, no routes, no predicates."""


def features_of(name: str) -> Features:
    """The features of a set.

    Raises:
        ValueError: there is no such set; the message names those that there are.
    """
    if name not in FEATURE_SETS:
        raise ValueError(", ".join(repr(known) for known in FEATURE_SETS))
    return FEATURE_SETS[name]
