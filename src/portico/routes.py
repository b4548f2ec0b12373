"""Every route of the application, domain by domain."""

from __future__ import annotations

from litestar.types import ControllerRouterHandler

from portico.billing import api as billing_api
from portico.billing import email_pages, profile_api, profile_pages
from portico.billing import pages as billing
from portico.catalog import api as catalog_api
from portico.catalog import pages as catalog
from portico.events.hooks import whmcs_hook
from portico.home import api as home_api
from portico.home import pages as home
from portico.home.health import alive, ready
from portico.home.operations import operation
from portico.identity import api as identity_api
from portico.identity import pages as identity
from portico.notifications import api as notifications_api
from portico.notifications import pages as notifications
from portico.orders import api as orders_api
from portico.orders import cancellation_pages as cancellation
from portico.orders import pages as orders
from portico.staff import pages as staff
from portico.subscriptions import api as subscriptions_api
from portico.subscriptions import pages as subscriptions
from portico.support import api as support_api
from portico.support import pages as support
from portico.web.openapi import openapi_document

PAGES: list[ControllerRouterHandler] = [
    *identity.pages,
    home.home_page,
    *notifications.pages,
    catalog.catalog_page,
    catalog.product_page,
    orders.cart_page,
    orders.add_item,
    orders.remove_item,
    orders.checkout_page,
    orders.check_out,
    orders.orders_page,
    orders.order_page,
    orders.install_page,
    *cancellation.pages,
    billing.invoices_page,
    billing.invoice_page,
    billing.pay,
    billing.payment_methods_page,
    billing.manage_payment_methods,
    billing.return_page,
    profile_pages.profile_page,
    profile_pages.details_page,
    profile_pages.change_details,
    profile_pages.address_page,
    profile_pages.change_address,
    email_pages.email_page,
    email_pages.ask,
    email_pages.code_page,
    email_pages.prove,
    subscriptions.services_page,
    staff.staff_page,
    subscriptions.service_page,
    support.cases_page,
    support.new_case_page,
    support.send_case,
    support.case_page,
    support.send_message,
]
API: list[ControllerRouterHandler] = [
    identity_api.api,
    home_api.status,
    operation,
    *notifications_api.routes,
    catalog_api.catalog,
    catalog_api.eligibility,
    orders_api.cart,
    orders_api.replace_cart,
    orders_api.place,
    orders_api.orders,
    orders_api.order,
    orders_api.order_events,
    orders_api.cancellation,
    billing_api.invoices,
    billing_api.invoice,
    billing_api.invoice_pay_link,
    billing_api.payment_methods,
    billing_api.manage_link,
    billing_api.payment_gateways,
    profile_api.profile,
    profile_api.change_details,
    profile_api.change_address,
    profile_api.email,
    profile_api.ask,
    profile_api.prove,
    subscriptions_api.subscriptions,
    subscriptions_api.subscription,
    support_api.cases,
    support_api.add_case,
    support_api.case,
    support_api.add_comment,
]
ROUTES: list[ControllerRouterHandler] = [*PAGES, *API, openapi_document, whmcs_hook, alive, ready]
