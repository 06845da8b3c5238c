"""The exact method's model of routes.

Every hop takes a cycle, so that a value is somewhere only if it was at a neighbour in the cycle
before, and no route can feed itself: a clause for each fact is all that routing needs.
"""

from octopus.hw.layouts.instruction import Operation

from .capabilities import capable
from .exact_facts import Facts
from .fabric import MOVES, NORTH, OPPOSITE, WEST, Net, Place
from .graph import Role
from .mapping import PREDICATE


class Routes:
    """Adds the facts of all routes to a model.

    Parameters
    ----------
    copies: whether a route may pass instructions of its own.
    """

    def __init__(self, facts: Facts, copies: bool) -> None:
        self.facts, self.copies = facts, copies
        self._inside = frozenset(facts.places)
        nets: dict[Net, list[str]] = {}
        for name, users in facts.mapping.users.items():
            for sink, use in users:
                if sink[1] != PREDICATE:
                    nets.setdefault((name, use.distance), []).append(sink[0])
        for net, sinks in nets.items():
            self._net(net, sinks)
        self._registers()

    def _net(self, net: Net, users: list[str]) -> None:
        """The facts of one value, cycle by cycle."""
        facts, graph = self.facts, self.facts.graph
        maker = graph.nodes[net[0]]
        volatile = maker.predicate is not None and maker.operation is not Operation.SELECT
        registers = maker.role is Role.COMPUTE and not volatile
        delay = facts.latency(net[0]) - net[1] * facts.interval
        last = max(facts.windows.times(user)[-1] for user in users)
        leaves = any(graph.nodes[user].role is Role.STORE for user in users)
        for time in range(facts.windows.times(net[0])[0] + delay, last + 1):
            for place in facts.places:
                if registers or (self.copies and not volatile):
                    self._keep(net, place, time)
                self._links(net, place, time, leaves)
            if time == last:
                continue
            for place in facts.places:
                self._turns(net, place, time)
                if self.copies and time + facts.copy_latency <= last:
                    self._copy(net, place, time)
        for user in dict.fromkeys(users):
            if graph.nodes[user].role is Role.STORE:
                self._leave(net, user)

    def _keep(self, net: Net, place: Place, time: int) -> None:
        """Registers: readable from the making on, for an interval."""
        facts = self.facts
        made = (net[0], place, time - facts.latency(net[0]) + net[1] * facts.interval)
        copied = (net, place, time - facts.copy_latency)
        before = (net, place, time - 1)
        supports = []
        if made in facts.done:
            cycles = facts.latency(net[0])
            supports.append(facts.writes(facts.done[made], net[0], place, made[2], cycles))
        if copied in facts.copied:
            cycles = facts.copy_latency
            supports.append(facts.writes(facts.copied[copied], net, place, copied[2], cycles))
        if before in facts.kept:
            supports.append(facts.kept[before])
        if supports:
            literal = facts.kept[net, place, time] = facts.new()
            facts.needs(literal, supports)
            facts.share(literal, "kept", net, place, time % facts.interval)

    def _links(self, net: Net, place: Place, time: int, leaves: bool) -> None:
        facts = self.facts
        latency, copy = facts.latency(net[0]), facts.copy_latency
        made, copied = [], []
        if net[1] == 0 and (net[0], place, time - latency) in facts.done:
            made.append(facts.done[net[0], place, time - latency])
        if (net, place, time - copy) in facts.copied:
            copied.append(facts.copied[net, place, time - copy])
        key = (net, place, time - 1)
        turned = [index[key] for index in (facts.turned, facts.read) if key in index]
        for direction, (down, right) in enumerate(MOVES):
            inside = (place[0] + down, place[1] + right) in self._inside
            if not inside and not (leaves and facts.port_at(place, direction) is not None):
                continue
            straight = facts.entering(net, place, OPPOSITE[direction], time - 1)
            for supports, index, delay in (
                (made, facts.result, latency),
                (copied, facts.again, copy),
                (straight + turned, facts.moved, 1),
            ):
                if not supports:
                    continue
                literal = index[net, place, direction, time] = facts.new()
                facts.needs(literal, supports)
                if facts.relaxed.links:
                    continue
                facts.share(literal, "link", time % facts.interval, place, direction)
                if not facts.uniform or (copy - 1) % facts.interval:
                    slot = (time - delay) % facts.interval
                    facts.share(literal, "select", slot, place, direction)

    def _turns(self, net: Net, place: Place, time: int) -> None:
        facts = self.facts
        slot = time % facts.interval
        entering = facts.arriving(net, place, time)
        if entering:
            literal = facts.turned[net, place, time] = facts.new()
            facts.needs(literal, entering)
            if not facts.relaxed.turns:
                facts.share(literal, "turn", slot, place)
        if (net, place, time) in facts.kept and facts.allowed(time):
            literal = facts.read[net, place, time] = facts.new()
            facts.needs(literal, [facts.kept[net, place, time]])
            facts.gate(literal, place, time)
            if not facts.relaxed.turns:
                facts.share(literal, "turn", slot, place)
            key = ("register turn", slot, place)
            if not facts.has_name(*key):
                facts.share(facts.named(*key), "conditional", slot, place)
            facts.model.add_implication(literal, facts.named(*key))

    def _copy(self, net: Net, place: Place, time: int) -> None:
        facts = self.facts
        if not facts.allowed(time) or not capable(facts.pea, Operation.PASS)[place]:
            return
        supports = facts.present(net, place, time)
        if supports:
            literal = facts.copied[net, place, time] = facts.new()
            facts.needs(literal, supports)
            facts.issue(literal, place, time)

    def _leave(self, net: Net, store: str) -> None:
        """A store's word is on an edge link when it leaves."""
        facts = self.facts
        for time in facts.windows.times(store):
            for port in facts.ports:
                if (store, port, time) not in facts.bound:
                    continue
                direction = WEST if port < facts.fabric.rows else NORTH
                key = (net, facts.fabric.port_place(port), direction, time)
                supports = [i[key] for i in (facts.result, facts.again, facts.moved) if key in i]
                facts.needs(facts.bound[store, port, time], supports)

    def _registers(self) -> None:
        """With as many registers as slots every instruction's result has its own."""
        facts = self.facts
        if facts.interval <= facts.pea.registers:
            return
        slots: dict[tuple[int, Place], list[object]] = {}
        for (_, place, time), literal in facts.kept.items():
            slots.setdefault((time % facts.interval, place), []).append(literal)
        for literals in slots.values():
            facts.model.add(sum(literals) <= facts.pea.registers)  # type: ignore[arg-type]
