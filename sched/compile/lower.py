"""Turns a graph into one that maps node by node: what the array has no single instruction for."""

from dataclasses import replace

from octopus.hw.config import PeaConfig
from octopus.hw.layouts.instruction import Operation, PredicateMode

from .graph import Constant, Graph, Node, Operand, Order, Role, Use
from .latency import node_latency


def lower(graph: Graph, pea: PeaConfig) -> Graph:
    """A graph of COMPUTE, LOAD and STORE nodes only.

    - A value of several iterations ago passes a chain of PASS nodes, each an iteration.
    - GATHER and SCATTER become the words they send and receive.
    - Every SELECT and predicated node has a predicate of its own iteration that a COMPUTE node
      near it writes; a conditional store is a conditional PASS before a store.
    - At most one constant an instruction.
    - Words for streams of a loop with an exit pass an instruction that the exit can still stop.

    Parameters
    ----------
    pea: the array, for the latencies of its operations.
    """
    graph.check()
    lowered = Graph(graph.name, dict(graph.nodes), graph.loops, graph.outer)
    lowered.partial = graph.partial
    _constants(lowered)
    _accesses(lowered)
    _operations_before_exits(lowered)
    _predicates(lowered)
    _delays(lowered)
    _exits(lowered, pea)
    lowered.check()
    return lowered


def _pass(graph: Graph, operand: Operand, stem: str, **fields: object) -> Use:
    node = Node(graph.fresh(stem), Role.COMPUTE, Operation.PASS, (operand,))
    return graph.add(replace(node, **fields))  # type: ignore[arg-type]


def _constants(graph: Graph) -> None:
    for node in list(graph.nodes.values()):
        constants = {o.value for o in node.operands if isinstance(o, Constant)} - {0}
        if len(constants) < 2:
            continue
        if node.operation is Operation.SELECT:
            # predicate ? c : d is d + (predicate ? c - d : 0).
            first, second = (o.value for o in node.operands if isinstance(o, Constant))
            part = replace(
                node,
                name=graph.fresh(f"{node.name}_part"),
                operands=(Constant(first - second), Constant(0)),
            )
            use = graph.add(part)
            graph.change(
                node.name,
                operation=Operation.ADD,
                operands=(use, Constant(second)),
                predicate=None,
                when=PredicateMode.ALWAYS,
            )
        else:
            use = _pass(graph, node.operands[0], f"{node.name}_constant")
            graph.change(node.name, operands=(use, *node.operands[1:]))


def _accesses(graph: Graph) -> None:
    for node in list(graph.nodes.values()):
        if node.role is Role.GATHER:
            address = _word(graph, node.operands[0], node, "offset")
            store = Node(
                graph.fresh(f"{node.name}_offset"),
                Role.STORE,
                operands=(address,),
                access=node.access,
                pair=node.name,
            )
            graph.add(store)
            graph.change(node.name, role=Role.LOAD, operands=(), predicate=None, pair=node.name)
        elif node.role is Role.SCATTER:
            for number, (operand, what) in enumerate(
                zip(node.operands, ("offset", "data"), strict=True)
            ):
                value = _word(graph, operand, node, what)
                word = replace(
                    node,
                    role=Role.STORE,
                    name=graph.fresh(f"{node.name}_{what}") if number == 0 else node.name,
                    operands=(value,),
                    predicate=None,
                    when=PredicateMode.ALWAYS,
                    pair=node.name,
                )
                if number:
                    graph.nodes[node.name] = word
                else:
                    graph.add(word)
        elif node.role is Role.STORE:
            value = _word(graph, node.operands[0], node, "value")
            graph.change(node.name, operands=(value,), predicate=None, when=PredicateMode.ALWAYS)
            if node.predicate is not None:
                # The words of a conditional store come at no fixed time: the port is its own.
                graph.change(node.name, pair=node.name)


def _word(graph: Graph, operand: Operand, node: Node, what: str) -> Operand:
    """The value to send to a stream: computed, and only if the node's predicate agrees."""
    if node.predicate is not None:
        return _pass(
            graph, operand, f"{node.name}_{what}", predicate=node.predicate, when=node.when
        )
    if isinstance(operand, Constant) or operand.distance:
        return _pass(graph, operand, f"{node.name}_{what}")
    return operand


def _operations_before_exits(graph: Graph) -> None:
    """Only a computation raises exit."""
    for node in list(graph.nodes.values()):
        if node.exit and node.role is not Role.COMPUTE:
            graph.change(node.name, exit=False)
            _pass(graph, Use(node.name), f"{node.name}_exit", exit=True)


def _predicates(graph: Graph) -> None:
    """Give every user of a predicate a writer; users of one predicate may share it.

    A comparison of the same iteration writes the predicate bit itself for its first user, and one
    of words from streams is done again for others; a value from elsewhere passes through an
    instruction on the user's PE.
    """
    writers: dict[str, str] = {}
    for node in list(graph.nodes.values()):
        use = node.predicate
        if use is None:
            continue
        producer = graph.nodes[use.producer]
        direct = producer.role is Role.COMPUTE and use.distance == 0
        if direct and use.producer not in writers and producer.predicate is None:
            writers[use.producer] = node.name
        elif direct and _of_words(graph, producer):
            again = replace(producer, name=graph.fresh(f"{producer.name}_again"))
            graph.change(node.name, predicate=graph.add(again))
        else:
            copy = _pass(graph, use, f"{node.name}_if")
            graph.change(node.name, predicate=copy)


def _of_words(graph: Graph, node: Node) -> bool:
    """Whether a node computes on nothing but words of streams, unconditionally."""
    loads = all(
        graph.nodes[use.producer].role is Role.LOAD and not use.distance for use in node.uses
    )
    return loads and node.predicate is None and not node.exit


def _delays(graph: Graph) -> None:
    """Split distances above 1, and let only computed values be carried."""
    chains: dict[tuple[str, int, int], Use] = {}
    for node in list(graph.nodes.values()):
        operands = tuple(_delayed(graph, operand, chains) for operand in node.operands)
        graph.change(node.name, operands=operands)


def _delayed(graph: Graph, operand: Operand, chains: dict[tuple[str, int, int], Use]) -> Operand:
    if not isinstance(operand, Use) or operand.distance == 0:
        return operand
    key = (operand.producer, operand.distance, operand.initial)
    if key not in chains:
        if operand.distance > 1:
            before = _delayed(graph, replace(operand, distance=operand.distance - 1), chains)
            copy = _pass(graph, before, f"{operand.producer}_delay")
        elif graph.nodes[operand.producer].role is Role.COMPUTE and not _conflict(chains, operand):
            copy = Use(operand.producer)
        else:
            copy = _pass(graph, Use(operand.producer), f"{operand.producer}_delay")
        chains[key] = replace(copy, distance=1, initial=operand.initial)
    return chains[key]


def _conflict(chains: dict[tuple[str, int, int], Use], operand: Use) -> bool:
    """Whether the register that holds the value starts with another value already."""
    return any(
        producer == operand.producer and distance == 1 and initial != operand.initial
        for producer, distance, initial in chains
    )


def _exits(graph: Graph, pea: PeaConfig) -> None:
    """Let nothing leave the array of iterations after the last.

    The sequencer stops them in the cycle after the exit is seen: what they send must be issued
    then or later.
    """
    leaves = [node.name for node in graph.exits]
    if not leaves:
        return
    for node in list(graph.nodes.values()):
        if node.role is not Role.STORE:
            continue
        (value,) = node.operands
        maker = graph.nodes[value.producer] if isinstance(value, Use) else None
        if maker is None or maker.predicate is None or maker.operation is Operation.SELECT:
            value = _pass(graph, value, f"{node.name}_last")
            graph.change(node.name, operands=(value,))
        assert isinstance(value, Use)
        for leave in leaves:
            after = node_latency(pea, graph.nodes[leave]) + 1
            graph.orders.append(Order(leave, value.producer, after, 1))
