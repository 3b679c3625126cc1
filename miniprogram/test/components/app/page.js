Page({
  on(e) {
    globalThis.events.push({ type: e.type, detail: e.detail })
  },
})
