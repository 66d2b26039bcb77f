import js from '@eslint/js';
import { importX } from 'eslint-plugin-import-x';
import reactHooks from 'eslint-plugin-react-hooks';
import globals from 'globals';
import tseslint from 'typescript-eslint';

const protocols = ['workers/protocol.ts', 'workers/weights-protocol.ts', 'workers/scores-protocol.ts'];
/** `mayImport.a` lists the folders that a may import; a folder may always import itself. docs/architecture.md draws it. */
const mayImport = {
  'src/align': [],
  'src/batch': ['src/align'],
  'src/convert': ['src/align'],
  'src/engines': ['src/align', 'src/convert'],
  'src/datasets': ['src/align', 'src/batch'],
  'src/evaluation': ['src/align', 'src/batch'],
  'src/weights': ['src/align', 'src/convert'],
  'workers/protocol.ts': ['src/align'],
  'workers/weights-protocol.ts': ['src/align', 'src/weights'],
  'workers/scores-protocol.ts': [],
  'workers/engine.worker.ts': ['src/align', 'src/convert', 'src/engines', 'src/weights', 'workers'],
  'workers/rows.worker.ts': ['src/align', 'src/batch', 'workers'],
  'workers/evaluation.worker.ts': ['src/align', 'workers'],
  'workers/evaluate-files.ts': ['src/align', 'src/batch', 'src/evaluation', 'workers'],
  'workers/parse-rows.ts': ['src/align', 'src/batch'],
  'workers/offline.worker.ts': [],
  'src/history': ['src/align'],
  'src/share': ['src/align'],
  'src/offline': [],
  'src/worker-client': [
    'src/align',
    'src/batch',
    'src/convert',
    ...protocols,
    'workers/rows.worker.ts',
    'workers/evaluation.worker.ts',
    'workers/evaluate-files.ts',
  ],
  'src/server-client': ['src/align', 'src/engines', 'src/worker-client', ...protocols],
  'src/state': [
    'src/align',
    'src/batch',
    'src/datasets',
    'src/evaluation',
    'src/history',
    'src/offline',
    'src/server-client',
    'src/share',
    'src/worker-client',
    ...protocols,
  ],
  'src/components': ['src/align', 'src/batch', 'src/state', 'src/worker-client', ...protocols],
  'src/pages': [
    'src/align',
    'src/batch',
    'src/components',
    'src/datasets',
    'src/evaluation',
    'src/history',
    'src/share',
    'src/state',
    'src/worker-client',
    ...protocols,
  ],
  server: ['src/align', 'src/batch', 'src/convert', 'src/engines', 'src/weights'],
  cli: [
    'src/align',
    'src/batch',
    'src/convert',
    'src/datasets',
    'src/engines',
    'src/evaluation',
    'src/weights',
    'server',
  ],
};
const folders = [...Object.keys(mayImport), 'src/main.tsx', 'e2e', 'scripts'];
const zones = Object.entries(mayImport).map(([target, allowed]) => ({
  target: `./${target}`,
  from: folders
    .filter((folder) => folder !== target && !allowed.some((name) => folder === name || folder.startsWith(`${name}/`)))
    .map((folder) => `./${folder}`),
  message: `${target} may import ${allowed.join(', ') || 'nothing of ours'} only (docs/architecture.md).`,
}));

export default tseslint.config(
  {
    ignores: [
      'dist',
      'dist-cli',
      'src/engines/wasm-kernels',
      'models',
      '.cache',
      'node_modules',
      'test-results',
      'playwright-report',
    ],
  },
  js.configs.recommended,
  tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      globals: { ...globals.browser, ...globals.node },
      parserOptions: { project: './tsconfig.node.json', tsconfigRootDir: import.meta.dirname },
    },
  },
  {
    files: ['**/*.{ts,tsx}'],
    ignores: ['**/*.test.ts', '**/*.test.tsx', '**/*.contract.ts', '**/*.fixture.ts'],
    plugins: { 'import-x': importX },
    rules: { 'import-x/no-restricted-paths': ['error', { zones }] },
  },
  { files: ['**/*.tsx', 'src/state/**'], ...reactHooks.configs.flat.recommended },
  {
    rules: {
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
    },
  },
  { files: ['**/*.{js,mjs}'], ...tseslint.configs.disableTypeChecked },
);
