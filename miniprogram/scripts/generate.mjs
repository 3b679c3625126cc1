// Writes src/sdk.ts and trusted-documents.json from the schema and operations/*.graphql.
//   node scripts/generate.mjs [SCHEMA]
import { codegen } from '@graphql-codegen/core'
import * as operations from '@graphql-codegen/typescript-operations'
import { buildSchema, parse, printSchema, validate } from 'graphql'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'

const root = path.resolve(import.meta.dirname, '..')
const sdk = createRequire(import.meta.url)('./sdk-plugin.cjs')
const schema = buildSchema(fs.readFileSync(process.argv[2] ?? path.join(root, '../schema.graphqls'), 'utf8'))
const documents = fs.readdirSync(path.join(root, 'operations')).sort().map((name) => ({
  location: `operations/${name}`,
  document: parse(fs.readFileSync(path.join(root, 'operations', name), 'utf8')),
}))
const all = { kind: 'Document', definitions: documents.flatMap((d) => d.document.definitions) }
const faults = validate(schema, all)
if (faults.length > 0) {
  console.error(faults.map(String).join('\n\n'))
  process.exit(1)
}

const code = await codegen({
  filename: 'src/sdk.ts',
  schema: parse(printSchema(schema)),
  schemaAst: schema,
  documents,
  config: { enumsAsTypes: true, useTypeImports: true, scalars: { Time: 'string' } },
  plugins: [{ operations: {} }, { sdk: {} }],
  pluginMap: { operations, sdk },
})
fs.writeFileSync(path.join(root, 'src/sdk.ts'), `// Written by \`npm run generate\` from ../schema.graphqls and operations/*.graphql. Do not edit.\n${code}\n`)

// What this package sends, by the SHA-256 of its text: a server may then refuse everything else.
const trusted = sdk.operations(documents).map((o) => [createHash('sha256').update(o.text).digest('hex'), o.text]).sort()
fs.writeFileSync(path.join(root, 'trusted-documents.json'), JSON.stringify(Object.fromEntries(trusted), null, 2) + '\n')
console.log(`${trusted.length} operations`)
