import { WxpassError } from '../errors'
import { getClient } from '../client'
import type { AuthStep } from '../sdk'
import { words } from '../words'

interface Waiter {
  resolve: () => void
  reject: (e: unknown) => void
}

/** Who waits for which popup; not data, which WeChat would copy. */
const waiters = new WeakMap<object, Waiter>()

/**
 * The flow in a sheet over the page; mustAuth opens the one with id="auth-popup".
 * Events: open, close, and those of auth-flow.
 */
Component({
  options: { multipleSlots: true },
  externalClasses: ['t-class', 't-class-mask', 't-class-title', 't-class-button'],
  properties: {
    /** Whether a tap beside the sheet closes it. */
    closeOnMask: { type: Boolean, value: true },
  },
  data: { visible: false, steps: [] as AuthStep[], words: words('zh') },
  lifetimes: {
    attached() {
      this.setData({ words: words(getClient().language) })
    },
    detached() {
      this.end(new WxpassError('AUTH_CANCELLED', 'the page was left'))
    },
  },
  methods: {
    /** Opens the sheet; resolves when the steps are passed, rejects with AUTH_CANCELLED when the user closes it. */
    ask(steps: AuthStep[]): Promise<void> {
      this.end(new WxpassError('AUTH_CANCELLED', 'the popup was opened anew'))
      return new Promise((resolve, reject) => {
        waiters.set(this, { resolve, reject })
        this.setData({ visible: true, steps })
        this.triggerEvent('open', { steps })
      })
    },

    onComplete(e: WechatMiniprogram.CustomEvent) {
      this.triggerEvent('complete', e.detail)
      this.end()
    },

    onForward(e: WechatMiniprogram.CustomEvent) {
      this.triggerEvent(e.type, e.detail)
    },

    onMask() {
      if (this.data.closeOnMask) this.onCancel()
    },

    onCancel() {
      this.end(new WxpassError('AUTH_CANCELLED', 'the user closed the popup'))
    },

    /** Keeps a tap or a swipe on the sheet from reaching what is behind it. */
    hold() {},

    end(error?: WxpassError) {
      const waiter = waiters.get(this)
      if (!waiter) return
      waiters.delete(this)
      this.setData({ visible: false })
      this.triggerEvent('close', { completed: !error })
      if (error) waiter.reject(error)
      else waiter.resolve()
    },
  },
})
