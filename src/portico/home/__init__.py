"""The dashboard and its one read model."""
