"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
const errors_1 = require("../errors");
const client_1 = require("../client");
const words_1 = require("../words");
/** Who waits for which popup; not data, which WeChat would copy. */
const waiters = new WeakMap();
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
    data: { visible: false, steps: [], words: (0, words_1.words)('zh') },
    lifetimes: {
        attached() {
            this.setData({ words: (0, words_1.words)((0, client_1.getClient)().language) });
        },
        detached() {
            this.end(new errors_1.WxpassError('AUTH_CANCELLED', 'the page was left'));
        },
    },
    methods: {
        /** Opens the sheet; resolves when the steps are passed, rejects with AUTH_CANCELLED when the user closes it. */
        ask(steps) {
            this.end(new errors_1.WxpassError('AUTH_CANCELLED', 'the popup was opened anew'));
            return new Promise((resolve, reject) => {
                waiters.set(this, { resolve, reject });
                this.setData({ visible: true, steps });
                this.triggerEvent('open', { steps });
            });
        },
        onComplete(e) {
            this.triggerEvent('complete', e.detail);
            this.end();
        },
        onForward(e) {
            this.triggerEvent(e.type, e.detail);
        },
        onMask() {
            if (this.data.closeOnMask)
                this.onCancel();
        },
        onCancel() {
            this.end(new errors_1.WxpassError('AUTH_CANCELLED', 'the user closed the popup'));
        },
        /** Keeps a tap or a swipe on the sheet from reaching what is behind it. */
        hold() { },
        end(error) {
            const waiter = waiters.get(this);
            if (!waiter)
                return;
            waiters.delete(this);
            this.setData({ visible: false });
            this.triggerEvent('close', { completed: !error });
            if (error)
                waiter.reject(error);
            else
                waiter.resolve();
        },
    },
});
