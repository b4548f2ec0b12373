"""The stand-in of Salesforce: OAuth, REST and the Pub/Sub API over their real protocols."""
