"""The fictional world as a folder of files, ready for the real parsers.

Here belongs which file stands where. What the files hold is in the modules that write them; where each
awkward case stands is in `cases`.
"""

from __future__ import annotations

from pathlib import Path

from pipelines.sample import cases
from pipelines.sample.candidate_files import builder_file, legacy_file
from pipelines.sample.register_files import (
    accounts_file,
    council_data_id_file,
    gss_changes_file,
    gss_lookup_file,
    name_lookup_file,
    new_organisations_file,
    old_organisations_file,
    register_file,
    web_pages_file,
    wikidata_file,
)
from pipelines.sample.roster_files import control_file, roster_file


def world_files() -> dict[str, str]:
    """Return the text of every file, by its path under the world's folder: the same each time."""
    return {
        cases.REGISTER: register_file(),
        cases.GSS_LOOKUP: gss_lookup_file(),
        cases.NAME_LOOKUP: name_lookup_file(),
        cases.COUNCIL_DATA_IDS: council_data_id_file(),
        cases.OLD_ORGANISATIONS: old_organisations_file(),
        cases.NEW_ORGANISATIONS: new_organisations_file(),
        cases.WEB_PAGES: web_pages_file(),
        cases.CONTROL: control_file(),
        cases.ROSTER_2024: roster_file(2024),
        cases.ROSTER_2025: roster_file(2025),
        cases.LEGACY: legacy_file(),
        cases.BUILDER: builder_file(),
        cases.ACCOUNTS_2024: accounts_file(2024),
        cases.ACCOUNTS_2025: accounts_file(2025),
        cases.GSS_CHANGES: gss_changes_file(),
        cases.WIKIDATA_2024: wikidata_file(2024),
        cases.WIKIDATA_2025: wikidata_file(2025),
    }


def write_world(folder: Path) -> None:
    """Write the fictional world under a folder, which is made if it is missing.

    Files of the same name are replaced, others left alone. UTF-8; line ends are each upstream's own.
    """
    for path, text in world_files().items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode())
