"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
const client_1 = require("../client");
const errors_1 = require("../errors");
const words_1 = require("../words");
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
    data: { busy: false, message: '', words: (0, words_1.words)('zh') },
    lifetimes: {
        attached() {
            this.setData({ words: (0, words_1.words)((0, client_1.getClient)().language) });
        },
    },
    methods: {
        async onPhone(e) {
            if (this.data.busy)
                return;
            const code = (0, client_1.getClient)().phoneCode(e.detail);
            if (!code)
                return this.failed('denied', refusal(e.detail));
            this.setData({ busy: true, message: '' });
            try {
                // the server answers the same code again for five minutes, so a lost answer may be asked for again
                const { bindPhone } = await (0, client_1.getClient)().sdk.bindPhone({ input: { code } }, { safe: true });
                this.setData({ busy: false });
                this.triggerEvent('success', { user: bindPhone === null || bindPhone === void 0 ? void 0 : bindPhone.user });
            }
            catch (error) {
                this.setData({ busy: false });
                this.failed('fail', error);
            }
        },
        failed(event, error) {
            const message = (0, client_1.getClient)().messageFor(error);
            this.setData({ message });
            this.triggerEvent(event, { error, message });
        },
    },
});
/** Why the button gave no code: errno 1400001 is a used-up quota, 104 and 112 the privacy agreement. */
function refusal({ errMsg = 'getPhoneNumber:fail', errno }) {
    if (errno === 1400001)
        return new errors_1.WxpassError('PHONE_QUOTA_EXHAUSTED', errMsg);
    if (errno === 104 || errno === 112 || /privacy/i.test(errMsg))
        return new errors_1.WxpassError('PRIVACY_REFUSED', errMsg);
    return new errors_1.WxpassError('PHONE_DENIED', errMsg);
}
