"""Proof of a call plan: every state that the real core can come to with it, and what holds in all of them."""

from ivr.prove.proof import Proof, prove

__all__ = ["Proof", "prove"]
