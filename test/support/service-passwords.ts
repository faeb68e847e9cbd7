/** What the roles of the service log in with in every test database. */
export const SERVICE_PASSWORD = 'service';
export const READER_PASSWORD = 'reader';
