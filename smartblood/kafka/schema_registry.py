"""A Confluent-compatible schema registry over plain HTTP; optional.

What is known once is remembered: a schema id never changes its meaning. An id that the registry doesn't know is
remembered for a little while only, since it may be registered a moment later.

References
----------
Confluent Schema Registry API, version 1: ``GET /schemas/ids/{id}``, ``POST /subjects/{subject}/versions``.
"""

from __future__ import annotations

import base64
import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any, Protocol

from schemas.codec import Codec
from smartblood.errors import Fatal, Retryable

CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
CALL_S = 3.0
PATIENCE_S = 20.0
"""Of a command, which has nobody who would try again."""

LOOP_PATIENCE_S = 0.0
"""Of a loop: between two tries it says that it turns, stays in its group, and looks whether it is to stop."""

UNKNOWN_FOR_S = 10.0
LARGEST_ID = 2**31 - 1
BUSY = frozenset({408, 425, 429})
FIRST_FAILING = 500
FORBIDDEN = frozenset({401, 403})


class RegistrySettings(Protocol):
    """What ``smartblood.settings`` says about a schema registry."""

    @property
    def schema_registry_url(self) -> str | None:
        """Where it is; with none, schema ids are the project's own."""

    @property
    def topic_prefix(self) -> str:
        """What precedes the names of topics, and so of subjects: they are named as Kafka's TopicNameStrategy does."""


class HttpRegistry:
    """A registry at a URL.

    Parameters
    ----------
    url : str
        ``http://`` or ``https://``; a user and password before the host are sent by basic authentication.
    patience_s : float
        How long a registry that doesn't answer is waited for in one call, seconds.
    clock, sleep : callable
        Monotonic seconds, and how to wait.
    """

    def __init__(
        self,
        url: str,
        *,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            message = "SMARTBLOOD_SCHEMA_REGISTRY_URL: should be http://host:port or https://host:port"
            raise Fatal(message)
        self._where = parts.hostname + (f":{parts.port}" if parts.port else "")
        self._url = urllib.parse.urlunsplit((parts.scheme, self._where, parts.path.rstrip("/"), "", ""))
        self._headers = {"Accept": f"{CONTENT_TYPE}, application/json", "Content-Type": CONTENT_TYPE}
        if parts.username is not None:
            pair = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
            self._headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        self._patience_s, self._clock, self._sleep = patience_s, clock, sleep
        self._schemas: dict[int, dict[str, Any]] = {}
        self._unknown_at: dict[int, float] = {}
        self._ids: dict[tuple[str, str], int] = {}

    def schema(self, schema_id: int) -> dict[str, Any] | None:
        """Return the schema with this id, or None where the registry doesn't know it or it isn't Avro.

        Raises
        ------
        Retryable
            If the registry doesn't answer.
        Fatal
            If it refuses.
        """
        if schema_id in self._schemas:
            return self._schemas[schema_id]
        if schema_id > LARGEST_ID or self._clock() - self._unknown_at.get(schema_id, -UNKNOWN_FOR_S) < UNKNOWN_FOR_S:
            return None
        found = self._asked("GET", f"/schemas/ids/{schema_id}")
        schema = _avro(found)
        if schema is None:
            if len(self._unknown_at) > 10_000:
                self._unknown_at.clear()
            self._unknown_at[schema_id] = self._clock()
            return None
        self._schemas[schema_id] = schema
        return schema

    def register(self, subject: str, schema: dict[str, Any]) -> int:
        """Return the id of ``schema`` under ``subject``, registering it where it is new.

        Raises
        ------
        Retryable
            If the registry doesn't answer.
        Fatal
            If it refuses.
        """
        text = json.dumps(schema, allow_nan=False)
        known = self._ids.get((subject, text))
        if known is not None:
            return known
        body = json.dumps({"schema": text, "schemaType": "AVRO"}, allow_nan=False).encode()
        found = self._asked("POST", f"/subjects/{urllib.parse.quote(subject, safe='')}/versions", body)
        if found is None or not isinstance(found.get("id"), int):
            message = f"the schema registry at {self._where} doesn't take the schema of {subject}: compare its versions"
            raise Fatal(message)
        schema_id = int(found["id"])
        self._ids[subject, text] = schema_id
        self._schemas[schema_id] = schema
        return schema_id

    def _asked(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any] | None:
        """Ask until there is an answer; None where the registry says that there is no such thing."""
        began, wait_s = self._clock(), 0.1
        while True:
            try:
                return self._ask(method, path, body)
            except Retryable:
                if self._clock() - began + wait_s > self._patience_s:
                    raise
            self._sleep(wait_s)
            wait_s = min(2 * wait_s, 2.0)

    def _ask(self, method: str, path: str, body: bytes | None) -> dict[str, Any] | None:
        request = urllib.request.Request(self._url + path, body, self._headers, method=method)  # noqa: S310 - checked above
        try:
            with urllib.request.urlopen(request, timeout=CALL_S) as answer:  # noqa: S310 - checked above
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            self._check(error.code)
            return None
        except (OSError, http.client.HTTPException, ValueError) as error:
            message = f"the schema registry at {self._where} doesn't answer: {type(error).__name__}"
            raise Retryable(message) from error
        return found if isinstance(found, dict) else None

    def _check(self, status: int) -> None:
        """Raise where a status means anything but that there is no such thing."""
        if status in FORBIDDEN:
            message = f"the schema registry at {self._where} refuses us ({status}): set user and password in its URL"
            raise Fatal(message)
        if status in BUSY or status >= FIRST_FAILING:
            message = f"the schema registry at {self._where} can't answer now ({status})"
            raise Retryable(message)


def codec_of(settings: RegistrySettings, *, patience_s: float = PATIENCE_S) -> Codec:
    """Return a codec with the registry that is set, or with the project's own schema ids where there is none.

    Parameters
    ----------
    settings : RegistrySettings
    patience_s : float
        How long one call waits for a registry that doesn't answer, seconds.
    """
    url = settings.schema_registry_url
    return Codec(HttpRegistry(url, patience_s=patience_s) if url else None, topic_prefix=settings.topic_prefix)


def _avro(found: dict[str, Any] | None) -> dict[str, Any] | None:
    if found is None or found.get("schemaType", "AVRO") != "AVRO" or found.get("references"):
        return None
    try:
        schema = json.loads(found["schema"])
    except (KeyError, TypeError, ValueError):
        return None
    return schema if isinstance(schema, dict) else None
