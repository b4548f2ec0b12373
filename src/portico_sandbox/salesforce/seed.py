"""The world as Salesforce holds it: organization, users, products with both price books, accounts with contacts."""

from __future__ import annotations

from datetime import datetime, time

from portico_sandbox.clock import TOKYO
from portico_sandbox.salesforce import rows
from portico_sandbox.salesforce.changes import Caller, Changes, seeding
from portico_sandbox.salesforce.event_log import start_log
from portico_sandbox.salesforce.keys import ensure_keys
from portico_sandbox.salesforce.objects import (
    ACCOUNT,
    CASE_STATUS,
    CONTACT,
    ORDER_STATUS,
    ORDER_STATUS_CODES,
    ORGANIZATION,
    PRICEBOOK2,
    PRICEBOOK_ENTRY,
    PRODUCT2,
    USER,
)
from portico_sandbox.salesforce.objects_support import CASE_STATUSES
from portico_sandbox.salesforce.schema import Entity
from portico_sandbox.salesforce.seed_cases import seed_cases
from portico_sandbox.salesforce.seed_mails import seed_mails
from portico_sandbox.salesforce.sessions import INTEGRATION_USER_ID, ORGANIZATION_ID, STAFF_USER_ID
from portico_sandbox.sandbox import Sandbox
from portico_sandbox.sf_id import to_18
from portico_sandbox.store import Row
from portico_sandbox.world import PORTAL_PRICEBOOK_ID
from portico_sandbox.world_types import Address, Person, Product

STANDARD_PRICEBOOK_ID = to_18("01s5g00000STNDR")


def seed(sandbox: Sandbox) -> None:
    """Fills the empty org. Publishes nothing and fills no ledger; every row is stamped with the start of the day."""
    ensure_keys(sandbox.settings.folder)
    midnight = datetime.combine(sandbox.clock.today(), time(), TOKYO)
    with seeding(sandbox, Caller(STAFF_USER_ID, through_api=False), midnight) as changes:
        start_log(changes.tx, sandbox.clock.now())
        _organization(changes)
        _catalog(changes)
        for person in sandbox.world.people:
            if person.sf_account_id:
                _account(changes, person)
    seed_cases(sandbox, midnight)
    seed_mails(sandbox, midnight)


def account_fields(person: Person) -> Row:
    active = person.portal_status == "Active"
    return {
        "Name": person.account_name,
        "Type": "Customer",
        "Phone": person.phone,
        **address_fields("Billing", person.address),
        "Customer_Number__c": person.customer_number or None,
        "Portal_Status__c": person.portal_status,
        "Portal_Source__c": "Sign-up" if active else None,
        "WHMCS_Client_Id__c": str(person.whmcs_client_id) if active and person.whmcs_client_id else None,
        "Eligibility__c": ";".join(person.eligibility) or None,
        "Internet_Eligibility__c": person.internet_eligibility,
        "Internet_Offering__c": person.internet_offering or None,
        "Id_Verification__c": person.id_verification,
    }


def address_fields(kind: str, address: Address) -> Row:
    return {
        f"{kind}Street": "\n".join(filter(None, (address.street, address.street2))) or None,
        f"{kind}City": address.city or None,
        f"{kind}State": address.state or None,
        f"{kind}PostalCode": address.postal_code or None,
        f"{kind}Country": address.country or None,
    }


def _account(changes: Changes, person: Person) -> None:
    _put(changes, ACCOUNT, person.sf_account_id, account_fields(person))
    if person.sf_contact_id:
        contact = {
            "AccountId": person.sf_account_id,
            "FirstName": person.first_name,
            "LastName": person.last_name,
            "Email": person.email,
            "Phone": person.phone,
        }
        _put(changes, CONTACT, person.sf_contact_id, contact | address_fields("Mailing", person.address))


def _organization(changes: Changes) -> None:
    zone = {"TimeZoneSidKey": "Asia/Tokyo"}
    organization = {"Name": "Portico Demo Telecom", "OrganizationType": "Enterprise Edition", "InstanceName": "JPN0"}
    _put(changes, ORGANIZATION, ORGANIZATION_ID, {**organization, **zone, "DefaultLocaleSidKey": "ja_JP"})
    username = changes.sandbox.settings.salesforce_username
    integration = {"Username": username, "FirstName": "Portal", "LastName": "Integration", "Email": username}
    _put(changes, USER, INTEGRATION_USER_ID, {**integration, **zone})
    staff = {"Username": "staff@demo.example", "FirstName": "Aya", "LastName": "Mori", "Email": "staff@demo.example"}
    _put(changes, USER, STAFF_USER_ID, {**staff, **zone})
    for number, (name, code) in enumerate(ORDER_STATUS_CODES.items(), start=1):
        status = {"ApiName": name, "MasterLabel": name, "SortOrder": number, "IsDefault": number == 1}
        rows.create(changes, ORDER_STATUS, {**status, "StatusCode": code}, trusted=True)
    for number, (name, closed) in enumerate(CASE_STATUSES.items(), start=1):
        status = {"ApiName": name, "MasterLabel": name, "SortOrder": number, "IsDefault": number == 1}
        rows.create(changes, CASE_STATUS, {**status, "IsClosed": closed}, trusted=True)


def _catalog(changes: Changes) -> None:
    standard = {"Name": "Standard Price Book", "IsActive": True, "IsStandard": True}
    _put(changes, PRICEBOOK2, STANDARD_PRICEBOOK_ID, standard)
    _put(changes, PRICEBOOK2, PORTAL_PRICEBOOK_ID, {"Name": "Portal", "IsActive": True})
    for product in changes.sandbox.world.products:
        _put(changes, PRODUCT2, product.sf_product_id, product_fields(product))
        entry = {"Product2Id": product.sf_product_id, "UnitPrice": product.net, "IsActive": True}
        rows.create(changes, PRICEBOOK_ENTRY, {**entry, "Pricebook2Id": STANDARD_PRICEBOOK_ID}, trusted=True)
        _put(changes, PRICEBOOK_ENTRY, product.sf_entry_id, {**entry, "Pricebook2Id": PORTAL_PRICEBOOK_ID})


def product_fields(product: Product) -> Row:
    return {
        "Name": product.name,
        "ProductCode": product.sku,
        "StockKeepingUnit": product.sku,
        "Description": product.description,
        "IsActive": product.is_active,
        "Category__c": product.category,
        "Item_Class__c": product.item_class,
        "Billing_Cycle__c": product.billing_cycle,
        "Portal_Visible__c": product.portal_visible,
        "Orderable__c": product.orderable,
        "Display_Order__c": product.display_order,
        "WHMCS_Product_Id__c": str(product.whmcs_product_id),
        "Freebit_Plan_Code__c": product.freebit_plan_code,
        "Sim_Kind__c": product.sim_kind,
        "Requires_SKU__c": product.requires_sku,
        "Excludes_SKU__c": product.excludes_sku,
        "Eligibility__c": ";".join(product.eligibility),
        "Available__c": product.available,
        "Promotion__c": product.promotion,
    }


def _put(changes: Changes, entity: Entity, record_id: str, values: Row) -> None:
    rows.create(changes, entity, values, record_id=record_id, trusted=True)
