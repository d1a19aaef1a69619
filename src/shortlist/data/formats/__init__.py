"""File formats: the layouts of published data sets, and how their files are read."""
