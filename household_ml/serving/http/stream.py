"""Streams of accounts: lines come in, lines go out, and memory holds a few of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Final

import msgspec

from household_ml.errors import HouseholdError
from household_ml.serving.http.answers import score_account
from household_ml.serving.http.bodies import parse
from household_ml.serving.http.endpoint import Call, Reply
from household_ml.serving.http.messages import AccountScores, ScoreRequest, StreamLine
from household_ml.serving.http.model_in_use import Loaded
from household_ml.serving.http.problems import problem_details
from household_ml.serving.http.service import Service

__all__ = ["MEDIA_TYPE", "answer_stream"]

#: Content type of a stream.
MEDIA_TYPE: Final = "application/x-ndjson"

#: Lines that are worked on together; so many, or so many bytes.
_LINES = 64
_BYTES = 512 * 1024

_DECODER = msgspec.json.Decoder(ScoreRequest)
_ENCODER = msgspec.json.Encoder()

Numbered = tuple[int, bytes]


async def answer_stream(call: Call, count: Callable[[AccountScores], object]) -> None:
    """Answer line by line, as lines arrive, all by the model that answers at the start.

    Parameters
    ----------
    call : Call
        A request whose body is a stream.
    count : callable
        Called with each answer.
    """
    loaded = call.service.current()
    try:
        async for lines in _lines(call):
            for group in _groups(lines):
                answers = await call.service.work(_answer, call.service, loaded, group)
                for answer in answers:
                    if answer.scores is not None:
                        count(answer.scores)
                await _send(call, answers)
    except HouseholdError as error:
        if not call.started:
            raise
        await _send(call, [StreamLine(problem=problem_details(error))])
    if not call.started:
        await call.start(Reply(b"", MEDIA_TYPE), length=False)
    await call.part(b"", more=False)


async def _send(call: Call, answers: Sequence[StreamLine]) -> None:
    if not call.started:
        await call.start(Reply(b"", MEDIA_TYPE), length=False)
    await call.part(_ENCODER.encode_lines(answers), more=True)


async def _lines(call: Call) -> AsyncIterator[list[Numbered]]:
    """Whole lines as they arrive, with their numbers from 1; empty ones are counted alone."""
    number = 0
    rest = bytearray()
    most = call.service.config.max_body
    async for part in call.parts():
        rest += part
        if len(rest) > most + len(part):
            raise call.too_large("a longer line")
        if b"\n" in part:
            *whole, rest = rest.split(b"\n")
            found = [(number + index, bytes(line)) for index, line in enumerate(whole, start=1)]
            number += len(whole)
            yield [each for each in found if each[1].strip()]
    if rest.strip():
        yield [(number + 1, bytes(rest))]


def _groups(lines: Sequence[Numbered]) -> Iterator[list[Numbered]]:
    group: list[Numbered] = []
    size = 0
    for each in lines:
        group.append(each)
        size += len(each[1])
        if len(group) >= _LINES or size >= _BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _answer(service: Service, loaded: Loaded, lines: Sequence[Numbered]) -> list[StreamLine]:
    return [_answer_line(service, loaded, number, line) for number, line in lines]


def _answer_line(service: Service, loaded: Loaded, number: int, line: bytes) -> StreamLine:
    try:
        asked = parse(line, _DECODER)
        service.check_size(len(asked.sessions))
        return StreamLine(number, scores=score_account(loaded, asked))
    except HouseholdError as error:
        return StreamLine(number, problem=problem_details(error))
