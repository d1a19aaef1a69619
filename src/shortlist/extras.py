"""What is only installed on request, and how to ask for it."""

from __future__ import annotations

from importlib.util import find_spec

from shortlist.errors import ConfigError

PACKAGES = {
    "torch": ("torch",),
    "plots": ("matplotlib", "sklearn"),
    "trees": ("lightgbm",),
    "index": ("usearch",),
    "tune": ("optuna",),
    "serve": ("starlette", "uvicorn", "prometheus_client"),
    "report": ("jinja2", "matplotlib", "sklearn"),
    "sql": ("adbc_driver_manager", "adbc_driver_postgresql", "adbc_driver_sqlite"),
}
"""The packages that must be there for each extra."""


def installed(extra: str) -> bool:
    """Say whether an extra is installed, without importing it.

    Examples
    --------
    >>> installed("torch") in (True, False)
    True
    """
    return all(find_spec(package) is not None for package in PACKAGES[extra])


def require(extra: str, what: str) -> None:
    """Refuse to go on without an extra.

    Parameters
    ----------
    extra
        Its name.
    what
        What needs it, as the subject of a sentence.

    Raises
    ------
    ConfigError
        The extra is not installed.
    """
    if not installed(extra):
        raise ConfigError(
            f"{what} needs {' and '.join(PACKAGES[extra])}, which is not installed",
            remedy=install_command(extra),
        )


def install_command(extra: str) -> str:
    """Give what to type to install an extra.

    Examples
    --------
    >>> install_command("torch")
    "pip install 'shortlist[torch]'"
    """
    return f"pip install 'shortlist[{extra}]'"
