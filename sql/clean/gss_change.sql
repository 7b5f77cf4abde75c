-- one row per recoding of an authority's area that the register does not know yet
select
  changes.authority_code,
  changes.gss_code,
  changes.former_gss_code,
  changes.changed_on,
  changes.snapshot_on
from source.gss_changes as changes
