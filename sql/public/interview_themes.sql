-- one row per study, theme and role group
-- Counts come protected from the disclosure gate; nothing here can be told from anything but its output.
select
  theme.study_id,
  theme.theme_id,
  theme.theme,
  theme.role_group,
  theme.interviews,
  theme.base,
  theme.share_percent,
  coalesce(
    theme.withheld_reason,
    case when theme.share_percent is null then 'fewer than 20 interviews behind a percentage' end
  ) as withheld_reason,
  study.is_synthetic
from protected.interview_theme as theme
join protected.interview_study as study on study.study_id = theme.study_id
where study.state = 'published'
