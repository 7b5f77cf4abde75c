"""One slip of the pen: the only tolerance this package allows between two spellings.

Here belongs the distance itself. Where it may be used, and from which length on, is said where it is used.
"""


def within_one_edit(left: str, right: str) -> bool:
    """Whether one letter added, dropped or changed turns `left` into `right`; equal texts count."""
    if abs(len(left) - len(right)) > 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), None)
    if start is None:
        return True
    return left[start + 1 :] in (right[start:], right[start + 1 :]) or left[start:] == right[start + 1 :]
