"""The archive: sealed days in Parquet, the chain that proves them, and what keeps it within its bounds."""
