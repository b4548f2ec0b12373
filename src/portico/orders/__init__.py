"""From the cart to the placed order, and what became of it."""
