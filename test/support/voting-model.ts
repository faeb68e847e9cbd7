import { classifier } from './tree-models.ts';

/** Ten trees, each of which votes for class 1 where a is above its threshold, 0 to 9. At 4.5 the votes are a tie. */
export function votingModel(trees = 10): Uint8Array {
  const all = Array.from({ length: trees }, (_, tree) => tree);
  return classifier(2, {
    post_transform: 'NONE',
    nodes_treeids: all.flatMap((tree) => [tree, tree, tree]),
    nodes_nodeids: all.flatMap(() => [0, 1, 2]),
    nodes_modes: all.flatMap(() => ['BRANCH_LEQ', 'LEAF', 'LEAF']),
    nodes_featureids: all.flatMap(() => [0, 0, 0]),
    nodes_values: all.flatMap((tree) => [tree, 0, 0]),
    nodes_truenodeids: all.flatMap(() => [1, 0, 0]),
    nodes_falsenodeids: all.flatMap(() => [2, 0, 0]),
    class_treeids: all.flatMap((tree) => [tree, tree]),
    class_nodeids: all.flatMap(() => [1, 2]),
    class_ids: all.flatMap(() => [0, 0]),
    class_weights: all.flatMap(() => [0, 1 / trees]),
  });
}
