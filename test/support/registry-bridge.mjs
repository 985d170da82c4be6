/**
 * Runs a command where the npm registry is all the network there is. To be started in a network namespace of its own:
 *
 *   unshare --net node registry-bridge.mjs <socket of a registry gateway> <command> [argument]…
 */
import { spawn, spawnSync } from 'node:child_process';
import { connect, createServer } from 'node:net';

const [socket, command, ...args] = process.argv.slice(2);
const port = 4873;

const up = spawnSync('ip', ['link', 'set', 'lo', 'up'], { stdio: 'inherit' });
if (up.status !== 0) throw new Error('the loopback interface could not be switched on');

createServer((client) => {
  const gateway = connect(socket);
  client.on('error', () => gateway.destroy());
  gateway.on('error', () => client.destroy());
  client.pipe(gateway).pipe(client);
}).listen(port, '127.0.0.1', () => {
  const registry = `http://127.0.0.1:${port}/`;
  // Where the registry's answers name another host for tarballs, npm asks this one for them all the same.
  const env = { ...process.env, npm_config_registry: registry, npm_config_replace_registry_host: 'always' };
  spawn(command, args, { stdio: 'inherit', env }).on('close', (code) => process.exit(code ?? 1));
});
