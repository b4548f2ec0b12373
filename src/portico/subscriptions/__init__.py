"""A customer's services, as WHMCS has them."""
