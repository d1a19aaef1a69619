"""Sample data: real MovieLens ratings, and a generator of synthetic job data."""

from shortlist.data.samples.jobs import generate_jobs, make_jobs
from shortlist.data.samples.movies import SamplePaths, films, sample_paths

__all__ = ["SamplePaths", "films", "generate_jobs", "make_jobs", "sample_paths"]
