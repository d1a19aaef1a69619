"""What holds for every test."""

import os

import pytest
from hypothesis import settings
from object_store import bucket  # noqa: F401 - a fixture

# Before anything of it is imported: the assertions of the contract explain themselves.
pytest.register_assert_rewrite("shortlist.testing")

# `make test` checks the same examples every time; `make test-all` looks for new ones.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("new", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
