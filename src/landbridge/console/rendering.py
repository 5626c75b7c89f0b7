"""Templates and assets, and the headers of every answer.

Assets stand in the program itself; their addresses have a hash of their content, so browsers keep them for ever.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any
from urllib.parse import urlencode

import jinja2
from starlette.responses import Response

from landbridge.wire import body

#: Nothing is loaded from elsewhere, no script and no style stands in a page, no other site may show a page in a frame.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_PACKAGE = __name__.rpartition(".")[0]
_FOLDER = resources.files(_PACKAGE)


def _environment(folder: Traversable) -> jinja2.Environment:
    """The templates as they are now. An upgrade replaces the files while the service of before still runs: new templates need new code."""
    return jinja2.Environment(
        loader=jinja2.DictLoader({file.name: file.read_text("utf-8") for file in folder.iterdir()}),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


_ENVIRONMENT = _environment(_FOLDER / "templates")


def _load_assets() -> dict[str, tuple[str, bytes]]:
    """Name with its hash -> type and content."""
    blocks = {}
    for file in (_FOLDER / "assets").iterdir():
        stem, suffix = file.name.split(".")
        content = file.read_bytes()
        blocks[f"{stem}.{hashlib.sha256(content).hexdigest()[:12]}.{suffix}"] = (_TYPES[suffix], content)
    return blocks


ASSETS = _load_assets()
_ADDRESSES = {name.split(".")[0] + "." + name.split(".")[-1]: f"/console/assets/{name}" for name in ASSETS}
#: Changes with every version of the program's pages.
VERSION = hashlib.sha256("".join(sorted(ASSETS)).encode()).hexdigest()[:12]


def asset(name: str) -> Response:
    """The asset with this name and hash; 404 for another one."""
    if name not in ASSETS:
        return Response("no such file", 404, HEADERS, "text/plain")
    kind, content = ASSETS[name]
    return Response(content, 200, HEADERS | {"Cache-Control": "public, max-age=31536000, immutable"}, kind)


def render(template: str, values: Mapping[str, Any]) -> str:
    return _ENVIRONMENT.get_template(template).render(values)


def respond(html: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(html, status, HEADERS | dict(headers or {}), "text/html")


# -- what templates call ----------------------------------------------------------------------------------------------


def _ago(moment: datetime | None, now: datetime | None = None) -> str:
    """Returns how long ago, in the two largest units that matter: `3 d 4 h`."""
    if moment is None:
        return "unknown"
    seconds = max(0, int(((now or datetime.now(UTC)) - moment).total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 60:
        return f"{minutes} min"
    if hours < 24:
        return f"{hours} h {minutes % 60} min"
    return f"{days} d {hours % 24} h" if days < 10 else f"{days} d"


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def _count(number: int) -> str:
    return f"{number:,}".replace(",", "\u202f")


def _size(number: int) -> str:
    """Bytes in the unit that keeps three digits."""
    value = float(number)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.3g} {unit}"
        value /= 1024
    return f"{value:.3g} TiB"


def _query(given: Mapping[str, Any], **changes: Any) -> str:
    """A query with these changes; a value of None or an empty one leaves the name out."""
    merged = {**given, **changes}
    text = urlencode([(name, value) for name, value in merged.items() if value not in (None, "")])
    return f"?{text}" if text else "?"


_ENVIRONMENT.filters |= {"ago": _ago, "moment": _moment, "iso": _iso, "count": _count, "size": _size}
_ENVIRONMENT.globals |= {"asset": _ADDRESSES.__getitem__, "query": _query, "form_limit": body.BODY_LIMIT}
_ENVIRONMENT.globals["m"] = _ENVIRONMENT.get_template("macros.html").module
