-- Macros that every query may call; created for each connection, so the warehouse file stays free of them.

-- A name reduced to letters and digits, so that case, accents, hyphens, "&" and "and" agree.
create or replace temp macro name_key(name) as
  trim(regexp_replace(strip_accents(lower(replace(name, '&', ' and '))), '[^a-z0-9]+', '-', 'g'), '-');

-- Wilson score interval of a share at 95 %: E. B. Wilson, JASA 22 (1927) 209-212; z = 1.959964.
create or replace temp macro wilson_low(hits, n) as
  greatest(0.0, round(
    (hits / n + 3.841459 / (2 * n)
      - 1.959964 * sqrt(hits / n * (1 - hits / n) / n + 3.841459 / (4.0 * n * n)))
    / (1 + 3.841459 / n), 6));
create or replace temp macro wilson_high(hits, n) as
  least(1.0, round(
    (hits / n + 3.841459 / (2 * n)
      + 1.959964 * sqrt(hits / n * (1 - hits / n) / n + 3.841459 / (4.0 * n * n)))
    / (1 + 3.841459 / n), 6));

-- Functions that Spark has and DuckDB calls otherwise, under Spark's name and with its arguments.
-- A moment in UTC as the clocks of a time zone showed it; both are plain timestamps.
create or replace temp macro from_utc_timestamp(moment, zone) as timezone(zone, timezone('UTC', moment));
create or replace temp macro unix_timestamp(moment) as cast(floor(epoch(moment)) as bigint);
create or replace temp macro unix_date(day) as day - date '1970-01-01';
create or replace temp macro percentile(x, p) as quantile_cont(x, p);
create or replace temp macro add_months(day, months) as cast(day + to_months(cast(months as integer)) as date);

-- Rule D12: why a figure about councillors is withheld, null where it may be published. contributors are the
-- accounts that have any of what is measured, top_two is what the two with the most of it have together.
create or replace temp macro withheld(owner_kind, contributors, top_two, total) as
  case
    when owner_kind = 'council' then null
    when contributors < 10 then 'fewer than 10 contributing accounts'
    when 10 * top_two >= 9 * total then 'two accounts make 90 % or more'
  end;

-- A sum or mean of fractions, rounded. Its last bits depend on the order in which threads add, and a value that ends
-- in a five would fall to either side: they are cut off first, so that the same rows give the same figure.
create or replace temp macro round_sum(x, digits) as round(round(x, 10), digits);
