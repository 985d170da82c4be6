/**
 * An execution environment as on Lambda, for a local host that believes it starts a runtime client: the function sees /var/task and
 * /opt read-only, /tmp of its own on a disk of its size, its memory and its share of the CPU, a user without rights, and a network
 * whose loopback leads to the Runtime API, and to S3 where there is one, and to nothing else.
 *
 *   node enter.mjs '{"node": …, "runtime": …, "storageMiB": 512}'
 *
 * The environment's variables come as the local host sets them, with this machine's paths, and are written back to Lambda's.
 * Needs root for the groups and the mount; all but the groups' folders vanishes with the processes.
 */
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { dirname, join } from 'node:path';

/** @typedef {{ command: string[], files: [string, string][] }} Program */
/** @type {{ node: string, runtime: string, storageMiB: number, emulator?: Program, client?: Program }} */
const options = JSON.parse(process.argv[2]);
const { env } = process;
const USER = { uid: 993, gid: 990 };
/** Lambda gives one vCPU per this much memory. */
const MIB_PER_CPU = 1769;
const CPU_PERIOD_US = 20_000;
const RUNTIME_API_PORT = 9001;
const S3_PORT = 9002;

const memoryMiB = Number(env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE);
const optFolder = dirname(dirname(env.NODE_PATH.split(':').find((path) => path.endsWith('/nodejs/node_modules'))));
const task = env.LAMBDA_TASK_ROOT;
// Short: a socket's path has 107 characters at most.
const folder = join('/tmp', `cdk-onnx-sandbox-${process.pid}`);
mkdirSync(folder);

const groups = ['memory', 'cpu'].map((controller) => `/sys/fs/cgroup/${controller}/cdk-onnx-sandbox-${process.pid}`);
for (const group of groups) mkdirSync(group);
const [memoryGroup, cpuGroup] = groups;
writeFileSync(join(memoryGroup, 'memory.limit_in_bytes'), String(memoryMiB * 1024 * 1024));
writeFileSync(join(cpuGroup, 'cpu.cfs_period_us'), String(CPU_PERIOD_US));
writeFileSync(join(cpuGroup, 'cpu.cfs_quota_us'), String(Math.round((CPU_PERIOD_US * memoryMiB) / MIB_PER_CPU)));

/** `host:port` outside, by port inside. */
const routes = new Map([[RUNTIME_API_PORT, env.AWS_LAMBDA_RUNTIME_API]]);
const s3 = env.AWS_ENDPOINT_URL_S3;
if (s3) routes.set(S3_PORT, new URL(s3).host);
const bridges = [];
for (const [port, outside] of routes) {
  const socket = join(folder, `${port}.socket`);
  const [hostname, outsidePort] = outside.split(':');
  const server = createServer((inside) => {
    const end = connect(Number(outsidePort), hostname);
    for (const [one, other] of [
      [inside, end],
      [end, inside],
    ]) {
      one.on('error', () => other.destroy());
      one.pipe(other);
    }
  });
  await new Promise((resolve) => server.listen(socket, resolve));
  bridges.push(`${port}=${socket}`);
}

/** Paths of this machine as the function knows them. */
const inside = (value) => value.replaceAll(optFolder, '/opt').replaceAll(task, '/var/task');
const variables = {
  ...Object.fromEntries(Object.entries(env).map(([name, value]) => [name, inside(value)])),
  PATH: '/var/lang/bin:/usr/bin:/bin',
  HOME: '/home/sbx_user1051',
  LAMBDA_TASK_ROOT: '/var/task',
  LAMBDA_RUNTIME_DIR: '/var/runtime',
  AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${RUNTIME_API_PORT}`,
  TZ: ':UTC',
};
delete variables.TMPDIR;
if (s3) variables.AWS_ENDPOINT_URL_S3 = `http://127.0.0.1:${S3_PORT}`;

const passwd = join(folder, 'passwd');
writeFileSync(passwd, `sbx_user1051:x:${USER.uid}:${USER.gid}::/home/sbx_user1051:/sbin/nologin\n`);
const resolver = join(folder, 'resolv.conf');
writeFileSync(resolver, 'nameserver 127.0.0.1\n');
const readOnly = [
  [task, '/var/task'],
  [optFolder, '/opt'],
  [options.runtime, '/var/runtime'],
  [options.node, '/var/lang/bin/node'],
  ['/usr/lib', '/usr/lib'],
  ...['/lib', '/lib64', '/usr/lib64'].filter(existsSync).map((path) => [path, path]),
  [passwd, '/etc/passwd'],
  [resolver, '/etc/resolv.conf'],
  ...(options.emulator?.files ?? []),
  ...(options.client?.files ?? []),
];
const client = options.client?.command ?? ['/var/lang/bin/node', '/var/runtime/index.mjs'];
const disk = join(folder, 'disk');
const storage = join(folder, 'tmp');
mkdirSync(storage);
const bubblewrap = [
  '--die-with-parent',
  '--clearenv',
  ...Object.entries(variables).flatMap(([name, value]) => ['--setenv', name, value]),
  ...['--proc', '/proc', '--dev', '/dev', '--bind', storage, '/tmp', '--chdir', '/var/task'],
  ...readOnly.flatMap(([from, to]) => ['--ro-bind', from, to]),
  ...['--unshare-user', '--unshare-pid', '--unshare-ipc', '--unshare-uts'],
  ...['--uid', String(USER.uid), '--gid', String(USER.gid)],
  ...['--remount-ro', '/dev', '--remount-ro', '/', '--'],
  ...[...(options.emulator?.command ?? []), ...client, variables._HANDLER],
];

/** In namespaces of its own: the mount and the bridge end with them. */
const setUp = `
set -e
ip link set lo up
truncate -s ${options.storageMiB}M "$DISK"
mkfs.ext4 -q -F -m 0 -O ^has_journal "$DISK"
mount -o loop "$DISK" "$STORAGE"
rmdir "$STORAGE/lost+found"
chmod 1777 "$STORAGE"
mkfifo "$FOLDER/ready"
"$TOOLCHAIN" "$BRIDGE" ${bridges.map((bridge) => `'${bridge}'`).join(' ')} > "$FOLDER/ready" &
read -r ready < "$FOLDER/ready"
echo $$ > ${memoryGroup}/tasks
echo $$ > ${cpuGroup}/tasks
exec bwrap "$@"
`;
chmodSync(folder, 0o755);
const child = spawn('unshare', ['--net', '--mount', '--', 'sh', '-c', setUp, 'sh', ...bubblewrap], {
  stdio: ['ignore', 'inherit', 'inherit'],
  env: {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    DISK: disk,
    STORAGE: storage,
    FOLDER: folder,
    TOOLCHAIN: process.execPath,
    BRIDGE: join(import.meta.dirname, 'network-bridge.mjs'),
  },
});
child.on('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
child.on('exit', (code, signal) => {
  rmSync(folder, { recursive: true, force: true });
  for (const group of groups) {
    try {
      rmdirSync(group);
    } catch {
      // The bridge may still be on its way out; the next sandbox's test removes what is left.
    }
  }
  process.exit(signal === null ? (code ?? 1) : 128 + 9);
});
