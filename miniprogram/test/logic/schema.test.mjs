// A change of the schema must not reach a client unnoticed: the generation refuses it, and once the operations follow,
// the type check does.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const root = path.resolve(import.meta.dirname, '../..')
let copy
const run = (command, ...args) => {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: copy, encoding: 'utf8' })
  return { status, text: stdout + stderr }
}
const tsc = () => run(path.join(root, 'node_modules/.bin/tsc'), '-p', '.')

beforeAll(() => {
  copy = fs.mkdtempSync(path.join(root, '.schema-test-'))
  for (const name of ['src', 'scripts', 'operations', 'tsconfig.json']) fs.cpSync(path.join(root, name), path.join(copy, name), { recursive: true })
  const schema = fs.readFileSync(path.join(root, '../schema.graphqls'), 'utf8')
  const payload = /type SilentLoginPayload \{[^}]*\}/
  expect(schema).toMatch(payload)
  fs.writeFileSync(path.join(copy, 'renamed.graphqls'), schema.replace(payload, (t) => t.replace('expiresAt:', 'endsAt:')))
})
afterAll(() => fs.rmSync(copy, { recursive: true, force: true }))

test('what is generated is what the schema makes', () => {
  expect(run('node', 'scripts/generate.mjs', path.join(root, '../schema.graphqls')).status).toBe(0)
  for (const name of ['src/sdk.ts', 'trusted-documents.json']) {
    expect(fs.readFileSync(path.join(copy, name), 'utf8'), `${name}: npm run generate`).toBe(fs.readFileSync(path.join(root, name), 'utf8'))
  }
  expect(tsc()).toEqual({ status: 0, text: '' })
})

test('a renamed field fails the generation', () => {
  const { status, text } = run('node', 'scripts/generate.mjs', 'renamed.graphqls')
  expect(status).toBe(1)
  expect(text).toContain('Cannot query field "expiresAt" on type "SilentLoginPayload"')
})

test('a renamed field fails the type check when the operation follows it', () => {
  const file = path.join(copy, 'operations/session.graphql')
  fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('expiresAt\n    isNewUser', 'endsAt\n    isNewUser'))
  expect(run('node', 'scripts/generate.mjs', 'renamed.graphqls').status).toBe(0)
  const { status, text } = tsc()
  expect(status).not.toBe(0)
  expect(text).toContain("Property 'expiresAt' does not exist")
})
