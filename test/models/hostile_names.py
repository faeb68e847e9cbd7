"""Names: missing, contradicting, or written to break out of the SQL that is made from them."""

import onnx
from onnx import TensorProto, helper

from feature_names import FEATURES_KEY
from hostile import NAMES, WIDTH, Hostile, hostile, model, row_sum, score

INJECTIONS = ['a"; drop table flights; --', "b'); select pg_sleep(60); --", 'c$$; end', 'd\n\te', 'x' * 200]
LABELS = ["no'); drop table flights; --", 'yes" $$ \\']


def named(names) -> onnx.ModelProto:
    return model([row_sum('X', 'score')], names=names)


def raw_metadata(text: str) -> onnx.ModelProto:
    built = named(None)
    built.metadata_props.add(key=FEATURES_KEY, value=text)
    return built


def classifier(labels: list[str]) -> onnx.ModelProto:
    node = helper.make_node(
        'LinearClassifier',
        ['X'],
        ['label', 'probabilities'],
        domain='ai.onnx.ml',
        classlabels_strings=labels,
        coefficients=[-1.0] * WIDTH + [1.0] * WIDTH,
        intercepts=[0.0, 0.0],
        post_transform='LOGISTIC',
    )
    outputs = [score('label', (None,), TensorProto.STRING), score('probabilities', (None, 2))]
    return model([node], outputs=outputs)


def input_columns(names: list[str]) -> onnx.ModelProto:
    """One input a column; the score is their sum."""
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in names]
    return model([helper.make_node('Sum', names, ['score'])], inputs=inputs, names=None)


def cases() -> list[Hostile]:
    return [
        hostile(
            'no_feature_names', 'a matrix of 5 whose columns have no names', named(None), options={'features': NAMES}
        ),
        hostile('too_few_names', 'four names for five columns', named(NAMES[:4])),
        hostile('repeated_names', 'one name twice', named(['a', 'b', 'c', 'd', 'a'])),
        hostile('empty_name', 'a feature whose name is empty', named(['a', 'b', 'c', 'd', ''])),
        hostile('names_not_json', 'feature names that are not JSON', raw_metadata('a,b,c,d,e')),
        hostile(
            'names_not_text', 'feature names that are numbers and objects', raw_metadata('[1, 2, {"a": 3}, null, []]')
        ),
        hostile(
            'nul_in_name', 'a zero byte in a name, which PostgreSQL can not store', named(['a\0', 'b', 'c', 'd', 'e'])
        ),
        hostile('sql_in_names', 'feature names written to break out of quotes', named(INJECTIONS), usable=True),
        hostile('sql_in_inputs', 'input names written to break out of quotes', input_columns(INJECTIONS), usable=True),
        hostile('sql_in_labels', 'class labels written to break out of quotes', classifier(LABELS), usable=True),
        hostile('nul_in_label', 'a zero byte in a class label', classifier(['no\0', 'yes'])),
        hostile('repeated_labels', 'two classes of one name', classifier(['same', 'same'])),
    ]
