"""Stand-in of Freebit's emptool API."""
