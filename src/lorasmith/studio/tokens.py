"""`/api/projects/{project}/captions:tokens`: how much of a caption the project's base reads, also of one that is only being typed."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from lorasmith.errors import InputError
from lorasmith.studio.studio import OpenStudio
from lorasmith.studio.token_counting import Question

router = APIRouter(tags=["captions"])


class TokensRequest(BaseModel):
    """A caption as it is typed."""

    text: str = Field(max_length=100_000)


class LimitView(BaseModel):
    """The most tokens that are read of a caption."""

    tokens: int
    unread: str = Field(description="The end of the caption that is then not read; empty where all of it is.")


class TokensView(BaseModel):
    """What of a caption is read."""

    base: str
    tokens: int = Field(description="What the line that training reads takes, by the encoder that needs the most.")
    chunk: int | None = Field(description="Tokens that are read at a time; None where all are read together.")
    limits: list[LimitView] = Field(description="What `base.max_token_length` can be, the usual limit first.")


@router.post("/projects/{project}/captions:tokens")
def count_tokens(project: str, asked: TokensRequest, studio: OpenStudio) -> TokensView:
    """How many of the tokens that the base's text encoders read a caption takes, and what of it is cut off."""
    read = studio.projects[project].read()
    if not read.base:
        raise InputError(f"{read.name} has no base yet, whose tokens could be counted. Choose one.", code="tokens.no_base", project=project)
    place = studio.workspace / read.base
    count = studio.count_tokens(Question(str(place) if place.exists() else read.base, asked.text))
    limits = [LimitView(**vars(limit)) for limit in count.limits]
    return TokensView(base=read.base, tokens=count.tokens, chunk=count.chunk, limits=limits)
