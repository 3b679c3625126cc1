import { getClient } from '../client'
import { WxpassError } from '../errors'
import { words } from '../words'

/**
 * The step USER: avatar and nickname, as WeChat lets a Mini Program ask for them since 2022.
 * Events: success {user}, fail {error, message}.
 */
Component({
  options: { multipleSlots: true },
  externalClasses: ['t-class', 't-class-avatar', 't-class-input', 't-class-button'],
  properties: {
    /** Turns the form off. */
    disabled: { type: Boolean, value: false },
  },
  data: { avatar: '', nickname: '', busy: false, message: '', words: words('zh') },
  lifetimes: {
    attached() {
      const client = getClient()
      this.setData({ words: words(client.language), avatar: client.user?.avatarUrl ?? '', nickname: client.user?.nickname ?? '' })
    },
  },
  methods: {
    /** The path is of this device and lives until the app closes: it is uploaded when the form is sent. */
    onAvatar(e: WechatMiniprogram.CustomEvent<{ avatarUrl?: string; errMsg?: string }>) {
      if (e.detail.avatarUrl) return this.setData({ avatar: e.detail.avatarUrl, message: '' })
      if (/privacy/i.test(e.detail.errMsg ?? '')) this.failed(new WxpassError('PRIVACY_REFUSED', e.detail.errMsg!))
    },

    onNickname(e: WechatMiniprogram.CustomEvent<{ value: string }>) {
      this.setData({ nickname: e.detail.value, message: '' })
    },

    /** WeChat clears a nickname it refuses after the field is left, so the form's own value is the one that counts. */
    async onSubmit(e: WechatMiniprogram.CustomEvent<{ value?: { nickname?: string } }>) {
      if (this.data.busy) return
      const client = getClient()
      const nickname = (e.detail.value?.nickname ?? this.data.nickname).trim()
      if (!nickname) return this.setData({ message: this.data.words.nicknameMissing })
      this.setData({ busy: true, message: '' })
      try {
        const { avatar } = this.data
        const chosen = avatar && avatar !== client.user?.avatarUrl
        const avatarId = chosen ? (await client.uploadAvatar(avatar)).avatarId : undefined
        const { authorizeProfile } = await client.sdk.authorizeProfile({ input: { nickname, avatarId } }, { safe: true })
        this.setData({ busy: false })
        this.triggerEvent('success', { user: authorizeProfile?.user })
      } catch (error) {
        this.setData({ busy: false })
        this.failed(error)
      }
    },

    failed(error: unknown) {
      const message = getClient().messageFor(error)
      this.setData({ message })
      this.triggerEvent('fail', { error, message })
    },
  },
})
