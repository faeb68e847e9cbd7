import type { Operators } from '../operator.ts';
import { activations, clipping } from './activations.ts';
import { arithmetic } from './arithmetic.ts';
import { columnOperators } from './columns.ts';
import { encoders } from './encoders.ts';
import { linear, products } from './linear.ts';
import { logic } from './logic.ts';
import { normalisation } from './normalisation.ts';
import { reductions } from './reductions.ts';
import { scaling } from './scaling.ts';
import { shapes } from './shapes.ts';
import { treeEnsembles } from './tree-ensembles.ts';
import { vectorMachines } from './vector-machines.ts';

/** Every operator that is compiled, by its name: the two domains of ONNX share none. */
export const OPERATORS: Operators = {
  ...activations,
  ...arithmetic,
  ...clipping,
  ...columnOperators,
  ...encoders,
  ...linear,
  ...logic,
  ...normalisation,
  ...products,
  ...reductions,
  ...scaling,
  ...shapes,
  ...treeEnsembles,
  ...vectorMachines,
};
