"""Generating synthetic job data as Arrow tables or CSV files.

A seeded random generator draws résumés, postings and applications in the form of a job
recommendation competition. They have the columns of the seven CSV files of DACON competition
236170, which may not be redistributed; the published marginal distributions of these files (see
``marginals``); and a planted structure (see ``world``), so that models can be compared on data with
a known answer.
"""

from __future__ import annotations

from numbers import Integral
from pathlib import Path
from typing import Any

import pyarrow as pa

from shortlist.data.samples.csv_files import write_tables
from shortlist.data.samples.jobs.marginals import POSTINGS, RESUMES
from shortlist.data.samples.jobs.tables import build_tables
from shortlist.data.samples.jobs.world import plan_world
from shortlist.errors import InputError
from shortlist.files import atomic_directory
from shortlist.text import first_few

MIN_RESUMES, MIN_POSTINGS = 100, 150  # a résumé has up to 77 applications
MAX_POSTINGS_PER_RESUME = 4

NOTE = "README-SYNTHETIC.txt"
_README = """\
SYNTHETIC DATA. No person, employer or posting in these files is real.

A seeded random generator (shortlist, make_jobs) drew them. They imitate the
files of a job recommendation competition (DACON 236170): the number of choices per person and
posting, which columns are mostly empty, how messy the texts are. The structure (who chooses what)
is planted, not observed. Use the files to try and to test software; draw no conclusions about
people or employers from them.

resumes: {resumes}
postings: {postings}
seed: {seed}
"""


def make_jobs(
    n_resumes: int = RESUMES, n_postings: int = POSTINGS, seed: int = 0
) -> dict[str, pa.Table]:
    """Return the tables of synthetic job data by name; see :func:`generate_jobs`."""
    _check("n_resumes", n_resumes, MIN_RESUMES)
    _check("n_postings", n_postings, MIN_POSTINGS)
    _check("seed", seed, 0)
    if n_postings > MAX_POSTINGS_PER_RESUME * n_resumes:
        raise InputError(
            f"{n_postings} postings are too many for {n_resumes} résumés: at most "
            f"{MAX_POSTINGS_PER_RESUME * n_resumes}, or some would have no applicant",
            where="argument n_postings",
            remedy="choose fewer postings or more résumés",
        )
    return build_tables(plan_world(n_resumes, n_postings, seed), seed)


def generate_jobs(
    folder: str | Path, n_resumes: int = RESUMES, n_postings: int = POSTINGS, seed: int = 0
) -> Path:
    """Write synthetic job data as CSV files.

    What is planted: applications follow two lines, of work and of places, on which neighbours apply
    to the same few postings. Keywords, codes, boxes and certificates reveal the position on the
    line of work, so features alone find postings.

    Parameters
    ----------
    folder
        The folder for the CSV files, one a table (UTF-8 with a byte order mark, comma separated)
        and ``README-SYNTHETIC.txt``. It is created if its parent exists; synthetic files in it are
        replaced atomically.
    n_resumes
        100 or more.
    n_postings
        150 or more, and at most four times ``n_resumes``, so that each posting has an applicant.
    seed
        0 or more. Equal arguments give equal bytes.

    Returns
    -------
    Path
        The folder, with the tables ``resume``, ``resume_education``, ``resume_certificate``,
        ``resume_language``, ``recruitment``, ``company`` and ``apply_train``, which have the
        columns of the competition file of that name and the ids ``U00001``... and ``R00001``...

    Raises
    ------
    InputError
        The folder holds other files, is a file, or has no parent, or an argument is out of range.
        Nothing is written.

    Examples
    --------
    >>> import tempfile
    >>> folder = generate_jobs(Path(tempfile.mkdtemp()) / "jobs", 200, 150)
    >>> (folder / "company.csv").read_text(encoding="utf-8-sig").splitlines()[0]
    'recruitment_seq,company_type_seq,supply_kind,employee'
    """
    folder = Path(folder)
    made = make_jobs(n_resumes, n_postings, seed)
    _check_folder(folder, {f"{name}.csv" for name in made} | {NOTE})
    with atomic_directory(folder) as partial:
        write_tables(partial, made, mark=True)
        text = _README.format(resumes=n_resumes, postings=n_postings, seed=seed)
        (partial / NOTE).write_text(text, encoding="utf-8")
    return folder


def _check(name: str, value: Any, minimum: int) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < minimum:
        raise InputError(
            f"{name} is {value!r}; it must be an integer of {minimum} or more",
            where=f"argument {name}",
        )


def _check_folder(folder: Path, generated: set[str]) -> None:
    """Raise an error if the folder holds anything but synthetic files, such as the real files."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{folder} is a file", remedy="choose a folder")
    present = {file.name for file in folder.iterdir()}
    others = sorted(present - generated if NOTE in present else present)
    if others:
        raise InputError(
            f"{folder} holds other files, which would be deleted",
            where=first_few(others),
            remedy="choose an empty or a new folder",
        )
