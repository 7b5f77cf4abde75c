-- one row per platform on which accounts are looked for
-- The one place that says which platforms are asked for profiles and posts, and since when anybody could post
-- there. level is the finest at which what was observed may be published (data_contracts/policy.yml says why).
select
  named.platform,
  named.is_observed,
  named.opened_on,
  named.level
from (
  values
    ('bluesky', true, date '2022-11-17', 'account'),
    ('facebook', false, date '2004-02-04', 'never'),
    ('instagram', false, date '2010-10-06', 'never'),
    ('linkedin', false, date '2003-05-05', 'never'),
    ('mastodon', true, date '2016-10-05', 'account'),
    ('threads', false, date '2023-07-05', 'never'),
    ('tiktok', false, date '2016-09-20', 'never'),
    ('x', false, date '2006-03-21', 'aggregate'),
    ('youtube', false, date '2005-02-14', 'never')
) as named (platform, is_observed, opened_on, level)
