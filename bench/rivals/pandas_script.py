"""The script that everybody writes first: fetchmany, predict, executemany."""

import time

import onnxruntime
import pandas
import psycopg

from rival import FEATURES, arguments, report

BATCH = 10_000


def main():
    args = arguments()
    session = onnxruntime.InferenceSession(args.model)
    name = session.get_inputs()[0].name
    began, rows = time.perf_counter(), 0
    with psycopg.connect(args.url) as reading, psycopg.connect(args.url) as writing:
        writing.execute(f"create table {args.schema}.{args.target} (id bigint primary key, score double precision)")
        cursor = reading.cursor(name="source")
        cursor.itersize = BATCH
        cursor.execute(f"select id, {', '.join(FEATURES)} from {args.schema}.{args.source}")
        while batch := cursor.fetchmany(BATCH):
            frame = pandas.DataFrame(batch, columns=["id", *FEATURES])
            probabilities = session.run(None, {name: frame[FEATURES].to_numpy("float32")})[1]
            scores = [row[1] for row in probabilities]
            with writing.cursor() as insert:
                insert.executemany(
                    f"insert into {args.schema}.{args.target} values (%s, %s)", list(zip(frame["id"].tolist(), map(float, scores)))
                )
            rows += len(batch)
        writing.commit()
    report(began, rows)


main()
