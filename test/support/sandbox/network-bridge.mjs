/**
 * The only things that a sandbox's network reaches: loopback ports inside it, each led by a socket file to a port outside.
 *
 *   node network-bridge.mjs <port>=<socket file>…
 *
 * Says `ready` on stdout once it listens.
 */
import { connect, createServer } from 'node:net';

let waiting = process.argv.length - 2;
for (const route of process.argv.slice(2)) {
  const [port, socket] = route.split('=');
  const server = createServer((inside) => {
    const outside = connect(socket);
    for (const [end, other] of [
      [inside, outside],
      [outside, inside],
    ]) {
      end.on('error', () => other.destroy());
      end.pipe(other);
    }
  });
  server.listen(Number(port), '127.0.0.1', () => {
    waiting -= 1;
    if (waiting === 0) process.stdout.write('ready\n');
  });
}
