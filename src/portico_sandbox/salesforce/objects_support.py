"""Support, people and files of this org, as data: cases with what was said in them, users, documents."""

from __future__ import annotations

from portico_sandbox.salesforce.schema import (
    ID_FIELDS,
    OWNER,
    STAMPS,
    Child,
    Entity,
    Field,
    checkbox,
    long_text,
    picklist,
    read_only,
    reference,
    text,
)

CASE_STATUSES = {"New": False, "Working": False, "Escalated": False, "Waiting for Customer": False, "Closed": True}
"""Each status, and whether a case in it is closed."""

EMAIL_DRAFT = "5"
"""Of EmailMessage.Status: 0 new, 1 read, 2 replied, 3 sent, 4 forwarded."""

CASE = Entity(
    "Case", "500", "Case", "Cases",
    (
        *ID_FIELDS,
        read_only("CaseNumber", "string", 30, autonumber="{:08d}"),
        reference("ContactId", "Contact"),
        reference("AccountId", "Account", indexed=True),
        reference("ParentId", "Case"),
        text("SuppliedName", 80),
        Field("SuppliedEmail", "email", 80),
        Field("SuppliedPhone", "phone", 40),
        text("SuppliedCompany", 80),
        picklist("Type", "Question", "Problem", "Request"),
        picklist("Status", *CASE_STATUSES, default="New"),
        picklist("Reason", "Billing", "Connection", "Other"),
        picklist("Origin", "Phone", "Email", "Web", "Portal Website"),
        text("Subject", 255),
        picklist("Priority", "High", "Medium", "Low", default="Medium"),
        long_text("Description"),
        read_only("IsClosed", "boolean", default=False),
        read_only("ClosedDate", "datetime"),
        checkbox("IsEscalated"),
        OWNER,
        *STAMPS,
        read_only("ContactPhone", "phone", 40, mirrors="Contact.Phone", in_events=False),
        read_only("ContactEmail", "email", 80, mirrors="Contact.Email", in_events=False),
        long_text("Comments", 4000, write_only=True, in_events=False, bytes_limit=True),
        text("Portal_Case_Id__c", 64, unique=True, external_id=True),
    ),
    children=(
        Child("CaseComments", "CaseComment", "ParentId", cascade=True),
        Child("Cases", "Case", "ParentId"),
        Child("EmailMessages", "EmailMessage", "ParentId", cascade=True),
        Child("ContentDocumentLinks", "ContentDocumentLink", "LinkedEntityId", cascade=True),
    ),
)  # fmt: skip

CASE_COMMENT = Entity(
    "CaseComment", "00a", "Case Comment", "Case Comments",
    (
        *ID_FIELDS,
        reference("ParentId", "Case", required=True, updateable=False, indexed=True),
        checkbox("IsPublished"),
        long_text("CommentBody", 4000, updateable=False, bytes_limit=True),
        *STAMPS,
    ),
)  # fmt: skip

EMAIL_MESSAGE = Entity(
    "EmailMessage", "02s", "Email Message", "Email Messages",
    (
        *ID_FIELDS,
        reference("ParentId", "Case", updateable=False, indexed=True),
        *STAMPS,
        long_text("TextBody"),
        long_text("HtmlBody"),
        long_text("Headers"),
        text("Subject", 3000),
        text("FromName", 1000),
        Field("FromAddress", "email", 1000),
        text("ToAddress", 4000),
        text("CcAddress", 4000),
        text("BccAddress", 4000),
        checkbox("Incoming"),
        read_only("HasAttachment", "boolean", default=False),
        picklist("Status", "0", "1", "2", "3", "4", "5", restricted=True, default="0"),
        Field("MessageDate", "datetime"),
        reference("ReplyToEmailMessageId", "EmailMessage", updateable=False),
        checkbox("IsExternallyVisible"),
        text("MessageIdentifier", 765),
        reference("RelatedToId", "Case", updateable=False),
    ),
    children=(Child("ContentDocumentLinks", "ContentDocumentLink", "LinkedEntityId", cascade=True),),
)  # fmt: skip

CASE_STATUS = Entity(
    "CaseStatus", "01J", "Case Status Value", "Case Status Values",
    (
        *ID_FIELDS,
        text("ApiName", 255),
        text("MasterLabel", 255),
        Field("SortOrder", "int"),
        checkbox("IsDefault"),
        checkbox("IsClosed"),
        *STAMPS,
    ),
    writable=False,
)  # fmt: skip

CONTENT_DOCUMENT = Entity(
    "ContentDocument", "069", "Content Document", "Content Documents",
    (
        *ID_FIELDS,
        *STAMPS,
        text("Title", 255),
        read_only("FileType", "string", 20),
        read_only("FileExtension", "string", 40),
        read_only("ContentSize", "int"),
        reference("LatestPublishedVersionId", "ContentVersion", createable=False, updateable=False),
        OWNER,
    ),
    children=(
        Child("ContentVersions", "ContentVersion", "ContentDocumentId", cascade=True),
        Child("ContentDocumentLinks", "ContentDocumentLink", "ContentDocumentId", cascade=True),
    ),
)  # fmt: skip

CONTENT_VERSION = Entity(
    "ContentVersion", "068", "Content Version", "Content Versions",
    (
        *ID_FIELDS,
        reference("ContentDocumentId", "ContentDocument", updateable=False, indexed=True),
        read_only("IsLatest", "boolean", default=False),
        read_only("VersionNumber", "string", 20),
        text("Title", 255),
        text("Description", 1000),
        text("ReasonForChange", 1000),
        text("PathOnClient", 500, updateable=False),
        picklist("ContentLocation", "S", "E", "L", default="S"),
        picklist("Origin", "C", "H", default="C"),
        *STAMPS,
        read_only("FileType", "string", 20),
        read_only("FileExtension", "string", 40),
        read_only("ContentSize", "int"),
        read_only("Checksum", "string", 50),
        reference(
            "FirstPublishLocationId", "Case", updateable=False,
            also_refers_to=("Account", "Contact", "EmailMessage", "Order", "User"),
        ),
        Field("VersionData", "base64", updateable=False, in_events=False),
        OWNER,
    ),
)  # fmt: skip

CONTENT_DOCUMENT_LINK = Entity(
    "ContentDocumentLink", "06A", "Content Document Link", "Content Document Links",
    (
        *ID_FIELDS,
        reference("ContentDocumentId", "ContentDocument", required=True, updateable=False, indexed=True),
        reference(
            "LinkedEntityId", "Case", required=True, updateable=False, indexed=True,
            also_refers_to=("Account", "Contact", "EmailMessage", "Order", "User"),
        ),
        picklist("ShareType", "V", "C", "I", default="V"),
        picklist("Visibility", "AllUsers", "InternalUsers", "SharedUsers", default="AllUsers"),
        *STAMPS,
    ),
)  # fmt: skip

USER = Entity(
    "User", "005", "User", "Users",
    (
        *ID_FIELDS,
        text("Username", 80, required=True, indexed=True),
        text("LastName", 80, required=True, part_of="Name"),
        text("FirstName", 40, part_of="Name"),
        read_only("Name", "name", 121, parts=(("FirstName", "FirstName"), ("LastName", "LastName"))),
        Field("Email", "email", 128),
        checkbox("IsActive", True),
        text("TimeZoneSidKey", 40),
        *STAMPS,
    ),
    writable=False,
)  # fmt: skip

ORGANIZATION = Entity(
    "Organization", "00D", "Organization", "Organizations",
    (
        *ID_FIELDS,
        text("Name", 80),
        text("OrganizationType", 40),
        text("InstanceName", 5),
        checkbox("IsSandbox"),
        text("TimeZoneSidKey", 40),
        text("DefaultLocaleSidKey", 40),
        *STAMPS,
    ),
    writable=False,
)  # fmt: skip
