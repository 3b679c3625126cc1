// Starts the server named on the command line, in a folder of its own, and audits it: every check of graphql-http's suite
// must pass, 61 of 61. Then it asks for the schema as tools do.
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { buildClientSchema, getIntrospectionQuery } from 'graphql'
import { auditServer } from 'graphql-http'

const want = 61
const dir = await mkdtemp(join(tmpdir(), 'wxpass-audit-'))
const server = spawn(resolve(process.argv[2]), ['serve'], {
  cwd: dir, // where there is no .env
  env: { PATH: process.env.PATH, HOME: dir, DATA_DIR: dir, ADDR: '127.0.0.1:0', DRAIN_DELAY: '0s' },
  stdio: ['ignore', 'ignore', 'pipe'],
})
const ended = new Promise((done) => server.once('exit', done))

// where waits for the line that says where the server listens.
function where() {
  return new Promise((found, failed) => {
    let log = ''
    server.stderr.setEncoding('utf8')
    server.stderr.on('data', (text) => {
      log += text
      const at = log.match(/address=(127\.0\.0\.1:\d+)/) ?? log.match(/http:\/\/(127\.0\.0\.1:\d+)/)
      if (at) found(`http://${at[1]}/graphql`)
    })
    ended.then((code) => failed(new Error(`the server ended with ${code}:\n${log}`)))
  })
}

try {
  const url = await where()
  const results = await auditServer({ url })
  const passed = results.filter((r) => r.status === 'ok')
  for (const r of results) {
    if (r.status !== 'ok') console.error(`${r.status} ${r.id} ${r.name}: ${r.reason}`)
  }
  console.log(`GraphQL over HTTP: ${passed.length} of ${results.length}`)
  if (passed.length !== want || results.length !== want) process.exitCode = 1

  // What GraphiQL and code generators ask for, with everything that can be asked for, is within the limits.
  const query = getIntrospectionQuery({ specifiedByUrl: true, directiveIsRepeatable: true, schemaDescription: true, inputValueDeprecation: true, oneOf: true })
  const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ query }) })
  const { data, errors } = await answer.json()
  if (errors) throw new Error(`introspection: ${JSON.stringify(errors)}`)
  console.log(`introspection: ${Object.keys(buildClientSchema(data).getTypeMap()).length} types`)
} finally {
  server.kill('SIGTERM')
  await ended
  await rm(dir, { recursive: true })
}
