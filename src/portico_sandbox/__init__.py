"""Stand-ins of WHMCS, Salesforce and Freebit, written from the vendors' manuals; imports nothing of portico."""
