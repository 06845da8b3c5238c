"""The host's registers: one description for RTL, driver, C header and documentation.

What they do together is in ``docs/specification.md``, section 9.
"""

from ..config import OctopusConfig
from ..layouts.space import COORDINATE_BITS
from ..layouts.token import BLOCK_BITS, INDEX_BITS, INSTANCE_BITS
from .register_map import Access, Register, View, fields

IDENTIFICATION_VALUE = 0x4F43544F
"""``OCTO`` in ASCII."""

VERSION_VALUE = 3
"""Version of this register map."""

ADDRESS_BITS = 12
"""Width of the AXI4-Lite address: 4 KiB of registers."""

USER_REGIONS = 4
"""Regions of the memory window that users may be given."""

DESTINATION_FIELDS = fields(
    ("x", COORDINATE_BITS, "Column of the cluster."),
    ("y", COORDINATE_BITS, "Row of the cluster."),
    ("block", BLOCK_BITS, "Number of the block in that cluster."),
)
TAG_FIELDS = fields(
    ("instance", INSTANCE_BITS, "Instance slot of the workflow."),
    ("index", INDEX_BITS, "Position in a map region; 0 outside."),
)
KIND_FIELDS = fields(
    ("kind", 2, "TokenKind: COMPLETE or FAULT; 0 if there is no completion."),
    ("status", 4, "Status of a fault."),
    ("block", BLOCK_BITS, "The sink's number, or the block that failed."),
)
INTERRUPT_FIELDS = fields(
    ("completion", 1, "The completion queue is not empty."),
    ("user_completion", 1, "The user's completion queue is not empty."),
    ("event", 1, "A bit of events is set."),
    ("error", 1, "A bit of errors is set."),
    ("command", 1, "A command ended; write 1 to clear (the others clear with their reason)."),
)

IDENTITY = (
    Register("identification", 0x00, Access.READ, "Always 0x4F43544F (OCTO).", view=View.USER),
    Register("version", 0x04, Access.READ, "Version of this register map.", view=View.USER),
    Register(
        "mesh",
        0x08,
        Access.READ,
        "Size of the mesh.",
        fields(("rows", 16, "Clusters north to south."), ("columns", 16, "West to east.")),
        View.USER,
    ),
    Register(
        "cluster",
        0x0C,
        Access.READ,
        "What a cluster holds.",
        fields(
            ("memory_words", 24, "Words of shared memory."),
            ("task_block_units", 8, "Task Block Units."),
        ),
        View.USER,
    ),
    Register(
        "pea",
        0x10,
        Access.READ,
        "The processing-element array of each Task Block Unit.",
        fields(
            ("rows", 8, "Rows of PEs."),
            ("columns", 8, "Columns of PEs."),
            ("context_slots", 8, "Instructions a PE holds in a context bank."),
            ("pipeline_stages", 4, "Latency of an operation in cycles."),
            ("simple_latency", 4, "Latency of an early simple operation in cycles."),
        ),
        View.USER,
    ),
    Register(
        "control_block_unit",
        0x14,
        Access.READ,
        "Tables of each Control Block Unit.",
        fields(
            ("blocks", 12, "Entries of the block table."),
            ("successors", 12, "Entries of the successor table minus one."),
            ("instances_minus_one", 8, "Instance slots minus one."),
        ),
        View.USER,
    ),
    Register(
        "scratchpad",
        0x18,
        Access.READ,
        "Words of scratchpad in each Task Block Unit.",
        view=View.USER,
    ),
    Register(
        "cycles_low", 0x20, Access.READ, "Clock cycles since reset, low half.", view=View.USER
    ),
    Register(
        "cycles_high",
        0x24,
        Access.READ,
        "High half, as of the last read of cycles_low.",
        view=View.USER,
    ),
)
"""What the chip is, and its clock."""

STATE = (
    Register(
        "interrupt_status",
        0x28,
        Access.WRITE_ONE_TO_CLEAR,
        "Why the interrupt line may be high.",
        INTERRUPT_FIELDS,
    ),
    Register(
        "interrupt_enable",
        0x2C,
        Access.READ_WRITE,
        "Which causes raise the interrupt line.",
        INTERRUPT_FIELDS,
    ),
    Register(
        "errors",
        0x30,
        Access.WRITE_ONE_TO_CLEAR,
        "Errors seen since they were cleared.",
        fields(
            ("parity", 1, "A flit with wrong parity reached the host bridge."),
            ("unreachable", 1, "A token to a cluster that does not exist was discarded."),
            ("overrun", 1, "A token was pushed without room, and refused."),
            ("refused", 1, "A token for an instance that may not start now was refused."),
            ("violation", 1, "A user's access to something privileged was refused."),
            ("window", 1, "An access through the memory window was answered with an error."),
            ("stuck", 1, "The control network gave no credit for control_network.timeout cycles."),
        ),
    ),
    Register(
        "events",
        0x34,
        Access.WRITE_ONE_TO_CLEAR,
        "A bit a ClusterEvent that some cluster gave notice of.",
    ),
    Register(
        "event_source",
        0x38,
        Access.READ,
        "The latest notice.",
        fields(
            ("x", COORDINATE_BITS, "Column of the cluster."),
            ("y", COORDINATE_BITS, "Row of the cluster."),
            ("event", 5, "The ClusterEvent."),
        ),
    ),
    Register(
        "active_instances",
        0x3C,
        Access.READ,
        "Instances that were started and have not ended.",
    ),
)
"""Interrupts, errors, events."""

COMMANDS = (
    Register(
        "command",
        0x80,
        Access.PUSH,
        "Writing begins a command. SLVERR while an ABORT is under way, or if there is no such "
        "operation.",
        fields(
            ("operation", 4, "HostOperation: ABORT, DRAIN or ADMIT."),
            ("", 4, ""),
            ("first", INSTANCE_BITS, "First instance slot it is about."),
            ("last", INSTANCE_BITS, "Last instance slot it is about."),
        ),
    ),
    Register(
        "command_status",
        0x84,
        Access.READ,
        "Of the latest command.",
        fields(
            ("busy", 1, "It is under way."),
            ("failed", 1, "A cluster answered with an error."),
            ("timed_out", 1, "It was given up after command_limit cycles."),
        ),
    ),
    Register(
        "command_limit",
        0x88,
        Access.READ_WRITE,
        "Cycles after which a command is given up; 0: never.",
    ),
)
"""Start is a token; these are the other commands to instances."""


PARITY_COUNTS = Register(
    "parity_counts",
    0xA0,
    Access.READ,
    "Flits with wrong parity that reached the host bridge, modulo 2^16.",
    fields(("control", 16, "Of the control network."), ("data", 16, "Of the data network.")),
)


def _queue(prefix: str, base: int, view: View, of: str) -> tuple[Register, ...]:
    """Registers of one pair of token queue and completion queue."""
    place = Register(
        f"{prefix}token_destination",
        base,
        Access.READ_WRITE,
        f"Where the next token{of} goes.",
        DESTINATION_FIELDS,
        View.READ_ONLY if view is View.USER else view,
    )
    return (
        place,
        Register(
            f"{prefix}token_tag",
            base + 0x04,
            Access.READ_WRITE,
            f"Tag of the next token{of}.",
            TAG_FIELDS,
            view,
        ),
        Register(
            f"{prefix}token_value",
            base + 0x08,
            Access.PUSH,
            f"Value of the next token{of}; writing sends it. SLVERR and no token if there is no "
            "room or the instance may not start.",
            view=view,
        ),
        Register(
            f"{prefix}token_room",
            base + 0x0C,
            Access.READ,
            "Tokens that can be sent at once without waiting.",
            view=view,
        ),
        Register(
            f"{prefix}completion_count",
            base + 0x20,
            Access.READ,
            f"Tokens in the completion queue{of}.",
            view=view,
        ),
        Register(
            f"{prefix}completion_kind",
            base + 0x24,
            Access.READ,
            f"Of the oldest completion{of}; zero if there is none.",
            KIND_FIELDS,
            view,
        ),
        Register(
            f"{prefix}completion_tag",
            base + 0x28,
            Access.READ,
            f"Of the oldest completion{of}; zero if there is none.",
            TAG_FIELDS,
            view,
        ),
        Register(
            f"{prefix}completion_value",
            base + 0x2C,
            Access.POP,
            f"Value of the oldest completion{of}; reading removes it. SLVERR if there is none.",
            view=view,
        ),
    )


def _region(index: int) -> tuple[Register, ...]:
    """Registers of one region that users may reach."""
    base = 0x100 + 8 * index
    word = "in words: global byte address / 4."
    return (
        Register(
            f"user_region_{index}_first",
            base,
            Access.READ_WRITE,
            f"Begin of region {index}, and what users may do there.",
            fields(
                ("read", 1, "Users may read."),
                ("write", 1, "Users may write."),
                ("word", 30, f"First word, {word}"),
            ),
        ),
        Register(
            f"user_region_{index}_last",
            base + 4,
            Access.READ_WRITE,
            f"End of region {index}.",
            fields(("word", 30, f"Last word, {word}"), low=2),
        ),
    )


USER_VIEW = Register(
    "user_view",
    0xC0,
    Access.READ_WRITE,
    "What users may do.",
    fields(
        ("enforce", 1, "Accesses with AxPROT[0] = 0 are a user's; 0: every access is privileged."),
        ("", 7, ""),
        ("first", INSTANCE_BITS, "First of the user's instance slots."),
        ("last", INSTANCE_BITS, "Last of the user's instance slots."),
    ),
)

QUEUES = {"": 0x40, "user_": 0x240}
"""Prefix and base of the registers of both pairs of queues."""

REGISTERS = (
    *IDENTITY,
    *STATE,
    *_queue("", QUEUES[""], View.PRIVILEGED, ""),
    *COMMANDS,
    PARITY_COUNTS,
    USER_VIEW,
    *(register for index in range(USER_REGIONS) for register in _region(index)),
    *_queue("user_", QUEUES["user_"], View.USER, " of the user"),
)
"""Every register, in order of address."""

BY_NAME = {register.name: register for register in REGISTERS}


def constants(config: OctopusConfig) -> dict[str, int]:
    """Values of the registers that only say how the chip is built."""
    unit = config.control_block_unit
    return {
        "identification": IDENTIFICATION_VALUE,
        "version": VERSION_VALUE,
        "mesh": BY_NAME["mesh"].compose(rows=config.mesh.rows, columns=config.mesh.columns),
        "cluster": BY_NAME["cluster"].compose(
            memory_words=config.cluster.memory_words,
            task_block_units=config.cluster.task_block_units,
        ),
        "pea": BY_NAME["pea"].compose(
            rows=config.pea.rows,
            columns=config.pea.columns,
            context_slots=config.pea.context_slots,
            pipeline_stages=config.pea.pipeline_stages,
            simple_latency=config.pea.simple_latency,
        ),
        "control_block_unit": BY_NAME["control_block_unit"].compose(
            blocks=unit.blocks,
            successors=unit.successors - 1,
            instances_minus_one=unit.instances - 1,
        ),
        "scratchpad": config.task_block_unit.scratchpad_words,
    }
