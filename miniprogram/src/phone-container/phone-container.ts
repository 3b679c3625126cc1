import { getClient } from '../client'
import { WxpassError } from '../errors'
import { words } from '../words'

interface PhoneDetail {
  code?: string
  errMsg?: string
  errno?: number
}

/**
 * The step PHONE: WeChat's phone button, whose code the server trades for the number.
 * Events: success {user}, denied {error, message} when the user or the platform says no, fail {error, message}.
 */
Component({
  options: { multipleSlots: true },
  externalClasses: ['t-class', 't-class-button'],
  properties: {
    /** Turns the button off. */
    disabled: { type: Boolean, value: false },
  },
  data: { busy: false, message: '', words: words('zh') },
  lifetimes: {
    attached() {
      this.setData({ words: words(getClient().language) })
    },
  },
  methods: {
    async onPhone(e: WechatMiniprogram.CustomEvent<PhoneDetail>) {
      if (this.data.busy) return
      const code = getClient().phoneCode(e.detail)
      if (!code) return this.failed('denied', refusal(e.detail))
      this.setData({ busy: true, message: '' })
      try {
        // the server answers the same code again for five minutes, so a lost answer may be asked for again
        const { bindPhone } = await getClient().sdk.bindPhone({ input: { code } }, { safe: true })
        this.setData({ busy: false })
        this.triggerEvent('success', { user: bindPhone?.user })
      } catch (error) {
        this.setData({ busy: false })
        this.failed('fail', error)
      }
    },

    failed(event: 'denied' | 'fail', error: unknown) {
      const message = getClient().messageFor(error)
      this.setData({ message })
      this.triggerEvent(event, { error, message })
    },
  },
})

/** Why the button gave no code: errno 1400001 is a used-up quota, 104 and 112 the privacy agreement. */
function refusal({ errMsg = 'getPhoneNumber:fail', errno }: PhoneDetail): WxpassError {
  if (errno === 1400001) return new WxpassError('PHONE_QUOTA_EXHAUSTED', errMsg)
  if (errno === 104 || errno === 112 || /privacy/i.test(errMsg)) return new WxpassError('PRIVACY_REFUSED', errMsg)
  return new WxpassError('PHONE_DENIED', errMsg)
}
