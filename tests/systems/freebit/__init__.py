"""The freebit package, over real sockets."""
