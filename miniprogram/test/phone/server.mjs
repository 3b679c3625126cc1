// The true server, and in front of it one that serves the built demo and can be told to break down.
import { execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'
import { deflateSync, crc32 } from 'node:zlib'

const repository = path.resolve(import.meta.dirname, '../../..')
const out = path.resolve(import.meta.dirname, '../../.browser')
const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.map': 'application/json' }

/** Starts wxpass with a fresh database, playing WeChat itself. */
async function startServer() {
  const binary = path.join(out, `wxpass-${process.pid}`)
  fs.mkdirSync(out, { recursive: true })
  execFileSync('go', ['build', '-o', binary, '.'], { cwd: repository, stdio: 'inherit' })
  const data = fs.mkdtempSync(path.join(os.tmpdir(), 'wxpass-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, ADDR: `127.0.0.1:${port}`, DATA_DIR: data, LOG_LEVEL: 'warn', RATE_LIMIT_SCALE: '0' }
  const child = spawn(binary, { cwd: data, env, stdio: 'ignore' })
  for (let i = 0; ; i++) {
    if (child.exitCode !== null || i === 100) throw new Error('wxpass did not start')
    if (await fetch(url + '/readyz').then((r) => r.ok, () => false)) break
    await new Promise((r) => setTimeout(r, 100))
  }
  return {
    port,
    async stop() {
      const ended = new Promise((r) => child.once('exit', r))
      child.kill()
      await ended
      fs.rmSync(data, { recursive: true, force: true })
      fs.rmSync(binary, { force: true })
    },
  }
}

async function freePort() {
  for (let port = 18400 + (process.pid % 40); port < 18450; port++) {
    const free = await new Promise((resolve) => {
      const s = http.createServer().once('error', () => resolve(false)).listen(port, '127.0.0.1', () => s.close(() => resolve(true)))
    })
    if (free) return port
  }
  throw new Error('no free port')
}

/** Serves the page in folder `page`, and everything else from a wxpass of its own. `broken` is what it does instead. */
export async function startWorld(page) {
  const server = await startServer()
  const world = { url: '', broken: undefined, tokens: [], async stop() { proxy.closeAllConnections(); proxy.close(); await server.stop() } }
  const proxy = http.createServer((req, res) => {
    const file = path.join(page, req.url === '/' ? 'index.html' : path.basename(req.url.split('?')[0]))
    if (req.method === 'GET' && !req.url.startsWith('/avatars/') && fs.existsSync(file)) {
      res.setHeader('content-type', types[path.extname(file)])
      return fs.createReadStream(file).pipe(res)
    }
    if (req.url === '/favicon.ico') return res.writeHead(204).end()
    if (world.broken === 'down') return req.socket.destroy()
    const token = /^Bearer (.+)/.exec(req.headers.authorization ?? '')?.[1]
    if (token) world.tokens.push(token)
    if (world.broken === 'refuse' && token) req.headers.authorization = 'Bearer not-a-token'
    const ahead = http.request({ port: server.port, host: '127.0.0.1', method: req.method, path: req.url, headers: req.headers }, (answer) => {
      res.writeHead(answer.statusCode, answer.headers)
      answer.pipe(res)
    })
    ahead.on('error', () => res.destroy())
    req.pipe(ahead)
  })
  const port = await freePort()
  await new Promise((r) => proxy.listen(port, '127.0.0.1', r))
  world.url = `http://127.0.0.1:${port}`
  /** Ends the session of the token last seen, as another device would. */
  world.revoke = async () => {
    const broken = world.broken
    world.broken = undefined
    await fetch(world.url + '/graphql', { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${world.tokens.at(-1)}` }, body: JSON.stringify({ query: 'mutation { logout(input: {scope: ALL}) { endedSessions } }' }) })
    world.broken = broken
  }
  return world
}

/** A PNG of one colour, as a data: URL. */
export function picture(size = 128, [r, g, b] = [7, 163, 90]) {
  const chunk = (type, body) => {
    const head = Buffer.alloc(4)
    head.writeUInt32BE(body.length)
    const rest = Buffer.concat([Buffer.from(type), body])
    const sum = Buffer.alloc(4)
    sum.writeUInt32BE(crc32(rest))
    return Buffer.concat([head, rest, sum])
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(size, 0)
  header.writeUInt32BE(size, 4)
  header.set([8, 2, 0, 0, 0], 8)
  const row = Buffer.from([0, ...Array.from({ length: size }, () => [r, g, b]).flat()])
  const png = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), chunk('IHDR', header), chunk('IDAT', deflateSync(Buffer.concat(Array(size).fill(row)))), chunk('IEND', Buffer.alloc(0))])
  return 'data:image/png;base64,' + png.toString('base64')
}
