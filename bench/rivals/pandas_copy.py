"""The same script after somebody learned of COPY for the write."""

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
        with writing.cursor().copy(f"copy {args.schema}.{args.target} from stdin") as copy:
            while batch := cursor.fetchmany(BATCH):
                frame = pandas.DataFrame(batch, columns=["id", *FEATURES])
                labels, probabilities = session.run(None, {name: frame[FEATURES].to_numpy("float32")})
                for key, label, p in zip(frame["id"].tolist(), labels, probabilities):
                    copy.write_row((key, p[1], str(label), p[0], p[1]))
                rows += len(batch)
        writing.commit()
    report(began, rows)


main()
