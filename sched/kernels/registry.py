"""The public kernels by name: one table for workflow files, the command line and the tests.

A class becomes public by one decorator, and by its module's name in ``MODULES``::

    @public_kernel("scale", length=64, multiplier=3)
    class Scale(Task): ...

Its parameters are those of its constructor (annotated, ``name`` left out); an attribute or
property of each parameter's name gives the value back. Its summary is the docstring's first line.
"""

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from .plan import Computation
from .task import TaskError

MODULES = (
    "arithmetic",
    "cholesky",
    "convolution",
    "depthwise",
    "elementwise",
    "irregular",
    "layer_norm",
    "matrix",
    "max_pool",
    "reduction",
    "sequence",
    "signal",
    "softmax",
    "top_k",
)
"""Modules of this package that hold public kernels."""

_ENTRIES: dict[str, "KernelEntry"] = {}
Kind = TypeVar("Kind", bound=type[Computation])


class KernelParameters(BaseModel):
    """The base of every kernel's parameters."""

    model_config = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True)
class KernelEntry:
    """A public kernel.

    Parameters
    ----------
    name: how users call it. kind: its class.
    example: parameters with which it is shown and run unless told otherwise.
    """

    name: str
    kind: type[Computation]
    example: Mapping[str, Any]

    @property
    def summary(self) -> str:
        """What it computes, in one line."""
        return inspect.getdoc(self.kind).partition("\n")[0]  # type: ignore[union-attr]

    @property
    def description(self) -> str:
        """Its whole docstring."""
        return inspect.getdoc(self.kind) or ""

    @cached_property
    def parameters(self) -> type[KernelParameters]:
        """The constructor's parameters as a pydantic model."""
        constructor = self.kind.__init__
        hints = get_type_hints(constructor)
        fields: dict[str, Any] = {}
        for name, parameter in inspect.signature(constructor).parameters.items():
            if name not in ("self", "name"):
                needed = parameter.default is inspect.Parameter.empty
                fields[name] = (hints[name], ... if needed else parameter.default)
        return create_model(self.name, __base__=KernelParameters, **fields)

    def build(self, parameters: Mapping[str, Any]) -> Computation:
        """The kernel with these parameters.

        Raises:
            TaskError: a parameter is unknown, missing, of the wrong type or out of range.
        """
        try:
            return self._make(self.parameters.model_validate(parameters))
        except ValidationError as error:
            raise TaskError(f"kernel {self.name}: {_first(error)}") from None

    def build_from_text(self, texts: Mapping[str, str]) -> Computation:
        """The example with the parameters given as text in place of its own.

        Raises:
            TaskError: as :meth:`build`.
        """
        allowed = ", ".join(self.parameters.model_fields)
        for name in texts:
            if name not in self.parameters.model_fields:
                raise TaskError(f"kernel {self.name} has no parameter {name}; allowed: {allowed}")
        example = {name: str(value) for name, value in self.example.items()}
        try:
            return self._make(self.parameters.model_validate_strings(example | dict(texts)))
        except ValidationError as error:
            raise TaskError(f"kernel {self.name}: {_first(error)}") from None

    def describe(self, computation: Computation) -> dict[str, Any]:
        """The parameters that make ``computation`` again, without those at their default."""
        values = {name: getattr(computation, name) for name in self.parameters.model_fields}
        return self.parameters(**values).model_dump(exclude_defaults=True)

    def _make(self, parameters: KernelParameters) -> Computation:
        return self.kind(**parameters.model_dump())


def public_kernel(name: str, **example: Any) -> Callable[[Kind], Kind]:
    """A class decorator that makes a kernel public.

    Parameters
    ----------
    name: unique. example: its parameters' values when the command line is given none.

    Raises:
        ValueError: the name is taken.
    """

    def register(kind: Kind) -> Kind:
        if name in _ENTRIES:
            raise ValueError(f"there are two kernels {name}")
        _ENTRIES[name] = KernelEntry(name, kind, example)
        return kind

    return register


def kernels() -> dict[str, KernelEntry]:
    """All public kernels by name, in alphabetical order."""
    for module in MODULES:
        importlib.import_module(f"{__package__}.{module}")
    return dict(sorted(_ENTRIES.items()))


def find_kernel(name: str) -> KernelEntry:
    """The public kernel of that name.

    Raises:
        TaskError: there is none.
    """
    known = kernels()
    if name not in known:
        raise TaskError(f"unknown kernel {name!r}; allowed: {', '.join(known)}")
    return known[name]


def entry_of(computation: Computation) -> KernelEntry:
    """The entry of a computation's class.

    Raises:
        TaskError: the class is not public.
    """
    for entry in kernels().values():
        if type(computation) is entry.kind:
            return entry
    raise TaskError(f"kernel {type(computation).__name__} has no public name")


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    return f"parameter {field}: {first['msg']}"
