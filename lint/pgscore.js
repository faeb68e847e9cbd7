/** House rules that no stock linter knows. */
import { dirname, join, relative } from 'node:path';

const SRC = join(import.meta.dirname, '..', 'src');

/** A folder or file of src imports what stands in lines before its own, types too. */
const LAYERS = [
  ['errors.ts'],
  ['log.ts'],
  ['lib'],
  ['version.ts', 'option-table.ts'],
  ['config.ts'],
  ['postgres', 'server'],
  ['onnx', 'citus'],
  ['inference'],
  ['copy', 'to-sql'],
  ['monitor', 'install', 'models', 'runs', 'schedules'],
  ['check', 'watches'],
  ['scorer', 'online'],
  ['http'],
  ['service'],
  ['client'],
  ['commands'],
  ['cli.ts', 'index.ts'],
  ['page'],
];

const partOf = (file) => {
  const path = relative(SRC, file);
  return path.startsWith('..') ? undefined : path.split('/')[0];
};

const rankOf = (part) => LAYERS.findIndex((parts) => parts.includes(part));

const mayImport = (part, imported) =>
  part === imported || (part !== 'page' && rankOf(imported) >= 0 && rankOf(imported) < rankOf(part));

const importsOneWay = {
  create: (context) => {
    const file = context.filename ?? '';
    const part = partOf(file);
    if (part === undefined) return {};
    const check = ({ source }) => {
      const name = source?.value ?? '';
      if (!/^\.|^node:/.test(name) || (name.startsWith('node:') && part !== 'page')) return;
      const imported = partOf(join(dirname(file), name));
      if (name.startsWith('.') && mayImport(part, imported)) return;
      const message = `${part} does not import ${name}: see Layout in CONTRIBUTING.md.`;
      context.report({ node: source, message });
    };
    return {
      ImportDeclaration: check,
      ImportExpression: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
    };
  },
};

const isQuery = (node) =>
  node.callee.type === 'MemberExpression' &&
  node.callee.property.type === 'Identifier' &&
  (node.callee.property.name === 'query' || node.callee.property.name === 'unsafe');

const noTemplateQuery = {
  create: (context) => ({
    CallExpression(node) {
      if (!isQuery(node)) return;
      const text = node.arguments[0];
      const spliced =
        (text?.type === 'TemplateLiteral' && text.expressions.length > 0) ||
        (text?.type === 'BinaryExpression' && text.operator === '+');
      if (spliced) {
        context.report({
          node: text,
          message: 'Values are parameters; names go through ident() into a named statement.',
        });
      }
    },
  }),
};

const envOnlyInConfig = {
  create: (context) => ({
    MemberExpression(node) {
      const file = context.filename ?? '';
      if (!file.includes('/src/') || file.endsWith('/src/config.ts')) return;
      if (node.object.type === 'Identifier' && node.object.name === 'process' && node.property.name === 'env') {
        context.report({ node, message: 'config.ts is the only reader of process.env.' });
      }
    },
  }),
};

export default {
  meta: { name: 'pgscore' },
  rules: {
    'imports-one-way': importsOneWay,
    'no-template-query': noTemplateQuery,
    'env-only-in-config': envOnlyInConfig,
  },
};
