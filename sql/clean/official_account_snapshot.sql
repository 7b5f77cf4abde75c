-- one row per source of official accounts and day of a snapshot
select
  lands.snapshot_on,
  'digital_land_authorities' as source
from source.digital_land_authorities as lands
group by lands.snapshot_on
union all
select
  curated.snapshot_on,
  'official_accounts' as source
from source.official_accounts as curated
group by curated.snapshot_on
union all
select
  wiki.snapshot_on,
  'wikidata_accounts' as source
from source.wikidata_accounts as wiki
group by wiki.snapshot_on
