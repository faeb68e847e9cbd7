/**
 * Installs what every test database holds; runs once, before the template is cloned.
 *
 * @param url the template database, as the superuser
 */
export async function prepareTemplate(_url: string): Promise<void> {}

/**
 * Repairs what CREATE DATABASE … TEMPLATE leaves behind: privileges and settings of the database itself, and anything
 * that was stored under the template's OID.
 *
 * @param url the clone, as the superuser
 */
export async function prepareClone(_url: string): Promise<void> {}
