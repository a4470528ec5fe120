"""The application: routes, and what each does."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from household_ml.config import ServiceConfig
from household_ml.errors import InputError, Problem
from household_ml.serving.http import metrics, problems, stream
from household_ml.serving.http.answers import check_distinct, score_account, score_batch, try_out
from household_ml.serving.http.bodies import parse
from household_ml.serving.http.endpoint import JSON, Call, Endpoint, Handler, Reply
from household_ml.serving.http.messages import (
    AccountScores,
    BatchRequest,
    BatchScores,
    ModelDescription,
    ScoreRequest,
    Status,
)
from household_ml.serving.http.model_in_use import Loaded, ModelInUse
from household_ml.serving.http.model_sources import FixedSource
from household_ml.serving.http.openapi import describe, docs_page
from household_ml.serving.http.service import Service

if TYPE_CHECKING:
    from household_ml.networks import NetworkStatistics
    from household_ml.scoring import HouseholdScorer
    from household_ml.serving.api_keys import KeyRing

__all__ = ["create_app"]

#: A body up to this size is answered at once; a larger one in a thread, beside the others.
_AT_ONCE = 128 * 1024

_LOG = logging.getLogger("household_ml.http")

_SCORE = msgspec.json.Decoder(ScoreRequest)
_BATCH = msgspec.json.Decoder(BatchRequest)
_encode = msgspec.json.Encoder().encode


def create_app(
    models: HouseholdScorer | ModelInUse,
    statistics: NetworkStatistics | None = None,
    *,
    keys: KeyRing | None = None,
    config: ServiceConfig | None = None,
    log: Callable[[str], object] | None = _LOG.info,
) -> FastAPI:
    """The API over a model.

    Parameters
    ----------
    models : HouseholdScorer or ModelInUse
        What answers: always this scorer, or the model that is in use at each moment.
    statistics : NetworkStatistics or None, default=None
        Network statistics for every request to a scorer; None for those beside the model, and
        where there are none, those of the request itself.
    keys : KeyRing or None, default=None
        API keys that open it; None leaves it open to all who reach it.
    config : ServiceConfig or None, default=None
        Limits; None for the defaults.
    log : callable or None, default=the logger ``household_ml.http``
        Takes the line of each request; None for no lines.

    Returns
    -------
    fastapi.FastAPI
        Its ``state.service`` is the :class:`~household_ml.serving.http.service.Service`. It is
        ready once the model has been tried out, which it begins when the server starts.
    """
    if not isinstance(models, ModelInUse):
        models = ModelInUse(FixedSource(models), statistics, try_out=try_out)
    service = Service(models, keys, config or ServiceConfig(), log)
    description = describe(service.config, secured=keys is not None)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        service.stop()

    app = _Application(
        title=description["info"]["title"],
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={HTTPException: _framework_problem},
    )
    app.state.service = service
    app.openapi = lambda: description  # type: ignore[method-assign]
    routes = _Routes(service, description)

    def add(method: str, path: str, handler: Handler, **options: bool) -> None:
        endpoint: Any = Endpoint(service, path, handler, **options)
        app.router.routes.append(Route(path, endpoint, methods=[method], include_in_schema=False))
        app.endpoints[method, path] = endpoint

    add("POST", "/v1/score", routes.score, work=True)
    add("POST", "/v1/score/batch", routes.batch, work=True)
    add("GET", "/v1/model", routes.model)
    add("GET", "/metrics", routes.metrics)
    add("GET", "/healthz", routes.healthz, open_to_all=True)
    add("GET", "/readyz", routes.readyz, open_to_all=True)
    add("GET", "/docs", routes.docs, open_to_all=True)
    return app


class _Application(FastAPI):
    """FastAPI, which hands a request to its endpoint at once where there is no doubt about it.

    The way through its layers and routes costs as much as parsing the body; here it is taken by
    what is left: other methods, other paths, ``/openapi.json``.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.endpoints: dict[tuple[str, str], Endpoint] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            endpoint = self.endpoints.get((scope["method"], scope["path"]))
            if endpoint is not None:
                await endpoint(scope, receive, send)
                return
        await super().__call__(scope, receive, send)


class _Routes:
    """What each route does."""

    def __init__(self, service: Service, description: dict[str, Any]) -> None:
        self._service = service
        self._docs = docs_page(description).encode()

    async def score(self, call: Call) -> Reply:
        call.media_type(JSON)
        loaded = self._service.current()
        body = await call.body()
        if len(body) > _AT_ONCE or loaded.recorded:
            found = await self._service.work(self._score, loaded, body)
        else:
            found = self._score(loaded, body)
        self._count_account(found)
        call.told = f" sessions={found.rows.received} devices={len(found.devices)}"
        return Reply(_encode(found))

    async def batch(self, call: Call) -> Reply | None:
        if call.media_type(JSON, stream.MEDIA_TYPE) == stream.MEDIA_TYPE:
            await stream.answer_stream(call, self._count_account)
            return None
        loaded = self._service.current()
        found, body = await self._service.work(self._batch, loaded, await call.body())
        self._count_batch(found)
        call.told = f" sessions={found.rows.received} accounts={len(found.accounts)}"
        return Reply(body)

    async def model(self, call: Call) -> Reply:
        del call
        loaded = self._service.current()
        model = loaded.scorer.model
        return Reply(
            _encode(
                ModelDescription(
                    model=loaded.scorer.model_label,
                    name=model.name,
                    version=model.version,
                    digest=model.digest,
                    source_version=loaded.version,
                    features=tuple(model.feature_names),
                    household_at=model.thresholds.household_at,
                    outside_at=model.thresholds.outside_at,
                )
            )
        )

    async def healthz(self, call: Call) -> Reply:
        del call
        return Reply(_encode(Status("alive")))

    async def readyz(self, call: Call) -> Reply:
        del call
        if self._service.ready:
            return Reply(_encode(Status("ready")))
        stopping = self._service.stopping
        return Reply(_encode(Status("stopping" if stopping else "starting")), status=503)

    async def metrics(self, call: Call) -> Reply:
        del call
        return Reply(self._service.metrics.text(), metrics.MEDIA_TYPE)

    async def docs(self, call: Call) -> Reply:
        del call
        return Reply(self._docs, "text/html; charset=utf-8")

    def _score(self, loaded: Loaded, body: bytes) -> AccountScores:
        asked = parse(body, _SCORE)
        self._service.check_size(len(asked.sessions))
        return score_account(loaded, asked)

    def _batch(self, loaded: Loaded, body: bytes) -> tuple[BatchScores, bytes]:
        asked = parse(body, _BATCH)
        self._service.check_size(sum(len(account.sessions) for account in asked.accounts))
        check_distinct([account.account_id for account in asked.accounts])
        found = score_batch(loaded, asked)
        return found, _encode(found)

    def _count_account(self, found: AccountScores) -> None:
        self._service.metrics.scored(
            found.rows.accepted, found.rows.rejected, [each.verdict for each in found.devices]
        )

    def _count_batch(self, found: BatchScores) -> None:
        self._service.metrics.scored(
            found.rows.accepted,
            found.rows.rejected,
            [device.verdict for account in found.accounts for device in account.devices],
        )


async def _framework_problem(_: Request, error: Exception) -> Response:
    """What the framework itself refuses: paths and methods that there are not."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else "error"
    told = InputError(
        Problem("the call must be one of the API's", detail, "See /docs for what there is.")
    )
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    body = problems.problem_body(told, status)
    return Response(body, status_code=status, media_type=problems.MEDIA_TYPE, headers=headers)
