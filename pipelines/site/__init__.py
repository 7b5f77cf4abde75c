"""The static site of a publication: what the public reads, made from the releases and nothing else.

Belongs here: pages, charts, and writing them beside the releases. Does not belong here: the page inside a release
folder, which never changes (`release.pages`), and any figure that no release holds.
"""
