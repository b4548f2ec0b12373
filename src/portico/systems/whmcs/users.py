"""Users: the logins of WHMCS, each of which may own several clients or none."""

from __future__ import annotations

from dataclasses import dataclass

from portico.customer import WhmcsClientId, WhmcsUserId
from portico.systems.whmcs.client import Whmcs, call, call_for_all
from portico.systems.whmcs.shapes import Row, as_bool, as_int, as_raw, rows


@dataclass(frozen=True, slots=True)
class Login:
    """A password that was right. With a second factor it proves only half of who somebody is."""

    user_id: WhmcsUserId
    needs_second_factor: bool


@dataclass(frozen=True, slots=True)
class ClientOfUser:
    client_id: WhmcsClientId
    is_owner: bool


@dataclass(frozen=True, slots=True)
class User:
    id: WhmcsUserId
    email: str
    clients: tuple[ClientOfUser, ...]


async def validate_login(whmcs: Whmcs, email: str, password: str) -> Login:
    """Asks WHMCS whether this is the password of this user. Raises SignInWrong.

    Sent once only, since each try may count towards a lock-out over there. The answer's `passwordhash` is a live
    session of WHMCS: never kept.
    """
    answer = await call(whmcs, "ValidateLogin", {"email": email, "password2": password}, repeatable=False)
    return Login(WhmcsUserId(as_int(answer, "userid")), as_bool(answer, "twoFactorEnabled"))


async def get_users(whmcs: Whmcs, email: str) -> list[User]:
    """Users with exactly this e-mail (the vendor's search is by prefix); one at most, as a rule."""
    found = await call_for_all(whmcs, "GetUsers", {"search": email}, "users", "user")
    return [_user(row) for row in found if as_raw(row, "email").lower() == email.lower()]


async def update_user(whmcs: Whmcs, user_id: WhmcsUserId, *, email: str) -> None:
    """Changes the e-mail of the login; may be sent twice. Raises EmailTaken."""
    await call(whmcs, "UpdateUser", {"user_id": user_id, "email": email}, repeatable=True)


def _user(row: Row) -> User:
    clients = tuple(
        ClientOfUser(WhmcsClientId(as_int(each, "id")), as_bool(each, "isOwner"))
        for each in rows(row, "clients", "client")
    )
    return User(WhmcsUserId(as_int(row, "id")), as_raw(row, "email"), clients)
