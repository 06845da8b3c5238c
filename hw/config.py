"""The configuration that sizes the whole chip, read from TOML and validated."""

import tomllib
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from .layouts.features import FEATURE_SETS, Features, features_of
from .layouts.instruction import SIMPLE_OPERATIONS, Operation
from .layouts.memory import LENGTH_BITS
from .layouts.operations import ALLOWED_WORDS, canonical, operations_of
from .noc.link import MAXIMUM_BUFFER_DEPTH
from .noc.link_pipeline import MAXIMUM_LINK_LATENCY, LinkLatency

NETWORKS = ("control", "data")
MAXIMUM_CHARACTERS = 1_000_000
"""Of a file: whatever is longer is no configuration."""
MAXIMUM_NAME = 48
"""Characters of a configuration's name: it is part of names of modules and files."""

PRESETS = ("tiny", "ulx3s", "default", "scale")

ABOVE_ANOTHER = "above_another"
"""The type of an error in which a field's limit is another field."""


class ConfigurationError(ValueError):
    """A configuration is invalid; the message names field, value and what is allowed."""


def _power_of_two(value: int) -> int:
    if value & (value - 1):
        raise ValueError("a power of two")
    return value


def _count(low: int, high: int) -> object:
    return Annotated[int, Field(ge=low, le=high, strict=True)]


def _size(low: int, high: int) -> object:
    return Annotated[int, Field(ge=low, le=high, strict=True), AfterValidator(_power_of_two)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MeshConfig(_Section):
    """Clusters in the 2D mesh, and those of one chiplet (or reticle): links between chiplets take
    ``crossing_latency`` cycles, others ``link_latency``."""

    rows: _count(1, 32)  # type: ignore[valid-type]
    columns: _count(1, 32)  # type: ignore[valid-type]
    chiplet_rows: _count(1, 32) = 32  # type: ignore[valid-type]
    chiplet_columns: _count(1, 32) = 32  # type: ignore[valid-type]


class ClusterConfig(_Section):
    """One cluster: its TBUs and its shared memory."""

    task_block_units: _count(1, 8)  # type: ignore[valid-type]
    memory_words: _size(1024, 1 << 19)  # type: ignore[valid-type]
    memory_banks: _size(1, 32)  # type: ignore[valid-type]
    burst_words: _size(4, 1 << LENGTH_BITS)  # type: ignore[valid-type]
    regions: _count(1, 32)  # type: ignore[valid-type]


class TaskBlockUnitConfig(_Section):
    """One Task Block Unit beside its array."""

    descriptor_queue_depth: _count(1, 16)  # type: ignore[valid-type]
    descriptor_words: _size(64, 1024)  # type: ignore[valid-type]
    scratchpad_words: _size(256, 1 << 17)  # type: ignore[valid-type]
    scratchpad_banks: _size(1, 64)  # type: ignore[valid-type]
    stream_fifo_depth: _count(2, 16)  # type: ignore[valid-type]


Pattern = str | tuple[tuple[str, ...], ...]
"""One set for every PE, or rows of sets: a pattern repeated over the array."""


def _pattern(value: Any, spell: Callable[[str], str], allowed: str) -> Pattern:
    """A pattern of sets in the spelling that ``spell`` gives them."""
    if isinstance(value, str):
        return spell(value)
    lines = value if isinstance(value, list | tuple) else ()
    shaped = all(isinstance(line, list | tuple) and line for line in lines)
    if not (lines and shaped and len({len(line) for line in lines}) == 1):
        raise ValueError(f"{allowed}; or a rectangle of them: a list of equally long rows")
    if not all(isinstance(name, str) for line in lines for name in line):
        raise ValueError(allowed)
    return tuple(tuple(spell(name) for name in line) for line in lines)


def _operation_pattern(value: Any) -> Pattern:
    return _pattern(value, canonical, ALLOWED_WORDS)


def _known_features(name: str) -> str:
    features_of(name)
    return name


def _feature_pattern(value: Any) -> Pattern:
    return _pattern(value, _known_features, ", ".join(repr(name) for name in FEATURE_SETS))


def _at(pattern: Pattern, row: int, column: int) -> str:
    """The set that a pattern gives PE (row, column)."""
    if isinstance(pattern, str):
        return pattern
    line = pattern[row % len(pattern)]
    return line[column % len(line)]


class PeaConfig(_Section):
    """The processing-element array.

    ``operations`` is one operation set for every PE (see ``hw/layouts/operations.py``) or a list of
    rows of sets, which is repeated over the array: ``[["all", "ai"]]`` gives columns of both kinds.
    ``features`` likewise names feature sets (see ``hw/layouts/features.py``).

    ``pipeline_stages`` is the latency of an operation; ``simple_latency``, at most as much, that
    of a simple one (``SIMPLE_OPERATIONS``) whose instruction has ``early`` set.
    """

    rows: _count(1, 16)  # type: ignore[valid-type]
    columns: _count(1, 16)  # type: ignore[valid-type]
    context_slots: _size(4, 64)  # type: ignore[valid-type]
    context_banks: _size(2, 8)  # type: ignore[valid-type]
    registers: _size(1, 16)  # type: ignore[valid-type]
    stages: _count(1, 8)  # type: ignore[valid-type]
    pipeline_stages: _count(1, 6)  # type: ignore[valid-type]
    simple_latency: _count(1, 6) = 1  # type: ignore[valid-type]
    operations: Annotated[Pattern, BeforeValidator(_operation_pattern)]
    features: Annotated[Pattern, BeforeValidator(_feature_pattern)] = "full"

    @field_validator("simple_latency")
    @classmethod
    def _not_above_pipeline(cls, value: int, info: ValidationInfo) -> int:
        stages = info.data.get("pipeline_stages", value)
        if value > stages:
            raise PydanticCustomError(
                ABOVE_ANOTHER, "at most pipeline_stages, which is {stages}", {"stages": stages}
            )
        return value

    @field_validator("operations", "features")
    @classmethod
    def _pattern_fits(cls, value: Pattern, info: ValidationInfo) -> Pattern:
        if not isinstance(value, str):
            for what, size in (("rows", len(value)), ("columns", len(value[0]))):
                if size > info.data.get(what, size):
                    raise ValueError(f"a pattern of at most the array's {info.data[what]} {what}")
        return value

    @property
    def has_early(self) -> bool:
        """Whether ``early`` makes a difference: simple operations are faster than the others."""
        return self.simple_latency < self.pipeline_stages

    def latency(self, operation: Operation) -> int:
        """Cycles from an operation's issue to the first in which its result can be used, with
        ``early`` set."""
        simple = self.has_early and operation in SIMPLE_OPERATIONS
        return self.simple_latency if simple else self.pipeline_stages

    def operation_set(self, row: int, column: int) -> str:
        """The operation set of PE (row, column), in its one spelling."""
        return canonical(_at(self.operations, row, column))

    def operations_at(self, row: int, column: int) -> frozenset[Operation]:
        """The operations that PE (row, column) has; NOP is always among them."""
        return operations_of(self.operation_set(row, column))

    def feature_set(self, row: int, column: int) -> str:
        """The name of the feature set of PE (row, column)."""
        return _at(self.features, row, column)

    def features_at(self, row: int, column: int) -> Features:
        """What PE (row, column) has beside its operations."""
        return features_of(self.feature_set(row, column))

    @property
    def operation_sets(self) -> tuple[str, ...]:
        """The distinct operation sets of the array, in the order of the PEs (row-major)."""
        return tuple(dict.fromkeys(operations for operations, _ in self.kinds))

    @property
    def kinds(self) -> tuple[tuple[str, str], ...]:
        """The distinct pairs of operation set and feature set, in the order of the PEs."""
        places = ((row, column) for row in range(self.rows) for column in range(self.columns))
        return tuple(
            dict.fromkeys(
                (self.operation_set(*place), self.feature_set(*place)) for place in places
            )
        )


class ControlBlockUnitConfig(_Section):
    """The Control Block Unit's tables."""

    blocks: _size(8, 1024)  # type: ignore[valid-type]
    successors: _size(8, 4096)  # type: ignore[valid-type]
    instances: _size(1, 256)  # type: ignore[valid-type]
    queue_depth: _count(2, 64)  # type: ignore[valid-type]


class NetworkConfig(_Section):
    """One of the two networks.

    ``buffer_depth`` is that for links of one cycle; :meth:`OctopusConfig.buffer_depth` that of the
    chip's routers, all of them ready for the longest link. ``timeout``: cycles after which the
    network counts as dead: that a remote access takes (it is answered with an error), or a credit
    of the control network's (it is reported, at the latest after twice as many).
    """

    virtual_channels: _count(1, 8)  # type: ignore[valid-type]
    buffer_depth: _count(1, MAXIMUM_BUFFER_DEPTH)  # type: ignore[valid-type]
    link_latency: _count(1, 8)  # type: ignore[valid-type]
    crossing_latency: _count(1, MAXIMUM_LINK_LATENCY) = 1  # type: ignore[valid-type]
    routing: Literal["dimension_ordered", "west_first", "odd_even"]
    timeout: _count(16, 1 << 20) = 65536  # type: ignore[valid-type]


class DataNetworkConfig(NetworkConfig):
    """The data network, where requests and responses need a channel each."""

    virtual_channels: _count(2, 8)  # type: ignore[valid-type]


class HostConfig(_Section):
    """The host bridge."""

    completion_queue_depth: _size(4, 1024)  # type: ignore[valid-type]


class OctopusConfig(_Section):
    """Everything that sizes a chip. All members are validated on construction."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=MAXIMUM_NAME)]
    mesh: MeshConfig
    cluster: ClusterConfig
    task_block_unit: TaskBlockUnitConfig
    pea: PeaConfig
    control_block_unit: ControlBlockUnitConfig
    control_network: NetworkConfig
    data_network: DataNetworkConfig
    host: HostConfig

    @model_validator(mode="after")
    def _buffers_can_cover_the_links(self) -> Self:
        for network in NETWORKS:
            try:
                self.buffer_depth(network)
            except ValueError as error:
                raise ValueError(f"{network}_network.{error}") from None
        return self

    def link_latency(self, network: str) -> LinkLatency:
        """Where the links of ``network`` (of ``NETWORKS``) take how long."""
        section: NetworkConfig = getattr(self, f"{network}_network")
        return LinkLatency(
            section.link_latency,
            section.crossing_latency,
            self.mesh.chiplet_columns,
            self.mesh.chiplet_rows,
        )

    def buffer_depth(self, network: str) -> int:
        """Places a channel's buffer has in ``network``: enough behind its longest link."""
        section: NetworkConfig = getattr(self, f"{network}_network")
        return self.link_latency(network).buffer_depth(
            section.buffer_depth, self.mesh.columns, self.mesh.rows
        )

    @property
    def clusters(self) -> int:
        """Number of clusters on the chip."""
        return self.mesh.rows * self.mesh.columns

    @property
    def task_block_units(self) -> int:
        """Number of TBUs on the chip."""
        return self.clusters * self.cluster.task_block_units

    @property
    def processing_elements(self) -> int:
        """Number of PEs on the chip."""
        return self.task_block_units * self.pea.rows * self.pea.columns

    @classmethod
    def from_toml(cls, text: str, origin: str = "configuration") -> Self:
        """Parse and validate TOML text; ``origin`` names it in errors.

        Raises:
            ConfigurationError: not TOML, or a field is unknown, missing or out of range.
        """
        try:
            return cls.model_validate(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(f"{origin}: not valid TOML: {error}") from None
        except RecursionError:
            raise ConfigurationError(f"{origin}: values are nested too deeply") from None
        except ValidationError as error:
            raise ConfigurationError(f"{origin}: {_describe(error)}") from None

    @classmethod
    def load(cls, source: str | Path) -> Self:
        """A preset by name, or the TOML file at a path.

        Raises:
            ConfigurationError: no such preset or file, or its content is invalid.
        """
        if str(source) in PRESETS:
            text = (
                resources.files("octopus.hw.presets")
                .joinpath(f"{source}.toml")
                .read_text(encoding="utf-8")
            )
            return cls.from_toml(text, f"preset {source}")
        path = Path(source)
        try:
            with path.open(encoding="utf-8") as file:
                text = file.read(MAXIMUM_CHARACTERS + 1)
            if len(text) > MAXIMUM_CHARACTERS:
                raise ConfigurationError(
                    f"{path}: more than {MAXIMUM_CHARACTERS:,} characters: no configuration"
                )
            return cls.from_toml(text, str(path))
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not a text file"
            raise ConfigurationError(
                f"config is {str(source)!r}: {reason}; allowed: a TOML file or one of the "
                f"presets {', '.join(PRESETS)}"
            ) from None


def _describe(error: ValidationError) -> str:
    """One line for a validation error: the first field at fault, its value, what is allowed."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if first["type"] == "missing":
        return f"{field} is missing"
    if first["type"] == "extra_forbidden":
        return f"{field} is not a known field"
    if not field:
        return message
    allowed = message if first["type"] == ABOVE_ANOTHER else _range(field) or message
    return f"{field} is {first['input']!r}; allowed: {allowed}"


def _range(field: str) -> str | None:
    """The allowed values of ``section.field``, from its own constraints."""
    section, _, name = field.partition(".")
    section_type = OctopusConfig.model_fields[section].annotation
    if not name or not isinstance(section_type, type) or not issubclass(section_type, BaseModel):
        return None
    metadata = section_type.model_fields[name].metadata
    low = next((item.ge for item in metadata if hasattr(item, "ge")), None)
    high = next((item.le for item in metadata if hasattr(item, "le")), None)
    if low is None or high is None:
        return None
    powers = any(getattr(item, "func", None) is _power_of_two for item in metadata)
    return f"{'powers of two from ' if powers else ''}{low} to {high}"
