"""Files that are no ONNX model, or only a part of one."""

import random

import onnx

from hostile import Hostile, hostile, sound

LFS_POINTER = b'version https://git-lfs.github.com/spec/v1\noid sha256:' + b'5e' * 32 + b'\nsize 387488\n'
ERROR_PAGE = b'<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body>Not Found</body></html>\n'


def without_graph() -> onnx.ModelProto:
    bare = sound()
    bare.ClearField('graph')
    return bare


def cases() -> list[Hostile]:
    whole = sound().SerializeToString()
    return [
        Hostile('empty.onnx', 'no bytes at all', b''),
        Hostile('garbage.onnx', 'random bytes', random.Random(7).randbytes(512)),
        Hostile('truncated.onnx', 'the first half of a sound model', whole[: len(whole) // 2]),
        Hostile(
            'trailing_garbage.onnx', 'a sound model with random bytes behind it', whole + random.Random(7).randbytes(64)
        ),
        Hostile('lfs_pointer.onnx', 'the pointer that Git LFS leaves where the file was not fetched', LFS_POINTER),
        Hostile('error_page.onnx', 'an HTML page saved by a failed download', ERROR_PAGE),
        Hostile('zip.onnx', 'a zip archive', b'PK\x03\x04' + bytes(26)),
        Hostile('pickle.onnx', 'a Python pickle', b'\x80\x04\x95' + bytes(8) + b'\x8c\x08sklearn.'),
        hostile('no_graph', 'a model without a graph', without_graph()),
    ]
