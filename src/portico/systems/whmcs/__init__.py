"""WHMCS: billing. One function per action, named after it."""
