-- one row per rule, dataset and source
-- The day on which an issue was first seen is carried over from the last release.
with issue as (
  select
    broken.rule || coalesce(' ' || broken.detail, '') as rule,
    broken.dataset,
    coalesce(broken.source, 'this project') as source,
    broken.severity,
    broken.responsibility,
    broken.row_count as rows_affected,
    broken.first_seen_on
  from quarantine.issues as broken
  union all
  select
    seen.rule,
    'public.' || seen.dataset as dataset,
    seen.source,
    'warning' as severity,
    seen.responsibility,
    seen.rows_affected,
    seen.first_seen_on
  from model.issue as seen
)

select
  issue.dataset,
  issue.rule,
  issue.source,
  issue.severity,
  issue.responsibility,
  issue.rows_affected,
  coalesce(least(issue.first_seen_on, released.first_seen_on), newest.as_of_on) as first_seen_on
from issue
left join published.data_issues as released
  on released.dataset = issue.dataset
  and released.rule = issue.rule
  and released.source = issue.source
cross join (select max(authority.snapshot_on) as as_of_on from clean.authority as authority) as newest
