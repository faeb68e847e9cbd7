"""Writes hostile/: models that must not pass a deploy, and hostile.json, which says what is wrong with each."""

import json

import hostile_bytes
import hostile_graphs
import hostile_names
import hostile_nesting
import hostile_outputs
import hostile_storage
import hostile_trees
from paths import TEST_MODELS

TOPICS = [
    hostile_bytes,
    hostile_storage,
    hostile_graphs,
    hostile_nesting,
    hostile_outputs,
    hostile_names,
    hostile_trees,
]


def main() -> None:
    folder = TEST_MODELS / 'hostile'
    folder.mkdir(exist_ok=True)
    manifest = {}
    for case in (case for topic in TOPICS for case in topic.cases()):
        (folder / case.file).write_bytes(case.content)
        manifest[case.file] = {'wrong': case.wrong, 'outcome': case.outcome} | (
            {'options': case.options} if case.options else {}
        )
    (folder / 'hostile.json').write_text(json.dumps(manifest, indent=2) + '\n')


if __name__ == '__main__':
    main()
