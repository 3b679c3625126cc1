// Copies the files of GraphiQL that playground.go embeds into assets/, under the paths a CDN has for them, with the
// licences of all they are made of. `npm run assets` installs the packages and runs this.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const files = [
  ['react', 'umd/react.production.min.js'],
  ['react-dom', 'umd/react-dom.production.min.js'],
  ['graphiql', 'graphiql.min.js'],
  ['graphiql', 'graphiql.min.css'],
]
const here = import.meta.dirname
const assets = path.join(here, 'assets')
const { packages } = JSON.parse(readFileSync(path.join(here, 'package-lock.json'), 'utf8'))

for (const old of readdirSync(assets)) if (old !== 'README.md') rmSync(path.join(assets, old), { recursive: true })
for (const [name, file] of files) {
  const to = path.join(assets, `${name}@${packages['node_modules/' + name].version}`, file)
  mkdirSync(path.dirname(to), { recursive: true })
  cpSync(path.join(here, 'node_modules', name, file), to)
}

// GraphiQL's bundle holds code of most packages it depends on. One text covers every package that words it the same.
const owners = new Map() // licence text -> packages
for (const [folder, { version, license }] of Object.entries(packages)) {
  const dir = path.join(here, folder)
  if (folder === '' || !existsSync(dir)) continue // ourselves, and what another platform would install
  const file = readdirSync(dir).find((f) => /^(licen[cs]e|copying)/i.test(f))
  const text = file ? readFileSync(path.join(dir, file), 'utf8').trim() : `${license} (the package holds no licence text)`
  owners.set(text, [...(owners.get(text) ?? []), `${folder.split('node_modules/').pop()} ${version}`])
}
const fonts = 'graphiql.min.css holds the fonts Roboto (Apache License 2.0, below) and Fira Code (SIL Open Font License 1.1).'
const rule = '-'.repeat(80)
const licences = [...owners].map(([text, names]) => `${rule}\n${names.join(', ')}\n${rule}\n\n${text}\n`)
writeFileSync(path.join(assets, 'LICENSES.txt'), [fonts + '\n', ...licences].join('\n'))

console.log('playground: GraphiQL is in', path.relative(process.cwd(), assets), '- the next build of the server embeds it')
