import type { Language } from './errors'

const zh = {
  chooseAvatar: '选择头像',
  nickname: '昵称',
  nicknameHint: '请输入昵称',
  nicknameMissing: '请填写昵称',
  saveProfile: '保存',
  bindPhone: '手机号快捷登录',
  userTitle: '完善资料',
  phoneTitle: '绑定手机号',
  done: '已完成授权',
  cancel: '暂不授权',
}

const en: typeof zh = {
  chooseAvatar: 'Choose avatar',
  nickname: 'Nickname',
  nicknameHint: 'Your nickname',
  nicknameMissing: 'Please enter a nickname.',
  saveProfile: 'Save',
  bindPhone: 'Use my phone number',
  userTitle: 'Your profile',
  phoneTitle: 'Your phone number',
  done: 'All done',
  cancel: 'Not now',
}

/** The components' own words. */
export const words = (language: Language): typeof zh => (language === 'en' ? en : zh)
