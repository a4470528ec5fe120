"""The OpenAPI description of the API, made from its messages, and a page that shows it.

The page is drawn here, on the server: it fetches nothing from anywhere.
"""

from __future__ import annotations

import json
from typing import Any

from jinja2 import Environment, PackageLoader

from household_ml import __version__
from household_ml.serving.http.messages import components

__all__ = ["EXAMPLE", "describe", "docs_page"]

#: A request that works.
EXAMPLE: dict[str, Any] = {
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

_PROBLEMS = {
    "400": "The body is not JSON.",
    "413": "The body is too large.",
    "422": "Fields are missing or wrong, or no session could be used; all problems together.",
    "500": "An error of the service, with a request id.",
}


def describe() -> dict[str, Any]:
    """The OpenAPI 3.1 document.

    Returns
    -------
    dict
        Every path, field, limit and error.
    """
    score = _post("Score the devices of one account.", "ScoreRequest", "AccountScores", EXAMPLE)
    entry = {name: EXAMPLE[name] for name in ("account_id", "extra_members", "sessions")}
    batch = _post(
        "Score the devices of many accounts at one moment.",
        "BatchRequest",
        "BatchScores",
        {"accounts": [entry]},
    )
    status = {"application/json": {"schema": {"type": "object"}}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "household-ml",
            "version": __version__,
            "description": "Which devices of a streaming account belong to its household. "
            "Scores are evidence, not decisions: undetermined is an answer, and nothing may be "
            "blocked on it.",
        },
        "paths": {
            "/v1/score": {"post": score},
            "/v1/score/batch": {"post": batch},
            "/v1/model": {
                "get": {
                    "summary": "The model that answers.",
                    "operationId": "model",
                    "responses": {"200": _json("The model.", "ModelDescription")},
                }
            },
            "/healthz": _probe("healthz", "Whether the process lives.", status),
            "/readyz": _probe(
                "readyz",
                "Whether requests can be answered.",
                status,
                {"503": {"description": "Still starting, or stopping.", "content": status}},
            ),
            "/metrics": _probe(
                "metrics",
                "Metrics in the text format of Prometheus.",
                {"text/plain": {"schema": {"type": "string"}}},
            ),
        },
        "components": {"schemas": components()},
    }


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


def _post(summary: str, takes: str, gives: str, example: dict[str, Any]) -> dict[str, Any]:
    problems = {
        status: {
            "description": description,
            "content": {"application/problem+json": {"schema": _ref("ProblemDetails")}},
        }
        for status, description in _PROBLEMS.items()
    }
    return {
        "summary": summary,
        "operationId": takes[0].lower() + takes[1:],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _ref(takes), "example": example}},
        },
        "responses": {"200": _json("The answer.", gives), **problems},
    }


def _probe(
    name: str,
    summary: str,
    content: dict[str, Any],
    others: dict[str, Any] | None = None,
) -> dict[str, Any]:
    answers = {"200": {"description": summary, "content": content}, **(others or {})}
    return {"get": {"summary": summary, "operationId": name, "responses": answers}}


def _json(description: str, name: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": _ref(name)}}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _type_text(rule: dict[str, Any]) -> str:
    if "$ref" in rule:
        return str(rule["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in rule:
        return " or ".join(_type_text(part) for part in rule["anyOf"])
    if rule.get("type") == "array":
        return f"list of {_type_text(rule.get('items', {}))}{_limits(rule)}"
    if "enum" in rule:
        return ", ".join(map(str, rule["enum"]))
    return f"{rule.get('type', 'any')}{_limits(rule)}"


def _limits(rule: dict[str, Any]) -> str:
    names = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems")
    limits = [f"{name} {rule[name]}" for name in names if name in rule]
    return f" ({', '.join(limits)})" if limits else ""


def _shown(example: object) -> str:
    return json.dumps(example, indent=1)
