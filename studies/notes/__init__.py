"""Answer the questions of the study notes that this library grew out of, by measurements.

    python -m studies.notes [--quick] [--scale] [--seeds 3] [--only q1 q6 ...] [--out FILE]

writes ``docs/notes.md``. Each question is a file that returns a :class:`~.document.Section`.
"""
