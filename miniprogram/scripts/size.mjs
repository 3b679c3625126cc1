// Prints how large the package is when a Mini Program takes all of it in.
import { build } from 'esbuild'
import fs from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'

const root = path.resolve(import.meta.dirname, '..')
const src = path.join(root, 'src')
const scripts = fs.readdirSync(src, { recursive: true }).filter((n) => n.endsWith('.ts')).map((n) => path.join(src, n))
const bundle = await build({ entryPoints: [path.join(src, 'index.ts')], bundle: true, write: false, minify: true, format: 'cjs', target: 'es2018' })
const files = await build({ entryPoints: scripts, write: false, minify: true, format: 'cjs', target: 'es2018', outdir: root })
const assets = fs.readdirSync(src, { recursive: true }).filter((n) => /\.(wxml|wxss|json)$/.test(n))
const sum = (list) => list.reduce((n, x) => n + x, 0)
const core = Buffer.from(bundle.outputFiles[0].contents)
console.log(`client, minified: ${core.length} bytes (${gzipSync(core).length} gzipped)`)
console.log(`whole package, minified file by file: ${sum(files.outputFiles.map((f) => f.contents.length)) + sum(assets.map((n) => fs.statSync(path.join(src, n)).size))} bytes in ${files.outputFiles.length + assets.length} files`)
console.log(`run-time dependencies: ${Object.keys(JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')).dependencies ?? {}).length}`)
