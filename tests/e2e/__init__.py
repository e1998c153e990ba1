"""The whole house at once: a real server, its demo city, a real browser."""
