"""Endpoints that parse the body of a request and do nothing else: what any service must cost."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, Field

from household_ml.serving.http.messages import ScoreRequest


class Session(BaseModel):
    device_id: Annotated[str, Field(min_length=1, max_length=512)]
    started_at: datetime
    ip: Annotated[str, Field(max_length=64)]
    duration_s: float | None = None
    asn: Annotated[int, Field(ge=0, le=4_294_967_295)] | None = None
    device_type: Annotated[str, Field(max_length=64)] | None = None
    country: Annotated[str, Field(max_length=8)] | None = None
    utc_offset_min: Annotated[int, Field(ge=-1_440, le=1_440)] | None = None
    profile_id: Annotated[str, Field(max_length=512)] | None = None


class Account(BaseModel):
    sessions: Annotated[list[Session], Field(min_length=1, max_length=20_000)]
    account_id: Annotated[str, Field(min_length=1, max_length=512)] = "account"
    extra_members: Annotated[int, Field(ge=0, le=100)] = 0
    as_of: datetime | None = None


#: As the framework's own documentation does it: the body is a pydantic model.
by_pydantic = FastAPI()

#: The framework routes; msgspec parses, as in our service.
by_msgspec = FastAPI()

_decoder = msgspec.json.Decoder(ScoreRequest)


@by_pydantic.post("/v1/score")
async def parse_by_pydantic(account: Account) -> dict[str, int]:
    return {"sessions": len(account.sessions)}


@by_msgspec.post("/v1/score")
async def parse_by_msgspec(request: Request) -> Response:
    account = _decoder.decode(await request.body())
    return Response(b'{"sessions":%d}' % len(account.sessions), media_type="application/json")
