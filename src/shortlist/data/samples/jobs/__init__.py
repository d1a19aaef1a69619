"""Synthetic job data in the form of a real job board; no part of it is real."""

from shortlist.data.samples.jobs.generate import generate_jobs, make_jobs

__all__ = ["generate_jobs", "make_jobs"]
