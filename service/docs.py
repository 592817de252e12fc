"""The page /docs: the OpenAPI document as plain HTML. No script, nothing fetched from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h2 { margin: 2.5rem 0 0; font-size: 1.1rem } code { font-size: .95em }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .2rem 1rem .2rem 0 }
tr { border-bottom: 1px solid #ddd; vertical-align: top }
pre { background: #f4f4f4; padding: .8rem; overflow-x: auto }
"""

_EXAMPLE = """curl -T photo.png -o labelled.png \\
  "http://127.0.0.1:8000/v1/label?filename=photo.png&producer=001191110102MACQD9K64010000"
curl -F file=@labelled.png http://127.0.0.1:8000/v1/verify"""

_ERRORS = (
    "Errors are JSON, <code>{&quot;error&quot;: {&quot;type&quot;, &quot;message&quot;}}</code>: 413 too large, "
    "415 not a format biaoshi knows, 422 a file or field that cannot be used, 501 something is not installed, "
    "503 the queue is full (see Retry-After), 504 the work took too long."
)


def page(openapi: dict[str, Any]) -> str:
    """The document as one HTML page."""
    info = openapi["info"]
    title = escape(f"{info['title']} {info['version']}")
    operations = "".join(_operations(openapi))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body><main>'
        f"<h1>{title}</h1><p>{escape(info['description'])}</p><pre>{escape(_EXAMPLE)}</pre><p>{_ERRORS}</p>"
        f'<p>For machines: <a href="openapi.json">openapi.json</a></p>{operations}</main></body></html>'
    )


def _operations(openapi: dict[str, Any]) -> Iterator[str]:
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            yield f"<h2><code>{method.upper()} {escape(path)}</code></h2>"
            yield f"<p>{escape(operation['summary'])}. {escape(operation.get('description', ''))}</p>"
            rows = "".join(_row(*field) for field in _fields(operation))
            if rows:
                yield f"<table><tr><th>Field<th>Where<th>Meaning</tr>{rows}</table>"


def _fields(operation: dict[str, Any]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    for parameter in operation.get("parameters", ()):
        yield parameter["name"], parameter["in"], parameter.get("description", ""), parameter["schema"]
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        for name, schema in content["schema"].get("properties", {}).items():
            yield name, "form", schema.get("description", ""), schema
        if "properties" not in content["schema"]:
            yield "(the file)", "body", kind, {}


def _row(name: str, where: str, meaning: str, schema: dict[str, Any]) -> str:
    choices = ", ".join(str(choice) for choice in schema.get("enum", ()) if choice)
    told = f"{meaning} ({choices})" if choices else meaning
    return f"<tr><td><code>{escape(name)}</code><td>{escape(where)}<td>{escape(told)}</tr>"
