"""The questions of the study notes this library grew from, answered by measuring.

    python -m studies.notes [--quick] [--scale] [--seeds 3] [--only q1 q6 ...] [--out FILE]

writes ``docs/notes.md``. One file a question: each gives a :class:`~.document.Section`.
"""
