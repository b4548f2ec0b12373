"""The world outside the portal, for tests without a loop: the foreign staff, the dials, the mailbox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx2

from tests.fixtures.until import until_sync

PASSWORD = "correct horse battery"
UNKNOWN = {"whmcs": "/invoices/1", "salesforce": "/orders/801000000000001AAA"}
"""What is not there is asked for anew each time: the quickest way to see whether a system answers."""
_fresh = count(1)


@dataclass(frozen=True)
class Newcomer:
    """Somebody with a contract letter in hand and no portal account."""

    customer_number: str
    postal_code: str
    email: str
    account: str

    @property
    def eid(self) -> str:
        """Of their phone."""
        return f"8904903200000000{self.customer_number[3:]:0>16}"

    @property
    def line_number(self) -> str:
        """That staff give to their line: nobody else's."""
        return f"070{self.customer_number[3:]:0>8}"

    def typed(self, **other: str) -> dict[str, str]:
        """What they fill in at sign-up, by field name."""
        fields = {
            "customer_number": self.customer_number,
            "email": self.email,
            "password": PASSWORD,
            "last_name": "Test",
            "first_name": "Hanako",
            "phone": "03-1234-5678",
            "address.postal_code": self.postal_code,
            "address.state": "Tokyo",
            "address.city": "Shibuya-ku",
            "address.street": "1-2-3 Jinnan",
        }
        return {**fields, **{name.replace("__", "."): value for name, value in other.items()}}


class Outside:
    """The control panel's JSON. A refused press fails the test with the panel's own sentence."""

    def __init__(self, world: dict[str, Any]) -> None:
        self._client = httpx2.Client(base_url=world["control_panel"], timeout=10, trust_env=False)
        portal = f"{world['portal']}/api/v1"
        self._watcher = httpx2.Client(base_url=portal, headers={"origin": world["portal"]}, timeout=10, trust_env=False)
        watching = {name: world["customers"]["ready"][-1][name] for name in ("email", "password")}
        assert self._watcher.post("/auth/sign-in", json=watching).status_code == 200

    def newcomer(self, eligibility: str = "Mobile") -> Newcomer:
        """A customer whom only Salesforce knows, made for this test."""
        made = self.press("salesforce", "add-account", eligibility=eligibility, postal_code="150-0041")
        number = made["customer_number"]
        return Newcomer(
            number, "150-0041", f"newcomer.{next(_fresh)}.{number.lower()}@mail.example", made["sf_account_id"]
        )

    def press(self, system: str, button: str, **fields: Any) -> dict[str, Any]:
        facts: dict[str, Any] = self._post(f"/control/{system}/{button}", **fields)
        return facts

    @contextmanager
    def trouble(self, system: str, mode: str = "down", **more: Any) -> Iterator[None]:
        """A dial is turned, and turned back; at the end the portal has noticed that all is well again."""
        self._post("/control/dials", system=system, mode=mode, **more)
        try:
            yield
        finally:
            self._client.delete("/control/dials", params={"system": system})
            until_sync(lambda: self._watcher.get(UNKNOWN[system]).status_code == 404)

    def ledger(self, system: str, effect: str = "", **facts: Any) -> list[dict[str, Any]]:
        """Effects really made, those with these facts."""
        lines = self._client.get("/control/ledger", params={"system": system, "effect": effect}).json()
        return [line for line in lines if facts.items() <= line["facts"].items()]

    def mail(self, to: str, subject: str) -> dict[str, Any]:
        """Waits for the one message to this person with that subject."""
        found = until_sync(lambda: [mail for mail in self._mails(to) if mail["subject"] == subject])
        assert len(found) == 1, found
        return found[0]

    def mails(self, to: str, many: int) -> list[dict[str, Any]]:
        """Waits for so many messages to this person; newest first."""
        until_sync(lambda: len(self._mails(to)) >= many)
        return self._mails(to)

    def _mails(self, to: str) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = self._client.get("/mailbox.json", params={"to": to}).json()
        return messages

    def close(self) -> None:
        self._client.close()
        self._watcher.close()

    def _post(self, path: str, **fields: Any) -> Any:
        answer = self._client.post(path, json=fields)
        assert answer.status_code == 200, f"{path} {fields}: {answer.text}"
        return answer.json()
