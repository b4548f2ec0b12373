"""Freebit: SIM provisioning over the `emptool` API."""
