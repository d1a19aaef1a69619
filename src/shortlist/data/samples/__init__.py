"""Sample data: real MovieLens ratings, and generators of a synthetic job board and shop."""

from shortlist.data.samples.jobs import generate_jobs, make_jobs
from shortlist.data.samples.movies import SamplePaths, films, sample_paths
from shortlist.data.samples.orders import generate_orders, make_orders

__all__ = [
    "SamplePaths",
    "films",
    "generate_jobs",
    "generate_orders",
    "make_jobs",
    "make_orders",
    "sample_paths",
]
