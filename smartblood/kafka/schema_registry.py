"""A Confluent-compatible schema registry over plain HTTP; optional.

What is known once is remembered: a schema id never changes its meaning. An id that the registry doesn't know is
remembered for a little while only, since it may be registered a moment later.

References
----------
Confluent Schema Registry API, version 1: ``GET /schemas/ids/{id}``, ``POST /subjects/{subject}/versions``,
``GET /subjects``; errors have an ``error_code`` of their own.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any, NoReturn, Protocol

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
        parts, self._where = _split(url)
        self._path = parts.path.rstrip("/")
        self._url = urllib.parse.urlunsplit((parts.scheme, self._where, self._path, "", ""))
        self._headers = {"Accept": f"{CONTENT_TYPE}, application/json", "Content-Type": CONTENT_TYPE}
        if parts.username is not None:
            pair = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
            self._headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        self._patience_s, self._clock, self._sleep = patience_s, clock, sleep
        self._is_registry = False
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

    def subjects(self) -> list[str]:
        """Return what schemas are registered under; by this a URL is seen to be a registry's.

        Raises
        ------
        Retryable
            If none answers.
        Fatal
            If it refuses.
        """
        try:
            found = self._read("GET", "/subjects", None)
        except urllib.error.HTTPError as error:
            self._check(error.code)
            self._complain(str(error.code))
        if not isinstance(found, list):
            self._complain("its answer is no list of subjects")
        self._is_registry = True
        return found

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
        try:
            found = self._read(method, path, body)
        except urllib.error.HTTPError as error:
            self._check(error.code)
            if self._is_its_word(error):
                return None
            self._complain(str(error.code))
        if not isinstance(found, dict) or not found.keys() & {"schema", "id"}:
            self._complain("its answer has neither a schema nor an id")
        self._is_registry = True
        return found

    def _read(self, method: str, path: str, body: bytes | None) -> Any:  # noqa: ANN401 - what JSON there is
        request = urllib.request.Request(self._url + path, body, self._headers, method=method)  # noqa: S310 - checked above
        try:
            with urllib.request.urlopen(request, timeout=CALL_S) as answer:  # noqa: S310 - checked above
                return json.load(answer)
        except urllib.error.HTTPError:
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            message = f"the schema registry at {self._where} doesn't answer: {type(error).__name__}"
            raise Retryable(message) from error

    def _check(self, status: int) -> None:
        """Raise where a status means anything but that there is no such thing."""
        if status in FORBIDDEN:
            message = f"the schema registry at {self._where} refuses us ({status}): set user and password in its URL"
            raise Fatal(message)
        if status in BUSY or status >= FIRST_FAILING:
            message = f"the schema registry at {self._where} can't answer now ({status})"
            raise Retryable(message)

    def _is_its_word(self, error: urllib.error.HTTPError) -> bool:
        """Tell whether a registry says that there is no such thing, or somebody who knows of no registry.

        A proxy without a server behind it, or a URL without the registry's path, has a 404 for everything: records
        whose schemas are known would all be refused.
        """
        try:
            said = json.load(error)
        except (OSError, http.client.HTTPException, ValueError):
            said = None
        if isinstance(said, dict) and isinstance(said.get("error_code"), int):
            return True
        if not self._is_registry:
            with contextlib.suppress(Fatal, Retryable):
                self.subjects()
        return self._is_registry

    def _complain(self, why: str) -> NoReturn:
        message = f"what answers at {self._where}{self._path} is no schema registry ({why}): "
        raise Retryable(message + "look at SMARTBLOOD_SCHEMA_REGISTRY_URL")


def _split(url: str) -> tuple[urllib.parse.SplitResult, str]:
    """Return a URL's parts, and its host and port."""
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError:  # brackets that don't close, a port that is none
        parts, port = urllib.parse.urlsplit(""), None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        message = "SMARTBLOOD_SCHEMA_REGISTRY_URL: should be http://host:port or https://host:port"
        raise Fatal(message)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return parts, host + (f":{port}" if port else "")


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
