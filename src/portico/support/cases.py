"""A customer's cases, as Salesforce has them at this moment: never copied."""

from __future__ import annotations

from portico.customer import Customer
from portico.portal import Portal
from portico.systems.salesforce import cases as salesforce_cases
from portico.systems.salesforce.cases import (
    LONGEST_COMMENT_BYTES,
    LONGEST_SUBJECT,
    Case,
    CaseInFull,
    CaseState,
    Comment,
    Priority,
)

__all__ = [
    "LONGEST_COMMENT_BYTES", "LONGEST_SUBJECT", "Case", "CaseInFull", "CaseState", "Comment", "Priority", "case_for",
    "cases_of",
]  # fmt: skip


async def cases_of(portal: Portal, customer: Customer) -> list[Case]:
    """All, newest first, however they were opened."""
    return await salesforce_cases.get_cases(portal.salesforce, customer.sf_account_id)


async def case_for(portal: Portal, customer: Customer, case_id: str) -> CaseInFull:
    """One with what was said. Raises NotFound: unknown, or somebody else's."""
    return await salesforce_cases.get_case(portal.salesforce, customer.sf_account_id, case_id)
