"""The HTTP service: what it takes, what it gives back, what it refuses, and what it leaves behind."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from service.app import Lanes, clean_name, disposition
from service.batch import crew
from service.jobs import Job
from service.settings import ServiceSettings
from tests.conftest import CODE, LABEL, run, sample, tool
from tests.service.server import client_of, serving

METADATA = {"producer": CODE, "marks": "metadata"}


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with client_of(ServiceSettings(workers=1)) as client:
        yield client


@pytest.fixture
def png() -> bytes:
    return sample("png").read_bytes()


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the service puts uploads during this test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def emptied(folder: Path) -> bool:
    """Whether the folder becomes empty, given a while."""
    deadline = time.monotonic() + 60
    while any(folder.iterdir()):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


# ---- what it does


@pytest.mark.parametrize("how", ["put", "post"])
def test_label_returns_the_labelled_file(client: httpx.Client, png: bytes, tmp_path: Path, how: str) -> None:
    fields = METADATA | {"produce_id": LABEL.produce_id}
    if how == "put":
        response = client.put("/v1/label", params=fields | {"filename": "图.png"}, content=png)
    else:
        response = client.post("/v1/label", data=fields, files={"file": ("图.png", png)})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "image/png"
    assert "filename*=UTF-8''%E5%9B%BE.png" in response.headers["content-disposition"]
    result = json.loads(response.headers["x-biaoshi-result"])
    assert (result["source"], result["label"]) == ("图.png", LABEL.as_dict())
    (tmp_path / "labelled.png").write_bytes(response.content)
    assert CODE in run(tool("exiftool"), "-XMP:all", "-b", tmp_path / "labelled.png")


@pytest.mark.parametrize("how", ["put", "post"])
def test_verify_reports_on_what_label_returned(client: httpx.Client, png: bytes, how: str) -> None:
    labelled = client.put("/v1/label", params=METADATA, content=png).content
    if how == "put":
        report = client.put("/v1/verify", params={"filename": "x.png"}, content=labelled).json()
    else:
        report = client.post("/v1/verify", files={"file": ("x.png", labelled)}).json()
    assert report["source"] == "x.png"
    assert {r["id"]: r["verdict"] for r in report["requirements"]}["metadata.item"] == "met"


def test_policies_are_listed_and_shown(client: httpx.Client) -> None:
    assert "cn" in {p["id"] for p in client.get("/v1/policies").json()["policies"]}
    assert client.get("/v1/policies/cn").json()["requirements"]
    assert client.get("/v1/policies/atlantis").status_code == 404
    assert client.get("/v1/policies/..%2Fcn.toml").status_code == 404


def test_health(client: httpx.Client) -> None:
    assert client.get("/healthz").json()["status"] == "ok"


def test_the_docs_page_names_every_field_and_fetches_nothing(client: httpx.Client) -> None:
    page = client.get("/docs").text
    assert all(f"<code>{field}</code>" in page for field in ("filename", "producer", "whole_clip", "file"))
    assert "<script" not in page
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page)


def test_the_openapi_document_describes_both_ways_of_sending(client: httpx.Client) -> None:
    label = client.get("/openapi.json").json()["paths"]["/v1/label"]
    assert {p["name"] for p in label["put"]["parameters"]} >= {"producer", "filename", "marks"}
    form = label["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["required"] == ["file"]


def test_the_settings_producer_labels_by_default(png: bytes) -> None:
    with client_of(ServiceSettings(workers=1, producer="house")) as client:
        response = client.put("/v1/label", params={"marks": "metadata"}, content=png)
    assert json.loads(response.headers["x-biaoshi-result"])["label"]["ContentProducer"] == "house"


# ---- what it refuses


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"font": "/etc/passwd"}, "font"),
        ({"policy": "/etc/cn.toml"}, "no policy called"),
        ({"policy": "../policies/cn.toml"}, "no policy called"),
        ({"marks": "invisible"}, "marks"),
        ({"cue": "song"}, "cue"),
        ({"height": "0.06"}, "6 %"),
        ({"produce_id": "with space"}, "Annex E j)"),
    ],
)
def test_unusable_fields_are_422_and_named(client: httpx.Client, png: bytes, fields: dict[str, str], says: str) -> None:
    response = client.put("/v1/label", params=METADATA | fields, content=png)
    assert response.status_code == 422
    assert response.json()["error"]["type"] == "BadInput"
    assert says in response.json()["error"]["message"]


def test_without_a_producer_the_remedy_is_named(client: httpx.Client, png: bytes) -> None:
    response = client.put("/v1/label", content=png)
    assert response.status_code == 422
    assert "producer" in response.json()["error"]["message"]


def test_an_unknown_format_is_415(client: httpx.Client) -> None:
    response = client.put("/v1/verify", content=b"\0\1\2 nothing known")
    assert (response.status_code, response.json()["error"]["type"]) == (415, "Unsupported")


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n\xff\xff\xff\xff"])
def test_an_empty_or_cut_file_is_422_without_our_paths(client: httpx.Client, content: bytes) -> None:
    response = client.put("/v1/label", params=METADATA | {"filename": "x.png"}, content=content)
    assert response.status_code == 422
    assert tempfile.gettempdir() not in response.text


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"a=b", "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
        (b"--x--\r\n", "multipart/form-data; boundary=x"),
        (b"rubbish", "multipart/form-data; boundary=x"),
        (b"rubbish", "multipart/form-data"),
    ],
)
def test_a_post_without_a_file_is_refused(client: httpx.Client, body: bytes, kind: str) -> None:
    response = client.post("/v1/verify", content=body, headers={"Content-Type": kind})
    assert response.status_code in (400, 422)
    assert response.json()["error"]["message"]


def test_two_files_in_one_form_are_refused(client: httpx.Client, png: bytes) -> None:
    response = client.post("/v1/verify", files=[("file", ("a.png", png)), ("file", ("b.png", png))])
    assert response.status_code == 400


def test_an_unknown_path_is_json_too(client: httpx.Client) -> None:
    assert client.get("/nowhere").json()["error"]["type"] == "NotFound"


def test_answers_carry_the_security_headers(client: httpx.Client) -> None:
    headers = client.get("/healthz").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "access-control-allow-origin" not in headers


# ---- names


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\a.png", "a.png"),
        ("a\r\nSet-Cookie: x.png", "aSet-Cookie: x.png"),
        ("", "upload"),
        ("..", "upload"),
        ("\0", "upload"),
        ("图片.png", "图片.png"),
    ],
)
def test_client_names_become_names_only(name: str, clean: str) -> None:
    assert clean_name(name) == clean


def test_a_long_name_keeps_its_ending() -> None:
    assert len(clean_name("x" * 9999 + ".png")) == 200
    assert clean_name("x" * 9999 + ".png").endswith(".png")


def test_a_name_cannot_break_out_of_its_header() -> None:
    assert disposition('a";x="b.png') == "attachment; filename=\"a__x=_b.png\"; filename*=UTF-8''a%22%3Bx%3D%22b.png"


# ---- limits, on a real server


def test_a_file_streams_in_and_out(png: bytes, scratch: Path) -> None:
    padding = bytes(8 << 20)  # bytes behind IEND stay as they are
    chunks = (piece for piece in (png, padding))
    with serving(ServiceSettings(workers=1)) as url:
        response = httpx.put(f"{url}/v1/label", params=METADATA, content=chunks, timeout=120)
        assert response.status_code == 200, response.text
        assert response.content.endswith(padding[:1000])
        assert emptied(scratch)


def test_a_declared_length_over_the_limit_is_413_at_once() -> None:
    with serving(ServiceSettings(workers=1, max_upload=1000)) as url:
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
        connection.putrequest("PUT", "/v1/verify")
        connection.putheader("Content-Length", str(1 << 40))
        connection.endheaders()  # and not a byte of the terabyte
        response = connection.getresponse()
        assert response.status == 413
        assert json.loads(response.read())["error"]["type"] == "TooLarge"
        connection.close()


@pytest.mark.parametrize("form", [False, True])
def test_a_body_of_unknown_length_is_413_when_it_passes_the_limit(scratch: Path, form: bool) -> None:
    start = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n' if form else b""
    with serving(ServiceSettings(workers=1, max_upload=1000)) as url:
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
        connection.putrequest("POST" if form else "PUT", "/v1/verify")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.putheader("Content-Type", "multipart/form-data; boundary=x")
        connection.endheaders()
        body = start + bytes(2 << 20)
        connection.send(b"%x\r\n%s\r\n" % (len(body), body))  # and no end
        response = connection.getresponse()
        assert response.status == 413
        assert json.loads(response.read())["error"]["type"] == "TooLarge"
        connection.close()
        assert emptied(scratch)


def test_a_full_queue_is_503_with_retry_after(png: bytes) -> None:
    with serving(ServiceSettings(workers=1, queue=0)) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as slow:
            slow.sendall(b"PUT /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
            refused = _until(url, png, 503)
            assert int(refused.headers["retry-after"]) > 0
            assert httpx.get(f"{url}/healthz").status_code == 200
        assert _until(url, png, 200).json()["source"] == "upload"


def _until(url: str, content: bytes, status: int) -> httpx.Response:
    """The first answer with that status."""
    deadline = time.monotonic() + 60
    while (response := httpx.put(f"{url}/v1/verify", content=content, timeout=60)).status_code != status:
        assert time.monotonic() < deadline, response.text
        time.sleep(0.05)
    return response


def test_a_stalled_upload_is_given_up(scratch: Path) -> None:
    with serving(ServiceSettings(workers=1, stall_limit=0.3)) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=60) as slow:
            slow.sendall(b"PUT /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
            assert b" 408 " in slow.recv(4096).split(b"\r\n")[0]
        assert emptied(scratch)


def test_an_upload_broken_off_leaves_nothing(scratch: Path) -> None:
    with serving(ServiceSettings(workers=1)) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as client:
            client.sendall(b"PUT /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + bytes(200_000))
            deadline = time.monotonic() + 60
            while not any(scratch.glob("biaoshi-*/upload")):
                assert time.monotonic() < deadline
                time.sleep(0.02)
        assert emptied(scratch)
        assert httpx.get(f"{url}/healthz").status_code == 200


def test_work_over_its_time_is_504(png: bytes) -> None:
    with client_of(ServiceSettings(workers=1, time_limit=0.001)) as client:
        response = client.put("/v1/verify", content=png)
        assert (response.status_code, response.json()["error"]["type"]) == (504, "TimeLimit")


def test_a_crashed_worker_is_replaced_and_only_its_request_fails() -> None:
    async def work() -> list[dict[str, object]]:
        with ThreadPoolExecutor(2) as threads, crew(2) as workers:
            lanes = Lanes(threads, workers, 60)
            jobs = [Job("poison", os.abort, ()), *(Job(str(i), dict, ({"source": str(i)},)) for i in range(4))]
            return await asyncio.gather(*(lanes.run(job) for job in jobs))

    poison, *others = asyncio.run(work())
    assert "Crashed" in str(poison)
    assert [other["source"] for other in others] == ["0", "1", "2", "3"]


def test_the_event_loop_stays_free_while_work_is_done(png: bytes) -> None:
    with serving(ServiceSettings(workers=1)) as url:
        work = threading.Thread(target=httpx.put, args=(f"{url}/v1/verify",), kwargs={"content": png, "timeout": 60})
        work.start()
        assert httpx.get(f"{url}/healthz", timeout=30).status_code == 200
        work.join()
