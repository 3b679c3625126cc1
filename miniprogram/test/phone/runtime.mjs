import * as ge from 'glass-easel'
import { MiniProgramEnv } from 'glass-easel-miniprogram-adapter'
import { builtins } from './builtins.mjs'
import { installWx, openTypes } from './wx.mjs'

export function boot({ app, appCss, groups, comps, run }) {
  const env = new MiniProgramEnv()
  const space = env.createCodeSpace('', true)
  const backend = new ge.CurrentWindowBackendContext()
  backend.onEvent((target, type, detail, options) => ge.triggerEvent(target, type, detail, options))
  // host elements of built-ins are <wx-button> and so on, as on the phone
  backend.document = {
    createElement: (t) => document.createElement(builtins[t] ? 'wx-' + t : t.startsWith('native-') ? t.slice(7) : t),
    createTextNode: (t) => document.createTextNode(t),
    createDocumentFragment: () => document.createDocumentFragment(),
  }
  const ab = env.associateBackend(backend)
  const cs = space.getComponentSpace()
  const content = (p) => ({ groupList: groups, content: groups[p] })

  for (const [tag, b] of Object.entries(builtins)) {
    const def = cs.defineComponent({
      is: 'wx/' + tag,
      properties: Object.fromEntries(Object.entries(b.props ?? {}).map(([k, t]) => [k, t])),
      template: content('wx/' + tag),
      ...behaviour(b.kind),
    })
    cs.setGlobalUsingComponent(tag, def)
  }

  space.addStyleSheet('app', 'app')
  ab.registerStyleSheetContent('app', appCss)
  let appInst
  globalThis.App = (o) => { appInst = o }
  globalThis.getApp = () => appInst
  const stack = []
  globalThis.getCurrentPages = () => stack.map((e) => e.inst)
  installWx({ open, back })

  run.app()
  for (const { p, cfg, scope, css } of comps) {
    space.addComponentStaticConfig(p, cfg)
    space.addCompiledTemplate(p, content(p))
    space.addStyleSheet(p, p, scope)
    ab.registerStyleSheetContent(p, css)
  }
  for (const { p } of comps) space.globalComponentEnv(globalThis, p, run[p])

  function open(url, { replace } = {}) {
    const [p, q = ''] = url.replace(/^\//, '').split('?')
    if (replace) close()
    const top = stack[stack.length - 1]
    if (top) { top.el.hidden = true; top.inst.onHide?.() }
    const el = document.body.appendChild(document.createElement('wx-page'))
    const cfg = comps.find((c) => c.p === p).cfg
    el.appendChild(document.createElement('wx-nav')).textContent = document.title = cfg.navigationBarTitleText ?? app.window?.navigationBarTitleText ?? ''
    const mark = el.appendChild(document.createElement('span'))
    const root = ab.createRoot('page-root', space, p)
    root.attach(el, mark)
    const inst = root.get()
    inst.route = p
    stack.push({ root, inst, el })
    inst.onLoad?.(Object.fromEntries(new URLSearchParams(q)))
    inst.onShow?.()
    requestAnimationFrame(() => inst.onReady?.())
  }
  function close() {
    const e = stack.pop()
    if (!e) return
    e.inst.onUnload?.(); e.root.release(); e.el.remove()
  }
  function back() {
    close()
    const top = stack[stack.length - 1]
    if (top) { top.el.hidden = false; top.inst.onShow?.() }
  }
  const hash = location.hash.slice(1)
  appInst?.onLaunch?.call(appInst, { path: app.pages[0], query: {} })
  appInst?.onShow?.call(appInst, {})
  open(hash || app.pages[0])
}

function behaviour(kind) {
  if (kind === 'button') {
    return {
      observers: {
        disabled(v) { this.$$?.toggleAttribute('disabled', v) },
        type(v) { this.$$?.setAttribute('type', v) },
      },
      lifetimes: {
        attached() {
          this.$$.setAttribute('role', 'button')
          this.$$.setAttribute('tabindex', '0')
          this.$$.toggleAttribute('disabled', this.data.disabled)
          this.$$.setAttribute('type', this.data.type)
          if (this.data.openType) this.$$.setAttribute('open-type', this.data.openType)
          this.addListener('tap', () => {
            const t = openTypes[this.data.openType]
            if (this.data.disabled) return
            if (this.data.formType === 'submit') this.triggerEvent('formsubmit', {}, { bubbles: true, composed: true })
            if (t) t((type, detail) => this.triggerEvent(type, detail))
          })
        },
      },
    }
  }
  if (kind === 'form') {
    return {
      lifetimes: {
        attached() {
          this.addListener('formsubmit', () => {
            const value = {}
            for (const el of this.$$.querySelectorAll('input[name]')) value[el.getAttribute('name')] = el.value
            this.triggerEvent('submit', { value })
          })
        },
      },
    }
  }
  if (kind === 'input') {
    return {
      methods: {
        onInput(e) {
          const value = e.target?.value ?? this.$$.querySelector('input').value
          this.setData({ value })
          this.triggerEvent('input', { value, cursor: value.length })
        },
        onBlur() { this.triggerEvent('blur', { value: this.data.value }) },
      },
    }
  }
  return {}
}
