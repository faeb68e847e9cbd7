"""Makes the corpus again: each model, rows with its framework's answers, and the manifest, corpus.json."""

import json
import shutil
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
warnings.filterwarnings('ignore')

import pandas as pd  # noqa: E402
from gzipped import write_csv  # noqa: E402

import anomalies  # noqa: E402
import boosting  # noqa: E402
import clusters  # noqa: E402
import from_docs  # noqa: E402
import keras_nets  # noqa: E402
import linear  # noqa: E402
import margins  # noqa: E402
import network_arrays  # noqa: E402
import networks  # noqa: E402
import outputs  # noqa: E402
import pipelines  # noqa: E402
import quantised  # noqa: E402
import trees  # noqa: E402
from case import Case, difference, expected  # noqa: E402

MAKERS = [
    *(linear, trees, pipelines, outputs, boosting),
    *(networks, network_arrays, keras_nets, margins, clusters, anomalies),
    *(quantised, from_docs),
]


def entry(case: Case, answers: pd.DataFrame) -> dict:
    return {
        'name': case.name,
        'framework': case.framework,
        'exporter': case.exporter,
        'estimator': case.estimator,
        'export': case.export,
        'kind': case.kind,
        'features': [{'name': name, 'type': sql} for name, sql in case.types.items()],
        'names': case.names,
        'expected': list(answers),
        'deploy': {**options(case), **case.deploy},
        'remark': case.remark,
        'differs': case.differs,
    }


def options(case: Case) -> dict:
    """How several values a row are named at a deploy."""
    if case.kind == 'multi_target':
        return {'targets': case.names}
    if case.kind == 'quantiles':
        return {'task': 'quantiles', 'targets': case.names}
    if case.kind == 'embedding':
        return {'task': 'embedding'}
    return {'class_labels': case.names} if case.kind == 'multilabel' else {}


def keep(case: Case, folder: Path) -> dict:
    answers = expected(case)
    rows = case.rows[list(case.types)].reset_index(drop=True)
    rows.insert(0, 'id', range(1, len(rows) + 1))
    (folder / f'{case.name}.onnx').write_bytes(case.model.SerializeToString())
    write_csv(pd.concat([rows, answers], axis=1), folder / f'{case.name}.csv.gz')
    return entry(case, answers)


def main(folder: Path, wanted: set[str]) -> None:
    listed = folder / 'corpus.json'
    known = {entry['name']: entry for entry in json.loads(listed.read_text())} if wanted and listed.exists() else {}
    if not wanted:
        shutil.rmtree(folder / 'models', ignore_errors=True)
    (folder / 'models').mkdir(parents=True, exist_ok=True)
    entries, failed = [], []
    for maker in MAKERS:
        for name, make in maker.CASES.items():
            if wanted and name not in wanted:
                entries += [known[name]] if name in known else []
                continue
            try:
                case = make()
                far = 0.0 if case.broken else difference(case)
                if (far > case.tolerance) != bool(case.differs):
                    raise AssertionError(f'ONNX Runtime differs by {far:.2g}')
                entries.append(keep(case, folder / 'models'))
                print(f'{name}: {far:.2g}, {case.model.ByteSize()} bytes', flush=True)
            except Exception as problem:
                failed.append(name)
                print(f'{name}: FAILED {type(problem).__name__}: {str(problem)[:300]}', flush=True)
    listed.write_text(json.dumps(entries, indent=1, ensure_ascii=False) + '\n')
    print(f'{len(entries)} models, failed: {failed}')


if __name__ == '__main__':
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE, set(sys.argv[2:]))
