"""How the table in freshness.py is obeyed."""

from portico.cache.cached import cached, drop_for, scope_of
from portico.cache.reads import Cache, Copy

__all__ = ["Cache", "Copy", "cached", "drop_for", "scope_of"]
