export type Login = { readonly user: string; readonly password: string };

/** The URL of another database on the same server, for the same login or another. */
export function databaseUrl(serverUrl: string, database: string, login?: Login): string {
  const url = new URL(serverUrl);
  url.pathname = `/${encodeURIComponent(database)}`;
  if (login !== undefined) {
    url.username = encodeURIComponent(login.user);
    url.password = encodeURIComponent(login.password);
  }
  return url.href;
}
