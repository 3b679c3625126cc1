// iOS 15 and older: Promise is built on setTimeout, so a callback is a macrotask. The package, with its async functions
// compiled to generators over that Promise, must still log in once.
import { build } from 'esbuild'
import path from 'node:path'
import { expect, test } from 'vitest'

/** A Promise whose callbacks run in macrotasks. */
class MacroPromise {
  #callbacks = []
  #state
  #value
  constructor(executor) {
    const settle = (state) => (value) => {
      if (this.#state) return
      this.#state = state
      this.#value = value
      this.#callbacks.splice(0).forEach((f) => f())
    }
    const reject = settle('rejected')
    let adopted = false
    const resolve = (value) => {
      if (adopted) return
      adopted = true
      if (value && typeof value.then === 'function') setTimeout(() => value.then(settle('fulfilled'), reject))
      else settle('fulfilled')(value)
    }
    try { executor(resolve, (e) => { if (!adopted) { adopted = true; reject(e) } }) } catch (e) { reject(e) }
  }
  then(ok, no) {
    return new MacroPromise((resolve, reject) => {
      const run = () => setTimeout(() => {
        const f = this.#state === 'fulfilled' ? ok : no
        if (typeof f !== 'function') return this.#state === 'fulfilled' ? resolve(this.#value) : reject(this.#value)
        try { resolve(f(this.#value)) } catch (e) { reject(e) }
      })
      if (this.#state) run()
      else this.#callbacks.push(run)
    })
  }
  catch(no) { return this.then(undefined, no) }
  static resolve(v) { return v instanceof MacroPromise ? v : new MacroPromise((r) => r(v)) }
  static reject(e) { return new MacroPromise((_, r) => r(e)) }
}

test('twenty requests over macrotask promises are one login; revoked, one re-login', async () => {
  const { outputFiles } = await build({
    entryPoints: [path.resolve(import.meta.dirname, '../../src/index.ts')],
    bundle: true, write: false, format: 'cjs', target: 'es2016',
  })
  let logins = 0
  const silent = []
  const alive = new Set()
  const wx = {
    login: (o) => setTimeout(() => o.success({ code: `c${++logins}` }), 3),
    getStorageSync: () => '', setStorageSync() {}, removeStorageSync() {},
    request: (o) => setTimeout(() => {
      if (o.data.includes('silentLogin')) {
        const token = `t${silent.push(1)}`
        alive.add(token)
        return o.success({ statusCode: 200, data: { data: { silentLogin: { token, expiresAt: new Date(Date.now() + 1e9).toISOString(), user: { steps: [] } } } } })
      }
      const ok = alive.has(o.header.authorization.slice(7))
      o.success({ statusCode: 200, data: ok ? { data: { me: { id: 'u', steps: [] } } } : { data: { me: null }, errors: [{ message: '', path: ['me'], extensions: { code: 'UNAUTHENTICATED' } }] } })
    }, 3),
  }
  const module = { exports: {} }
  new Function('module', 'exports', 'wx', 'Promise', outputFiles[0].text)(module, module.exports, wx, MacroPromise)
  const client = module.exports.createClient({ endpoint: 'https://x.example/graphql' })
  const round = () => Promise.all(Array.from({ length: 20 }, () => new Promise((resolve, reject) => client.sdk.me().then(resolve, reject))))

  expect(await round()).toHaveLength(20)
  expect([logins, silent.length]).toEqual([1, 1])
  alive.clear()
  expect(await round()).toHaveLength(20)
  expect([logins, silent.length]).toEqual([2, 2])
})
