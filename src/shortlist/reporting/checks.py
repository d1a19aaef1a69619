"""Every check of the data, by what it looks for."""

from __future__ import annotations

from shortlist.reporting import leaks, quality, sameness
from shortlist.reporting.findings import Check

CHECKS: dict[str, Check] = {
    "pairs that are in training and test": leaks.shared_pairs,
    "training interactions later than what is held out of the same user": leaks.own_future,
    "training interactions later than the test": leaks.others_future,
    "item columns that follow the number of choices": leaks.counts_by_another_name,
    "features dated after what they help to predict": leaks.dated_later,
    "user columns that hold the held-out item": leaks.answer_among_features,
    "interactions outside an item's life span": leaks.before_or_after_life,
    "repeated pairs": quality.repeated_rows,
    "items with the same title": quality.same_titles,
    "users with the same history": quality.same_histories,
    "users with too little": quality.little_history,
    "items never chosen": quality.never_chosen,
    "too few test users": quality.few_test_users,
    "one user with much of the data": quality.much_by_one,
    "constant weights": sameness.constant_weights,
    "times that are missing, constant, tied or impossible": sameness.times_that_say_little,
    "columns without values": sameness.columns_that_say_nothing,
}
"""A new check is added here and nowhere else."""
