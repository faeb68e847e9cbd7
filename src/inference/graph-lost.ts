/** What computed a graph is gone, which says nothing of the rows. */
export class GraphLost extends Error {}
