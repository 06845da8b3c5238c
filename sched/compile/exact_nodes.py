"""The exact method's model of nodes: where and when, with what they need there."""

from ortools.sat.python import cp_model

from octopus.hw.layouts.instruction import Operation

from .capabilities import capable
from .exact_facts import Facts, Literal
from .fabric import Place
from .graph import COMMUTATIVE, Node, Role, Use
from .mapping import PREDICATE


class Nodes:
    """Adds places, times and ports of all nodes to a model; then, with routes, what they need.

    Attributes
    ----------
    homeless: a node for which no time is allowed, if there is one.
    """

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.homeless: str | None = None
        graph = facts.graph
        self._gathers = {n.pair for n in graph.of_role(Role.LOAD) if n.pair is not None}
        arrays = [
            node.access.array
            for node in graph.of_role(Role.STORE)
            if node.access is not None and node.pair is None
        ]
        crowded = len(list(graph.of_role(Role.STORE))) > len(facts.ports)
        self._alone = {array for array in arrays if arrays.count(array) > 1 or not crowded}
        for node in graph.nodes.values():
            if node.role is Role.LOAD and not facts.mapping.users[node.name]:
                continue  # its words would stay in the way of those that share the port
            options = self._compute(node) if node.role is Role.COMPUTE else self._stream(node)
            if not options:
                self.homeless = node.name
                return
            facts.model.add_exactly_one(options)

    def _compute(self, node: Node) -> list[Literal]:
        facts = self.facts
        able = capable(facts.pea, node.operation)
        options = []
        for time in facts.windows.times(node.name):
            if not facts.allowed(time):
                continue
            for place in facts.places:
                if able[place]:
                    literal = facts.done[node.name, place, time] = facts.new()
                    facts.issue(literal, place, time)
                    options.append(literal)
        return options

    def _stream(self, node: Node) -> list[Literal]:
        facts = self.facts
        load = node.role is Role.LOAD
        limited = facts.graph.outer or (load and (facts.strict or node.pair is not None))
        options = []
        for time in facts.windows.times(node.name):
            if time < 0 or (limited and time >= facts.end):
                continue
            for port in facts.ports:
                literal = facts.bound[node.name, port, time] = facts.new()
                options.append(literal)
                if load:
                    facts.gate(literal, facts.fabric.port_place(port), time)
                if not facts.relaxed.ports:
                    self._port(node, port, time, literal)
        return options

    def _port(self, node: Node, port: int, time: int, literal: Literal) -> None:
        """A port brings and takes a word a slot; all of one kind and, in, of one stage."""
        facts = self.facts
        load = node.role is Role.LOAD
        facts.share(literal, "word", load, port, time % facts.interval)
        for incoming in (True, False):
            if incoming is load or node.pair in self._gathers:
                facts.share_named(literal, ("kind", incoming, port), self._kind(node))
        if node.pair is None and facts.fabric.window > 1:
            facts.share_named(literal, ("turn", load, port), facts.fabric.stage(time))

    def _kind(self, node: Node) -> object:
        """Words of equal kind may share a port."""
        if node.pair is not None:
            return node.pair
        assert node.access is not None
        if node.role is Role.STORE and node.access.array in self._alone:
            return node.name
        return (node.access.strides, node.access.element)

    # -- what nodes need -------------------------------------------------------------------

    def connect(self) -> None:
        """State what nodes need of routes, predicates and each other."""
        facts = self.facts
        for (name, place, time), literal in facts.done.items():
            node = facts.graph.nodes[name]
            for use in dict.fromkeys(node.uses):
                net = (use.producer, use.distance)
                facts.needs(literal, facts.present(net, place, time))
            self._second_register(node, literal, place, time)
        self._reachable()
        self._predicates()
        self._times()

    def _second_register(self, node: Node, literal: Literal, place: Place, time: int) -> None:
        """A route from a register and operand b from another cannot be in one slot."""
        facts = self.facts
        key = ("register turn", time % facts.interval, place)
        if not facts.has_name(*key):
            return
        if node.predicate is not None and node.operation is not Operation.SELECT:
            facts.share(literal, "conditional", time % facts.interval, place)
        if len(node.operands) < 2 or not isinstance(node.operands[1], Use):
            return
        wanted = [node.operands[1]]
        if node.operation in COMMUTATIVE:
            if not isinstance(node.operands[0], Use):
                return
            wanted.append(node.operands[0])
        links = [
            one
            for use in wanted
            for one in facts.arriving((use.producer, use.distance), place, time)
        ]
        facts.model.add_bool_or([literal.negated(), facts.named(*key).negated(), *links])

    def _reachable(self) -> None:
        """What routing implies, said at once: maker and user are as near as the time allows."""
        facts = self.facts
        by_name: dict[str, list[tuple[Place, int, Literal]]] = {}
        for (name, place, time), literal in facts.done.items():
            by_name.setdefault(name, []).append((place, time, literal))
        for name, users in facts.mapping.users.items():
            for (sink, number), use in users:
                if name not in by_name or sink not in by_name or number == PREDICATE:
                    continue
                ahead: list[list[Literal]] = [[] for _ in by_name[name]]
                for place, time, literal in by_name[sink]:
                    behind = []
                    for i, (there, made, source) in enumerate(by_name[name]):
                        slack = time - made - facts.latency(name) + use.distance * facts.interval
                        far = abs(place[0] - there[0]) + abs(place[1] - there[1])
                        if slack >= max(0, far - (0 if use.distance else 1)):
                            behind.append(source)
                            ahead[i].append(literal)
                    facts.needs(literal, behind)
                for (*_, source), reached in zip(by_name[name], ahead, strict=True):
                    facts.needs(source, reached)

    def _predicates(self) -> None:
        """A predicate bit is for users on the writer's PE, within an interval."""
        facts = self.facts
        users: dict[str, list[str]] = {}
        for node in facts.graph.nodes.values():
            if node.predicate is not None:
                users.setdefault(node.predicate.producer, []).append(node.name)
        for writer, names in users.items():
            last = max(facts.windows.times(name)[-1] for name in names)
            cycles = facts.latency(writer)
            for time in range(facts.windows.times(writer)[0] + cycles, last + 1):
                for place in facts.places:
                    made = (writer, place, time - cycles)
                    before = (writer, place, time - 1)
                    supports = [facts.done[made]] if made in facts.done else []
                    supports += [facts.seen[before]] if before in facts.seen else []
                    if supports:
                        literal = facts.seen[writer, place, time] = facts.new()
                        facts.needs(literal, supports)
                        facts.share(literal, "predicate", time % facts.interval, place)
        for (name, place, time), literal in facts.done.items():
            use = facts.graph.nodes[name].predicate
            if use is not None:
                seen = facts.seen.get((use.producer, place, time))
                facts.needs(literal, [] if seen is None else [seen])

    def _times(self) -> None:
        """Orders between nodes, and ports of the halves of a computed access."""
        facts = self.facts
        terms: dict[str, list[tuple[Literal, int]]] = {}
        ports: dict[str, list[tuple[Literal, int]]] = {}
        for (name, _, time), literal in facts.done.items():
            terms.setdefault(name, []).append((literal, time))
        for (name, port, time), literal in facts.bound.items():
            terms.setdefault(name, []).append((literal, time))
            ports.setdefault(name, []).append((literal, port))
        when = {name: _sum(pairs) for name, pairs in terms.items()}
        where = {name: _sum(pairs) for name, pairs in ports.items()}
        for order in facts.graph.orders:
            gap = order.cycles - order.distance * facts.interval
            facts.model.add(when[order.second] >= when[order.first] + gap)
        for a, b, gap in facts.windows.edges:
            if a in when and b in when:
                facts.model.add(when[b] >= when[a] + gap)
        for pair, names in facts.mapping.pairs.items():
            for name in names:
                if name != pair and pair in where:
                    facts.model.add(where[name] == where[pair])
                    facts.model.add(when[pair] >= when[name] + 1)
                    if facts.graph.nodes[pair].role is Role.STORE:
                        facts.model.add(when[pair] <= when[name] + facts.interval - 1)


def _sum(pairs: list[tuple[Literal, int]]) -> cp_model.LinearExprT:
    literals = [literal for literal, _ in pairs]
    return cp_model.LinearExpr.weighted_sum(literals, [number for _, number in pairs])
