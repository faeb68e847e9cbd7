/** House rules that no stock linter knows. */

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
  rules: { 'no-template-query': noTemplateQuery, 'env-only-in-config': envOnlyInConfig },
};
