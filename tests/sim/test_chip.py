"""The C interface and its Python face, on a small block with the ports of the chip."""

import random

import pytest

from octopus.sim.build import ENGINES, Features, build_library
from octopus.sim.chip import ActivityEvent, Chip, WaitEnd
from octopus.sim.toolchain import ToolchainError
from octopus.sim.transport import BusError

from .probe import ACTIVITY, CLUSTERS, LINKS, REFUSED, SILENT, TIMER, UNITS, WORDS, Probe


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
    with Chip(probe_library, UNITS, CLUSTERS) as other:
        probe.write_memory(0, [1])
        other.write_memory(0, [2])
        assert (probe.read_memory(0, 1), other.read_memory(0, 1)) == ([1], [2])


def test_recording_needs_a_library_that_can(probe, tmp_path):
    with pytest.raises(ValueError, match="trace=True"):
        probe.start_trace(tmp_path / "wave.fst")


def test_events_and_interrupts_end_a_wait(probe):
    probe.write_register(TIMER, 300)
    before = probe.cycles
    assert probe.wait_for_event(100) is WaitEnd.LIMIT
    assert probe.cycles == before + 100
    assert probe.wait_for_event(1000) is WaitEnd.INTERRUPT
    assert probe.cycles <= before + 301
    probe.write_register(TIMER, 1000)
    probe.write_register(ACTIVITY, 9)
    assert probe.wait_for_event(10) in (WaitEnd.EVENT, WaitEnd.LIMIT)
    assert probe.events()[-1].activity == 9


def test_flits_are_counted_a_link(probe):
    probe.write_register(LINKS, 0b10000001)
    probe.step(50)
    probe.write_register(LINKS, 0b00000010)
    probe.step(20)
    idle, busy = probe.link_flits()
    assert idle == [0] * 8
    assert busy[0] == busy[7] >= 50
    assert busy[1] >= 20
    assert busy[2:7] == [0] * 5
    probe.reset()
    assert probe.link_flits() == [[0] * 8] * 2


def test_a_plain_library_cannot_save(tmp_path):
    with Chip(build_library(Probe(), {}, Features(engine="plain")), UNITS, CLUSTERS) as probe:
        with pytest.raises(ValueError, match="savable=True"):
            probe.save(tmp_path / "state")
        with pytest.raises(ValueError, match="cannot restore"):
            probe.restore(tmp_path / "state")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_restored_chip_goes_on_as_the_saved_one(tmp_path, engine):
    library = build_library(Probe(), {}, Features(savable=True, engine=engine))
    words = [random.Random(5).getrandbits(32) for _ in range(WORDS)]
    with Chip(library, UNITS, CLUSTERS) as chip, Chip(library, UNITS, CLUSTERS) as other:
        chip.write_memory(0, words)
        chip.write_register(ACTIVITY, 7)
        chip.write_register(TIMER, 500)
        chip.step(100)
        chip.save(tmp_path / "state")
        saved = chip.cycles
        other.write_memory(0, [1, 2, 3])
        other.restore(tmp_path / "state")
        for resumed in (chip, other):
            assert resumed.cycles == saved
            assert resumed.wait_for_interrupt(1000)
        assert other.cycles == chip.cycles
        assert other.read_memory(0, WORDS) == words
        assert other.events() == chip.events()
        # The same chip, back in time.
        chip.restore(tmp_path / "state")
        assert chip.cycles == saved
        with pytest.raises(ValueError, match="cannot restore"):
            chip.restore(tmp_path / "missing")


def test_only_the_window_of_cycles_is_recorded(tmp_path):
    pywellen = pytest.importorskip("pywellen")
    try:
        library = build_library(Probe(), {}, Features(trace=True))
    except ToolchainError as error:
        pytest.skip(str(error))
    with Chip(library, UNITS, CLUSTERS) as chip:
        with pytest.raises(ValueError, match="first is 5, end is 5"):
            chip.start_trace(tmp_path / "w.fst", 5, 5)
        chip.start_trace(tmp_path / "w.fst", 50, 80)
        chip.step(40)
        chip.write_register(ACTIVITY, 3)
        chip.step(60)
        chip.stop_trace()
    waveform = pywellen.Waveform(str(tmp_path / "w.fst"))
    times = [time for time, _ in waveform["TOP.clk"].tv]
    assert min(times) >= 500
    assert max(times) < 800
    assert len(times) >= 59
