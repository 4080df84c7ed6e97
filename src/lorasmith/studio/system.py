"""`/api/system`: the machine, for the card on the home page and for reports of what went wrong."""

from __future__ import annotations

from fastapi import APIRouter

from lorasmith.studio.machine import Machine, describe_machine
from lorasmith.studio.studio import OpenStudio

router = APIRouter(tags=["system"])


@router.get("/system")
def get_system(studio: OpenStudio) -> Machine:
    """The machine: versions, memory, disk, graphics cards, and what could be installed."""
    return describe_machine(studio.workspace)
