"""Invoices, payment methods, pay links: read from WHMCS, paid there."""
