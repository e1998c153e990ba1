"""Where everybody is, and how well we know it: connections, admission, pipeline, presence, grids, tracks."""
