"""How the work on a job ended: the kind's function is called here, and what goes wrong in it becomes a sentence."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from lorasmith.errors import LorasmithError
from lorasmith.jobs.job import State
from lorasmith.jobs.kind import Kind
from lorasmith.jobs.work import StoppedEarly, Work
from lorasmith.secrets import without_secrets

log = logging.getLogger(__name__)

OUT_OF_MEMORY = re.compile("out of memory|can't allocate memory", re.IGNORECASE)
"""What torch says on a GPU, and on the CPU."""
SMALLER = "End what else uses the memory, or make the job smaller."


@dataclass(frozen=True)
class Result:
    """How the work ended."""

    state: State
    sentence: str = ""
    outcome: dict[str, Any] = field(default_factory=dict)


def result_of(kinds: Mapping[str, Kind], name: str, arguments: Mapping[str, Any], work: Work, more: str) -> Result:
    """Do the work of a job of the kind `name`; `more` says where its log is, for mistakes of ours."""
    try:
        kind = kinds[name]
        complete = kind.arguments.model_validate(arguments)
    except (KeyError, ValidationError):
        log.exception("the job cannot be read")
        return Result("failed", "Another version of Lorasmith added this job, and this one cannot read it. Add it again.")
    try:
        return Result("done", outcome=kind.run(complete, work))
    except StoppedEarly:
        return Result("stopped")
    except LorasmithError as error:
        return Result("failed", without_secrets(str(error)))
    except OSError as error:
        log.exception("the job ended")
        return Result("failed", f"{error.filename or 'A file'} could not be used ({error.strerror or error}). Fix that and retry the job.")
    except Exception as error:
        log.exception("the job ended")
        if isinstance(error, MemoryError) or OUT_OF_MEMORY.search(str(error)):
            return Result("failed", f"It ran out of memory ({_first_sentence(error)}) {SMALLER}")
        said = without_secrets(f"{type(error).__name__}: {error}")
        return Result("failed", f"Lorasmith made a mistake ({said}). The log has more: {more}")


def _first_sentence(error: Exception) -> str:
    return re.split(r"(?<=\.)\s", str(error) or "the system gave none.", maxsplit=1)[0]
