"""Typed settings, one small class per system, read from the environment (see docs/settings.md)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError

LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class SettingsWrong(Exception):
    """One or more variables are missing or hold something else than they want. The text names each of them."""


class PortalSettings(BaseSettings):
    """The portal itself."""

    model_config = SettingsConfigDict(env_prefix="PORTAL_")

    url: str = "http://localhost:8000"
    """Where customers reach the portal; https everywhere but on loopback."""
    port: int = 8000
    metrics_port: int = 0
    """Private port of /metrics on loopback; 0 = none."""
    name: str = "Portico Telecom"
    """The provider's name as customers read it."""
    accent: str = Field(default="#0b6e99", pattern=r"^#[0-9a-fA-F]{6}$")
    """The one accent color of the pages."""
    support_email: str = "help@portico.example"
    currency: str = Field(default="JPY", pattern=r"^[A-Z]{3}$")
    tax_rate: Decimal = Decimal("0.10")
    """Catalog prices are net; this rate is added and shown as such."""
    timezone: str = "Asia/Tokyo"
    languages: tuple[str, ...] = ("en", "ja")
    demo: bool = False
    """Demo and tests only: lets the shared clock be moved and shows a banner. Refused on an https url."""

    @property
    def is_secure(self) -> bool:
        return self.url.startswith("https://")

    @field_validator("url")
    @classmethod
    def _https_or_loopback(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK):
            return url.rstrip("/")
        raise ValueError("wants an https:// address (http:// only on loopback)")


class DatabaseSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="DATABASE_")

    url: SecretStr = SecretStr("postgresql://portico@127.0.0.1:8106/portico")
    direct_url: SecretStr | None = None
    """For LISTEN, advisory locks and the worker where a transaction-mode pooler stands before `url`."""
    pool_size: int = 8

    @property
    def direct(self) -> str:
        return (self.direct_url or self.url).get_secret_value()


class RedisSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="REDIS_")

    url: str = "redis://127.0.0.1:8107/0"
    """Empty: no cache, every read goes live."""
    timeout_seconds: float = 0.05
    """Of one operation. Slow is worse than down."""


class IdentitySettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="IDENTITY_")

    session_idle_minutes: int = 30
    session_absolute_hours: int = 12
    password_min_length: int = 10
    sign_up_tries_per_hour: int = 5
    """Wrong customer numbers, an hour and source."""
    sign_in_tries_per_quarter: int = 10
    """Wrong passwords, 15 minutes and address; ten times that for one source."""
    link_tries_per_quarter: int = 5
    """Tries to link a WHMCS user, right or wrong, 15 minutes and address. Keep it below any lock-out of WHMCS."""
    link_tries_per_quarter_of_source: int = 20
    """The same for one source."""
    link_tries_per_quarter_in_all: int = 0
    """The same for everybody together, where WHMCS bans the portal's address after so many failures; 0 = no limit."""
    link_wrong_seconds: float = 1
    """Wrong WHMCS passwords are answered after a multiple of it: how long WHMCS took tells nothing."""
    password_link_minutes: int = 30
    """How long a link to choose a password can be used."""
    forgotten_mails_per_hour: int = 5
    """Mails to who forgot a password, an hour and address; ten times that for one source."""
    trusted_proxies: int = 0
    """How many proxies of ours append to X-Forwarded-For; 0 = the peer address is the source."""


class CreationSettings(BaseSettings):
    """How unknown outcomes of remote writes are settled (faults.md b.3)."""

    model_config = SettingsConfigDict(env_prefix="CREATION_")

    quiet_seconds: float = 120
    """Longer than a system may still be executing a call that we gave up on."""
    lease_seconds: float = 90
    """Longer than the longest deadline of a remote write."""


class WhmcsSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="WHMCS_")

    url: str = "http://localhost:8103"
    identifier: SecretStr = SecretStr("")
    secret: SecretStr = SecretStr("")
    access_key: SecretStr | None = None
    hook_secrets: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """Comma-separated `whsec_…`; two at a time while rotating. None = the hook door stays closed."""
    gateway: str = "stripe"
    """System name of the payment gateway that new orders are placed with."""
    currency: str = Field(default="JPY", pattern=r"^[A-Z]{3}$")
    """Of amounts in answers that name none (services, orders, a single invoice)."""
    timezone: str = "Asia/Tokyo"
    country: str = "JP"
    language: str = "japanese"
    ca_path: Path | None = None
    concurrency: int = 6
    connect_seconds: float = 3
    read_seconds: float = 10
    write_seconds: float = 30
    field_customer_number: int = 11
    field_portal_marker: int = 12
    field_order_item: dict[str, int] = {}
    """WHMCS product id → id of its custom field *Order item* (each product has fields of its own); `*` for all."""
    field_line_number: dict[str, int] = {}
    field_eid: dict[str, int] = {}
    field_iccid: dict[str, int] = {}

    @field_validator("hook_secrets", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class SalesforceFields(BaseSettings):
    """The field map (design: organisations differ). Names of our fields in the operator's org."""

    model_config = SettingsConfigDict(env_prefix="SALESFORCE_FIELD_")

    account_customer_number: str = "Customer_Number__c"
    account_portal_status: str = "Portal_Status__c"
    account_portal_source: str = "Portal_Source__c"
    account_portal_user_id: str = "Portal_User_Id__c"
    account_whmcs_client_id: str = "WHMCS_Client_Id__c"
    account_eligibility: str = "Eligibility__c"
    account_internet_eligibility: str = "Internet_Eligibility__c"
    product_category: str = "Category__c"
    product_item_class: str = "Item_Class__c"
    product_billing_cycle: str = "Billing_Cycle__c"
    product_portal_visible: str = "Portal_Visible__c"
    product_orderable: str = "Orderable__c"
    product_display_order: str = "Display_Order__c"
    product_whmcs_product_id: str = "WHMCS_Product_Id__c"
    product_freebit_plan_code: str = "Freebit_Plan_Code__c"
    product_sim_kind: str = "Sim_Kind__c"
    product_requires_sku: str = "Requires_SKU__c"
    product_excludes_sku: str = "Excludes_SKU__c"
    product_eligibility: str = "Eligibility__c"
    product_available: str = "Available__c"
    product_promotion: str = "Promotion__c"
    order_portal_id: str = "Portal_Order_Id__c"
    order_address_changed: str = "Address_Changed__c"
    order_fulfillment_status: str = "Fulfillment_Status__c"
    order_error_code: str = "Fulfillment_Error_Code__c"
    order_error_message: str = "Fulfillment_Error_Message__c"
    order_updated_at: str = "Fulfillment_Updated_At__c"
    order_whmcs_order_id: str = "WHMCS_Order_Id__c"
    item_portal_id: str = "Portal_Item_Id__c"
    item_whmcs_service_id: str = "WHMCS_Service_Id__c"
    item_line_number: str = "Line_Number__c"
    item_eid: str = "EID__c"
    item_iccid: str = "ICCID__c"
    item_activation_status: str = "Activation_Status__c"
    case_portal_id: str = "Portal_Case_Id__c"


class SalesforceSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SALESFORCE_")

    login_url: str = "https://login.salesforce.com"
    audience: str = "https://login.salesforce.com"
    client_id: str = ""
    client_secret: SecretStr = SecretStr("")
    """Where it is set, tokens come by the client credentials flow (`login_url` is then the org's My Domain), and user
    name and private key are not used."""
    username: str = ""
    private_key_path: Path = Path("var/demo/sandbox/salesforce.key")
    api_version: str = "68.0"
    client_name: str = "portico"
    """Sent as Sforce-Call-Options: recognises our own writes in change events."""
    pricebook_id: str = ""
    pubsub_address: str = "api.pubsub.salesforce.com:7443"
    pubsub_tls: bool = True
    topics: Annotated[tuple[str, ...], NoDecode] = ("/data/Portico__chn",)
    """One custom channel, or a topic for each object (`/data/OrderChangeEvent,…`); comma-separated."""
    provision_topics: Annotated[tuple[str, ...], NoDecode] = ()
    """Platform events that start fulfillment too, such as `/event/OrderProvisionRequested__e`; none by default."""
    provision_order_field: str = "Order_Id__c"
    """The field of such an event that holds the order's id."""
    lost_position: Literal["earliest", "latest"] = "earliest"
    """Where the stream begins after a lost position: with all that is retained (72 h, counts against the allocation),
    or from now on. Either way everything copied is read anew and approved orders are looked for."""
    events_per_day: int = 25_000
    """Events that the org may deliver in 24 hours, to all its subscribers; only to warn of its end. 0 = unknown."""
    ca_path: Path | None = None
    concurrency: int = 10
    connect_seconds: float = 2
    read_seconds: float = 15
    write_seconds: float = 20
    order_status_pending: str = "Pending Review"
    order_status_approved: str = "Approved"
    order_status_cancelled: str = "Cancelled"
    """Of a draft that is given up, by staff or by the customer; its StatusCode is Draft."""
    case_origin: str = "Portal Website"
    """Of the cases that customers open here; a value of the Origin picklist."""
    case_statuses: dict[str, Literal["received", "in_progress", "escalated", "waiting_for_customer", "closed"]] = {
        "New": "received",
        "Open": "in_progress",
        "Working": "in_progress",
        "In Progress": "in_progress",
        "Escalated": "escalated",
        "On Hold": "in_progress",
        "Waiting for Customer": "waiting_for_customer",
        "Waiting on Customer": "waiting_for_customer",
        "Closed": "closed",
    }
    """Status of a case in the org → what it means to the customer; any other is shown as the org names it."""
    case_priorities: dict[Literal["high", "medium", "low"], str] = {"high": "High", "medium": "Medium", "low": "Low"}
    """What the customer chooses → the org's value of Priority; one that is left out is not sent."""
    case_emails: bool = False
    """Whether e-mails of a case are part of its conversation: for orgs with Email-to-Case or Enhanced Email. Elsewhere
    the org does not know the object, and cases could not be read."""
    case_email_draft_status: str = "5"
    """Status of an EmailMessage that is still a draft, never shown (the number is UNVERIFIED)."""
    token_minutes: int = 60
    """A token is minted anew after this time, also when it still works."""
    reserved_calls_percent: float = 10
    """Of the API calls that the org may make in 24 hours, what is kept for orders, fulfillment and sign-up; everything
    else says "try again later" then."""
    spent_pause_seconds: float = 30
    """While the calls of the day are kept for orders: how often one other call looks whether there are more again."""
    lock_seconds: float = 15
    """For how long a write is tried again whose record another one holds (UNABLE_TO_LOCK_ROW)."""
    pubsub_silence_seconds: float = 300
    """A stream without any message for so long is dead: the service speaks at least every 270 s."""

    @field_validator("topics", "provision_topics", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class FreebitSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="FREEBIT_")

    url: str = "https://i1.mvno.net/emptool/api"
    oem_id: str = ""
    oem_key: SecretStr = SecretStr("")
    auth_ttl_seconds: int = 3000
    auth_failure_codes: Annotated[tuple[str, ...], NoDecode] = ()
    """`resultCode-statusCode` pairs that mean an expired key; the vendor's table is unknown (UNVERIFIED)."""
    busy_codes: Annotated[tuple[str, ...], NoDecode] = ()
    """Codes that mean "locked, later", with nothing done (UNVERIFIED, so none by default)."""
    unknown_account_codes: Annotated[tuple[str, ...], NoDecode] = ()
    """Codes with which account details say that there is no such account (UNVERIFIED, so none by default)."""
    paths: dict[str, str] = {}
    """Overrides of call id → path, e.g. {"PA03-02": "/master/getAcnt/"}."""
    esim_mode: Literal["numbered", "unnumbered"] = "numbered"
    master_account: str = ""
    smdp_address: str = "smdp.portico.example"
    esim_sim_kind: str = "E0"
    """E0 voice, E2 data without SMS, E3 data with SMS."""
    contract_line: str = ""
    """4G or 5G; empty = not sent."""
    matching_id_field: str = "matchingId"
    """Where the matching id stands in the account details; the vendor's name is unknown (UNVERIFIED)."""
    poll_seconds: float = 5
    deadline_hours: float = 24
    """An activation that has not ended by then is parked."""
    ca_path: Path | None = None
    concurrency: int = 2
    connect_seconds: float = 3
    read_seconds: float = 15
    write_seconds: float = 30

    @field_validator("auth_failure_codes", "busy_codes", "unknown_account_codes", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class MailSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="MAIL_")

    host: str = "127.0.0.1"
    port: int = 8105
    username: str = ""
    password: SecretStr = SecretStr("")
    start_tls: bool = False
    sender: str = "no-reply@portico.example"


class FulfillmentSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="FULFILLMENT_")

    poll_seconds: float = 120
    """The reconciliation poll: approved orders that no event told us of."""
    retry_seconds: float = 15
    """First wait after a system was down; doubles up to 15 minutes."""


@dataclass(frozen=True)
class Settings:
    """All settings of a process."""

    portal: PortalSettings
    database: DatabaseSettings
    redis: RedisSettings
    identity: IdentitySettings
    creation: CreationSettings
    whmcs: WhmcsSettings
    salesforce: SalesforceSettings
    salesforce_fields: SalesforceFields
    freebit: FreebitSettings
    mail: MailSettings
    fulfillment: FulfillmentSettings


def read_settings() -> Settings:
    """Reads the environment. Raises SettingsWrong naming each wrong variable and what it wants."""
    problems: list[str] = []
    parts: dict[str, BaseSettings] = {}
    for part in fields(Settings):
        kind = CLASSES[part.name]
        try:
            parts[part.name] = kind()
        except ValidationError as error:
            problems += [_problem(kind, fault["loc"], fault["msg"]) for fault in error.errors()]
        except SettingsError as error:
            problems.append(str(error))
    if problems:
        raise SettingsWrong("\n".join(problems))
    return Settings(**parts)  # type: ignore[arg-type]


CLASSES: dict[str, type[BaseSettings]] = {
    "portal": PortalSettings,
    "database": DatabaseSettings,
    "redis": RedisSettings,
    "identity": IdentitySettings,
    "creation": CreationSettings,
    "whmcs": WhmcsSettings,
    "salesforce": SalesforceSettings,
    "salesforce_fields": SalesforceFields,
    "freebit": FreebitSettings,
    "mail": MailSettings,
    "fulfillment": FulfillmentSettings,
}


def _problem(kind: type[BaseSettings], location: tuple[int | str, ...], message: str) -> str:
    prefix = kind.model_config.get("env_prefix", "")
    return f"{prefix}{str(location[0]).upper() if location else ''}: {message.removeprefix('Value error, ')}"
