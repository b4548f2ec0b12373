"""The stand-in of WHMCS: its API, the client area that SSO opens, and the hooks it posts to the portal."""
