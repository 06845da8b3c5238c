"""The proof harness itself: it must find what is wrong, and notice a proof that cannot fail."""

from pathlib import Path

import pytest
from amaranth.hdl import Module, Signal

from octopus.hw.noc.credit import CreditCounter
from octopus.verify.formal.noc_arbitration import CreditsExact
from octopus.verify.formal.property import Property
from octopus.verify.formal.prover import check


class Counts(Property):
    """A counter of credits that must never have given out three."""

    claim = "fewer than three of four places are ever used"
    depth = 8

    def build(self, m: Module) -> None:
        dut = self.place(m, CreditCounter(4))
        used = Signal(range(8))
        self.assume(~dut.take | dut.available)
        self.assume(~dut.give | (used != 0))
        m.d.sync += used.eq(used + dut.take - dut.give)
        self.require("anything", used <= 4)
        self.require("fewer than three", used < 3)


class Impossible(CreditsExact):
    """Assumptions that leave out what is covered."""

    def build(self, m: Module) -> None:
        super().build(m)
        self.assume(~self.inputs["dut__take"])


class Idle(Property):
    """A requirement that does not look at the block."""

    claim = "nothing"
    depth = 4

    def build(self, m: Module) -> None:
        self.place(m, CreditCounter(2))
        kept = Signal()
        m.d.sync += kept.eq(1)
        self.require("one and one", kept | ~kept)


class Forgotten(Property):
    claim = "nothing at all"

    def build(self, m: Module) -> None:
        self.place(m, CreditCounter(2))


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OCTOPUS_CACHE", str(tmp_path / "cache"))


def test_a_counterexample_is_shortest_named_and_kept_as_a_waveform(tmp_path: Path) -> None:
    result = check(Counts(), folder=tmp_path)
    assert (result.status, result.failed, result.depth) == ("refuted", ("fewer than three",), 4)
    assert not result.holds
    assert "used" in Path(result.trace).read_text()


def test_a_cover_out_of_reach_is_reported() -> None:
    result = check(Impossible(2))
    assert result.status == "proven"
    assert set(result.covers.values()) == {None}
    assert not result.holds


def test_a_requirement_that_no_defect_breaks_does_not_hold() -> None:
    result = check(Idle(), defects=4)
    assert (result.status, result.caught, result.defects) == ("proven", 0, 4)
    assert not result.holds


def test_a_property_must_require_something() -> None:
    with pytest.raises(ValueError, match="Forgotten requires nothing"):
        check(Forgotten())


def test_results_are_kept_by_content() -> None:
    first = check(CreditsExact(2))
    assert check(CreditsExact(2)) == first  # the same time taken: not done again
    assert check(CreditsExact(3)) != first
