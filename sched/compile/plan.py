"""When nodes should be done so that values wait as little as possible.

A value waits in a register for at most an interval; whatever waits longer takes links and operation
slots. So the sum of all waiting is made small, by CP-SAT; words of streams come when wanted.
"""

from ortools.sat.python import cp_model

from .bounds import ordered_network
from .graph import Role, Use
from .problem import Problem

EFFORT = 0.5
"""CP-SAT's deterministic time."""


def waiting_least(problem: Problem, hop: int) -> dict[str, int] | None:
    """Times of all nodes; None if none are found.

    Parameters
    ----------
    hop: cycles that a route is given between two operations outside recurrences.
    """
    graph, interval = problem.graph, problem.interval
    network = ordered_network(graph, problem.pea)
    horizon = sum(problem.latency(name) + hop + 1 for name in graph.nodes) + 8
    model = cp_model.CpModel()
    times = {name: model.new_int_var(0, horizon, "") for name in graph.nodes}
    for a, b, data in network.edges(data=True):
        if a == b:
            continue
        gap = data["latency"] - interval * data["distance"]
        # Where the next iteration waits for it, every cycle counts.
        if data["distance"] == 0 and data["latency"] and not network.has_edge(b, a):
            gap += hop
        model.add(times[b] >= times[a] + gap)
    waits = []
    ends: dict[str, list[cp_model.LinearExprT]] = {}
    for node in graph.nodes.values():
        for operand in node.operands:
            if isinstance(operand, Use) and operand.producer != node.name:
                ends.setdefault(operand.producer, []).append(
                    times[node.name] + interval * operand.distance
                )
    for name, uses in ends.items():
        if graph.nodes[name].role is not Role.COMPUTE:
            continue
        end = model.new_int_var(0, horizon + 16 * interval, "")
        for use in uses:
            model.add(end >= use)
        waits.append(end - times[name])
    model.minimize(100 * sum(waits) + sum(times.values()))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_deterministic_time = EFFORT
    if solver.solve(model) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    return {name: solver.value(time) for name, time in times.items()}
