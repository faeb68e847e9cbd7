"""What the rivals share: arguments in, the table they fill, one line of JSON out."""

import argparse
import json
import time

FEATURES = [f"f{n}" for n in range(20)]


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--schema", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--cores", type=int, default=1)
    return parser.parse_args()


def make_target(connection, args, key="bigint primary key"):
    """The columns of a prediction as pgscore keeps it, without its book-keeping: run, generation, times, errors."""
    connection.execute(f"drop table if exists {args.schema}.{args.target}")
    connection.execute(
        f"create table {args.schema}.{args.target} "
        f"(id {key}, score double precision, label text, probability_0 double precision, probability_1 double precision)"
    )


def report(began, rows):
    print(json.dumps({"rows": rows, "seconds": time.perf_counter() - began}))
