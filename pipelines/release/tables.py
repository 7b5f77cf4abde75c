"""Writing a dataset's files: Parquet as readers want it, and CSV beside it.

Belongs here: the writer settings. Does not belong here: which datasets there are, and everything around them.
"""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from pipelines.contract import Contract, to_arrow

ROW_GROUP_ROWS = 245_760  # a multiple of DuckDB's vector size; one authority is then found in few requests
LOOK_UP_DISTINCT = 4_096  # UK authorities that ever were, with room


def read_table(con: duckdb.DuckDBPyConnection, contract: Contract) -> pa.Table:
    """A public table as Arrow, in the contract's column order, sorted by its key."""
    columns = ", ".join(f'"{column.name}"' for column in contract.columns)
    order = ", ".join(f'"{name}"' for name in contract.key)
    relation = con.sql(f"select {columns} from {contract.table} order by {order}")
    return relation.to_arrow_table().cast(to_arrow(contract))


def write_parquet(table: pa.Table, contract: Contract, path: Path) -> None:
    """Write Parquet: zstd 3, page index, bloom filter on the look-up key, delta encoding for days and times.

    The same table gives the same bytes. Counts are dictionary-encoded, since most of them are small.
    """
    times = [c.name for c in contract.columns if c.type in ("date", "timestamp")]
    dictionary = [c.name for c in contract.columns if c.type in ("string", "integer")]
    look_up = contract.key[0]
    pq.write_table(
        table,
        path,
        row_group_size=ROW_GROUP_ROWS,
        compression="zstd",
        compression_level=3,
        use_dictionary=dictionary,
        column_encoding=dict.fromkeys(times, "DELTA_BINARY_PACKED"),
        write_page_index=True,
        bloom_filter_options={look_up: {"ndv": LOOK_UP_DISTINCT, "fpp": 0.01}},
        sorting_columns=pq.SortingColumn.from_ordering(
            table.schema, [(name, "ascending") for name in contract.key], null_placement="at_end"
        ),
    )


def write_csv(table: pa.Table, path: Path) -> None:
    """Write gzipped CSV in UTF-8 with a header; without a time in the gzip header, so bytes repeat."""
    out = io.BytesIO()
    pyarrow.csv.write_csv(table, out, pyarrow.csv.WriteOptions(include_header=True, quoting_style="needed"))
    path.write_bytes(gzip.compress(out.getvalue(), mtime=0))
