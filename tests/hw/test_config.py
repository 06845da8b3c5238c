"""Configuration: presets, and every kind of invalid value with its one-line message."""

import tomllib
from importlib import resources
from typing import Any

import pytest

from octopus.hw.config import PRESETS, ConfigurationError, OctopusConfig
from octopus.hw.layouts.instruction import Operation
from octopus.hw.layouts.operations import OPERATION_SETS

TINY = tomllib.loads(resources.files("octopus.hw.presets").joinpath("tiny.toml").read_text())

RANGES = {
    "mesh.rows": (1, 32),
    "mesh.columns": (1, 32),
    "cluster.task_block_units": (1, 8),
    "cluster.memory_words": (1024, 1 << 19),
    "cluster.memory_banks": (1, 32),
    "cluster.burst_words": (4, 64),
    "cluster.regions": (1, 32),
    "task_block_unit.descriptor_queue_depth": (1, 16),
    "task_block_unit.descriptor_words": (64, 1024),
    "task_block_unit.scratchpad_words": (256, 1 << 17),
    "task_block_unit.scratchpad_banks": (1, 64),
    "task_block_unit.stream_fifo_depth": (2, 16),
    "pea.rows": (1, 16),
    "pea.columns": (1, 16),
    "pea.context_slots": (4, 64),
    "pea.context_banks": (2, 8),
    "pea.registers": (1, 16),
    "pea.stages": (1, 8),
    "pea.pipeline_stages": (1, 6),
    "control_block_unit.blocks": (8, 1024),
    "control_block_unit.successors": (8, 4096),
    "control_block_unit.instances": (1, 256),
    "control_block_unit.queue_depth": (2, 64),
    "control_network.virtual_channels": (1, 8),
    "control_network.buffer_depth": (1, 32),
    "control_network.link_latency": (1, 8),
    "data_network.virtual_channels": (2, 8),
    "data_network.buffer_depth": (1, 32),
    "data_network.link_latency": (1, 8),
    "host.completion_queue_depth": (4, 1024),
}
"""Least and greatest value of every number."""

POWERS_OF_TWO = (
    "cluster.memory_words",
    "cluster.memory_banks",
    "cluster.burst_words",
    "task_block_unit.descriptor_words",
    "task_block_unit.scratchpad_words",
    "task_block_unit.scratchpad_banks",
    "pea.context_slots",
    "pea.context_banks",
    "pea.registers",
    "control_block_unit.blocks",
    "control_block_unit.successors",
    "control_block_unit.instances",
    "host.completion_queue_depth",
)

CHOICES = {
    "pea.operations": ("all", "ai", "general", "alu"),
    "control_network.routing": ("dimension_ordered", "west_first", "odd_even"),
    "data_network.routing": ("dimension_ordered", "west_first", "odd_even"),
}


def toml_of(tables: dict[str, Any]) -> str:
    """TOML text of two levels of tables."""
    lines = [f'name = "{tables["name"]}"'] if "name" in tables else []
    for section, members in tables.items():
        if section != "name":
            lines.append(f"[{section}]")
            lines += [
                f"{key} = {value!r}".replace("True", "true") for key, value in members.items()
            ]
    return "\n".join(lines)


def with_value(field: str, value: Any) -> str:
    """The tiny preset's text with one field changed."""
    section, name = field.split(".")
    return toml_of({**TINY, section: {**TINY[section], name: value}})


def message_for(text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        OctopusConfig.from_toml(text, "file.toml")
    message = str(caught.value)
    assert message.startswith("file.toml: ")
    assert "\n" not in message
    return message


def test_the_table_above_lists_every_field():
    fields = {f"{s}.{key}" for s, members in TINY.items() if s != "name" for key in members}
    assert fields == set(RANGES) | set(CHOICES)


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_load(preset):
    config = OctopusConfig.load(preset)
    assert config.name == preset


def test_sizes_of_the_presets():
    sizes = {name: OctopusConfig.load(name).processing_elements for name in PRESETS}
    assert (sizes["tiny"], sizes["default"], sizes["scale"]) == (4, 256, 4096)
    assert OctopusConfig.load("default").task_block_units == 16


@pytest.mark.parametrize("field", RANGES)
def test_the_limits_are_allowed(field):
    for value in RANGES[field]:
        OctopusConfig.from_toml(with_value(field, value))


@pytest.mark.parametrize("field", RANGES)
@pytest.mark.parametrize("side", ["below", "above"])
def test_out_of_range_names_field_value_and_allowed(field, side):
    low, high = RANGES[field]
    value = low - 1 if side == "below" else high + 1
    message = message_for(with_value(field, value))
    assert field in message
    assert f" {value}" in message
    assert "allowed: " in message
    assert f"{low} to {high}" in message


@pytest.mark.parametrize("field", POWERS_OF_TWO)
def test_not_a_power_of_two(field):
    low, high = RANGES[field]
    value = high - 1
    message = message_for(with_value(field, value))
    assert f"{field} is {value}; allowed: powers of two from {low} to {high}" in message


@pytest.mark.parametrize("field", RANGES)
@pytest.mark.parametrize("value", [2.5, "4", True])
def test_not_an_integer(field, value):
    low, high = RANGES[field]
    message = message_for(with_value(field, value))
    assert f"{field} is {value!r}; allowed: " in message
    assert f"{low} to {high}" in message


@pytest.mark.parametrize("field", CHOICES)
def test_unknown_choice(field):
    message = message_for(with_value(field, "fastest"))
    assert f"{field} is 'fastest'; allowed: " in message
    for choice in CHOICES[field]:
        assert repr(choice) in message


@pytest.mark.parametrize("field", [*RANGES, *CHOICES])
def test_missing_field(field):
    section, name = field.split(".")
    members = {key: value for key, value in TINY[section].items() if key != name}
    assert f"{field} is missing" in message_for(toml_of({**TINY, section: members}))


@pytest.mark.parametrize("section", [key for key in TINY if key != "name"])
def test_missing_section(section):
    rest = {key: value for key, value in TINY.items() if key != section}
    assert f"{section} is missing" in message_for(toml_of(rest))


@pytest.mark.parametrize("section", [key for key in TINY if key != "name"])
def test_unknown_field(section):
    members = {**TINY[section], "colour": 3}
    message = message_for(toml_of({**TINY, section: members}))
    assert f"{section}.colour is not a known field" in message


def test_unknown_section():
    assert "paint is not a known field" in message_for(toml_of({**TINY, "paint": {"colour": 3}}))


@pytest.mark.parametrize("name", ["", "Big", "3d", "a-b", "a b", "a" * 49])
def test_name_that_is_no_name(name):
    message = message_for(toml_of({**TINY, "name": name}))
    assert f"name is {name!r}; allowed: " in message


def operations(text: str) -> str:
    """The tiny preset's text with another value of ``pea.operations``."""
    return toml_of(TINY).replace("operations = 'all'", f"operations = {text}")


def test_a_pattern_of_operations_repeats_over_the_array():
    text = operations('[["all", "ai"], ["mul+add", "alu"]]').replace("rows = 2", "rows = 3")
    pea = OctopusConfig.from_toml(text.replace("columns = 2", "columns = 3")).pea
    kinds = [[pea.operation_set(row, column) for column in range(3)] for row in range(3)]
    assert kinds == [["all", "ai", "all"], ["add+mul", "alu", "add+mul"], ["all", "ai", "all"]]
    assert pea.operation_sets == ("all", "ai", "add+mul", "alu")
    assert pea.operations_at(1, 2) == {Operation.NOP, Operation.ADD, Operation.MUL}
    assert pea.operations_at(2, 1) == OPERATION_SETS["ai"]


def test_an_operation_set_has_one_spelling():
    every = " + ".join(operation.name.lower() for operation in Operation).replace(" ", "")
    for text, spelling in ((every, "all"), ("alu+ai+general", "all"), ("mul+nop+add", "add+mul")):
        assert OctopusConfig.from_toml(operations(f'"{text}"')).pea.operations == spelling


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ('"mul+fast"', "'all', 'ai'"),
        ('"MUL"', "operations in lower case"),
        ('""', "'all', 'ai'"),
        ("[]", "a list of equally long rows"),
        ("[[]]", "a list of equally long rows"),
        ('[["all"], ["ai", "all"]]', "a list of equally long rows"),
        ('["all"]', "a list of equally long rows"),
        ('[["all", 3]]', "'all', 'ai'"),
        ('[["all", "all", "ai"]]', "a pattern of at most the array's 2 columns"),
        ('[["all"], ["all"], ["ai"]]', "a pattern of at most the array's 2 rows"),
    ],
)
def test_operations_that_are_none(text, allowed):
    message = message_for(operations(text))
    assert "pea.operations is " in message
    assert allowed in message


def test_not_toml():
    assert "not valid TOML" in message_for("rows = = 3")


def test_a_file_is_loaded(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(toml_of({**TINY, "name": "mine"}))
    assert OctopusConfig.load(path).name == "mine"


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read(tmp_path, content):
    path = tmp_path / "missing.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        OctopusConfig.load(path)
    message = str(caught.value)
    assert "missing.toml" in message
    assert "allowed: a TOML file or one of the presets tiny, ulx3s, default, scale" in message
    assert "\n" not in message


def test_configurations_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        OctopusConfig.load("tiny").mesh.rows = 4


def test_buffers_are_sized_for_the_longest_link():
    tables = {**TINY, "mesh": {"rows": 1, "columns": 4, "chiplet_columns": 2}}
    tables["data_network"] = {**TINY["data_network"], "buffer_depth": 4, "crossing_latency": 6}
    config = OctopusConfig.from_toml(toml_of(tables))
    assert config.buffer_depth("data") == 14
    assert config.buffer_depth("control") == TINY["control_network"]["buffer_depth"]
    assert config.link_latency("data").between((1, 0), (2, 0)) == 6
    assert config.link_latency("data").between((2, 0), (3, 0)) == 1
    tables["data_network"] |= {"buffer_depth": 23}
    assert message_for(toml_of(tables)) == (
        "file.toml: data_network.buffer_depth is 23; allowed with links of 6 cycles: 1 to 22"
    )


def test_simple_operations_take_no_longer_than_others():
    assert OctopusConfig.load("ulx3s").pea.simple_latency == 6
    default = OctopusConfig.load("default").pea
    assert (default.simple_latency, default.latency(Operation.ADD)) == (1, 1)
    assert default.latency(Operation.MUL) == default.pipeline_stages == 2
    for value, allowed in ((0, "1 to 6"), (7, "1 to 6"), (3, "at most pipeline_stages")):
        message = message_for(with_value("pea.simple_latency", value))
        assert f"pea.simple_latency is {value}; allowed: {allowed}" in message
