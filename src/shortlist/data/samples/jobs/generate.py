"""Generating synthetic job data as Arrow tables or CSV files.

Two scenarios have the form of a job recommendation competition: a seeded random generator draws
résumés, postings and applications. They have the columns of the seven CSV files of DACON
competition 236170, which may not be redistributed; the published marginal distributions of these
files (see ``marginals``); and a planted structure (see ``world``), so that models can be compared
on data with a known answer. The third is a board with titles, places and times (see ``places``).
"""

from __future__ import annotations

from numbers import Integral
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import pyarrow as pa
import pyarrow.csv

from shortlist.data.samples.jobs import marginals, places, tables, world
from shortlist.data.samples.jobs.tables import Blurs, build_tables
from shortlist.data.samples.jobs.world import Structure, plan_world
from shortlist.errors import InputError, require_known
from shortlist.files import atomic_directory
from shortlist.text import first_few

MIN_RESUMES, MIN_POSTINGS = 100, 150  # a résumé has up to 77 applications
MAX_POSTINGS_PER_RESUME = 4

Scenario: TypeAlias = Literal["clear", "codes", "places"]


class _Board(NamedTuple):
    """What a scenario imitates, how many people and postings it has, and its structure."""

    imitated: str
    people: int
    postings: int
    structure: Structure | None = None  # None: that of ``places``
    blurs: Blurs = tables.CLEAR


_COMPETITION = (
    "the files of a job recommendation competition (DACON 236170)",
    marginals.RESUMES,
    marginals.POSTINGS,
)
_BOARDS = {
    "clear": _Board(*_COMPETITION, world.CLEAR, tables.CLEAR),
    "codes": _Board(*_COMPETITION, world.CODES, tables.CODES),
    "places": _Board("a job board with titles and places", places.PEOPLE, places.VIEWED),
}
NOTE = "README-SYNTHETIC.txt"
_README = """\
SYNTHETIC DATA. No person, employer or posting in these files is real.

A seeded random generator (shortlist, make_jobs) drew them. They imitate {imitated}:
the number of choices per person and posting, which columns are mostly empty, how messy the texts
are. The structure (who chooses what) is planted, not observed. Use the files to try and to test
software; draw no conclusions about people or employers from them.

scenario: {scenario}
resumes: {people}
postings: {postings}
seed: {seed}
"""


def make_jobs(
    n_resumes: int | None = None,
    n_postings: int | None = None,
    seed: int = 0,
    *,
    scenario: Scenario = "clear",
) -> dict[str, pa.Table]:
    """Return the tables of synthetic job data by name; see :func:`generate_jobs`."""
    what = f"there is no scenario {scenario!r}"
    require_known(scenario, _BOARDS, what, where="argument scenario")
    board = _BOARDS[scenario]
    n_resumes = board.people if n_resumes is None else n_resumes
    n_postings = board.postings if n_postings is None else n_postings
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
    if board.structure is None:
        return places.build_board(n_resumes, n_postings, seed)
    planned = plan_world(n_resumes, n_postings, seed, board.structure)
    return build_tables(planned, seed, board.blurs)


def generate_jobs(
    folder: str | Path,
    n_resumes: int | None = None,
    n_postings: int | None = None,
    seed: int = 0,
    *,
    scenario: Scenario = "clear",
) -> Path:
    """Write synthetic job data as CSV files.

    What is planted: applications follow two lines, of work and of places, on which neighbours apply
    to the same few postings. In the scenario ``"clear"`` keywords, codes, boxes and certificates
    reveal the position on the line of work, so features alone find postings.

    In the scenario ``"codes"``, calibrated on figures of a real board, a fifth of the applications
    go anywhere, to popular postings above all, and half of what is held out is beyond the best 100
    of the cosines and EASE. Features alone find next to nothing. But along the line of work, people
    pass from young to old a hundred times, and career months, the last salary and the registration
    date follow: they tell something about which of several plausible postings a person chose.

    The scenario ``"places"``, calibrated on another real board, has titles, companies, states,
    cities and times: 2.7 views a person and 1.25 a posting, most of a person's in one sitting. A
    view and the one before it agree in state (.94), city (.52), company (.13) and a tenth of the
    words of their titles. Co-occurrence finds next to nothing, the features of the viewed postings
    find much.

    Parameters
    ----------
    folder
        The folder for the CSV files, one a table (UTF-8 with a byte order mark, comma separated)
        and ``README-SYNTHETIC.txt``. It is created if its parent exists; synthetic files in it are
        replaced atomically.
    n_resumes
        100 or more; None: as many as on the board that the scenario imitates.
    n_postings
        150 or more, and at most four times ``n_resumes``, so that each posting has an applicant. In
        the scenario ``"places"`` only postings that somebody viewed are returned: about this many
        where there are about twice as many postings as people.
    seed
        0 or more. Equal arguments give equal bytes.
    scenario
        ``"clear"``, ``"codes"`` or ``"places"``.

    Returns
    -------
    Path
        The folder. In the scenario ``"places"`` it has the tables ``people``, ``postings`` and
        ``views``; else ``resume``, ``resume_education``, ``resume_certificate``,
        ``resume_language``, ``recruitment``, ``company`` and ``apply_train``, with the columns of
        the competition file of that name and the ids ``U00001``... and ``R00001``...

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
    made = make_jobs(n_resumes, n_postings, seed, scenario=scenario)
    _check_folder(folder, {f"{name}.csv" for name in made} | {NOTE})
    with atomic_directory(folder) as partial:
        for name, table in made.items():
            with (partial / f"{name}.csv").open("wb") as stream:
                stream.write(b"\xef\xbb\xbf" + ",".join(table.column_names).encode() + b"\n")
                options = pa.csv.WriteOptions(include_header=False, quoting_style="none")
                pa.csv.write_csv(table, stream, options)
        sizes = {"people": n_resumes, "postings": n_postings}
        given = {name: size for name, size in sizes.items() if size is not None}
        values = _BOARDS[scenario]._asdict() | given
        text = _README.format(**values, scenario=scenario, seed=seed)
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
