"""Any server with OpenAI's chat completions API and a vision model: a hosted one, or a local LM Studio, llama.cpp or vLLM.

A picture is sent inside the request as JPEG of bounded size. Temporary failures (429, 5xx, a timeout, a lost connection) are retried
after a growing pause, or the one that the server asks for; permanent ones (a wrong key, a wrong address) end the job. Redirects are not
followed, because they would send the key to another machine.
"""

from __future__ import annotations

import base64
import io
import json
import logging
import os
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from http.client import HTTPException
from typing import Any

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from lorasmith.captions.taggers.captioner import DescriptionFailed, Question
from lorasmith.errors import InputError, RunError
from lorasmith.json_text import whole_text
from lorasmith.pages.numbers import count

TEMPORARY = {408, 409, 425, 429, 500, 502, 503, 504, 529}
"""HTTP statuses after which the same request may succeed."""

MAX_ANSWER = 4_000_000  # bytes; no description comes near
MAX_FAILURES = 3  # pictures in a row that got no answer, after which the server counts as unreachable

_log = logging.getLogger(__name__)


class EndpointSettings(BaseModel):
    """The server, its model and the settings of a request."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str = Field(
        description="Address from the server's documentation, such as http://127.0.0.1:1234/v1; /chat/completions is added."
    )
    model: str = Field(description="The server's name of the model.")
    key_variable: str = Field("OPENAI_API_KEY", description="Environment variable with the key; local servers need none.")
    system: str = Field("", description="System prompt.")
    max_side: int = Field(1024, ge=64, le=4096, description="Longest side of the picture that is sent, in pixels.")
    quality: int = Field(90, ge=1, le=95, description="JPEG quality of what is sent.")
    max_tokens: int = Field(300, ge=1, description="Longest answer, in tokens.")
    temperature: float = Field(0.2, ge=0, le=2, description="0 gives the most probable answer, 1 varied ones.")
    timeout: float = Field(120.0, gt=0, description="Seconds to wait for an answer.")
    retries: int = Field(4, ge=0, le=20, description="Retries after a temporary failure.")


class VisionEndpoint:
    """A captioner behind a server; see `captioner.Captioner`."""

    batch_size = 1
    default_prompt = "Describe this picture in two or three plain sentences, without any introduction."

    def __init__(self, settings: EndpointSettings, sleep: Callable[[float], None] = time.sleep):
        """Raises InputError where the address is not valid."""
        parts = urllib.parse.urlsplit(settings.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(
                f"{settings.base_url!r} is not the address of a server: give one such as http://127.0.0.1:1234/v1.", code="endpoint.address"
            )
        self.settings = settings
        self.url = settings.base_url.rstrip("/").removesuffix("/chat/completions") + "/chat/completions"
        self.identity = f"endpoint {self.url} {settings.model_dump_json(include={'model', 'system', 'max_side', 'quality', 'max_tokens', 'temperature'})}"
        self._sleep = sleep
        self._failed_in_a_row = 0
        is_local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        proxies = [urllib.request.ProxyHandler({})] if is_local else []
        self._opener = urllib.request.build_opener(_NoRedirect, *proxies)

    def describe(self, questions: Sequence[Question]) -> list[str]:
        """Raises DescriptionFailed for a picture that the server refuses, InputError or RunError where it makes no sense to continue."""
        return [self._ask(question) for question in questions]

    def _ask(self, question: Question) -> str:
        body = json.dumps(self._request(question)).encode()
        for attempt in range(self.settings.retries + 1):
            try:
                answer = self._post(body)
                self._failed_in_a_row = 0
                return _description(answer)
            except _TemporaryFailure as failure:
                if attempt == self.settings.retries:
                    raise self._gave_up(failure) from failure
                pause = failure.pause if failure.pause is not None else min(60.0, 2.0**attempt)
                _log.info("%s; retrying in %.0f s", failure, pause)
                self._sleep(pause)
        raise AssertionError("the loop returns or raises")

    def _request(self, question: Question) -> dict[str, Any]:
        messages: list[dict[str, Any]] = [{"role": "system", "content": self.settings.system}] if self.settings.system else []
        url = "data:image/jpeg;base64," + base64.b64encode(jpeg(question.picture, self.settings.max_side, self.settings.quality)).decode()
        messages.append(
            {"role": "user", "content": [{"type": "text", "text": question.prompt}, {"type": "image_url", "image_url": {"url": url}}]}
        )
        settings = self.settings
        return {"model": settings.model, "messages": messages, "max_tokens": settings.max_tokens, "temperature": settings.temperature}

    def _post(self, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json"}
        key = os.environ.get(self.settings.key_variable, "").strip()
        if key:
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(self.url, body, headers, method="POST")
        try:
            with self._opener.open(request, timeout=self.settings.timeout) as answer:
                return bytes(answer.read(MAX_ANSWER))
        except urllib.error.HTTPError as error:
            with error:
                raise self._refusal(error, bool(key)) from error
        except (urllib.error.URLError, HTTPException, OSError) as error:  # timeouts and lost connections among them
            raise _TemporaryFailure(
                f"{self.url} did not answer ({getattr(error, 'reason', None) or error or type(error).__name__})"
            ) from error

    def _refusal(self, error: urllib.error.HTTPError, with_key: bool) -> Exception:
        reason = _reason(error)
        if error.code in TEMPORARY:
            return _TemporaryFailure(f"{self.url} answered {error.code} ({reason})", _retry_after(error))
        if error.code in (401, 403):
            remedy = (
                f"check the key in {self.settings.key_variable}"
                if with_key
                else f"put your key into the variable {self.settings.key_variable}"
            )
            return InputError(f"{self.url} refused access ({error.code}, {reason}): {remedy}.", code="endpoint.key")
        if error.code == 404:
            return InputError(
                f"{self.url} has no such address or no model {self.settings.model!r} (404, {reason}): check both; the address usually ends in /v1.",
                code="endpoint.not_found",
            )
        if 300 <= error.code < 400:
            return InputError(f"{self.url} redirects to another address ({error.code}), which is not followed: give the final address.")
        return DescriptionFailed(f"{self.url} refused this picture or request ({error.code}, {reason}).")

    def _gave_up(self, failure: _TemporaryFailure) -> Exception:
        self._failed_in_a_row += 1
        tries = count(self.settings.retries + 1, "time")
        if self._failed_in_a_row >= MAX_FAILURES:
            return RunError(
                f"{failure}, {tries} for each of {MAX_FAILURES} pictures in a row: restart the server, then run the same command again.",
                code="endpoint.unreachable",
            )
        return DescriptionFailed(f"{failure}, {tries}.")


class _TemporaryFailure(Exception):
    """A failure that may not happen again; `pause` is the number of seconds that the server asks for."""

    def __init__(self, message: str, pause: float | None = None):
        super().__init__(message)
        self.pause = pause


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def jpeg(picture: Image.Image, max_side: int, quality: int) -> bytes:
    """An RGB picture as JPEG, no side longer than `max_side` pixels."""
    small = picture.copy()
    small.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=quality)
    return out.getvalue()


def _description(answer: bytes) -> str:
    """The text of an answer on one line, without a reasoning model's thoughts."""
    try:
        content = json.loads(answer)["choices"][0]["message"]["content"]
        if isinstance(content, list):
            content = " ".join(part.get("text", "") for part in content)
        text = whole_text(str(content or ""))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise DescriptionFailed("The server's answer is not a chat completion.") from error
    description = " ".join(re.sub(r"^\s*<think>.*?</think>", "", text, flags=re.DOTALL).split())
    if not description:
        raise DescriptionFailed("The server's description is empty.")
    return description


def _reason(error: urllib.error.HTTPError) -> str:
    """The server's own error message on one line, as far as it has one."""
    try:
        body = error.read(MAX_ANSWER).decode("utf-8", "replace")
    except (OSError, HTTPException):
        body = ""
    try:
        error_field = json.loads(body)["error"]
        body = str(error_field["message"] if isinstance(error_field, dict) else error_field)
    except (ValueError, KeyError, TypeError):
        pass
    return " ".join(body.split())[:200] or str(error.reason)


def _retry_after(error: urllib.error.HTTPError) -> float | None:
    """Seconds of a Retry-After header, at most two minutes; None where there is none (or it is a date)."""
    try:
        return min(120.0, max(0.0, float(error.headers.get("Retry-After", ""))))
    except ValueError:
        return None
