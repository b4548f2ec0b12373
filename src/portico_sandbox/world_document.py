"""What somebody outside needs to walk into this world: `world.json`, and the settings of a portal that lives in it."""

from __future__ import annotations

import json
from typing import Any, Literal

from portico_sandbox.freebit.codes import Invented
from portico_sandbox.salesforce.keys import ensure_keys
from portico_sandbox.settings import Settings
from portico_sandbox.world import PORTAL_PRICEBOOK_ID, World
from portico_sandbox.world_types import (
    CLIENT_FIELD_CUSTOMER_NUMBER,
    CLIENT_FIELD_PORTAL_MARKER,
    GATEWAY,
    Person,
    Product,
)

API_VERSION = "68.0"


def world_document(settings: Settings) -> dict[str, Any]:
    """The sandbox's part of `var/demo/world.json`. The same at every start: it holds no dates."""
    control = f"http://localhost:{settings.control_port}"
    return {
        "portal": settings.portal_url,
        "customers": _customers(World().people),
        "catalog": [product.sku for product in World().products if product.is_active and product.portal_visible],
        "salesforce": _salesforce(settings),
        "whmcs": {
            "url": f"http://localhost:{settings.whmcs_port}",
            "identifier": settings.whmcs_identifier,
            "secret": settings.whmcs_secret,
        },
        "freebit": {
            "url": f"http://localhost:{settings.freebit_port}/emptool/api",
            "oem_id": settings.freebit_oem_id,
            "oem_key": settings.freebit_oem_key,
        },
        "control_panel": control,
        "mailbox": f"{control}/mailbox",
    }


def portal_environment(settings: Settings) -> dict[str, str]:
    """The portal's settings, by the names of its variables, with which it talks to this sandbox."""
    world = world_document(settings)
    return {
        "WHMCS_URL": world["whmcs"]["url"],
        "WHMCS_IDENTIFIER": settings.whmcs_identifier,
        "WHMCS_SECRET": settings.whmcs_secret,
        "WHMCS_HOOK_SECRETS": settings.whmcs_hook_secret,
        "WHMCS_FIELD_CUSTOMER_NUMBER": str(CLIENT_FIELD_CUSTOMER_NUMBER),
        "WHMCS_FIELD_PORTAL_MARKER": str(CLIENT_FIELD_PORTAL_MARKER),
        "WHMCS_FIELD_ORDER_ITEM": _product_fields("order_item"),
        "WHMCS_FIELD_LINE_NUMBER": _product_fields("line_number"),
        "WHMCS_FIELD_EID": _product_fields("eid"),
        "WHMCS_FIELD_ICCID": _product_fields("iccid"),
        "WHMCS_GATEWAY": GATEWAY,
        "SALESFORCE_LOGIN_URL": world["salesforce"]["login_url"],
        "SALESFORCE_CLIENT_ID": settings.salesforce_client_id,
        "SALESFORCE_USERNAME": settings.salesforce_username,
        "SALESFORCE_PRIVATE_KEY_PATH": world["salesforce"]["private_key_path"],
        "SALESFORCE_AUDIENCE": "https://login.salesforce.com",
        "SALESFORCE_API_VERSION": API_VERSION,
        "SALESFORCE_PRICEBOOK_ID": PORTAL_PRICEBOOK_ID,
        "SALESFORCE_PUBSUB_ADDRESS": world["salesforce"]["pubsub_plaintext"],
        "SALESFORCE_PUBSUB_TLS": "false",
        "SALESFORCE_CASE_EMAILS": "true",
        "SALESFORCE_TOPICS": "/data/Portico__chn",
        "FREEBIT_URL": world["freebit"]["url"],
        "FREEBIT_OEM_ID": settings.freebit_oem_id,
        "FREEBIT_OEM_KEY": settings.freebit_oem_key,
        "FREEBIT_MASTER_ACCOUNT": settings.freebit_master_account,
        "FREEBIT_AUTH_FAILURE_CODES": Invented.AUTH_KEY_WRONG.pair,
        "FREEBIT_UNKNOWN_ACCOUNT_CODES": Invented.ACCOUNT_UNKNOWN.pair,
        "FREEBIT_SMDP_ADDRESS": "smdp.portico.example",
        "MAIL_HOST": "127.0.0.1",
        "MAIL_PORT": str(settings.smtp_port),
    }


def _customers(people: tuple[Person, ...]) -> dict[str, list[dict[str, Any]]]:
    return {
        "ready": [_ready(person) for person in people if person.role == "ready"],
        "free_numbers": [
            {"customer_number": person.customer_number, "postal_code": person.address.postal_code}
            for person in people
            if person.role == "free"
        ],
        "whmcs_users": [_whmcs_user(person) for person in people if person.may_link],
    }


def _ready(person: Person) -> dict[str, Any]:
    return {
        "email": person.email,
        "password": person.password,
        "whmcs_client_id": person.whmcs_client_id,
        "sf_account_id": person.sf_account_id,
        "invoices": len(person.invoices),
    }


def _whmcs_user(person: Person) -> dict[str, Any]:
    return {
        "email": person.email,
        "password": person.password,
        "whmcs_client_id": person.whmcs_client_id,
        "customer_number": person.customer_number,
    }


def _salesforce(settings: Settings) -> dict[str, str]:
    keys = ensure_keys(settings.folder)
    plain, tls = f"http://localhost:{settings.salesforce_port}", f"https://localhost:{settings.salesforce_tls_port}"
    return {
        "login_url": plain,
        "instance_url": plain,
        "instance_url_tls": tls,
        "client_id": settings.salesforce_client_id,
        "username": settings.salesforce_username,
        "private_key_path": str(keys.salesforce_key.resolve()),
        "api_version": API_VERSION,
        "pubsub_plaintext": f"localhost:{settings.pubsub_port}",
        "pubsub_tls": f"localhost:{settings.pubsub_tls_port}",
        "ca_path": str(keys.authority.resolve()),
    }


def _product_fields(name: Literal["order_item", "line_number", "eid", "iccid"]) -> str:
    def field_id(product: Product) -> int:
        return product.whmcs_field(name)

    return json.dumps({str(product.whmcs_product_id): field_id(product) for product in World().products})
