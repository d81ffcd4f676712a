"""How long the tests that draw their cases look: shortly here, `HYPOTHESIS_PROFILE=proof` for the long run."""

import os

from hypothesis import settings

settings.register_profile("short", deadline=None)
settings.register_profile("proof", deadline=None, max_examples=10_000, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))
