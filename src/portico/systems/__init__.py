"""The foreign systems: one door out, one package per vendor."""
