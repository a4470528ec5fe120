"""Bodies of requests: from bytes to a message, with everything that is wrong told together."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar, get_args, get_origin

import msgspec

from household_ml.errors import FormatError, HouseholdError, Problem, SchemaError
from household_ml.serving.http.messages import ProblemDetails, ProblemItem

__all__ = ["MAX_PROBLEMS", "BodyError", "parse", "problem_details"]

Message = TypeVar("Message")

#: Problems told of one body; what is beyond is counted.
MAX_PROBLEMS = 100

_EXPECTED = re.compile(r"Expected (?P<rule>.+?)(?:, got (?P<got>.+))?$")
_TITLES = {
    "schema": "The request has fields that are missing or wrong",
    "format": "The body cannot be read",
    "parameter": "A value is out of its range",
    "no_sessions": "No session could be used",
    "input": "The request is wrong",
}


class BodyError(SchemaError):
    """A body that does not follow the schema.

    Parameters
    ----------
    problems : sequence of Problem
        All that is wrong.
    pointers : tuple of str
        JSON pointer of each problem.
    """

    def __init__(self, problems: list[Problem], pointers: list[str]) -> None:
        super().__init__(problems)
        self.pointers = tuple(pointers)


def parse(body: bytes, message: type[Message]) -> Message:
    """Parse a JSON body.

    Parameters
    ----------
    body : bytes
        JSON text.
    message : type
        A type of :mod:`household_ml.serving.http.messages`.

    Returns
    -------
    object of type ``message``

    Raises
    ------
    FormatError
        The body is not JSON.
    BodyError
        It does not follow the schema: every field that is wrong is named.
    """
    wrong: list[tuple[str, Problem]] = []
    try:
        try:
            return msgspec.json.decode(body, type=message)
        except msgspec.ValidationError:
            _inspect(msgspec.json.decode(body), message, "", wrong)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(
            Problem("the body must be JSON in UTF-8", str(error), "Send a JSON object; see /docs.")
        ) from error
    kept = wrong[:MAX_PROBLEMS]
    if len(wrong) > len(kept):
        more = Problem(
            "the body must follow the schema",
            f"{len(wrong) - len(kept)} more problems",
            "Mend the ones above first.",
        )
        kept.append(("", more))
    raise BodyError([problem for _, problem in kept], [pointer for pointer, _ in kept])


def problem_details(error: HouseholdError, status: int) -> ProblemDetails:
    """An error of the product as RFC 9457 tells it."""
    pointers = getattr(error, "pointers", ()) or (None,) * len(error.problems)
    return ProblemDetails(
        type=f"urn:household-ml:problem:{error.code}",
        title=_TITLES.get(error.code, "The request could not be answered"),
        status=status,
        detail=str(error) if len(error.problems) == 1 else f"{len(error.problems)} problems",
        code=error.code,
        problems=tuple(
            ProblemItem(problem.must, problem.got, problem.remedy, pointer)
            for problem, pointer in zip(error.problems, pointers, strict=True)
        ),
    )


def _inspect(value: object, kind: Any, pointer: str, wrong: list[tuple[str, Problem]]) -> None:
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        _inspect_fields(value, bare, pointer, wrong)
        return
    items = get_args(bare) if get_origin(bare) is tuple else ()
    if len(items) == 2 and isinstance(value, list):
        length_rule = kind.__metadata__ if get_origin(kind) is Annotated else ()
        _convert(value, Annotated[list[Any], *length_rule], pointer, wrong)
        for index, item in enumerate(value):
            _inspect(item, items[0], f"{pointer}/{index}", wrong)
        return
    _convert(value, kind, pointer, wrong)


def _inspect_fields(
    value: object, kind: type[msgspec.Struct], pointer: str, wrong: list[tuple[str, Problem]]
) -> None:
    if not isinstance(value, dict):
        _convert(value, dict[str, Any], pointer, wrong)
        return
    for field in msgspec.structs.fields(kind):
        where = f"{pointer}/{field.encode_name}"
        if field.encode_name in value:
            _inspect(value[field.encode_name], field.type, where, wrong)
        elif field.required:
            problem = Problem(f"{where} must be given", "no such field", "Add it; see /docs.")
            wrong.append((where, problem))


def _convert(value: object, kind: Any, pointer: str, wrong: list[tuple[str, Problem]]) -> None:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        told = _EXPECTED.match(str(error))
        rule = told["rule"].replace("`", "") if told else "a valid value"
        shown = msgspec.json.encode(value).decode()
        got = shown if len(shown) <= 60 else f"{shown[:57]}..."
        where = pointer or "the body"
        reason = "See /docs." if told else f"{error}. See /docs."
        wrong.append((pointer, Problem(f"{where} must be {rule}", got, reason)))
