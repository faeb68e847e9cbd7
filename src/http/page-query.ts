/** What a value of a query must look like. */
export type ParameterKind = 'text' | 'target' | 'versions' | 'version' | 'date';

/** One of the questions that the page may ask: its statement, the names of its values in order, and the view it stands on. */
export type PageQuery = {
  readonly text: string;
  readonly parameters: readonly (readonly [name: string, kind: ParameterKind])[];
  /** Its view need not be there; what is not there has no rows. */
  readonly optional?: true;
};

export const MODEL = ['model', 'text'] as const;
export const VERSIONS = ['versions', 'versions'] as const;
export const VERSION = ['version', 'version'] as const;
export const MONTH = ['month', 'date'] as const;
