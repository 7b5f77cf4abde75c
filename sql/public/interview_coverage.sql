-- one row per study, role group, attribute and category
-- Counts come protected from the disclosure gate; a study that may not be shown has one row that says why.
select
  study.study_id,
  coalesce(counted.role_group, 'all') as role_group,
  coalesce(counted.attribute, 'all') as attribute,
  coalesce(counted.category, 'all') as category,
  counted.interviews,
  counted.median_minutes,
  study.title as study_title,
  study.year_from,
  study.year_to,
  study.sampling,
  study.is_synthetic,
  study.persistent_id,
  study.withheld_reason
from protected.interview_study as study
left join protected.interview_count as counted
  on counted.study_id = study.study_id
  and study.state = 'published'
