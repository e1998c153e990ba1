"""Data folders as released versions left them, and how each was made. See test_released.py."""
