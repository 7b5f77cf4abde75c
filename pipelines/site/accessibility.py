"""The accessibility statement: what was tried on whom, what is known not to work, and how to complain.

Belongs here: the day of the last check, to be raised by whoever checks again. Does not belong here: claims that
nobody has tried.
"""

from __future__ import annotations

import datetime as dt

from pipelines.site.page import Page

CHECKED_ON = dt.date(2026, 11, 24)  # every type of page, as the statement describes; raise it with the next check


def accessibility_page() -> Page:
    """The page `accessibility.html`."""
    return Page("accessibility.html", "Accessibility statement", "accessibility.html", {"checked_on": CHECKED_ON})
