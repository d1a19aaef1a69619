"""Ranking and rating metrics, bootstrap intervals and paired tests: functions over arrays."""
