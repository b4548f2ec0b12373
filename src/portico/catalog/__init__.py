"""What can be ordered: products and prices of the portal pricebook, and who may order them."""
