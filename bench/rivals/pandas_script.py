"""The script that everybody writes first: fetchmany, predict, executemany."""

import time

import onnxruntime
import pandas
import psycopg

from rival import FEATURES, arguments, make_target, report

BATCH = 10_000


def main():
    args = arguments()
    session = onnxruntime.InferenceSession(args.model)
    name = session.get_inputs()[0].name
    began, rows = time.perf_counter(), 0
    with psycopg.connect(args.url) as reading, psycopg.connect(args.url) as writing:
        make_target(writing, args)
        cursor = reading.cursor(name="source")
        cursor.itersize = BATCH
        cursor.execute(f"select id, {', '.join(FEATURES)} from {args.schema}.{args.source}")
        while batch := cursor.fetchmany(BATCH):
            frame = pandas.DataFrame(batch, columns=["id", *FEATURES])
            labels, probabilities = session.run(None, {name: frame[FEATURES].to_numpy("float32")})
            scored = [(p[1], str(label), p[0], p[1]) for label, p in zip(labels, probabilities)]
            with writing.cursor() as insert:
                insert.executemany(
                    f"insert into {args.schema}.{args.target} values (%s, %s, %s, %s, %s)",
                    [(key, *row) for key, row in zip(frame["id"].tolist(), scored)],
                )
            rows += len(batch)
        writing.commit()
    report(began, rows)


main()
