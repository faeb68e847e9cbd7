import { connect, createServer } from 'node:net';

const [host, port, toHost, toPort] = process.argv.slice(2);

createServer((from) => {
  const to = connect(Number(toPort), toHost);
  from.pipe(to).pipe(from);
  from.on('error', () => to.destroy());
  to.on('error', () => from.destroy());
}).listen(Number(port), host, () => console.log('ready'));
