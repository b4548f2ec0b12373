"""Forms: read once, faults collected per field, given back with the values kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from litestar import Request
from litestar.datastructures import UploadFile

from portico.errors import FieldFault, InputWrong, PorticoError, RequestWrong
from portico.i18n import Message, _m

REQUIRED = _m("Please fill in this field.")
TOO_LONG = _m("Please use at most %(most)d characters.")
_MOST_FIELDS = 500
_SENT = "sent_form"


class Form:
    """What was typed in, and what is wrong with it.

    A page that shows a form takes `form: Form`; the route that receives it:

        form = await read_form(request)
        try:
            await change_address(portal, customer, line1=form.text("line1"), …)
        except Refusal as refusal:
            return await address_page(request, form.refused(refusal))
        return redirect(request, "/profile", SAVED)
    """

    def __init__(self, values: Mapping[str, list[str]] | None = None, files: Mapping[str, UploadFile] | None = None):
        self._values = dict(values or {})
        self.files = dict(files or {})
        self.faults: list[FieldFault] = []
        self.refusal: PorticoError | None = None

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Form:
        """A form that shows these values, as on a first visit; None shows as empty."""
        return cls({name: ["" if value is None else str(value)] for name, value in values.items()})

    @property
    def names(self) -> list[str]:
        return list(self._values)

    def text(self, name: str, *, required: bool = False, most: int = 2000) -> str:
        """The value without surrounding space; "" if it is missing. Notes a fault where it is required or too long."""
        value = self.value(name).strip()
        if required and not value:
            self.fault(name, REQUIRED)
        if len(value) > most:
            self.fault(name, TOO_LONG(most=most))
        return value

    def secret(self, name: str, *, required: bool = False) -> str:
        """A password: exactly as typed."""
        if required and not self.value(name):
            self.fault(name, REQUIRED)
        return self.value(name)

    def checked(self, name: str) -> bool:
        return bool(self.value(name))

    def all(self, name: str) -> list[str]:
        return list(self._values.get(name, ()))

    def value(self, name: str) -> str:
        return next(iter(self._values.get(name, ())), "")

    def fault(self, name: str, message: Message) -> None:
        """`address.postal_code` and the pointer `/address/postal_code` are the same field."""
        self.faults.append(FieldFault("/" + name.replace(".", "/"), message))

    def check(self) -> None:
        """Raises InputWrong if any fault was noted."""
        if self.faults:
            raise InputWrong(*self.faults)

    def refused(self, refusal: PorticoError) -> Form:
        """Itself, with what the refusal says: faults at their fields, any other sentence in the summary.

        Of a long form also trouble can be shown so ("try again later"): nothing has to be typed again.
        """
        self.refusal = refusal
        if isinstance(refusal, InputWrong):
            self.faults = list(refusal.faults)
        return self

    def error(self, name: str) -> Message | None:
        return next((fault.message for fault in self.faults if fault.field == name), None)

    @property
    def status(self) -> int:
        """Of the page that shows it: 200, or the refusal's."""
        return self.refusal.status if self.refusal else 200


async def read_form(request: Request[Any, Any, Any]) -> Form:
    """The form of this request, urlencoded or multipart. Raises RequestWrong, or 413 past the app's body limit."""
    form = await _read(request)
    request.scope["state"][_SENT] = form
    return form


def sent_again(request: Request[Any, Any, Any]) -> list[tuple[str, str]]:
    """What the form of this request held, for a button that sends it once more; nothing where it held a secret."""
    form: Form | None = request.scope.get("state", {}).get(_SENT)
    if form is None or form.files:
        return []
    pairs = [(name, value) for name in form.names for value in form.all(name)]
    return [] if any("password" in name for name, _ in pairs) else pairs


async def _read(request: Request[Any, Any, Any]) -> Form:
    media_type = request.content_type[0]
    if media_type == "multipart/form-data":
        parts = list((await request.form()).multi_items())
        files = {name: part for name, part in parts if isinstance(part, UploadFile)}
        return Form(_grouped((name, part) for name, part in parts if isinstance(part, str)), files)
    body = await request.body()
    if body and media_type != "application/x-www-form-urlencoded":
        raise RequestWrong(media_type)
    return Form(_grouped(_pairs(body)))


def _pairs(body: bytes) -> list[tuple[str, str]]:
    # Not request.form(): Litestar keeps the last 1,024 bodies with their passwords in a cache of its own.
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise RequestWrong(type(error).__name__) from None


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value.replace("\x00", ""))
    return grouped
