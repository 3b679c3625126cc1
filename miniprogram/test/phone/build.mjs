// Turns a native Mini Program folder into one page that runs in a browser.
import { build } from 'esbuild'
import { TmplGroup } from 'glass-easel-template-compiler'
import fs from 'node:fs'
import path from 'node:path'
import { builtins } from './builtins.mjs'


/** Builds the Mini Program in folder src into folder out: index.html, app.js, base.css. */
export async function buildPage(src, out) {
  const json = (p) => JSON.parse(fs.readFileSync(path.join(src, p), 'utf8'))
  const has = (p) => fs.existsSync(path.join(src, p))
  const text = (p) => (has(p) ? fs.readFileSync(path.join(src, p), 'utf8') : '')
  const script = (p) => ['.ts', '.js'].map((x) => p + x).find(has)

  // '/x' is from the root, 'x' and './x' are relative, anything else is an npm package built into miniprogram_npm
  const locate = (from, ref) => {
    if (ref.startsWith('/')) return ref.slice(1)
    const near = path.posix.join(path.posix.dirname(from), ref)
    if (has(near + '.json')) return near
    const npm = ['', '/index'].map((x) => 'miniprogram_npm/' + ref + x).find((x) => has(x + '.json'))
    if (npm) return npm
    throw new Error(`${from}: no component at ${ref}`)
  }

  const app = json('app.json')
  const seen = new Map() // path -> static config
  const walk = (p) => {
    if (seen.has(p)) return
    const cfg = json(p + '.json')
    seen.set(p, cfg)
    const using = { ...app.usingComponents, ...cfg.usingComponents }
    cfg.usingComponents = {}
    for (const [tag, ref] of Object.entries(using)) {
      const rel = locate(p, ref)
      cfg.usingComponents[tag] = '/' + rel
      walk(rel)
    }
  }
  app.pages.forEach(walk)

  const group = new TmplGroup()
  const problems = []
  const addTmpl = (p, s) => {
    for (const w of group.addTmpl(p, s)) w.isError ? problems.push(w) : console.warn(w)
  }
  for (const p of seen.keys()) {
    addTmpl(p, text(p + '.wxml'))
    const pending = group.getDirectDependencies(p)
    for (const d of pending) addTmpl(d, text(d + '.wxml'))
    for (const s of group.getScriptDependencies(p)) group.addScript(s, text(s + '.wxs'))
  }
  for (const [tag, b] of Object.entries(builtins)) addTmpl('wx/' + tag, b.wxml)

  // wxss: rpx, page{}, built-in tag names, and a class prefix for isolated components
  let n = 0
  const scopeOf = (p) => (seen.get(p).component && !/shared/.test(seen.get(p).styleIsolation ?? '') ? 's' + n++ : undefined)
  const wxss = (css, scope, dir) =>
    css
      .replace(/@import\s+["']([^"']+)["'];/g, (_, f) => wxss(text(path.posix.join(dir, f)), scope, path.posix.dirname(path.posix.join(dir, f))))
      .replace(/(-?[\d.]+)rpx/g, (_, v) => `calc(${v} * var(--rpx))`)
      .replace(/(^|[}\s,])([^{}@]+)\{/g, (m, pre, sel) =>
        pre + sel
          .replace(/\.(-?[_a-zA-Z][\w-]*)/g, (_, c) => '.' + (scope ? scope + '--' : '') + c)
          .replace(/(^|[\s>+~,])(page|view|text|button|image|input)(?![\w-])/g, (_, a, t) => a + (t === 'page' ? 'body' : 'wx-' + t)) + '{')

  const comps = [...seen].map(([p, cfg]) => {
    const scope = scopeOf(p)
    return { p, cfg, scope, css: wxss(text(p + '.wxss'), scope, path.posix.dirname(p)) }
  })
  const entry = `
import { boot } from ${JSON.stringify(path.join(import.meta.dirname, 'runtime.mjs'))}
  boot({
    app: ${JSON.stringify(app)},
    appCss: ${JSON.stringify(wxss(text('app.wxss'), undefined, '.'))},
    groups: ${group.getTmplGenObjectGroups()},
    comps: ${JSON.stringify(comps)},
    run: {
      app: () => require(${JSON.stringify(path.join(src, script('app')))}),
      ${comps.map(({ p }) => `${JSON.stringify(p)}: () => require(${JSON.stringify(path.join(src, script(p)))})`).join(',\n    ')}
    },
  })`
  group.free()
  if (problems.length) throw new Error(JSON.stringify(problems))
  fs.mkdirSync(out, { recursive: true })
  await build({
    stdin: { contents: entry, resolveDir: import.meta.dirname, loader: 'js' },
    bundle: true, nodePaths: [path.join(src, 'miniprogram_npm')], format: 'iife', target: 'es2020', outfile: path.join(out, 'app.js'), sourcemap: true, logLevel: 'warning',
  })
  fs.writeFileSync(path.join(out, 'index.html'), `<!doctype html><html lang="zh-CN"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${app.window?.navigationBarTitleText ?? ''}</title><link rel="stylesheet" href="base.css"><body><script src="app.js"></script></body></html>`)
  fs.copyFileSync(path.join(import.meta.dirname, 'base.css'), path.join(out, 'base.css'))
}
