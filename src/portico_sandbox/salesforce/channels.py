"""Which objects publish their changes, and the custom channels with their members, enrichment and filters."""

from __future__ import annotations

from dataclasses import dataclass

from portico_sandbox.salesforce.event_filter import Filter, parse_filter
from portico_sandbox.salesforce.objects import SELECTED
from portico_sandbox.store import Store, Transaction

PORTAL_CHANNEL = "/data/Portico__chn"
_SELECTION = "sf_selection"
_CHANNELS = "sf_channels"


@dataclass(frozen=True)
class Member:
    """An object on a channel."""

    entity: str
    enriched: tuple[str, ...] = ()
    filter: str = ""

    @property
    def parsed_filter(self) -> Filter | None:
        return parse_filter(self.filter) if self.filter else None

    @property
    def all_enriched(self) -> tuple[str, ...]:
        """Fields of the filter are added to events by themselves."""
        asked = self.parsed_filter.fields if self.parsed_filter else ()
        return tuple(dict.fromkeys((*self.enriched, *asked)))


def selected_names(store: Store) -> frozenset[str]:
    """Objects whose changes are published: those selected, and every channel's members."""
    by_hand = store.table(_SELECTION)
    usual = {each.name for each in SELECTED if each.name not in by_hand}
    members = {member.entity for channel in channel_names(store) for member in members_of(store, channel)}
    off = {name for name, row in by_hand.items() if not row["on"]}
    return frozenset((usual | {name for name, row in by_hand.items() if row["on"]} | members) - off)


def select(tx: Transaction, entity: str, *, on: bool) -> None:
    """Publishes an object's changes from now on, or stops that, on every channel."""
    tx.put(_SELECTION, entity, {"on": on})


def channel_names(store: Store) -> list[str]:
    return list(dict.fromkeys([PORTAL_CHANNEL, *store.table(_CHANNELS)]))


def members_of(store: Store, channel: str) -> tuple[Member, ...]:
    row = store.get(_CHANNELS, channel)
    if row:
        return tuple(Member(each["entity"], tuple(each["enriched"]), each["filter"]) for each in row["members"])
    if channel == PORTAL_CHANNEL:
        return tuple(Member(each.name, each.enriched) for each in SELECTED)
    return ()


def put_members(tx: Transaction, channel: str, members: tuple[Member, ...]) -> None:
    """A channel as it is from now on; without members it stays, and carries nothing."""
    tx.put(_CHANNELS, channel, {"members": [vars(each) for each in members]})


def enriched_fields(store: Store, entity: str) -> tuple[str, ...]:
    """What any channel adds to events of an object."""
    found: dict[str, None] = {}
    for channel in channel_names(store):
        for member in members_of(store, channel):
            if member.entity == entity:
                found |= dict.fromkeys(member.all_enriched)
    return tuple(found)
