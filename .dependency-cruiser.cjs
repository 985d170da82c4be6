/** The directions of imports, as ARCHITECTURE.md draws them: what is not allowed here is an error. */
const rooms = {
  'lib/errors': [],
  'lib/artifact': ['lib/errors'],
  'lib/cost': ['lib/artifact/manifest'],
  'lib/protocol': ['lib/errors', 'lib/artifact/manifest', 'lib/artifact/task'],
  'lib/tasks': ['lib/errors', 'lib/artifact/manifest', 'lib/artifact/task'],
  'lib/compiler/formats': ['lib/errors'],
  'lib/compiler/ir': ['lib/errors', 'lib/compiler/formats'],
  'lib/compiler/runtime': [
    'lib/errors',
    'lib/artifact/manifest',
    'lib/artifact/onnxruntime-package',
    'lib/compiler/formats',
    'lib/compiler/ir',
  ],
  'lib/compiler/passes': ['lib/errors', 'lib/compiler/ir', 'lib/compiler/runtime'],
  'lib/compiler/readers': ['lib/errors', 'lib/compiler/formats', 'lib/compiler/ir', 'lib/compiler/passes'],
  'lib/compiler/build': ['lib/errors', 'lib/artifact', 'lib/compiler'],
  'lib/constructs': ['lib/errors', 'lib/artifact'],
  'lib/local': ['lib/errors', 'lib/artifact', 'lib/protocol'],
  'lib/cli': ['lib/errors', 'lib/artifact', 'lib/compiler', 'lib/local'],
  'lib/index': ['lib/errors', 'lib/artifact', 'lib/constructs'],
  functions: [
    'lib/errors',
    'lib/artifact/manifest',
    'lib/artifact/task',
    'lib/artifact/function-metrics',
    'lib/protocol',
    'lib/tasks',
  ],
  layers: [],
  bin: ['lib/index', 'layers', 'functions/build'],
};

const pattern = (room) => `^${room}([./]|$)`;

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-unlisted-packages',
      comment: 'A package that is imported and not in package.json works by luck.',
      severity: 'error',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'published-code-needs-dependencies',
      severity: 'error',
      from: { path: '^lib/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm-peer', 'type-only'] },
    },
    {
      name: 'every-file-has-a-room',
      severity: 'error',
      from: { path: '.*', pathNot: Object.keys(rooms).map(pattern) },
      to: {},
    },
    ...Object.entries(rooms).map(([room, allowed]) => ({
      name: `from ${room}`,
      severity: 'error',
      from: { path: pattern(room) },
      to: { path: '^(lib|functions|layers|bin|bench|test)/', pathNot: [room, ...allowed].map(pattern) },
    })),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.mjs', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'types'],
    },
  },
};
