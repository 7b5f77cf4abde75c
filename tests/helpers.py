"""What several tests share: small contracts, written as documents, and a look into every file of a folder."""

from __future__ import annotations

import gzip
import hashlib
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow.parquet as pq
import yaml

from pipelines.contract import Contract, load_contract, load_fields
from pipelines.settings import project_folder

CONTRACTS = project_folder("data_contracts")
FIELDS = load_fields(CONTRACTS / "fields.yml")
PLACE = {"source": {"layouts": [{"name": "plain"}]}, "public": {}}


def column(name: str, logical_type: str = "string", **more: Any) -> dict[str, Any]:
    """A column as a contract writes it; a number has the unit that it needs."""
    unit = {"customProperties": [{"property": "unit", "value": "things"}]}
    return {
        "name": name,
        "logicalType": logical_type,
        "classification": "safe",
        "description": f"What {name} says about a thing.",
        **(unit if logical_type in ("integer", "number") else {}),
        **more,
    }


def key(name: str, position: int, logical_type: str = "string", **more: Any) -> dict[str, Any]:
    """A column of the primary key."""
    return column(name, logical_type, primaryKey=True, primaryKeyPosition=position, **more)


def row_count(at_least: int, **more: Any) -> dict[str, Any]:
    """The rule about the least number of rows."""
    return {"metric": "rowCount", "mustBeGreaterOrEqualTo": at_least, **more}


def row_rule_quality(name: str, expression: str, severity: str = "critical") -> dict[str, Any]:
    """A rule about a whole row."""
    return {
        "type": "custom",
        "engine": "duckdb",
        "name": name,
        "implementation": expression,
        "severity": severity,
    }


def document(
    table: str, columns: Sequence[dict[str, Any]], *, quality: Sequence[dict[str, Any]] = (), **custom: Any
) -> dict[str, Any]:
    """A whole contract for `layer.name`; `custom` adds to what it says as a document's customProperties."""
    layer, name = table.split(".")
    says = {"licence": "CC-BY-4.0", "attribution": ["Nobody"], **PLACE[layer], **custom}
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": table,
        "name": "Things",
        "version": "1.2.3",
        "status": "active",
        "domain": "local-government",
        "description": {
            "purpose": "Shows what a contract can say.",
            "limitations": "Nothing in it is about anybody.",
            "usage": "In tests.",
        },
        "schema": [
            {
                "name": name,
                "physicalName": table,
                "logicalType": "object",
                "physicalType": "table",
                "dataGranularityDescription": "one row per thing",
                "properties": list(columns),
                "quality": [row_count(1), *quality],
            }
        ],
        "slaProperties": [{"property": "freshness", "value": 40, "unit": "d"}],
        "customProperties": [{"property": name, "value": value} for name, value in says.items()],
    }


def write(folder: Path, contract: dict[str, Any], *, place: str | None = None) -> Path:
    """Write a contract where its layer and name say, or at `place`."""
    path = folder / (place or f"{contract['id'].replace('.', '/')}.yml")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(contract, allow_unicode=True), encoding="utf-8")
    return path


def load(folder: Path, contract: dict[str, Any], *, place: str | None = None) -> Contract:
    """Write a contract and load it, with the columns that the project describes once."""
    return load_contract(write(folder, contract, place=place), FIELDS)


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file as it is and, where it is packed, what is in it as text."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        name = str(path.relative_to(folder))
        yield name, path.read_bytes()
        if path.suffix == ".parquet":
            table = pq.ParquetFile(path).read()
            yield name, repr((table.to_pydict(), table.schema.metadata)).encode()
        elif path.suffix == ".gz":
            yield name, gzip.decompress(path.read_bytes())
        elif path.suffix in (".zip", ".xlsx"):
            with zipfile.ZipFile(path) as archive:
                yield from ((f"{name}/{member}", archive.read(member)) for member in archive.namelist())
        elif path.suffix == ".duckdb":
            con = duckdb.connect(str(path), read_only=True)
            for schema, table_name in con.execute(
                "select schema_name, table_name from duckdb_tables()"  # views show files searched themselves
            ).fetchall():
                yield (
                    f"{name} {schema}.{table_name}",
                    repr(con.execute(f'select * from "{schema}"."{table_name}"').fetchall()).encode(),
                )
            con.close()


def resealed(folder: Path) -> None:
    """Write provenance, manifest and checksums anew, as a careless publisher would: only content is then wrong."""
    manifest = folder / "manifest.json"
    described = orjson.loads(manifest.read_bytes())
    entries = [*described["files"], *(file for dataset in described["datasets"] for file in dataset["files"])]
    paths = [entry["path"] for entry in entries]
    hashes = {path: hashlib.sha256((folder / path).read_bytes()).hexdigest() for path in paths}
    if (provenance := folder / "provenance.json").exists():
        statement = orjson.loads(provenance.read_bytes())
        subjects = sorted(set(hashes) - {"provenance.json"})
        statement["subject"] = [{"name": name, "digest": {"sha256": hashes[name]}} for name in subjects]
        provenance.write_bytes(orjson.dumps(statement))
        hashes["provenance.json"] = hashlib.sha256(provenance.read_bytes()).hexdigest()
    for entry in entries:
        entry |= {"sha256": hashes[entry["path"]], "bytes": (folder / entry["path"]).stat().st_size}
    manifest.write_bytes(orjson.dumps(described))
    (folder / "SHA256SUMS").unlink()
    present = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    names = sorted(present - {"manifest.json.minisig"})
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")
