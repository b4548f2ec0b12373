"""Questions to the provider's support, kept as cases in Salesforce."""
