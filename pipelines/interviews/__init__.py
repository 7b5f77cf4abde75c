"""Interview metadata in the formats that researchers use, read into one internal schema.

Here belong the adapters, their allow-lists and the report on what could not be read. Storing, disclosure control
and publishing do not: what stands here never decides what goes out.
"""
