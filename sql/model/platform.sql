-- one row per platform on which accounts are looked for
select named.platform
from (
  values
    ('bluesky'), ('facebook'), ('instagram'), ('linkedin'), ('mastodon'), ('threads'), ('tiktok'), ('x'), ('youtube')
) as named (platform)
