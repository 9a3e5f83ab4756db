"""What goes in and out, as pydantic models: the validation and /openapi.json both come from here."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

NAME_MAX_CHARS = 200
DESCRIPTION_MAX_CHARS = 2_000
LIMIT_DEFAULT = 100
LIMIT_MAX = 1_000
#: The largest key both databases can hold.
ID_MAX = 2**63 - 1

# Not blank and no NUL, as a pattern, so that clients made from /openapi.json know before they send.
_TEXT_PATTERN: JsonDict = {"pattern": r"^[^\u0000]*[^\s\u0000][^\u0000]*$"}


def _check_text(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("text", "must not hold the NUL character: not every database can store it")
    if not text or text.isspace():
        raise PydanticCustomError("text", "must not be blank")
    return text


def _check_digits(value: Any) -> Any:
    # int("1_000"), int(" 5 ") and int("٣") all work in Python; in a URL each is a mistake.
    if isinstance(value, str) and not (value.isascii() and value.isdigit() and len(value) <= 19):
        raise PydanticCustomError("digits", "not a whole number")
    return value


Text = Annotated[str, AfterValidator(_check_text)]
Digits = BeforeValidator(_check_digits)


class NewItem(BaseModel):
    """A kind of test to add."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Text = Field(
        min_length=1, max_length=NAME_MAX_CHARS, json_schema_extra=_TEXT_PATTERN, examples=["load testing"]
    )
    description: Text = Field(
        min_length=1,
        max_length=DESCRIPTION_MAX_CHARS,
        json_schema_extra=_TEXT_PATTERN,
        examples=["checking if a software can handle the expected load"],
    )


class Item(BaseModel):
    """A kind of test."""

    model_config = ConfigDict(extra="forbid")

    name: str
    description: str


class ListQuery(BaseModel):
    """Which stretch of the list is wanted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: Annotated[int, Digits] = Field(LIMIT_DEFAULT, ge=1, le=LIMIT_MAX, description="Most items in the answer.")
    after: Annotated[int, Digits] = Field(
        0, ge=0, le=ID_MAX, description="Only items with a greater id: the cursor of the `Link` header."
    )


class NoQuery(BaseModel):
    """No query parameters at all."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ItemPath(BaseModel):
    """Which item."""

    id: int = Field(ge=1, le=ID_MAX, description="The number at the end of `Location`.")


class FieldError(BaseModel):
    """One thing wrong with the input."""

    field: str
    message: str


class ProblemDocument(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldError] = []
