"""Error codes without a source: each is a knob, and said as it is turned wherever it is said."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from portico_sandbox.salesforce import wire
from portico_sandbox.salesforce.knobs import UNVERIFIED_CODES, turn
from tests.sandbox.salesforce_calling import Salesforce, salesforce_with_streams
from tests.sandbox.test_salesforce_pubsub_publish import unary


@pytest.fixture
async def org(tmp_path: Path) -> AsyncIterator[Salesforce]:
    async with salesforce_with_streams(tmp_path) as caller:
        yield caller


@pytest.fixture
def other_codes(org: Salesforce) -> None:
    for code in UNVERIFIED_CODES:
        turn(org.sandbox, code, f"other.{code}")


@pytest.mark.usefixtures("other_codes")
async def test_of_a_row_and_of_a_collection(org: Salesforce) -> None:
    body = {"Name": "x", "ParentId": "0015g00000nowhr"}
    [fault] = (await org.call("POST", "/sobjects/Account", body)).json()
    assert fault["errorCode"] == "other.INVALID_CROSS_REFERENCE_KEY"
    records = [{"attributes": {"type": "Account"}, **body}]
    [result] = (await org.call("POST", "/composite/sobjects", {"records": records})).json()
    assert result["errors"][0]["statusCode"] == "other.INVALID_CROSS_REFERENCE_KEY"
    [fault] = (await org.call("POST", "/sobjects/Account", {"Nope": "x"})).json()
    assert fault["errorCode"] == "INVALID_FIELD"


@pytest.mark.usefixtures("other_codes")
async def test_of_a_stream(org: Salesforce) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await unary(org, "GetTopic", wire.TopicRequest(topic_name="/data/Nope"), wire.TopicInfo)
    trailers: dict[str, Any] = dict(refused.value.trailing_metadata() or ())
    assert trailers["error-code"].endswith("grpc.other.topic.not.found")
