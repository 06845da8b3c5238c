"""The words in which a register map is described: registers, their fields, who may do what."""

import enum
from dataclasses import dataclass


class Access(enum.Enum):
    """What the host may do with a register. Anything else is answered SLVERR.

    ``PUSH``: writing it acts: it sends a token or begins a command.
    ``POP``: reading it takes the oldest completion from the queue.
    """

    READ = "read"
    READ_WRITE = "read and write"
    WRITE_ONE_TO_CLEAR = "read, write 1 to clear"
    PUSH = "write (acts)"
    POP = "read (takes)"

    @property
    def readable(self) -> bool:
        """Whether reads are allowed."""
        return self is not Access.PUSH

    @property
    def writable(self) -> bool:
        """Whether writes are allowed."""
        return self in (Access.READ_WRITE, Access.WRITE_ONE_TO_CLEAR, Access.PUSH)


class View(enum.Enum):
    """Who may use a register: ``USER`` everybody, ``READ_ONLY`` users may only read it."""

    PRIVILEGED = "privileged"
    READ_ONLY = "user reads"
    USER = "user"


@dataclass(frozen=True)
class Field:
    """Bits ``low`` to ``low + width - 1`` of a register."""

    name: str
    low: int
    width: int
    documentation: str

    @property
    def mask(self) -> int:
        """The field's bits in the register."""
        return ((1 << self.width) - 1) << self.low


@dataclass(frozen=True)
class Register:
    """One 32-bit register at byte ``offset``; ``fields`` empty means one whole-word value."""

    name: str
    offset: int
    access: Access
    documentation: str
    fields: tuple[Field, ...] = ()
    view: View = View.PRIVILEGED

    def field(self, name: str) -> Field:
        """The field called ``name``.

        Raises:
            KeyError: there is none.
        """
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(f"register {self.name} has no field {name}")

    def compose(self, **values: int) -> int:
        """The register's value from its fields; fields left out are zero.

        Raises:
            KeyError: no such field. ValueError: a value does not fit its field.
        """
        word = 0
        for name, value in values.items():
            field = self.field(name)
            if not 0 <= value < 1 << field.width:
                raise ValueError(f"{self.name}.{name} is {value}; it has {field.width} bits")
            word |= value << field.low
        return word

    def extract(self, word: int) -> dict[str, int]:
        """The fields of a value read from the register."""
        return {f.name: word >> f.low & ((1 << f.width) - 1) for f in self.fields}

    @property
    def mask(self) -> int:
        """The bits that exist."""
        return sum(field.mask for field in self.fields) if self.fields else 0xFFFFFFFF


def fields(*members: tuple[str, int, str], low: int = 0) -> tuple[Field, ...]:
    """Fields packed one after the other from bit ``low`` on; an empty name leaves bits out.

    Raises:
        ValueError: they are wider than a register.
    """
    packed = []
    for name, width, documentation in members:
        if name:
            packed.append(Field(name, low, width, documentation))
        low += width
    if low > 32:
        raise ValueError(f"fields {[name for name, _, _ in members]} take {low} bits; allowed: 32")
    return tuple(packed)
