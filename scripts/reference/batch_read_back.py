"""Reads a batch's output with pandas and compares it, row for row, with its input and its journal.

    python scripts/reference/batch_read_back.py INPUT.csv OUTPUT.csv [QUERIES.csv]      # needs pandas

The reference's evaluation reads its files like this. Columns of the input: query, goldens (where there are any) and
generated_text; QUERIES is the run's --query-file.
"""

import json
import sys
from pathlib import Path

import pandas


def read(path: Path) -> pandas.DataFrame:
    # `NA` and `None` are text.
    return pandas.read_csv(path, keep_default_na=False, dtype=str)


def main(input_path: Path, output_path: Path, queries_path: Path | None = None) -> None:
    given, written = read(input_path), read(output_path)
    if queries_path is not None:
        given["query"] = read(queries_path)["query"]
    assert list(written.columns) == ["query", "goldens", "origin_responses", "aligned_responses"], written.columns
    assert len(given) == len(written), f"{len(given)} rows in, {len(written)} rows out"
    edits = [""] * len(given)
    failed = 0
    journal = output_path.with_name(f"{output_path.stem}.journal.jsonl")
    for line in journal.read_text(encoding="utf-8").split("\n")[1:]:
        if line:
            result = json.loads(line)
            edits[result["row"]] = result.get("edit", "")
            failed += "error" in result
    wanted = {
        "query": given["query"],
        "goldens": given.get("goldens", pandas.Series([""] * len(given))),
        "origin_responses": given["generated_text"],
        "aligned_responses": pandas.Series(edits),
    }
    for name, column in wanted.items():
        differing = [i for i, (a, b) in enumerate(zip(column, written[name], strict=True)) if a != b]
        assert not differing, f"{name} differs in rows {differing[:10]} of {len(differing)}"
    print(f"{output_path.name}: {len(given)} rows equal, {failed} of them without an edit")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
