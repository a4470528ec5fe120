"""The application: routes, and what each does."""

from __future__ import annotations

import logging
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import prometheus_client as prometheus
import pyarrow as pa
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from household_ml.errors import (
    FormatError,
    HouseholdError,
    InputError,
    ParameterError,
    Problem,
)
from household_ml.serving.http.bodies import parse, problem_details
from household_ml.serving.http.messages import (
    AccountDevices,
    AccountScores,
    BatchRequest,
    BatchScores,
    DeviceScore,
    ModelDescription,
    RejectedRow,
    RowCounts,
    ScoreRequest,
    SessionIn,
)
from household_ml.serving.http.openapi import describe, docs_page
from household_ml.sessions import Sessions, read_sessions

if TYPE_CHECKING:
    from household_ml.networks import NetworkStatistics
    from household_ml.scoring import HouseholdScorer

__all__ = ["MAX_BODY", "BodyTooLargeError", "create_app", "serve", "sessions_table"]

#: Largest body in bytes; a larger one is answered with 413.
MAX_BODY = 32 * 1024 * 1024

_LOG = logging.getLogger("household_ml.http")
_JSON = "application/json"
_PROBLEM = "application/problem+json"
_METRICS = "text/plain; version=0.0.4; charset=utf-8"

Handler = Callable[[Request], Awaitable[Response]]


class BodyTooLargeError(InputError):
    """A body beyond :data:`MAX_BODY`."""


def sessions_table(accounts: Sequence[tuple[str, Sequence[SessionIn]]]) -> pa.Table:
    """The sessions table of the contract, from parsed messages.

    Parameters
    ----------
    accounts : sequence of (account_id, sessions)
        Sessions of each account, in the order of the request.

    Returns
    -------
    pyarrow.Table
        One row per session, in the same order.
    """
    rows = [session for _, sessions in accounts for session in sessions]
    ids = [account for account, sessions in accounts for _ in sessions]
    text = pa.large_string()
    return pa.table(
        {
            "account_id": pa.array(ids, type=text),
            "device_id": pa.array([row.device_id for row in rows], type=text),
            "started_at": pa.array(
                [row.started_at for row in rows], type=pa.timestamp("us", tz="UTC")
            ),
            "duration_s": pa.array([row.duration_s for row in rows], type=pa.float64()),
            "ip": pa.array([row.ip for row in rows], type=text),
            "asn": pa.array([row.asn for row in rows], type=pa.int64()),
            "device_type": pa.array([row.device_type for row in rows], type=text),
            "country": pa.array([row.country for row in rows], type=text),
            "utc_offset_min": pa.array([row.utc_offset_min for row in rows], type=pa.int32()),
            "profile_id": pa.array([row.profile_id for row in rows], type=text),
        }
    )


class _Metrics:
    """Prometheus metrics of one app."""

    def __init__(self, label: str) -> None:
        self.registry = prometheus.CollectorRegistry()
        self.requests = prometheus.Counter(
            "household_ml_requests_total",
            "Requests answered.",
            ["route", "status"],
            registry=self.registry,
        )
        self.seconds = prometheus.Histogram(
            "household_ml_request_seconds",
            "Time from the first byte read to the answer.",
            ["route"],
            buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 30),
            registry=self.registry,
        )
        self.sessions = prometheus.Counter(
            "household_ml_sessions_total",
            "Sessions received, by what became of them.",
            ["outcome"],
            registry=self.registry,
        )
        self.verdicts = prometheus.Counter(
            "household_ml_verdicts_total",
            "Devices answered, by verdict.",
            ["verdict"],
            registry=self.registry,
        )
        prometheus.Gauge(
            "household_ml_model", "The model that answers.", ["model"], registry=self.registry
        ).labels(label).set(1)

    def count(self, rows: RowCounts, scores: pa.Table) -> None:
        """Count what one answer was made of."""
        self.sessions.labels("accepted").inc(rows.accepted)
        self.sessions.labels("rejected").inc(rows.rejected)
        for entry in scores["verdict"].value_counts().to_pylist():
            self.verdicts.labels(entry["values"]).inc(entry["counts"])


def create_app(
    scorer: HouseholdScorer, statistics: NetworkStatistics | None = None, *, warm_up: bool = True
) -> FastAPI:
    """The API over one scorer.

    Parameters
    ----------
    scorer : HouseholdScorer
        What answers.
    statistics : NetworkStatistics or None, default=None
        Network statistics for every request; None for those beside the model, and where there are
        none, those of the request itself.
    warm_up : bool, default=True
        Score one made-up account before the app says that it is ready, so that no request waits
        for code to be compiled or loaded.

    Returns
    -------
    fastapi.FastAPI
    """
    fixed = statistics if statistics is not None else scorer.snapshot
    metrics = _Metrics(scorer.model_label)
    description = describe()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if warm_up:
            await run_in_threadpool(scorer.score_table, _made_up_account(), networks=fixed)
        app.state.ready = True
        yield
        app.state.ready = False

    app = FastAPI(
        title=description["info"]["title"], lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.state.ready = False
    app.openapi = lambda: description  # type: ignore[method-assign]

    async def score(request: Request) -> Response:
        asked = parse(await _body(request), ScoreRequest)
        sessions = read_sessions(sessions_table([(asked.account_id, asked.sessions)]))
        scores = scorer.score_table(
            sessions,
            accounts=pa.table(
                {"account_id": [asked.account_id], "extra_members": [asked.extra_members]}
            ),
            networks=fixed,
            as_of=asked.as_of,
        )
        rows = _row_counts(sessions)
        metrics.count(rows, scores)
        return _answer(
            AccountScores(
                account_id=asked.account_id,
                as_of=_as_of(scores),
                model=scorer.model_label,
                devices=tuple(_devices(scores)),
                rows=rows,
                rejected=_rejected(sessions, [(asked.account_id, asked.sessions)]),
            )
        )

    async def score_batch(request: Request) -> Response:
        asked = parse(await _body(request), BatchRequest)
        ids = [account.account_id for account in asked.accounts]
        _check_distinct(ids)
        return await run_in_threadpool(_score_many, asked, ids)

    def _score_many(asked: BatchRequest, ids: list[str]) -> Response:
        given = [(account.account_id, account.sessions) for account in asked.accounts]
        sessions = read_sessions(sessions_table(given))
        slots = [account.extra_members for account in asked.accounts]
        scores = scorer.score_table(
            sessions,
            accounts=pa.table({"account_id": ids, "extra_members": slots}),
            networks=fixed,
            as_of=asked.as_of,
        )
        rows = _row_counts(sessions)
        metrics.count(rows, scores)
        devices: dict[str, list[DeviceScore]] = {account: [] for account in ids}
        owners = scores["account_id"].to_pylist()
        for account, device in zip(owners, _devices(scores), strict=True):
            devices[account].append(device)
        return _answer(
            BatchScores(
                as_of=_as_of(scores),
                model=scorer.model_label,
                accounts=tuple(
                    AccountDevices(account, tuple(found)) for account, found in devices.items()
                ),
                rows=rows,
                rejected=_rejected(sessions, given),
            )
        )

    async def model(_: Request) -> Response:
        thresholds = scorer.model.thresholds
        return _answer(
            ModelDescription(
                model=scorer.model_label,
                name=scorer.model.name,
                version=scorer.model.version,
                digest=scorer.model.digest,
                features=tuple(scorer.model.feature_names),
                household_at=thresholds.household_at,
                outside_at=thresholds.outside_at,
            )
        )

    async def healthz(_: Request) -> Response:
        return Response(b'{"status":"alive"}', media_type=_JSON)

    async def readyz(_: Request) -> Response:
        if app.state.ready:
            return Response(b'{"status":"ready"}', media_type=_JSON)
        return Response(b'{"status":"starting"}', status_code=503, media_type=_JSON)

    async def metrics_text(_: Request) -> Response:
        return Response(prometheus.generate_latest(metrics.registry), media_type=_METRICS)

    async def docs(_: Request) -> Response:
        return Response(docs_page(description), media_type="text/html; charset=utf-8")

    def add(method: str, path: str, handler: Handler) -> None:
        app.add_api_route(
            path, _observed(path, handler, metrics), methods=[method], include_in_schema=False
        )

    add("POST", "/v1/score", score)
    add("POST", "/v1/score/batch", score_batch)
    add("GET", "/v1/model", model)
    add("GET", "/healthz", healthz)
    add("GET", "/readyz", readyz)
    add("GET", "/metrics", metrics_text)
    add("GET", "/docs", docs)
    app.add_exception_handler(HTTPException, _framework_problem)
    return app


def serve(
    model: str | None = None,
    *,
    networks: str | None = None,
    host: str = "127.0.0.1",
    port: int = 8080,
) -> None:
    """Load a model and answer until told to stop.

    Parameters
    ----------
    model : str or None, default=None
        Folder or MLflow URI; None as in :meth:`HouseholdScorer.load`.
    networks : str or None, default=None
        Snapshot of network statistics for every request.
    host : str, default="127.0.0.1"
        Address to listen on.
    port : int, default=8080
        Port to listen on.
    """
    import uvicorn

    from household_ml.networks import NetworkStatistics
    from household_ml.scoring import HouseholdScorer

    statistics = NetworkStatistics.load(networks) if networks is not None else None
    app = create_app(HouseholdScorer.load(model), statistics)
    uvicorn.run(app, host=host, port=port, log_level="info", access_log=False)


def _observed(route: str, handler: Handler, metrics: _Metrics) -> Handler:
    """Turn errors into problems, and count and time every answer; nothing personal is logged."""

    async def observed(request: Request) -> Response:
        began = time.perf_counter()
        identity = uuid.uuid4().hex[:16]
        try:
            response = await handler(request)
        except HouseholdError as error:
            response = _problem(error)
        except Exception as error:  # noqa: BLE001 - an answer must be given whatever happens
            _LOG.exception("request %s failed: %s", identity, type(error).__name__)
            response = _problem(
                HouseholdError(
                    Problem(
                        "the request must be answerable",
                        f"an internal error in request {identity}",
                        "Report it with this request id.",
                    )
                )
            )
        took = time.perf_counter() - began
        response.headers["X-Request-Id"] = identity
        metrics.requests.labels(route, str(response.status_code)).inc()
        metrics.seconds.labels(route).observe(took)
        _LOG.info(
            "request=%s route=%s status=%d ms=%.2f",
            identity,
            route,
            response.status_code,
            took * 1e3,
        )
        return response

    observed.__annotations__ = {"request": Request, "return": Response}
    return observed


async def _body(request: Request) -> bytes:
    too_large = BodyTooLargeError(
        Problem(
            f"the body must be at most {MAX_BODY} bytes",
            "more",
            "Split it, or use batch scoring on files.",
        )
    )
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > MAX_BODY:
        raise too_large
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY:
            raise too_large
        parts.append(part)
    return b"".join(parts)


def _status(error: HouseholdError) -> int:
    if isinstance(error, BodyTooLargeError):
        return 413
    if isinstance(error, FormatError):
        return 400
    return 422 if isinstance(error, InputError) else 500


def _problem(error: HouseholdError) -> Response:
    status = _status(error)
    body = msgspec.json.encode(problem_details(error, status))
    return Response(body, status_code=status, media_type=_PROBLEM)


async def _framework_problem(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else "error"
    told = InputError(
        Problem("the call must be one of the API's", detail, "See /docs for what there is.")
    )
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    body = msgspec.json.encode(problem_details(told, status))
    return Response(body, status_code=status, media_type=_PROBLEM, headers=headers)


def _answer(message: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(message), media_type=_JSON)


def _as_of(scores: pa.Table) -> datetime:
    moment: datetime = scores["as_of"][0].as_py()
    return moment


def _devices(scores: pa.Table) -> list[DeviceScore]:
    columns = (
        scores["device_id"].to_pylist(),
        scores["household_probability"].to_pylist(),
        scores["verdict"].to_pylist(),
        scores["last_home_at"].to_pylist(),
        scores["place"].to_pylist(),
        scores["reasons"].to_pylist(),
    )
    return [
        DeviceScore(device, probability, verdict, home, place, tuple(reasons))
        for device, probability, verdict, home, place, reasons in zip(*columns, strict=True)
    ]


def _row_counts(sessions: Sessions) -> RowCounts:
    received = sessions.reading.rows_in
    return RowCounts(received, len(sessions), received - len(sessions))


def _rejected(
    sessions: Sessions, given: Sequence[tuple[str, Sequence[SessionIn]]]
) -> tuple[RejectedRow, ...]:
    table = sessions.reading.rejected
    if table.num_rows == 0:
        return ()
    starts = np.concatenate([[0], np.cumsum([len(rows) for _, rows in given])])
    rows = table["row"].to_numpy() - 1
    owner = np.searchsorted(starts, rows, side="right") - 1
    return tuple(
        RejectedRow(given[account][0], int(row - starts[account]), reason)
        for account, row, reason in zip(owner, rows, table["reason"].to_pylist(), strict=True)
    )


def _check_distinct(ids: Sequence[str]) -> None:
    twice = sorted(account for account, count in Counter(ids).items() if count > 1)
    if twice:
        raise ParameterError(
            [
                Problem(
                    "account_id must be given once in a batch",
                    repr(account),
                    "Put all its sessions in one entry.",
                )
                for account in twice
            ]
        )


def _made_up_account() -> pa.Table:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    sessions = [
        SessionIn(f"device {index % 2}", noon + timedelta(days=index), "192.0.2.1", 60.0)
        for index in range(8)
    ]
    return sessions_table([("account", sessions)])
