"""Data sets by name: samples of the package, synthetic ones, and downloads, verified and cached."""

from __future__ import annotations

import filecmp
import hashlib
import http.client
import os
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import duckdb

from shortlist.data.samples import generate_jobs, generate_orders, sample_paths
from shortlist.data.samples.board import POSTINGS, RESUMES
from shortlist.data.sources import read
from shortlist.data.sql import connect
from shortlist.errors import DownloadError, InputError, require_known
from shortlist.files import atomic_directory
from shortlist.progress import track

NAMES = ("films", "jobs", "orders", "ml-100k")
NOTE = "SOURCE.txt"  # written last, so a folder with this file is complete

_ZIP = "https://files.grouplens.org/datasets/movielens/ml-100k.zip"
_WHEEL = "recbole==1.2.1"
_RECBOLE_FOLDER = "recbole/dataset_example/ml-100k/"
_TIMEOUT = 10  # seconds without data after which GroupLens counts as unreachable
_PIP_TIMEOUT = 300  # seconds
_BLOCK = 1 << 16
_COUNTS = (100_000, 943, 1_682)  # ratings, users and films, as GroupLens states them
# SHA-256 of u.data: all ratings with their times, in the published order.
_CONTENT = "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490"
_LICENCE = (
    "MovieLens 100K, F. Maxwell Harper and Joseph A. Konstan (2015), "
    "https://doi.org/10.1145/2827872. For research; may not be redistributed or used commercially "
    "without the permission of GroupLens: https://files.grouplens.org/datasets/movielens/ml-100k-README.txt"
)


def fetch(name: str, to: str | Path | None = None) -> Path:
    """Return the folder of a data set; download or make it if it is not in the cache.

    MovieLens 100K is downloaded from GroupLens or, if that is unreachable, taken from the copy in
    the RecBole 1.2.1 wheel on the Python package index. Its ratings are verified by a hash.

    Parameters
    ----------
    name
        ``films``: the MovieLens sample that comes with the library; ``jobs``: a synthetic job
        board (:func:`shortlist.jobs`); ``orders``: the files of a synthetic shop; ``ml-100k``:
        MovieLens 100K, which is downloaded.
    to
        A folder to copy the files into. It is made if it does not exist; a file that exists with
        other content is not replaced.

    Returns
    -------
    Path
        ``to``, or a folder of the package or of the user's cache (see :func:`cache_folder`). The
        ``SOURCE.txt`` of a download states the origin and the licence, which are also printed on
        stderr.

    Raises
    ------
    InputError
        There is no such data set, or a file of the same name is in the folder.
    DownloadError
        No source is reachable, or the downloaded files are not the data set.

    Examples
    --------
    >>> import tempfile
    >>> folder = fetch("orders", to=tempfile.mkdtemp())
    >>> (folder / "orders.csv").read_text().splitlines()[0]
    'invoice,customer,sku,product,quantity,date'
    """
    require_known(name, NAMES, f"there is no data set '{name}'")
    folder = _folder(name)
    return folder if to is None else _copied(folder, Path(to))


def _folder(name: str) -> Path:
    """Return the folder of a data set, and fill it if it is in the cache and empty."""
    if name == "films":
        return sample_paths().ratings.parent
    folder = cache_folder() / name
    if name == "ml-100k":
        return _downloaded(name, folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if name == "jobs":
        return generate_jobs(folder, RESUMES, POSTINGS)
    return generate_orders(folder)


def _copied(source: Path, folder: Path) -> Path:
    """Copy the files of a folder into another; refuse to replace a file that differs."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [file for file in sorted(source.iterdir()) if file.suffix not in (".py", ".pyc")]
    for file in files:
        there = folder / file.name
        if there.exists() and not filecmp.cmp(file, there, shallow=False):
            raise InputError(f"{there} exists, with other content", remedy="name another folder")
    for file in files:
        shutil.copyfile(file, folder / file.name)
    return folder


def _downloaded(name: str, folder: Path) -> Path:
    if (folder / NOTE).is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    failures = []
    for source in (_from_grouplens, _from_package_index):
        try:
            with atomic_directory(folder) as partial:
                origin = source(partial)
                _verify(partial, origin)
                (partial / NOTE).write_text(f"{origin}\n{_LICENCE}\n", "utf-8")
        except DownloadError as error:
            failures.append(str(error).replace("\n", "\n  "))
        else:
            sys.stderr.write(f"{name}: {origin}\n{_LICENCE}\n")
            return folder
    raise DownloadError(
        f"{name} could not be downloaded:\n- " + "\n- ".join(failures),
        remedy=f"connect to the network, or unpack {_ZIP} into {folder} and load that folder",
    )


def cache_folder() -> Path:
    r"""Return the folder of downloads: ``SHORTLIST_CACHE``, or the cache folder of the system.

    That is ``~/Library/Caches/shortlist`` on macOS, ``%LOCALAPPDATA%\shortlist\Cache`` on Windows,
    ``$XDG_CACHE_HOME/shortlist`` or ``~/.cache/shortlist`` elsewhere. It may not exist yet.
    """
    if folder := os.environ.get("SHORTLIST_CACHE"):
        return Path(folder)
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "shortlist"
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else home / "AppData" / "Local") / "shortlist" / "Cache"
    xdg = os.environ.get("XDG_CACHE_HOME")
    return (Path(xdg) if xdg else home / ".cache") / "shortlist"


def _from_grouplens(folder: Path) -> str:
    archive = folder / "ml-100k.zip"
    try:
        with urllib.request.urlopen(_ZIP, timeout=_TIMEOUT) as response, archive.open("wb") as file:
            total = -(-int(response.headers.get("Content-Length") or 0) // _BLOCK) or None
            blocks = iter(lambda: response.read(_BLOCK), b"")
            for block in track(blocks, "downloading ml-100k", total):
                file.write(block)
    except (OSError, http.client.HTTPException) as error:
        raise DownloadError(f"{_ZIP} is unreachable: {error}") from error
    _unpack(archive, "ml-100k/", ("u.data", "u.item", "u.user", "README"), folder)
    return f"from {_ZIP}"


def _from_package_index(folder: Path) -> str:
    downloads = folder / "downloads"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--dest", str(downloads), _WHEEL]
    stdout = sys.stderr if sys.stderr.isatty() else subprocess.DEVNULL  # pip's own progress bar
    try:
        result = subprocess.run(
            command,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            timeout=_PIP_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DownloadError(f"pip download {_WHEEL} took more than {_PIP_TIMEOUT} s") from error
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or ["no error message"])[-1]
        raise DownloadError(f"pip download {_WHEEL} failed: {reason}")
    names = ("ml-100k.inter", "ml-100k.item", "ml-100k.user")
    _unpack(next(downloads.glob("*.whl")), _RECBOLE_FOLDER, names, folder)
    shutil.rmtree(downloads)
    return f"from the copy in the Python package {_WHEEL}"


def _unpack(archive: Path, prefix: str, names: tuple[str, ...], folder: Path) -> None:
    """Extract the named files from an archive, and delete the archive."""
    try:
        with zipfile.ZipFile(archive) as packed:
            for name in names:
                with packed.open(prefix + name) as source, (folder / name).open("wb") as target:
                    shutil.copyfileobj(source, target)
    except (zipfile.BadZipFile, KeyError) as error:
        raise DownloadError(f"the download is not the expected archive: {error}") from error
    archive.unlink()


def _verify(folder: Path, origin: str) -> None:
    """Compare the counts, then the hash of all ratings, with the published values."""
    ratings = next(path for path in (folder / "u.data", folder / "ml-100k.inter") if path.is_file())
    try:
        with connect() as db:
            rows = read(db, ratings, label="ml-100k").rows
            counts = db.execute(
                "SELECT count(*), count(DISTINCT user_id), count(DISTINCT item_id) FROM rows"
            ).fetchall()[0]
            del rows
    except (InputError, duckdb.Error) as error:
        raise DownloadError(f"the download {origin} cannot be read: {error}") from error
    if counts != _COUNTS:
        actual, expected = (
            f"{n[0]:,} ratings, {n[1]:,} users, {n[2]:,} films" for n in (counts, _COUNTS)
        )
        raise DownloadError(f"the download {origin} has {actual}; ml-100k has {expected}")
    content = ratings.read_bytes().replace(b"\r\n", b"\n")
    if ratings.suffix == ".inter":
        content = content.partition(b"\n")[2]
    if hashlib.sha256(content).hexdigest() != _CONTENT:
        raise DownloadError(f"the download {origin} has the counts of ml-100k, but other ratings")
