"""Shown before anything of shortlist.testing is imported: its assertions explain themselves."""

import pytest

pytest.register_assert_rewrite("shortlist.testing")
