"""What a customer is told outside of the page they look at: the bell and its page; mails go out beside it."""
