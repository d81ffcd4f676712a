"""`ivr doctor`: what is wrong with an installation, where, and what to type. It looks, and changes nothing."""
