"""The C interface and its Python face, on a small block with the ports of the chip."""

import random

import pytest

from octopus.sim.chip import ActivityEvent, Chip
from octopus.sim.transport import BusError

from .probe import ACTIVITY, REFUSED, SILENT, TIMER, UNITS, WORDS


def test_registers_keep_what_was_written(probe):
    values = {4 * index: random.Random(index).getrandbits(32) for index in range(4)}
    for address, value in values.items():
        probe.write_register(address, value)
    assert {address: probe.read_register(address) for address in values} == values


def test_memory_keeps_what_was_written(probe):
    words = [random.Random(3).getrandbits(32) for _ in range(WORDS)]
    probe.write_memory(0, words)
    assert probe.read_memory(0, WORDS) == words


@pytest.mark.parametrize("start", [0, 4, 4092, 8000])
@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 600])
def test_bursts_of_any_length_and_alignment(probe, start, count):
    """Bursts are at most 256 beats and do not cross 4 KiB; neighbours stay as they are."""
    probe.write_memory(start - 4 if start else 0, [0xAAAAAAAA])
    words = [random.Random(f"{start} {count}").getrandbits(32) for _ in range(count)]
    probe.write_memory(start, words)
    assert probe.read_memory(start, count) == words
    if start:
        assert probe.read_memory(start - 4, 1) == [0xAAAAAAAA]


def test_errors_are_reported_with_the_access(probe):
    with pytest.raises(BusError, match="writing register 0x18: SLVERR"):
        probe.write_register(REFUSED, 1)
    with pytest.raises(BusError, match="reading register 0x18: SLVERR"):
        probe.read_register(REFUSED)
    with pytest.raises(BusError, match="writing 2 words at 0x00004000: DECERR"):
        probe.write_memory(4 * WORDS, [1, 2])
    with pytest.raises(BusError, match="reading 2 words at 0x00004000: DECERR"):
        probe.read_memory(4 * WORDS, 2)


def test_an_error_in_one_burst_of_many_is_not_lost(probe):
    with pytest.raises(BusError, match="DECERR"):
        probe.read_memory(4 * WORDS - 4 * 300, 400)


def test_a_silent_chip_is_reported(probe):
    with pytest.raises(BusError, match="no answer"):
        probe.read_register(SILENT)


def test_interrupt_ends_the_wait(probe):
    probe.write_register(TIMER, 1000)
    before = probe.cycles
    assert probe.wait_for_interrupt(5000)
    assert 990 <= probe.cycles - before <= 1001
    assert probe.wait_for_interrupt(0)


def test_wait_gives_up_after_the_limit(probe):
    before = probe.cycles
    assert not probe.wait_for_interrupt(123)
    assert probe.cycles - before == 123


def test_step_runs_that_many_cycles(probe):
    before = probe.cycles
    probe.step(77)
    assert probe.cycles - before == 77


def test_activity_is_recorded_when_it_changes(probe):
    probe.write_register(ACTIVITY, 5)
    probe.step(10)
    probe.write_register(ACTIVITY, 5)
    probe.step(10)
    probe.write_register(ACTIVITY, 0xFFFF_FFFF)
    events = probe.events()
    assert [(event.unit, event.activity) for event in events] == [(1, 5), (1, 0xFFFF_FFFF)]
    assert isinstance(events[0], ActivityEvent)
    assert 0 < events[0].cycle < 10
    assert events[1].cycle > events[0].cycle + 20


def test_reset_clears_time_and_events(probe):
    probe.write_register(ACTIVITY, 5)
    probe.reset()
    assert probe.cycles == 0
    assert probe.events() == []
    assert probe.read_register(ACTIVITY) == 0


def test_two_chips_of_one_library_are_independent(probe, probe_library):
    with Chip(probe_library, UNITS) as other:
        probe.write_memory(0, [1])
        other.write_memory(0, [2])
        assert (probe.read_memory(0, 1), other.read_memory(0, 1)) == ([1], [2])


def test_recording_needs_a_library_that_can(probe, tmp_path):
    with pytest.raises(ValueError, match="trace=True"):
        probe.start_trace(tmp_path / "wave.fst")
