-- one row per abolished authority and body that took over from it, directly or through others
-- DuckDB only: recursive and unnest. A successor is final when nothing replaced it in turn.
with recursive step as (
  select
    authority.authority_code,
    trim(part.code) as successor_code
  from clean.authority as authority
  cross join unnest(string_split(authority.replaced_by, ',')) as part (code)
),

path as (
  select
    step.authority_code,
    step.successor_code,
    1 as steps
  from step
  union
  select
    path.authority_code,
    step.successor_code,
    path.steps + 1 as steps
  from path
  join step on step.authority_code = path.successor_code
  where path.steps < 10 -- far more than any real chain; ends a circle in faulty data
)

select
  path.authority_code,
  path.successor_code,
  min(path.steps) as steps,
  path.successor_code not in (select step.authority_code from step) as is_final
from path
group by path.authority_code, path.successor_code
