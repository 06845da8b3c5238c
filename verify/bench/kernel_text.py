"""Kernel functions from text, as random programs and tests have them."""

import itertools
import linecache
from typing import Any

from octopus.sched.compile import trace
from octopus.sched.compile.trace import KernelFunction

_NUMBERS = itertools.count()
_NAMES = (
    "Count",
    "Input",
    "Output",
    "clamp8",
    "geu",
    "kernel",
    "ltu",
    "mulh",
    "relu",
    "select",
    "shr",
)


def kernel_of(text: str, name: str = "program", **scope: Any) -> KernelFunction:
    """The kernel function ``name`` that a text defines, with the language's names known to it.

    Parameters
    ----------
    scope: other global names of the text.
    """
    file = f"<kernel {next(_NUMBERS)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    variables: dict[str, Any] = {known: getattr(trace, known) for known in _NAMES}
    variables |= scope
    exec(compile(text, file, "exec", dont_inherit=True), variables)
    found = variables[name]
    return found if isinstance(found, KernelFunction) else KernelFunction(found)
