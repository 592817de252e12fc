"""What every upload passes before the application sees it: a place in the queue, a size limit, a folder of its own.

Plain ASGI, around the application rather than in it: frameworks read a form's body before any handler runs.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)
_RETRY_AFTER = "5"


class Gate:
    """Admits at most `places` uploads at once, each of at most `max_body` bytes and without a pause longer than
    `stall_limit` seconds. The request's folder, `request.state.folder`, is gone when the response is sent or
    the client has left."""

    def __init__(self, app: ASGIApp, places: int, max_body: int, stall_limit: float) -> None:
        self._app = app
        self._free = places
        self._max_body = max_body
        self._stall_limit = stall_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["method"] not in ("POST", "PUT"):
            await self._app(scope, receive, _guarded(send))
        elif _declared(scope) > self._max_body:
            await _refuse(_guarded(send), 413, "TooLarge", f"the limit is {self._max_body} bytes")
        elif not self._free:
            await _refuse(_guarded(send), 503, "Busy", "the queue is full; try again", retry_after=_RETRY_AFTER)
        else:
            await self._admit(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._free -= 1
        try:
            with tempfile.TemporaryDirectory(prefix="biaoshi-", ignore_cleanup_errors=True) as folder:
                scope.setdefault("state", {})["folder"] = Path(folder)
                await self._app(scope, self._bounded(receive), _guarded(send))
        finally:
            self._free += 1

    def _bounded(self, receive: Receive) -> Receive:
        """`receive`, until the body is longer or slower than allowed."""
        size = 0
        arriving = True

        async def bounded() -> Message:
            nonlocal size, arriving
            if not arriving:  # what remains is the client's leaving, which may take as long as our work
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), self._stall_limit)
            except TimeoutError:
                raise HTTPException(408, f"no byte came for {self._stall_limit:g} s; send the file again") from None
            size += len(message.get("body", b""))
            arriving = message.get("more_body", False)
            if size > self._max_body:
                raise HTTPException(413, f"the body is over the limit of {self._max_body} bytes")
            return message

        return bounded


def _declared(scope: Scope) -> int:
    """The body's length as the client states it; 0 where it does not."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0


def _guarded(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *_HEADERS]
        await send(message)

    return guarded


async def _refuse(send: Send, status: int, kind: str, message: str, retry_after: str = "") -> None:
    body = json.dumps({"error": {"type": kind, "message": message}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if retry_after:
        headers.append((b"retry-after", retry_after.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
