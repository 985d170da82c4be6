/**
 * Makes tensorflow_pb.ts of tensorflow.proto: `node lib/compiler/formats/tensorflow/protocol/generate.mjs`. Downloads the two programs of
 * @bufbuild that do it; their versions are those that made the file.
 */
import { execFileSync } from 'node:child_process';

const template = {
  version: 'v2',
  plugins: [{ local: 'protoc-gen-es', out: '.', opt: ['target=ts', 'import_extension=js'] }],
};
const programs = ['--package=@bufbuild/buf@1.50.0', '--package=@bufbuild/protoc-gen-es@2.17.0'];
execFileSync('npx', ['--yes', ...programs, 'buf', 'generate', '--template', JSON.stringify(template)], {
  cwd: import.meta.dirname,
  stdio: 'inherit',
});
