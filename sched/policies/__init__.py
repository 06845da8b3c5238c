"""Scheduling policies by name."""

from .indiscriminate import Indiscriminate
from .placement import Place, Placement, PlacementError, Policy

POLICIES: dict[str, Policy] = {policy.name: policy for policy in (Indiscriminate(),)}
"""What ``--policy`` may be."""


def find_policy(name: str) -> Policy:
    """The policy of that name.

    Raises:
        PlacementError: there is none; the message lists those there are.
    """
    if name not in POLICIES:
        raise PlacementError(f"policy is {name!r}; allowed: {', '.join(POLICIES)}")
    return POLICIES[name]


__all__ = ["POLICIES", "Place", "Placement", "PlacementError", "Policy", "find_policy"]
