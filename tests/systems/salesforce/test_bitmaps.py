"""Bitmaps of changed fields, by the reference's self-checks."""

from __future__ import annotations

import json

import pytest

from portico.systems.salesforce.bitmaps import EVERYTHING, Layout, changed_by, layout_of

_ADDRESS = ("Street", "City", "State", "PostalCode", "Country", "Latitude", "Longitude", "GeocodeAccuracy")
_NAMED = {1: "Name", 4: "BillingAddress", 5: "ShippingAddress", 11: "Industry", 16: "Description"}
_NAMED |= {0: "ChangeEventHeader", 22: "LastModifiedDate"}
ACCOUNT = Layout(
    "AccountChangeEvent",
    tuple(_NAMED.get(place, f"Field{place}") for place in range(24)),
    {4: _ADDRESS, 5: _ADDRESS},
)


@pytest.mark.parametrize(
    ("bitmaps", "changed"),
    [
        (["0x400800"], {"Industry", "LastModifiedDate"}),
        (["0x400000", "4-0x01"], {"LastModifiedDate", "BillingAddress", "BillingAddress.Street"}),
        (["0x410000"], {"Description", "LastModifiedDate"}),
        (["4-0x03"], {"BillingAddress", "BillingAddress.Street", "BillingAddress.City"}),
        (["0x400000", "4-0x01", "5-0x08"], {"LastModifiedDate", "BillingAddress", "BillingAddress.Street",
                                            "ShippingAddress", "ShippingAddress.PostalCode"}),
        (["4-0x00"], set()),
        ([], set()),
    ],
)  # fmt: skip
def test_known_bitmaps(bitmaps: list[str], changed: set[str]) -> None:
    assert changed_by(bitmaps, ACCOUNT) == changed


@pytest.mark.parametrize("bitmaps", [["0x01000000"], ["4-0x0100"], ["1-0x01"], ["99-0x01"], ["0x400800", "7-0x01"]])
def test_bits_beyond_the_schema_mean_everything(bitmaps: list[str]) -> None:
    assert changed_by(bitmaps, ACCOUNT) == EVERYTHING


@pytest.mark.parametrize("bitmap", ["", "x", "400800", "4-01", "x-0x01", "0x", "0x-1", "4-"])
def test_what_is_no_bitmap(bitmap: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        changed_by([bitmap], ACCOUNT)


def test_named_types_are_resolved_where_they_are_used_again() -> None:
    fields = [{"name": name, "type": ["null", "string"]} for name in ("Street", "City")]
    address = {"type": "record", "name": "Address", "namespace": "com.sforce.eventbus", "fields": fields}
    person = {"type": "record", "name": "Switchable_PersonName", "fields": [{"name": "LastName", "type": "string"}]}
    header = {"type": "record", "name": "ChangeEventHeader", "fields": [{"name": "entityName", "type": "string"}]}
    schema = {
        "type": "record",
        "name": "AccountChangeEvent",
        "fields": [
            {"name": "ChangeEventHeader", "type": header},
            {"name": "Name", "type": ["null", "string", person]},
            {"name": "BillingAddress", "type": ["null", address]},
            {"name": "ShippingAddress", "type": ["null", "Address"]},
            {"name": "OtherAddress", "type": ["null", "com.sforce.eventbus.Address"]},
            {"name": "Phone", "type": ["null", "string"]},
        ],
    }
    layout = layout_of(json.dumps(schema))
    assert layout.record == "AccountChangeEvent"
    assert layout.compounds == {
        1: ("LastName",),
        2: ("Street", "City"),
        3: ("Street", "City"),
        4: ("Street", "City"),
    }
    assert changed_by(["0x20", "3-0x02"], layout) == {"Phone", "ShippingAddress", "ShippingAddress.City"}
