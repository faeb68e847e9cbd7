import { connect, createServer } from 'node:net';

/** Forwards from one place to another; a place is host:port, or the path of a Unix socket. */
const [from, to] = process.argv.slice(2).map((place) => {
  const [host, port] = place.split(':');
  return port === undefined ? { path: place } : { host, port: Number(port) };
});

createServer((near) => {
  const far = connect(to);
  near.pipe(far).pipe(near);
  near.on('error', () => far.destroy());
  far.on('error', () => near.destroy());
}).listen(from, () => console.log('ready'));
