"""The engine that evaluates a chip in parts, against the same Verilog in one piece."""

import random

import pytest

from octopus.hw.config import OctopusConfig
from octopus.hw.layouts.space import address_of
from octopus.sched.lowering import lower
from octopus.sched.policies import find_policy
from octopus.sched.runtime import Runtime
from octopus.sched.workloads import find_workload
from octopus.sim.build import Features, build_library
from octopus.sim.chip import Chip
from octopus.sim.driver import ChipDriver
from octopus.sim.engine.shell import ShellError, shell_text
from octopus.sim.toolchain import ToolchainError

from .altered_chip import two_clusters
from .probe import ACTIVITY, CLUSTERS, LINKS, TIMER, UNITS, Probe
from .tangle import CUTS, Tangle


@pytest.fixture(scope="module")
def libraries():
    """The tangle in parts and in one piece."""
    parts = build_library(Tangle(), {}, cuts=CUTS)
    return parts, build_library(Tangle(), {}, Features(engine="plain", optimised=False))


def _play(chip: Chip, seed: int, steps: int) -> list[object]:
    """Write, step, wait and read at random; all that was seen."""
    choice = random.Random(seed)
    seen: list[object] = []
    for _ in range(steps):
        match choice.randrange(7):
            case 0:
                chip.write_register(ACTIVITY, choice.getrandbits(32))
            case 1:
                chip.write_register(LINKS, choice.getrandbits(8))
            case 2:
                chip.step(choice.choice([1, 2, 3, 50]))
            case 3:
                seen.append(chip.wait_for_event(choice.randrange(40)))
            case 4:
                chip.write_register(TIMER, choice.randrange(1, 100))
                seen.append(chip.wait_for_interrupt(200))
            case 5:
                address = 4 * choice.randrange(1000)
                chip.write_memory(address, [choice.getrandbits(32) for _ in range(5)])
            case 6:
                seen.append(chip.read_memory(4 * choice.randrange(1000), 7))
        seen.append((chip.cycles, chip.read_register(0x10)))
    return seen


def _all(chip: Chip) -> tuple[object, ...]:
    return chip.cycles, chip.events(), chip.link_flits(), chip.read_memory(0, 1100)


@pytest.mark.parametrize("seed", range(6))
def test_every_event_keeps_its_cycle(libraries, seed):
    parts, whole = libraries
    with Chip(parts, UNITS, CLUSTERS) as chip, Chip(whole, UNITS, CLUSTERS) as reference:
        assert _play(chip, seed, 150) == _play(reference, seed, 150)
        assert _all(chip) == _all(reference)
        assert len(chip.events()) > 100
        for other in (chip, reference):  # memories keep their content
            other.reset()
        assert _play(chip, seed, 20) == _play(reference, seed, 20)
        assert _all(chip) == _all(reference)


def _tour(chip: Chip, config: OctopusConfig) -> tuple[object, ...]:
    """What a chip shows of some instances of a workload, and its memories afterwards."""
    workload = find_workload("control_tour")(config)
    place = find_policy("indiscriminate").place(workload.workflow, config)
    runtime = Runtime(ChipDriver(chip), lower(workload.workflow, place, config))
    runtime.load()
    report = runtime.run(workload.instances(3, 1))
    window = [chip.read_memory(address_of(x, 0, 0), config.cluster.memory_words) for x in range(2)]
    return repr(report.outcomes), chip.cycles, chip.recorded().tolist(), chip.link_flits(), window


def test_threads_change_nothing():
    config = two_clusters()
    seen = []
    for threads in (1, 2, 5):
        with Chip.build(config, threads=threads) as chip:
            seen.append(_tour(chip, config))
    assert seen[0] == seen[1] == seen[2]


def test_a_saved_state_goes_on_elsewhere(libraries, tmp_path):
    parts, _ = libraries
    with Chip(parts, UNITS, CLUSTERS) as chip, Chip(parts, UNITS, CLUSTERS) as other:
        _play(chip, 1, 60)
        chip.save(tmp_path / "state")
        _play(other, 2, 80)
        other.restore(tmp_path / "state")
        assert _all(chip) == _all(other)
        assert _play(chip, 3, 60) == _play(other, 3, 60)
        assert _all(chip) == _all(other)


def test_a_file_that_is_not_whole_or_of_another_chip_changes_nothing(libraries, tmp_path):
    parts, _ = libraries
    with Chip(parts, UNITS, CLUSTERS) as chip:
        chip.save(tmp_path / "state")
        data = (tmp_path / "state").read_bytes()
        _play(chip, 4, 50)
        before = chip.cycles, chip.events()
        (tmp_path / "cut").write_bytes(data[:-1])
        (tmp_path / "long").write_bytes(data + b"x")
        (tmp_path / "other").write_bytes(data[:16] + b"another" + data[23:])
        (tmp_path / "empty").write_bytes(b"")
        for name in ("cut", "long", "other", "empty", "missing"):
            with pytest.raises(ValueError, match=f"cannot restore from .*{name}"):
                chip.restore(tmp_path / name)
        assert (chip.cycles, chip.events()) == before


def test_time_goes_on_at_once_when_nothing_is_left_to_happen():
    with Chip(build_library(Probe(), {}), UNITS, CLUSTERS) as chip:
        chip.step(10**15)  # many years, were each cycle run
        assert chip.cycles == 10**15
        chip.write_register(TIMER, 100)
        start = chip.cycles
        assert chip.wait_for_interrupt(10**15)
        assert start + 90 < chip.cycles <= start + 101


def test_a_recording_shows_what_the_parts_hold(tmp_path):
    pywellen = pytest.importorskip("pywellen")
    try:
        library = build_library(Tangle(), {}, Features(trace=True), cuts=CUTS)
    except ToolchainError as error:
        pytest.skip(str(error))
    with Chip(library, UNITS, CLUSTERS) as chip:
        chip.write_register(ACTIVITY, 3)
        chip.start_trace(tmp_path / "w.fst", chip.cycles, chip.cycles + 100)
        start = chip.cycles
        _play(chip, 5, 40)
        chip.stop_trace()
        events = [event for event in chip.events() if start < event.cycle < start + 99]
    words = {event.cycle: event.activity & 0xFFFF for event in events if event.unit == 2}
    assert words
    waveform = pywellen.Waveform(str(tmp_path / "w.fst"))
    shown = list(waveform["TOP.store.word"].tv)
    for cycle, word in words.items():  # an event tells the cycle after the edge it comes with
        assert [value for time, value in shown if time < 10 * cycle][-1] == word


def test_an_engine_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="engine is 'fast'; allowed: partitioned, plain"):
        Features(engine="fast")


def test_verilog_of_another_form_is_refused():
    with pytest.raises(ShellError, match="no module of this name"):
        shell_text("module other(); endmodule\n", "this", {}, {}, {})
    with pytest.raises(ShellError, match="no instance child of leaf"):
        shell_text("module this(a);\n  input a;\nendmodule\n", "this", {"child": "leaf"}, {}, {})
