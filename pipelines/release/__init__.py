"""Releases: immutable folders of datasets, their metadata, and the pointers to them."""
