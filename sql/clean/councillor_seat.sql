-- one row per council seat in a roster
-- DuckDB only: calls is_vacancy and surname_key.
select
  roster.snapshot_on,
  roster.source_row,
  roster.council_name,
  name_key(roster.council_name) as council_key,
  roster.ward_name,
  name_key(roster.ward_name) as ward_key,
  case when is_vacancy(roster.councillor_name) then null else roster.councillor_name end as councillor_name,
  surname_key(roster.councillor_name) as surname_key,
  is_vacancy(roster.councillor_name) as is_vacant
from source.open_council_data_councillors as roster
