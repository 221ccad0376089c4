"""Records what other engines answer: reads pairs from standard input, one JSON object a line with "engine" and "theirs",
writes them with "lines", the rows as text. `cargo test --test from_others -- --ignored` shows how it is called."""

import datetime
import json
import math
import sys


def cell(value):
    if value is None or str(value) in ("nan", "NaT", "<NA>"):
        return ""
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return str(value).lower()
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return str(value)


def rows_of_polars(answer):
    import polars as pl

    if isinstance(answer, pl.LazyFrame):
        answer = answer.collect()
    if isinstance(answer, pl.Series):
        answer = answer.to_frame()
    return answer.rows() if isinstance(answer, pl.DataFrame) else [(answer,)]


def rows_of_dask(answer):
    import pandas as pd

    if hasattr(answer, "compute"):
        answer = answer.compute()
    if isinstance(answer, pd.Series):
        answer = answer.to_frame(answer.name or "value")
    if not isinstance(answer, pd.DataFrame):
        return [(answer,)]
    if any(name is not None for name in answer.index.names):
        answer = answer.reset_index()
    return [tuple(row) for row in answer.itertuples(index=False)]


def main():
    import dask.dataframe as dd
    import duckdb
    from dask import config as dask_config
    import pandas as pd
    import polars as pl

    polars = {name: pl.read_csv(f"testdata/{name}.csv", try_parse_dates=True) for name in ("trips", "cities")}
    polars |= {"pl": pl, "lists": pl.DataFrame({"n": [1, 2, 3], "l": [[10, 20], [], None]})}
    dask = {"trips": dd.read_csv("testdata/trips.csv", parse_dates=["day"]), "cities": dd.read_csv("testdata/cities.csv")}
    lists = pd.DataFrame({"n": [1, 2, 3], "l": [[10, 20], [], None]})
    dask_config.set({"dataframe.convert-string": False})
    dask |= {"dd": dd, "pd": pd, "lists": dd.from_pandas(lists, npartitions=1)}
    duck = duckdb.connect()
    for name in ("trips", "cities"):
        duck.execute(f"CREATE TABLE {name} AS FROM 'testdata/{name}.csv'")
    duck.execute("CREATE TABLE lists AS FROM (VALUES (1, [10, 20]), (2, []), (3, NULL)) t(n, l)")
    wrong = []
    for line in sys.stdin:
        pair = json.loads(line)
        try:
            match pair["engine"]:
                case "polars":
                    rows = rows_of_polars(eval(pair["theirs"], dict(polars)))
                case "dask":
                    rows = rows_of_dask(eval(pair["theirs"], dict(dask)))
                case _:
                    rows = duck.execute(pair["theirs"]).fetchall()
        except Exception as error:
            wrong.append(f"{pair['theirs']}: {error!r}")
            continue
        pair["lines"] = ["|".join(cell(value) for value in row) for row in rows]
        print(json.dumps(pair, ensure_ascii=False))
    if wrong:
        sys.exit("\n".join(wrong))


main()
