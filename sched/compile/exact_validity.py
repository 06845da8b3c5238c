"""The exact method's model of validity: what must act in the real iterations only.

As ``validity.py`` computes it: an instruction beyond the stages is enabled too early, but what
comes over a link is invalid until its maker acted. ``first`` of a node: it acts in no iteration
before the first; ``last``: in none after the last.
"""

from octopus.hw.layouts.instruction import Operation

from .exact_facts import Facts, Literal
from .fabric import Net
from .graph import Node, Role


class ExactValidity:
    """Adds what validity asks to a model that has nodes and routes."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        if facts.fabric.window == 1 or facts.strict:
            return
        graph = facts.graph
        carried = {
            use.producer
            for users in facts.mapping.users.values()
            for _, use in users
            if use.distance
        }
        self._slack()
        for node in graph.nodes.values():
            guarded = node.pair is not None or node.predicate is not None
            if node.role is Role.COMPUTE and (node.name in carried or guarded):
                facts.model.add(self._acts(node.name, "first") == 1)
            if node.role is Role.COMPUTE and guarded and node.operation is not Operation.SELECT:
                facts.model.add(self._acts(node.name, "last") == 1)
            if node.role is Role.STORE and guarded:
                for use in node.uses:
                    for kind in ("first", "last"):
                        facts.model.add(self._arrives((use.producer, use.distance), kind) == 1)

    def _over(self, time: int) -> int:
        return max(0, time // self.facts.interval - self.facts.fabric.window + 1)

    def _slack(self) -> None:
        """``early`` n: some instruction is enabled n or more stages too early."""
        facts = self.facts
        most = 0
        acts: list[tuple[int, Literal]] = [
            *((key[-1], literal) for key, literal in facts.done.items()),
            *((key[-1], literal) for key, literal in facts.copied.items()),
            *((key[-1], literal) for key, literal in facts.read.items()),
        ]
        for (name, _, time), literal in facts.bound.items():
            if facts.graph.nodes[name].role is Role.LOAD:
                acts.append((time, literal))
        for time, literal in acts:
            if self._over(time):
                most = max(most, self._over(time))
                facts.model.add_implication(literal, facts.named("early", self._over(time)))
        for level in range(2, most + 1):
            facts.model.add_implication(
                facts.named("early", level), facts.named("early", level - 1)
            )

    def _late_enough(self, condition: Literal, literal: Literal, time: int, kind: str) -> None:
        """If both hold, the instruction at ``time`` acts when it should by its stage alone."""
        facts = self.facts
        if kind == "first":
            if self._over(time):
                facts.model.add_bool_or([condition.negated(), literal.negated()])
        elif facts.has_name("early", self._over(time) + 1):
            other = facts.named("early", self._over(time) + 1)
            facts.model.add_bool_or([condition.negated(), literal.negated(), other.negated()])

    def _acts(self, name: str, kind: str) -> Literal:
        """A node acts in no iteration before the first, or after the last."""
        facts = self.facts
        if facts.has_name(kind, name):
            return facts.named(kind, name)
        literal = facts.named(kind, name)
        node: Node = facts.graph.nodes[name]
        ways = [facts.named(kind, name, "alone")]
        for number, use in enumerate(node.uses):
            if not use.distance:
                way = facts.named(kind, name, number)
                facts.model.add_implication(way, self._arrives((use.producer, 0), kind))
                ways.append(way)
        facts.needs(literal, ways)
        for (other, place, time), done in facts.done.items():
            if other != name:
                continue
            self._late_enough(ways[0], done, time, kind)
            for number, use in enumerate(node.uses):
                if not use.distance:
                    way = facts.named(kind, name, number)
                    links = facts.arriving((use.producer, 0), place, time)
                    facts.model.add_bool_or([way.negated(), done.negated(), *links])
        return literal

    def _arrives(self, net: Net, kind: str) -> Literal:
        """A value comes over links in no iteration before the first, or after the last."""
        facts = self.facts
        if facts.has_name(kind, net):
            return facts.named(kind, net)
        literal = facts.named(kind, net)
        maker = facts.graph.nodes[net[0]]
        if maker.role is Role.COMPUTE:
            facts.model.add_implication(literal, self._acts(net[0], kind))
        elif not (maker.pair is not None and kind == "last"):
            for (name, _, time), bound in facts.bound.items():
                if name == net[0]:
                    self._late_enough(literal, bound, time, kind)
        for index in (facts.read, facts.copied):
            for (other, _, time), fact in index.items():
                if other == net:
                    self._late_enough(literal, fact, time, kind)
        return literal
