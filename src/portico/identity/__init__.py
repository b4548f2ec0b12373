"""Who somebody is: sign-up, sign-in, sessions, and the mapping between the three systems."""
