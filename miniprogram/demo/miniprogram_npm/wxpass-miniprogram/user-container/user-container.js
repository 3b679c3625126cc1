"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
const client_1 = require("../client");
const errors_1 = require("../errors");
const words_1 = require("../words");
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
    data: { avatar: '', nickname: '', busy: false, message: '', words: (0, words_1.words)('zh') },
    lifetimes: {
        attached() {
            var _a, _b;
            var _c, _d;
            const client = (0, client_1.getClient)();
            this.setData({ words: (0, words_1.words)(client.language), avatar: (_c = (_a = client.user) === null || _a === void 0 ? void 0 : _a.avatarUrl) !== null && _c !== void 0 ? _c : '', nickname: (_d = (_b = client.user) === null || _b === void 0 ? void 0 : _b.nickname) !== null && _d !== void 0 ? _d : '' });
        },
    },
    methods: {
        /** The path is of this device and lives until the app closes: it is uploaded when the form is sent. */
        onAvatar(e) {
            var _a;
            if (e.detail.avatarUrl)
                return this.setData({ avatar: e.detail.avatarUrl, message: '' });
            if (/privacy/i.test((_a = e.detail.errMsg) !== null && _a !== void 0 ? _a : ''))
                this.failed(new errors_1.WxpassError('PRIVACY_REFUSED', e.detail.errMsg));
        },
        onNickname(e) {
            this.setData({ nickname: e.detail.value, message: '' });
        },
        /** WeChat clears a nickname it refuses after the field is left, so the form's own value is the one that counts. */
        async onSubmit(e) {
            var _a, _b;
            var _c;
            if (this.data.busy)
                return;
            const client = (0, client_1.getClient)();
            const nickname = ((_c = (_a = e.detail.value) === null || _a === void 0 ? void 0 : _a.nickname) !== null && _c !== void 0 ? _c : this.data.nickname).trim();
            if (!nickname)
                return this.setData({ message: this.data.words.nicknameMissing });
            this.setData({ busy: true, message: '' });
            try {
                const { avatar } = this.data;
                const chosen = avatar && avatar !== ((_b = client.user) === null || _b === void 0 ? void 0 : _b.avatarUrl);
                const avatarId = chosen ? (await client.uploadAvatar(avatar)).avatarId : undefined;
                const { authorizeProfile } = await client.sdk.authorizeProfile({ input: { nickname, avatarId } }, { safe: true });
                this.setData({ busy: false });
                this.triggerEvent('success', { user: authorizeProfile === null || authorizeProfile === void 0 ? void 0 : authorizeProfile.user });
            }
            catch (error) {
                this.setData({ busy: false });
                this.failed(error);
            }
        },
        failed(error) {
            const message = (0, client_1.getClient)().messageFor(error);
            this.setData({ message });
            this.triggerEvent('fail', { error, message });
        },
    },
});
