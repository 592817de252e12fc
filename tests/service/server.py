"""The service on a real server, for tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn

from service.app import create_app
from service.settings import ServiceSettings


@contextmanager
def serving(settings: ServiceSettings) -> Iterator[str]:
    """A server on a free port of this machine; its base URL."""
    server = uvicorn.Server(uvicorn.Config(create_app(settings), port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.02)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(60)


@contextmanager
def client_of(settings: ServiceSettings) -> Iterator[httpx.Client]:
    """A client of such a server."""
    with serving(settings) as url, httpx.Client(base_url=url, timeout=120) as client:
        yield client
