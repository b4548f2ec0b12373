"""Large orgs: what an index answers takes no longer among a hundred thousand accounts than among a thousand."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from portico_sandbox.salesforce import soql_run
from portico_sandbox.salesforce.changes import Caller, Changes, seeding
from portico_sandbox.salesforce.objects import ACCOUNT, CONTACT
from portico_sandbox.salesforce.schema import Entity
from portico_sandbox.salesforce.seed import seed
from portico_sandbox.salesforce.sessions import STAFF_USER_ID
from portico_sandbox.sandbox import Sandbox, open_sandbox
from portico_sandbox.settings import Settings
from portico_sandbox.sf_id import to_18
from portico_sandbox.store import Row
from tests.sandbox.serving_apps import fresh_sandbox

FEW = 1_000
ROUNDS = 40

pytestmark = pytest.mark.timeout(600)  # most of it is making the accounts

SIZES = [20_000, pytest.param(100_000, marks=pytest.mark.proof)]


def account_id(number: int) -> str:
    return to_18(f"001ZZ{number:010d}")


def contact_id(number: int) -> str:
    return to_18(f"003ZZ{number:010d}")


INNER = "SELECT Id FROM Account WHERE WHMCS_Client_Id__c = '900005'"
QUERIES = {
    "id": f"SELECT Id, Name FROM Account WHERE Id = '{account_id(500)}'",
    "external id": "SELECT Id, Name FROM Account WHERE Customer_Number__c = 'SCALE-500'",
    "foreign key": f"SELECT Id FROM Contact WHERE AccountId = '{account_id(500)}'",
    "parent's external id": "SELECT Id FROM Contact WHERE Account.Customer_Number__c = 'SCALE-500'",
    "child rows": f"SELECT Id, (SELECT Id FROM Contacts) FROM Account WHERE Id = '{account_id(500)}'",
    "semi-join": f"SELECT Id FROM Contact WHERE AccountId IN ({INNER})",
    "either of two": "SELECT Id FROM Account WHERE Customer_Number__c = 'SCALE-1' OR WHMCS_Client_Id__c = '900002'",
}


def fill(sandbox: Sandbox, numbers: Iterable[int]) -> None:
    """Accounts with a contact each, put straight into the store: only finding them is measured."""
    stamp = "2026-01-01T00:00:00.000+0000"
    stamps = {"CreatedDate": stamp, "LastModifiedDate": stamp, "SystemModstamp": stamp, "IsDeleted": False}
    with seeding(sandbox, Caller(STAFF_USER_ID), datetime(2026, 1, 1, tzinfo=UTC)) as changes:
        for number in numbers:
            account = {"Id": account_id(number), "Name": f"Scale {number}", "Customer_Number__c": f"SCALE-{number}"}
            put(changes, ACCOUNT, {**account, "WHMCS_Client_Id__c": f"{900_000 + number}", **stamps})
            contact = {"Id": contact_id(number), "LastName": "Scale", "AccountId": account["Id"]}
            put(changes, CONTACT, {**contact, **stamps})


def put(changes: Changes, entity: Entity, row: Row) -> None:
    changes.put(entity, row)


def seconds(sandbox: Sandbox, soql: str) -> float:
    """The time of one run that nothing disturbed."""
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        result = soql_run.run(sandbox, soql)
        soql_run.records(sandbox, soql, result.ids, "68.0")
        taken.append(time.perf_counter() - began)
        assert result.ids
    return min(taken)


@dataclass(frozen=True)
class Measured:
    folder: Path
    accounts: int
    slower: dict[str, float]
    """Per query: how many times as long it takes among many as among few."""


@pytest.fixture(scope="module", params=SIZES)
def measured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    folder = tmp_path_factory.mktemp("org")
    sandbox = fresh_sandbox(folder)
    seed(sandbox)
    fill(sandbox, range(FEW))
    among_few = {name: seconds(sandbox, soql) for name, soql in QUERIES.items()}
    fill(sandbox, range(FEW, request.param))
    among_many = {name: seconds(sandbox, soql) for name, soql in QUERIES.items()}
    sandbox.store.close()
    return Measured(folder, request.param, {name: among_many[name] / among_few[name] for name in QUERIES})


@pytest.mark.parametrize("name", list(QUERIES))
def test_an_index_knows_no_size(measured: Measured, name: str) -> None:
    """A scan would take as many times as long as there are more accounts."""
    assert measured.slower[name] < 5


def test_all_of_it_is_there_after_a_restart(measured: Measured) -> None:
    reopened = open_sandbox(Settings(folder=measured.folder))
    count = soql_run.run(reopened, "SELECT COUNT() FROM Account WHERE Name LIKE 'Scale %'")
    assert len(count.ids) == measured.accounts
    last = measured.accounts - 1
    by_index = soql_run.run(reopened, f"SELECT Id FROM Contact WHERE AccountId = '{account_id(last)}'")
    assert by_index.ids == [contact_id(last)]
    reopened.store.close()
