"""The HTTP service: uploads to jobs, results to responses. Client names never become paths.

A file arrives as the raw body of a PUT, which streams to disk, or as the field `file` of a form (POST). The
work is done by worker processes; the event loop only moves bytes.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeVar
from urllib.parse import quote

import uvicorn
from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, Response

from labeler.containers import containers
from policies.errors import BadInput, ToolkitError
from policies.policy import load, names
from service import render, settings
from service.batch import Worker, crew
from service.docs import page
from service.gate import Gate
from service.jobs import Job, LabelOptions, failed, label_file, verify_file
from service.render import Json
from service.settings import ServiceSettings

_STATUS = {
    "BadInput": 422,
    "Unsupported": 415,
    "TooLarge": 413,
    "MissingDependency": 501,
    "TimeLimit": 504,
}
"""Error type -> status; any other is the service's own fault, 500."""
_MAX_FIELD = 64 << 10  # bytes of one form field that is not the file
_FORM_OVERHEAD = 1 << 20  # bytes a form may have around its file
_NAME_LENGTH = 200


class VerifyFields(BaseModel):
    """What a verification may say beside the file."""

    model_config = ConfigDict(extra="forbid")

    filename: str = Field("", description="The file's name; its ending tells text formats apart")
    policy: str = Field("", description="Name of a packaged policy; GET /v1/policies lists them")


class LabelFields(VerifyFields):
    """What a labelling may say beside the file."""

    producer: str = Field("", description="Provider code or name of who generated the content")
    produce_id: str = Field("", description="Its number at the producer; a fresh UUID otherwise")
    reserved_code: str = Field("", description="ReservedCode1, for the producer's own use")
    marks: str = Field("", description="explicit,metadata or one of them; what the policy requires otherwise")
    text: str = Field("", description="Wording of the notice")
    language: Literal["", "zh", "en", "zh-en"] = Field("", description="Suggested wording in this language")
    position: str = Field("", description="Edge or corner of the picture: top-left … bottom-right")
    height: str = Field("", description="Height of the letters in percent of the shortest side")
    seconds: float | None = Field(None, gt=0, description="Video: how long the notice shows")
    whole_clip: bool | None = Field(None, description="Video: show it all along")
    cue: Literal["", "voice", "rhythm"] = Field("", description="Audio: spoken notice or rhythm")
    place: Literal["", "start", "end", "both"] = Field("", description="Audio and text: where the notice goes")
    form: Literal["", "line", "corner"] = Field("", description="Text: a line of its own or a corner mark")
    force: bool = Field(False, description="Replace a label too damaged to read")


_Fields = TypeVar("_Fields", bound=VerifyFields)


@dataclass(frozen=True, slots=True)
class Upload:
    """A client's file on our disk, its cleaned name, and the fields that came with it."""

    path: Path
    name: str
    fields: Mapping[str, str]


class Lanes:
    """The worker processes, one job each at a time; who finds none idle waits."""

    def __init__(self, threads: ThreadPoolExecutor, workers: list[Worker], time_limit: float) -> None:
        self._threads = threads
        self._time_limit = time_limit
        self._idle: asyncio.Queue[Worker] = asyncio.Queue()
        for worker in workers:
            self._idle.put_nowait(worker)

    async def run(self, job: Job) -> Json:
        worker = await self._idle.get()
        work = asyncio.get_running_loop().run_in_executor(self._threads, worker.run, job, self._time_limit)
        work.add_done_callback(lambda _: self._idle.put_nowait(worker))
        # A request that is given up must not hand its worker on before that has finished.
        return await asyncio.shield(work)


def create_app(chosen: ServiceSettings | None = None) -> FastAPI:
    """The ASGI application: `uvicorn --factory service.app:create_app`, or `biaoshi serve`."""
    limits = chosen or ServiceSettings.of(settings.load())
    load(limits.policy)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        count = limits.processes
        # The workers end first: a thread waits for as long as its worker works.
        with ThreadPoolExecutor(count, thread_name_prefix="lane") as threads, crew(count) as workers:
            app.state.lanes = Lanes(threads, workers, limits.time_limit)
            yield

    app = FastAPI(
        title="biaoshi",
        version=version("biaoshi"),
        description="Labels AI-generated media as GB 45438-2025 asks, and verifies media against a policy.",
        docs_url=None,  # FastAPI's pages load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.limits = limits
    app.add_middleware(
        Gate,
        places=limits.processes + limits.queue,
        max_body=limits.max_upload + _FORM_OVERHEAD,
        stall_limit=limits.stall_limit,
    )
    app.add_exception_handler(ToolkitError, _refused)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Exception, _refused)
    _routes(app)
    return app


_NOT_STARTED = 3
"""uvicorn's exit code where it could not listen; it has said why. Ours means that something is not installed."""


def serve(chosen: ServiceSettings) -> None:
    """Serve until told to stop. Raises BadInput where the address cannot be listened on."""
    try:
        uvicorn.run(create_app(chosen), host=chosen.host, port=chosen.port, server_header=False)
    except SystemExit as error:
        if error.code != _NOT_STARTED:
            raise
        raise BadInput(f"cannot listen on {chosen.host}:{chosen.port}; choose another --host or --port") from None


def _routes(app: FastAPI) -> None:
    for path, endpoint, fields in (("/v1/label", label, LabelFields), ("/v1/verify", verify, VerifyFields)):
        verb = endpoint.__name__.capitalize()
        app.put(path, summary=f"{verb} a file, sent raw", openapi_extra=_raw(fields), response_class=Response)(endpoint)
        app.post(path, summary=f"{verb} a file, sent as a form", openapi_extra=_form(fields), response_class=Response)(
            endpoint
        )
    app.get("/v1/policies", summary="List the policies")(policies)
    app.get("/v1/policies/{name}", summary="A policy's requirements, with clauses and sources")(policy)
    app.get("/healthz", summary="Whether the service is up")(health)
    app.get("/docs", include_in_schema=False)(docs)


async def label(request: Request) -> Response:
    """The labelled file is the response's body; what was done stands as JSON in the header X-Biaoshi-Result."""
    limits: ServiceSettings = request.app.state.limits
    upload = await _receive(request, limits.max_upload)
    fields = _parse(LabelFields, upload.fields).model_dump()
    fields["policy"] = _policy_name(fields["policy"], limits)
    options = LabelOptions.of(fields | {"producer": fields["producer"] or limits.producer})
    target = upload.path.with_name("labelled")
    arguments = (str(upload.path), str(target), options, upload.name)
    result = await request.app.state.lanes.run(Job(upload.name, label_file, arguments))
    if "error" in result:
        return _failure(request, result)
    result["target"] = upload.name
    headers = {"Content-Disposition": disposition(upload.name), "X-Biaoshi-Result": render.to_json(result)}
    mime = containers()[result["container"]].MIME
    return FileResponse(target, media_type=mime, headers=headers)


async def verify(request: Request) -> Response:
    """The report: a verdict for each requirement, and all findings."""
    limits: ServiceSettings = request.app.state.limits
    upload = await _receive(request, limits.max_upload)
    chosen = _policy_name(_parse(VerifyFields, upload.fields).policy, limits)
    arguments = (str(upload.path), chosen, upload.name)
    result = await request.app.state.lanes.run(Job(upload.name, verify_file, arguments))
    return _failure(request, result) if "error" in result else _json(result)


async def policies() -> Response:
    return _json({"policies": [render.policy_head(load(name)) for name in names()]})


async def policy(name: str) -> Response:
    if name not in names():
        raise HTTPException(404, f"no policy called {name!r}; GET /v1/policies lists them")
    return _json(render.policy(load(name)))


async def health() -> Response:
    return _json({"status": "ok", "version": version("biaoshi")})


async def docs(request: Request) -> Response:
    return HTMLResponse(page(request.app.openapi()))


async def _receive(request: Request, limit: int) -> Upload:
    """Put the client's file on disk, in the request's own folder, under a name of ours."""
    path: Path = request.state.folder / "upload"
    if request.method == "PUT":
        await _stream(request, path, limit)
        given = dict(request.query_params)
        return Upload(path, clean_name(given.get("filename", "")), given)
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise BadInput("a POST wants multipart/form-data with the file as field `file`; send a raw body by PUT")
    # Bounded here, because starlette lets a form's fields take a gigabyte of memory.
    async with request.form(max_files=1, max_fields=64, max_part_size=_MAX_FIELD) as form:
        file = form.get("file")
        fields = {key: value for key, value in form.items() if isinstance(value, str)}
        if not isinstance(file, UploadFile):
            raise BadInput("send the file as the form field `file`")
        if (file.size or 0) > limit:
            raise HTTPException(413, f"the file is over the limit of {limit} bytes")
        await asyncio.to_thread(_copy, file.file, path)
        return Upload(path, clean_name(fields.get("filename") or file.filename or ""), fields)


async def _stream(request: Request, path: Path, limit: int) -> None:
    size = 0
    with path.open("wb") as out:
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                raise HTTPException(413, f"the file is over the limit of {limit} bytes")
            await asyncio.to_thread(out.write, chunk)


def _copy(source: BinaryIO, path: Path) -> None:
    with path.open("wb") as out:
        shutil.copyfileobj(source, out, 1 << 20)


def _parse(kind: type[_Fields], fields: Mapping[str, str]) -> _Fields:
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise BadInput(f"{told}; /docs lists the fields") from None


def _policy_name(asked: str, limits: ServiceSettings) -> str:
    """Only names from outside: a path would let a client read the server's files."""
    if asked and asked not in names():
        raise BadInput(f"no policy called {asked!r}; try: {', '.join(names())}")
    return asked or limits.policy


def clean_name(name: str) -> str:
    """A client's file name without folders, control characters and excess length; "upload" where nothing is left."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    kept = "".join(c for c in last if c.isprintable()).strip().strip(".")
    if len(kept) > _NAME_LENGTH:
        kept = kept[: _NAME_LENGTH // 2] + kept[-_NAME_LENGTH // 2 :]  # the ending tells the format
    return kept or "upload"


def disposition(name: str) -> str:
    """Content-Disposition for a cleaned name (RFC 6266): plain ASCII for old clients, UTF-8 beside it."""
    plain = "".join(c if c.isascii() and c not in '"\\%;' else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _json(content: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    # ASCII: what a file says of itself need not be encodable.
    return Response(render.to_json(content), status, headers, media_type="application/json")


def _failure(request: Request, result: Json) -> Response:
    error = result["error"]
    message = error["message"].replace(f"{request.state.folder}{os.sep}", "")  # our folders are no client's business
    return _json({"error": {"type": error["type"], "message": message}}, _STATUS.get(error["type"], 500))


async def _refused(request: Request, error: Exception) -> Response:
    """Any error as the JSON that the service's errors have."""
    if isinstance(error, HTTPException):
        name = "TooLarge" if error.status_code == 413 else HTTPStatus(error.status_code).phrase.replace(" ", "")
        body = {"error": {"type": name, "message": str(error.detail)}}
        return _json(body, error.status_code, error.headers)
    if isinstance(error, ToolkitError):
        return _failure(request, failed("", error))
    return _json({"error": {"type": "InternalError", "message": "this is a bug in biaoshi; the log has more"}}, 500)


def _raw(kind: type[BaseModel]) -> dict[str, Any]:
    """OpenAPI for a raw body with the fields in the query."""
    schema = kind.model_json_schema()
    parameters = [
        {"name": name, "in": "query", "description": field.pop("description"), "schema": field}
        for name, field in schema["properties"].items()
    ]
    body = {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string"}}}}
    return {"parameters": parameters, "requestBody": body}


def _form(kind: type[BaseModel]) -> dict[str, Any]:
    """OpenAPI for a form with the file and the fields."""
    schema = kind.model_json_schema()
    file = {"type": "string", "format": "binary", "description": "The file"}
    schema["properties"] = {"file": file, **schema["properties"]}
    schema["required"] = ["file"]
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}
