"""What an object says about itself: fields, picklists, child relationships."""

from __future__ import annotations

import re
from typing import Any

from portico_sandbox.salesforce.schema import COMPOUNDS, TEXTS, Entity, Field
from portico_sandbox.salesforce.soql_ways import is_long_text

_SOAP_TYPES = {
    "id": "tns:ID",
    "reference": "tns:ID",
    "boolean": "xsd:boolean",
    "int": "xsd:int",
    "double": "xsd:double",
    "currency": "xsd:double",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
    "address": "urn:address",
    "base64": "xsd:base64Binary",
}
_NEVER_OF_OBJECTS = (
    "activateable", "customSetting", "deepCloneable", "deprecatedAndHidden", "feedEnabled", "hasSubtypes",
    "isInterface", "isSubtype", "layoutable", "mergeable", "mruEnabled", "searchable", "triggerable",
)  # fmt: skip
_NEVER_OF_FIELDS = (
    "aiPredictionField", "cascadeDelete", "dependentPicklist", "deprecatedAndHidden", "displayLocationInDecimal",
    "encrypted", "formulaTreatNullNumberAsZero", "highScaleNumber", "namePointing", "permissionable",
    "queryByDistance", "restrictedDelete", "writeRequiresMasterRead",
)  # fmt: skip
"""What descriptions always deny here; clients expect the keys."""


def summary(entity: Entity, version: str) -> dict[str, Any]:
    """As the list of all objects shows it."""
    root = f"/services/data/v{version}/sobjects/{entity.name}"
    may_write = dict.fromkeys(("createable", "updateable", "deletable", "undeletable"), entity.writable)
    return {
        **dict.fromkeys(_NEVER_OF_OBJECTS, False),
        **dict.fromkeys(("associateEntityType", "associateParentEntity", "interfaceFor"), None),
        "name": entity.name,
        "label": entity.label,
        "labelPlural": entity.plural,
        "keyPrefix": entity.prefix,
        "custom": entity.name.endswith("__c"),
        "queryable": True,
        "replicateable": True,
        "retrieveable": True,
        **may_write,
        "urls": {"sobject": root, "describe": f"{root}/describe", "rowTemplate": f"{root}/{{ID}}"},
    }


def described(entity: Entity, version: str, known: set[str]) -> dict[str, Any]:
    """The whole description; children are told of as far as their objects are among the known names."""
    children = [
        {
            "cascadeDelete": child.cascade,
            "childSObject": child.entity,
            "deprecatedAndHidden": False,
            "field": child.field,
            "junctionIdListNames": [],
            "junctionReferenceTo": [],
            "relationshipName": child.relationship,
            "restrictedDelete": False,
        }
        for child in entity.children
        if child.entity in known
    ]
    fields = [_field(each, entity) for each in entity.fields]
    lists: dict[str, Any] = {"actionOverrides": [], "namedLayoutInfos": [], "supportedScopes": []}
    return {
        **summary(entity, version),
        **lists,
        "fields": fields,
        "childRelationships": children,
        "recordTypeInfos": [_master_record_type(entity, version)],
    }


def _field(field: Field, entity: Entity) -> dict[str, Any]:
    kind = "string" if field.type == "name" else field.type
    is_decimal = kind in ("double", "currency")
    comparable = not is_long_text(field)
    targets = [name for name in (field.refers_to, *field.also_refers_to) if name]
    return {
        **dict.fromkeys(_NEVER_OF_FIELDS, False),
        "name": field.name,
        "label": re.sub(r"(?<=[a-z])(?=[A-Z])", " ", field.name.removesuffix("__c").replace("_", " ")),
        "type": kind,
        "soapType": _SOAP_TYPES.get(field.type, "xsd:string"),
        "length": field.length if field.type in TEXTS or field.type in ("id", "reference", "name") else 0,
        "byteLength": 3 * field.length if field.type in TEXTS else field.length,
        "digits": 9 if kind == "int" else 0,
        "precision": 18 if is_decimal else 0,
        "scale": 2 if is_decimal else 0,
        "createable": field.createable and entity.writable,
        "updateable": field.updateable and entity.writable,
        "nillable": not (field.required or field.type in ("boolean", "id") or bool(field.autonumber)),
        "defaultedOnCreate": field.default is not None or field.type in ("boolean", "id") or field.name == "OwnerId",
        "defaultValue": field.default,
        "defaultValueFormula": None,
        "custom": field.custom,
        "unique": field.unique,
        "externalId": field.external_id,
        "idLookup": field.external_id or field.type == "id" or bool(field.autonumber),
        "caseSensitive": False,
        "autoNumber": bool(field.autonumber),
        "calculated": False,
        "calculatedFormula": None,
        "aggregatable": comparable and field.type not in ("boolean", "multipicklist"),
        "filterable": comparable,
        "groupable": comparable and field.type not in ("datetime", "multipicklist", "double", "currency"),
        "sortable": comparable and field.type != "multipicklist",
        "compoundFieldName": field.part_of or None,
        "controllerName": None,
        "extraTypeInfo": None,
        "htmlFormatted": False,
        "inlineHelpText": None,
        "mask": None,
        "maskType": None,
        "restrictedPicklist": field.restricted,
        "picklistValues": [_choice(value, value == field.default) for value in field.values],
        "polymorphicForeignKey": len(targets) > 1,
        "referenceTo": targets,
        "referenceTargetField": None,
        "relationshipName": (field.relationship or None) if field.type == "reference" else None,
        "relationshipOrder": None,
        "searchPrefilterable": False,
        "nameField": field.name == "Name" and field.type not in COMPOUNDS - {"name"},
    }


def _choice(value: str, is_default: bool) -> dict[str, Any]:
    return {"value": value, "label": value, "active": True, "defaultValue": is_default, "validFor": None}


def _master_record_type(entity: Entity, version: str) -> dict[str, Any]:
    root = f"/services/data/v{version}/sobjects/{entity.name}/describe/layouts"
    record_type = "012000000000000AAA"
    return {
        "active": True,
        "available": True,
        "defaultRecordTypeMapping": True,
        "developerName": "Master",
        "master": True,
        "name": "Master",
        "recordTypeId": record_type,
        "urls": {"layout": f"{root}/{record_type}"},
    }
