/** Told in one sentence what the embedded server did that its user may want to know, such as adding a system user. */
export type Notice = (message: string) => void;
