"""The decorator that puts a rule above a reading function, and drops by what happened to a customer."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, get_type_hints
from uuid import UUID

from portico.cache.reads import SAFE, Cache, Copy, Place, Wanted
from portico.customer import Customer
from portico.errors import NotFound
from portico.freshness import Rule, dropped_by

T = TypeVar("T")
P = ParamSpec("P")


class HasCache(Protocol):
    @property
    def cache(self) -> Cache: ...


def cached(
    rule: Rule,
) -> Callable[[Callable[Concatenate[Any, P], Awaitable[T]]], Callable[Concatenate[Any, P], Awaitable[Copy[T]]]]:
    """Put above a reading function `f(portal, customer, …)` (`f(portal, …)` for shared and number scope).

    The scope comes from the customer and cannot be forgotten; function and further arguments become part of the key.
    The function then answers a Copy. NotFound is never kept (a rule that keeps it has the function answer None).
    """

    def decorate(
        function: Callable[Concatenate[Any, P], Awaitable[T]],
    ) -> Callable[Concatenate[Any, P], Awaitable[Copy[T]]]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        async def read(portal: HasCache, /, *args: P.args, **kwargs: P.kwargs) -> Copy[T]:
            bound = signature.bind(portal, *args, **kwargs)
            bound.apply_defaults()
            place = _place(rule, function.__name__, *list(bound.arguments.values())[1:])
            wanted = Wanted(rule, place, _shape(function), lambda: function(portal, *args, **kwargs))
            return await portal.cache.read(wanted)

        return read

    return decorate


async def drop_for(portal: HasCache, customer: Customer, happening: str) -> None:
    """Drops the customer's copies that a happening (freshness.py names them) makes stale."""
    rules = [rule for rule in dropped_by(happening) if rule.scope in ("account", "user")]
    await portal.cache.drop_all([(rule, scope_of(rule, customer)) for rule in rules])


def scope_of(rule: Rule, customer: Customer) -> str:
    """The id under which a customer's copies of this kind stand."""
    return customer.sf_account_id if rule.scope == "account" else str(customer.user_id)


def _place(rule: Rule, name: str, *given: Any) -> Place:
    scope_id, owner, rest = _scope(rule, given)
    return Place(rule.kind, rule.scope, _checked(scope_id), owner, "|".join((name, *map(_written, rest))))


def _scope(rule: Rule, given: tuple[Any, ...]) -> tuple[str, str, tuple[Any, ...]]:
    if rule.scope == "shared":
        return "all", "all", given
    if rule.scope == "number":
        number = str(given[0])
        return number, number, given[1:]
    customer = given[0] if given else None
    if not isinstance(customer, Customer):
        raise TypeError(f"{rule.kind} is a customer's own: the second argument must be the Customer")
    owner = customer.sf_account_id if rule.scope == "account" else str(customer.whmcs_client_id)
    return scope_of(rule, customer), owner, given[1:]


def _written(value: Any) -> str:
    """An argument as part of a field's name: two different ones never read the same."""
    if value is None or isinstance(value, (bool, int, str, UUID)):
        return f"{type(value).__name__}:{_checked(str(value))}"
    raise TypeError(f"{type(value).__name__} can't be part of a key")


def _checked(part: str) -> str:
    if not SAFE.fullmatch(part):
        raise NotFound("an id with characters that no id has")
    return part


@functools.cache
def _shape(function: Callable[..., Any]) -> Any:
    return get_type_hints(function)["return"]
