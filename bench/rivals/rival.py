"""What the rivals share: arguments in, one line of JSON out."""

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


def report(began, rows):
    print(json.dumps({"rows": rows, "seconds": time.perf_counter() - began}))
