import pg from 'pg';

/** A date is a day and no instant: as a Date it would be the midnight of whatever zone this process is in. */
const DATE_OID = 1082;

/** How our clients read values off their text. */
export const TYPES: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format: 'text' | 'binary') =>
    oid === DATE_OID ? String : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
};
