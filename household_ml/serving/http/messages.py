"""What the HTTP API takes and gives, as types from which parsing and OpenAPI are both made."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

__all__ = [
    "MAX_ACCOUNTS",
    "MAX_SESSIONS",
    "AccountDevices",
    "AccountIn",
    "AccountScores",
    "BatchRequest",
    "BatchScores",
    "DeviceScore",
    "ModelDescription",
    "ProblemDetails",
    "ProblemItem",
    "RejectedRow",
    "RowCounts",
    "ScoreRequest",
    "SessionIn",
    "Status",
    "StreamLine",
    "components",
]

#: Sessions of one account in one request.
MAX_SESSIONS = 20_000

#: Accounts in one batch request.
MAX_ACCOUNTS = 1_000

_Id = Annotated[str, Meta(min_length=1, max_length=512)]


class SessionIn(Struct, frozen=True):
    """One playback session; unknown fields are ignored."""

    device_id: Annotated[_Id, Meta(description="Stable id of a device within the account.")]
    started_at: Annotated[
        datetime, Meta(description="Start of playback, ISO 8601; a time without a zone is UTC.")
    ]
    ip: Annotated[
        str,
        Meta(
            max_length=64,
            description="Public address seen by the service: IPv4, IPv6 or IPv4-mapped IPv6.",
        ),
    ]
    duration_s: Annotated[
        float | None, Meta(description="Watched time in seconds; null is unknown.")
    ] = None
    asn: Annotated[
        Annotated[int, Meta(ge=0, le=4_294_967_295)] | None,
        Meta(description="Origin AS of the address; null is looked up."),
    ] = None
    device_type: Annotated[
        Annotated[str, Meta(max_length=64)] | None,
        Meta(
            description="tv, set_top_box, streaming_stick, game_console, phone, tablet, computer "
            "or other; null is unknown."
        ),
    ] = None
    country: Annotated[
        Annotated[str, Meta(max_length=8)] | None,
        Meta(description="ISO 3166-1 alpha-2 of the address."),
    ] = None
    utc_offset_min: Annotated[
        Annotated[int, Meta(ge=-1_440, le=1_440)] | None,
        Meta(description="Offset of the device's clock from UTC, in minutes."),
    ] = None
    profile_id: Annotated[
        Annotated[str, Meta(max_length=512)] | None, Meta(description="Viewing profile.")
    ] = None


class ScoreRequest(Struct, frozen=True):
    """One account: its sessions, its extra-member slots, and the moment to score it at."""

    sessions: Annotated[tuple[SessionIn, ...], Meta(min_length=1, max_length=MAX_SESSIONS)]
    account_id: Annotated[_Id, Meta(description="Subscription; given back as it is.")] = "account"
    extra_members: Annotated[
        int, Meta(ge=0, le=100, description="Paid extra-member slots of the account.")
    ] = 0
    as_of: Annotated[
        datetime | None,
        Meta(description="No session after it is used; null is the last session of the request."),
    ] = None


class AccountIn(Struct, frozen=True):
    """One account of a batch."""

    account_id: _Id
    sessions: Annotated[tuple[SessionIn, ...], Meta(min_length=1, max_length=MAX_SESSIONS)]
    extra_members: Annotated[int, Meta(ge=0, le=100)] = 0


class BatchRequest(Struct, frozen=True):
    """Many accounts, scored at one moment; every ``account_id`` is given once."""

    accounts: Annotated[tuple[AccountIn, ...], Meta(min_length=1, max_length=MAX_ACCOUNTS)]
    as_of: Annotated[
        datetime | None,
        Meta(description="No session after it is used; null is the last session of the request."),
    ] = None


class DeviceScore(Struct, frozen=True):
    """Answer for one device."""

    device_id: str
    household_probability: Annotated[
        float, Meta(ge=0, le=1, description="Calibrated; 1 = belongs to the household.")
    ]
    verdict: Annotated[
        Literal["household", "extra_member", "undetermined", "outside"],
        Meta(description="undetermined is an answer: nothing may be blocked on it."),
    ]
    last_home_at: Annotated[
        datetime | None, Meta(description="Last session on the inferred home network.")
    ]
    place: Annotated[int, Meta(description="Inferred place of the device; 0 = home.")]
    reasons: Annotated[tuple[str, ...], Meta(description="Reason codes, strongest first.")]


class RejectedRow(Struct, frozen=True):
    """A session that could not be used."""

    account_id: str
    row: Annotated[int, Meta(description="Index of the session within its account, from 0.")]
    reason: Annotated[str, Meta(description="Reason code.")]


class RowCounts(Struct, frozen=True):
    """Sessions received, used for this answer or after ``as_of``, and rejected."""

    received: int
    accepted: int
    rejected: int


_Record = Annotated[
    str | None,
    Meta(
        description="Id of the record of this answer, for household-ml explain: with a dot and the "
        "number of a device, from 1, that of the device. null: no record is kept."
    ),
]


class AccountScores(Struct, frozen=True):
    """Answer for one account."""

    account_id: str
    as_of: datetime
    model: Annotated[str, Meta(description="Name, version and digest of the model.")]
    devices: tuple[DeviceScore, ...]
    rows: RowCounts
    rejected: tuple[RejectedRow, ...] = ()
    record: _Record = None


class AccountDevices(Struct, frozen=True):
    """Devices of one account of a batch; empty when none of its sessions could be used."""

    account_id: str
    devices: tuple[DeviceScore, ...]
    record: _Record = None


class BatchScores(Struct, frozen=True):
    """Answer for many accounts, in the order of the request."""

    as_of: datetime
    model: str
    accounts: tuple[AccountDevices, ...]
    rows: RowCounts
    rejected: tuple[RejectedRow, ...] = ()


class ProblemItem(Struct, frozen=True):
    """One thing that is wrong."""

    must: str
    got: str
    remedy: str
    pointer: Annotated[
        str | None, Meta(description="Where in the body, as a JSON pointer (RFC 6901).")
    ] = None


class ProblemDetails(Struct, frozen=True):
    """An error (RFC 9457), with all that is wrong with the request."""

    type: str
    title: str
    status: int
    detail: str
    code: Annotated[str, Meta(description="The same code as in Python and on the command line.")]
    problems: tuple[ProblemItem, ...] = ()


class StreamLine(Struct, frozen=True, omit_defaults=True):
    """One line of a streamed answer: the scores of one account, or why there are none."""

    line: Annotated[
        int | None,
        Meta(description="Number of the line that is answered, from 1; none: the stream ends."),
    ] = None
    scores: AccountScores | None = None
    problem: ProblemDetails | None = None


class ModelDescription(Struct, frozen=True):
    """The model that answers."""

    model: Annotated[str, Meta(description="As in every answer: name, version, start of digest.")]
    name: str
    version: str
    digest: Annotated[str, Meta(description="SHA-256 over all that decides an answer.")]
    source_version: Annotated[
        str, Meta(description="What its source calls it: the version in the registry.")
    ]
    features: tuple[str, ...]
    household_at: Annotated[
        float | None, Meta(description="household at or above it; null: none qualifies.")
    ]
    outside_at: Annotated[
        float | None, Meta(description="outside at or below it; null: none qualifies.")
    ]


class Status(Struct, frozen=True):
    """State of the process."""

    status: Literal["alive", "ready", "starting", "stopping"]


def components() -> dict[str, Any]:
    """JSON schemas of all messages, for ``components/schemas`` of an OpenAPI document."""
    _, schemas = msgspec.json.schema_components(
        (
            ScoreRequest,
            BatchRequest,
            AccountScores,
            BatchScores,
            StreamLine,
            ModelDescription,
            ProblemDetails,
            Status,
        ),
        ref_template="#/components/schemas/{name}",
    )
    return dict(schemas)
