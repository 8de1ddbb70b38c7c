"""Compares the gateway with PgBouncer on one machine, in one run."""
