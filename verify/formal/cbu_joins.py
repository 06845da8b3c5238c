"""Joins and gathers: evaluator and token store, wired as in the Control Block Unit."""

from amaranth.hdl import Module, Mux, Signal

from octopus.hw.cbu.evaluator import BlockEvaluator
from octopus.hw.cbu.records import EventKind, FiringMode
from octopus.hw.cbu.token_store import TokenStore
from octopus.hw.layouts.block import BlockKind, Combine
from octopus.hw.layouts.token import TokenKind

from .property import DUT, Property


class JoinExact(Property):
    """The tokens of one block and instance, whichever, among those of others.

    An event enters in any cycle, also directly after another for the same entry; the tables are
    read in its first cycle and it is evaluated in the second, as in the unit.
    """

    claim = (
        "a join (gather) fires exactly with the token that completes its count, once, with the "
        "values of all its tokens combined, and starts anew; no other token makes it fire"
    )
    depth = 14
    resets = True

    def __init__(self, kind: str) -> None:
        super().__init__(kind=kind)

    def build(self, m: Module) -> None:
        kind = BlockKind[self.parameters["kind"]]
        store, evaluator = TokenStore(2, 2), BlockEvaluator()
        self.place(m, store, driven=self._ports(store), name=f"{DUT}_store")
        self.place(m, evaluator, driven=self._ports(evaluator))
        self._wire(m, store, evaluator)
        event, entry = evaluator.event, evaluator.entry
        block, instance = self.constant(m, 1, "block"), self.constant(m, 1, "instance")
        count = self.constant(m, 2, "join_count")
        mine = evaluator.valid & (event.block == block) & (event.instance == instance)
        self.assume((event.block != block) | (entry.kind == kind))
        self.assume((event.block != block) | (entry.join_count == count))
        self.assume(~mine | (event.event == EventKind.TOKEN))
        arrivals, total, due = Signal(3), Signal(32), Signal()
        arrives = mine & (event.kind == TokenKind.ARRIVE)
        now = arrivals + 1
        values = Mux(arrivals == 0, event.value, total + event.value)[:32]
        if kind is BlockKind.JOIN:
            self.assume(~mine | arrives)
            m.d.comb += due.eq(arrives & (now >= count))
            emitted = values
        else:
            expected, known = Signal(2), Signal()
            told = mine & (event.kind == TokenKind.EXPECT)
            self.assume(~mine | arrives | told)
            self.assume(~told | ~known)  # one EXPECT a round
            self.assume(~arrives | (arrivals < 3))
            # a gather is never sent more than it expects
            self.assume(~(told & (arrivals > event.value)))
            m.d.comb += due.eq(
                (arrives & known & (now >= expected)) | (told & (arrivals >= event.value))
            )
            emitted = Mux(told, Mux(event.value == 0, 0, total), values)
            with m.If(due):
                m.d.sync += known.eq(0)
            with m.Elif(told):
                m.d.sync += [known.eq(1), expected.eq(event.value)]
        with m.If(due):
            m.d.sync += [arrivals.eq(0), total.eq(0)]
        with m.Elif(arrives):
            m.d.sync += [arrivals.eq(now), total.eq(values)]
        fires = evaluator.firing_valid & mine
        firing = evaluator.firing
        self.require("fires exactly when complete", fires == due)
        self.require("with all values combined", ~fires | (firing.value == emitted))
        self.require(
            "for its block and instance",
            ~fires
            | (
                (firing.block == block)
                & (firing.instance == instance)
                & (firing.mode == FiringMode.ALL)
                & (firing.index == 0)
            ),
        )
        self.require("no task of it", ~(evaluator.task_valid & mine))
        self.cover("fires with three tokens", fires & (arrivals == 2) & (firing.value == 5))
        self.cover("fires with its second", fires & (arrivals == 1))

    @staticmethod
    def _ports(block: TokenStore | BlockEvaluator) -> tuple[str, ...]:
        """All of them: this property drives every input."""
        return tuple(block.signature.members)

    def _wire(self, m: Module, store: TokenStore, evaluator: BlockEvaluator) -> None:
        """An event a cycle; what is read of the store in one cycle is evaluated in the next."""
        event, entry = evaluator.event, evaluator.entry
        taken = {
            name: self.free(bits, f"taken_{name}")
            for name, bits in (("kind", 2), ("block", 1), ("instance", 1), ("value", 2))
        }
        valid = self.free(1, "taken_valid")
        self.assume(~valid | store.ready)
        m.d.sync += evaluator.valid.eq(valid)
        kind_taken = Signal(TokenKind)
        m.d.comb += kind_taken.eq(taken["kind"])
        m.d.sync += event.kind.eq(kind_taken)
        for name in ("block", "instance", "value"):
            m.d.sync += getattr(event, name).eq(taken[name])
        m.d.comb += [
            store.read_block.eq(taken["block"]),
            store.read_instance.eq(taken["instance"]),
            store.write_block.eq(event.block),
            store.write_instance.eq(event.instance),
            store.write.eq(evaluator.store_write),
            store.entry.eq(evaluator.store),
            evaluator.stored.eq(store.stored),
            evaluator.in_table.eq(1),
            evaluator.in_store.eq(1),
            entry.kind.eq(self.free(BlockKind, "entry_kind")),
            entry.combine.eq(Combine.SUM),
            entry.join_count.eq(self.free(2, "entry_join_count")),
        ]
