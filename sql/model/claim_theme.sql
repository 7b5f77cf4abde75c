-- one row per claim and theme of interviews that speaks to it
select
  speaks.claim_id,
  speaks.theme_id,
  speaks.cannot_say
from (
  values
    ('councillors_differ_from_officers', 'as_you',
     'How often something was mentioned in interviews does not say how many of all councillors or officers do it.'),
    ('councillors_differ_from_officers', 'blurred_boundary',
     'Who mentioned a fear is counted, not how strong it is.'),
    ('councillors_differ_from_officers', 'controlled_by_officers',
     'A theme is what coders saw in an interview, not what the speaker would sign.'),
    ('no_middle_ground', 'does_not_use_it',
     'People who agreed to be interviewed need not be like those who did not.'),
    ('always_on', 'always_on',
     'That it is called a 24-7 medium does not say when anybody uses it.'),
    ('quicker_than_a_leaflet', 'quicker_than_a_leaflet',
     'That it is called quick does not say how long anybody waits.'),
    ('abuse_and_impatience', 'abuse',
     'Worry about abuse is counted, not abuse.'),
    ('abuse_and_impatience', 'impatience',
     'What councillors feel residents expect is counted, not what residents expect.'),
    ('some_do_not_use_it', 'does_not_use_it',
     'People who agreed to be interviewed need not be like those who did not.')
) as speaks (claim_id, theme_id, cannot_say)
