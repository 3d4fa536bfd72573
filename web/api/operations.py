"""What an operation of the API takes and answers: checked when it is asked, told in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_origin

from flask import Blueprint, Response, request
from pydantic import BaseModel, TypeAdapter, ValidationError, field_validator
from werkzeug.datastructures import MultiDict

from web import freshness
from web.problems import Refused, speak_problems

pages = Blueprint("api", __name__, url_prefix="/api/v1")
speak_problems(pages)

Handler = TypeVar("Handler", bound=Callable[..., Response])
Parsed = TypeVar("Parsed", bound=BaseModel)

JSON = "application/json"
SHOWN = 20
"""Mistakes of one request that are told."""


class Asked(BaseModel):
    """What a request says. No store keeps a NUL, so no text has one."""

    @field_validator("*")
    @classmethod
    def _without_nul(cls, value: Any) -> Any:
        if any("\0" in text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)):
            raise ValueError("a NUL character cannot be kept; leave it out")
        return value


@dataclass(frozen=True)
class Operation:
    """One operation. `title` is its heading; `says` what it does, in a sentence or two.

    `answers` is the model of its answer under `status`; `also`: other media types of the answer. `refuses`: statuses
    of refusals besides those that every operation has, with when they happen. `etag`: the answer carries the version
    of what it is about; `if_match`: the request may ask for one. `shows_secret`: the answer shows a secret this once,
    so it is not kept for an Idempotency-Key.
    """

    title: str
    says: str
    answers: Any
    status: int = 200
    query: type[BaseModel] | None = None
    body: Any = None
    takes: tuple[str, ...] = (JSON,)
    also: tuple[str, ...] = ()
    refuses: Mapping[int, str] | None = None
    etag: bool = False
    if_match: bool = False
    shows_secret: bool = False


OPERATIONS: dict[str, Operation] = {}
"""Every operation by the endpoint of its route."""


def operation(route: str, told: Operation, method: str = "GET") -> Callable[[Handler], Handler]:
    """Makes a function the operation of a route below /api/v1."""

    def register(handler: Handler) -> Handler:
        """Makes the function answer at the route."""
        OPERATIONS[f"{pages.name}.{handler.__name__}"] = told
        pages.add_url_rule(route, handler.__name__, handler, methods=[method])
        return handler

    return register


def query(model: type[Parsed], args: MultiDict[str, str]) -> Parsed:
    """The parameters of an address. Raises Refused with every one that cannot be used."""
    given: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if name in args:
            given[name] = args.getlist(name) if get_origin(field.annotation) is list else args[name]
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise _refused(error, "The query has parameters that cannot be used", 400) from None


def check_match(version: object) -> None:
    """Go on only if what is to be changed still has the version that If-Match names. Raises Refused."""
    if "If-Match" in request.headers and not request.if_match.contains(str(version)):
        raise Refused(412, "Changed meanwhile", "It is no longer as If-Match says; read it again.")


def body(model: Any) -> Any:
    """The body of the request, as the model (or the choice of models) has it. Raises Refused with every mistake."""
    try:
        return TypeAdapter(model).validate_json(request.get_data())
    except ValidationError as error:
        broken = any(each["type"] == "json_invalid" for each in error.errors(include_url=False))
        title = "The body is no JSON" if broken else "The body is not as it should be"
        raise _refused(error, title, 400 if broken else 422) from None


@pages.before_request
def _check() -> None:
    """A body of another type is one that a form on another site could send in a browser's name."""
    if "\0" in request.path:
        raise Refused(400, "The address cannot be used", "Leave out the NUL character.")
    if request.method in ("POST", "PUT") and request.mimetype != JSON:
        raise Refused(415, "This content type is not taken", f"Send {JSON}; where there is nothing to say, {{}}.")


STALE = "Trueup-Stale"
"""The header that names the integrations whose data, of what is answered, is not the latest."""


@pages.after_request
def _tell_stale(answer: Response) -> Response:
    """Every answer with numbers says which sources are behind; GET /integrations says why."""
    tells = request.method == "GET" and answer.status_code == 200 and request.endpoint in OPERATIONS
    if tells and (names := ", ".join(freshness.behind())):
        answer.headers[STALE] = names
    return answer


def _refused(error: ValidationError, title: str, status: int) -> Refused:
    found = error.errors(include_url=False, include_input=False, include_context=False)[:SHOWN]
    mistakes = [
        {"place": "/" + "/".join(map(str, each["loc"])), "message": each["msg"].removeprefix("Value error, ")}
        for each in found
    ]
    detail = "; ".join(f"{each['place']}: {each['message']}" for each in mistakes)
    return Refused(status, title, detail, errors=mistakes)
