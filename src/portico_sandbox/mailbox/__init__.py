"""The mailbox of everybody in the world: whatever the portal sends over SMTP ends up here."""
