"""The access token: minted by a signed assertion or a secret, shared by REST and Pub/Sub, one mint at a time."""

from __future__ import annotations

import asyncio
import time
from contextvars import copy_context
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

import jwt
import structlog

from portico.errors import SetupWrong, SystemDown, SystemSurprised
from portico.settings import SalesforceSettings
from portico.systems.http import Door, Reply, deadline
from portico.systems.salesforce.errors import SYSTEM
from portico.systems.salesforce.exact_json import NotJson, decode, encode
from portico.systems.salesforce.sf_id import normalized

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ASSERTION_SECONDS = 180
_REFUSED_SECONDS = 2.0
"""After a refused mint, callers are told so for a while before the next try: no storm on the sign-in host."""

_log = structlog.get_logger()


@dataclass(frozen=True)
class Token:
    secret: str = field(repr=False)
    instance_url: str
    organization_id: str
    user_id: str
    minted_at: float


class TokenHolder:
    def __init__(self, door: Door, settings: SalesforceSettings) -> None:
        self._door = door
        self._settings = settings
        self._token: Token | None = None
        self._flight: asyncio.Task[Token] | None = None
        self._refused: tuple[float, SetupWrong] | None = None

    async def get(self) -> Token:
        """A token that is believed to work.

        Raises SetupWrong where Salesforce refuses the assertion, SystemDown where it could not be asked; in both
        cases the call that wanted the token was not sent.
        """
        token = self._token
        if token and time.monotonic() - token.minted_at < self._settings.token_minutes * 60:
            return token
        return await self._shared_mint()

    async def renew(self, stale: Token) -> Token:
        """A token other than this one, which was answered with 401. A hundred callers cause one mint."""
        if self._token is stale:
            self._token = None
        return await self.get()

    async def _shared_mint(self) -> Token:
        if self._refused and time.monotonic() < self._refused[0]:
            raise SetupWrong(SYSTEM, self._refused[1].note.removeprefix(f"{SYSTEM}: "))
        if self._flight is None:
            # The mint serves all who wait: the deadline of the first must not end it for the others.
            context = copy_context()
            context.run(deadline.set, None)
            self._flight = asyncio.get_running_loop().create_task(self._mint(), context=context)
            self._flight.add_done_callback(self._landed)
        until = deadline.get()
        try:
            async with asyncio.timeout_at(until):
                return await asyncio.shield(self._flight)
        except TimeoutError:
            raise SystemDown(SYSTEM, "token: deadline passed", sent=False) from None

    def _landed(self, flight: asyncio.Task[Token]) -> None:
        self._flight = None
        if flight.cancelled():
            return
        error = flight.exception()
        if error is None:
            self._token = flight.result()
        elif isinstance(error, SetupWrong):
            self._refused = (time.monotonic() + _REFUSED_SECONDS, error)
            _log.error("salesforce.token.refused", reason=error.note)

    async def _mint(self) -> Token:
        form = urlencode(self._grant()).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        try:
            reply = await self._door.call(
                "POST", self._token_url(), name="token", repeatable=True, headers=headers, content=form
            )
        except SystemDown as down:
            raise SystemDown(SYSTEM, down.note.removeprefix(f"{SYSTEM}: "), sent=False) from down
        return self._token_in(reply)

    def _token_url(self) -> str:
        return f"{self._settings.login_url.rstrip('/')}/services/oauth2/token"

    def _grant(self) -> dict[str, str]:
        secret = self._settings.client_secret.get_secret_value()
        if not secret:
            return {"grant_type": _GRANT, "assertion": self._assertion()}
        return {"grant_type": "client_credentials", "client_id": self._settings.client_id, "client_secret": secret}

    def _assertion(self) -> str:
        try:
            key = self._settings.private_key_path.read_bytes()
        except OSError as error:
            raise SetupWrong(SYSTEM, "SALESFORCE_PRIVATE_KEY_PATH can't be read") from error
        claims = {
            "iss": self._settings.client_id,
            "sub": self._settings.username,
            "aud": self._settings.audience,
            "exp": int(time.time()) + _ASSERTION_SECONDS,
        }
        try:
            return jwt.encode(claims, key, algorithm="RS256")
        except (jwt.InvalidKeyError, ValueError) as error:
            raise SetupWrong(SYSTEM, "SALESFORCE_PRIVATE_KEY_PATH holds no RSA key") from error

    def _token_in(self, reply: Reply) -> Token:
        if reply.status >= 500 or reply.status == 429:
            raise SystemDown(SYSTEM, f"token: HTTP {reply.status}", sent=False)
        try:
            answer = decode(reply.body)
        except NotJson:
            answer = None
        if not isinstance(answer, dict):
            raise SystemDown(SYSTEM, f"token: HTTP {reply.status}, not JSON", sent=False)
        if reply.status != 200:
            told = f"{answer.get('error', reply.status)}: {answer.get('error_description', '')}"
            raise SetupWrong(SYSTEM, f"token: {told}"[:300])
        return self._checked(answer)

    def _checked(self, answer: dict[str, str]) -> Token:
        try:
            organization, user = answer["id"].rstrip("/").split("/")[-2:]
            token = Token(
                secret=answer["access_token"],
                instance_url=answer["instance_url"].rstrip("/"),
                organization_id=normalized(organization),
                user_id=normalized(user),
                minted_at=time.monotonic(),
            )
        except (KeyError, ValueError, AttributeError) as error:
            # Without its secret: the note may be logged.
            shown = encode({name: value for name, value in answer.items() if name != "access_token"})
            raise SystemSurprised(SYSTEM, "token answer incomplete", body=shown) from error
        if urlsplit(self._settings.login_url).scheme == "https" != urlsplit(token.instance_url).scheme:
            raise SystemSurprised(SYSTEM, "instance_url is not https")
        return token
