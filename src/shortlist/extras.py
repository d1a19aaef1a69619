"""Optional dependencies: which are installed, and how to install the others."""

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
    "report": ("jinja2", "sklearn"),
    "ray": ("ray",),
    "mlflow": ("mlflow", "pandas"),
    "sql": ("adbc_driver_manager", "adbc_driver_postgresql", "adbc_driver_sqlite"),
}
"""The packages that each extra needs."""


def installed(extra: str) -> bool:
    """Return whether the packages of an extra are installed, without importing them."""
    return all(find_spec(package) is not None for package in PACKAGES[extra])


def require(extra: str, what: str) -> None:
    """Raise a ConfigError unless an extra is installed; ``what`` is the feature that needs it."""
    if not installed(extra):
        raise ConfigError(
            f"{what} needs {' and '.join(PACKAGES[extra])}, which is not installed",
            remedy=install_command(extra),
        )


def install_command(extra: str) -> str:
    """Return the command that installs an extra."""
    return f"pip install 'shortlist[{extra}]'"
