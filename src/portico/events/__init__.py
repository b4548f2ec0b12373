"""Events in: the hook route and the listener put them into the inbox, the drain hands them to the domains."""
