"""Which copies an event makes stale: its words in freshness.py, and whose copies they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from portico.cache import scope_of
from portico.customer import Customer, WhmcsClientId
from portico.events.owners import Owners, owners_of
from portico.freshness import RULES, Rule, dropped_by
from portico.identity.mapping import customer_by_client
from portico.inbox import Event
from portico.portal import Portal

UNREADABLE = "unreadable"
"""Kind of a change event that could not be decoded: any entity may have changed."""
PROVISION = "provision"
"""Kind of a platform event that asks for an order's fulfillment, however the org calls it. It makes nothing stale."""

INVOICE, SERVICE, CARD, CLIENT = "whmcs:invoice", "whmcs:service", "whmcs:card", "whmcs:client"
CANCELLATION = "whmcs:cancellation"

HOOKS: dict[str, tuple[str, ...]] = {
    "InvoiceCreation": (INVOICE,),
    "InvoiceCreated": (INVOICE,),
    "InvoicePaid": (INVOICE, SERVICE, CLIENT),
    "AddInvoicePayment": (INVOICE, CLIENT),
    "AddTransaction": (INVOICE, CLIENT),
    "InvoiceUnpaid": (INVOICE, SERVICE),
    "InvoiceCancelled": (INVOICE, SERVICE),
    "InvoiceRefunded": (INVOICE, SERVICE),
    "UpdateInvoiceTotal": (INVOICE,),
    "AddInvoiceLateFee": (INVOICE,),
    "InvoiceChangeGateway": (INVOICE,),
    "InvoiceSplit": (INVOICE,),
    "ClientAdd": (CLIENT,),
    "ClientEdit": (CLIENT, INVOICE, SERVICE),
    "ClientClose": (CLIENT, INVOICE, SERVICE, CARD),
    "PreDeleteClient": (CLIENT, INVOICE, SERVICE, CARD),
    "AfterClientMerge": (CLIENT, INVOICE, SERVICE, CARD),
    "CCUpdate": (CARD,),
    "AfterModuleCreate": (SERVICE,),
    "AfterModuleSuspend": (SERVICE,),
    "AfterModuleUnsuspend": (SERVICE,),
    "AfterModuleTerminate": (SERVICE,),
    "AfterModuleChangePackage": (SERVICE,),
    "ServiceEdit": (SERVICE,),
    "ServiceDelete": (SERVICE,),
    "ServiceRecurringCompleted": (SERVICE,),
    "CancellationRequest": (SERVICE, CANCELLATION),
    "AfterProductUpgrade": (SERVICE, INVOICE),
    "AddonActivation": (SERVICE,),
    "AddonCancelled": (SERVICE,),
    "AcceptOrder": (SERVICE, INVOICE),
    "PendingOrder": (SERVICE, INVOICE),
    "CancelOrder": (SERVICE, INVOICE),
    "FraudOrder": (SERVICE, INVOICE),
    "DeleteOrder": (SERVICE, INVOICE),
    "CancelAndRefundOrder": (SERVICE, INVOICE),
    "OrderPaid": (SERVICE, INVOICE),
    "AfterShoppingCartCheckout": (SERVICE, INVOICE),
}
"""Hook point → groups of copies (reference: the hook table of whmcs.md 4.3). A hook that is not here drops nothing."""


@dataclass
class Drops:
    """What a batch of events drops, each key once: a burst of 5,000 price changes is a handful of drops."""

    owned: set[tuple[Rule, str]] = field(default_factory=set)
    whole_kinds: set[Rule] = field(default_factory=set)

    async def make(self, portal: Portal) -> None:
        """Redis may be away: then every copy is retired instead (cache.drop_all). Raises SQLAlchemyError."""
        await portal.cache.drop_all(list(self.owned))
        for rule in self.whole_kinds:
            await portal.cache.drop_kind(rule)


async def drops_of(portal: Portal, events: Iterable[Event], owners: Owners | None = None) -> Drops:
    """`owners` of the events' orders; None: those that are known without asking, as a quick first drop wants them."""
    drops = Drops()
    all_events = list(events)
    customers = await _customers_of(portal, all_events)
    owners = owners or await owners_of(portal, all_events, ask=False)
    for event in all_events:
        if event.source == "whmcs":
            _of_hook(event, customers, drops)
        else:
            _of_change(event, owners, drops)
    return drops


async def _customers_of(portal: Portal, events: list[Event]) -> dict[int, Customer]:
    """By WHMCS client id; whoever has no portal user has no copies."""
    said = (event.body.get("whmcs_client_id") for event in events if event.source == "whmcs")
    client_ids = {WhmcsClientId(client_id) for client_id in said if client_id is not None}
    if not client_ids:
        return {}
    async with portal.db.begin() as tx:
        found = {client_id: await customer_by_client(tx, client_id) for client_id in client_ids}
    return {client_id: customer for client_id, customer in found.items() if customer is not None}


def _of_hook(event: Event, customers: dict[int, Customer], drops: Drops) -> None:
    concerned = [rule for group in HOOKS.get(event.kind, ()) for rule in dropped_by(group)]
    drops.owned.update((rule, "all") for rule in concerned if rule.scope == "shared")
    rules = [rule for rule in concerned if rule.scope != "shared"]
    client_id = event.body.get("whmcs_client_id")
    if client_id is None:  # some hooks carry only an id of theirs: whose it is would be another read
        drops.whole_kinds.update(rules)
    elif client_id in customers:
        drops.owned.update((rule, scope_of(rule, customers[client_id])) for rule in rules)


def _of_change(event: Event, owners: Owners, drops: Drops) -> None:
    if event.kind == UNREADABLE:
        drops.whole_kinds.update(rule for rule in RULES if any(_is_change(name) for name in rule.dropped_by))
        return
    rules = dropped_by(f"salesforce:{event.kind}")
    drops.owned.update((rule, "all") for rule in rules if rule.scope == "shared")
    owned = [rule for rule in rules if rule.scope != "shared"]
    accounts = owners.accounts(event)
    if accounts is None:
        drops.whole_kinds.update(owned)
    else:
        drops.owned.update((rule, account_id) for rule in owned for account_id in accounts)


def _is_change(happening: str) -> bool:
    return happening.startswith("salesforce:")
