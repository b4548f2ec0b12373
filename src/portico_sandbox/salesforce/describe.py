"""What an object says about itself: fields, picklists, child relationships."""

from __future__ import annotations

import re
from typing import Any

from portico_sandbox.salesforce.schema import COMPOUNDS, TEXTS, Entity, Field

_SOAP_TYPES = {
    "id": "tns:ID",
    "reference": "tns:ID",
    "boolean": "xsd:boolean",
    "int": "xsd:int",
    "double": "xsd:double",
    "currency": "xsd:double",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
}


def summary(entity: Entity, version: str) -> dict[str, Any]:
    root = f"/services/data/v{version}/sobjects/{entity.name}"
    may_write = dict.fromkeys(("createable", "updateable", "deletable"), entity.writable)
    return {
        "name": entity.name,
        "label": entity.label,
        "labelPlural": entity.plural,
        "keyPrefix": entity.prefix,
        "custom": entity.name.endswith("__c"),
        "queryable": True,
        "retrieveable": True,
        "searchable": False,
        **may_write,
        "urls": {"sobject": root, "describe": f"{root}/describe", "rowTemplate": f"{root}/{{ID}}"},
    }


def described(entity: Entity, version: str) -> dict[str, Any]:
    children = [
        {
            "childSObject": child.entity,
            "field": child.field,
            "relationshipName": child.relationship,
            "cascadeDelete": child.cascade,
        }
        for child in entity.children
    ]
    fields = [_field(each, entity) for each in entity.fields]
    return {**summary(entity, version), "fields": fields, "childRelationships": children, "recordTypeInfos": []}


def _field(field: Field, entity: Entity) -> dict[str, Any]:
    kind = "string" if field.type == "name" else field.type
    return {
        "name": field.name,
        "label": re.sub(r"(?<=[a-z])(?=[A-Z])", " ", field.name.removesuffix("__c").replace("_", " ")),
        "type": kind,
        "soapType": _SOAP_TYPES.get(field.type, "xsd:string"),
        "length": field.length if field.type in TEXTS or field.type in ("id", "reference", "name") else 0,
        "precision": 18 if kind in ("double", "currency") else 0,
        "scale": 2 if kind in ("double", "currency") else 0,
        "createable": field.createable and entity.writable,
        "updateable": field.updateable and entity.writable,
        "nillable": not (field.required or field.type in ("boolean", "id") or bool(field.autonumber)),
        "defaultedOnCreate": field.default is not None or field.type in ("boolean", "id") or field.name == "OwnerId",
        "defaultValue": field.default,
        "custom": field.custom,
        "unique": field.unique,
        "externalId": field.external_id,
        "idLookup": field.external_id or field.type == "id" or bool(field.autonumber),
        "caseSensitive": False,
        "autoNumber": bool(field.autonumber),
        "calculated": bool(field.mirrors),
        "filterable": not (field.type == "address" or (field.type == "textarea" and field.length > 255)),
        "sortable": field.type != "address",
        "compoundFieldName": field.part_of or None,
        "restrictedPicklist": field.restricted,
        "picklistValues": [_choice(value, value == field.default) for value in field.values],
        "referenceTo": [field.refers_to] if field.refers_to else [],
        "relationshipName": field.relationship or None,
        "nameField": field.name == "Name" and field.type not in COMPOUNDS - {"name"},
    }


def _choice(value: str, is_default: bool) -> dict[str, Any]:
    return {"value": value, "label": value, "active": True, "defaultValue": is_default, "validFor": None}
