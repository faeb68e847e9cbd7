"""An expert's Python: one process a core over blocks of one snapshot, binary COPY into numpy and back, index afterwards."""

import multiprocessing
import time

import numpy
import onnxruntime
import psycopg

from rival import FEATURES, arguments, make_target, report

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
BATCH = 8192
END = 4_294_967_295

# No column is NULL, so every tuple has the same length.
READ = numpy.dtype(
    [("fields", ">i2"), ("id_length", ">i4"), ("id", ">i8")]
    + [part for name in FEATURES for part in ((f"{name}_length", ">i4"), (name, ">f4"))]
)
# The labels are 0 and 1, one byte each as text.
WRITTEN = numpy.dtype(
    [("fields", ">i2"), ("id_length", ">i4"), ("id", ">i8"), ("score_length", ">i4"), ("score", ">f8")]
    + [("label_length", ">i4"), ("label", "u1")]
    + [part for name in ("p0", "p1") for part in ((f"{name}_length", ">i4"), (name, ">f8"))]
)


def matrices(chunks):
    """Whole tuples as arrays of BATCH rows, from chunks cut anywhere."""
    buffer = bytearray()
    skip = len(HEADER)
    for chunk in chunks:
        buffer += chunk
        if skip:
            del buffer[:skip]
            skip = 0
        while len(buffer) >= BATCH * READ.itemsize + len(TRAILER):
            yield numpy.frombuffer(bytes(buffer[: BATCH * READ.itemsize]), READ)
            del buffer[: BATCH * READ.itemsize]
    rest = (len(buffer) - len(TRAILER)) // READ.itemsize
    if rest:
        yield numpy.frombuffer(bytes(buffer[: rest * READ.itemsize]), READ)


def score(task):
    args, snapshot, low, high = task
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(args.model, options)
    name = session.get_inputs()[0].name
    rows = 0
    with psycopg.connect(args.url) as reading, psycopg.connect(args.url) as writing:
        reading.execute("begin isolation level repeatable read")
        reading.execute(f"set transaction snapshot '{snapshot}'")
        select = f"select id, {', '.join(FEATURES)} from {args.schema}.{args.source} where ctid >= '({low},0)' and ctid < '({high},0)'"
        with (
            reading.cursor().copy(f"copy ({select}) to stdout (format binary)") as source,
            writing.cursor().copy(f"copy {args.schema}.{args.target} from stdin (format binary)") as target,
        ):
            target.write(HEADER)
            for tuples in matrices(source):
                features = numpy.empty((len(tuples), len(FEATURES)), numpy.float32)
                for column, feature in enumerate(FEATURES):
                    features[:, column] = tuples[feature]
                labels, probabilities = session.run(None, {name: features})
                out = numpy.empty(len(tuples), WRITTEN)
                out["fields"], out["id_length"], out["label_length"] = 5, 8, 1
                out["score_length"] = out["p0_length"] = out["p1_length"] = 8
                out["id"] = tuples["id"]
                out["label"] = labels + ord("0")
                out["p0"] = probabilities[:, 0]
                out["score"] = out["p1"] = probabilities[:, 1]
                target.write(out.tobytes())
                rows += len(tuples)
            target.write(TRAILER)
    return rows


def main():
    args = arguments()
    began = time.perf_counter()
    with psycopg.connect(args.url) as owner, psycopg.connect(args.url) as exporter:
        make_target(owner, args, key="bigint not null")
        owner.commit()
        exporter.execute("begin isolation level repeatable read")
        snapshot = exporter.execute("select pg_export_snapshot()").fetchone()[0]
        blocks = exporter.execute(f"select pg_relation_size('{args.schema}.{args.source}') / 8192").fetchone()[0]
        bounds = [blocks * core // args.cores for core in range(args.cores)] + [END]
        tasks = [(args, snapshot, low, high) for low, high in zip(bounds, bounds[1:])]
        with multiprocessing.get_context("spawn").Pool(args.cores) as pool:
            rows = sum(pool.map(score, tasks))
        owner.execute(f"create unique index on {args.schema}.{args.target} (id)")
        owner.commit()
    report(began, rows)


if __name__ == "__main__":
    main()
