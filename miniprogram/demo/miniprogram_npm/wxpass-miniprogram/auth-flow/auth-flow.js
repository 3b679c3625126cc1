"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
const client_1 = require("../client");
const words_1 = require("../words");
/**
 * Asks for one step after the other, those the user has not passed.
 * Events: step {step} after each, complete {steps} after the last, denied and fail as the containers send them.
 */
Component({
    options: { multipleSlots: true },
    externalClasses: ['t-class', 't-class-title', 't-class-button'],
    properties: {
        /** What is wanted: USER, PHONE or both, in the order to ask. */
        steps: { type: Array, value: [], observer: 'refresh' },
    },
    data: { due: '', title: '', words: (0, words_1.words)('zh') },
    lifetimes: {
        attached() {
            this.setData({ words: (0, words_1.words)((0, client_1.getClient)().language) });
            this.refresh();
        },
    },
    methods: {
        /** Finds out which step is due; returns it, or the empty string when all are passed. */
        refresh() {
            var _a;
            const { auth, language } = (0, client_1.getClient)();
            const due = (_a = auth.missing(this.data.steps)[0]) !== null && _a !== void 0 ? _a : '';
            const w = (0, words_1.words)(language);
            this.setData({ due, title: due === 'USER' ? w.userTitle : due === 'PHONE' ? w.phoneTitle : w.done });
            return due;
        },
        onSuccess() {
            const step = this.data.due;
            this.triggerEvent('step', { step });
            if (!this.refresh())
                this.triggerEvent('complete', { steps: this.data.steps });
        },
        onDenied(e) {
            this.triggerEvent('denied', { step: this.data.due, ...e.detail });
        },
        onFail(e) {
            this.triggerEvent('fail', { step: this.data.due, ...e.detail });
        },
    },
});
