-- one row per official account, owner and period in which it held
-- The curated list is believed before any other source, the register of bodies before Wikidata, which anyone can
-- edit. What a less believed source knows of the same account fills gaps: its permanent id, and since when it was
-- there. An account on a dissolved body moves to the body that took over only if that has no account of its own on
-- the platform and bears the same short name (as Somerset and North Yorkshire do): a district's account is not its
-- successor's.
with ranked as (
  select
    version.source,
    case version.source
      when 'official_accounts' then 1
      when 'digital_land_authorities' then 2
      else 3
    end as source_no,
    version.authority_code,
    version.platform,
    version.handle,
    version.account_id,
    version.stated_from,
    version.valid_from,
    version.valid_to,
    version.first_seen_on,
    version.evidence_url,
    version.checked_on,
    row_number() over (
      partition by version.authority_code, version.platform, version.handle
      order by case when version.account_id is null then 1 else 0 end,
        case version.source
          when 'official_accounts' then 1
          when 'digital_land_authorities' then 2
          else 3
        end,
        coalesce(version.valid_to, date '9999-12-31') desc, version.account_id
    ) as best_id_first
  from model.official_account_version as version
),

began as (
  select
    ranked.authority_code,
    ranked.platform,
    ranked.handle,
    min(ranked.stated_from) as stated_from
  from ranked
  where ranked.valid_to is null
  group by ranked.authority_code, ranked.platform, ranked.handle
),

first_register as (
  select min(taken.snapshot_on) as snapshot_on
  from clean.official_account_snapshot as taken
  where taken.source = 'digital_land_authorities'
),

filled as (
  select
    ranked.source,
    ranked.source_no,
    ranked.authority_code,
    ranked.platform,
    ranked.handle,
    coalesce(ranked.account_id, known.account_id) as account_id,
    -- What was there in the first snapshot of the register of bodies may be any number of years older.
    case
      when ranked.source = 'digital_land_authorities' and ranked.first_seen_on = first_register.snapshot_on
        then least(ranked.valid_from, coalesce(began.stated_from, ranked.valid_from))
      else ranked.valid_from
    end as valid_from,
    ranked.valid_to,
    ranked.first_seen_on,
    ranked.evidence_url,
    ranked.checked_on
  from ranked
  cross join first_register
  left join ranked as known
    on known.authority_code = ranked.authority_code
    and known.platform = ranked.platform
    and known.handle = ranked.handle
    and known.best_id_first = 1
  left join began
    on began.authority_code = ranked.authority_code
    and began.platform = ranked.platform
    and began.handle = ranked.handle
),

-- The same account is named by its handle or, if it is open in both, by its permanent id: then the less believed
-- source has only an old name for it.
version as (
  select
    filled.source,
    filled.authority_code,
    filled.platform,
    filled.handle,
    filled.account_id,
    filled.valid_from,
    filled.valid_to,
    filled.first_seen_on,
    filled.evidence_url,
    filled.checked_on
  from filled
  anti join filled as better
    on better.authority_code = filled.authority_code
    and better.platform = filled.platform
    and better.source_no < filled.source_no
    and (
      better.handle = filled.handle
      or (better.account_id = filled.account_id and better.valid_to is null and filled.valid_to is null)
    )
),

own as (
  select distinct
    version.authority_code,
    version.platform
  from version
  where version.valid_to is null
),

successor as (
  select
    succession.authority_code,
    min(succession.successor_code) as successor_code,
    count(*) as successors
  from model.authority_succession as succession
  where succession.is_final
  group by succession.authority_code
),

placed as (
  select
    version.source,
    version.authority_code,
    version.platform,
    version.handle,
    version.account_id,
    version.valid_from,
    version.valid_to,
    version.first_seen_on,
    version.evidence_url,
    version.checked_on,
    authority.valid_to as dissolved_on,
    heir.valid_from as heir_from,
    successor.successors,
    case when successor.successors = 1 then successor.successor_code end as successor_code,
    coalesce(
      successor.successors = 1
      and version.valid_to is null
      and heir.nice_name = authority.nice_name
      and own.authority_code is null,
      false
    ) as is_inherited
  from version
  join clean.authority as authority on authority.authority_code = version.authority_code
  left join successor on successor.authority_code = version.authority_code
  left join clean.authority as heir on heir.authority_code = successor.successor_code
  left join own
    on own.authority_code = successor.successor_code
    and own.platform = version.platform
),

owned as (
  select
    placed.source,
    case when placed.is_inherited then placed.successor_code else placed.authority_code end as authority_code,
    placed.authority_code as listed_authority_code,
    placed.platform,
    placed.handle,
    placed.account_id,
    placed.first_seen_on,
    placed.evidence_url,
    placed.checked_on,
    placed.successors,
    placed.is_inherited,
    placed.valid_to is null as is_still_listed,
    -- An account on a dissolved body ended with it, whatever a later list still says; when it began is then
    -- unknown if it was first seen only after that.
    case
      when placed.is_inherited then greatest(placed.valid_from, placed.heir_from)
      when placed.valid_from > placed.dissolved_on then null
      else placed.valid_from
    end as valid_from,
    case
      when placed.is_inherited then placed.valid_to
      else least(placed.valid_to, placed.dissolved_on)
    end as valid_to,
    not placed.is_inherited and placed.dissolved_on is not null as is_dissolved
  from placed
),

numbered as (
  select
    owned.source,
    owned.authority_code,
    owned.listed_authority_code,
    owned.platform,
    owned.handle,
    row_number() over (
      partition by owned.authority_code, owned.platform, owned.handle
      order by coalesce(owned.valid_from, owned.first_seen_on), owned.listed_authority_code, owned.first_seen_on
    ) as period,
    owned.account_id,
    owned.valid_from,
    owned.valid_to,
    owned.first_seen_on,
    owned.evidence_url,
    owned.checked_on,
    owned.successors,
    owned.is_still_listed,
    owned.is_inherited,
    owned.is_dissolved
  from owned
),

-- A closed account was renamed if its permanent id lives on under another handle, or if the register of bodies,
-- which names one account per body, names another one in its next snapshot.
renamed as (
  select
    closed.authority_code,
    closed.platform,
    closed.handle,
    closed.period
  from numbered as closed
  join numbered as later
    on later.authority_code = closed.authority_code
    and later.platform = closed.platform
    and later.account_id = closed.account_id
    and later.handle <> closed.handle
    and coalesce(later.valid_to, date '9999-12-31') > closed.valid_to
  union
  select
    closed.authority_code,
    closed.platform,
    closed.handle,
    closed.period
  from numbered as closed
  join model.official_account_version as next
    on next.source = closed.source
    and next.authority_code = closed.listed_authority_code
    and next.platform = closed.platform
    and next.handle <> closed.handle
    and next.first_seen_on = cast(closed.valid_to + interval 1 day as date)
  where closed.source = 'digital_land_authorities'
)

select
  numbered.source,
  numbered.authority_code,
  numbered.listed_authority_code,
  numbered.platform,
  numbered.handle,
  numbered.period,
  numbered.account_id,
  numbered.valid_from,
  numbered.valid_to,
  numbered.first_seen_on,
  numbered.evidence_url,
  numbered.checked_on,
  numbered.successors,
  numbered.is_still_listed,
  case
    when numbered.is_dissolved then 'dissolved'
    when numbered.is_inherited then 'inherited'
    when numbered.valid_to is null then 'active'
    when renamed.handle is not null then 'renamed'
    else 'ended'
  end as status
from numbered
left join renamed
  on renamed.authority_code = numbered.authority_code
  and renamed.platform = numbered.platform
  and renamed.handle = numbered.handle
  and renamed.period = numbered.period
