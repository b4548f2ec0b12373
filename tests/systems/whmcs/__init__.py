"""The whmcs package, over real sockets."""
