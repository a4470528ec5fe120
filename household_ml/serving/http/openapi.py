"""The OpenAPI description of the API, made from its messages, and a page that shows it.

The page is drawn here, on the server: it fetches nothing from anywhere.
"""

from __future__ import annotations

import json
from typing import Any, Final

from jinja2 import Environment, PackageLoader

from household_ml import __version__
from household_ml.config import ServiceConfig
from household_ml.serving.http.messages import components
from household_ml.serving.http.problems import MEDIA_TYPE as PROBLEM

__all__ = ["EXAMPLE", "describe", "docs_page"]

#: A request that works.
EXAMPLE: Final[dict[str, Any]] = {
    "account_id": "A-1",
    "extra_members": 0,
    "sessions": [
        {
            "device_id": device,
            "started_at": f"2026-01-{day:02d}T{hour}:00:00Z",
            "duration_s": 3600,
            "ip": ip,
            "device_type": kind,
            "country": "FR",
        }
        for day in range(1, 7)
        for device, hour, ip, kind in (
            ("television", 20, "192.0.2.17", "tv"),
            ("phone", 21, "192.0.2.17", "phone"),
            ("stick", 19, "198.51.100.23", "streaming_stick"),
        )
    ],
}

_JSON = "application/json"
_STREAM = "application/x-ndjson"

_DESCRIPTION = """Which devices of a streaming account belong to its household.
Scores are evidence, not decisions: undetermined is an answer, and nothing may be blocked on it.
Every error is told as a problem (RFC 9457) with a stable code. Besides what stands at each call, a
connection may be answered with 400 when it does not speak HTTP, 408 or 431 when the headers of a
request are too slow or too large, and 503 when there are too many connections."""

#: Status -> code -> what it means. A call that lists none has them all.
_PROBLEMS: Final = {
    "400": {"format": "the body is not JSON"},
    "401": {"unauthorized": "the API key is missing or unknown"},
    "408": {"slow_request": "the body took longer than {arrival_s:g} s to arrive"},
    "413": {
        "too_large": "the body has more than {max_body} bytes, or its accounts more than "
        "{max_sessions} sessions together"
    },
    "415": {"media_type": "the body is of another type, or compressed"},
    "422": {
        "schema": "fields are missing or wrong, all of them told together",
        "no_sessions": "not one session can be used",
        "parameter": "as_of is no moment to score at, or an account is given twice",
    },
    "500": {
        "error": "an error of the service, told with the id of the request",
        "audit": "the answer could not be recorded, so it is not given",
    },
    "503": {
        "busy": "as much is in progress as may be",
        "timed_out": "it took longer than {work_s:g} s, waiting included",
        "not_ready": "no model is loaded yet, or the service stops",
    },
}
_ALL: Final = {status: tuple(codes) for status, codes in _PROBLEMS.items()}

_HEADERS: Final = {
    "401": {"WWW-Authenticate": "Bearer."},
    "503": {"Retry-After": "Seconds until it is worth asking again."},
}


def describe(config: ServiceConfig | None = None, *, secured: bool = True) -> dict[str, Any]:
    """The OpenAPI 3.1 document.

    Parameters
    ----------
    config : ServiceConfig or None, default=None
        Limits of the service; None for the defaults.
    secured : bool, default=True
        Whether it asks for API keys.

    Returns
    -------
    dict
        Every path, field, limit and error.

    Examples
    --------
    >>> sorted(describe()["paths"])[-2:]
    ['/v1/score', '/v1/score/batch']
    """
    calls = _Calls(config or ServiceConfig(), secured)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "household-ml",
            "version": __version__,
            "description": " ".join(_DESCRIPTION.splitlines()),
        },
        "paths": {
            "/v1/score": {"post": calls.score()},
            "/v1/score/batch": {"post": calls.batch()},
            "/v1/model": {
                "get": calls.get(
                    "model",
                    "The model that answers.",
                    _json("ModelDescription"),
                    {"503": ("not_ready",)},
                )
            },
            "/metrics": {
                "get": calls.get(
                    "metrics",
                    "Metrics in the text format of Prometheus.",
                    {"text/plain": {"schema": {"type": "string"}}},
                )
            },
            "/healthz": {"get": calls.probe("healthz", "Whether the process lives.", "It lives.")},
            "/readyz": {
                "get": calls.probe(
                    "readyz",
                    "Whether requests can be answered.",
                    "They can.",
                    {"503": "Still starting, or stopping."},
                )
            },
        },
        "components": {
            "schemas": components(),
            **({"securitySchemes": {"key": _KEY}} if secured else {}),
        },
    }


_KEY: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API key of the service, as household-ml api-keys makes it.",
}


class _Calls:
    """Descriptions of calls, under the limits of one service."""

    def __init__(self, config: ServiceConfig, secured: bool) -> None:
        self._limits = {name: getattr(config, name) for name in config.__slots__}
        self._secured = secured

    def score(self) -> dict[str, Any]:
        taken = {_JSON: {"schema": _ref("ScoreRequest"), "example": EXAMPLE}}
        return self._post(
            "score", "Score the devices of one account.", taken, _json("AccountScores")
        )

    def batch(self) -> dict[str, Any]:
        entry = {name: EXAMPLE[name] for name in ("account_id", "extra_members", "sessions")}
        line = json.dumps({**EXAMPLE, "sessions": EXAMPLE["sessions"][:3]}) + "\n"
        taken = {
            _JSON: {"schema": _ref("BatchRequest"), "example": {"accounts": [entry]}},
            _STREAM: {
                "schema": {
                    "type": "string",
                    "description": "A stream, of any length: each line one ScoreRequest, answered "
                    "as by /v1/score, while the next lines arrive. Read while you send.",
                    "x-line-schema": _ref("ScoreRequest"),
                },
                "example": line,
            },
        }
        gives = {
            **_json("BatchScores"),
            _STREAM: {
                "schema": {
                    "type": "string",
                    "description": "Each line one StreamLine, in the order of the request.",
                    "x-line-schema": _ref("StreamLine"),
                }
            },
        }
        summary = "Score the devices of many accounts: at one moment, or as a stream of accounts."
        return self._post("scoreBatch", summary, taken, gives)

    def get(
        self,
        name: str,
        summary: str,
        gives: dict[str, Any],
        others: dict[str, tuple[str, ...]] | None = None,
    ) -> dict[str, Any]:
        errors = {"401": _ALL["401"], "500": ("error",), **(others or {})}
        return {
            "summary": summary,
            "operationId": name,
            "responses": self._responses(gives, errors),
            **self._security(),
        }

    def probe(
        self, name: str, summary: str, yes: str, others: dict[str, str] | None = None
    ) -> dict[str, Any]:
        told = {"200": yes, **(others or {})}
        responses = {
            status: {
                "description": text,
                "headers": _headers(),
                "content": _json("Status"),
            }
            for status, text in told.items()
        }
        return {"summary": summary, "operationId": name, "responses": responses}

    def _post(
        self, name: str, summary: str, taken: dict[str, Any], gives: dict[str, Any]
    ) -> dict[str, Any]:
        limit = "At most {max_body} bytes, for a stream each line; sent within {arrival_s:g} s, a "
        limit += "stream never silent for longer; uncompressed."
        return {
            "summary": summary,
            "operationId": name,
            "requestBody": {
                "required": True,
                "description": limit.format(**self._limits),
                "content": taken,
            },
            "responses": self._responses(gives, _ALL),
            **self._security(),
        }

    def _responses(
        self, gives: dict[str, Any], errors: dict[str, tuple[str, ...]]
    ) -> dict[str, Any]:
        found = {"200": {"description": "The answer.", "headers": _headers(), "content": gives}}
        for status, codes in errors.items():
            if status != "401" or self._secured:
                told = [f"{code}: {_PROBLEMS[status][code]}" for code in codes]
                fixed = {"status": {"const": int(status)}, "code": {"enum": list(codes)}}
                exact = {"allOf": [_ref("ProblemDetails"), {"properties": fixed}]}
                found[status] = {
                    "description": "; ".join(told).format(**self._limits) + ".",
                    "headers": _headers(_HEADERS.get(status)),
                    "content": {PROBLEM: {"schema": exact}},
                }
        return found

    def _security(self) -> dict[str, Any]:
        return {"security": [{"key": []}]} if self._secured else {}


def docs_page(description: dict[str, Any]) -> str:
    """The description as one page of HTML.

    Parameters
    ----------
    description : dict
        What :func:`describe` gave.

    Returns
    -------
    str
    """
    environment = Environment(autoescape=True, loader=PackageLoader("household_ml.serving.http"))
    page = environment.get_template("docs.html.j2")
    return page.render(**description, link=_type_text, shown=_shown)


def _headers(others: dict[str, str] | None = None) -> dict[str, Any]:
    told = {"X-Request-Id": "Name of the request, as in the log of the service.", **(others or {})}
    return {
        name: {"description": text, "required": True, "schema": {"type": "string"}}
        for name, text in told.items()
    }


def _json(name: str) -> dict[str, Any]:
    return {_JSON: {"schema": _ref(name)}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _type_text(rule: dict[str, Any]) -> str:
    if "$ref" in rule:
        return str(rule["$ref"]).rsplit("/", 1)[-1]
    if "allOf" in rule:
        return _type_text(rule["allOf"][0])
    if "x-line-schema" in rule:
        return f"lines of {_type_text(rule['x-line-schema'])}"
    if "anyOf" in rule:
        return " or ".join(_type_text(part) for part in rule["anyOf"])
    if rule.get("type") == "array":
        return f"list of {_type_text(rule.get('items', {}))}{_limits(rule)}"
    if "enum" in rule:
        return ", ".join(map(str, rule["enum"]))
    return f"{rule.get('type', 'any')}{_limits(rule)}"


def _limits(rule: dict[str, Any]) -> str:
    names = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "format")
    limits = [f"{name} {rule[name]}" for name in names if name in rule]
    return f" ({', '.join(limits)})" if limits else ""


def _shown(example: object) -> str:
    return example if isinstance(example, str) else json.dumps(example, indent=1)
