"""Portico: a self-hosted customer portal for telecom and internet providers."""
