-- one row per GSS code and authority that it stands or stood for
select
  lookup.gss_code,
  lookup.authority_code
from source.authority_gss_lookup as lookup
where lookup.gss_code is not null
union
select
  register.gss_code,
  register.authority_code
from source.authority_register as register
where register.gss_code is not null
union
select
  changes.gss_code,
  changes.authority_code
from source.gss_changes as changes
union
select
  changes.former_gss_code as gss_code,
  changes.authority_code
from source.gss_changes as changes
