-- one row per claim of the research that a finding can speak to
-- The claims are those of the 21st Century Councillor research (University of Birmingham, 2016), in our words.
select
  claim.claim_id,
  claim.claim
from (
  values
    ('councillors_differ_from_officers',
     'Councillors communicate as themselves; officers fear the blurred boundary between person and council.'),
    ('no_middle_ground',
     'There is no middle ground: councillors either really use social media, or they do not.'),
    ('always_on',
     'Social media is a 24-7 medium.'),
    ('quicker_than_a_leaflet',
     'Social media is far quicker than a leaflet.'),
    ('abuse_and_impatience',
     'Even those who like social media worry about abuse and impatience.'),
    ('some_do_not_use_it',
     'Some councillors do not use social media at all.')
) as claim (claim_id, claim)
