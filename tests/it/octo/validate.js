// SPDX-License-Identifier: Apache-2.0

// Reads [{ what, schema, value }] and says which values the published schemas of OCTO refuse. Run with NODE_PATH at the package.
const schemas = require('@octocloud/types');
const cases = JSON.parse(require('fs').readFileSync(process.argv[2], 'utf8'));
let wrong = 0;
for (const { what, schema, value } of cases) {
  if (!schemas[schema]) {
    console.log(`${what}: there is no schema ${schema}`);
    wrong += 1;
    continue;
  }
  const read = schemas[schema].safeParse(value);
  if (!read.success) {
    wrong += 1;
    const issues = read.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    console.log(`${what} (${schema}): ${issues.join('; ')}`);
  }
}
console.log(`${cases.length} values looked at, ${wrong} refused`);
process.exit(wrong === 0 && cases.length > 0 ? 0 : 1);
