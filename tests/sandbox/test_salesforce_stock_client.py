"""A client that other people wrote, unchanged, over TLS: what it gets here is what it gets from a real org."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
import requests
from simple_salesforce import Salesforce, SalesforceLogin, exceptions, format_soql  # type: ignore[attr-defined]

from portico_sandbox import ports
from portico_sandbox.salesforce.app import build_app
from portico_sandbox.salesforce.control import expire_tokens
from portico_sandbox.salesforce.keys import Keys, ensure_keys
from portico_sandbox.salesforce.knobs import turn
from portico_sandbox.salesforce.org_control import use_up_calls
from portico_sandbox.salesforce.seed import seed
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.servers import Listener, serving
from tests.sandbox.serving_apps import fresh_sandbox

Answer = TypeVar("Answer")


@dataclass
class Stock:
    sandbox: Sandbox
    keys: Keys
    place: str
    """host:port of the TLS door"""
    client: Any = None

    def session(self) -> requests.Session:
        session = requests.Session()
        session.verify = str(self.keys.authority)
        session.trust_env = False
        return session

    def by_assertion(self, **changes: Any) -> Any:
        """Its JWT flow. It always appends a domain to the host: here that becomes a query, which nobody reads."""
        settings = self.sandbox.settings
        usual = {
            "username": settings.salesforce_username,
            "consumer_key": settings.salesforce_client_id,
            "privatekey": self.keys.salesforce_key.read_text(),
            "instance_url": f"{self.place}/services/oauth2/token?",
            "domain": "login",
        }
        return Salesforce(**{**usual, **changes}, session=self.session())

    def by_password(self, version: str = "59.0", **changes: Any) -> Any:
        settings = self.sandbox.settings
        usual = {"username": settings.salesforce_username, "password": settings.salesforce_password}
        session_id, instance = SalesforceLogin(
            **{**usual, **changes},
            security_token="token",
            sf_version=version,
            scratch_url=f"https://{self.place}",
            session=self.session(),
        )
        return Salesforce(session_id=session_id, instance=instance, session=self.session())


@pytest.fixture(scope="module")
async def stock(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stock]:
    sandbox = fresh_sandbox(tmp_path_factory.mktemp("org"))
    seed(sandbox)
    keys = ensure_keys(sandbox.settings.folder)
    sockets = ports.bind(0, "a test")
    for extra in sockets[1:]:
        extra.close()
    async with serving([Listener(build_app(sandbox), sockets[:1], tls=keys)]):
        found = Stock(sandbox, keys, f"127.0.0.1:{sockets[0].getsockname()[1]}")
        found.client = await off(found.by_assertion)
        yield found


async def off(work: Callable[..., Answer], *given: Any, **more: Any) -> Answer:
    """Runs what blocks beside the loop that serves it."""
    return await asyncio.to_thread(work, *given, **more)


async def refused(kind: type[Exception], work: Callable[..., Any], *given: Any) -> Any:
    with pytest.raises(kind) as caught:
        await off(work, *given)
    return caught.value


async def test_it_signs_in_by_assertion_and_by_password(stock: Stock) -> None:
    assert stock.client.sf_instance == stock.place
    by_password = await off(stock.by_password)
    for client in (stock.client, by_password):
        info = await off(client.oauth2, "userinfo")
        assert info["preferred_username"] == stock.sandbox.settings.salesforce_username


async def test_it_is_told_why_it_may_not_sign_in(stock: Stock) -> None:
    kind = exceptions.SalesforceAuthenticationFailed
    wrong = await refused(kind, lambda: stock.by_assertion(consumer_key="somebody"))
    assert wrong.code == "invalid_client_id"
    wrong = await refused(kind, lambda: stock.by_password(password="guessed"))
    assert wrong.code == "INVALID_LOGIN"
    wrong = await refused(kind, lambda: stock.by_password(version="66.0"))
    assert wrong.code == "UNSUPPORTED_API_VERSION"


async def test_it_queries_page_by_page(stock: Stock) -> None:
    soql = "SELECT Id, StockKeepingUnit FROM Product2 ORDER BY StockKeepingUnit"
    whole = await off(stock.client.query_all, soql)
    assert (whole["done"], whole["totalSize"]) == (True, len(whole["records"]))
    batch = {"Sforce-Query-Options": "batchSize=5"}
    first = await off(stock.client.query, soql, headers=batch)
    assert (first["done"], len(first["records"])) == (False, 5)
    paged = await off(stock.client.query_all, soql, headers=batch)
    assert [each["Id"] for each in paged["records"]] == [each["Id"] for each in whole["records"]]
    rest = await off(stock.client.query_more, first["nextRecordsUrl"], identifier_is_url=True)
    assert rest["records"][0]["Id"] == whole["records"][5]["Id"]


async def test_it_writes_and_reads_rows(stock: Stock) -> None:
    account = stock.client.Account
    made = await off(account.create, {"Name": "Stock"})
    assert made["success"]
    assert await off(account.update, made["id"], {"Phone": "03-1"}) == 204
    assert (await off(account.get, made["id"]))["Phone"] == "03-1"
    key = "Customer_Number__c/STOCK-1"
    assert [await off(account.upsert, key, {"Name": "Twice"}) for _ in range(2)] == [201, 200]
    assert (await off(account.get_by_custom_id, "Customer_Number__c", "STOCK-1"))["Name"] == "Twice"
    assert await off(account.delete, made["id"]) == 204
    now = datetime.now(UTC)
    span = (now - timedelta(hours=1), now + timedelta(hours=1))
    assert made["id"] in [each["id"] for each in (await off(account.deleted, *span))["deletedRecords"]]
    assert made["id"] not in (await off(account.updated, *span))["ids"]


async def test_its_literals_come_back_as_they_were(stock: Stock) -> None:
    name = 'O\'Brien \\ "Söhne"\n100%_sicher'
    made = await off(stock.client.Account.create, {"Name": name})
    for soql in (
        format_soql("SELECT Name FROM Account WHERE Name = {}", name),
        format_soql("SELECT Name FROM Account WHERE Name LIKE '%{:like}'", "100%_sicher"),
        format_soql("SELECT Name FROM Account WHERE Id IN {} AND CreatedDate > {}", [made["id"]],
                    datetime(2020, 1, 1, tzinfo=UTC)),
    ):  # fmt: skip
        found = await off(stock.client.query, soql)
        assert [each["Name"] for each in found["records"]] == [name], soql


async def test_it_describes(stock: Stock) -> None:
    assert "Order" in [each["name"] for each in (await off(stock.client.describe))["sobjects"]]
    fields = (await off(stock.client.Order.describe))["fields"]
    [status] = [each for each in fields if each["name"] == "Status"]
    assert (status["type"], status["restrictedPicklist"], status["nillable"]) == ("picklist", True, False)
    metadata = await off(stock.client.Account.metadata)
    assert metadata["objectDescribe"]["keyPrefix"] == "001"


async def test_it_uploads_files(stock: Stock) -> None:
    content = bytes(range(256))
    file = {"Title": "All bytes", "PathOnClient": "all.bin", "VersionData": base64.b64encode(content).decode()}
    made = await off(stock.client.ContentVersion.create, file)
    assert await off(stock.client.ContentVersion.get_base64, made["id"], base64_field="VersionData") == content


async def test_it_moves_tables(stock: Stock) -> None:
    bulk = stock.client.bulk2.Account
    rows = [{"Name": f"Bulk {number}", "Customer_Number__c": f"BULK-{number}"} for number in range(3)]
    [done] = await off(bulk.insert, records=[*rows, {"Name": "Bulk 4", "Customer_Number__c": "BULK-1"}])
    assert (done["numberRecordsProcessed"], done["numberRecordsFailed"]) == (4, 1)
    failed = await off(bulk.get_failed_records, done["job_id"])
    assert "DUPLICATE_VALUE" in failed
    assert "Bulk 4" in failed
    changes = [{"Customer_Number__c": "BULK-0", "Phone": "1"}, {"Customer_Number__c": "BULK-9", "Name": "Bulk 9"}]
    [done] = await off(bulk.upsert, records=changes, external_id_field="Customer_Number__c")
    assert done["numberRecordsFailed"] == 0
    soql = "SELECT Id, Name, Phone, Owner.Name FROM Account WHERE Customer_Number__c LIKE 'BULK-%' ORDER BY Name"
    pages = await off(lambda: list(bulk.query(soql, max_records=3)))
    assert [page.count("\n") - 1 for page in pages] == [3, 1]
    assert pages[0].splitlines()[0] == '"Id","Name","Phone","Owner.Name"'
    assert '"Bulk 0","1","' in pages[0]
    ids = [{"Id": line.split(",")[0].strip('"')} for page in pages for line in page.splitlines()[1:]]
    [done] = await off(bulk.delete, records=ids)
    assert (done["numberRecordsProcessed"], done["numberRecordsFailed"]) == (4, 0)


async def test_each_refusal_is_the_right_exception(stock: Stock) -> None:
    account = stock.client.Account
    found = await refused(exceptions.SalesforceResourceNotFound, account.get, "0015g00000nowhrAAA")
    assert found.content[0]["errorCode"] == "NOT_FOUND"
    found = await refused(exceptions.SalesforceMalformedRequest, stock.client.query, "SELECT Nope FROM Account")
    assert found.content[0]["errorCode"] == "INVALID_FIELD"
    found = await refused(exceptions.SalesforceMalformedRequest, account.create, {"Phone": "1"})
    assert found.content[0]["fields"] == ["Name"]


async def test_limits_end_its_day(stock: Stock) -> None:
    await off(stock.client.limits)
    usage = stock.client.api_usage["api-usage"]
    assert usage.total == 100_000
    turn(stock.sandbox, "daily_calls", "500")
    await use_up_calls(stock.sandbox, "500")
    found = await refused(exceptions.SalesforceRefusedRequest, stock.client.limits)
    assert found.content[0] == {"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}
    turn(stock.sandbox, "daily_calls", "100000")
    assert (await off(stock.client.limits))["DailyApiRequests"]["Max"] == 100_000


async def test_a_dead_session_is_told(stock: Stock) -> None:
    client = await off(stock.by_password)
    await expire_tokens(stock.sandbox)
    found = await refused(exceptions.SalesforceExpiredSession, client.query, "SELECT Id FROM Account")
    assert found.content[0]["errorCode"] == "INVALID_SESSION_ID"
    stock.client = await off(stock.by_assertion)
    assert (await off(stock.client.query, "SELECT COUNT() FROM Account"))["totalSize"]
