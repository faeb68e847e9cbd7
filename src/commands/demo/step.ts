/** One thing that happens in the demo: who does it, what it is for, and the SQL. */
export type Step = {
  readonly who: 'dana' | 'ana';
  readonly say: string;
  readonly sql: string;
  /** A model file of demo/models whose bytes are the statement's one parameter. */
  readonly file?: string;
  /** The statement returns a run, to be followed with a progress bar until it ends. */
  readonly run?: true;
  /** The statement asks for the accuracy of this model: its labels are to be counted first. */
  readonly accuracyOf?: string;
  /** The statement asks for what the service finds out in the background: wait until this returns a row. */
  readonly after?: string;
  /** The statement is refused, which is the point. */
  readonly refused?: true;
};
