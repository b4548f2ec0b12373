"""Salesforce: accounts, catalog, orders, and the stream of what changed."""
