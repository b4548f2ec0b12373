"""The control panel: the foreign staff's buttons, the dials, the clock and the ledger, for people and for tests."""
