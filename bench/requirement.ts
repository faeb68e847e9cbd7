/** Something that is asked of pgscore; `met` is null where it was not measured. */
export type Requirement = { readonly what: string; readonly measured: string; readonly met: boolean | null };
