"""The processing-element array: PEs, their mesh, and the sequencer that steps them."""

from .array import ProcessingElementArray
from .array_core import ArrayCore
from .element import ProcessingElement
from .interfaces import ArrayInput, ArrayOutput, ContextWrite, run_command, sequencer_token
from .sequencer import Sequencer

__all__ = [
    "ArrayCore",
    "ArrayInput",
    "ArrayOutput",
    "ContextWrite",
    "ProcessingElement",
    "ProcessingElementArray",
    "Sequencer",
    "run_command",
    "sequencer_token",
]
