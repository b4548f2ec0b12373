"""How an approved order is fulfilled, in the words of the shop. Each line is done once, however often this is told."""

from __future__ import annotations

from portico.fulfillment import steps
from portico.fulfillment.outcomes import DONE, Outcome
from portico.fulfillment.steps import Run


async def fulfill(run: Run) -> Outcome:
    """Answers DONE; raises Stopped where it has to wait or can't go on."""
    await steps.confirm_approval(run)
    await steps.tell_salesforce_we_began(run)

    await steps.check_payment_method(run)
    await steps.place_billing_order(run)
    await steps.compare_amounts(run)
    await steps.accept_billing_order(run)

    for line in run.esim_lines:
        await steps.request_esim(run, line)
        await steps.wait_for_esim(run, line)

    await steps.write_billing_details(run)
    await steps.write_salesforce_ids(run)
    return DONE
