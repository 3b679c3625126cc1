import { getClient } from '../client'
import { words } from '../words'
import type { AuthStep } from '../sdk'

/**
 * Asks for one step after the other, those the user has not passed.
 * Events: step {step} after each, complete {steps} after the last, denied and fail as the containers send them.
 */
Component({
  options: { multipleSlots: true },
  externalClasses: ['t-class', 't-class-title', 't-class-button'],
  properties: {
    /** What is wanted: USER, PHONE or both, in the order to ask. */
    steps: { type: Array, value: [] as AuthStep[], observer: 'refresh' },
  },
  data: { due: '' as AuthStep | '', title: '', words: words('zh') },
  lifetimes: {
    attached() {
      this.setData({ words: words(getClient().language) })
      this.refresh()
    },
  },
  methods: {
    /** Finds out which step is due; returns it, or the empty string when all are passed. */
    refresh(): AuthStep | '' {
      const { auth, language } = getClient()
      const due = auth.missing(this.data.steps as AuthStep[])[0] ?? ''
      const w = words(language)
      this.setData({ due, title: due === 'USER' ? w.userTitle : due === 'PHONE' ? w.phoneTitle : w.done })
      return due
    },

    onSuccess() {
      const step = this.data.due
      this.triggerEvent('step', { step })
      if (!this.refresh()) this.triggerEvent('complete', { steps: this.data.steps })
    },

    onDenied(e: WechatMiniprogram.CustomEvent) {
      this.triggerEvent('denied', { step: this.data.due, ...(e.detail as object) })
    },

    onFail(e: WechatMiniprogram.CustomEvent) {
      this.triggerEvent('fail', { step: this.data.due, ...(e.detail as object) })
    },
  },
})
