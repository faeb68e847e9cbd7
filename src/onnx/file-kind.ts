type Impostor = { magic: number[]; at?: number; what: string; remedy: string };

const EXPORT_SKLEARN = "Convert the fitted model with skl2onnx: `to_onnx(model, X[:1], options={'zipmap': False})`.";
const EXPORT_TORCH = 'Export it with `torch.onnx.export(model, example, "model.onnx", dynamo=True)`.';
const EXPORT_BOOSTER = 'Convert the fitted booster with onnxmltools (`convert_xgboost`, `convert_lightgbm`).';

/** What people hand in instead of an ONNX file, told by its first bytes. */
const IMPOSTORS: Impostor[] = [
  { magic: [0x50, 0x4b, 0x03, 0x04], what: 'a zip archive (a PyTorch checkpoint or .npz?)', remedy: EXPORT_TORCH },
  { magic: [0x80, 0x02], what: 'a Python pickle', remedy: EXPORT_SKLEARN },
  { magic: [0x80, 0x03], what: 'a Python pickle', remedy: EXPORT_SKLEARN },
  { magic: [0x80, 0x04], what: 'a Python pickle', remedy: EXPORT_SKLEARN },
  { magic: [0x80, 0x05], what: 'a Python pickle', remedy: EXPORT_SKLEARN },
  { magic: [0x1f, 0x8b], what: 'a gzip file', remedy: 'Unpack it first.' },
  { magic: [0x89, 0x48, 0x44, 0x46], what: 'an HDF5 file (Keras?)', remedy: 'Convert it with tf2onnx.' },
  { magic: [...Buffer.from('tree\n')], what: 'a LightGBM text model', remedy: EXPORT_BOOSTER },
  { magic: [...Buffer.from('CBM1')], what: 'a CatBoost model', remedy: 'Use `save_model(path, format="onnx")`.' },
  { magic: [...Buffer.from('{')], what: 'JSON (an XGBoost model?)', remedy: EXPORT_BOOSTER },
  { magic: [...Buffer.from('<!')], what: 'an HTML page (a failed download?)', remedy: 'Download the file again.' },
  { magic: [...Buffer.from('<html')], what: 'an HTML page (a failed download?)', remedy: 'Download the file again.' },
  { magic: [...Buffer.from('<')], what: 'XML (a PMML model?)', remedy: EXPORT_SKLEARN },
  {
    magic: [...Buffer.from('version https://git-lfs')],
    what: 'a Git LFS pointer',
    remedy: 'Fetch it: `git lfs pull`.',
  },
  {
    // ONNX Runtime loads this format too, past every check of the protobuf.
    magic: [...Buffer.from('ORTM')],
    at: 4,
    what: "ONNX Runtime's own .ort format",
    remedy: 'Deploy the .onnx file that it was made from.',
  },
];

/** The kind of a file that is plainly something other than ONNX, or undefined. */
export function impostorOf(bytes: Uint8Array): { what: string; remedy: string } | undefined {
  return IMPOSTORS.find(({ magic, at = 0 }) => magic.every((byte, i) => bytes[at + i] === byte));
}
