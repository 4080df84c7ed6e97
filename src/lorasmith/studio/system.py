"""`/api/system`: the machine, for the card on the home page and for reports of what went wrong."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import Field

from lorasmith.studio.machine import Machine, describe_machine
from lorasmith.studio.studio import OpenStudio

router = APIRouter(tags=["system"])


class System(Machine):
    """The machine, and how the workspace was found."""

    notes: list[str] = Field(description="What was amiss with the workspace's queue, such as a damaged file that was set aside.")


@router.get("/system")
def get_system(studio: OpenStudio) -> System:
    """The machine: versions, memory, disk, graphics cards, and what could be installed."""
    return System(**vars(describe_machine(studio.workspace)), notes=studio.notes)
