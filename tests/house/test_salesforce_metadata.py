"""What `deploy/salesforce` puts into an org is what the settings name, what the stand-in has, and what we read."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from portico.settings import SalesforceFields, SalesforceSettings
from portico_sandbox.salesforce.objects import SELECTED, entity_named
from portico_sandbox.salesforce.schema import Field

PROJECT = Path(__file__).parents[2] / "deploy/salesforce"
SOURCE = PROJECT / "force-app/main/default"
OBJECTS = {"account": "Account", "product": "Product2", "order": "Order", "item": "OrderItem", "case": "Case"}
TYPES = {
    "string": "Text",
    "textarea": "LongTextArea",
    "picklist": "Picklist",
    "multipicklist": "MultiselectPicklist",
    "boolean": "Checkbox",
    "double": "Number",
    "datetime": "DateTime",
}


def read(path: Path) -> ElementTree.Element:
    """Without the namespace, so that paths read as in the files."""
    root = ElementTree.parse(path).getroot()
    for element in root.iter():
        element.tag = element.tag.split("}")[-1]
    return root


def texts(root: ElementTree.Element, path: str) -> list[str]:
    return [element.text or "" for element in root.findall(path)]


FILES = sorted((SOURCE / "objects").glob("*/fields/*__c.field-meta.xml"))
DEPLOYED = {f"{path.parts[-3]}.{path.name.split('.')[0]}": read(path) for path in FILES}
OF_RECORDS = {name: root for name, root in DEPLOYED.items() if "__e." not in name}


def named_by_settings() -> set[str]:
    defaults = {name: field.default for name, field in SalesforceFields.model_fields.items()}
    return {f"{OBJECTS[name.split('_')[0]]}.{field}" for name, field in defaults.items() if field.endswith("__c")}


def test_every_field_of_the_settings_is_deployed() -> None:
    assert named_by_settings() <= set(OF_RECORDS)


def test_files_bear_the_name_of_their_field() -> None:
    assert {name.split(".")[1]: root.findtext("fullName") for name, root in DEPLOYED.items()} == {
        name.split(".")[1]: name.split(".")[1] for name in DEPLOYED
    }


def test_the_stand_in_has_the_same_fields() -> None:
    ours = {
        f"{name}.{field.name}"
        for name in OBJECTS.values()
        if (entity := entity_named(name))
        for field in entity.fields
        if field.custom
    }
    assert ours == set(OF_RECORDS)


@pytest.mark.parametrize("name", OF_RECORDS)
def test_a_field_is_of_the_stand_ins_kind(name: str) -> None:
    entity, field_name = name.split(".")
    found = entity_named(entity)
    assert found is not None
    field = found.field(field_name)
    assert field is not None
    assert _as_deployed(OF_RECORDS[name]) == _as_played(field)
    assert OF_RECORDS[name].findtext("description")


def _as_deployed(root: ElementTree.Element) -> dict[str, object]:
    values = texts(root, "valueSet/valueSetDefinition/value/fullName")
    return {
        "type": root.findtext("type"),
        "length": root.findtext("length"),
        "unique": root.findtext("unique") == "true",
        "external": root.findtext("externalId") == "true",
        "values": tuple(values),
        "restricted": root.findtext("valueSet/restricted") == "true",
    }


def _as_played(field: Field) -> dict[str, object]:
    return {
        "type": TYPES[field.type],
        "length": str(field.length) if field.type in ("string", "textarea") else None,
        "unique": field.unique,
        "external": field.external_id,
        "values": field.values,
        "restricted": field.restricted,
    }


def test_the_integration_user_may_read_every_field_and_delete_nothing() -> None:
    permissions = read(SOURCE / "permissionsets/Portico.permissionset-meta.xml")
    readable = {
        entry.findtext("field") for entry in permissions.findall("fieldPermissions") if entry.findtext("readable")
    }
    assert readable == set(OF_RECORDS)
    assert set(texts(permissions, "objectPermissions/allowDelete")) == {"false"}
    assert set(texts(permissions, "objectPermissions/modifyAllRecords")) == {"false"}


def test_the_channel_is_the_one_that_the_listener_follows() -> None:
    [channel] = SalesforceSettings.model_fields["topics"].default
    name = channel.removeprefix("/data/")
    assert (SOURCE / f"platformEventChannels/{name}.platformEventChannel-meta.xml").exists()
    members = [read(path) for path in (SOURCE / "platformEventChannelMembers").iterdir()]
    assert {member.findtext("eventChannel") for member in members} == {name}
    deployed = {member.findtext("selectedEntity"): texts(member, "enrichedFields/name") for member in members}
    assert deployed == {f"{each.name}ChangeEvent": list(each.enriched) for each in SELECTED}


def test_the_filter_is_told_the_pricebook_by_its_setting() -> None:
    [replacement] = json.loads((PROJECT / "sfdx-project.json").read_text())["replacements"]
    member = read(PROJECT / replacement["filename"])
    assert replacement["stringToReplace"] in (member.findtext("filterExpression") or "")
    assert replacement["replaceWithEnv"] == "SALESFORCE_PRICEBOOK_ID"
