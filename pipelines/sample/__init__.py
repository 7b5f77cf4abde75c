"""The embedded fictional world: a small country, written in the upstreams' own file formats.

Here belong invented facts and the writers that lay them out as the real files are laid out. Real rows,
parsing and measuring do not belong here.
"""
