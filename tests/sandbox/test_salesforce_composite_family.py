"""Batch, graph, tree, and the collections that read: every way to put several calls into one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.sandbox.salesforce_calling import ROOT, Salesforce, salesforce_at


@pytest.fixture(scope="module")
async def org(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Salesforce]:
    async with salesforce_at(tmp_path_factory.mktemp("org")) as caller:
        yield caller


def part(name: str, method: str, path: str, body: Any = None, **more: Any) -> dict[str, Any]:
    return {"referenceId": name, "method": method, "url": ROOT + path, "body": body, **more}


async def names_like(org: Salesforce, start: str) -> list[str]:
    soql = f"SELECT Name FROM Account WHERE Name LIKE '{start}%' ORDER BY Name"
    return [each["Name"] for each in await org.records(soql)]


async def test_a_batch_runs_what_stands_in_it(org: Salesforce) -> None:
    requests = [
        {"method": "POST", "url": "v68.0/sobjects/Account", "richInput": {"Name": "Batch one"}},
        {"method": "GET", "url": "v68.0/sobjects/Account/0015g00000nowhrAAA"},
        {"method": "PATCH", "url": f"v68.0/sobjects/Account/{org.account_id()}", "richInput": {"Fax": "1"}},
    ]
    answer = (await org.call("POST", "/composite/batch", {"batchRequests": requests})).json()
    assert answer["hasErrors"]
    assert [each["statusCode"] for each in answer["results"]] == [201, 404, 204]
    assert answer["results"][1]["result"][0]["errorCode"] == "NOT_FOUND"
    halted = (await org.call("POST", "/composite/batch", {"haltOnError": True, "batchRequests": requests})).json()
    assert [each["statusCode"] for each in halted["results"]] == [201, 404, 412]
    assert halted["results"][2]["result"][0]["errorCode"] == "BATCH_PROCESSING_HALTED"
    assert await names_like(org, "Batch") == ["Batch one", "Batch one"]


async def test_a_graph_stands_or_falls_alone(org: Salesforce) -> None:
    def graph(name: str, last_name: str) -> dict[str, Any]:
        parts = [
            part("account", "POST", "/sobjects/Account", {"Name": f"Graph {name}"}),
            part("contact", "POST", "/sobjects/Contact", {"LastName": last_name, "AccountId": "@{account.id}"}),
        ]
        return {"graphId": name, "compositeRequest": parts}

    body = {"graphs": [graph("good", "Graph"), graph("bad", ""), graph("fine", "Graph")]}
    graphs = (await org.call("POST", "/composite/graph", body)).json()["graphs"]
    assert [(each["graphId"], each["isSuccessful"]) for each in graphs] == [
        ("good", True), ("bad", False), ("fine", True),
    ]  # fmt: skip
    first, second = graphs[1]["graphResponse"]["compositeResponse"]
    assert first["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert second["body"][0]["errorCode"] == "REQUIRED_FIELD_MISSING"
    assert await names_like(org, "Graph") == ["Graph fine", "Graph good"]


def tree_of(*names: str, last_name: str = "Leaf") -> dict[str, Any]:
    contact = {"attributes": {"type": "Contact", "referenceId": f"{names[0]}-c"}, "LastName": last_name}
    records = [
        {"attributes": {"type": "Account", "referenceId": name}, "Name": f"Tree {name}"} for name in names
    ]  # fmt: skip
    return {"records": [{**records[0], "Contacts": {"records": [contact]}}, *records[1:]]}


async def test_a_tree_is_made_whole(org: Salesforce) -> None:
    answer = await org.call("POST", "/composite/tree/Account", tree_of("a", "b"))
    assert answer.status_code == 201
    ids = {each["referenceId"]: each["id"] for each in answer.json()["results"]}
    assert (answer.json()["hasErrors"], set(ids)) == (False, {"a", "a-c", "b"})
    [contact] = await org.records(f"SELECT AccountId FROM Contact WHERE Id = '{ids['a-c']}'")
    assert contact["AccountId"] == ids["a"]


async def test_a_tree_fails_whole(org: Salesforce) -> None:
    answer = await org.call("POST", "/composite/tree/Account", tree_of("never", "neither", last_name=""))
    assert answer.status_code == 400
    [failed] = answer.json()["results"]
    assert (answer.json()["hasErrors"], failed["referenceId"]) == (True, "never-c")
    assert failed["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"
    assert await names_like(org, "Tree n") == []
    wrong_trees: list[dict[str, Any]] = [tree_of("same", "same"), {"records": []}, {"records": [{"Name": "x"}]}]
    for body in wrong_trees:
        wrong = await org.call("POST", "/composite/tree/Account", body)
        assert (wrong.status_code, wrong.json()[0]["errorCode"]) == (400, "JSON_PARSER_ERROR")


async def test_collections_read(org: Salesforce) -> None:
    ids = [org.account_id(), "0015g00000nowhrAAA", org.account_id(1)[:15]]
    answer = await org.call("GET", f"/composite/sobjects/Account?ids={','.join(ids)}&fields=Name,Phone")
    first, missing, last = answer.json()
    assert set(first) == {"attributes", "Id", "Name", "Phone"}
    assert (missing, last["Id"]) == (None, org.account_id(1))
    posted = await org.call("POST", "/composite/sobjects/Account", {"ids": ids, "fields": ["Name", "Phone"]})
    assert posted.json() == answer.json()
    wrong = await org.call("GET", f"/composite/sobjects/Account?ids={ids[0]}&fields=Nope")
    assert wrong.json()[0]["errorCode"] == "INVALID_FIELD"
    assert (await org.call("GET", f"/composite/sobjects/Account?ids={ids[0]}")).status_code == 400


async def test_collections_have_limits(org: Salesforce) -> None:
    one = {"attributes": {"type": "Account"}, "Name": "Many"}
    other = {"attributes": {"type": "Contact"}, "LastName": "Many"}
    for records, code in (([one] * 201, "EXCEEDED_ID_LIMIT"), ([one, other] * 6, "LIMIT_EXCEEDED")):
        answer = await org.call("POST", "/composite/sobjects", {"records": records})
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)
    ten_runs = [record for pair in [(one, other)] * 5 for record in pair]
    mixed = (await org.call("POST", "/composite/sobjects", {"records": ten_runs})).json()
    assert [each["success"] for each in mixed] == [True] * 10


@pytest.mark.parametrize("records", [[1], [None], [[]]])
async def test_records_are_objects(org: Salesforce, records: list[Any]) -> None:
    for method in ("POST", "PATCH"):
        answer = await org.call(method, "/composite/sobjects", {"records": records})
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "JSON_PARSER_ERROR")
    [result] = (await org.call("POST", "/composite/sobjects", {"records": [{"attributes": "Account"}]})).json()
    assert result["errors"][0]["statusCode"] == "INVALID_TYPE"


async def test_collections_judge_ids(org: Salesforce) -> None:
    gone = await org.create("Account", Name="Gone")
    await org.call("DELETE", f"/sobjects/Account/{gone}")
    ids = ["001x", "0015g00000nowhr", gone]
    wanted = ["MALFORMED_ID", "INVALID_CROSS_REFERENCE_KEY", "ENTITY_IS_DELETED"]
    records = [{"attributes": {"type": "Account"}, "Id": each, "Phone": "1"} for each in ids]
    for answer in (
        await org.call("PATCH", "/composite/sobjects", {"records": records}),
        await org.call("DELETE", f"/composite/sobjects?ids={','.join(ids)}"),
    ):
        assert [each["errors"][0]["statusCode"] for each in answer.json()] == wanted


async def test_envelopes_have_limits(org: Salesforce) -> None:
    some = [part(f"p{number}", "GET", "/limits") for number in range(26)]
    heavy = [part(f"q{number}", "GET", "/query?q=SELECT Id FROM Account LIMIT 1") for number in range(6)]
    for parts in (some, heavy):
        answer = await org.call("POST", "/composite", {"compositeRequest": parts})
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "LIMIT_EXCEEDED")
    fine = await org.call("POST", "/composite", {"compositeRequest": some[:20] + heavy[:5]})
    assert [each["httpStatusCode"] for each in fine.json()["compositeResponse"]] == [200] * 25
    nested = [part("x", "POST", "/composite", {"compositeRequest": []})]
    assert (await org.call("POST", "/composite", {"compositeRequest": nested})).status_code == 400


async def test_references_reach_into_nested_answers(org: Salesforce) -> None:
    soql = "SELECT Id, (SELECT Id FROM Contacts) FROM Account WHERE Customer_Number__c = 'CN-100102'"
    parts = [
        part("found", "GET", f"/query?q={soql}"),
        part("contact", "GET", "/sobjects/Contact/@{found.records[0].Contacts.records[0].Id}?fields=LastName"),
        part("described", "GET", "/sobjects/Account/describe"),
        part("field", "GET", "/sobjects/Account/@{found.records[0].Id}?fields=@{described.fields[2].name}"),
        part("beyond", "GET", "/sobjects/Account/@{found.records[7].Id}"),
    ]
    body = {"collateSubrequests": True, "compositeRequest": parts}
    answers = (await org.call("POST", "/composite", body)).json()["compositeResponse"]
    assert [each["referenceId"] for each in answers] == ["found", "contact", "described", "field", "beyond"]
    assert answers[1]["body"]["LastName"] == "Fischer"
    assert answers[3]["httpStatusCode"] == 200
    assert answers[4]["body"][0]["errorCode"] == "PROCESSING_HALTED"


async def test_headers_of_a_part_are_its_own(org: Salesforce) -> None:
    row = await org.call("GET", f"/sobjects/Account/{org.account_id()}")
    fresh = {"If-None-Match": row.headers["ETag"]}
    parts = [
        part("same", "GET", f"/sobjects/Account/{org.account_id()}", httpHeaders=fresh),
        part("whole", "GET", f"/sobjects/Account/{org.account_id()}"),
    ]
    same, whole = (await org.call("POST", "/composite", {"compositeRequest": parts})).json()["compositeResponse"]
    assert (same["httpStatusCode"], same["body"]) == (304, None)
    assert whole["httpHeaders"]["ETag"] == row.headers["ETag"]
