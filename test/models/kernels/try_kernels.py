"""Looks for kernels of ONNX Runtime that read outside of their tensors, in nodes that pgscore lets in."""

import argparse
import collections
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cases import DOMAINS, case

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
MOST_SIGNALS = 25
WRONG = ('SIGSEGV', 'SIGBUS', 'unwritten', 'overwritten')


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('operators', nargs='*', help='all of com.microsoft unless named')
    parser.add_argument('--standard', action='store_true', help='operators of ONNX and ai.onnx.ml instead')
    parser.add_argument('--seeds', type=int, default=300)
    parser.add_argument('--minutes', type=float, default=10, help='for all operators together')
    asked = parser.parse_args()
    domains = ('', 'ai.onnx.ml') if asked.standard else ('com.microsoft',)
    known = [(domain, op) for domain in domains for op in sorted(DOMAINS[domain])]
    chosen = [one for one in known if not asked.operators or one[1] in asked.operators]
    if unknown := set(asked.operators) - {op for _, op in chosen}:
        parser.error(f'no nodes are made of {", ".join(sorted(unknown))}')
    deadline = time.monotonic() + 60 * asked.minutes
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        guard = build_guard(Path(folder))
        for index, (domain, op) in enumerate(chosen):
            share = (deadline - time.monotonic()) / (len(chosen) - index)
            seeds = let_in(domain, op, asked.seeds, Path(folder) / op)
            counts, where = run(guard, domain, op, seeds, time.monotonic() + share)
            print(f'{op}: {shown(counts, asked.seeds - len(seeds))}', flush=True)
            for result, found in where.items():
                print(f'  {result}: seeds {" ".join(map(str, found))}', flush=True)
            if any(counts[result] for result in WRONG):
                wrong.append(op)
    if wrong:
        print(f'read outside of their tensors: {", ".join(wrong)}')
    return 1 if wrong else 0


def build_guard(folder: Path) -> Path:
    library = folder / 'guard.so'
    subprocess.run(['cc', '-O2', '-fPIC', '-shared', '-fno-builtin', '-o', library, HERE / 'guard.c'], check=True)
    return library


def let_in(domain: str, op: str, count: int, folder: Path) -> list[int]:
    """Seeds whose model is not refused."""
    folder.mkdir()
    for seed in range(count):
        made = case(domain, op, seed)
        if made is not None:
            (folder / str(seed)).write_bytes(made[0])
    loader = ['--import', './test/support/register-typescript.js']
    asked = ['node', *loader, HERE / 'refuse-main.ts', folder]
    passed = subprocess.run(asked, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    return sorted(map(int, passed.stdout.split()))


def run(guard: Path, domain: str, op: str, seeds: list[int], deadline: float):
    """How often each result came, and at which seeds those that are no ordinary ones."""
    counts, where = collections.Counter(), collections.defaultdict(list)
    left = list(seeds)
    while left and time.monotonic() < deadline and sum(map(len, where.values())) < MOST_SIGNALS:
        results, ended = run_until_signal(guard, domain, op, left, deadline)
        for seed, result in zip(left, [*results, *([ended] if ended else [])], strict=False):
            counts[result] += 1
            if result not in ('valid', 'refused'):
                where[result].append(seed)
        left = left[len(results) + 1 :] if ended else []
    counts['not run'] = len(seeds) - counts.total()
    return counts, where


def run_until_signal(
    guard: Path, domain: str, op: str, seeds: list[int], deadline: float
) -> tuple[list[str], str | None]:
    """Results of the first seeds, and the signal that ended the one after them."""
    environment = os.environ | {'LD_PRELOAD': str(guard)}
    command = [sys.executable, HERE / 'run_seeds.py', domain, op]
    given = '\n'.join(map(str, seeds))
    try:
        seconds = max(1.0, deadline - time.monotonic())
        ended = subprocess.run(command, input=given, env=environment, capture_output=True, text=True, timeout=seconds)
        output, code = ended.stdout, ended.returncode
    except subprocess.TimeoutExpired as error:
        output, code = (error.stdout or b'').decode(), 0
    if code > 0:
        raise RuntimeError(f'{op} ended with {code}: {ended.stderr[-2000:]}')
    results = [line for line in output.splitlines() if not line.isdigit()]
    return results, signal.Signals(-code).name if code < 0 else None


def shown(counts: collections.Counter, stopped: int) -> str:
    signals = [f'{count} ended by {name}' for name, count in counts.items() if name.startswith('SIG')]
    ordinary = f'{counts["valid"]} valid, {counts["refused"]} refused, {stopped} stopped before'
    read = f'{counts["unwritten"]} read unwritten memory, {counts["overwritten"]} wrote outside'
    return ', '.join([ordinary, read, *signals, f'{counts["not run"]} not run'])


if __name__ == '__main__':
    sys.exit(main())
