"""Names the columns of a matrix input inside the ONNX file, where pgscore looks for them."""

import json

import onnx

FEATURES_KEY = 'pgscore.features'


def name_features(model: onnx.ModelProto, names: list[str]) -> None:
    model.metadata_props.add(key=FEATURES_KEY, value=json.dumps(names))


def has_feature_names(model: onnx.ModelProto) -> bool:
    return any(entry.key == FEATURES_KEY for entry in model.metadata_props)
