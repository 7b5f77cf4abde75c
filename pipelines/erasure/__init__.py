"""Erasing an account from everything that a home holds, and showing that nothing of it is left."""
