"""Bodies of requests: from bytes to a message, with everything that is wrong told together."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar, get_args, get_origin

import msgspec

from household_ml.errors import FormatError, Problem, SchemaError

__all__ = ["MAX_PROBLEMS", "BodyError", "parse"]

Message = TypeVar("Message")

#: Problems told of one body; the search ends there.
MAX_PROBLEMS = 100

_EXPECTED = re.compile(r"Expected (?P<rule>.+?)(?:, got (?P<got>.+))?$")

_Found = list[tuple[str, Problem]]


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


def parse(body: bytes, decoder: msgspec.json.Decoder[Message]) -> Message:
    """Parse a JSON body.

    Parameters
    ----------
    body : bytes
        JSON text.
    decoder : msgspec.json.Decoder
        Decoder of a type of :mod:`household_ml.serving.http.messages`.

    Returns
    -------
    object of the decoder's type

    Raises
    ------
    FormatError
        The body is not JSON.
    BodyError
        It does not follow the schema: every field that is wrong is named.
    """
    try:
        try:
            return decoder.decode(body)
        except msgspec.ValidationError as error:
            raise _refusal(msgspec.json.decode(body), decoder.type, error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(
            Problem("the body must be JSON in UTF-8", str(error), "Send a JSON object; see /docs.")
        ) from error


def _refusal(value: object, kind: Any, error: msgspec.ValidationError) -> BodyError:
    wrong: _Found = []
    _inspect(value, kind, "", wrong)
    if len(wrong) > MAX_PROBLEMS:
        told = f"more than {MAX_PROBLEMS} problems"
        more = Problem("the body must follow the schema", told, "Mend the ones above first.")
        wrong[MAX_PROBLEMS:] = [("", more)]
    if not wrong:
        wrong.append(("", Problem("the body must follow the schema", str(error), "See /docs.")))
    return BodyError([problem for _, problem in wrong], [pointer for pointer, _ in wrong])


def _inspect(value: object, kind: Any, pointer: str, wrong: _Found) -> None:
    """Collect what is wrong with a value; parts that are right are passed over quickly."""
    if len(wrong) > MAX_PROBLEMS:
        return
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
        items = get_args(bare) if get_origin(bare) is tuple else ()
        if isinstance(bare, type) and issubclass(bare, msgspec.Struct) and isinstance(value, dict):
            _inspect_fields(value, bare, pointer, wrong)
        elif items and isinstance(value, list) and _fits(value, kind):
            for index, item in enumerate(value):
                _inspect(item, items[0], f"{pointer}/{index}", wrong)
        else:
            wrong.append((pointer, _told(value, pointer, error)))


def _inspect_fields(
    value: dict[str, object], kind: type[msgspec.Struct], pointer: str, wrong: _Found
) -> None:
    for field in msgspec.structs.fields(kind):
        where = f"{pointer}/{field.encode_name}"
        if field.encode_name in value:
            _inspect(value[field.encode_name], field.type, where, wrong)
        elif field.required:
            problem = Problem(f"{where} must be given", "no such field", "Add it; see /docs.")
            wrong.append((where, problem))


def _fits(value: list[object], kind: Any) -> bool:
    """Whether a list is of a length that is taken, whatever is in it."""
    rules = kind.__metadata__ if get_origin(kind) is Annotated else ()
    try:
        msgspec.convert(value, Annotated[list[Any], *rules] if rules else list[Any])
    except msgspec.ValidationError:
        return False
    return True


def _told(value: object, pointer: str, error: msgspec.ValidationError) -> Problem:
    told = _EXPECTED.match(str(error))
    rule = told["rule"].replace("`", "") if told else "a valid value"
    shown = msgspec.json.encode(value).decode()
    got = shown if len(shown) <= 60 else f"{shown[:57]}..."
    reason = "See /docs." if told else f"{error}. See /docs."
    return Problem(f"{pointer or 'the body'} must be {rule}", got, reason)
