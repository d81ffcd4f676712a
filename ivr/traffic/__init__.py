"""Recorded traffic: who called a site in a month, for what, and who was there; nobody's number."""
