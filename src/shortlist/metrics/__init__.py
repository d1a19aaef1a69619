"""Metrics, bootstrap intervals and paired tests: functions over arrays."""
