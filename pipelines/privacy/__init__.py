"""Disclosure control: what may be told about a study's interviews, and proof that it cannot be taken apart.

Here belong the rules D1 to D13, the rounding, the attacks A1 to A16, the audit and the search for personal
data. Where interviews are stored, how they are read and what a release looks like do not: the package works on
frames and counts.
"""
