"""The objects of this org, as data: standard fields in the order of change events, then the portal's own.

Account's order is the one of real schemas (reference §4.8 self-checks rely on it); for the others it is ours.
"""

from __future__ import annotations

from portico_sandbox.salesforce.objects_support import (
    CASE,
    CASE_COMMENT,
    CASE_STATUS,
    CONTENT_DOCUMENT,
    CONTENT_DOCUMENT_LINK,
    CONTENT_VERSION,
    EMAIL_MESSAGE,
    ORGANIZATION,
    USER,
)
from portico_sandbox.salesforce.schema import (
    ID_FIELDS,
    OWNER,
    STAMPS,
    Child,
    Entity,
    Field,
    address,
    checkbox,
    long_text,
    picklist,
    read_only,
    reference,
    text,
)

__all__ = [
    "ACCOUNT",
    "BY_NAME",
    "BY_PREFIX",
    "CASE",
    "CASE_COMMENT",
    "CASE_STATUS",
    "CONTACT",
    "CONTENT_DOCUMENT",
    "CONTENT_DOCUMENT_LINK",
    "CONTENT_VERSION",
    "EMAIL_MESSAGE",
    "ENTITIES",
    "ORDER",
    "ORDER_ITEM",
    "ORDER_STATUS",
    "ORDER_STATUS_CODES",
    "ORGANIZATION",
    "PRICEBOOK2",
    "PRICEBOOK_ENTRY",
    "PRODUCT2",
    "SELECTED",
    "USER",
    "entity_named",
]

ORDER_STATUS_CODES = {
    "Draft": "Draft",
    "Pending Review": "Draft",
    "Cancelled": "Draft",
    "Activated": "Activated",
    "Approved": "Activated",
    "Completed": "Activated",
}

ACCOUNT = Entity(
    "Account", "001", "Account", "Accounts",
    (
        *ID_FIELDS,
        text("Name", 255, required=True),
        picklist("Type", "Prospect", "Customer", "Partner", "Other"),
        reference("ParentId", "Account"),
        *address("Billing"),
        *address("Shipping"),
        Field("Phone", "phone", 40),
        Field("Fax", "phone", 40),
        text("AccountNumber", 40),
        Field("Website", "url", 255),
        text("Sic", 20),
        picklist("Industry", "Communications", "Education", "Electronics", "Retail", "Technology", "Other"),
        Field("AnnualRevenue", "currency"),
        Field("NumberOfEmployees", "int"),
        picklist("Ownership", "Public", "Private", "Subsidiary", "Other"),
        text("TickerSymbol", 20),
        long_text("Description"),
        picklist("Rating", "Hot", "Warm", "Cold"),
        text("Site", 80),
        OWNER,
        *STAMPS,
        text("Customer_Number__c", 40, unique=True, external_id=True),
        picklist("Portal_Status__c", "Not invited", "Active", "Closed", restricted=True, default="Not invited"),
        picklist("Portal_Source__c", "Sign-up", "Linked", restricted=True),
        text("Portal_User_Id__c", 64),
        text("WHMCS_Client_Id__c", 20, unique=True, external_id=True),
        Field("Eligibility__c", "multipicklist", 4099, values=("Internet", "Mobile", "VPN")),
        picklist(
            "Internet_Eligibility__c", "Not checked", "Checking", "Eligible", "Not eligible",
            restricted=True, default="Not checked",
        ),
        text("Internet_Offering__c", 255),
        picklist(
            "Id_Verification__c", "Not submitted", "Under review", "Verified", "Rejected",
            restricted=True, default="Not submitted",
        ),
        text("Id_Rejection_Reason__c", 255),
    ),
    children=(
        Child("Contacts", "Contact", "AccountId", cascade=True),
        Child("Orders", "Order", "AccountId"),
        Child("Cases", "Case", "AccountId"),
        Child("ContentDocumentLinks", "ContentDocumentLink", "LinkedEntityId", cascade=True),
    ),
    selected=True,
)  # fmt: skip

CONTACT = Entity(
    "Contact", "003", "Contact", "Contacts",
    (
        *ID_FIELDS,
        reference("AccountId", "Account", indexed=True),
        read_only("Name", "name", 121, parts=(
            ("Salutation", "Salutation"), ("FirstName", "FirstName"), ("LastName", "LastName"),
        )),
        text("LastName", 80, required=True, part_of="Name"),
        text("FirstName", 40, part_of="Name"),
        picklist("Salutation", "Mr.", "Ms.", "Dr.", "Prof.", part_of="Name"),
        *address("Mailing"),
        Field("Phone", "phone", 40),
        Field("MobilePhone", "phone", 40),
        Field("Email", "email", 80),
        text("Title", 128),
        Field("Birthdate", "date"),
        OWNER,
        *STAMPS,
    ),
    children=(Child("Cases", "Case", "ContactId"),),
)  # fmt: skip

PRODUCT2 = Entity(
    "Product2", "01t", "Product", "Products",
    (
        *ID_FIELDS,
        text("Name", 255, required=True),
        text("ProductCode", 255),
        long_text("Description", 4000),
        checkbox("IsActive"),
        *STAMPS,
        picklist("Family", "None"),
        text("ExternalId", 255, createable=False, updateable=False),
        picklist("QuantityUnitOfMeasure", "Each"),
        text("StockKeepingUnit", 180, indexed=True),
        read_only("IsArchived", "boolean", default=False),
        picklist("Category__c", "Internet", "Mobile", "VPN", "Other", restricted=True),
        picklist("Item_Class__c", "Service", "Activation", "Installation", "Add-on", restricted=True),
        picklist("Billing_Cycle__c", "Monthly", "One time", restricted=True),
        checkbox("Portal_Visible__c"),
        checkbox("Orderable__c"),
        Field("Display_Order__c", "double"),
        text("WHMCS_Product_Id__c", 20),
        text("Freebit_Plan_Code__c", 40),
        picklist("Sim_Kind__c", "Physical", "eSIM", restricted=True),
        text("Requires_SKU__c", 180),
        text("Excludes_SKU__c", 180),
        Field("Eligibility__c", "multipicklist", 4099, values=("Internet", "Mobile", "VPN")),
        checkbox("Available__c"),
        text("Promotion__c", 255),
    ),
    children=(Child("PricebookEntries", "PricebookEntry", "Product2Id", cascade=True),),
    selected=True,
)  # fmt: skip

PRICEBOOK2 = Entity(
    "Pricebook2", "01s", "Price Book", "Price Books",
    (
        *ID_FIELDS,
        text("Name", 255, required=True),
        *STAMPS,
        checkbox("IsActive"),
        text("Description", 255),
        read_only("IsStandard", "boolean", default=False),
        read_only("IsArchived", "boolean", default=False),
    ),
    children=(Child("PricebookEntries", "PricebookEntry", "Pricebook2Id", cascade=True),),
)  # fmt: skip

PRICEBOOK_ENTRY = Entity(
    "PricebookEntry", "01u", "Price Book Entry", "Price Book Entries",
    (
        *ID_FIELDS,
        read_only("Name", "string", 255, mirrors="Product2.Name", in_events=False),
        reference("Pricebook2Id", "Pricebook2", required=True, updateable=False),
        reference("Product2Id", "Product2", required=True, updateable=False, indexed=True),
        Field("UnitPrice", "currency", required=True),
        checkbox("IsActive"),
        checkbox("UseStandardPrice"),
        *STAMPS,
        read_only("ProductCode", "string", 255, mirrors="Product2.ProductCode", in_events=False),
        read_only("IsArchived", "boolean", default=False),
    ),
    selected=True,
    no_stamps_in_create_events=True,
)  # fmt: skip

ORDER = Entity(
    "Order", "801", "Order", "Orders",
    (
        *ID_FIELDS,
        OWNER,
        text("ContractId", 18),
        reference("AccountId", "Account", required=True, indexed=True),
        reference("Pricebook2Id", "Pricebook2"),
        Field("EffectiveDate", "date", required=True),
        Field("EndDate", "date"),
        picklist("Status", *ORDER_STATUS_CODES, restricted=True, required=True),
        long_text("Description"),
        picklist("Type", "New", "Change"),
        *address("Billing"),
        *address("Shipping"),
        text("Name", 80),
        text("PoNumber", 80),
        text("OrderReferenceNumber", 80),
        reference("BillToContactId", "Contact"),
        reference("ShipToContactId", "Contact"),
        read_only("ActivatedDate", "datetime"),
        reference("ActivatedById", "User", createable=False, updateable=False),
        read_only("StatusCode", "picklist", 40, values=("Draft", "Activated"), restricted=True),
        read_only("OrderNumber", "string", 30, autonumber="{:08d}"),
        # Derived: a change of the sum alone publishes nothing.
        read_only("TotalAmount", "currency", default=0.0, in_events=False),
        *STAMPS,
        text("Portal_Order_Id__c", 64, unique=True, external_id=True),
        checkbox("Address_Changed__c"),
        picklist(
            "Fulfillment_Status__c", "Pending", "In Progress", "On Hold", "Completed", "Failed", restricted=True
        ),
        text("Fulfillment_Error_Code__c", 80),
        long_text("Fulfillment_Error_Message__c", 4000),
        Field("Fulfillment_Updated_At__c", "datetime"),
        text("WHMCS_Order_Id__c", 20, external_id=True),
    ),
    children=(Child("OrderItems", "OrderItem", "OrderId", cascade=True),),
    selected=True,
    enriched=("AccountId",),
)  # fmt: skip

ORDER_ITEM = Entity(
    "OrderItem", "802", "Order Product", "Order Products",
    (
        *ID_FIELDS,
        reference("Product2Id", "Product2", createable=False, updateable=False),
        reference("OrderId", "Order", required=True, updateable=False, indexed=True),
        reference("PricebookEntryId", "PricebookEntry", required=True, updateable=False),
        Field("Quantity", "double", required=True),
        Field("UnitPrice", "currency"),
        read_only("ListPrice", "currency"),
        read_only("TotalPrice", "currency"),
        Field("ServiceDate", "date"),
        Field("EndDate", "date"),
        text("Description", 255),
        read_only("OrderItemNumber", "string", 30, autonumber="{:010d}"),
        *STAMPS,
        text("Portal_Item_Id__c", 64, unique=True, external_id=True),
        text("WHMCS_Service_Id__c", 20),
        text("Line_Number__c", 20, indexed=True),
        text("EID__c", 32),
        text("ICCID__c", 22),
        text("Activation_Status__c", 40),
    ),
    selected=True,
    enriched=("OrderId",),
)  # fmt: skip

ORDER_STATUS = Entity(
    "OrderStatus", "01Z", "Order Status Value", "Order Status Values",
    (
        *ID_FIELDS,
        text("ApiName", 255),
        text("MasterLabel", 255),
        Field("SortOrder", "int"),
        checkbox("IsDefault"),
        text("StatusCode", 40),
        *STAMPS,
    ),
    writable=False,
)  # fmt: skip

ENTITIES = (
    ACCOUNT, CONTACT, PRODUCT2, PRICEBOOK2, PRICEBOOK_ENTRY, ORDER, ORDER_ITEM, CASE, CASE_COMMENT, USER,
    ORGANIZATION, ORDER_STATUS, EMAIL_MESSAGE, CASE_STATUS, CONTENT_DOCUMENT, CONTENT_VERSION, CONTENT_DOCUMENT_LINK,
)  # fmt: skip
BY_NAME = {entity.name.lower(): entity for entity in ENTITIES}
BY_PREFIX = {entity.prefix: entity for entity in ENTITIES}
SELECTED = tuple(entity for entity in ENTITIES if entity.selected)


def entity_named(name: str) -> Entity | None:
    """Names are case-insensitive."""
    return BY_NAME.get(name.lower())
