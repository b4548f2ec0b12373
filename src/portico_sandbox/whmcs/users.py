"""Users are logins, clients are billing accounts: GetUsers, UpdateUser, ValidateLogin."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from portico_sandbox.store import Row
from portico_sandbox.whmcs.calls import Action, Answer, ApiRefusal, Call, listing
from portico_sandbox.whmcs.changes import Change, change
from portico_sandbox.whmcs.rows import USERS, find, user_by_email
from portico_sandbox.whmcs.values import local_time


def password_digest(password: str) -> str:
    """One fast round with a fixed salt: the logins of a demo, not of people."""
    return hashlib.sha256(b"whmcs-sandbox:" + password.encode()).hexdigest()


def new_user_row(user_id: int, firstname: str, lastname: str, email: str, password: str, created: str) -> Row:
    return {
        "id": user_id,
        "firstname": firstname,
        "lastname": lastname,
        "email": email,
        "password": password_digest(password),
        "two_factor": False,
        "datecreated": created,
        "last_login": "",
        "clients": [],
    }


def new_user(made: Change, call: Call) -> int:
    """The login that AddClient makes beside the client."""
    names = (call.text("firstname"), call.text("lastname"), call.text("email"))
    user = new_user_row(made.new_id(USERS), *names, call.text("password2"), local_time(made.sandbox))
    made.tx.put(USERS, str(user["id"]), user)
    return int(user["id"])


def get_users(call: Call) -> Answer:
    wanted = call.text("search").casefold()
    rows = [row for row in call.sandbox.store.table(USERS).values() if _matches(row, wanted)]
    rows.sort(key=lambda row: row["id"], reverse=call.text("sorting").upper() == "DESC")
    answer = listing(call, "users", "user", rows, _shown)
    return {**answer, "users": answer["users"]["user"]}  # a flat list, unlike most


def update_user(call: Call) -> Answer:
    user = find(call.sandbox, USERS, call.number("user_id"))
    if user is None:
        raise ApiRefusal("Invalid User ID requested")
    values = {name: call.text(name) for name in ("firstname", "lastname", "email") if call.text(name)}
    if "email" in values:
        if "@" not in values["email"]:
            raise ApiRefusal("The email address entered is not valid")
        other = user_by_email(call.sandbox, values["email"])
        if other and other["id"] != user["id"]:
            raise ApiRefusal("A user already exists with that email address")
    with change(call.sandbox, "UpdateUser") as made:
        made.tx.change(USERS, str(user["id"]), **values)
        made.announce("UserEdit", None, user=user["id"])
        made.record(user["id"], user_id=user["id"], changed=sorted(values))
    return {"user_id": user["id"]}


def validate_login(call: Call) -> Answer:
    user = user_by_email(call.sandbox, call.text("email"))
    digest = password_digest(call.text("password2"))
    if user is None or not hmac.compare_digest(user["password"], digest):
        raise ApiRefusal("Email or Password Invalid")
    if user["two_factor"]:
        # The password was right, but there is no session: hence no hash.
        return {"userid": user["id"], "twoFactorEnabled": True}
    with change(call.sandbox, "ValidateLogin") as made:
        made.tx.change(USERS, str(user["id"]), last_login=local_time(call.sandbox))
        made.record(user["id"], user_id=user["id"])
    return {"userid": user["id"], "passwordhash": secrets.token_hex(32), "twoFactorEnabled": False}


def _matches(user: Row, wanted: str) -> bool:
    """A prefix search, over e-mail and names."""
    full = f"{user['firstname']} {user['lastname']}"
    return any(text.casefold().startswith(wanted) for text in (user["email"], full, user["lastname"]))


def _shown(user: Row) -> Answer:
    shown = {name: user[name] for name in ("id", "firstname", "lastname", "email", "datecreated")}
    return {**shown, "validationdata": "", "clients": [dict(link) for link in user["clients"]]}


ACTIONS: dict[str, Action] = {"GetUsers": get_users, "UpdateUser": update_user, "ValidateLogin": validate_login}
