// Compiles src into miniprogram_dist, one file for one file, so that all components share one session; and puts
// the result into the demo, which the WeChat tools then open as it is.
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

const root = path.resolve(import.meta.dirname, '..')
const dist = path.join(root, 'miniprogram_dist')
fs.rmSync(dist, { recursive: true, force: true })
execFileSync(path.join(root, 'node_modules/.bin/tsc'), ['-p', root, '--noEmit', 'false'], { stdio: 'inherit' })
for (const name of fs.readdirSync(path.join(root, 'src'), { recursive: true })) {
  if (/\.(wxml|wxss|json|wxs)$/.test(name)) fs.copyFileSync(path.join(root, 'src', name), path.join(dist, name))
}

const packed = path.join(root, 'demo/miniprogram_npm/wxpass-miniprogram')
fs.rmSync(packed, { recursive: true, force: true })
fs.cpSync(dist, packed, { recursive: true, filter: (name) => !name.endsWith('.d.ts') })
